package channels

import (
	"testing"

	"github.com/sumu-live/sumu/notify"
)

// A connection with several subscriptions that match gets the event once for
// each: what it wants of the payload may differ. A subscription that is made
// twice is one.
func TestSeveralSubscriptions(t *testing.T) {
	everywhere(t, func(t *testing.T, newWorld func(...any) *world) {
		w := newWorld()
		ann := w.connect(t, "ann")
		const ack = `{"type":"ack","action":"subscribe","id":"?"}`
		ann.say(`{"action":"subscribe","subscriptions":[{"event_type":"NESMove","filter_field":"a","filter_expr":"x*","desired_fields":["a"]}]}`, ack)
		ann.say(`{"action":"subscribe","subscriptions":[{"event_type":"NESMove","filter_field":"a","filter_expr":"x*","desired_fields":["a"]},{"event_type":"NESMove","filter_field":"a","filter_expr":"xy"}]}`, ack)
		w.send(t, must(notify.ToEvent("NESMove", raw(`{"a":"xy","b":1}`))), nil)
		got := []string{ann.next(), ann.next()}
		const part, whole = `{"message_type":"NESMove","payload":"{\"a\":\"xy\"}"}`, `{"message_type":"NESMove","payload":"{\"a\":\"xy\",\"b\":1}"}`
		if got[0] != part && got[1] != part || got[0] != whole && got[1] != whole {
			t.Errorf("got %q", got)
		}
		ann.nothing()
	})
}
