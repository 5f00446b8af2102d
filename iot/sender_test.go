package iot_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/iot"
)

// dataPlane is a client of the SDK whose every request answer serves.
func dataPlane(t *testing.T, answer http.HandlerFunc) *iotdataplane.Client {
	t.Helper()
	leak.Check(t)
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return iotdataplane.New(iotdataplane.Options{
		Region: "eu-west-1", BaseEndpoint: &server.URL, HTTPClient: &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(nobody),
	})
}

func annsClient() sumu.Connection { return sumu.Connection{UserID: "ann|1", ID: "ann=7C1" + random} }

func payload(t *testing.T, text string) *sumu.Payload {
	t.Helper()
	p, err := sumu.NewPayload([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPost(t *testing.T) {
	own := "sumu%2Fann%3D7C1%2Fann%3D7C1" + random
	for name, tt := range map[string]struct {
		options func(*iot.SenderOptions)
		want    string
	}{
		"confirmed":   {func(*iot.SenderOptions) {}, "/connections/ann%3D7C1" + random + "/messages?confirmation=true&timeout=5&topic=" + own},
		"patient":     {func(o *iot.SenderOptions) { o.AckTimeout = 15 * time.Second }, "/connections/ann%3D7C1" + random + "/messages?confirmation=true&timeout=15&topic=" + own},
		"unconfirmed": {func(o *iot.SenderOptions) { o.Unconfirmed = true }, "/connections/ann%3D7C1" + random + "/messages?timeout=5&topic=" + own},
		"published":   {func(o *iot.SenderOptions) { o.Publish = true }, "/topics/" + own + "?qos=1"},
	} {
		got, body := "", ""
		s, err := iot.NewSender(dataPlane(t, func(_ http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			got, body = r.Method+" "+r.RequestURI, string(b)
		}), tt.options)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Post(t.Context(), annsClient(), payload(t, `{"x":1}`)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got != "POST "+tt.want || body != `{"x":1}` {
			t.Errorf("%s: got  %s with %s\nwant POST %s", name, got, body, tt.want)
		}
	}
}

func TestDisconnect(t *testing.T) {
	got, status := "", 200
	s, err := iot.NewSender(dataPlane(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Method + " " + r.RequestURI
		if status != 200 {
			w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
			w.WriteHeader(status)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Disconnect(t.Context(), annsClient()); err != nil {
		t.Error(err)
	}
	if want := "DELETE /connections/ann%3D7C1" + random + "?cleanSession=true"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	status = 404
	if err := s.Disconnect(t.Context(), annsClient()); !errors.Is(err, sumu.ErrGone) || !strings.HasPrefix(err.Error(), "disconnect ann=7C1") {
		t.Errorf("got %v", err)
	}
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		status    int
		errorType string
		message   string
		post      error
		publish   error
	}{
		{404, "ResourceNotFoundException", "The target client ID is not connected", sumu.ErrGone, sumu.ErrUnavailable},
		{404, "", "", sumu.ErrUnavailable, sumu.ErrUnavailable},
		{404, "", "<html>not here</html>", sumu.ErrUnavailable, sumu.ErrUnavailable},
		{410, "", "", sumu.ErrInvalid, sumu.ErrInvalid},
		{504, "GatewayTimeoutException", "no PUBACK", sumu.ErrThrottled, sumu.ErrUnavailable},
		{504, "", "<html>", sumu.ErrUnavailable, sumu.ErrUnavailable},
		{429, "ThrottlingException", "", sumu.ErrThrottled, sumu.ErrThrottled},
		{429, "", "<html>", sumu.ErrThrottled, sumu.ErrThrottled},
		{413, "RequestEntityTooLargeException", "", sumu.ErrTooLarge, sumu.ErrTooLarge},
		{403, "ForbiddenException", "not authorized to perform iot:SendDirectMessage", sumu.ErrForbidden, sumu.ErrForbidden},
		{403, "ForbiddenException", "the receiver is not authorized to perform iot:Receive", sumu.ErrInvalid, sumu.ErrForbidden},
		{403, "ExpiredTokenException", "", sumu.ErrUnavailable, sumu.ErrUnavailable},
		{403, "", "<html>", sumu.ErrForbidden, sumu.ErrForbidden},
		{401, "UnauthorizedException", "", sumu.ErrForbidden, sumu.ErrForbidden},
		{400, "InvalidRequestException", "", sumu.ErrInvalid, sumu.ErrInvalid},
		{408, "", "", sumu.ErrUnavailable, sumu.ErrUnavailable},
		{500, "InternalFailureException", "", sumu.ErrUnavailable, sumu.ErrUnavailable},
		{503, "ServiceUnavailableException", "", sumu.ErrUnavailable, sumu.ErrUnavailable},
		{500, "ResourceNotFoundException", "", sumu.ErrUnavailable, sumu.ErrUnavailable},
	} {
		calls := 0
		api := dataPlane(t, func(w http.ResponseWriter, _ *http.Request) {
			calls++
			if tt.errorType != "" {
				w.Header().Set("X-Amzn-Errortype", tt.errorType)
			}
			w.WriteHeader(tt.status)
			if strings.HasPrefix(tt.message, "<") {
				_, _ = io.WriteString(w, tt.message)
			} else {
				_, _ = io.WriteString(w, `{"message":"`+tt.message+`"}`)
			}
		})
		for publish, want := range map[bool]error{false: tt.post, true: tt.publish} {
			s, err := iot.NewSender(api, func(o *iot.SenderOptions) { o.Publish = publish })
			if err != nil {
				t.Fatal(err)
			}
			err = s.Post(t.Context(), annsClient(), payload(t, "secret payload"))
			for _, kind := range []error{sumu.ErrGone, sumu.ErrThrottled, sumu.ErrTooLarge, sumu.ErrForbidden, sumu.ErrInvalid, sumu.ErrUnavailable} {
				if errors.Is(err, kind) != (kind == want) {
					t.Errorf("%d %s, publish %v: %v, want %v", tt.status, tt.errorType, publish, err, want)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%v shows the payload", err)
			}
		}
		if calls != 2 {
			t.Errorf("%d %s: %d requests for two posts", tt.status, tt.errorType, calls)
		}
	}
}

func TestNoAnswer(t *testing.T) {
	s, err := iot.NewSender(dataPlane(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Post(t.Context(), annsClient(), payload(t, "x")); !errors.Is(err, sumu.ErrUnavailable) || !sumu.Retryable(err) {
		t.Errorf("got %v", err)
	}
}

// What is no client of a Vendor fails alone, and reaches nobody.
func TestPostToOthers(t *testing.T) {
	s, err := iot.NewSender(dataPlane(t, func(http.ResponseWriter, *http.Request) { t.Error("was posted") }))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []sumu.Connection{
		{UserID: "ann", ID: "R0oXAdfD0kwCH6w="},
		{UserID: "bob", ID: "ann" + random},
		{UserID: "ann", ID: "ann/#" + random},
	} {
		if err := s.Post(t.Context(), c, payload(t, "x")); !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("post to %s: %v", c.ID, err)
		}
		if err := s.Disconnect(t.Context(), c); !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("disconnect %s: %v", c.ID, err)
		}
	}
	if err := s.Post(t.Context(), annsClient(), nil); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("no payload: %v", err)
	}
}

func TestNewSenderRefuses(t *testing.T) {
	_, err := iot.NewSender(nil, func(o *iot.SenderOptions) {
		o.AckTimeout, o.Publish, o.Unconfirmed = 1500*time.Millisecond, true, true
	})
	for _, want := range []string{"data plane", "AckTimeout", "exclude each other"} {
		if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}
