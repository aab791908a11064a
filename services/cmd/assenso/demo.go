package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/assenso/assenso/services/demo"
	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/house"
	"github.com/assenso/assenso/services/imports"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/report"
)

// demoFolder is the folder of the demonstration below the data folder: its
// files and reports. A data folder that has one was made by a demonstration
// and may be made anew.
const demoFolder = "demo"

func (a *app) demoCommand() *cobra.Command {
	var s settings
	var o demo.Options
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Play a call centre's day from files to a campaign's violation report",
		Long: `Invent a call centre's day (three controllers, four campaigns, two call centres, a bought
list, a register consultation, oppositions during calls, late uploads, duplicates), import the
files through the real doors into an empty data folder, write the reports, and compare the
violations found with those that were planted. Exits with 1 if they differ.

A data folder that an earlier demonstration made is made anew; any other must be empty.`,
		Example: `  assenso demo
  assenso demo --contacts 2000 --seed 7
  assenso demo --serve          # and keep answering`,
		Args: exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load(cmd, &s)
			if err != nil {
				return err
			}
			return a.demo(cmd.Context(), cfg, o, keep)
		},
	}
	s.bind(cmd)
	f := cmd.Flags()
	f.IntVar(&o.Contacts, "contacts", 20_000, "contacts of the day")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of everything random")
	f.BoolVar(&keep, "serve", false, "keep answering afterwards, until interrupted")
	return cmd
}

// play is one demonstration under way.
type play struct {
	app     *app
	house   *house.House
	client  *client
	folder  string // of files and reports
	result  demoResult
	started time.Time
}

func (a *app) demo(ctx context.Context, cfg house.Config, o demo.Options, keep bool) error {
	p := &play{app: a, folder: filepath.Join(cfg.Data, demoFolder), started: time.Now()}
	if err := emptyFolder(cfg.Data, p.folder); err != nil {
		return err
	}
	m, err := demo.Generate(filepath.Join(p.folder, "day"), o)
	if err != nil {
		return fmt.Errorf("demo: write the day's files: %w", err)
	}
	p.say("wrote %d files of a call centre's day (%d contacts, %d calls) in %s", len(m.Files), m.Contacts, m.Attempts, p.lap())
	log, err := house.NewLog(house.LogConfig{Level: "warn", Format: cfg.Log.Format}, a.err)
	if err != nil {
		return usage(err)
	}
	house.UseThreads()
	if p.house, err = house.Open(ctx, cfg, house.Options{Log: log}); err != nil {
		return err
	}
	p.client = &client{base: "http://" + p.house.Address(), http: &http.Client{Timeout: 10 * time.Minute}}
	p.say("%s", p.house.Banner())
	serving, stop := context.WithCancel(ctx)
	defer stop()
	group, serving := errgroup.WithContext(serving)
	group.Go(func() error { return p.house.Run(serving) })
	group.Go(func() error {
		if !keep {
			defer stop()
		}
		return p.run(serving, m)
	})
	err = group.Wait()
	if err == nil && p.result.wrong() {
		return errNo
	}
	return err
}

// emptyFolder makes the folder, or makes that of an earlier demonstration anew.
func emptyFolder(data, mark string) error {
	if _, err := os.Stat(mark); err == nil {
		if err := os.RemoveAll(data); err != nil {
			return usage(fmt.Errorf("demo: remove the earlier demonstration: %w", err))
		}
	}
	entries, err := os.ReadDir(data)
	if err == nil && len(entries) > 0 {
		return usage(fmt.Errorf("demo: %s is not empty and not a demonstration's: choose another folder with --data", data))
	}
	if err := os.MkdirAll(mark, 0o700); err != nil {
		return usage(fmt.Errorf("demo: make the data folder: %w", err))
	}
	return os.Chmod(data, 0o700)
}

func (p *play) say(format string, args ...any) {
	if !p.app.json {
		fmt.Fprintf(p.app.out, format+"\n", args...)
	}
}

// lap is the time since the last lap.
func (p *play) lap() time.Duration {
	d := time.Since(p.started).Round(10 * time.Millisecond)
	p.started = time.Now()
	return d
}

