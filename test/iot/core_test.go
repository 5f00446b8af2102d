package iot

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// core stands for an account's AWS IoT Core: the broker behind /mqtt, and the
// data plane behind the other paths.
type core struct {
	mqtt.HookBase
	t      *testing.T
	broker *mqtt.Server
	server *httptest.Server
	sts    *tokenService
	rule   func(event []byte) // what a rule does with lifecycle events
	inbox  func(body []byte)  // and what one does with messages for backends

	mu       sync.Mutex
	versions map[string]int64                // of clients
	acks     map[string]chan struct{}        // of messages, by client and packet
	current  map[string]*mqtt.Client         // connected, by client id
	mute     map[string]bool                 // clients whose acknowledgements are lost
	accepted map[*mqtt.Client]lifecycleEvent // those that are connected
}

// lifecycleEvent is as AWS documents it.
type lifecycleEvent struct {
	ClientID  string `json:"clientId"`
	Timestamp int64  `json:"timestamp"`
	EventType string `json:"eventType"`
	Session   string `json:"sessionIdentifier"`
	Principal string `json:"principalIdentifier"`
	Version   int64  `json:"versionNumber"`
	Initiated *bool  `json:"clientInitiatedDisconnect,omitempty"`
	Reason    string `json:"disconnectReason,omitempty"`
}

func startCore(t *testing.T, sts *tokenService, rule func(event []byte)) *core {
	t.Helper()
	c := &core{
		t: t, sts: sts, rule: rule, versions: make(map[string]int64), acks: make(map[string]chan struct{}),
		current: make(map[string]*mqtt.Client), mute: make(map[string]bool), accepted: make(map[*mqtt.Client]lifecycleEvent),
	}
	c.broker = mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	if err := c.broker.AddHook(c, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.broker.Serve(); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /mqtt", c.upgrade)
	mux.HandleFunc("POST /connections/{id}/messages", c.direct)
	mux.HandleFunc("DELETE /connections/{id}", c.disconnect)
	mux.HandleFunc("POST /topics/{topic}", c.publish)
	c.server = httptest.NewServer(mux)
	t.Cleanup(func() {
		_ = c.broker.Close()
		c.server.CloseClientConnections()
		c.server.Close()
	})
	return c
}

// upgrade opens a connection to whom the query is signed for. The access key
// goes along as the name of the listener.
func (c *core) upgrade(w http.ResponseWriter, r *http.Request) {
	session, err := c.sts.verify(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	upgrader := websocket.Upgrader{Subprotocols: []string{"mqtt"}, CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	_ = c.broker.EstablishConnection(session.accessKey, &stream{Conn: ws.NetConn(), ws: ws})
}

// ID names the hook.
func (c *core) ID() string { return "core" }

// Provides says which events the hook takes.
func (c *core) Provides(b byte) bool {
	switch b {
	case mqtt.OnPublished, mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnSessionEstablished, mqtt.OnDisconnect, mqtt.OnPacketRead:
		return true
	}
	return false
}

// allowed reports whether the client's session policy allows an action.
func (c *core) allowed(cl *mqtt.Client, action, resource string) bool {
	s := c.sts.session(cl.Net.Listener)
	return s != nil && s.allows(action, resource)
}

// OnConnectAuthenticate accepts the client ids that the policy names, and sends
// the event of those that it refuses: rules with a wildcard get them as well.
func (c *core) OnConnectAuthenticate(cl *mqtt.Client, pk packets.Packet) bool {
	id := pk.Connect.ClientIdentifier
	if c.allowed(cl, "iot:Connect", "client/"+id) {
		return true
	}
	c.emit(lifecycleEvent{ClientID: id, Timestamp: time.Now().UnixMilli(), EventType: "connect_failed", Session: cl.Net.Remote})
	return false
}

// OnACLCheck enforces the policy. A read is asked for when a client subscribes
// and when a message is for it; the broker does not tell which, but a filter has
// no message of its own here.
func (c *core) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	if write {
		return c.allowed(cl, "iot:Publish", "topic/"+topic)
	}
	return c.allowed(cl, "iot:Subscribe", "topicfilter/"+topic) && c.allowed(cl, "iot:Receive", "topic/"+topic)
}

// OnPublished does what the rule of examples/iot for backends does.
func (c *core) OnPublished(cl *mqtt.Client, pk packets.Packet) {
	if parts := strings.Split(pk.TopicName, "/"); len(parts) != 4 || parts[0] != "sumu-backend" {
		return
	}
	body, err := json.Marshal(map[string]any{
		"data": pk.Payload, "client_id": cl.ID, "topic": pk.TopicName, "timestamp": time.Now().UnixMilli(), "id": "trace-" + cl.ID,
	})
	if err != nil {
		c.t.Error(err)
		return
	}
	c.inbox(body)
}

// OnSessionEstablished sends the event of a connection.
func (c *core) OnSessionEstablished(cl *mqtt.Client, _ packets.Packet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current[cl.ID] = cl
	e := lifecycleEvent{
		ClientID: cl.ID, Timestamp: time.Now().UnixMilli(), EventType: "connected", Version: c.versions[cl.ID],
		Session: cl.Net.Remote, Principal: roleID + ":" + c.sts.session(cl.Net.Listener).name,
	}
	c.versions[cl.ID]++
	c.accepted[cl] = e
	c.emit(e)
}

// OnDisconnect sends the event of a connection's end, with its version.
func (c *core) OnDisconnect(cl *mqtt.Client, _ error, _ bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.accepted[cl]
	if !ok {
		return // It was never accepted, or has ended already.
	}
	delete(c.accepted, cl)
	if c.current[cl.ID] == cl {
		delete(c.current, cl.ID)
	}
	initiated := false
	e.Timestamp, e.EventType, e.Reason, e.Initiated = time.Now().UnixMilli(), "disconnected", "CONNECTION_LOST", &initiated
	c.emit(e)
}

func (c *core) emit(e lifecycleEvent) {
	event, err := json.Marshal(e)
	if err != nil {
		c.t.Error(err)
		return
	}
	c.rule(event)
}

func (c *core) client(id string) *mqtt.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current[id]
}

// clientsOf are the clients of a user that are connected.
func (c *core) clientsOf(user string) (ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.current {
		if strings.HasPrefix(id, user+"-") {
			ids = append(ids, id)
		}
	}
	return ids
}
