package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/connstore/dynamostore"
)

// minSecret is how many bytes a secret has at least.
const minSecret = 16

// settings are what the environment says; see README.md.
type settings struct {
	listen, endpoint, node string
	nodeHosts              []string
	insecureHTTP           bool
	nodeKeyID, nodeSecret  string
	notifySecret           string
	trustedProxies         []netip.Prefix
	leaseTTL, drain        time.Duration
	sweepEvery             time.Duration
	compress               int

	region                       string
	connectionsTable, stateTable string
	queueURL                     string

	presence, presenceURL string
	grace                 time.Duration
	messagesURL           string
	openChannels          bool
	requireEveryone       bool
	origins               []string
	defaultChannel        string

	jwksURL, issuer           string
	audiences, audienceClaims []string
	grants                    sumu.Grants
}

// readSettings reads variables by lookup, such as [os.LookupEnv]. Its error
// names everything that is missing or wrong, and repeats no value: it may be a
// secret.
func readSettings(lookup func(name string) (value string, ok bool)) (settings, error) {
	e := &environment{lookup: lookup}
	s := settings{
		listen:           e.get("SUMU_LISTEN", "127.0.0.1:8080"),
		endpoint:         e.url("SUMU_ENDPOINT"),
		node:             e.get("SUMU_NODE", "node"),
		nodeHosts:        e.list("SUMU_NODE_HOSTS", true),
		insecureHTTP:     e.bool("SUMU_INSECURE_HTTP"),
		nodeKeyID:        e.required("SUMU_NODE_ACCESS_KEY_ID"),
		nodeSecret:       e.secret("SUMU_NODE_SECRET_ACCESS_KEY"),
		notifySecret:     e.secret("SUMU_NOTIFY_SECRET"),
		leaseTTL:         e.duration("SUMU_LEASE_TTL", 30*time.Second),
		drain:            e.duration("SUMU_DRAIN", 20*time.Second),
		sweepEvery:       e.duration("SUMU_SWEEP", time.Minute),
		compress:         e.bytes("SUMU_COMPRESS"),
		region:           e.required("AWS_REGION"),
		connectionsTable: e.get("SUMU_CONNECTIONS_TABLE", "connections"),
		stateTable:       e.get("SUMU_STATE_TABLE", "state"),
		queueURL:         e.url("SUMU_REQUESTS_QUEUE_URL"),
		presence:         e.get("SUMU_PRESENCE", presenceNotify),
		presenceURL:      e.optionalURL("SUMU_PRESENCE_QUEUE_URL"),
		grace:            e.duration("SUMU_PRESENCE_GRACE", 10*time.Second),
		messagesURL:      e.optionalURL("SUMU_MESSAGES_QUEUE_URL"),
		openChannels:     e.bool("SUMU_OPEN_CHANNELS"),
		requireEveryone:  e.bool("SUMU_REQUIRE_EVERYONE"),
		origins:          e.list("SUMU_ORIGINS", false),
		defaultChannel:   e.get("SUMU_DEFAULT_CHANNEL", ""),
		jwksURL:          e.url("JWT_ISSUER_JWKS_URI"),
		issuer:           e.required("JWT_ISSUER"),
		audiences:        e.list("JWT_AUTHORIZED_AUDIENCES", true),
		audienceClaims:   e.list("JWT_AUDIENCE_CLAIMS", false),
	}
	for _, text := range e.list("SUMU_TRUSTED_PROXIES", false) {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			e.bad("SUMU_TRUSTED_PROXIES", "is not a list of networks such as 10.0.0.0/16")
			break
		}
		s.trustedProxies = append(s.trustedProxies, p)
	}
	if s.grants.UnmarshalText([]byte(e.get("JWT_GRANTS", ""))) != nil {
		e.bad("JWT_GRANTS", `is not a list of grants such as "join,post:room.{claims.org}.*"`)
	}
	switch s.presence {
	case presenceNotify, presenceNone:
	case presenceQueue:
		if e.get("SUMU_PRESENCE_QUEUE_URL", "") == "" {
			e.bad("SUMU_PRESENCE_QUEUE_URL", "is not set; SUMU_PRESENCE=queue needs it")
		}
	default:
		e.bad("SUMU_PRESENCE", "is not notify, queue or none")
	}
	if 0 < s.sweepEvery && s.sweepEvery < time.Second {
		e.bad("SUMU_SWEEP", "is shorter than 1s")
	}
	if u, err := url.Parse(s.endpoint); err == nil && u.Host != "" {
		if u.Scheme == "http" && !s.insecureHTTP && !loopback(u.Hostname()) {
			e.bad("SUMU_ENDPOINT", "is http: posts would cross the network in clear; "+
				"SUMU_INSECURE_HTTP=true allows it on a network of your own")
		}
		// Rows that an earlier process left at this address are found gone here.
		if !slices.Contains(s.nodeHosts, u.Host) {
			s.nodeHosts = append(s.nodeHosts, u.Host)
		}
	}
	return s, errors.Join(e.errs...)
}

