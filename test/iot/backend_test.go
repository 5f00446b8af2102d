package iot

import "testing"

// A client sends to backends under its own name, and cannot under another's.
func TestToBackend(t *testing.T) {
	w := newWorld(t)
	ann, creds := w.connect(t, "ann")
	bob, bobs := w.connect(t, "bob")
	own := "sumu-backend/ann/" + creds.ClientID
	if !ann.publish(t, own+"/send", `{"action":"buy","user_id":"bob"}`) {
		t.Fatal("ann may not send to backends")
	}
	w.until(t, "the backend to hear of it", func() bool { return len(w.heard) == 1 })
	m := w.heard[0]
	if m.UserID != "ann" || m.ConnectionID != creds.ClientID || m.Source != "apigw.route.send" || string(m.Body) != `{"action":"buy","user_id":"bob"}` {
		t.Errorf("the backend heard %+v", m)
	}
	if bob.publish(t, own+"/send", `"as ann"`) {
		t.Error("bob has sent as ann")
	}
	for _, topic := range []string{own + "/other", "sumu-backend/bob/" + bobs.ClientID + "/send"} {
		again, _ := w.connect(t, "ann")
		if again.publish(t, topic, `"x"`) {
			t.Errorf("ann has published to %s", topic)
		}
	}
	if len(w.heard) != 1 {
		t.Errorf("the backend heard %+v", w.heard)
	}
}
