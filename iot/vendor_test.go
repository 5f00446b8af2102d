package iot_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/iot"
)

const (
	roleARN  = "arn:aws:iam::123456789012:role/sumu-client"
	endpoint = "a1b2c3-ats.iot.eu-west-1.amazonaws.com"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// fakeSTS keeps what it was asked for.
type fakeSTS struct {
	asked []*sts.AssumeRoleInput
	err   error
	empty bool
}

func (f *fakeSTS) AssumeRole(_ context.Context, in *sts.AssumeRoleInput, _ ...func(*sts.Options)) (*sts.AssumeRoleOutput, error) {
	f.asked = append(f.asked, in)
	if f.err != nil {
		return nil, f.err
	}
	out := &sts.AssumeRoleOutput{Credentials: &types.Credentials{
		AccessKeyId: aws.String("ASIAEXAMPLE"), SecretAccessKey: aws.String("sEcReT"), SessionToken: aws.String("tOkEn/+="),
		Expiration: aws.Time(now.Add(time.Duration(*in.DurationSeconds) * time.Second)),
	}}
	if f.empty {
		out.Credentials.SessionToken = nil
	}
	return out, nil
}

// as is an authorizer that takes everybody for id.
func as(id sumu.Identity, err error) sumu.Authorizer {
	return sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) { return id, err })
}

