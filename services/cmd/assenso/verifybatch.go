package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/assenso/assenso/services/imports"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/listcheck"
	"github.com/assenso/assenso/services/listfile"
)

// batchCheck is what came of the verification of a list check.
type batchCheck struct {
	Batch string `json:"batch"`
	Count int    `json:"count"`
	Allow int    `json:"allow"`
	Warn  int    `json:"warn"`
	Block int    `json:"block"`
	Root  string `json:"root"` // recomputed
	// Whole: the answers are those that the summary commits to, and it names the
	// question that its batch id commits to.
	Whole bool `json:"whole"`
	// Recorded: the ledger holds this commitment; absent = not asked.
	Recorded *bool  `json:"recorded,omitempty"`
	Stream   string `json:"stream,omitempty"`
	Sequence uint64 `json:"sequence,omitempty"`
	Fault    string `json:"fault,omitempty"`
}

func (a *app) verifyBatchCommand() *cobra.Command {
	var format, summary string
	var offline bool
	cmd := &cobra.Command{
		Use:   "batch FILE",
		Short: "Verify the answers of a list check: root and counts recomputed, compared with the recorded commitment",
		Long: `Verify a file of answers: one that assenso decide --file wrote (CSV or NDJSON), or the
answer of POST /v1/decisions:batch as it came.

Root and counts are recomputed here from the answers, and compared with the summary: the
last line of the file, or the file beside it whose name ends with .summary.json. Then the
server is asked for the decision.batch_issued that the summary names, and that is compared
too. --offline asks nobody. Other columns or members of the file are not committed to.

Exits with 0 when everything agrees, with 1 when something does not.`,
		Example: `  assenso verify batch list.answers.csv
  assenso verify batch list.answers.ndjson --offline`,
		Args: exactly(1, "one file of answers"),
		RunE: func(cmd *cobra.Command, args []string) error {
			check, err := a.verifyBatch(cmd.Context(), args[0], imports.Format(format), summary, offline)
			if err != nil {
				return err
			}
			if err := a.print(check, func(w io.Writer) error { return writeBatchCheck(w, check) }); err != nil {
				return err
			}
			if check.Fault != "" {
				return errNo
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&format, "format", "", "of the file: csv or ndjson; default by its name")
	f.StringVar(&summary, "summary", "", "`FILE` with the summary; default the last line, or the file beside")
	f.BoolVar(&offline, "offline", false, "compare with the summary alone, without a server")
	return cmd
}

func (a *app) verifyBatch(ctx context.Context, path string, format imports.Format, summary string, offline bool) (batchCheck, error) {
	recount, sum, err := listfile.Read(path, format, summary)
	if errors.Is(err, listcheck.ErrAnswers) {
		return batchCheck{Fault: err.Error()}, nil
	}
	if err != nil {
		return batchCheck{}, usage(err)
	}
	t := recount.Totals()
	check := batchCheck{Batch: sum.Batch, Count: t.Count, Allow: t.Allow, Warn: t.Warn, Block: t.Block, Root: t.Root.String()}
	if err := recount.Check(sum); err != nil {
		check.Fault = err.Error()
		return check, nil
	}
	check.Whole = true
	if offline {
		return check, nil
	}
	c, err := a.client()
	if err != nil {
		return check, err
	}
	recorded, err := c.batch(ctx, sum.Record.ID)
	is := err == nil
	check.Recorded = &is
	switch {
	case errors.Is(err, errUnrecorded):
		check.Fault = err.Error()
		return check, nil
	case err != nil:
		return check, err
	}
	check.Stream, check.Sequence = recorded.Stream, recorded.Sequence
	if err := sum.CheckRecord(&recorded.Data); err != nil {
		check.Fault = err.Error()
	}
	return check, nil
}

// errUnrecorded: the ledger holds no such commitment.
var errUnrecorded = errors.New("the ledger holds no commitment of this id")

// recordPatience is how long a commitment may take from the ledger to the view.
const recordPatience = 5 * time.Second

// batch asks for a recorded commitment; one that was recorded a moment ago may
// not be in the view yet.
func (c *client) batch(ctx context.Context, id string) (inquiry.ListCheck, error) {
	var out inquiry.ListCheck
	for end := time.Now().Add(recordPatience); ; {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/v1/lists/"+url.PathEscape(id), nil)
		if err != nil {
			return out, usage(fmt.Errorf("build request: %w", err))
		}
		status, err := c.decode(req, &out)
		if err == nil || status != http.StatusNotFound {
			return out, err
		}
		if time.Now().After(end) {
			return out, errUnrecorded
		}
		select {
		case <-ctx.Done():
			return out, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func writeBatchCheck(w io.Writer, c batchCheck) error {
	var err error
	switch {
	case c.Fault != "":
		_, err = fmt.Fprintf(w, "does not stand: %s\n", c.Fault)
	case c.Recorded == nil:
		_, err = fmt.Fprintf(w, "%d answers (%d allow, %d warn, %d block) are those of batch %s, root %s; the ledger was not asked\n", c.Count, c.Allow, c.Warn, c.Block, c.Batch, c.Root)
	default:
		_, err = fmt.Fprintf(w, "%d answers (%d allow, %d warn, %d block) are those of batch %s, root %s, recorded at %s:%d\n", c.Count, c.Allow, c.Warn, c.Block, c.Batch, c.Root, c.Stream, c.Sequence)
	}
	return err
}
