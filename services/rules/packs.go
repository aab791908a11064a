package rules

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Packs is the law of all times: parameters by day, calendar, catalogue. It is
// immutable and safe for concurrent use.
type Packs struct {
	byDay      []*Pack // ascending From; the first has none
	catalogue  []Rule
	byID       map[string]*Rule
	parameters []Parameter
}

// Parameter is one dated value, for pages that explain a pack. The days are
// inclusive; zero = unbounded.
type Parameter struct {
	Name   string      `json:"name"`
	Value  string      `json:"value"`
	From   events.Date `json:"from,omitzero"`
	To     events.Date `json:"to,omitzero"`
	Source string      `json:"source"`
	Tag    string      `json:"tag"` // V, P, U, contested, policy
}

// PackError says what is wrong with a pack file, and on which line.
type PackError struct {
	File   string
	Line   int // 1-based; 0 when it is the file as a whole
	Reason string
}

// Error implements error.
func (e *PackError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("load rule pack: %s: %s", e.File, e.Reason)
	}
	return fmt.Sprintf("load rule pack: %s line %d: %s", e.File, e.Line, e.Reason)
}

// LoadPacks reads parameters.yaml, calendar.yaml and catalogue.yaml from the
// root of files and checks them; every error is a PackError, all of one file
// are joined. A program must not start with a pack that does not load.
func LoadPacks(files fs.FS) (*Packs, error) { return load(files, nil) }

// Draft is a parameters file that is laid over a pack: each parameter that it
// names has the draft's dated values instead of the pack's.
type Draft struct {
	// Name stands for the file in errors.
	Name string
	Text []byte
}

// LoadDraft reads the packs of files with a draft laid over them. Errors are
// those of LoadPacks; what is wrong with the draft bears its name and line.
func LoadDraft(files fs.FS, d Draft) (*Packs, error) { return load(files, &d) }

func load(files fs.FS, draft *Draft) (*Packs, error) {
	cal, err := loadCalendar(files)
	if err != nil {
		return nil, err
	}
	p := &Packs{byID: map[string]*Rule{}}
	if err := p.loadParameters(files, cal, draft); err != nil {
		return nil, err
	}
	if p.catalogue, err = loadCatalogue(files); err != nil {
		return nil, err
	}
	for i := range p.catalogue {
		p.byID[p.catalogue[i].ID] = &p.catalogue[i]
	}
	return p, nil
}

// At returns the pack of the civil day of t in Rome.
func (p *Packs) At(t events.Instant) *Pack { return p.on(events.DateOf(t, events.Rome)) }

func (p *Packs) on(day events.Date) *Pack {
	i, found := slices.BinarySearchFunc(p.byDay, day, func(k *Pack, d events.Date) int { return cmp.Compare(k.From, d) })
	if !found {
		i--
	}
	return p.byDay[i]
}

// Rules returns the catalogue in the order of rules.md.
func (p *Packs) Rules() []Rule { return slices.Clone(p.catalogue) }

// Rule returns one rule of the catalogue; ok is false for an unknown id.
func (p *Packs) Rule(id string) (Rule, bool) {
	r, ok := p.byID[id]
	if !ok {
		return Rule{}, false
	}
	return *r, true
}

// Parameters returns every dated value, sorted by name, then date.
func (p *Packs) Parameters() []Parameter { return slices.Clone(p.parameters) }

// Days returns the first day of every pack but the oldest, ascending.
func (p *Packs) Days() []events.Date {
	out := make([]events.Date, 0, len(p.byDay))
	for _, k := range p.byDay[1:] {
		out = append(out, k.From)
	}
	return out
}

