package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/imports"
	"github.com/assenso/assenso/services/listfile"
)

// listFlags are the flags of a list check.
type listFlags struct {
	file, format, mapping, column, out string
	before, submit                     string
	skipBlocked                        bool
}

func (l *listFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&l.file, "file", "", "check the numbers of a `LIST`: CSV, XLSX or NDJSON (.gz too)")
	f.StringVar(&l.format, "format", "", "of the list: csv, xlsx or ndjson; default by the name of the file")
	f.StringVar(&l.column, "column", "", "column of the numbers (member, in NDJSON); default a usual name such as number or telefono")
	f.StringVar(&l.mapping, "map", "", "mapping `FILE` of the list, which names the column of data.phone and how CSV is written")
	f.StringVar(&l.out, "out", "", "`FILE` for the answers; default beside the list")
	f.StringVar(&l.before, "expiring-before", "", "plan the next consultation: which answers of the register are missing or expire before this `DATE`")
	f.StringVar(&l.submit, "submit", "", "`FILE` for the numbers to submit to the register, one a line in national format")
	f.BoolVar(&l.skipBlocked, "skip-blocked", false, "leave out the numbers that another answer of the register would not free")
}

// decideFile checks a list.
func (a *app) decideFile(cmd *cobra.Command, q gateway.DecisionRequest, l *listFlags) error {
	if q.Number != "" || q.Contact != "" || q.Controller == "" || q.Campaign == "" {
		return usage(errors.New("decide: with --file give --controller and --campaign, and no number or contact"))
	}
	o := listfile.Options{Path: l.file, Format: imports.Format(l.format), Column: l.column, Question: events.Question(q), Out: l.out, Progress: a.err}
	if o.Question.Country == "" && l.mapping == "" {
		o.Question.Country = "IT"
	}
	if l.mapping != "" {
		m, err := imports.ReadMapping(l.mapping)
		if err != nil {
			return usage(err)
		}
		o.Mapping = m
	}
	switch {
	case l.before != "":
		day, err := events.ParseDate(l.before)
		if err != nil {
			return usage(errors.New("decide: write --expiring-before as YYYY-MM-DD"))
		}
		o.Plan = &listfile.Plan{Before: day, Submit: l.submit, SkipBlocked: l.skipBlocked}
	case l.submit != "" || l.skipBlocked:
		return usage(errors.New("decide: --submit and --skip-blocked go with --expiring-before"))
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	o.Door = c.list
	r, err := listfile.Run(cmd.Context(), o)
	if err != nil {
		return listError(err)
	}
	if err := a.print(r, func(w io.Writer) error { return writeListResult(w, &r) }); err != nil {
		return err
	}
	if r.Count > 0 && r.Allow+r.Warn == 0 {
		return errNo
	}
	return nil
}

// listError gives an error of a list check its exit code.
func listError(err error) error {
	var refusal *listfile.Refusal
	var coded *exitError
	switch {
	case errors.As(err, &refusal) && refusal.Status < 500:
		return usage(refusal)
	case errors.As(err, &refusal):
		return server(fmt.Errorf("%w: nothing was written, run the same command again", refusal))
	case errors.As(err, &coded):
		return coded
	case errors.Is(err, listfile.ErrBroken):
		return server(err)
	}
	return usage(err)
}

// list is the door for lists: the answer may take as long as the list is.
func (c *client) list(ctx context.Context, body io.Reader) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1/decisions:batch", body)
	if err != nil {
		return nil, usage(fmt.Errorf("build request: %w", err))
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	unlimited := *c.http
	unlimited.Timeout = 0
	resp, err := unlimited.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the URL
		}
		return nil, server(fmt.Errorf("ask %s: %w: is it running? start it with: assenso serve", c.base, err))
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, refusal(resp)
	}
	return resp.Body, nil
}

func writeListResult(w io.Writer, r *listfile.Result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d numbers: %d allow, %d warn, %d block, as of %s\n", r.Count, r.Allow, r.Warn, r.Block, r.Instant)
	fmt.Fprintf(&b, "  answers %s\n  %s\n", r.Answers, r.Note)
	fmt.Fprintf(&b, "  check again before %s; pack %s\n", r.ExpiresAt, r.Pack)
	if r.Record.Result != "" {
		fmt.Fprintf(&b, "  root %s, %s as %s\n", r.Root, r.Record.Result, r.Record.ID)
	}
	if p := r.Plan; p != nil {
		fmt.Fprintf(&b, "consultation of the register: %d answers missing, %d expire before %s, %d later, %d not needed\n", p.Missing, p.Expiring, p.Before, p.Later, p.NotNeeded)
		for _, d := range p.Days {
			fmt.Fprintf(&b, "  last day %s: %d\n", d.Day, d.Count)
		}
		for _, left := range []struct {
			n   int
			why string
		}{{p.Skipped, "blocked otherwise"}, {p.Foreign, "not Italian"}, {p.Unreadable, "without a readable number"}} {
			if left.n > 0 {
				fmt.Fprintf(&b, "  left out, %s: %d\n", left.why, left.n)
			}
		}
		if p.Submit != "" {
			fmt.Fprintf(&b, "  %d numbers to submit in %s\n", p.Submitted, p.Submit)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
