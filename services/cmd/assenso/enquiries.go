package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/inquiry"
)

func (a *app) whatIfCommand() *cobra.Command {
	var q gateway.WhatIfRequest
	var pack string
	cmd := &cobra.Command{
		Use:   "whatif --pack DRAFT.yaml --campaign K",
		Short: "Replay past calls under a draft of the rules and show what changes",
		Long: `Ask a running assenso to replay the past attempts of a campaign under a draft of rule
parameters, and to tell which verdicts at the gate and which findings change, by rule and by
attempt. Nothing is recorded.

A draft is a file in the form of schemas/packs/it/parameters.yaml that names only what is to
change; each named parameter has the draft's dated values instead of the pack's:

  parameters:
    screening.phone_days:
      - {value: 7, tag: U, source: "a bill: consult the register every week"}`,
		Example: `  assenso whatif --pack draft.yaml --campaign K-A
  assenso whatif --pack draft.yaml --campaign K-A --controller A --from 2026-03-01 --to 2026-04-01 --json`,
		Args: exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if pack == "" || q.Campaign == "" {
				return usage(errors.New("whatif: give --pack FILE and --campaign ID"))
			}
			text, err := os.ReadFile(pack)
			if err != nil {
				return usage(fmt.Errorf("read draft pack: %w", err))
			}
			q.Pack = string(text)
			var answer inquiry.WhatIf
			return a.post(cmd, "/v1/whatif", q, &answer, func(w io.Writer) error { return writeWhatIf(w, &answer) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&pack, "pack", "", "draft `FILE` of rule parameters")
	f.StringVar(&q.Campaign, "campaign", "", "campaign of which the attempts are replayed")
	f.StringVar(&q.Controller, "controller", "", "controller of the campaign, needed when several have one of this id")
	f.StringVar(&q.From, "from", "", "attempts dialled from then on: RFC 3339, or a date in Rome")
	f.StringVar(&q.To, "to", "", "attempts dialled before then: RFC 3339, or a date in Rome")
	f.StringVar(&q.AsOf, "as-of", "", "ledger time of the findings: RFC 3339 or LEDGER_00:12,…; default the latest")
	f.IntVar(&q.Limit, "limit", 100, "how many changed attempts are listed")
	return cmd
}

// post sends in and prints the answer.
func (a *app) post(cmd *cobra.Command, path string, in, out any, text func(w io.Writer) error) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := c.call(cmd.Context(), http.MethodPost, path, in, out); err != nil {
		return err
	}
	return a.print(out, text)
}

func writeWhatIf(w io.Writer, x *inquiry.WhatIf) error {
	fmt.Fprintf(w, "campaign %s of %s as of %s: %d attempts replayed, %d change\n", x.Campaign, x.Controller, x.AsOf, x.Attempts, x.Changed)
	for _, v := range x.Verdicts {
		fmt.Fprintf(w, "  gate %s → %s: %d\n", v.From, v.To, v.Attempts)
	}
	if x.Changed == 0 {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "\nRULE\tREASONS +\tREASONS -\tFINDINGS +\tFINDINGS -")
	for _, r := range x.Rules {
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\n", r.Rule, r.ReasonsAdded, r.ReasonsRemoved, r.FindingsAdded, r.FindingsRemoved)
	}
	fmt.Fprintln(tw, "\nATTEMPT\tDIALLED\tGATE\tREASONS\tFINDINGS")
	for i := range x.List {
		c := &x.List[i]
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", c.Attempt, local(c.DialledAt), arrow(string(c.Before.Verdict), string(c.After.Verdict)),
			difference(c.Before.Reasons, c.After.Reasons), difference(c.Before.Findings, c.After.Findings))
	}
	if x.More {
		fmt.Fprintf(tw, "… and more; raise --limit\n")
	}
	return tw.Flush()
}

func arrow(from, to string) string {
	if from == to {
		return from
	}
	return from + " → " + to
}

