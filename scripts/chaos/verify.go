package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view/sqliteview"
)

// verify holds the ledger against the book, and the live answers against the
// ledger and against a house that has nothing but the ledger and the vault.
func verify(ctx context.Context, server *program, crew *crew, dialers dialers, p plan, until events.Instant, out io.Writer) error {
	if err := server.level(ctx); err != nil {
		return fmt.Errorf("wait for the survivor: %w", err)
	}
	live, err := survey(ctx, newAsker(server.base, p.limit), crew.book.touched(), until)
	if err != nil {
		return fmt.Errorf("ask the survivor: %w", err)
	}
	stops, faults, err := heard(ctx, server, dialers, live.keys, p, until)
	if err != nil {
		return fmt.Errorf("ask the dialers: %w", err)
	}
	if err := server.finish(); err != nil {
		return err
	}
	records, err := readLedger(ctx, server.data)
	if err != nil {
		return err
	}
	audit := crew.book.check(records)
	faults = append(append(audit.faults, faults...), audit.unrecorded(dialers)...)
	for controller, known := range stops {
		holds, err := audit.expected(controller, until)
		if err != nil {
			return err
		}
		faults = append(faults, differences("what the dialer of "+controller+" knows", holds, known)...)
	}
	folded, err := audit.states(until)
	if err != nil {
		return err
	}
	faults = append(faults, differences("the state", folded, live.states)...)
	for campaign, want := range audit.calls {
		got, err := attempts(live.reports[campaign])
		if err != nil {
			return fmt.Errorf("%s: %w", campaign, err)
		}
		if got != want {
			faults = append(faults, fmt.Sprintf("the report of %s counts %d calls, the ledger holds %d", campaign, got, want))
		}
	}
	rebuilt, err := rebuild(ctx, server, live.keys, p, until)
	if err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	faults = append(faults, differences("the rebuilt report", live.reports, rebuilt.reports)...)
	faults = append(faults, differences("the rebuilt state", live.states, rebuilt.states)...)
	stopped := 0
	for _, known := range stops {
		stopped += len(known)
	}
	fmt.Fprintf(out, "ledger: %d events, %d of them copies that readers skip; %d contacts, %d reports, %d stops that dialers know compared\n",
		audit.events, audit.copies, len(folded), len(live.reports), stopped)
	if len(faults) > 0 {
		shown := faults[:min(len(faults), 20)]
		return fmt.Errorf("%d faults:\n  %s", len(faults), strings.Join(shown, "\n  "))
	}
	fmt.Fprintln(out, "everything acknowledged and every answer of the gate is in the ledger, once in effect; states equal the fold, reports equal the rebuild, and dialers know what the ledger stops")
	return nil
}

// heard returns what the dialers know, and where they differ from dialers that
// begin anew or were not told.
func heard(ctx context.Context, server *program, all dialers, keys []string, p plan, until events.Instant) (stops map[string]map[string]string, faults []string, err error) {
	if stops, err = all.stops(ctx, keys, until, p.limit); err != nil {
		return nil, nil, err
	}
	fresh, err := openDialers(ctx, "nats://"+server.broker, "anew", p.limit)
	if err != nil {
		return nil, nil, err
	}
	defer fresh.close()
	anew, err := fresh.stops(ctx, keys, until, p.limit)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range all {
		faults = append(faults, differences("what the dialer of "+d.controller+" knows", anew[d.controller], stops[d.controller])...)
		faults = append(faults, d.unheard(stops[d.controller])...)
	}
	return stops, faults, nil
}

// survey asks for the reports, and for all that is known of the numbers.
func survey(ctx context.Context, ask asker, numbers []string, until events.Instant) (got answers, err error) {
	if got.reports, err = ask.reports(ctx, until); err != nil {
		return got, err
	}
	if got.keys, err = ask.find(ctx, numbers); err != nil {
		return got, err
	}
	got.states, err = ask.states(ctx, got.keys, until)
	return got, err
}

// rebuild copies the data folder without the views and asks a house that
// starts on it.
func rebuild(ctx context.Context, server *program, keys []string, p plan, until events.Instant) (got answers, err error) {
	folder := filepath.Join(p.data, "rebuilt")
	if err := copyWithoutViews(folder, server.data); err != nil {
		return got, fmt.Errorf("copy the data folder: %w", err)
	}
	second, err := newProgram(p.program, folder, p.limit)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, second.close()) }()
	if err := second.start(ctx); err != nil {
		return got, err
	}
	if err := second.level(ctx); err != nil {
		return got, err
	}
	ask := newAsker(second.base, p.limit)
	if got.reports, err = ask.reports(ctx, until); err != nil {
		return got, err
	}
	if got.states, err = ask.states(ctx, keys, until); err != nil {
		return got, err
	}
	return got, second.finish()
}

// copyWithoutViews copies a data folder with its modes (the program refuses
// keys that others may read) and leaves the read models out.
func copyWithoutViews(to, from string) error {
	left := 0
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), info.Mode().Perm())
		case strings.HasPrefix(rel, sqliteview.File):
			left++
			return nil
		case !info.Mode().IsRegular():
			return nil
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), body, info.Mode().Perm())
	})
	if err == nil && left == 0 {
		return fmt.Errorf("there is no %s to leave out: the rebuild would prove nothing", sqliteview.File)
	}
	return err
}
