package apigw_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/pusher/apigw"
)

// dialled is a transport that notes where requests would go.
type dialled struct{ hosts []string }

func (d *dialled) RoundTrip(r *http.Request) (*http.Response, error) {
	d.hosts = append(d.hosts, r.URL.Scheme+"://"+r.URL.Host)
	if r.Host != r.URL.Host || r.URL.User != nil {
		return nil, errors.New("host header and host differ")
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
}

// dial posts to a connection whose row names endpoint, and returns the host.
func dial(t *testing.T, endpoint string, optFns ...func(*apigw.Options)) (string, error) {
	t.Helper()
	d := &dialled{}
	s := newSender(t, append(optFns, func(o *apigw.Options) { o.Transport = d })...)
	c := conn(testID)
	c.Endpoint = endpoint
	err := s.Post(t.Context(), c, payload(t, testText))
	switch {
	case err == nil && len(d.hosts) == 1:
		return d.hosts[0], nil
	case len(d.hosts) > 0:
		t.Errorf("%s: %v was dialled, with %v", endpoint, d.hosts, err)
	}
	return "", err
}

func checkEndpoint(t *testing.T, in string) {
	t.Helper()
	const own = "https://own.example.com:8443/x"
	host, err := dial(t, in, at(own))
	if err == nil && host != "https://own.example.com:8443" {
		t.Errorf("%q leads to %s", in, host)
	}
	if err != nil && in != "" {
		wantKind(t, err, sumu.ErrInvalid)
	}
	n, err := apigw.Normalize(in)
	if err != nil {
		return
	}
	u, err := url.Parse(n)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" {
		t.Fatalf("%q becomes %q: %v", in, n, err)
	}
	if again, err := apigw.Normalize(n); err != nil || again != n {
		t.Errorf("%q becomes %q, then %q (%v)", in, n, again, err)
	}
	host, err = dial(t, in, at(n), func(o *apigw.Options) { o.InsecureHTTP = true })
	if err != nil || host != u.Scheme+"://"+u.Host {
		t.Errorf("%q leads to %q (%v), want that of %q", in, host, err, n)
	}
}

// A row that names a foreign host fails alone: not as ErrForbidden, which would
// stop the batch, and not as ErrGone, which would prune it.
func TestForeignEndpointsAreNotDialled(t *testing.T) {
	rows := append([]string{
		"https://evil.example", "https://own.example.com.evil.example", "https://evil.example/own.example.com", "https://xown.example.com",
		"https://sub.own.example.com", "https://example.com", "https://own.example.com:444", "https://own.example.com:80", "http://own.example.com",
		"ws://own.example.com:443", "https://10.0.0.1", "https://localhost", "http://localhost", "http://127.0.0.1:6379",
		"http://[::1]:2375", "https://[::ffff:10.0.0.1]", "https://evil123.execute-api.us-east-1.amazonaws.com/prod",
	}, strange[1:]...)
	for _, row := range rows {
		host, err := dial(t, row, at("https://own.example.com/prod"))
		if err == nil {
			t.Errorf("%s leads to %s", row, host)
			continue
		}
		wantKind(t, err, sumu.ErrInvalid)
		if sumu.Retryable(err) {
			t.Errorf("%v is to be tried again", err)
		}
	}
	if _, err := dial(t, ""); kindOf(err) != sumu.ErrInvalid {
		t.Errorf("neither row nor options have an endpoint: %v", err)
	}
}

