// Command bench measures sumu and its peers on the same work, in one run, and
// prints one table. It needs Linux.
//
//	cd bench && go run .
//	cd bench && go run . -only fanout -sockets 4000
//
// Servers and the clients that read from them are processes of their own: this
// program again, see runRole. What is charged to a server is what the operating
// system says that it took. Ours and the peer take turns, round after round; a
// figure is the median of the rounds, with the lowest and the highest.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// config is what a run does.
type config struct {
	sockets  int           // open at once
	messages int           // in a burst
	rounds   int           // of ours and of the peer
	bursts   int           // in each round; they count as one figure
	singles  int           // broadcasts of one message, the same
	members  int           // of the largest channel
	rush     int           // clients that connect at once
	targets  int           // of a push in process
	posts    int           // of a poster, in each round
	stored   int           // connections in the largest store
	starts   int           // of a function, in each round
	against  string        // the folder of another version, whose functions are measured too; "": none
	pings    time.Duration // between two to a client
	sample   time.Duration // of one operation, repeated for so long
	only     string        // the cases to run; "": all
	profile  string        // where profiles are written; "": nowhere
	smoke    bool
}

// cases are the values of the flag -only, in the order of the table.
var cases = []string{"fanout", "idle", "connect", "pings", "tls", "verify", "push", "post", "channels", "latency", "store", "broadcast", "dynamodb", "presence", "coldstart"}

func (c *config) runs(name string) bool { return c.only == "" || c.only == name }

func main() {
	if code, ok := runRole(os.Args[1:]); ok {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	cfg, err := parse(args)
	if err != nil {
		return err
	}
	before := load()
	var t table
	for _, c := range []struct {
		runs bool
		add  func(context.Context, *config, *table) error
	}{
		{cfg.runs("fanout") || cfg.runs("idle") || cfg.runs("connect"), addSockets},
		{cfg.runs("connect"), addRush},
		{cfg.runs("pings"), addPings},
		{cfg.runs("tls"), addTLS},
		{cfg.runs("verify"), addVerify},
		{cfg.runs("push"), addPush},
		{cfg.runs("post"), addPost},
		{cfg.runs("channels"), addChannels},
		{cfg.runs("latency"), addLatency},
		{cfg.runs("store"), addStore},
		{cfg.runs("broadcast"), addBroadcast},
		{cfg.runs("dynamodb"), addDynamo},
		{cfg.runs("presence"), addPresence},
		{cfg.runs("coldstart"), addColdStart},
	} {
		if !c.runs {
			continue
		}
		if err := c.add(ctx, &cfg, &t); err != nil {
			return err
		}
	}
	if cfg.smoke {
		t.goals = nil // Nothing is shown by figures of so little work.
		fmt.Fprintln(out, "A smoke run: the figures mean nothing.")
	}
	t.print(out)
	_, err = fmt.Fprintf(out, "%s %s/%s, %d cores, %s; %s sockets, messages of %d B, rounds: %d; load average %s before, %s after\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), time.Now().Format(time.DateOnly),
		grouped(int64(cfg.sockets)), messageSize, cfg.rounds, before, load())
	return err
}

func parse(args []string) (config, error) {
	cfg := config{bursts: 4, singles: 20, members: 15_000, rush: 5_000, targets: 10_000, posts: 20_000, stored: 1_000_000, starts: 20, pings: 25 * time.Second, sample: 300 * time.Millisecond}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.IntVar(&cfg.sockets, "sockets", 0, "sockets that are open at once; 0: 15,000, or 4,000 where so many files may not be open")
	fs.IntVar(&cfg.messages, "messages", 40, "messages of a burst")
	fs.IntVar(&cfg.rounds, "rounds", 3, "rounds of ours and of the peer")
	fs.StringVar(&cfg.only, "only", "", "run one case: "+strings.Join(cases, ", "))
	fs.StringVar(&cfg.profile, "profile", "", "write pprof profiles of the servers to this folder, from sessions that count for nothing else")
	fs.StringVar(&cfg.against, "against", "", "the `folder` of another version of this repository, beside whose functions coldstart measures the ones of this")
	fs.BoolVar(&cfg.smoke, "smoke", false, "take seconds, to show that everything works: overrides sockets, messages and rounds")
	if err := fs.Parse(args); err != nil {
		return cfg, err
	}
	if cfg.smoke {
		cfg.sockets, cfg.messages, cfg.rounds = 40, 5, 1
		cfg.bursts, cfg.singles, cfg.members, cfg.rush = 2, 2, 60, 50
		cfg.targets, cfg.posts, cfg.stored, cfg.starts, cfg.pings, cfg.sample = 200, 200, 10_000, 1, time.Second, 2*time.Millisecond
	}
	if cfg.sockets == 0 {
		if cfg.sockets = 15_000; enoughFiles(cfg.sockets) != nil {
			cfg.sockets = 4_000
		}
	}
	switch {
	case fs.NArg() > 0:
		return cfg, fmt.Errorf("unknown argument %q", fs.Arg(0))
	case cfg.sockets < 1 || cfg.messages < 1 || cfg.rounds < 1:
		return cfg, fmt.Errorf("sockets, messages and rounds must be at least 1")
	case cfg.only != "" && !slices.Contains(cases, cfg.only):
		return cfg, fmt.Errorf("no case %q; there are %s", cfg.only, strings.Join(cases, ", "))
	}
	if enoughFiles(cfg.members) != nil {
		cfg.members = 8_000
	}
	if !cfg.runs("channels") {
		return cfg, enoughFiles(cfg.sockets)
	}
	return cfg, enoughFiles(max(cfg.sockets, cfg.members))
}

// enoughFiles spares a run that would end in the middle.
func enoughFiles(sockets int) error {
	const others = 100
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	if uint64(sockets+others) > l.Cur {
		return fmt.Errorf("%d sockets do not fit the limit of %d open files", sockets, l.Cur)
	}
	return nil
}
