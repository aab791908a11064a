package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/house"
	"github.com/assenso/assenso/services/rules"
)

// packFiles are the files of the rule packs that the configuration names, or
// the built-in ones.
func (a *app) packFiles() (fs.FS, error) {
	cfg, err := house.Load(a.config, a.environ, nil)
	if err != nil {
		return nil, usage(err)
	}
	if cfg.Law.Packs != "" {
		return os.DirFS(cfg.Law.Packs), nil
	}
	return it.Files, nil
}

func (a *app) packs() (*rules.Packs, error) {
	files, err := a.packFiles()
	if err != nil {
		return nil, err
	}
	p, err := rules.LoadPacks(files)
	if err != nil {
		return nil, usage(err)
	}
	return p, nil
}

// rulesFlags are the flags of both commands.
type rulesFlags struct{ at, lang string }

func (f *rulesFlags) day() (events.Date, error) {
	if f.lang != "en" && f.lang != "it" {
		return 0, usage(errors.New("--lang is en or it"))
	}
	if f.at == "" {
		return events.DateOf(events.InstantOf(time.Now()), events.Rome), nil
	}
	d, err := events.ParseDate(f.at)
	if err != nil {
		return 0, usage(errors.New("--at is a date YYYY-MM-DD"))
	}
	return d, nil
}

func (f *rulesFlags) of(t rules.Text) string {
	if f.lang == "it" {
		return t.IT
	}
	return t.EN
}

func (a *app) rulesCommand() *cobra.Command {
	var f rulesFlags
	cmd := &cobra.Command{
		Use: "rules", Short: "List and explain the rules of the pack",
		Long: `List and explain the rules by which calls are judged: clause, severity, what they do to
a question before the call, and the values they read, as valid on a day. Needs no server.

All rules on one page, in Italian and English: schemas/packs/it/README.md.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	p := cmd.PersistentFlags()
	p.StringVar(&f.at, "at", "", "civil `DATE` in Rome of which the values are shown; default today")
	p.StringVar(&f.lang, "lang", "en", "en or it")
	cmd.AddCommand(a.rulesList(&f), a.rulesShow(&f))
	return cmd
}

func (a *app) rulesList(f *rulesFlags) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "One line a rule",
		Example: "  assenso rules list\n  assenso rules list --lang it\n  assenso rules list --at 2025-03-01 --json",
		Args:    exactly(0, "no arguments, only flags"),
		RunE: func(*cobra.Command, []string) error {
			day, err := f.day()
			if err != nil {
				return err
			}
			p, err := a.packs()
			if err != nil {
				return err
			}
			if a.json {
				enc := json.NewEncoder(a.out)
				enc.SetEscapeHTML(false)
				for _, s := range p.Sheets(day) {
					if err := enc.Encode(s); err != nil {
						return err
					}
				}
				return nil
			}
			return writeRules(a.out, p, day, f)
		},
	}
}

func writeRules(w io.Writer, p *rules.Packs, day events.Date, f *rulesFlags) error {
	fmt.Fprintf(w, "pack %s on %s\n", p.On(day).Name, day)
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "RULE\tSEVERITY\tGATE\tTAG\tTITLE\tCLAUSE")
	for _, s := range p.Sheets(day) {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, s.Severity, listed(s.Effects), s.Tag, f.of(s.Title), s.Clause)
	}
	return tw.Flush()
}

func listed[T ~string](list []T) string {
	if len(list) == 0 {
		return "-"
	}
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return strings.Join(out, ", ")
}

func (a *app) rulesShow(f *rulesFlags) *cobra.Command {
	return &cobra.Command{
		Use: "show RULE", Short: "Explain one rule in plain words",
		Example: "  assenso rules show IT-RPO-02\n  assenso rules show IT-CDC-01 --at 2025-03-01 --lang it",
		Args:    exactly(1, "one rule id, such as IT-RPO-02"),
		RunE: func(_ *cobra.Command, args []string) error {
			day, err := f.day()
			if err != nil {
				return err
			}
			p, err := a.packs()
			if err != nil {
				return err
			}
			s, ok := p.Sheet(strings.ToUpper(args[0]), day)
			if !ok {
				return usage(fmt.Errorf("rules show: no rule %q: see assenso rules list", args[0]))
			}
			return a.print(s, func(w io.Writer) error { return writeRule(w, p, &s, day, f) })
		},
	}
}

func writeRule(w io.Writer, p *rules.Packs, s *rules.Sheet, day events.Date, f *rulesFlags) error {
	fmt.Fprintf(w, "%s · %s\n\n%s\n\n", s.ID, f.of(s.Title), f.of(s.Explain))
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	line := func(name, value string) { fmt.Fprintf(tw, "%s\t%s\n", name, value) }
	severity := string(s.Severity)
	if s.WarnSeverity != "" {
		severity += " (as a warning: " + string(s.WarnSeverity) + ")"
	}
	line("clause", s.Clause)
	line("tag", s.Tag)
	line("severity", severity)
	line("kinds", listed(s.Kinds))
	line("at the gate", listed(s.Effects))
	line("judged on", map[bool]string{false: "attempts", true: "objects, when a report is built"}[s.Object])
	if s.NotEvaluated != "" {
		line("not evaluated", s.NotEvaluated)
	}
	line("pack", p.On(day).Name+" on "+day.String())
	for _, v := range s.Parameters {
		line(v.Name, fmt.Sprintf("%s (%s) [%s] %s", v.Value, v.Validity(f.lang), v.Tag, v.Source))
	}
	return tw.Flush()
}