func TestAllowedHosts(t *testing.T) {
	for _, tt := range []struct {
		allowed  string
		yes, not []string
	}{
		{"Own.Example.com.", []string{"https://own.example.com", "wss://OWN.example.com./x", "own.example.com:443"}, []string{"https://a.own.example.com", "https://own.example.com:8443"}},
		{"own.example.com:8443", []string{"https://own.example.com:8443/x"}, []string{"https://own.example.com"}},
		{"own.example.com:*", []string{"https://own.example.com:8443/x", "https://own.example.com"}, []string{"https://example.com"}},
		{"*.nodes.example.com", []string{"https://a.nodes.example.com", "https://a.b.nodes.example.com"}, []string{"https://nodes.example.com", "https://xnodes.example.com", "https://a.nodes.example.com:81", "https://a.nodes.example.com.evil.example"}},
		{"*.execute-api.us-east-1.amazonaws.com", []string{"https://" + api + "/prod"}, []string{"https://abc123.execute-api.us-east-2.amazonaws.com/prod"}},
		{"10.0.0.7", []string{"https://10.0.0.7", "https://[::ffff:10.0.0.7]"}, []string{"https://10.0.0.8", "https://10.0.0.7:8443"}},
		{"10.0.0.0/16:8443", []string{"https://10.0.255.1:8443"}, []string{"https://10.1.0.1:8443", "https://10.0.0.1", "https://a.10.0.0.1:8443", "https://10.0.0.1.example.com:8443"}},
		{"fd00::/8", []string{"https://[fd12::1]"}, []string{"https://[fe00::1]", "https://[fd12::1]:8443", "https://[fd00:ec2::254]"}},
		{"[fd00::/8]:8443", []string{"https://[fd12::1]:8443"}, []string{"https://[fd12::1]"}},
		{"[fd00::1]:8443", []string{"https://[FD00:0::1]:8443"}, []string{"https://[fd00::2]:8443"}},
		{"fd00::1", []string{"https://[fd00::1]"}, []string{"https://[fd00::1]:1"}},
		{"0.0.0.0/0", []string{"https://192.0.2.1"}, []string{"https://169.254.169.254", "https://0.0.0.0", "https://224.0.0.1", "https://own.example.com"}},
		{"127.0.0.1:*", []string{"http://127.0.0.1:8080", "https://127.0.0.1"}, []string{"http://localhost:8080"}},
	} {
		allow := func(o *apigw.Options) { o.AllowedHosts = []string{"other.example.com", tt.allowed} }
		for _, row := range tt.yes {
			if _, err := dial(t, row, allow); err != nil {
				t.Errorf("%s, allowed by %s: %v", row, tt.allowed, err)
			}
		}
		for _, row := range tt.not {
			if _, err := dial(t, row, allow); kindOf(err) != sumu.ErrInvalid {
				t.Errorf("%s, not allowed by %s: %v", row, tt.allowed, err)
			}
		}
	}
}

func TestPlainHTTP(t *testing.T) {
	allow := func(o *apigw.Options) { o.AllowedHosts = []string{"own.example.com:80", "10.0.0.1:80"} }
	insecure := func(o *apigw.Options) { o.InsecureHTTP = true }
	for _, row := range []string{"http://own.example.com", "ws://10.0.0.1"} {
		if _, err := dial(t, row, allow); kindOf(err) != sumu.ErrInvalid {
			t.Errorf("%s: %v", row, err)
		}
		if host, err := dial(t, row, allow, insecure); err != nil || !strings.HasPrefix(host, "http://") {
			t.Errorf("%s, InsecureHTTP: %s %v", row, host, err)
		}
	}
}

// However many endpoints rows make up, the cache stays small and the answers
// right.
func TestManyEndpoints(t *testing.T) {
	d := &dialled{}
	s := newSender(t, func(o *apigw.Options) {
		o.Transport, o.AllowedHosts = d, []string{"*.nodes.example.com"}
	})
	p := payload(t, testText)
	for i := range 3000 {
		c := conn(testID)
		c.Endpoint = "https://" + strings.Repeat("n", 1+i%60) + "." + strings.Repeat("m", 1+i/60) + ".nodes.example.com"
		if err := s.Post(t.Context(), c, p); err != nil || d.hosts[len(d.hosts)-1] != c.Endpoint {
			t.Fatalf("%s: %v", c.Endpoint, err)
		}
	}
}

// A name that resolves to a link-local address is not connected to.
func TestDialerRefusesLinkLocal(t *testing.T) {
	for address, ok := range map[string]bool{
		"169.254.169.254:80": false, "[fe80::1%lo]:443": false, "[fd00:ec2::254]:80": false, "[::ffff:169.254.169.254]:80": false, "[::ffff:0.0.0.0]:80": false,
		"127.0.0.1:443": true, "10.0.0.1:443": true,
	} {
		if err := apigw.RefuseLinkLocal("tcp", address, nil); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
}
