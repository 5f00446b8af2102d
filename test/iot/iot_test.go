package iot

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/iot"
	"github.com/sumu-live/sumu/notify"
)

// What a client may do is what its grants say, and the broker holds it to that.
func TestScope(t *testing.T) {
	w := newWorld(t)
	ann, creds := w.connect(t, "ann")
	bob, bobs := w.connect(t, "bob")

	for topic, want := range map[string]bool{
		creds.Topic: true, "channels/room.42": true, "channels/news": true,
		bobs.Topic: false, "channels/other": false, "channels/#": false, "channels/+": false, "#": false, "sumu/#": false,
		"sumu/+/+": false, "sumu/ann/#": false, "sumu/bob/+": false, "$SYS/#": false,
		"$aws/events/presence/connected/+": false, "$share/g/channels/room.42": false,
	} {
		if got := ann.subscribe(t, topic); got != want {
			t.Errorf("ann may subscribe to %q: %v", topic, got)
		}
	}
	if !bob.subscribe(t, "channels/room.42") {
		t.Fatal("bob may not join")
	}
	if !ann.publish(t, "channels/room.42", "good morning") {
		t.Fatal("ann may not post")
	}
	if m := bob.receive(t, "good morning"); m.topic != "channels/room.42" {
		t.Errorf("bob got %+v", m)
	}
	if bob.publish(t, "channels/room.42", "I may not") {
		t.Error("bob has posted")
	}
	if ann.publish(t, bobs.Topic, "a forged notification") {
		t.Error("ann has posted to bob's own topic")
	}
}

// Credentials open a connection for their own client id alone.
func TestClientIDIsBound(t *testing.T) {
	w := newWorld(t)
	_, creds, _ := w.vend(t, "ann")
	_, bobs, _ := w.vend(t, "bob")
	for _, id := range []string{bobs.ClientID, "ann-x", "ann", creds.ClientID + "x", "ann-bob" + creds.ClientID[3:], ""} {
		if _, err := dial(t, creds.URL, id); !errors.Is(err, errRefused) {
			t.Errorf("ann as %q: %v", id, err)
		}
	}
	if _, err := dial(t, creds.URL, creds.ClientID); err != nil {
		t.Errorf("ann as herself: %v", err)
	}
}

func TestURLIsSigned(t *testing.T) {
	w := newWorld(t)
	_, creds, _ := w.vend(t, "ann")
	_, others, _ := w.vend(t, "bob")
	_, token, _ := strings.Cut(creds.URL, "&X-Amz-Security-Token=")
	_, othersToken, _ := strings.Cut(others.URL, "&X-Amz-Security-Token=")
	for _, change := range [][2]string{
		{"X-Amz-Expires=300", "X-Amz-Expires=301"},
		{"&X-Amz-Security-Token=" + token, ""},
		{token, othersToken},
		{"X-Amz-Signature=", "X-Amz-Signature=0"},
	} {
		url := strings.Replace(creds.URL, change[0], change[1], 1)
		if url == creds.URL {
			t.Fatalf("the URL has no %q", change[0])
		}
		if _, err := dial(t, url, creds.ClientID); err == nil || !strings.HasPrefix(err.Error(), "403") {
			t.Errorf("with %q: %v", change, err)
		}
	}
	if _, err := dial(t, creds.URL, creds.ClientID); err != nil {
		t.Error(err)
	}
}

func TestNoCredentials(t *testing.T) {
	w := newWorld(t)
	for token, want := range map[string]int{"": http.StatusUnauthorized, "mallory": http.StatusUnauthorized, "eve": http.StatusForbidden} {
		status, creds, message := w.vend(t, token)
		if status != want || creds.URL != "" || message == "" {
			t.Errorf("%q: %d, %q", token, status, message)
		}
	}
	if n := len(w.core.sts.sessions); n != 0 {
		t.Errorf("STS has made %d sessions", n)
	}
}

