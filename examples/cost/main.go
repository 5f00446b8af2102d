// Command cost estimates what a serverless deployment costs in a month, and
// what each part of it has a share in:
//
//	go run ./examples/cost -connections 10000 -messages-per-day 1000000
//
// It needs no account and asks nobody: its prices are in prices.go, each with
// its source and when that was read. What it leaves out: data transfer, logs,
// alarms, and AWS's free tiers.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func run(args []string, out io.Writer) error {
	var u usage
	flags := flag.NewFlagSet("cost", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Float64Var(&u.connections, "connections", 10_000, "`connections` that are open, on average")
	flags.DurationVar(&u.session, "session", time.Hour, "how long a connection stays open, on average; 2h at most")
	flags.Float64Var(&u.messages, "messages-per-day", 1_000_000, "`messages` to clients, in all: one to ten connections counts as ten")
	flags.Float64Var(&u.targets, "targets", 1, "`connections` that a notification reaches, on average")
	flags.Float64Var(&u.clientMessages, "client-messages-per-day", 0, "`messages` from clients, in all")
	flags.Float64Var(&u.size, "size", 1024, "`bytes` of a message")
	flags.DurationVar(&u.ping, "ping", 9*time.Minute, "between two pings of a client; 0: none")
	flags.BoolVar(&u.pong, "pong", false, "pings are answered: action \"ping\" rather than \"keepalive\"")
	flags.BoolVar(&u.presence, "presence", true, "presence is deployed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is not a flag; give numbers as -connections 10000", flags.Arg(0))
	}
	if err := u.validate(); err != nil {
		return err
	}
	return report(out, u)
}

func report(out io.Writer, u usage) error {
	items := bill(u)
	sum := total(items)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "in a month of 730 hours, us-east-1, on demand\tunits\tdollars\tshare\t")
	for _, i := range items {
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.0f %%\t\n", i.name, i.units, i.dollar, share(i.dollar, sum))
	}
	fmt.Fprintf(w, "in all\t\t%.2f\t\t\n", sum)
	if err := w.Flush(); err != nil {
		return err
	}
	chatty := u
	chatty.ping, chatty.pong = 30*time.Second, true
	if more := total(bill(chatty)) - sum; more > 0.005 {
		fmt.Fprintf(out, "\nWith a ping every 30 s that is answered it would be %.2f more.\n", more)
	}
	fmt.Fprintln(out, "\nPrices:")
	for _, p := range prices {
		fmt.Fprintf(out, "  $%g for a million: %s (%s, %s)\n", p.dollar, p.name, p.source, p.read)
	}
	return nil
}

func share(part, sum float64) float64 {
	if sum == 0 {
		return 0
	}
	return 100 * part / sum
}
