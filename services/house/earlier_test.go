package house

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/projection/projectiontest"
	"github.com/assenso/assenso/services/projection/violations"
	"github.com/assenso/assenso/services/propertytest"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
	"github.com/assenso/assenso/services/view/sqliteview"
)

// What was recorded after R changes nothing in a report as of R: copies,
// conflicts and corrections of what it tells included. The report from a view
// of the whole log has the bytes of that from a view of the log up to R, and a
// replay under a draft of the law counts the same attempts.
func TestReportAsOfEarlierKnowsNothingLater(t *testing.T) {
	propertytest.Checks(t, 10)
	engine, draft, folder, runs, compared, replayed := law(t), stricter(t), t.TempDir(), 0, 0, 0
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
		whole, before := open("whole"), open("before")
		log := projectiontest.Chaos(rapid.Uint64().Draw(rt, "history"), rapid.IntRange(60, 220).Draw(rt, "events"))
		project(rt, engine, log, whole, projection.Config{})
		progress, err := whole.Progress(context.Background(), violations.Name)
		if err != nil {
			rt.Fatal(err)
		}
		share := rapid.Int64Range(1, 99).Draw(rt, "percent")
		r := projectiontest.DayStart + (progress.Recorded()-projectiontest.DayStart)/100*events.Instant(share)
		p, err := whole.Resolve(context.Background(), r)
		if err != nil {
			rt.Fatal(err)
		}
		part := &projectiontest.Log{Streams: map[ledger.Stream][][]byte{}}
		for stream, bodies := range log.Streams {
			part.Streams[stream] = bodies[:p[string(stream)]]
		}
		project(rt, engine, part, before, projection.Config{})
		sameCampaigns(rt, before, whole, r, p)
		for _, c := range chaosCampaigns {
			want, got := buildAt(rt, engine, before, c, 2, r, p), buildAt(rt, engine, whole, c, 2, r, p)
			if got == nil && want == nil {
				continue
			}
			if got == nil || want == nil {
				rt.Fatalf("campaign %s: only one of two reports is there", c.Campaign)
			}
			samePrinted(rt, got, want)
			had, has := replay(rt, engine, draft, before, c, r, p), replay(rt, engine, draft, whole, c, r, p)
			if diff := cmp.Diff(had, has); diff != "" {
				rt.Fatalf("campaign %s: a replay as of then (-log up to then +whole log):\n%s", c.Campaign, diff)
			}
			replayed += has.Attempts
			compared += got.Header.Attempts
		}
	})
	if compared == 0 || replayed == 0 {
		t.Errorf("%d attempts in reports and %d in replays: nothing was compared", compared, replayed)
	}
}

// sameCampaigns compares the list of campaigns as of r with the one that was
// counted then, but for the findings, and for campaigns without an attempt: the
// counted list keeps the line of one whose calls were all struck out.
func sameCampaigns(t must, before, whole view.Reader, r events.Instant, p view.Positions) {
	t.Helper()
	counted, err := before.Campaigns(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := []view.Campaign{}
	for _, c := range counted {
		if c.Counters[violations.CountAttempts] == 0 {
			continue
		}
		want = append(want, view.Campaign{CampaignRef: c.CampaignRef, FirstDialled: c.FirstDialled, LastDialled: c.LastDialled,
			Counters: map[string]int64{violations.CountAttempts: c.Counters[violations.CountAttempts]}})
	}
	got, err := inquiry.CampaignsAt(context.Background(), whole, codec.Decode, r, p)
	if err != nil {
		t.Fatal(err)
	}
	got = slices.DeleteFunc(got, func(c view.Campaign) bool { return c.Counters[violations.CountAttempts] == 0 })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("campaigns as of then (-as counted then +as derived now):\n%s", diff)
	}
}

// replay asks what a draft would have changed as of an instant.
func replay(t must, engine, draft *rules.Engine, store view.Reader, c view.CampaignRef, r events.Instant, p view.Positions) inquiry.WhatIf {
	t.Helper()
	out, err := inquiry.Replay(context.Background(), store, codec.Decode, engine, draft, inquiry.WhatIfQuestion{Campaign: c, AsOf: r, Positions: p, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// stricter is a draft of the law that allows fewer attempts to one number.
func stricter(t testing.TB) *rules.Engine {
	t.Helper()
	packs, err := rules.LoadDraft(it.Files, rules.Draft{Name: "draft.yaml", Text: []byte("parameters:\n  pressure.warn: [{value: 1, source: test, tag: policy}]\n")})
	if err != nil {
		t.Fatal(err)
	}
	return rules.NewEngine(packs)
}
