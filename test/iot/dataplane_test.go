package iot

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// refuse answers as the data plane does.
func refuse(w http.ResponseWriter, status int, errorType, message string) {
	w.Header().Set("X-Amzn-Errortype", errorType)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message, "traceId": "t1"})
}

// direct is SendDirectMessage.
func (c *core) direct(w http.ResponseWriter, r *http.Request) {
	topic, query := r.FormValue("topic"), r.URL.Query()
	payload, err := io.ReadAll(r.Body)
	cl := c.client(r.PathValue("id"))
	switch {
	case err != nil:
		refuse(w, http.StatusBadRequest, "InvalidRequestException", "no payload")
		return
	case len(payload) > 128<<10:
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "payload is too large")
		return
	case cl == nil:
		refuse(w, http.StatusNotFound, "ResourceNotFoundException", "The target client ID is not connected")
		return
	case !c.allowed(cl, "iot:Receive", "topic/"+topic):
		refuse(w, http.StatusForbidden, "ForbiddenException", "the receiver's policy does not allow iot:Receive")
		return
	}
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: topic, Payload: payload,
		ProtocolVersion: cl.Properties.ProtocolVersion,
	}
	var acknowledged chan struct{}
	if query.Get("confirmation") == "true" {
		id, err := cl.NextPacketID()
		if err != nil {
			refuse(w, http.StatusTooManyRequests, "ThrottlingException", "too many in flight")
			return
		}
		pk.FixedHeader.Qos, pk.PacketID = 1, uint16(id)
		acknowledged = c.expect(cl, pk.PacketID)
	}
	if err := cl.WritePacket(pk); err != nil {
		refuse(w, http.StatusNotFound, "ResourceNotFoundException", "The target client ID is not connected")
		return
	}
	if acknowledged != nil {
		seconds, _ := strconv.Atoi(query.Get("timeout"))
		select {
		case <-acknowledged:
		case <-time.After(time.Duration(seconds) * time.Second):
			refuse(w, http.StatusGatewayTimeout, "GatewayTimeoutException", "no PUBACK in time")
			return
		case <-r.Context().Done():
			return
		}
	}
	_, _ = io.WriteString(w, `{"message":"OK","traceId":"t1"}`)
}

func ackKey(cl *mqtt.Client, id uint16) string { return fmt.Sprintf("%p %d", cl, id) }

func (c *core) expect(cl *mqtt.Client, id uint16) chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan struct{})
	c.acks[ackKey(cl, id)] = ch
	return ch
}

// OnPacketRead sees the acknowledgements of direct messages.
func (c *core) OnPacketRead(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Type == packets.Puback {
		c.mu.Lock()
		defer c.mu.Unlock()
		key := ackKey(cl, pk.PacketID)
		if ch := c.acks[key]; ch != nil && !c.mute[cl.ID] {
			close(ch)
			delete(c.acks, key)
		}
	}
	return pk, nil
}

// disconnect is DeleteConnection.
func (c *core) disconnect(w http.ResponseWriter, r *http.Request) {
	cl := c.client(r.PathValue("id"))
	if cl == nil {
		refuse(w, http.StatusNotFound, "ResourceNotFoundException", "The target client ID is not connected")
		return
	}
	_ = c.broker.DisconnectClient(cl, packets.ErrAdministrativeAction)
}

// publish is Publish.
func (c *core) publish(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	qos, _ := strconv.Atoi(r.FormValue("qos"))
	if err == nil {
		err = c.broker.Publish(r.PathValue("topic"), payload, false, byte(qos))
	}
	if err != nil {
		refuse(w, http.StatusInternalServerError, "InternalFailureException", "not published")
		return
	}
	_, _ = io.WriteString(w, `{"message":"OK","traceId":"t1"}`)
}
