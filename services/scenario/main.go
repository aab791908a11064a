package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/rules"
)

// Exit codes of Main.
const (
	ExitPassed   = 0 // every scenario met its expectations
	ExitFailed   = 1 // some did not
	ExitUnusable = 2 // a file or flag could not be read; nothing was played
)

// Pipeline makes a player through the whole pipeline; shuffle is the seed of
// --shuffle, nil without it. The caller of Main owns the player's resources
// through ctx.
type Pipeline func(ctx context.Context, shuffle *uint64) (Player, error)

const usage = `usage: assenso scenario run FILE… [--json] [--as-of TIME] [--shuffle SEED] [--pipeline]
       assenso scenario explain ID FILE…

Plays scenario files and compares with their expectations. Exit code: 0 all met,
1 some not met, 2 a file is unreadable or ill-formed.
  --json         one JSON line for each attempt and for the objects of each scenario
  --as-of TIME   judge everything as of this ledger time
  --shuffle SEED play the events in a random order; results must not change
  --pipeline     play through the running system instead of the pure functions`

// options are the flags of run.
type options struct {
	files    []string
	json     bool
	pipeline bool
	asOf     events.Instant
	shuffle  *uint64
}

// Main is the command `scenario`: args is what follows that word. It returns
// the exit code. pipeline may be nil where there is none.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer, engine *rules.Engine, pipeline Pipeline) int {
	if len(args) > 0 && args[0] == "explain" {
		return explain(ctx, args[1:], stdout, stderr, engine)
	}
	if len(args) == 0 || args[0] != "run" {
		fmt.Fprintln(stderr, usage)
		return ExitUnusable
	}
	opt, err := parse(args[1:])
	if err != nil {
		fmt.Fprintf(stderr, "scenario run: %v\n\n%s\n", err, usage)
		return ExitUnusable
	}
	var all []*Scenario
	for _, file := range opt.files {
		scenarios, err := Load(file)
		if err != nil {
			fmt.Fprintln(stderr, err)
			return ExitUnusable
		}
		all = append(all, scenarios...)
	}
	var player Player = &Pure{engine: engine, Shuffle: opt.shuffle}
	if opt.pipeline {
		if pipeline == nil {
			fmt.Fprintln(stderr, "scenario run: --pipeline: this program has no pipeline")
			return ExitUnusable
		}
		if player, err = pipeline(ctx, opt.shuffle); err != nil {
			fmt.Fprintf(stderr, "scenario run: --pipeline: %v\n", err)
			return ExitUnusable
		}
	}
	return run(ctx, player, all, opt, stdout, stderr)
}

func run(ctx context.Context, player Player, all []*Scenario, opt options, stdout, stderr io.Writer) int {
	failed := 0
	for _, s := range all {
		if opt.asOf != 0 {
			s.AsOf = opt.asOf
		}
		r, err := player.Play(ctx, s)
		if err != nil {
			fmt.Fprintf(stderr, "FAIL %s: %v\n", s.ID, err)
			failed++
			continue
		}
		differences := Compare(s, r)
		if len(differences) > 0 {
			failed++
		}
		if opt.json {
			for _, reason := range r.Rejected {
				fmt.Fprintf(stderr, "FAIL %s: %s\n", s.ID, reason)
			}
			err = WriteJSON(stdout, s, r)
		} else {
			err = writeText(stdout, s, differences)
		}
		if err != nil {
			fmt.Fprintf(stderr, "scenario run: write results: %v\n", err)
			return ExitUnusable
		}
	}
	if !opt.json {
		fmt.Fprintf(stdout, "%d scenarios, %d ok, %d failed\n", len(all), len(all)-failed, failed)
	}
	if failed > 0 {
		return ExitFailed
	}
	return ExitPassed
}

func parse(args []string) (options, error) {
	var opt options
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		argument := func() (string, error) {
			if joined {
				return value, nil
			}
			if i++; i >= len(args) {
				return "", fmt.Errorf("%s: value missing", name)
			}
			return args[i], nil
		}
		var err error
		switch {
		case name == "--json":
			opt.json = true
		case name == "--pipeline":
			opt.pipeline = true
		case name == "--as-of":
			if value, err = argument(); err == nil {
				opt.asOf, err = parseTime(value)
			}
		case name == "--shuffle":
			var seed int64
			if value, err = argument(); err == nil {
				seed, err = strconv.ParseInt(value, 10, 64)
			}
			u := uint64(seed)
			opt.shuffle = &u
		case strings.HasPrefix(name, "--"):
			err = errors.New("unknown flag")
		default:
			opt.files = append(opt.files, args[i])
		}
		if err != nil {
			return opt, fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(opt.files) == 0 {
		return opt, errors.New("no file named")
	}
	return opt, nil
}

func writeText(w io.Writer, s *Scenario, differences []Difference) error {
	if len(differences) == 0 {
		_, err := fmt.Fprintf(w, "ok %s\n", s.ID)
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "FAIL %s  %s\n", s.ID, s.Title)
	for _, d := range differences {
		fmt.Fprintf(&b, "  %s\n", d)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// line is one line of --json, in the key order of the format.
type line struct {
	Scenario string          `json:"scenario"`
	Attempt  *string         `json:"attempt"`
	Gate     *events.Verdict `json:"gate"`
	Reasons  []string        `json:"reasons"`
	Findings []lineFinding   `json:"findings"`
	Objects  []lineObject    `json:"objects"`
}

type lineFinding struct {
	Rule string      `json:"rule"`
	Kind events.Kind `json:"kind"`
}

type lineObject struct {
	Rule   string      `json:"rule"`
	Object string      `json:"object"`
	Kind   events.Kind `json:"kind"`
}

// WriteJSON writes the lines of one scenario: one for each attempt, then one
// for the objects.
func WriteJSON(w io.Writer, s *Scenario, r *Result) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, a := range r.Attempts {
		l := line{Scenario: s.ID, Attempt: &a.ID, Gate: verdictOrNull(a.Gate), Reasons: orEmpty(slices.Sorted(slices.Values(a.Reasons))), Findings: []lineFinding{}, Objects: []lineObject{}}
		for _, f := range a.Findings {
			l.Findings = append(l.Findings, lineFinding{f.Rule, f.Kind})
		}
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	l := line{Scenario: s.ID, Reasons: []string{}, Findings: []lineFinding{}, Objects: []lineObject{}}
	for _, f := range r.Objects {
		l.Objects = append(l.Objects, lineObject(f))
	}
	return enc.Encode(l)
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
