package iot

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/logging"
)

// STS is what a [Vendor] needs of an STS client: an [*sts.Client], or one's own.
// It needs the permission sts:AssumeRole on the role.
type STS interface {
	AssumeRole(ctx context.Context, in *sts.AssumeRoleInput, optFns ...func(*sts.Options)) (*sts.AssumeRoleOutput, error)
}

const (
	minDuration   = 900 * time.Second // STS's (read 2026-11)
	chainDuration = time.Hour         // the most for a role that a role assumes (read 2026-11)
	maxDuration   = 12 * time.Hour    // the most that a role can be set to (read 2026-11)
)

// VendorOptions tune a [Vendor]. The zero value of a field is its default.
type VendorOptions struct {
	// Region is that of the endpoint. Default: told by the endpoint's name; a
	// domain of your own does not tell it.
	Region string
	// Account is the 12 digits of the account that the endpoint belongs to.
	// Default: the role's.
	Account string

	// Duration is how long a session lives: clients cannot open a connection
	// with it later. It is cut to the token's own life, but never below 15 min,
	// the least that STS takes. Default 1 h; 15 min to 1 h, or to 12 h with
	// Unchained. The role's own maximum must allow it.
	Duration time.Duration
	// Unchained says that the program's own credentials are not those of a
	// role, and allows a Duration over an hour. A function of Lambda, a task of
	// ECS and an EC2 instance all run as a role: STS refuses them more.
	Unchained bool

	// Keys vends the keys of the session in place of a presigned URL, for
	// clients that sign by themselves: they can connect, as the same client id,
	// until the session ends.
	Keys bool

	// ChannelPrefix comes before a channel's name in its topic; it must be that
	// of the Sender. Default "channels/".
	ChannelPrefix string
	// Backend lets clients publish to backends, as their grants have it
	// ([sumu.VerbBackend]; allowed unless taken away), on
	// "sumu-backend/{user}/{client id}/publish" and …/send. An [Inbox] and its
	// rule must be there: without, what is published is lost. Default: refused.
	Backend bool
	// Prefixes allows grants that end in "*": the policy then allows every topic
	// with that prefix. Only for grants into which no claim is put that a user
	// chooses. Default: such a grant is refused.
	Prefixes bool

	// Origins are those whose pages may have credentials, as in
	// [sumu.AppOptions.Origins]. Pages of the same host are told by Host and TLS of
	// the request: behind a proxy that ends TLS, an authorizer that goes by cookies
	// needs a list.
	Origins []string
	// Revocations is where [sumu.Revoke] writes. Default nil: no token is ever
	// revoked.
	Revocations sumu.StateStore
	// Logger is told why a request over HTTP was refused, without its token: at
	// level Info when it is the client's fault, Error when it is ours. Default:
	// [slog.Default], warnings and errors; slog.New(slog.DiscardHandler) for
	// silence.
	Logger *slog.Logger
	// Now is the clock. Default [time.Now].
	Now func() time.Time
}

// Vendor gives a client with a verified token what it needs to connect to AWS
// IoT Core. It is an [http.Handler], and safe for concurrent use.
type Vendor struct {
	app      *sumu.App // verifies; keeps nothing
	sts      STS
	roleARN  string
	endpoint string // as it was given
	host     string
	arn      string // "arn:aws:iot:eu-west-1:123456789012:"
	opts     VendorOptions
}

