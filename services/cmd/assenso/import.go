package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/assenso/assenso/services/imports"
	"github.com/assenso/assenso/services/numbers"
)

func (a *app) importCommand() *cobra.Command {
	var mapping, format, rejects, state string
	var dry bool
	var inFlight int
	var as consultationFlags
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Import a CSV, XLSX or NDJSON file through a running server",
		Long: `Read events from a CSV, XLSX or NDJSON file (.gz too) and submit them to a running
assenso. An interrupted import goes on where it stopped when it is run again; importing a
file twice records nothing twice. Bad rows go to a rejects file beside the input, which can
be mended and imported with the same mapping.

Exits with 0 when every row is recorded, with 1 when some were rejected, with 4 when it was
interrupted or the server stopped answering (run it again), with 2 when the file or mapping
cannot be read.

--as register imports the answer file of the public register of oppositions to one
consultation: one answer a row, and after the last one register.screening_completed, with
the counts of the answers and the commitment to their contacts. The usual columns are known
(see schemas/mappings/register.yaml); --mapping names others.`,
		Example: `  assenso import calls.csv --mapping calls.yaml
  assenso import consents.xlsx --mapping consents.yaml --dry-run
  assenso import events.ndjson.gz --json
  assenso import answers.csv --as register --controller A --batch B-10 --list L-A --snapshot 2026-03-03T10:00:00+01:00 --answered 2026-03-03T18:00:00+01:00`,
		Args: exactly(1, "one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o := imports.Options{Path: args[0], Format: imports.Format(format), DryRun: dry, Normalise: numbers.Normalise,
				StateDir: state, RejectsPath: rejects, InFlight: inFlight, Progress: a.err}
			if err := as.prepare(&o, &mapping); err != nil {
				return err
			}
			return a.runImport(cmd, o, mapping)
		},
	}
	f := cmd.Flags()
	f.StringVar(&mapping, "mapping", "", "`FILE` that says which column is which field; needed for CSV and XLSX")
	f.StringVar(&format, "format", "", "csv, xlsx or ndjson; default by the name of the file")
	f.BoolVar(&dry, "dry-run", false, "read and check everything, send nothing")
	f.StringVar(&rejects, "rejects", "", "`FILE` for bad rows; default beside the input")
	f.StringVar(&state, "state", "", "`FOLDER` for the state of an interrupted import; default beside the input")
	as.register(f)
	f.IntVar(&inFlight, "in-flight", 2, "batches of 1000 rows under way at once")
	return cmd
}

func (a *app) runImport(cmd *cobra.Command, o imports.Options, mapping string) error {
	if mapping != "" {
		m, err := imports.ReadMapping(mapping)
		if err != nil {
			return usage(err)
		}
		o.Mapping = m
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	sink := &imports.HTTPSink{URL: c.base, Token: c.key, Client: c.http}
	if o.Consultation != nil {
		sink.Settle = receiptTries
	}
	o.Sink = sink
	sum, err := imports.Run(cmd.Context(), o)
	if printErr := a.print(sum, func(w io.Writer) error { return writeSummary(w, sum) }); printErr != nil {
		return errors.Join(err, printErr)
	}
	return importEnd(sum, err)
}

// importEnd turns how an import ended into the command's error.
func importEnd(sum imports.Summary, err error) error {
	const again = "run the same command again, it goes on from there"
	switch {
	case errors.Is(err, context.Canceled):
		return server(errors.New("import interrupted: " + again))
	case errors.Is(err, imports.ErrSink):
		return server(fmt.Errorf("%w; %s", err, again))
	case err != nil:
		return usage(err)
	case sum.Rejected > 0:
		return errNo
	}
	return nil
}

func writeSummary(w io.Writer, sum imports.Summary) error {
	fmt.Fprintln(w, sum)
	for _, p := range sum.Problems {
		fmt.Fprintf(w, "  %s\n", p.Error())
	}
	if c := sum.Consultation; c != nil {
		fmt.Fprintf(w, "consultation %s: %d submitted, %d clear, %d opposed, %d selective, %d invalid; set root %s\n", c.Result, c.Submitted, c.Clear, c.Opposed, c.Selective, c.Invalid, c.SetRoot)
	}
	if sum.Rejects != "" {
		fmt.Fprintf(w, "rejected rows: %s\n", sum.Rejects)
	}
	return nil
}
