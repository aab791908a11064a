package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/gateway"
)

func (a *app) decideCommand() *cobra.Command {
	var q gateway.DecisionRequest
	var list listFlags
	cmd := &cobra.Command{
		Use:   "decide --number NUMBER|- | --file LIST --controller C --campaign K",
		Short: "Ask whether a call may be placed, or which numbers of a list may be called; exits with 1 when none may",
		Long: `Ask a running assenso whether one call may be placed now, or at another instant.

Prints the verdict (allow, warn, block), the rule and clause of each reason, and until
when the answer holds. Exits with 0 for allow and warn, with 1 for block.

With --file every number of a list is checked at one instant. The answers are written
beside the rows of the list, which keep their order and columns: CSV (for workbooks too)
gains the columns verdict, reasons, valid_until, register_until, contact and errors, NDJSON
the member decision. The file appears whole or not at all: an interrupted check is run
again. The ledger records one commitment to all answers; assenso verify batch recomputes it.
A list check plans: ask the gate before each call. Exits with 0 when the list was
checked, with 1 when not one of its numbers may be called, with 4 when the server was in
doubt or broke off (nothing was written then).

With --at the list is planned for a later instant; that is no permission. With
--expiring-before the answers of the register that are missing or expire before the date
are counted by their last day, and --submit writes the numbers to submit to the register:
one a line in national format without a header, each once (the form that the register is
assumed to take). Its answer file is imported with: assenso import --as register.`,
		Example: `  assenso decide --number +393401234567 --controller A --campaign K-A --cli +390844100100
  echo +393401234567 | assenso decide --number - --controller A --campaign K-A --processor P1 --json
  assenso decide --contact 3f0c9a5d1e7744b2a0c6d2f1908b7e55 --controller A --campaign K-A --at 2026-03-05T11:00:00+01:00
  assenso decide --file list.csv --controller A --campaign K-A --cli +390844100100 --out answers.csv
  assenso decide --file list.xlsx --controller A --campaign K-A --column Telefono --at 2026-03-06T10:00:00+01:00
  assenso decide --file list.csv --controller A --campaign K-A --expiring-before 2026-03-20 --submit numbers.csv`,
		Args: exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if list.file != "" {
				return a.decideFile(cmd, q, &list)
			}
			return a.decide(cmd, q)
		},
	}
	list.register(cmd)
	f := cmd.Flags()
	f.StringVar(&q.Number, "number", "", "number to call, E.164 or national with --country; - reads it from standard input")
	f.StringVar(&q.Country, "country", "", "country of national numbers, such as IT (the default for lists)")
	f.StringVar(&q.Contact, "contact", "", "contact key instead of a number")
	f.StringVar(&q.Controller, "controller", "", "for whom the call is made")
	f.StringVar(&q.Campaign, "campaign", "", "campaign of the call")
	f.StringVar(&q.At, "at", "", "instant of the dial, RFC 3339; default now")
	f.StringVar(&q.Purpose, "purpose", "", "marketing (default), market_research or service")
	f.StringVar(&q.Channel, "channel", "", "operator_call (default), automated_call, sms, messaging, email or paper_mail")
	f.StringVar(&q.Processor, "processor", "", "who dials; default the controller")
	f.StringVar(&q.CLI, "cli", "", "number that will be presented; default withheld")
	f.StringVar(&q.Basis, "basis", "", "declared basis, such as consent")
	f.StringVar(&q.Grant, "grant", "", "id of the grant relied upon")
	f.StringVar(&q.Batch, "batch", "", "register consultation relied upon")
	f.StringVar(&q.Product, "product", "", "product offered; default the campaign's")
	f.StringVar(&q.Mode, "mode", "", "dialler mode")
	f.StringVar(&q.Agent, "agent", "", "pseudonym of the agent")
	f.BoolVar(&q.AgentReserved, "agent-reserved", false, "an agent is reserved for the call")
	f.StringVar(&q.OriginCountry, "origin-country", "", "where the call enters the network; default IT")
	f.StringVar(&q.AgentCountry, "agent-country", "", "where the agent sits; default IT")
	return cmd
}

func (a *app) decide(cmd *cobra.Command, q gateway.DecisionRequest) error {
	if q.Number == "-" {
		line, err := bufio.NewReader(a.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return usage(errors.New("decide: read the number from standard input"))
		}
		q.Number = strings.TrimSpace(line)
	}
	if (q.Number == "") == (q.Contact == "") || q.Controller == "" || q.Campaign == "" {
		return usage(errors.New("decide: give --number or --contact, and --controller and --campaign"))
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	var d events.Receipt
	if err := c.call(cmd.Context(), http.MethodPost, "/v1/decisions", q, &d); err != nil {
		return err
	}
	if err := a.print(d, func(w io.Writer) error { return writeDecision(w, d) }); err != nil {
		return err
	}
	if d.Verdict == events.VerdictBlock {
		return errNo
	}
	return nil
}

func writeDecision(w io.Writer, d events.Receipt) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  contact %s at %s\n", d.Verdict, d.Asked.Contact, d.At)
	for _, r := range d.Reasons {
		fmt.Fprintf(&b, "  %-5s %-10s %s", r.Effect, r.Rule, r.Sentence)
		if !strings.Contains(r.Sentence, r.Clause) {
			fmt.Fprintf(&b, " (%s)", r.Clause)
		}
		b.WriteByte('\n')
	}
	if d.Basis != "" {
		fmt.Fprintf(&b, "  basis %s\n", d.Basis)
	}
	if !d.ValidUntil.IsZero() {
		fmt.Fprintf(&b, "  ask again after %s\n", d.ValidUntil)
	}
	fmt.Fprintf(&b, "  %d rules passed; pack %s\n", len(d.Passed), d.Pack)
	if d.Signature != "" {
		fmt.Fprintf(&b, "  decision %s, signed with %s, to be relied upon until %s\n", d.Decision, d.Key, d.ExpiresAt)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
