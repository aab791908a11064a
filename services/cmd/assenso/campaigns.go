package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/inquiry"
)

func (a *app) campaignsCommand() *cobra.Command {
	var asOf string
	cmd := &cobra.Command{
		Use: "campaigns", Short: "List the campaigns with their calls and findings",
		Long: `List the campaigns as they are counted now. With --as-of: the campaigns of which a call or
the opening was recorded by then, with their calls. Findings as of an earlier time are not
stored; the report of that time evaluates them.`,
		Example: `  assenso campaigns --json
  assenso campaigns --as-of 2026-03-12T12:00:00Z`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list inquiry.Campaigns
			return a.ask(cmd, "/v1/campaigns"+query("as_of", asOf), &list, func(w io.Writer) error { return writeCampaigns(w, list) })
		},
	}
	cmd.Flags().StringVar(&asOf, "as-of", "", "recorded by then: RFC 3339 or LEDGER_00:12,…; default as counted now")
	return cmd
}

func writeCampaigns(w io.Writer, list inquiry.Campaigns) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "CONTROLLER\tCAMPAIGN\tFIRST CALL\tLAST CALL\tCALLS\tCONFIRMED\tPOTENTIAL")
	for _, c := range list.Campaigns {
		found := func(kind string) string {
			if list.AsOf != 0 {
				return "–" // as of an earlier time only the report knows
			}
			return strconv.FormatInt(c.Counters["findings."+kind], 10)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", c.Controller, c.Campaign, c.FirstDialled, c.LastDialled, c.Counters["attempts"], found("CONFIRMED"), found("POTENTIAL"))
	}
	return tw.Flush()
}

func (a *app) reportCommand() *cobra.Command {
	var controller, format, lang, asOf, since, out, reason string
	var numbers bool
	cmd := &cobra.Command{
		Use:   "report CAMPAIGN",
		Short: "Build a campaign's violation report as of a ledger time",
		Long: `Ask a running assenso for the report of a campaign: which calls broke which rule, on
what evidence, imputed to whom. The same ledger prefix, rule packs, parameters and program
version give the same bytes and digest.

Reports bear contact keys. --numbers gives the numbers behind those keys to the roles that may
see them; who saw them and why is recorded as access.exercised before any is given.`,
		Example: `  assenso report K-A --format html --out report.html
  assenso report K-A --controller A --format json --as-of 2026-03-12T12:00:00Z
  assenso report K-A --format pdf --lang it --out report.pdf
  assenso report K-A --format xlsx --out tables.xlsx
  assenso report K-A --numbers --reason "request of the authority 12/2026" --out numbers.csv`,
		Args: exactly(1, "one campaign id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if numbers {
				return a.reportNumbers(cmd, args[0], gateway.NumbersRequest{Controller: controller, AsOf: asOf, Reason: reason}, out)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			path := "/v1/campaigns/" + url.PathEscape(args[0]) + "/report" + query("controller", controller, "format", format, "lang", lang, "as_of", asOf, "since", since)
			resp, err := c.do(cmd.Context(), http.MethodGet, path, nil)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			return writeOut(a.out, out, resp.Body)
		},
	}
	f := cmd.Flags()
	f.StringVar(&controller, "controller", "", "controller of the campaign, needed when several have one of this id")
	f.StringVar(&format, "format", "json", "json, csv (findings), zip (one CSV a table), xlsx, html or pdf")
	f.StringVar(&lang, "lang", "en", "of html and pdf: en or it")
	f.StringVar(&asOf, "as-of", "", "recorded by then: RFC 3339 or LEDGER_00:12,…; default the latest")
	f.StringVar(&since, "since", "", "as of an earlier report, RFC 3339: list only corrections recorded after it")
	f.BoolVar(&numbers, "numbers", false, "instead of the report: contact keys and their numbers, as CSV; needs --reason and the role officer or admin")
	f.StringVar(&reason, "reason", "", "why the numbers are needed; recorded in the ledger")
	f.StringVar(&out, "out", "", "`FILE` to write; default standard output")
	return cmd
}

// writeOut copies to a file, which appears only when it is whole, or to
// standard output when path is "".
func writeOut(stdout io.Writer, path string, in io.Reader) error {
	if path == "" {
		_, err := io.Copy(stdout, in)
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".assenso-*")
	if err != nil {
		return usage(fmt.Errorf("write report: %w", err))
	}
	_, err = io.Copy(f, in)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write report: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