var (
	regionForm   = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$`)
	accountForm  = regexp.MustCompile(`^[0-9]{12}$`)
	roleForm     = regexp.MustCompile(`^arn:(aws[a-z-]*):iam::([0-9]{12}):role/[\w+=,.@/-]+$`)
	endpointForm = regexp.MustCompile(`\.iot\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$`)
)

// NewVendor returns a Vendor that vends sessions of a role to whom auth
// accepts. endpoint is the account's data endpoint, such as
// "a1b2c3-ats.iot.eu-west-1.amazonaws.com", or a domain of your own; for tests
// also "ws://127.0.0.1:8083", of this machine alone. ErrInvalid is returned with
// every argument and option that cannot be.
func NewVendor(auth sumu.Authorizer, api STS, roleARN, endpoint string, optFns ...func(*VendorOptions)) (*Vendor, error) {
	var o VendorOptions
	for _, fn := range optFns {
		fn(&o)
	}
	o.Duration = cmp.Or(o.Duration, chainDuration)
	o.ChannelPrefix = cmp.Or(o.ChannelPrefix, defaultChannelPrefix)
	o.Logger = logging.Or(o.Logger)
	if o.Now == nil {
		o.Now = time.Now
	}
	v := &Vendor{sts: api, roleARN: roleARN, endpoint: endpoint}
	var errs []error
	if api == nil {
		errs = append(errs, invalid("an STS client is missing"))
	}
	_, host, err := parseEndpoint(endpoint)
	if err != nil {
		errs = append(errs, err)
	}
	v.host = host
	if told := endpointForm.FindStringSubmatch(host); o.Region == "" && told != nil {
		o.Region = told[1]
	}
	role := roleForm.FindStringSubmatch(roleARN)
	if role == nil {
		errs = append(errs, invalid("the role is not given by its ARN"))
		role = make([]string, 3)
	}
	o.Account = cmp.Or(o.Account, role[2])
	errs = append(errs, o.check(role[2] != ""))
	v.app, err = sumu.NewApp(auth, nowhere{}, func(a *sumu.AppOptions) { a.Origins, a.Revocations, a.Now = o.Origins, o.Revocations, o.Now })
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	v.arn = "arn:" + role[1] + ":iot:" + o.Region + ":" + o.Account + ":"
	v.opts = o
	return v, nil
}

func (o *VendorOptions) check(hasRole bool) error {
	var errs []error
	if !regionForm.MatchString(o.Region) {
		errs = append(errs, invalid("Region is %q; the endpoint does not tell it, or it is no region", o.Region))
	}
	if !accountForm.MatchString(o.Account) && (hasRole || o.Account != "") {
		errs = append(errs, invalid("Account is %q; it must be 12 digits", o.Account))
	}
	switch {
	case o.Duration < minDuration || o.Duration > maxDuration:
		errs = append(errs, invalid("Duration is %v; it must be 15m to 1h, or to 12h with Unchained", o.Duration))
	case o.Duration > chainDuration && !o.Unchained:
		errs = append(errs, invalid("Duration is %v; a role that assumes another, as in Lambda, gets 1h at most (see Unchained)", o.Duration))
	}
	return errors.Join(append(errs, checkPrefix(o.ChannelPrefix))...)
}

// parseEndpoint takes a host, with a port if need be; or ws:// for one of this
// machine, whose tests have no certificate.
func parseEndpoint(endpoint string) (scheme, host string, err error) {
	scheme, host = "wss", endpoint
	if plain, ok := strings.CutPrefix(endpoint, "ws://"); ok {
		scheme, host = "ws", plain
	}
	u, err := url.Parse(scheme + "://" + host)
	if err != nil || u.Host != host || u.Hostname() == "" || strings.ContainsAny(host, "*?#$ %@") {
		return "", "", invalid("the endpoint is no host name such as a1b2c3-ats.iot.eu-west-1.amazonaws.com")
	}
	if ip := net.ParseIP(u.Hostname()); scheme == "ws" && !(ip != nil && ip.IsLoopback()) {
		return "", "", invalid("the endpoint is ws://, which is for a loopback address only")
	}
	return scheme, host, nil
}

// nowhere is the store of an App that only verifies: the row of an IoT client is
// written when it is connected, by a [Lifecycle].
type nowhere struct{ sumu.Store }

// Put keeps nothing.
func (nowhere) Put(context.Context, sumu.Connection) error { return nil }

// Delete has nothing to remove.
func (nowhere) Delete(context.Context, sumu.ConnectionRef) error { return nil }