// located is a YAML node that remembers its line.
type located[T any] struct {
	Value T
	Line  int
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (l *located[T]) UnmarshalYAML(node ast.Node) error {
	if tok := node.GetToken(); tok != nil {
		l.Line = tok.Position.Line
	}
	return yaml.NodeToValue(node, &l.Value, yaml.Strict())
}

type datedValue struct {
	Value  any    `yaml:"value"`
	From   string `yaml:"from"`
	To     string `yaml:"to"`
	Tag    string `yaml:"tag"`
	Source string `yaml:"source"`
}

var tags = []string{"V", "P", "U", "contested", "policy"}

// readYAML decodes one file strictly.
func readYAML(files fs.FS, name string, into any) error {
	b, err := fs.ReadFile(files, name)
	if err != nil {
		return &PackError{File: name, Reason: "cannot be read: " + err.Error()}
	}
	return decodeYAML(name, b, into)
}

func decodeYAML(name string, b []byte, into any) error {
	if err := yaml.UnmarshalWithOptions(b, into, yaml.Strict()); err != nil {
		line := 0
		var y yaml.Error
		if errors.As(err, &y) && y.GetToken() != nil {
			line = y.GetToken().Position.Line
			return &PackError{File: name, Line: line, Reason: y.GetMessage()}
		}
		return &PackError{File: name, Line: line, Reason: err.Error()}
	}
	return nil
}

// parametersFile is the form of parameters.yaml and of a draft.
type parametersFile struct {
	Pack       string                           `yaml:"pack"`
	Parameters map[string][]located[datedValue] `yaml:"parameters"`
}

func (p *Packs) loadParameters(files fs.FS, cal *calendar, draft *Draft) error {
	const name = "parameters.yaml"
	var file, over parametersFile
	if err := readYAML(files, name, &file); err != nil {
		return err
	}
	if draft != nil {
		if err := decodeYAML(draft.Name, draft.Text, &over); err != nil {
			return err
		}
		if len(over.Parameters) == 0 {
			return &PackError{File: draft.Name, Reason: "parameters: none is named; write those that are to change"}
		}
		maps.Copy(file.Parameters, over.Parameters)
		file.Pack = cmp.Or(over.Pack, file.Pack+"-draft")
	}
	var errs []error
	fail := func(param string, line int, format string, args ...any) {
		where := name
		if _, ok := over.Parameters[param]; ok {
			where = draft.Name
		}
		errs = append(errs, &PackError{where, line, fmt.Sprintf(format, args...)})
	}
	if file.Pack == "" {
		fail("", 0, "pack: name missing")
	}
	days := map[events.Date]bool{0: true}
	for _, param := range slices.Sorted(maps.Keys(file.Parameters)) {
		values := file.Parameters[param]
		if parameterTable[param] == nil {
			fail(param, firstLine(values), "%s: no such parameter", param)
			continue
		}
		for _, v := range p.checkDates(param, values, fail) {
			days[v.From] = true
			if d, err := events.ParseDate(v.Value); err == nil {
				days[d] = true // the law changes on that day
			}
			p.parameters = append(p.parameters, v)
		}
	}
	for param := range parameterTable {
		if len(file.Parameters[param]) == 0 {
			fail(param, 0, "%s: parameter missing", param)
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	for _, day := range slices.Sorted(maps.Keys(days)) {
		k, err := p.packOf(file.Pack, day, file.Parameters, cal)
		if err != nil {
			return err
		}
		p.byDay = append(p.byDay, k)
	}
	return nil
}

func firstLine(values []located[datedValue]) int {
	if len(values) == 0 {
		return 0
	}
	return values[0].Line
}

// checkDates checks the values of one parameter and returns them read.
func (p *Packs) checkDates(param string, values []located[datedValue], fail func(string, int, string, ...any)) []Parameter {
	var out []Parameter
	next := events.Date(0)
	for i, v := range values {
		d := Parameter{Name: param, Value: fmt.Sprint(v.Value.Value), Source: v.Value.Source, Tag: v.Value.Tag}
		var err, err2 error
		if v.Value.From != "" {
			d.From, err = events.ParseDate(v.Value.From)
		}
		if v.Value.To != "" {
			d.To, err2 = events.ParseDate(v.Value.To)
		}
		switch {
		case err != nil || err2 != nil:
			fail(param, v.Line, `%s: from and to must be quoted dates "YYYY-MM-DD"`, param)
		case d.From != next:
			fail(param, v.Line, "%s: must begin where the value before it ends (%s)", param, orEver(next))
		case d.To != 0 && d.To < d.From:
			fail(param, v.Line, "%s: to lies before from", param)
		case (d.To == 0) != (i == len(values)-1):
			fail(param, v.Line, "%s: exactly the last value has no end", param)
		case !slices.Contains(tags, d.Tag):
			fail(param, v.Line, "%s: tag must be one of V, P, U, contested, policy", param)
		case d.Source == "":
			fail(param, v.Line, "%s: source missing", param)
		}
		if err := new(Pack).set(param, v.Value.Value); err != nil {
			fail(param, v.Line, "%s: value: %v", param, err)
		}
		next = d.To + 1
		out = append(out, d)
	}
	return out
}

func orEver(d events.Date) string {
	if d == 0 {
		return "no from"
	}
	return d.String()
}

// packOf collects the values valid on a day.
func (p *Packs) packOf(name string, day events.Date, all map[string][]located[datedValue], cal *calendar) (*Pack, error) {
	k := &Pack{Name: name + "/initial", From: day, calendar: cal}
	if day != 0 {
		y, m, _ := day.Civil()
		k.Name = fmt.Sprintf("%s/%04d-%02d", name, y, int(m))
	}
	for _, v := range p.parameters {
		if v.From > day || (v.To != 0 && v.To < day) {
			continue
		}
		for _, raw := range all[v.Name] {
			if raw.Value.From != v.From.String() {
				continue
			}
			if err := k.set(v.Name, raw.Value.Value); err != nil {
				return nil, &PackError{"parameters.yaml", raw.Line, v.Name + ": value: " + err.Error()}
			}
		}
	}
	return k, nil
}