func newVendor(t *testing.T, auth sumu.Authorizer, api iot.STS, optFns ...func(*iot.VendorOptions)) *iot.Vendor {
	t.Helper()
	v, err := iot.NewVendor(auth, api, roleARN, endpoint, append(optFns, func(o *iot.VendorOptions) {
		o.Now = func() time.Time { return now }
	})...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// allowed is what a session policy allows: the resources of each action.
func allowed(t *testing.T, policy string) map[string][]string {
	t.Helper()
	var p struct {
		Version   string
		Statement []struct {
			Effect, Action string
			Resource       []string
		}
	}
	if err := json.Unmarshal([]byte(policy), &p); err != nil {
		t.Fatalf("policy %s: %v", policy, err)
	}
	if p.Version != "2012-10-17" {
		t.Errorf("version %q", p.Version)
	}
	m := make(map[string][]string)
	for _, s := range p.Statement {
		if s.Effect != "Allow" || len(s.Resource) == 0 || m[s.Action] != nil {
			t.Errorf("statement %+v", s)
		}
		m[s.Action] = s.Resource
	}
	return m
}

func grant(pattern string, verbs ...sumu.Verb) sumu.Grant {
	return sumu.Grant{Pattern: pattern, Verbs: verbs}
}

func TestPolicy(t *testing.T) {
	api := new(fakeSTS)
	id := sumu.Identity{UserID: "auth0|7", Grants: sumu.Grants{
		grant("room.42", sumu.VerbJoin, sumu.VerbPost), grant("news", sumu.VerbJoin), grant("news", sumu.VerbJoin),
		grant("inbox/a,b", sumu.VerbPost), grant("NESClick", sumu.VerbSubscribe), grant("publish", sumu.VerbBackend), grant("", sumu.VerbJoin),
	}}
	c, err := newVendor(t, as(id, nil), api).Vend(t.Context(), &sumu.ConnectRequest{})
	if err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:iot:eu-west-1:123456789012:"
	own := "sumu/auth0=7C7/" + c.ClientID
	want := map[string][]string{
		"iot:Connect":   {arn + "client/" + c.ClientID},
		"iot:Receive":   {arn + "topic/" + own, arn + "topic/channels/room.42", arn + "topic/channels/news"},
		"iot:Subscribe": {arn + "topicfilter/" + own, arn + "topicfilter/channels/room.42", arn + "topicfilter/channels/news"},
		"iot:Publish":   {arn + "topic/channels/room.42", arn + "topic/channels/inbox/a,b"},
	}
	in := api.asked[0]
	if got := allowed(t, *in.Policy); !reflect.DeepEqual(got, want) {
		t.Errorf("policy allows %v, want %v", got, want)
	}
	if *in.RoleArn != roleARN || *in.DurationSeconds != 3600 || *in.RoleSessionName != c.ClientID {
		t.Errorf("asked for %s, %d s, as %s", *in.RoleArn, *in.DurationSeconds, *in.RoleSessionName)
	}
	if c.Topic != own || c.Endpoint != endpoint || c.Region != "eu-west-1" || c.AccessKey+c.SecretKey+c.SessionToken != "" || !c.ExpiresAt.Equal(now.Add(time.Hour)) {
		t.Errorf("credentials are %#v", struct{ iot.Credentials }{c})
	}
	if !strings.HasPrefix(c.URL, "wss://"+endpoint+"/mqtt?") || strings.Contains(c.URL, "sEcReT") {
		t.Errorf("URL is %s", c.URL)
	}
}

// Without an exact grant nothing is allowed beside the client's own.
func TestPolicyOfNobody(t *testing.T) {
	api := new(fakeSTS)
	if _, err := newVendor(t, as(sumu.Identity{UserID: "ann"}, nil), api).Vend(t.Context(), &sumu.ConnectRequest{}); err != nil {
		t.Fatal(err)
	}
	policy := *api.asked[0].Policy
	if got := allowed(t, policy); len(got) != 3 || strings.ContainsAny(policy, "*?$") {
		t.Errorf("policy is %s", policy)
	}
}

func TestHostileGrants(t *testing.T) {
	for _, pattern := range []string{
		"*", "room.*", "room.?", "a${aws:username}", "a$b", "$aws/things", "a+b", "+", "#", "room/#", `a"b`, "a'b", `a\b`, "a{b", "a}b",
		"a<b", "a;b", "a%2A", "ä", "日本", strings.Repeat("s/", 7) + "s", "a*b", "a b", "a\nb",
	} {
		for _, verb := range []sumu.Verb{sumu.VerbJoin, sumu.VerbPost} {
			api := new(fakeSTS)
			id := sumu.Identity{UserID: "ann", Grants: sumu.Grants{grant("ok", sumu.VerbJoin), grant(pattern, verb)}}
			c, err := newVendor(t, as(id, nil), api).Vend(t.Context(), &sumu.ConnectRequest{})
			if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), "grant") || len(api.asked) > 0 || c != (iot.Credentials{}) {
				t.Errorf("%s:%q: %v, %v", verb, pattern, c, err)
			}
		}
	}
	for _, pattern := range []string{strings.Repeat("t", 248), "ok"} {
		grants := sumu.Grants{grant(pattern, sumu.VerbJoin)}
		for i := range 12 {
			grants = append(grants, grant(fmt.Sprint("room.of.some.length.", i), sumu.VerbJoin))
		}
		api := new(fakeSTS)
		_, err := newVendor(t, as(sumu.Identity{UserID: "ann", Grants: grants}, nil), api).Vend(t.Context(), &sumu.ConnectRequest{})
		if !errors.Is(err, sumu.ErrTooLarge) || len(api.asked) > 0 {
			t.Errorf("too much: %v", err)
		}
	}
}

