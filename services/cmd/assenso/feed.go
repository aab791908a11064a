package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/gateway"
)

func (a *app) feedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "feed", Short: "Follow what dialers must stop calling, and see how far they are behind",
		Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.feedFollowCommand(), a.feedLagCommand())
	return cmd
}

// following is one run of feed follow.
type following struct {
	*app
	controller, dialer, processor, from string
	ack, once                           bool

	last     string // id of the last event
	acked    string
	complete bool // a current event was seen
}

func (a *app) feedFollowCommand() *cobra.Command {
	f := &following{app: a}
	cmd := &cobra.Command{
		Use:   "follow",
		Short: "Print what a controller's dialer must not call: what stands, then what comes",
		Long: `Follow the feed as a dialer does, over server-sent events: everything that stands first,
then every change at once. A connection that breaks is taken up where it ended.

With --ack what was printed is acknowledged once a second: the position becomes the dialer's
durable cursor, from which the next run goes on, and suppression.acknowledged is recorded for
every opposition up to there. Only a program that stops calling may do that: the command is
for trying out.`,
		Example: `  assenso feed follow --controller A --dialer try
  assenso feed follow --controller A --dialer try --from 0 --current
  assenso feed follow --controller A --dialer d1 --processor P1 --ack --json`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context()) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.controller, "controller", "", "for whom the dialer calls (needed)")
	fl.StringVar(&f.dialer, "dialer", "", "name of the dialer and its durable cursor (needed)")
	fl.StringVar(&f.processor, "processor", "", "who calls, for suppression.acknowledged; default the controller")
	fl.StringVar(&f.from, "from", "", "last feed `POSITION` that was applied; 0 = begin with what stands; default the cursor")
	fl.BoolVar(&f.ack, "ack", false, "acknowledge what was printed")
	fl.BoolVar(&f.once, "current", false, "end when everything that was said so far is printed")
	return cmd
}

func (f *following) run(ctx context.Context) error {
	if f.controller == "" || f.dialer == "" {
		return usage(errors.New("feed follow: give --controller and --dialer"))
	}
	c, err := f.client()
	if err != nil {
		return err
	}
	c.http = &http.Client{} // a stream has no end
	f.last = f.from
	for first := true; ; first = false {
		err := f.stream(ctx, c)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && f.once && f.complete:
			return f.acknowledge(ctx, c)
		case err != nil && first:
			return err
		}
		fmt.Fprintln(f.err, "the stream ended: following again")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// stream prints one connection's events; nil when the server ended it, or
// everything asked for was printed.
func (f *following) stream(ctx context.Context, c *client) error {
	resp, err := c.do(ctx, http.MethodGet, "/v1/feed"+query("controller", f.controller, "dialer", f.dialer, "from", f.last), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	in := bufio.NewReader(resp.Body)
	var name, id, data string
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil // the connection broke: follow again
		}
		line = strings.TrimSuffix(line, "\n")
		field, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "":
			if name != "" {
				if err := f.event(ctx, c, name, id, data); err != nil {
					return err
				}
			}
			if name, id, data = "", "", ""; f.once && f.complete {
				return nil
			}
		case field == "event":
			name = value
		case field == "id":
			id = value
		case field == "data":
			data = value
		case field == "":
			fmt.Fprintln(f.err, value)
		}
	}
}

// event prints one event.
func (f *following) event(ctx context.Context, c *client, name, id, data string) error {
	if id != "" {
		f.last = id
	}
	if name == "suppression" {
		var m events.FeedMessage
		if err := json.Unmarshal([]byte(data), &m); err != nil {
			return server(fmt.Errorf("read the feed: %w", err))
		}
		return f.print(m, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, sentence(&m))
			return err
		})
	}
	var b events.FeedBeat
	if err := json.Unmarshal([]byte(data), &b); err != nil {
		return server(fmt.Errorf("read the feed: %w", err))
	}
	if name == "current" {
		f.complete = true
		fmt.Fprintf(f.err, "current at position %d: everything recorded before %s is above\n", b.Position, b.At)
	}
	return f.acknowledge(ctx, c)
}

// acknowledge says what was printed, if that is wanted and new.
func (f *following) acknowledge(ctx context.Context, c *client) error {
	if !f.ack || !f.complete || f.last == f.acked || f.last == "" {
		return nil
	}
	n, err := strconv.ParseUint(f.last, 10, 64)
	if err != nil {
		return server(fmt.Errorf("read the feed: the id of an event is no position"))
	}
	in := gateway.FeedAckRequest{Controller: f.controller, Dialer: f.dialer, Processor: f.processor, Position: n}
	if err := c.call(ctx, http.MethodPost, "/v1/feed/acks", in, nil); err != nil {
		return err
	}
	f.acked = f.last
	return nil
}

// sentence says a message to people.
func sentence(m *events.FeedMessage) string {
	whom := "everybody"
	switch {
	case m.Phone != "":
		whom = m.Phone
	case !m.Contact.IsZero():
		whom = "contact " + m.Contact.String()
	case len(m.Lists) > 0:
		whom = "list " + strings.Join(m.Lists, ", ")
	}
	text := fmt.Sprintf("%-6s  %-16s  %-11s", m.Effect, whom, m.Kind)
	if len(m.Purposes) > 0 {
		text += "  for " + join(m.Purposes)
	}
	if len(m.Channels) > 0 {
		text += "  by " + join(m.Channels)
	}
	if !m.Contact.IsZero() && len(m.Lists) > 0 {
		text += "  from list " + strings.Join(m.Lists, ", ")
	}
	return text + fmt.Sprintf("  since %s  (%s %s)", m.At, m.Type, m.Cause.ID)
}

func join[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return strings.Join(out, ", ")
}

func (a *app) feedLagCommand() *cobra.Command {
	return &cobra.Command{
		Use: "lag", Short: "Show each dialer's position, delay behind the feed and slowest revocation of the day",
		Example: "  assenso feed lag --json",
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var lag gateway.FeedLag
			return a.ask(cmd, "/v1/feed/lag", &lag, func(w io.Writer) error { return writeLag(w, lag.Dialers) })
		},
	}
}

func writeLag(w io.Writer, list []gateway.FeedDialer) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "CONTROLLER\tDIALER\tPROCESSOR\tPOSITION\tFEED\tBEHIND\tDELAY\tACKNOWLEDGED\tSLOWEST TODAY")
	for _, d := range list {
		slowest := "-"
		if d.Slowest != nil {
			slowest = fmt.Sprintf("%s (%s %s)", time.Duration(d.Slowest.TookMS)*time.Millisecond, d.Slowest.Kind, d.Slowest.Event.ID)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\t%s\n", d.Controller, d.Dialer, d.Processor, d.Position, d.Feed, d.Behind,
			time.Duration(d.DelayMS)*time.Millisecond, d.AcknowledgedAt, slowest)
	}
	return tw.Flush()
}
