package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How a poster posts.
const (
	posterSumu     = "apigw"    // pusher/apigw
	posterBounded  = "bounded"  // the same, whose caller bounds each post as a pusher does
	posterSDK      = "sdk"      // the SDK's apigatewaymanagementapi
	posterUnsigned = "unsigned" // http.Client, without a signature: the floor
)

var (
	perPost    = in("µs CPU/post", "cheaper", "dearer")
	postAllocs = in("allocs/post", "fewer", "more")
	postBytes  = in("B allocated/post", "fewer", "more")
)

const (
	postsInFlight = 64
	postSize      = 256 // bytes
)

// posted is what one poster took in one round, in the poster's process.
type posted struct {
	micros, allocs, bytes float64
}

// addPost compares posts to the @connections API of one server, over HTTP/1.1
// connections that are kept. The server takes everything and is charged to
// nobody.
func addPost(ctx context.Context, cfg *config, t *table) (err error) {
	ctx, cancel := context.WithTimeout(ctx, sessionLimit)
	defer cancel()
	sink, err := startChild(ctx, roleSink)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.stop()) }()
	a, err := sink.call(command{Do: "address"})
	if err != nil {
		return err
	}
	kinds := []string{posterSumu, posterBounded, posterUnsigned, posterSDK}
	posters := make(map[string]*child, len(kinds))
	for _, kind := range kinds {
		p, err := startChild(ctx, rolePoster, kind)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.stop()) }()
		posters[kind] = p
		// Opens the connections, and lets the process grow to its size.
		if _, err := p.call(command{Do: "post", Address: a.Address, Messages: 20 * postsInFlight}); err != nil {
			return err
		}
	}
	took := make(map[string][]posted)
	for range cfg.rounds {
		for _, kind := range kinds {
			r, err := postRound(sink, posters[kind], a.Address, cfg.posts)
			if err != nil {
				return fmt.Errorf("post, %s: %w", kind, err)
			}
			took[kind] = append(took[kind], r)
		}
	}
	addPostRows(t, took)
	return nil
}

// postRound also checks that the server has taken as many posts as were made.
func postRound(sink, poster *child, address string, posts int) (posted, error) {
	before, err := sink.call(command{Do: "taken"})
	if err != nil {
		return posted{}, err
	}
	a, err := poster.call(command{Do: "post", Address: address, Messages: posts})
	if err != nil {
		return posted{}, err
	}
	after, err := sink.call(command{Do: "taken"})
	if err != nil {
		return posted{}, err
	}
	if n := after.Count - before.Count; n != int64(posts) {
		return posted{}, fmt.Errorf("the server has taken %d of %d posts", n, posts)
	}
	n := float64(posts)
	return posted{
		micros: float64(a.CPU) / float64(time.Microsecond) / n,
		allocs: float64(a.Count) / n,
		bytes:  float64(a.Memory) / n,
	}, nil
}

func addPostRows(t *table, took map[string][]posted) {
	name := fmt.Sprintf("post %d B, %d in flight", postSize, postsInFlight)
	cpu := func(p posted) float64 { return p.micros }
	allocs := func(p posted) float64 { return p.allocs }
	figures := func(kind string, of func(posted) float64) (s series) {
		for _, p := range took[kind] {
			s = append(s, of(p))
		}
		return s
	}
	for _, peer := range []struct{ kind, name string }{
		{posterUnsigned, "net/http, unsigned: the floor"},
		{posterSDK, "the SDK's client, pooled"},
	} {
		add := func(name, ours string, sc scale, of func(posted) float64) {
			t.add(row{name: name, peer: peer.name, scale: sc, ours: figures(ours, of), theirs: figures(peer.kind, of)})
		}
		add(name, posterSumu, perPost, cpu)
		add(name+", bounded by the caller", posterBounded, perPost, cpu)
		add(name, posterSumu, postAllocs, allocs)
		add(name, posterSumu, postBytes, func(p posted) float64 { return p.bytes })
	}
	t.note("%s: ours and the SDK's client sign, and send a session token of %d B, which the floor does not", name, len(benchCredentials.SessionToken))
	floor, sdk := figures(posterUnsigned, cpu).median(), figures(posterSDK, cpu).median()
	t.goal("post, 1.2 x the floor", figures(posterSumu, cpu), 1.2*floor, perPost)
	t.goal("post, a quarter of the SDK's client", figures(posterSumu, cpu), sdk/4, perPost)
	t.goal("post, bounded by the caller, a quarter of the SDK's client", figures(posterBounded, cpu), sdk/4, perPost)
	t.goal("post, the floor and 20", figures(posterSumu, allocs), figures(posterUnsigned, allocs).median()+20, postAllocs)
}