func TestPrefixes(t *testing.T) {
	api := new(fakeSTS)
	id := sumu.Identity{UserID: "ann", Grants: sumu.Grants{grant("room.*", sumu.VerbJoin), grant("*", sumu.VerbPost)}}
	v := newVendor(t, as(id, nil), api, func(o *iot.VendorOptions) { o.Prefixes = true })
	if _, err := v.Vend(t.Context(), &sumu.ConnectRequest{}); err != nil {
		t.Fatal(err)
	}
	got := allowed(t, *api.asked[0].Policy)
	if r := got["iot:Receive"][1]; !strings.HasSuffix(r, ":topic/channels/room.?*") {
		t.Errorf("may receive %s", r)
	}
	if p := got["iot:Publish"]; len(p) != 1 || !strings.HasSuffix(p[0], ":topic/channels/?*") {
		t.Errorf("may publish %s", p)
	}
	id.Grants = sumu.Grants{grant("room.?*", sumu.VerbJoin)}
	if _, err := v.VendTo(t.Context(), id); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestVendDuration(t *testing.T) {
	for left, want := range map[time.Duration]int32{0: 3600, 30 * time.Minute: 1800, 3 * time.Hour: 3600, time.Minute: 900} {
		api, id := new(fakeSTS), sumu.Identity{UserID: "ann"}
		if left > 0 {
			id.ExpiresAt = now.Add(left)
		}
		if _, err := newVendor(t, as(id, nil), api).Vend(t.Context(), &sumu.ConnectRequest{}); err != nil {
			t.Fatal(err)
		}
		if got := *api.asked[0].DurationSeconds; got != want {
			t.Errorf("of a token that lives %v: %d s, want %d", left, got, want)
		}
	}
}

func TestVendRefuses(t *testing.T) {
	secret := "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln"
	records := new(memstore.Store)
	if err := sumu.Revoke(t.Context(), records, "ann", now, 10_000*time.Hour); err != nil {
		t.Fatal(err)
	}
	refused := func(kind error) error { return &sumu.Error{Op: "token", Kind: kind} }
	stsErr := func(code string) error { return &smithy.GenericAPIError{Code: code, Message: "no"} }
	for name, tt := range map[string]struct {
		id   sumu.Identity
		auth error
		sts  fakeSTS
		want error
	}{
		"no token":          {auth: refused(sumu.ErrUnauthorized), want: sumu.ErrUnauthorized},
		"other audience":    {auth: refused(sumu.ErrForbidden), want: sumu.ErrForbidden},
		"expired":           {id: sumu.Identity{UserID: "bob", IssuedAt: now, ExpiresAt: now}, want: sumu.ErrUnauthorized},
		"revoked":           {id: sumu.Identity{UserID: "ann", IssuedAt: now.Add(-time.Second)}, want: sumu.ErrUnauthorized},
		"no user":           {id: sumu.Identity{IssuedAt: now}, want: sumu.ErrUnauthorized},
		"long user":         {id: sumu.Identity{UserID: strings.Repeat("u", 102), IssuedAt: now}, want: sumu.ErrTooLarge},
		"STS refuses us":    {sts: fakeSTS{err: stsErr("AccessDenied")}, want: sumu.ErrUnavailable},
		"our token expired": {sts: fakeSTS{err: stsErr("ExpiredTokenException")}, want: sumu.ErrUnavailable},
		"STS throttles":     {sts: fakeSTS{err: stsErr("Throttling")}, want: sumu.ErrThrottled},
		"packed too large":  {sts: fakeSTS{err: stsErr("PackedPolicyTooLarge")}, want: sumu.ErrTooLarge},
		"chained too long":  {sts: fakeSTS{err: stsErr("ValidationError")}, want: sumu.ErrInvalid},
		"no answer":         {sts: fakeSTS{err: errors.New("connection reset")}, want: sumu.ErrUnavailable},
		"half an answer":    {sts: fakeSTS{empty: true}, want: sumu.ErrUnavailable},
	} {
		if tt.id.UserID == "" && tt.id.IssuedAt.IsZero() {
			tt.id = sumu.Identity{UserID: "bob", IssuedAt: now}
		}
		v := newVendor(t, as(tt.id, tt.auth), &tt.sts, func(o *iot.VendorOptions) { o.Revocations = records })
		c, err := v.Vend(t.Context(), &sumu.ConnectRequest{Query: map[string][]string{"authorization": {secret}}})
		if !errors.Is(err, tt.want) || c != (iot.Credentials{}) || strings.Contains(fmt.Sprint(err), secret) {
			t.Errorf("%s: %v, %v", name, c, err)
		}
		if tt.sts.err == nil && !tt.sts.empty && len(tt.sts.asked) > 0 {
			t.Errorf("%s: STS was asked", name)
		}
		if errors.Is(err, sumu.ErrForbidden) && tt.auth == nil {
			t.Errorf("%s: %v blames the client", name, err)
		}
	}
}

func TestNewVendorRefuses(t *testing.T) {
	auth, api := as(sumu.Identity{}, nil), new(fakeSTS)
	for want, mutate := range map[string]func(*iot.VendorOptions){
		"Region":                 func(o *iot.VendorOptions) { o.Region = "eu west" },
		"Account":                func(o *iot.VendorOptions) { o.Account = "*" },
		"Duration is 14m59s":     func(o *iot.VendorOptions) { o.Duration = 15*time.Minute - time.Second },
		"in Lambda, gets 1h":     func(o *iot.VendorOptions) { o.Duration = time.Hour + time.Second },
		"12h with Unchained":     func(o *iot.VendorOptions) { o.Duration, o.Unchained = 13*time.Hour, true },
		`ChannelPrefix "a*"`:     func(o *iot.VendorOptions) { o.ChannelPrefix = "a*" },
		`ChannelPrefix is "sum`:  func(o *iot.VendorOptions) { o.ChannelPrefix = "sumu/x/" },
		`ChannelPrefix is "sumu`: func(o *iot.VendorOptions) { o.ChannelPrefix = "sumu" },
	} {
		if _, err := iot.NewVendor(auth, api, roleARN, endpoint, mutate); !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	_, err := iot.NewVendor(nil, nil, "arn:aws:iam::1:role/x*", "")
	for _, want := range []string{"Authorizer", "STS client", "role", "endpoint", "Region"} {
		if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	for _, bad := range []string{"https://" + endpoint, endpoint + "/x", "a*.iot.eu-west-1.amazonaws.com", "ws://iot.example.com", "u@" + endpoint, "a b", endpoint + "?x"} {
		if _, err := iot.NewVendor(auth, api, roleARN, bad, func(o *iot.VendorOptions) { o.Region = "eu-west-1" }); !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("endpoint %q: %v", bad, err)
		}
	}
	for _, good := range []string{"ws://127.0.0.1:8083", "mqtt.example.com", "a1-ats.iot.cn-north-1.amazonaws.com.cn"} {
		if _, err := iot.NewVendor(auth, api, roleARN, good, func(o *iot.VendorOptions) { o.Region = "us-gov-west-1" }); err != nil {
			t.Errorf("endpoint %q: %v", good, err)
		}
	}
	if _, err := iot.NewVendor(auth, api, roleARN, endpoint, func(o *iot.VendorOptions) { o.Duration, o.Unchained = 12*time.Hour, true }); err != nil {
		t.Error(err)
	}
}

func TestCredentialsAreNotShown(t *testing.T) {
	v := newVendor(t, as(sumu.Identity{UserID: "ann"}, nil), new(fakeSTS), func(o *iot.VendorOptions) { o.Keys = true })
	c, err := v.Vend(t.Context(), &sumu.ConnectRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if c.AccessKey != "ASIAEXAMPLE" || c.SecretKey != "sEcReT" || c.SessionToken != "tOkEn/+=" || c.URL != "" {
		t.Errorf("keys are %q, %q, %q, %q", c.AccessKey, c.SecretKey, c.SessionToken, c.URL)
	}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "credentials", c)
	for _, s := range []string{fmt.Sprintf("%v %+v %#v %s %x", c, c, c, c, &c), logged.String()} {
		if strings.Contains(s, "sEcReT") || strings.Contains(s, "tOkEn") || strings.Contains(s, "ASIA") {
			t.Errorf("%s shows a key", s)
		}
	}
}

// An identity that a caller has verified itself is validated all the same: who
// could never be announced gets no credentials.
func TestVendToNobody(t *testing.T) {
	v := newVendor(t, as(sumu.Identity{}, nil), new(fakeSTS))
	for _, user := range []string{"", "an\nn", "an\u202en", "ann ", "an\uffffn", "an\xffn"} {
		if c, err := v.VendTo(t.Context(), sumu.Identity{UserID: user}); !errors.Is(err, sumu.ErrInvalid) || c.ClientID != "" {
			t.Errorf("%q: %+v, %v", user, c, err)
		}
	}
}
