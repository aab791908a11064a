package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/inquiry"
)

// cuts are the flags of the three clocks.
type cuts struct{ at, known, asOf string }

func (c *cuts) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.at, "at", "", "legal time, RFC 3339; default --known-as-of")
	f.StringVar(&c.known, "known-as-of", "", "known to the controller or a processor by then; default --as-of")
	f.StringVar(&c.asOf, "as-of", "", "recorded by then: RFC 3339 or LEDGER_00:12,…; default the latest")
}

func (c *cuts) query() string {
	return query("at", c.at, "known_as_of", c.known, "as_of", c.asOf)
}

func (a *app) contactsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "contacts", Short: "What is known of a contact"}
	var find gateway.FindRequest
	finder := &cobra.Command{
		Use:   "find NUMBER|-",
		Short: "Find a contact by its number; the number travels in the body of the request",
		Example: `  assenso contacts find +393401234567
  echo 3401234567 | assenso contacts find - --country IT --json`,
		Args: exactly(1, "one number, or - to read it from standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			find.Number = args[0]
			return a.findContact(cmd, find)
		},
	}
	finder.Flags().StringVar(&find.Country, "country", "", "country of a national number, such as IT")
	var showCuts, lineCuts cuts
	show := &cobra.Command{
		Use: "show KEY", Short: "Show the state of a contact at any time, as known and recorded at any time",
		Example: "  assenso contacts show 3f0c9a5d1e7744b2a0c6d2f1908b7e55 --as-of 2026-03-05T12:00:00Z",
		Args:    exactly(1, "one contact key"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var c inquiry.Contact
			return a.ask(cmd, "/v1/contacts/"+url.PathEscape(args[0])+showCuts.query(), &c, func(w io.Writer) error { return writeContact(w, c) })
		},
	}
	showCuts.bind(show)
	line := &cobra.Command{
		Use: "timeline KEY", Short: "List the recorded events of a contact",
		Example: "  assenso contacts timeline 3f0c9a5d1e7744b2a0c6d2f1908b7e55",
		Args:    exactly(1, "one contact key"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var t inquiry.Timeline
			return a.ask(cmd, "/v1/contacts/"+url.PathEscape(args[0])+"/timeline"+lineCuts.query(), &t, func(w io.Writer) error { return writeTimeline(w, t) })
		},
	}
	lineCuts.bind(line)
	cmd.AddCommand(finder, show, line)
	return cmd
}

// ask gets a path and prints the answer.
func (a *app) ask(cmd *cobra.Command, path string, out any, text func(io.Writer) error) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := c.call(cmd.Context(), http.MethodGet, path, nil, out); err != nil {
		return err
	}
	return a.print(out, text)
}

func (a *app) findContact(cmd *cobra.Command, find gateway.FindRequest) error {
	if find.Number == "-" {
		line, err := bufio.NewReader(a.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return usage(errors.New("contacts find: read the number from standard input"))
		}
		find.Number = strings.TrimSpace(line)
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	var found inquiry.Contact
	if err := c.call(cmd.Context(), http.MethodPost, "/v1/contacts:find", find, &found); err != nil {
		return err
	}
	return a.print(found, func(w io.Writer) error { return writeContact(w, found) })
}

func writeContact(w io.Writer, c inquiry.Contact) error {
	state, err := json.MarshalIndent(c.State, "", "  ")
	if err != nil {
		return fmt.Errorf("print state: %w", err)
	}
	_, err = fmt.Fprintf(w, "contact %s  line %s\nat %s, known by %s, recorded by %s\n%s\n", c.Contact, c.Line, c.Read.At, c.Read.KnownAsOf, c.Read.AsOf, state)
	return err
}

func writeTimeline(w io.Writer, t inquiry.Timeline) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "TIME\tRECORDED\tTYPE\tCONTROLLER\tID\tCOUNTS\tAT")
	for _, e := range t.Entries {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%v\t%s:%d\n", e.Time, e.Recorded, e.Type, e.Controller, e.ID, e.Counts, e.Stream, e.Sequence)
	}
	return tw.Flush()
}