// tables names the tables, to New and to CreateTables.
func (s settings) tables(o *dynamostore.Options) {
	o.Connections, o.State = s.connectionsTable, s.stateTable
}

// tokens says which tokens are let in: to New of the authorizer.
func (s settings) tokens(o *authorizer.Options) {
	// What the provider's tokens need, where the URL tells whose they are.
	*o, _ = authorizer.OptionsOf(s.jwksURL, s.audiences...)
	o.Issuer, o.Grants = s.issuer, s.grants
	if s.audienceClaims != nil {
		o.AudienceClaims = s.audienceClaims
	}
}

// nodeCredentials sign what this node asks of the others. They are not AWS's.
func (s settings) nodeCredentials() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: s.nodeKeyID, SecretAccessKey: s.nodeSecret}, nil
	})
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// environment reads variables and collects what is wrong with them.
type environment struct {
	lookup func(name string) (string, bool)
	errs   []error
}

func (e *environment) bad(name, reason string) {
	e.errs = append(e.errs, fmt.Errorf("%s %s", name, reason))
}

func (e *environment) get(name, fallback string) string {
	v, _ := e.lookup(name)
	if v = strings.TrimSpace(v); v == "" {
		return fallback
	}
	return v
}

func (e *environment) required(name string) string {
	v := e.get(name, "")
	if v == "" {
		e.bad(name, "is not set")
	}
	return v
}

func (e *environment) secret(name string) string {
	v := e.required(name)
	if v != "" && len(v) < minSecret {
		e.bad(name, fmt.Sprintf("is shorter than %d bytes", minSecret))
	}
	return v
}

func (e *environment) url(name string) string {
	e.required(name)
	return e.optionalURL(name)
}

func (e *environment) optionalURL(name string) string {
	v := e.get(name, "")
	if u, err := url.Parse(v); v != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		e.bad(name, "is not an http or https URL")
	}
	return v
}

func (e *environment) list(name string, required bool) []string {
	var list []string
	for part := range strings.SplitSeq(e.get(name, ""), ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	if required && len(list) == 0 {
		e.bad(name, "is not set")
	}
	return list
}

func (e *environment) bool(name string) bool {
	b, err := strconv.ParseBool(strings.ToLower(e.get(name, "false")))
	if err != nil {
		e.bad(name, "is neither true nor false")
	}
	return b
}

func (e *environment) bytes(name string) int {
	n, err := strconv.Atoi(e.get(name, "0"))
	if err != nil || n < 0 {
		e.bad(name, "is not a number of bytes such as 1024")
	}
	return n
}

func (e *environment) duration(name string, fallback time.Duration) time.Duration {
	d, err := time.ParseDuration(e.get(name, fallback.String()))
	if err != nil || d <= 0 {
		e.bad(name, `is not a time such as "30s"`)
	}
	return d
}
