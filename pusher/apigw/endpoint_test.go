package apigw_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/pusher/apigw"
)

const api = "abc123.execute-api.us-east-1.amazonaws.com"

func TestNormalize(t *testing.T) {
	for in, want := range map[string]string{
		"https://" + api + "/prod": "https://" + api + "/prod",
		"wss://" + api + "/prod/":  "https://" + api + "/prod",
		api + "/prod":              "https://" + api + "/prod",
		"HTTPS://ABC123.Execute-API.us-east-1.amazonaws.com:443/prod": "https://" + api + "/prod",
		"https://" + api + "./prod//":                                 "https://" + api + "/prod",
		"https://" + api + "/prod/@connections":                       "https://" + api + "/prod",
		"https://" + api + "/prod/@connections/":                      "https://" + api + "/prod",
		"https://" + api + "/$default":                                "https://" + api + "/$default",
		"https://ws.example.com":                                      "https://ws.example.com",
		"https://ws.example.com/":                                     "https://ws.example.com",
		"wss://ws.example.com/chat/v1":                                "https://ws.example.com/chat/v1",
		"https://ws.example.com/$-_.+!*'()":                           "https://ws.example.com/$-_.+!*'()",
		"https://ws.example.com/a%20b":                                "https://ws.example.com/a%20b",
		"localhost:8080/prod":                                         "https://localhost:8080/prod",
		"ws://localhost:8080":                                         "http://localhost:8080",
		"http://127.0.0.1:80/x":                                       "http://127.0.0.1/x",
		"http://[::1]:8080/x":                                         "http://[::1]:8080/x",
		"https://[0:0:0:0:0:0:0:1]":                                   "https://[::1]",
		"https://[::ffff:127.0.0.1]:8443":                             "https://127.0.0.1:8443",
		"https://node_1.internal:8443/gw":                             "https://node_1.internal:8443/gw",
		"https://1-a.example.com":                                     "https://1-a.example.com",
		"https://vpce-1." + api + "/x":                                "https://vpce-1." + api + "/x",
	} {
		got, err := apigw.Normalize(in)
		if err != nil || got != want {
			t.Errorf("%s is %q (%v), want %q", in, got, err, want)
		}
		if again, err := apigw.Normalize(got); err != nil || again != got {
			t.Errorf("%s becomes %q (%v) the second time", got, again, err)
		}
	}
}

// strange are endpoints that mean different things to different programs, or
// that lead to where no gateway is.
var strange = []string{
	"", "https://", "https:///prod", "//ws.example.com", "ftp://ws.example.com", "javascript://ws.example.com",
	"https:ws.example.com", "https://user@ws.example.com", "https://user:password@ws.example.com",
	"https://ws.example.com@169.254.169.254/", "https://ws.example.com\\@169.254.169.254", "https://@ws.example.com",
	"https://ws.example.com?x", "https://ws.example.com/?", "https://ws.example.com#x", "https://ws.example.com/#@evil.example",
	"https://ws.example.com:0", "https://ws.example.com:", "https://ws.example.com:65536", "https://ws.example.com:-1",
	"https://ws.example.com:+443", "https://ws.example.com:443:443", "https://ws.example.com:https",
	"https://ws example.com", "https://ws.example.com/a b", "https://ws.example.com/\n", "https://ws.exämple.com",
	"https://ws%2eexample.com", "https://ws..example.com", "https://.example.com", "https://ws.example.com..",
	"https://-ws.example.com", "https://ws-.example.com", "https://" + strings.Repeat("a", 64) + ".example.com",
	"https://*.example.com", "https://ws.example.com,evil.example",
	"https://169.254.169.254/latest/meta-data", "http://169.254.169.254", "169.254.169.254", "https://[fe80::1]", "https://[fe80::1%25eth0]",
	"https://[::ffff:169.254.169.254]", "https://[::ffff:a9fe:a9fe]", "https://[fd00:ec2::254]", "https://0.0.0.0", "https://[::]", "https://224.0.0.1",
	"https://2852039166", "https://0xa9fea9fe", "https://0xa9.0xfe.0xa9.0xfe", "https://0251.0376.0251.0376", "https://169.254.43518",
	"https://127.1", "https://127.0.0.1.", "https://01.02.03.04", "https://1.2.3.4.5", "https://256.1.1.1", "https://a.1",
	"https://::1", "https://[::1", "https://[::1]x", "https://[127.0.0.1]", "https://[ws.example.com]",
	"https://ws.example.com/../prod", "https://ws.example.com/a/./b", "https://ws.example.com/%2e%2e/prod", "https://ws.example.com//prod",
	"https://ws.example.com/a%2Fb", "https://ws.example.com/a%5cb", "https://ws.example.com/%zz", "https://ws.example.com/%",
	"https://" + api, "https://" + api + "/", "wss://" + api + "/@connections",
	"https://ws.example.com/" + strings.Repeat("x", 2048),
}

func TestNormalizeRefuses(t *testing.T) {
	for _, in := range strange {
		got, err := apigw.Normalize(in)
		if !errors.Is(err, sumu.ErrInvalid) || got != "" {
			t.Errorf("%s is %q (%v)", in, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "password") {
			t.Errorf("%q tells the password", err)
		}
	}
}

func TestEndpointFromDomain(t *testing.T) {
	for _, tt := range []struct{ domain, stage, mapping, want string }{
		{api, "prod", "", "https://" + api + "/prod"},
		{api, "prod", "chat", "https://" + api + "/prod"},
		{api, "$default", "", "https://" + api + "/$default"},
		{"ABC123.execute-api.us-east-1.amazonaws.com", "prod", "", "https://" + api + "/prod"},
		{"abc.execute-api.cn-north-1.amazonaws.com.cn", "p", "", "https://abc.execute-api.cn-north-1.amazonaws.com.cn/p"},
		{"abc.execute-api.eu-west-1.api.aws", "p", "", "https://abc.execute-api.eu-west-1.api.aws/p"},
		{"ws.example.com", "prod", "", "https://ws.example.com"},
		{"ws.example.com", "prod", "chat", "https://ws.example.com/chat"},
		{"ws.example.com", "prod", "/chat/v1/", "https://ws.example.com/chat/v1"},
		{"abc.execute-api.us-east-1.amazonaws.com.evil.example", "prod", "", "https://abc.execute-api.us-east-1.amazonaws.com.evil.example"},
		{"execute-api.us-east-1.amazonaws.com", "prod", "", "https://execute-api.us-east-1.amazonaws.com"},
		{"", "prod", "", ""},
		{api, "", "", ""},
		{"ws.example.com/x", "prod", "", ""},
		{"user@ws.example.com", "prod", "", ""},
		{"169.254.169.254", "prod", "", ""},
		{api, "..", "", ""},
		{api, "p?q", "", ""},
	} {
		got, err := apigw.EndpointFromMapping(tt.domain, tt.stage, tt.mapping)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%+v: got %q (%v)", tt, got, err)
		}
		if tt.mapping != "" {
			continue
		}
		if plain, _ := apigw.EndpointFromDomain(tt.domain, tt.stage); plain != got {
			t.Errorf("%+v: EndpointFromDomain is %q", tt, plain)
		}
	}
}

// What is normalised is allowed by its own host alone, is what net/url reads,
// and does not change any more.
func FuzzEndpoint(f *testing.F) {
	for _, s := range strange {
		f.Add(s)
	}
	f.Add("wss://ws.example.com:8443/chat/@connections")
	f.Fuzz(func(t *testing.T, in string) { checkEndpoint(t, in) })
}
