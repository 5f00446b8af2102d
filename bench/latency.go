package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/pusher"
)

// roleLatency is a process with a gateway, a client and all between them. Its
// argument is the endpoint of SQS; "": there is none.
const roleLatency = "role-latency"

// How a message gets to the client whose latency is measured.
const (
	viaNotify = "notify" // a backend's Send, the queue in memory, the pusher
	viaDirect = "direct" // Gateway.Post
	viaSQS    = "sqs"    // a backend's Send, a queue of SQS's emulator, a worker
)

var (
	halfOf = in("µs, half of them within", "quicker", "slower")
	mostOf = in("µs, 99 of 100 within", "quicker", "slower")
)

// addLatency measures one message after the other, from the call that sends it
// to its last byte at the client. Nothing else runs: it is what the way takes,
// not what a queue does under load.
func addLatency(ctx context.Context, cfg *config, t *table) (err error) {
	endpoint, ways := "", []string{viaNotify, viaDirect}
	queue, skip := startEmulator(ctx, emulatorSQS)
	if skip == nil {
		defer queue.stop()
		endpoint, ways = queue.endpoint, append(ways, viaSQS)
	} else if err := skipped(t, "latency through SQS", skip); err != nil {
		return err
	}
	c, err := startChild(ctx, roleLatency, endpoint)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	took := make(map[string][]answer)
	for range cfg.rounds {
		for _, via := range ways {
			messages := cfg.posts / 10
			if via == viaSQS { // A thousandth of the others' rate.
				messages = cfg.posts / 40
			}
			a, err := c.call(command{Do: "send", Via: via, Messages: messages})
			if err != nil {
				return err
			}
			took[via] = append(took[via], a)
		}
	}
	add := func(name, via, peer, peerVia string) {
		half, most := row{name: name, peer: peer, scale: halfOf}, row{name: name, peer: peer, scale: mostOf}
		for _, a := range took[via] {
			half.ours, most.ours = append(half.ours, micros(a.Half)), append(most.ours, micros(a.Most))
		}
		for _, a := range took[peerVia] {
			half.theirs, most.theirs = append(half.theirs, micros(a.Half)), append(most.theirs, micros(a.Most))
		}
		t.add(half)
		t.add(most)
	}
	add("latency, notify to socket, in process", viaNotify, "Gateway.Post alone", viaDirect)
	if skip == nil {
		add("latency, notify to socket, through SQS ("+emulatorSQS+")", viaSQS, "in process", viaNotify)
	}
	return nil
}

// latencyUser is the one that is connected.
const latencyUser = "u1"

func runLatency(endpoint string) (err error) {
	s, err := newSumuServer(noPings)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(ln) }() // It ends with the process.
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		return err
	}
	if _, err := io.WriteString(client, request(ln.Addr().String(), 1)); err != nil {
		return err
	}
	const answer101 = 129 // bytes of the response, which is always the same
	if _, err := io.ReadFull(client, make([]byte, answer101)); err != nil {
		return err
	}
	once, err := pusher.New(s.store, s.gateway, func(o *pusher.Options) { o.Tries = 1 })
	if err != nil {
		return err
	}
	local, err := notify.NewLocal(once)
	if err != nil {
		return err
	}
	var conn sumu.Connection
	for c, err := range s.store.All(context.Background(), sumu.Segment{}) {
		if err != nil {
			return err
		}
		conn = c
	}
	send := map[string]func(context.Context, []byte) error{
		viaNotify: func(ctx context.Context, data []byte) error {
			return local.Send(ctx, sumu.Notification{ID: "n", Users: []string{latencyUser}, Data: data})
		},
		viaDirect: func(ctx context.Context, data []byte) error {
			p, err := sumu.NewPayload(data)
			if err != nil {
				return err
			}
			return s.gateway.Post(ctx, conn, p)
		},
	}
	if endpoint != "" {
		if send[viaSQS], err = throughSQS(endpoint, once, s.store); err != nil {
			return err
		}
	}
	return obey(os.Stdin, os.Stdout, func(c command) (answer, error) {
		if c.Do != "send" || send[c.Via] == nil {
			return answer{}, errors.New("no such command")
		}
		if err := client.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			return answer{}, err
		}
		return timeEach(client, c.Messages, send[c.Via])
	})
}

// timeEach sends messages one after the other and returns how long half of them
// and 99 of 100 took at most.
func timeEach(client io.Reader, messages int, send func(context.Context, []byte) error) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	took := make([]time.Duration, messages)
	frame := make([]byte, frameSize)
	for i := range took {
		data := message(i)
		begun := time.Now()
		if err := send(ctx, data); err != nil {
			return answer{}, err
		}
		if _, err := io.ReadFull(client, frame); err != nil {
			return answer{}, err
		}
		took[i] = time.Since(begun)
		if got := frame[frameSize-messageSize:]; string(got) != string(data) {
			return answer{}, fmt.Errorf("received %q", got)
		}
	}
	slices.Sort(took)
	return answer{Half: took[messages/2], Most: took[messages*99/100]}, nil
}
