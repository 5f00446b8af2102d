package iot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sumu-live/sumu"
)

const (
	// MaxPolicy is the longest session policy that STS takes, in characters
	// (read 2026-11).
	MaxPolicy = 2048

	maxTopic   = 256 // bytes of a topic (read 2026-11)
	maxSlashes = 7   // in a topic (read 2026-11)
)

// statement is one of a policy of IAM.
type statement struct {
	Effect   string
	Action   string
	Resource []string
}

// scope is what one client may do: the ARNs of each action.
type scope struct {
	arn                         string // "arn:aws:iot:eu-west-1:123456789012:"
	receive, subscribe, publish []string
}

// policy returns the session policy of a client: to connect with this very
// client id, to receive on its own topic, to receive and subscribe to the
// channels that it may join, to publish to those that it may post to, and to its
// own topics for backends. Nothing in it stands for more than one name, unless
// prefixes are allowed.
func (v *Vendor) policy(clientID string, grants sumu.Grants) (string, error) {
	own, err := Topic(clientID)
	if err != nil {
		return "", err
	}
	s := scope{arn: v.arn}
	s.join(own)
	for _, g := range grants {
		join, post := slices.Contains(g.Verbs, sumu.VerbJoin), slices.Contains(g.Verbs, sumu.VerbPost)
		if g.Pattern == "" || !join && !post {
			continue // Events and backends are no topics.
		}
		topic, err := v.grantTopic(g.Pattern)
		if err != nil {
			return "", err
		}
		if join {
			s.join(topic)
		}
		if post {
			s.publish = add(s.publish, s.arn+"topic/"+topic)
		}
	}
	if v.opts.Backend {
		for _, topic := range backendTopics(clientID, grants) {
			s.publish = add(s.publish, s.arn+"topic/"+topic)
		}
	}
	statements := []statement{
		{"Allow", "iot:Connect", []string{s.arn + "client/" + clientID}},
		{"Allow", "iot:Receive", s.receive},
		{"Allow", "iot:Subscribe", s.subscribe},
	}
	if len(s.publish) > 0 {
		statements = append(statements, statement{"Allow", "iot:Publish", s.publish})
	}
	return encodePolicy(statements)
}

func encodePolicy(statements []statement) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // Six characters for one, of so few.
	err := enc.Encode(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", statements})
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(b.String())
	if len(text) > MaxPolicy {
		return "", &sumu.Error{
			Op:   fmt.Sprintf("the grants need a session policy of %d characters; STS takes %d", len(text), MaxPolicy),
			Kind: sumu.ErrTooLarge,
		}
	}
	return text, nil
}

func (s *scope) join(topic string) {
	s.receive = add(s.receive, s.arn+"topic/"+topic)
	s.subscribe = add(s.subscribe, s.arn+"topicfilter/"+topic)
}

func add(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// grantTopic returns the topic of a channel, or of all that have a prefix.
func (v *Vendor) grantTopic(pattern string) (string, error) {
	name, prefix := strings.CutSuffix(pattern, "*")
	switch {
	case prefix && !v.opts.Prefixes:
		return "", invalid("grant %q: a \"*\" stands for any topic in a policy; see VendorOptions.Prefixes", pattern)
	case prefix && name == "":
		return v.opts.ChannelPrefix + "?*", nil
	}
	topic, err := channelTopic("grant", v.opts.ChannelPrefix, name)
	if err == nil && prefix {
		// A grant's "*" is for longer names only, a policy's for equal ones too.
		topic += "?*"
	}
	return topic, err
}

// channelTopic returns the topic of a channel; what it is that names it is told in
// errors.
func channelTopic(what, prefix, name string) (string, error) {
	if err := checkName(what, name); err != nil {
		return "", err
	}
	topic := prefix + name
	if len(topic) > maxTopic {
		return "", &sumu.Error{Op: fmt.Sprintf("%s %.40q: its topic has %d bytes; at most %d are allowed", what, name, len(topic), maxTopic), Kind: sumu.ErrTooLarge}
	}
	if strings.Count(topic, "/") > maxSlashes {
		return "", invalid("%s %q: its topic has more than %d slashes", what, name, maxSlashes)
	}
	return topic, nil
}

// checkPrefix returns why channels' topics cannot begin so.
func checkPrefix(prefix string) error {
	if err := checkName("ChannelPrefix", prefix); err != nil {
		return err
	}
	for _, ours := range []string{root, backendRoot} {
		if strings.HasPrefix(prefix, ours) || strings.HasPrefix(ours, prefix) {
			return invalid("ChannelPrefix is %q; %q is where clients' own topics are", prefix, ours)
		}
	}
	return nil
}

const defaultChannelPrefix = "channels/"

// checkName lets through only what means nothing in an ARN, in a policy, in a
// topic and in JSON. It is a list of what is allowed: "*", "?" and "${" widen a
// policy, "+" and "#" a subscription, and "$" begins the topics of AWS.
func checkName(what, name string) error {
	for _, r := range name {
		switch {
		case r < 0x80 && plain(byte(r)):
		case strings.ContainsRune(":=@,/|~", r):
		default:
			return invalid("%s %.100q: %q cannot stand in a topic's ARN", what, name, r)
		}
	}
	if name == "" {
		return invalid("%s is empty", what)
	}
	return nil
}
