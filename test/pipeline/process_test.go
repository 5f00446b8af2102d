package pipeline

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/pusher"
	"github.com/sumu-live/sumu/pusher/apigw"
)

// concurrency is how many posts of a process are in flight at once.
const concurrency = 8

var errCut = errors.New("the process has no network any more")

// wire is all of a process's network: to the tables, the queue and the nodes.
type wire struct {
	base *http.Transport
	// answers is how many posts are answered; the answers of later ones, which
	// arrive all the same, never come. Negative: all are.
	answers int
	dead    context.Context
	cut     context.CancelFunc
	hung    chan struct{} // one for each post whose answer does not come

	ledger *ledger // nil: none is kept

	mu       sync.Mutex
	answered map[post]int // by the node, and the process knows
	lost     map[post]int // by the node, and the process never knows
}

// post is one notification to one connection.
type post struct{ label, connection string }

func newWire(t *testing.T, answers int) *wire {
	w := &wire{
		base: newTransport(t), answers: answers, hung: make(chan struct{}, 1024),
		answered: make(map[post]int), lost: make(map[post]int),
	}
	w.dead, w.cut = context.WithCancel(context.Background())
	t.Cleanup(w.cut)
	return w
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.dead.Err() != nil {
		return nil, errCut
	}
	if strings.Contains(r.URL.Path, "/@connections/") {
		return w.post(r)
	}
	resp, err := w.base.RoundTrip(r)
	if err == nil && w.dead.Err() != nil {
		_ = resp.Body.Close()
		return nil, errCut
	}
	return resp, err
}

func (w *wire) post(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_ = r.Body.Close()
	p := post{label(body), path.Base(r.URL.Path)}
	w.mu.Lock()
	lose := w.answers == 0
	if w.answers > 0 {
		w.answers--
	}
	w.mu.Unlock()
	ctx := r.Context()
	if w.ledger == nil { // What is begun arrives and is answered, also when the worker's time is over.
		ctx = context.WithoutCancel(ctx)
	}
	out := r.Clone(ctx)
	out.Body = io.NopCloser(bytes.NewReader(body))
	if w.ledger != nil {
		w.ledger.begun.Add(1)
	}
	resp, err := w.base.RoundTrip(out)
	w.book(ctx, p, resp)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	if resp.StatusCode < 300 { // serverless-offline answers 204.
		if lose {
			w.lost[p]++
		} else {
			w.answered[p]++
		}
	}
	w.mu.Unlock()
	if !lose {
		return resp, nil
	}
	_ = resp.Body.Close()
	w.hung <- struct{}{}
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-w.dead.Done():
		return nil, errCut
	}
}

// process is one that polls the queue and pushes.
type process struct {
	*wire
	stop  context.CancelFunc
	ended chan error

	countMu   sync.Mutex
	results   map[string]sumu.Result // counts by ID
	handled   int                    // messages
	outcomes  []error                // of messages that are to come again
	deadCount int
}

// start begins a process. It polls with short times, so that what it leaves
// comes again soon.
func (w *world) start(t *testing.T, answers int, tune tuning) *process {
	t.Helper()
	return w.run(t, newWire(t, answers), tune)
}

// tuning changes a process's options.
type tuning = func(*pusher.Options, *pusher.WorkerOptions, *sqsnotify.PollOptions)

// run begins a process with a network of its own.
func (w *world) run(t *testing.T, network *wire, tune tuning) *process {
	t.Helper()
	p := &process{wire: network, ended: make(chan error, 1), results: make(map[string]sumu.Result)}
	push := pusher.Options{Concurrency: concurrency}
	push.Observer.DeadLetter = func(context.Context, sumu.Notification, error) {
		p.countMu.Lock()
		p.deadCount++
		p.countMu.Unlock()
	}
	work := pusher.WorkerOptions{Lease: 3 * time.Second, Backoff: time.Second}
	poll := sqsnotify.PollOptions{
		Pollers: 2, Wait: time.Second, Visibility: 3 * time.Second, Timeout: 3 * time.Second, Grace: -1, MaxBackoff: time.Second,
	}
	if tune != nil {
		tune(&push, &work, &poll)
	}
	store := w.newStore(t, w.dynamoClient(p.wire, w.roads.dynamo))
	work.Records = store
	queue := w.sqsClient(p.wire, w.roads.fauxqs)

	sender, err := apigw.New(creds, region, func(o *apigw.Options) {
		o.Transport, o.AllowedHosts = p.wire, w.hosts
	})
	if err != nil {
		t.Fatal(err)
	}
	client, err := sqsnotify.New(queue, w.queueURL)
	if err != nil {
		t.Fatal(err)
	}
	pu, err := pusher.New(store, sender, func(o *pusher.Options) { *o = push })
	if err != nil {
		t.Fatal(err)
	}
	worker, err := pusher.NewWorker(pu, client, func(o *pusher.WorkerOptions) { *o = work })
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	go func() {
		p.ended <- sqsnotify.Poll(ctx, queue, w.queueURL, p.handler(worker), func(o *sqsnotify.PollOptions) { *o = poll })
	}()
	t.Cleanup(func() { p.end(t); sender.Close() })
	return p
}

func (p *process) handler(worker *pusher.Worker) sqsnotify.Handler {
	return func(ctx context.Context, batch ...sumu.Delivery) []sumu.Outcome {
		ctx, call := p.open(ctx)
		outcomes := worker.Handle(ctx, batch...)
		p.countMu.Lock()
		defer p.countMu.Unlock()
		for _, o := range outcomes {
			p.settle(call, o)
			if o.Err != nil {
				p.outcomes = append(p.outcomes, o.Err)
			}
			p.handled++
			sum := p.results[o.Result.ID]
			sum.Targets += o.Result.Targets
			sum.Delivered += o.Result.Delivered
			sum.Gone += o.Result.Gone
			sum.Failed += o.Result.Failed
			sum.Requeued += o.Result.Requeued
			p.results[o.Result.ID] = sum
		}
		return outcomes
	}
}

// end stops the process, if it still runs, and waits for its end.
func (p *process) end(t *testing.T) {
	t.Helper()
	p.stop()
	err, running := <-p.ended
	if err != nil {
		t.Errorf("Poll: %v", err)
	}
	if running {
		close(p.ended)
	}
}

// sum returns the counts of one notification over several processes.
func sum(id string, ps ...*process) (total sumu.Result) {
	for _, p := range ps {
		p.countMu.Lock()
		r := p.results[id]
		p.countMu.Unlock()
		total.Targets += r.Targets
		total.Delivered += r.Delivered
		total.Gone += r.Gone
		total.Failed += r.Failed
		total.Requeued += r.Requeued
	}
	return total
}

// posts returns how many posts the nodes have taken.
func (w *wire) posts() (total int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, posts := range []map[post]int{w.answered, w.lost} {
		for _, n := range posts {
			total += n
		}
	}
	return total
}

// refused returns how many messages were handled and are to come again.
func (p *process) refused() int {
	p.countMu.Lock()
	defer p.countMu.Unlock()
	return len(p.outcomes)
}
