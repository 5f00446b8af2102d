package pusher

import (
	"context"
	"encoding/json"
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
	topic    bool // it is for the channel as a whole: see [sumu.ChannelSender]
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
