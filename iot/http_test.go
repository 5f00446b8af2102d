package iot_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/smithy-go"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/iot"
)

func post(v http.Handler, method string) *http.Response {
	w := httptest.NewRecorder()
	v.ServeHTTP(w, httptest.NewRequest(method, "/connect?authorization=t", nil))
	return w.Result()
}

func TestServeHTTP(t *testing.T) {
	answer := post(newVendor(t, as(sumu.Identity{UserID: "ann"}, nil), new(fakeSTS), func(o *iot.VendorOptions) { o.Keys = true }), http.MethodPost)
	body, _ := io.ReadAll(answer.Body)
	var got map[string]string
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	for name, want := range map[string]string{
		"iotEndpoint": endpoint, "region": "eu-west-1", "accessKey": "ASIAEXAMPLE", "secretKey": "sEcReT", "sessionToken": "tOkEn/+=",
		"channelPrefix": "channels/", "expiresAt": "2026-11-20T13:00:00Z",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if user, ok := iot.UserOf(got["clientId"]); user != "ann" || !ok || got["topic"] != "sumu/ann/"+got["clientId"] {
		t.Errorf("%s", body)
	}
	if answer.StatusCode != 200 || answer.Header.Get("Cache-Control") != "no-store" || answer.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d, %v", answer.StatusCode, answer.Header)
	}
	answer = post(newVendor(t, as(sumu.Identity{UserID: "ann"}, nil), new(fakeSTS)), http.MethodPost)
	body, _ = io.ReadAll(answer.Body)
	if s := string(body); !strings.Contains(s, `"url":"wss://`) || !strings.Contains(s, "&X-Amz-Signature=") || strings.Contains(s, "secretKey") {
		t.Errorf("%s", s)
	}
}

func TestServeHTTPRefuses(t *testing.T) {
	kind := func(kind error) error { return &sumu.Error{Op: "token eyJ", Kind: kind} }
	ann := sumu.Identity{UserID: "ann"}
	for name, tt := range map[string]struct {
		method string
		id     sumu.Identity
		auth   error
		sts    error
		status int
		text   string
	}{
		"GET":             {method: http.MethodGet, id: ann, status: 405, text: `"bad_request"`},
		"no token":        {auth: kind(sumu.ErrUnauthorized), status: 401, text: `"unauthorized"`},
		"not for here":    {auth: kind(sumu.ErrForbidden), status: 403, text: "not allowed to connect"},
		"keys are down":   {auth: kind(sumu.ErrUnavailable), status: 503, text: `"unavailable"`},
		"hostile grant":   {id: sumu.Identity{UserID: "ann", Grants: sumu.Grants{grant("a#", sumu.VerbJoin)}}, status: 403, text: `'#' cannot stand`},
		"long user":       {id: sumu.Identity{UserID: strings.Repeat("u", 102)}, status: 403, text: "101 fit"},
		"STS refuses us":  {id: ann, sts: &smithy.GenericAPIError{Code: "AccessDenied", Message: "arn:secret"}, status: 503, text: "try again"},
		"STS throttles":   {id: ann, sts: &smithy.GenericAPIError{Code: "Throttling"}, status: 429, text: `"rate_limited"`},
		"chained too far": {id: ann, sts: &smithy.GenericAPIError{Code: "ValidationError", Message: "1 hour"}, status: 500, text: "not available"},
		"a bug":           {auth: errors.New("eyJ"), status: 503, text: "try again"},
	} {
		var logged strings.Builder
		api := &fakeSTS{err: tt.sts}
		v := newVendor(t, as(tt.id, tt.auth), api, func(o *iot.VendorOptions) { o.Logger = slog.New(slog.NewTextHandler(&logged, nil)) })
		if tt.method == "" {
			tt.method = http.MethodPost
		}
		answer := post(v, tt.method)
		body, _ := io.ReadAll(answer.Body)
		if s := string(body); answer.StatusCode != tt.status || !strings.Contains(s, tt.text) || strings.Contains(s, "eyJ") || strings.Contains(s, "arn:") {
			t.Errorf("%s: %d %s", name, answer.StatusCode, s)
		}
		if strings.Contains(logged.String(), "eyJ") || tt.method == http.MethodPost && logged.Len() == 0 {
			t.Errorf("%s: logged %s", name, &logged)
		}
		if tt.sts == nil && len(api.asked) > 0 {
			t.Errorf("%s: STS was asked", name)
		}
	}
}

// Whose pages may have credentials is what an App says of connections.
func TestServeHTTPByOrigin(t *testing.T) {
	const own, app, evil = "https://vendor.example.com", "https://app.example.com", "https://evil.example"
	for name, tt := range map[string]struct {
		list   []string
		header map[string]string
		status int
	}{
		"a token, any page":                 {nil, map[string]string{"Origin": evil, "Authorization": "Bearer t"}, 200},
		"no browser":                        {nil, map[string]string{"Cookie": "session=1"}, 200},
		"a cookie, its own page":            {nil, map[string]string{"Origin": own, "Cookie": "session=1"}, 200},
		"a cookie, another page":            {nil, map[string]string{"Origin": evil, "Cookie": "session=1"}, 403},
		"a password, another page":          {nil, map[string]string{"Origin": "null", "Authorization": "Basic YTpi"}, 403},
		"a cookie, a page that is listed":   {[]string{app}, map[string]string{"Origin": app, "Cookie": "session=1"}, 200},
		"a token, a page that is not":       {[]string{app}, map[string]string{"Origin": evil, "Authorization": "Bearer t"}, 403},
		"a token, its own page, not listed": {[]string{app}, map[string]string{"Origin": own}, 403},
	} {
		api := new(fakeSTS)
		v := newVendor(t, as(sumu.Identity{UserID: "ann"}, nil), api, func(o *iot.VendorOptions) { o.Origins = tt.list })
		r := httptest.NewRequest(http.MethodPost, own+"/connect", nil) // https: it has TLS.
		for name, value := range tt.header {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		v.ServeHTTP(w, r)
		if w.Code != tt.status {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if _, err := iot.NewVendor(as(sumu.Identity{}, nil), new(fakeSTS), "arn:aws:iam::123456789012:role/client", endpoint, func(o *iot.VendorOptions) {
		o.Origins = []string{"app.example.com"}
	}); !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), "Origins[0]") {
		t.Errorf("a bad list: %v", err)
	}
}