// difference writes what is new with + and what is gone with -.
func difference(before, after []string) string {
	var out []string
	mark := func(sign string, in, notIn []string) {
		for _, s := range in {
			if !strings.Contains("\n"+strings.Join(notIn, "\n")+"\n", "\n"+s+"\n") {
				out = append(out, sign+s)
			}
		}
	}
	mark("+", after, before)
	mark("-", before, after)
	if len(out) == 0 {
		return "="
	}
	return strings.Join(out, ", ")
}

// local writes an instant as the time of Rome.
func local(i events.Instant) string {
	if i == 0 {
		return "-"
	}
	return i.Time().In(events.Rome).Format(time.DateTime)
}

// reportNumbers writes the numbers behind a report's contact keys as CSV.
func (a *app) reportNumbers(cmd *cobra.Command, campaign string, q gateway.NumbersRequest, out string) error {
	if q.Reason == "" {
		return usage(errors.New("report --numbers: give --reason: it is recorded who saw the numbers and why"))
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	var answer gateway.ReportNumbers
	if err := c.call(cmd.Context(), http.MethodPost, "/v1/campaigns/"+url.PathEscape(campaign)+"/report:numbers", q, &answer); err != nil {
		return err
	}
	var table strings.Builder
	table.WriteString("contact,number\r\n")
	for _, n := range answer.Numbers {
		fmt.Fprintf(&table, "%s,%s\r\n", n.Contact, n.Number)
	}
	fmt.Fprintf(a.err, "recorded as %s; %d numbers, %d forgotten\n", answer.Exercised.ID, len(answer.Numbers), answer.Forgotten)
	return writeOut(a.out, out, strings.NewReader(table.String()))
}

func (a *app) contractCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "contract", Short: "Ask about contracts",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var controller, asOf string
	origin := &cobra.Command{
		Use:   "origin CONTRACT",
		Short: "Follow a contract to the consent behind it; exits with 1 when its commission must not be paid",
		Long: `Ask a running assenso where a contract comes from: the chain contract, call, operator,
campaign, list, consent. The first missing link is named, and whether the commission must not
be paid (rules IT-CDC-10 and IT-ENE-02). Exits with 1 when it must not.`,
		Example: "  assenso contract origin C-1001\n  assenso contract origin C-1001 --controller A --json",
		Args:    exactly(1, "one contract id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var o inquiry.Origin
			path := "/v1/contracts/" + url.PathEscape(args[0]) + "/origin" + query("controller", controller, "as_of", asOf)
			if err := a.ask(cmd, path, &o, func(w io.Writer) error { return writeOrigin(w, &o) }); err != nil {
				return err
			}
			if o.Withhold {
				return &exitError{code: 1}
			}
			return nil
		},
	}
	f := origin.Flags()
	f.StringVar(&controller, "controller", "", "controller of the contract, needed when several have one of this id")
	f.StringVar(&asOf, "as-of", "", "recorded by then: RFC 3339 or LEDGER_00:12,…; default the latest")
	cmd.AddCommand(origin)
	return cmd
}

