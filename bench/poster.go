package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/pusher/apigw"
)

// The arguments of a child of the case "post"; a poster also has its kind.
const (
	roleSink   = "role-sink"
	rolePoster = "role-poster"
)

// runPostRole is the part of runRole that is about the case "post".
func runPostRole(args []string) (err error, ok bool) {
	switch {
	case args[0] == roleSink && len(args) == 1:
		return runSink(), true
	case args[0] == rolePoster && len(args) == 2:
		return runPoster(args[1]), true
	}
	return nil, false
}

// runSink is a server that takes every post whole and answers as API Gateway does.
func runSink() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var taken atomic.Int64
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil || n != postSize || !strings.HasPrefix(r.URL.Path, "/prod/@connections/") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		taken.Add(1)
	})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	err = obey(os.Stdin, os.Stdout, func(c command) (answer, error) {
		switch c.Do {
		case "address":
			return answer{Address: "http://" + ln.Addr().String() + "/prod"}, nil
		case "taken":
			return answer{Count: taken.Load()}, nil
		}
		return answer{}, errors.New("no such command")
	})
	_ = srv.Close()
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// poster posts one payload to many connections.
type poster func(ctx context.Context, connectionID string) error

func runPoster(kind string) error {
	var post poster
	return obey(os.Stdin, os.Stdout, func(c command) (answer, error) {
		if c.Do != "post" {
			return answer{}, errors.New("no such command")
		}
		if post == nil {
			var err error
			if post, err = newPoster(kind, c.Address); err != nil {
				return answer{}, err
			}
		}
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		cpu := cpuUsed()
		err := postAll(post, c.Messages)
		cpu = cpuUsed() - cpu
		runtime.ReadMemStats(&after)
		return answer{
			CPU:    cpu,
			Count:  int64(after.Mallocs - before.Mallocs),
			Memory: int64(after.TotalAlloc - before.TotalAlloc),
		}, err
	})
}

// postAll makes n posts with as many goroutines as posts are to be in flight.
func postAll(post poster, n int) error {
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = fmt.Sprintf("R0oXAdfD0kw%04d=", i)
	}
	var (
		wg     sync.WaitGroup
		begun  atomic.Int64
		mu     sync.Mutex
		failed error
	)
	for range postsInFlight {
		wg.Go(func() {
			for {
				i := begun.Add(1)
				if i > int64(n) {
					return
				}
				if err := post(context.Background(), ids[i%int64(len(ids))]); err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
					return
				}
			}
		})
	}
	wg.Wait()
	return failed
}

// benchCredentials have a session token of the length that those of a role have.
var benchCredentials = aws.Credentials{
	AccessKeyID: "ASIABENCHMARKEXAMPLE", SecretAccessKey: strings.Repeat("s", 40), SessionToken: strings.Repeat("t", 800),
}

func newPoster(kind, endpoint string) (poster, error) {
	provider := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return benchCredentials, nil
	}))
	data := bytes.Repeat([]byte("x"), postSize)
	switch kind {
	case posterSumu:
		return sumuPoster(provider, endpoint, data, 0)
	case posterBounded:
		return boundedPoster(provider, endpoint, data)
	case posterSDK:
		client := apigatewaymanagementapi.New(apigatewaymanagementapi.Options{
			BaseEndpoint: &endpoint, Region: "us-east-1", Credentials: provider,
			HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
				t.MaxIdleConns, t.MaxIdleConnsPerHost = postsInFlight, postsInFlight
			}),
		})
		return func(ctx context.Context, id string) error {
			_, err := client.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: data})
			return err
		}, nil
	case posterUnsigned:
		return unsignedPoster(endpoint, data), nil
	}
	return nil, fmt.Errorf("no poster %q", kind)
}

func sumuPoster(provider aws.CredentialsProvider, endpoint string, data []byte, timeout time.Duration) (poster, error) {
	sender, err := apigw.New(provider, "us-east-1", func(o *apigw.Options) {
		o.Endpoint, o.Timeout = endpoint, timeout
	})
	if err != nil {
		return nil, err
	}
	p, err := sumu.NewPayload(data)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, id string) error {
		return sender.Post(ctx, sumu.Connection{UserID: "ann", ID: id}, p)
	}, nil
}

// boundedPoster posts with one clock, as a worker of a pusher has it: a context
// that can be cancelled and a timer, both used again for the next post.
func boundedPoster(provider aws.CredentialsProvider, endpoint string, data []byte) (poster, error) {
	post, err := sumuPoster(provider, endpoint, data, -1)
	if err != nil {
		return nil, err
	}
	type clock struct {
		ctx   context.Context
		timer *time.Timer
	}
	clocks := make(chan clock, postsInFlight)
	for range postsInFlight {
		ctx, cancel := context.WithCancel(context.Background())
		timer := time.AfterFunc(10*time.Second, cancel)
		timer.Stop()
		clocks <- clock{ctx, timer}
	}
	return func(_ context.Context, id string) error {
		c := <-clocks
		c.timer.Reset(10 * time.Second)
		err := post(c.ctx, id)
		c.timer.Stop()
		clocks <- c
		return err
	}, nil
}

// unsignedPoster is what remains when nothing is signed: net/http as it is
// meant to be used.
func unsignedPoster(endpoint string, data []byte) poster {
	client := &http.Client{Transport: &http.Transport{MaxIdleConns: postsInFlight, MaxIdleConnsPerHost: postsInFlight}}
	return func(ctx context.Context, id string) error {
		url := endpoint + "/@connections/" + strings.ReplaceAll(id, "=", "%3D")
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(data))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/octet-stream")
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close() //nolint:errcheck // Nothing is written to it.
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", resp.StatusCode)
		}
		return nil
	}
}
