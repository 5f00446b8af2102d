package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// What a start shows, in the order of the table.
var coldScales = []scale{
	in("MB", "smaller", "larger"),
	in("MB zipped", "smaller", "larger"),
	in("ms until it asks for an event", "faster", "slower"),
	in("ms CPU until then", "cheaper", "dearer"),
	in("ms until the first answer", "faster", "slower"),
	in("ms CPU until the first answer", "cheaper", "dearer"),
	in("ms for a later event", "faster", "slower"),
}

// coldAnswer is the first of the two scales that connections are in.
const coldAnswer = 4

const coldFloor = "a function that does nothing"

// coldSeries are figures of a function, for each of the scales.
type coldSeries [7]series

// addColdStart starts the Lambda functions, as the build for Lambda makes them,
// again and again, beside one that does nothing: at a Runtime API of ours, which
// adds next to nothing to it, and through the Architect sandbox.
func addColdStart(ctx context.Context, cfg *config, t *table) (err error) {
	dir, err := os.MkdirTemp("", "sumu-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	w, err := newColdWorld(ctx, dir)
	if err != nil {
		return skipped(t, "coldstart", err)
	}
	defer func() { err = errors.Join(err, w.close()) }()
	sources := map[string]string{"now": ""}
	if cfg.against != "" {
		sources["then"] = cfg.against
	}
	built := make(map[string]map[string]lambdaBinary)
	for name, source := range sources {
		if built[name], err = buildLambdas(ctx, filepath.Join(dir, name), source, runtime.GOARCH); err != nil {
			return err
		}
	}
	api, stop, err := newRuntimeAPI()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	for _, name := range coldFunctions {
		var ours, twice, then, floor coldSeries
		for range cfg.rounds {
			for _, turn := range []struct {
				binary lambdaBinary
				env    []string
				of     *coldSeries
				acts   bool
			}{
				{built["now"][name], w.env(name), &ours, true},
				{built["now"][name], w.env(name, certDir), &twice, true},
				{built["now"][coldMinimal], w.env(name), &floor, false},
				{built["then"][name], w.env(name), &then, true},
			} {
				if turn.binary.bootstrap == "" {
					continue
				}
				if err := w.round(ctx, api, name, turn.binary, turn.env, cfg.starts, turn.acts, turn.of); err != nil {
					return fmt.Errorf("coldstart, %s: %w", name, err)
				}
			}
		}
		addColdRows(t, name, coldFloor, &ours, &floor, 0, len(coldScales))
		addColdRows(t, name, "root certificates read twice", &ours, &twice, coldAnswer, coldAnswer+2)
		if cfg.against != "" {
			addColdRows(t, name, "as it was", &ours, &then, 0, len(coldScales))
		}
	}
	t.note("cold start: tables, queues, the issuer and the management API are reached over TLS. Each function has %d starts in a round for each figure, and is killed when the moment has come. SSL_CERT_FILE and SSL_CERT_DIR are given here as the functions set them where they find the bundle of Amazon Linux; \"read twice\" is without SSL_CERT_DIR, with the folders of this machine", cfg.starts)
	return addColdSandbox(ctx, cfg, t, w, built["now"], filepath.Join(dir, "sandbox"))
}

// addColdRows adds the scales of a range.
func addColdRows(t *table, name, peer string, ours, theirs *coldSeries, from, to int) {
	for i := from; i < to; i++ {
		t.add(row{name: "cold start, " + name, peer: peer, scale: coldScales[i], ours: ours[i], theirs: theirs[i]})
	}
}

// round starts a function so many times for each moment that is looked at. A
// figure of the round is the median of its starts. One that acts must do what
// the events ask for.
func (w *coldWorld) round(ctx context.Context, api *runtimeAPI, name string, b lambdaBinary, env []string, starts int, acts bool, into *coldSeries) error {
	before, err := w.effects(ctx, name)
	if err != nil {
		return err
	}
	answered := 0
	var of coldSeries
	for range starts {
		for _, until := range []int{untilAsked, untilAnswered, untilLater} {
			events, wants := make([][]byte, until), make([]string, until)
			for i := range until {
				if events[i], wants[i], err = w.event(ctx, name); err != nil {
					return err
				}
			}
			s, err := api.start(ctx, b.bootstrap, env, until, events...)
			if err != nil {
				return err
			}
			for i, want := range wants {
				if acts && !strings.Contains(string(s.answers[i]), want) {
					return fmt.Errorf("it answers %s", s.answers[i])
				}
			}
			answered += until
			switch until {
			case untilAsked:
				of.add(2, s.wall)
				of.add(3, s.cpu)
			case untilAnswered:
				of.add(4, s.wall)
				of.add(5, s.cpu)
			case untilLater:
				of.add(6, s.later)
			}
		}
	}
	into[0], into[1] = series{float64(b.size) / 1e6}, series{float64(b.zips) / 1e6} // The same in every round.
	for i := 2; i < len(of); i++ {
		into[i] = append(into[i], of[i].median())
	}
	after, err := w.effects(ctx, name)
	if err != nil || !acts || after < 0 {
		return err
	}
	if after-before < answered {
		return fmt.Errorf("of %d events that it answered, it has carried out %d", answered, after-before)
	}
	return nil
}

func (s *coldSeries) add(i int, d time.Duration) { s[i] = append(s[i], millis(d)) }

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