func (p *play) run(ctx context.Context, m demo.Manifest) error {
	begin := time.Now()
	for _, f := range m.Files {
		if err := p.importFile(ctx, f); err != nil {
			return err
		}
	}
	took := time.Since(begin)
	p.result.Rows, p.result.ImportSeconds = p.result.rows(), took.Seconds()
	p.result.EventsPerSecond = float64(p.result.Rows) / took.Seconds()
	p.say("imported %d rows in %s: %.0f events/s through the door, each acknowledged on disk", p.result.Rows, p.lap(), p.result.EventsPerSecond)
	if err := p.house.Settle(ctx, p.house.Now()); err != nil {
		return err
	}
	p.say("projections current after another %s", p.lap())
	found, err := p.reports(ctx)
	if err != nil {
		return err
	}
	p.say("reports written in %s\n", p.lap())
	p.result.compare(m, found)
	return p.app.print(p.result, func(w io.Writer) error { return p.result.write(w, p.folder, filepath.Dir(p.folder)) })
}

// importFile imports one file of the day through the HTTP door.
func (p *play) importFile(ctx context.Context, f demo.File) error {
	o := imports.Options{Path: filepath.Join(p.folder, "day", f.Name), Sink: &imports.HTTPSink{URL: p.client.base, Client: p.client.http}, InFlight: 4}
	if f.Mapping != "" {
		m, err := imports.ReadMapping(filepath.Join(p.folder, "day", f.Mapping))
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		o.Mapping = m
	}
	sum, err := imports.Run(ctx, o)
	if err != nil {
		return fmt.Errorf("demo: import %s: %w", f.Name, err)
	}
	p.say("  %-28s %s", f.Name, sum)
	p.result.Files = append(p.result.Files, fileResult{Name: f.Name, Summary: sum})
	if sum.Rejected != f.Rejected || sum.Duplicates != f.Duplicates || sum.Conflicts != f.Conflicts {
		p.result.Differences = append(p.result.Differences,
			fmt.Sprintf("%s: expected %d duplicates, %d conflicts, %d rejects", f.Name, f.Duplicates, f.Conflicts, f.Rejected))
	}
	return nil
}

// reports writes every campaign's report in every form and collects what they
// found.
func (p *play) reports(ctx context.Context) ([]demo.Finding, error) {
	folder := filepath.Join(p.folder, "reports")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("demo: make the reports' folder: %w", err)
	}
	var list inquiry.Campaigns
	if err := p.client.call(ctx, http.MethodGet, "/v1/campaigns", nil, &list); err != nil {
		return nil, err
	}
	var objects gateway.ObjectFindings
	if err := p.client.call(ctx, http.MethodGet, "/v1/objects/findings", nil, &objects); err != nil {
		return nil, err
	}
	found := make([]demo.Finding, 0, len(objects.Findings))
	for _, f := range objects.Findings {
		found = append(found, demo.Finding{Rule: f.Rule, Kind: f.Kind, Controller: f.Controller, Campaign: f.Campaign, Object: f.Object})
	}
	for _, c := range list.Campaigns {
		name := filepath.Join(folder, strings.ReplaceAll(c.Campaign, string(filepath.Separator), "_"))
		path := "/v1/campaigns/" + url.PathEscape(c.Campaign) + "/report" + query("controller", c.Controller, "as_of", objects.AsOf.String())
		for _, form := range []struct{ suffix, query string }{{".json", "&format=json"}, {".csv", "&format=csv"}, {".zip", "&format=zip"}, {".html", "&format=html"}, {".it.html", "&format=html&lang=it"}, {".it.pdf", "&format=pdf&lang=it"}} {
			if err := p.download(ctx, path+form.query, name+form.suffix); err != nil {
				return nil, err
			}
		}
		one, err := findingsOf(name + ".json")
		if err != nil {
			return nil, err
		}
		found = append(found, one...)
		p.result.Campaigns = append(p.result.Campaigns, c.Campaign)
	}
	return found, nil
}

func (p *play) download(ctx context.Context, path, file string) error {
	resp, err := p.client.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	return errors.Join(writeOut(nil, file, resp.Body), resp.Body.Close())
}

// findingsOf reads the findings on attempts, annexes included, out of a report.
func findingsOf(path string) ([]demo.Finding, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("demo: read report: %w", err)
	}
	var r struct {
		Findings report.Findings `json:"findings"`
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("demo: read report: %w", err)
	}
	var out []demo.Finding
	for _, list := range [][]*report.Found{r.Findings.Attempts, r.Findings.Hindsight, r.Findings.BestPractice} {
		for _, f := range list {
			if f.Attempt != "" { // objects were asked for apart
				out = append(out, demo.Finding{Rule: f.Rule, Kind: f.Kind, Controller: f.Controller, Campaign: f.Campaign, Attempt: f.Attempt})
			}
		}
	}
	return out, nil
}
