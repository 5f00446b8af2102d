package pusher

import (
	"context"
	"encoding/json"
	"iter"
	"strings"

	"github.com/sumu-live/sumu"
)

// source is what the connections of a unit, or some of them, are sent, and why.
type source struct {
	payload *sumu.Payload
	// attached: they asked for it, by joining channel or, where that is "", by
	// subscribing to an event.
	attached bool
	channel  string
}

// finding is one connection of a unit.
type finding struct {
	conn    sumu.Connection
	src     *source
	cursor  string // where to go on behind it, where that is not the connection
	refused error  // it cannot be posted to
}

// connections are findings that all are sent the same.
func connections(rows iter.Seq2[sumu.Connection, error], src *source) iter.Seq2[finding, error] {
	return func(yield func(finding, error) bool) {
		for c, err := range rows {
			if !yield(finding{conn: c, src: src}, err) {
				return
			}
		}
	}
}

// members are the findings of a channel.
func (p *Pusher) members(ctx context.Context, n *sumu.Notification, channel, after string) iter.Seq2[finding, error] {
	return func(yield func(finding, error) bool) {
		// Made when it is its turn: a notification to many channels never holds
		// the frames of all.
		payload, err := sumu.NewPayload(p.channelFrame(n, channel))
		if err != nil {
			yield(finding{}, err)
			return
		}
		src := &source{payload: payload, attached: true, channel: channel}
		for m, err := range p.channels.Members(ctx, channel, after) {
			if !yield(finding{conn: m.Connection, src: src, cursor: m.Cursor}, err) {
				return
			}
		}
	}
}

// subscribers are the findings of an event. What is sent is encoded once for
// each distinct set of desired fields, however many share it.
func (p *Pusher) subscribers(ctx context.Context, e *sumu.Event, after string) iter.Seq2[finding, error] {
	return func(yield func(finding, error) bool) {
		reader := sumu.NewEventReader(e)
		forms := forms{reader: reader}
		for s, err := range p.events.Subscribers(ctx, reader, after) {
			f := finding{conn: s.Connection, cursor: s.Cursor}
			if err == nil {
				f.src, f.refused = forms.of(s.Subscription.Fields)
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

const (
	maxForms     = 256     // kept of an event, so that made-up ones
	maxFormBytes = 8 << 20 // cost no memory
)

// forms are the payloads of an event, by the fields that were asked for.
type forms struct {
	reader *sumu.EventReader
	known  map[string]form
	bytes  int
}

type form struct {
	src *source
	err error
}

func (f *forms) of(fields []string) (*source, error) {
	key := strings.Join(fields, "\x00") // No field holds that.
	if known, ok := f.known[key]; ok {
		return known.src, known.err
	}
	if f.known == nil || len(f.known) >= maxForms || f.bytes >= maxFormBytes {
		f.known, f.bytes = make(map[string]form), 0
	}
	payload, err := sumu.NewPayload(eventFrame(f.reader.Event.Type, f.reader.Project(fields)))
	made := form{err: err}
	if err == nil {
		made.src = &source{payload: payload, attached: true}
		f.bytes += len(payload.Bytes())
	}
	f.known[key] = made
	return made.src, made.err
}

// eventFrame is what a subscriber receives; the payload is a string of JSON.
func eventFrame(eventType string, payload json.RawMessage) []byte {
	b := make([]byte, 0, len(payload)+len(payload)/8+len(eventType)+64)
	b = append(b, `{"message_type":`...)
	b = append(b, quoted(eventType)...)
	b = append(b, `,"payload":`...)
	b = append(b, quoted(string(payload))...)
	return append(b, '}')
}

// channelFrame is what the members of a channel receive. Built by hand, because
// encoding/json would rewrite the data.
func (p *Pusher) channelFrame(n *sumu.Notification, channel string) []byte {
	if n.Framed || p.opts.BareChannels {
		return n.Data
	}
	b := make([]byte, 0, len(n.Data)+len(channel)+len(n.From)+len(n.ID)+80)
	b = append(b, `{"type":"message","channel":`...)
	b = append(b, quoted(channel)...)
	if n.From != "" {
		b = append(b, `,"from":`...)
		b = append(b, quoted(n.From)...)
	}
	b = append(b, `,"id":`...)
	b = append(b, quoted(n.ID)...)
	b = append(b, `,"data":`...)
	b = append(b, n.Data...)
	return append(b, '}')
}

// envelope is what others receive with [Options.Envelope].
func envelope(n *sumu.Notification) []byte {
	b := make([]byte, 0, len(n.Data)+len(n.ID)+48)
	b = append(b, `{"type":"notification","id":`...)
	b = append(b, quoted(n.ID)...)
	b = append(b, `,"data":`...)
	b = append(b, n.Data...)
	return append(b, '}')
}

// quoted is a string of JSON, with "<" as it is.
func quoted(s string) []byte {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // A string always encodes.
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

// detach removes what a connection that is gone has joined and subscribed to:
// without that it would be found again with the next message.
func (p *Pusher) detach(ctx context.Context, j *job) error {
	ref := j.conn.Ref()
	gone, err := sumu.ForgetGone(ctx, p.store, ref)
	if err != nil || !gone || j.src.channel == "" {
		return err
	}
	// A join that was cut short may have left a membership that only the
	// channel knows of.
	return p.channels.Leave(ctx, ref, j.src.channel)
}