func writeOrigin(w io.Writer, o *inquiry.Origin) error {
	fmt.Fprintf(w, "contract %s of %s, contact %s, as of %s\n", o.Contract, o.Controller, o.Contact, o.AsOf)
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, l := range o.Chain {
		mark := "missing"
		if l.Found {
			mark = "found"
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\t%s\t%s\n", l.Link, mark, orDash(l.ID), local(l.At), l.Says)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if o.Missing != "" {
		fmt.Fprintf(w, "missing link: %s\n", o.Missing)
	}
	for _, f := range o.Findings {
		fmt.Fprintf(w, "  %s %s %s (%s)\n", f.Kind, f.Severity, f.Rule, f.Clause)
	}
	switch {
	case o.Withhold && len(o.Paid) > 0:
		fmt.Fprintf(w, "The commission must not be paid; it was paid to %s.\n", strings.Join(o.Paid, ", "))
	case o.Withhold:
		fmt.Fprintln(w, "The commission must not be paid.")
	default:
		fmt.Fprintln(w, "Nothing forbids the commission.")
	}
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (a *app) caseCommand() *cobra.Command {
	var q gateway.CaseRequest
	cmd := &cobra.Command{
		Use:   "case --number NUMBER|-",
		Short: "Open the case file of a complaint: who called this number, and what was known",
		Long: `Ask a running assenso for every recorded attempt to a number around the claimed time, by any
controller: what the gate said, what was known, what rules were broken. When no attempt
presented the claimed caller number: who declared it, or that nobody did.

The number travels in the body of the request; - reads it from standard input.`,
		Example: `  assenso case --number +393401234567 --claimed-at 2026-03-10T11:00:00+01:00 --cli +390844100100
  echo +393401234567 | assenso case --number - --json`,
		Args: exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.Number == "-" {
				line, err := bufio.NewReader(a.in).ReadString('\n')
				if err != nil && !errors.Is(err, io.EOF) {
					return usage(errors.New("case: read the number from standard input: it could not be read"))
				}
				q.Number = strings.TrimSpace(line)
			}
			var c inquiry.Case
			return a.post(cmd, "/v1/cases:open", q, &c, func(w io.Writer) error { return writeCase(w, &c) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.Number, "number", "", "number that was called, E.164 or national with --country; - reads it from standard input")
	f.StringVar(&q.Country, "country", "", "country of a national number, such as IT")
	f.StringVar(&q.Contact, "contact", "", "contact key instead of a number")
	f.StringVar(&q.ClaimedAt, "claimed-at", "", "when the call is said to have been, RFC 3339; default every attempt")
	f.IntVar(&q.Hours, "hours", 12, "how many hours an attempt may lie from --claimed-at")
	f.StringVar(&q.CLI, "cli", "", "caller number that is said to have been shown, E.164")
	f.StringVar(&q.AsOf, "as-of", "", "recorded by then: RFC 3339 or LEDGER_00:12,…; default the latest")
	return cmd
}

func writeCase(w io.Writer, c *inquiry.Case) error {
	fmt.Fprintf(w, "contact %s as of %s\n%s\n", c.Contact, c.AsOf, c.Summary)
	for i := range c.Attempts {
		writeCaseAttempt(w, &c.Attempts[i])
	}
	if c.Others > 0 {
		fmt.Fprintf(w, "\n%d attempts at other times\n", c.Others)
	}
	for _, d := range c.Declared {
		valid := "not valid that day"
		if d.Valid {
			valid = "valid that day"
		}
		fmt.Fprintf(w, "\ncaller number declared by %s from %s to %s: %s\n", d.Holder, d.From, orDash(d.To.String()), valid)
	}
	return nil
}

func writeCaseAttempt(w io.Writer, x *inquiry.CaseAttempt) {
	cli := x.CLI
	if cli == "" {
		cli = "withheld"
	}
	if x.MatchesCLI {
		cli += " (as claimed)"
	}
	fmt.Fprintf(w, "\n%s  %s  %s for %s, campaign %s, from %s: %s\n", local(x.DialledAt), x.Attempt, x.Processor, x.Controller, x.Campaign, cli, x.Disposition)
	if x.Gate == nil {
		fmt.Fprintln(w, "  gate: no answer is recorded")
	} else {
		fmt.Fprintf(w, "  gate: %s at %s", x.Gate.Verdict, local(x.Gate.At))
		for _, r := range x.Gate.Reasons {
			fmt.Fprintf(w, ", %s %s", r.Effect, r.Rule)
		}
		fmt.Fprintln(w)
	}
	basis := string(x.Known.Basis)
	if basis == "" {
		basis = "none"
	}
	fmt.Fprintf(w, "  known: basis %s (declared %s), register %s\n", basis, orDash(string(x.Known.Declared)), orDash(string(x.Known.RegisterStatus)))
	for _, f := range x.Findings {
		fmt.Fprintf(w, "  %s %s %s (%s)\n", f.Kind, f.Severity, f.Rule, f.Clause)
	}
}