// notify.Send reaches every device, without a subscription; presence and rows
// follow the clients, whatever order their events come in.
func TestNotify(t *testing.T) {
	w := newWorld(t)
	phone, phones := w.connect(t, "ann")
	laptop, laptops := w.connect(t, "ann")
	bob, _ := w.connect(t, "bob")
	send := func(text string) {
		t.Helper()
		n, err := notify.ToUsers(map[string]string{"text": text}, "ann")
		if err == nil {
			_, err = notify.Send(t.Context(), w.client, n)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	send("hello")
	if m := phone.receive(t, "hello"); m.topic != phones.Topic || m.payload != `{"text":"hello"}` {
		t.Errorf("the phone got %+v", m)
	}
	if m := laptop.receive(t, "hello"); m.topic != laptops.Topic {
		t.Errorf("the laptop got %+v", m)
	}
	w.until(t, "both confirmed", func() bool { return len(w.pushed) == 1 && w.pushed[0].Delivered == 2 })

	_ = phone.conn.Close()
	w.until(t, "the phone's row to go", func() bool { return fmt.Sprint(w.rows("ann")) == fmt.Sprint([]string{laptops.ClientID}) })
	_ = laptop.conn.Close()
	w.until(t, "ann to go", func() bool { return len(w.rows("ann")) == 0 })
	w.until(t, "OFFLINE", func() bool { return w.presenceOf("ann") == "1:ONLINE 2:OFFLINE" })
	w.mu.Lock()
	got := w.presenceOf("bob")
	w.mu.Unlock()
	if got != "1:ONLINE" {
		t.Errorf("bob was seen as %s", got)
	}
	select {
	case m := <-bob.messages:
		t.Errorf("bob got %+v", m)
	default:
	}
}

// presenceOf is what was published of a user. It needs w.mu, which until holds.
func (w *world) presenceOf(user string) string {
	var seen []string
	for _, e := range w.seen {
		if s := fmt.Sprint(e.Version, ":", e.Status); e.UserID == user && (len(seen) == 0 || seen[len(seen)-1] != s) {
			seen = append(seen, s)
		}
	}
	return strings.Join(seen, " ")
}

// A client whose end nobody has told of is pruned when a message is for it.
func TestGoneIsPruned(t *testing.T) {
	w := newWorld(t)
	ann, _ := w.connect(t, "ann")
	w.note(func() { w.deaf = true })
	_ = ann.conn.Close()
	<-ann.ended
	for len(w.core.clientsOf("ann")) > 0 { // The broker is told by its own reader.
		t.Log("the broker has not noticed yet")
		if err := w.post(t, "ann"); errors.Is(err, sumu.ErrGone) {
			break
		}
	}
	n, err := notify.ToUsers("hello", "ann")
	if err == nil {
		_, err = notify.Send(t.Context(), w.client, n)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.until(t, "the row to be pruned", func() bool { return len(w.pushed) > 0 && len(w.rows("ann")) == 0 })
	if r := w.pushed[0]; r.Gone != 1 || r.Delivered != 0 {
		t.Errorf("result is %+v", r)
	}
}

func (w *world) post(t *testing.T, user string) error {
	t.Helper()
	p, err := sumu.NewPayload([]byte(`"x"`))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range w.rows(user) {
		return w.sender.Post(t.Context(), sumu.Connection{UserID: user, ID: id}, p)
	}
	return nil
}

// A client that does not acknowledge is neither gone nor done.
func TestUnacknowledged(t *testing.T) {
	w := newWorld(t)
	ann, creds := w.connect(t, "ann")
	w.core.mu.Lock()
	w.core.mute[creds.ClientID] = true
	w.core.mu.Unlock()
	err := w.post(t, "ann")
	if !errors.Is(err, sumu.ErrThrottled) || !sumu.Retryable(err) {
		t.Errorf("got %v", err)
	}
	ann.receive(t, "x") // It has it all the same.
	if len(w.rows("ann")) != 1 {
		t.Error("its row was removed")
	}
}

// Kick ends the connections of a user; their events remove the rows.
func TestKick(t *testing.T) {
	w := newWorld(t)
	ann, _ := w.connect(t, "ann")
	bob, _ := w.connect(t, "bob")
	closed, err := sumu.Kick(t.Context(), w.store, w.sender, "ann")
	if err != nil || closed != 1 {
		t.Errorf("closed %d, %v", closed, err)
	}
	if m := ann.receive(t, "kicked"); !strings.Contains(m.payload, `"type":"closing"`) {
		t.Errorf("ann was told %s", m.payload)
	}
	<-ann.ended
	w.until(t, "ann's row to go", func() bool { return len(w.rows("ann")) == 0 })
	if err := w.post(t, "bob"); err != nil {
		t.Errorf("bob: %v", err)
	}
	bob.receive(t, "x")
}

// A client that comes back as the same one pushes its older connection out. The
// end of that one is told late, and must not take the row of the new one.
func TestTakeover(t *testing.T) {
	w := newWorld(t)
	status, creds, message := w.vend(t, "ann")
	if status != http.StatusOK {
		t.Fatal(status, message)
	}
	first, err := dial(t, creds.URL, creds.ClientID)
	if err != nil {
		t.Fatal(err)
	}
	second, err := dial(t, creds.URL, creds.ClientID)
	if err != nil {
		t.Fatal(err)
	}
	<-first.ended
	w.until(t, "three events", func() bool { return w.handled >= 3 })
	if ids := w.rows("ann"); len(ids) != 1 || ids[0] != creds.ClientID {
		t.Fatalf("rows are %v", ids)
	}
	if err := w.post(t, "ann"); err != nil {
		t.Fatal(err)
	}
	second.receive(t, "x")
	_ = second.conn.Close()
	w.until(t, "the row to go", func() bool { return len(w.rows("ann")) == 0 })
}

// Where direct messages are not offered, a message is published to the topic
// that the client has subscribed to.
func TestPublished(t *testing.T) {
	w := newWorld(t)
	ann, creds := w.connect(t, "ann")
	if !ann.subscribe(t, creds.Topic) {
		t.Fatal("ann may not subscribe to her own topic")
	}
	sender, err := iot.NewSender(w.plane, func(o *iot.SenderOptions) { o.Publish = true })
	if err != nil {
		t.Fatal(err)
	}
	w.sender = sender
	if err := w.post(t, "ann"); err != nil {
		t.Fatal(err)
	}
	if m := ann.receive(t, "x"); m.topic != creds.Topic {
		t.Errorf("got %+v", m)
	}
}
