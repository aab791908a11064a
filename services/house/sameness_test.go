package house

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/projection/consentstate"
	"github.com/assenso/assenso/services/projection/projectiontest"
	"github.com/assenso/assenso/services/projection/violations"
	"github.com/assenso/assenso/services/propertytest"
	"github.com/assenso/assenso/services/report"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
	"github.com/assenso/assenso/services/view/sqliteview"
)

func law(t testing.TB) *rules.Engine {
	t.Helper()
	packs, err := rules.LoadPacks(it.Files)
	if err != nil {
		t.Fatal(err)
	}
	return rules.NewEngine(packs)
}

// must reports a failure to a rapid check or a test.
type must interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// project runs both projections over the log until they stand at its end.
func project(t must, engine *rules.Engine, log *projectiontest.Log, store view.Store, cfg projection.Config) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	index := projection.NewRunner(log, store, consentstate.New(nil), cfg)
	cfg.Upstream = index.Await
	judge := projection.NewRunner(log, store, violations.New(engine), cfg)
	ended := make(chan error, 2)
	for _, r := range []*projection.Runner{index, judge} {
		go func() {
			err := r.Run(ctx)
			cancel() // whoever stops, stops the wait
			ended <- err
		}()
	}
	err := judge.AwaitIdle(ctx, log.End())
	cancel()
	for range 2 {
		if e := <-ended; !errors.Is(e, context.Canceled) {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rows are all rows of both projections.
func rows(t must, store view.Reader) string {
	t.Helper()
	var out bytes.Buffer
	for _, p := range []view.Projection{consentstate.Name, violations.Name} {
		if err := store.Dump(context.Background(), p, &out); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// withoutLeftovers drops the instants that one has noted and the other has not:
// those of attempts that were corrected or voided since. When such an instant
// comes, the contact is looked at once more and nothing has changed.
func withoutLeftovers(rows, other string) string {
	noted := map[string]bool{}
	for line := range strings.Lines(other) {
		noted[line] = true
	}
	var out strings.Builder
	for line := range strings.Lines(rows) {
		if !strings.HasPrefix(line, "due ") || noted[line] {
			out.WriteString(line)
		}
	}
	return out.String()
}

// build makes the report of a campaign as of all that the projections applied.
func build(t must, engine *rules.Engine, store view.Reader, c view.CampaignRef, workers int) *report.Report {
	t.Helper()
	progress, err := store.Progress(context.Background(), violations.Name)
	if err != nil {
		t.Fatal(err)
	}
	return buildAt(t, engine, store, c, workers, progress.Recorded(), progress.Positions())
}

// buildAt makes the report as of an instant; nil if the log knows no such
// campaign as of then.
func buildAt(t must, engine *rules.Engine, store view.Reader, c view.CampaignRef, workers int, asOf events.Instant, p view.Positions) *report.Report {
	t.Helper()
	return buildFrom(t, engine, store, c, workers, asOf, p, func(opened *inquiry.Campaign) report.Campaign {
		return &inquiry.Judged{Campaign: opened, Engine: engine}
	})
}

func buildFrom(t must, engine *rules.Engine, store view.Reader, c view.CampaignRef, workers int, asOf events.Instant, p view.Positions, judge func(*inquiry.Campaign) report.Campaign) *report.Report {
	t.Helper()
	source := report.Source{
		View: store, Decode: codec.Decode, Engine: engine, Packs: engine.Packs(), Rules: engine.Packs().Rules(), Workers: workers,
		Open: func(ctx context.Context, c view.CampaignRef, asOf view.Positions) (report.Campaign, error) {
			opened, err := inquiry.OpenCampaign(ctx, store, codec.Decode, c, asOf)
			if err != nil {
				return nil, err
			}
			return judge(opened), nil
		},
		Program: "test", ZoneData: zoneData,
	}
	r, err := report.Build(context.Background(), source, report.Question{Campaign: c, AsOf: asOf, Positions: p})
	if errors.Is(err, report.ErrNoCampaign) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// printed is the report in each of its deterministic forms, by name.
func printed(t must, r *report.Report) map[string]string {
	t.Helper()
	forms := map[string]func(io.Writer) error{
		"json": r.WriteJSON, "csv": r.WriteCSV, "zip": r.WriteZip,
		"html en": func(w io.Writer) error { return r.WriteHTML(w, "en") },
		"html it": func(w io.Writer) error { return r.WriteHTML(w, "it") },
	}
	out := map[string]string{}
	for name, write := range forms {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = b.String()
	}
	return out
}

// samePrinted compares two reports byte by byte.
func samePrinted(t must, got, want *report.Report) {
	t.Helper()
	if got.Digest != want.Digest {
		t.Fatalf("digest %s, want %s%s", got.Digest, want.Digest, differ(printed(t, got)["json"], printed(t, want)["json"]))
	}
	a, b := printed(t, got), printed(t, want)
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if a[name] != b[name] {
			t.Fatalf("the digests are equal, the bytes of the form %s are not%s", name, differ(a[name], b[name]))
		}
	}
}

// differ shows where two texts part.
func differ(got, want string) string {
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	show := func(s string) string { return s[max(at-120, 0):min(at+120, len(s))] }
	return fmt.Sprintf(" at byte %d:\ngot  %s\nwant %s", at, show(got), show(want))
}

// verdict is one finding on an attempt, wherever it was found.
type verdict struct {
	Contact                                                events.ContactKey
	Sequence                                               uint64
	Source, Attempt, Rule, Kind, Severity, Clause, Parties string
	DialledAt                                              events.Instant
}

// stored lists what the violations projection keeps of a campaign, of attempts
// that lie in the past of r, and how many attempts those are.
func stored(t must, store view.Reader, c view.CampaignRef, r events.Instant) (found []verdict, attempts int) {
	t.Helper()
	ctx := context.Background()
	type place struct {
		contact  events.ContactKey
		sequence uint64
	}
	past := map[place]bool{}
	err := store.Attempts(ctx, c, nil, func(a view.Attempt) error {
		if a.Known <= r {
			past[place{a.Contact, a.Sequence}] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for cursor := ""; ; {
		page, next, err := store.Findings(ctx, c, cursor, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page {
			if past[place{f.Contact, f.Sequence}] {
				found = append(found, verdict{f.Contact, f.Sequence, f.Source, f.Attempt, f.Rule, f.Kind, f.Severity, f.Clause, f.Imputed, f.DialledAt})
			}
		}
		if cursor = next; next == "" {
			return sorted(found), len(past)
		}
	}
}

// reported lists the findings on attempts of a report.
func reported(r *report.Report) []verdict {
	var out []verdict
	for _, f := range slices.Concat(r.Findings.Attempts, r.Findings.Hindsight, r.Findings.BestPractice) {
		if f.Stream == "" {
			continue // on an object
		}
		parties := f.Controller
		if f.Processor != "" {
			parties += "," + f.Processor
		}
		out = append(out, verdict{f.Contact, f.Sequence, f.Source, f.Finding.Attempt, f.Rule, string(f.Kind), string(f.Severity), f.Clause, parties, f.At})
	}
	return sorted(out)
}

func sorted(list []verdict) []verdict {
	slices.SortFunc(list, func(a, b verdict) int { return bytes.Compare(fmt.Append(nil, a), fmt.Append(nil, b)) })
	return list
}

var chaosCampaigns = []view.CampaignRef{{Controller: "A", Campaign: "K-A"}, {Controller: "B", Campaign: "K-B"}}

// Random histories with copies, conflicts and corrections, recorded at fixed
// times, reach the projections in random order of streams, in pieces of random
// length, with a stop in between. The rows are those of a rebuild from zero in
// order, what the violations projection kept is what the report finds anew, and
// every form of the report has the same bytes.
func TestReportKnowsNoOrderOfDelivery(t *testing.T) {
	propertytest.Checks(t, 10)
	engine, folder, runs := law(t), t.TempDir(), 0
	attempts, findings := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		open := func(name string) *sqliteview.Store {
			s, err := sqliteview.Open(context.Background(), filepath.Join(folder, fmt.Sprintf("%s-%d.db", name, runs)))
			if err != nil {
				rt.Fatal(err)
			}
			rt.Cleanup(func() {
				if err := s.Close(); err != nil {
					rt.Error(err)
				}
			})
			return s
		}
		runs++
		log := projectiontest.Chaos(rapid.Uint64().Draw(rt, "history"), rapid.IntRange(20, 180).Draw(rt, "events"))
		cfg := projection.Config{MaxBatch: rapid.IntRange(1, 40).Draw(rt, "batch"), Parallel: rapid.IntRange(1, 4).Draw(rt, "decoders")}
		order := rapid.Uint64Min(1).Draw(rt, "order")
		stop := rapid.IntRange(0, 99).Draw(rt, "stop")
		workers := rapid.IntRange(1, 5).Draw(rt, "workers")

		live, rebuilt := open("live"), open("rebuilt")
		part := &projectiontest.Log{Streams: log.Prefix(stop)}
		project(rt, engine, part.Shuffled(order), live, cfg)
		project(rt, engine, log.Shuffled(order+1), live, cfg)
		project(rt, engine, log, rebuilt, projection.Config{})
		want := rows(rt, rebuilt)
		if got := withoutLeftovers(rows(rt, live), want); got != want {
			rt.Fatalf("the rows differ from those of a rebuild%s", differ(got, want))
		}
		for _, c := range chaosCampaigns {
			want := build(rt, engine, rebuilt, c, 1)
			got := build(rt, engine, live, c, workers)
			if got == nil && want == nil {
				continue // a short history may know one campaign alone
			}
			if got == nil || want == nil {
				rt.Fatalf("campaign %s: only one of two reports is there", c.Campaign)
			}
			samePrinted(rt, got, want)
			kept, n := stored(rt, live, c, got.Header.AsOf)
			if n != got.Header.Attempts {
				rt.Fatalf("the projection keeps %d attempts of %s, the report evaluates %d", n, c.Campaign, got.Header.Attempts)
			}
			if found := reported(got); !slices.Equal(kept, found) {
				rt.Fatalf("the projection keeps other findings of %s than the report finds:\nkept  %v\nfound %v", c.Campaign, kept, found)
			}
			attempts, findings = attempts+n, findings+len(kept)
		}
	})
	if attempts == 0 || findings == 0 {
		t.Errorf("%d attempts with %d findings in all histories: nothing was compared", attempts, findings)
	}
}

// A day's report has the same bytes in every form whatever the size of the
// projections' batches, and however many workers evaluate.
func TestReportBytesKnowNoBatches(t *testing.T) {
	engine, log := law(t), projectiontest.Day(7, 150, 1500)
	open := func() *sqliteview.Store {
		s, err := sqliteview.Open(t.Context(), filepath.Join(t.TempDir(), sqliteview.File))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
	one, two := open(), open()
	project(t, engine, log, one, projection.Config{})
	project(t, engine, log.Shuffled(3), two, projection.Config{MaxBatch: 61, Parallel: 1})
	want := build(t, engine, one, chaosCampaigns[0], 1)
	if want.Header.Attempts < 100 || len(want.Findings.Attempts) == 0 {
		t.Fatalf("the day has %d attempts with %d findings", want.Header.Attempts, len(want.Findings.Attempts))
	}
	for workers := 1; workers <= 7; workers += 3 {
		samePrinted(t, build(t, engine, two, chaosCampaigns[0], workers), want)
	}
	z, err := zip.NewReader(bytes.NewReader([]byte(printed(t, want)["zip"])), int64(len(printed(t, want)["zip"])))
	if err != nil || len(z.File) < 11 {
		t.Errorf("the archive: %v", err)
	}
}
