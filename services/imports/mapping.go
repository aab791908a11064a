package imports

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	_ "time/tzdata" // local times of a file need the zones

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/assenso/assenso/events"
)

// ErrMapping is wrapped by every error of a mapping file.
var ErrMapping = errors.New("mapping")

// Mapping says how a row becomes a submission. It is made by ParseMapping and
// does not change afterwards.
type Mapping struct {
	Name string // of the file, for messages

	info   *events.TypeInfo
	source string
	zone   *time.Location
	csv    csvSettings
	sheet  string
	id     template
	fixed  []constant
	fields []field
	digest string
}

// Type is the type of the events that the mapping makes.
func (m *Mapping) Type() events.Type { return m.info.Type }

// mappingFile is the YAML form; see schemas/mappings for commented examples.
type mappingFile struct {
	Version   int            `yaml:"version"`
	Type      string         `yaml:"type"`
	Source    string         `yaml:"source"`
	Timezone  string         `yaml:"timezone"`
	ID        string         `yaml:"id"`
	CSV       csvFile        `yaml:"csv"`
	XLSX      xlsxFile       `yaml:"xlsx"`
	Constants map[string]any `yaml:"constants"`
	Columns   []columnFile   `yaml:"columns"`
}

type csvFile struct {
	Delimiter string `yaml:"delimiter"`
	Encoding  string `yaml:"encoding"`
}

type xlsxFile struct {
	Sheet string `yaml:"sheet"`
}

type columnFile struct {
	Column    string            `yaml:"column"`
	Field     string            `yaml:"field"`
	Formats   []string          `yaml:"formats"`
	Separator string            `yaml:"separator"`
	Decimal   string            `yaml:"decimal"`
	Default   string            `yaml:"default"`
	Values    map[string]string `yaml:"values"`
	Strict    bool              `yaml:"strict"`
	Optional  bool              `yaml:"optional"`
}

type constant struct {
	path  []string
	value any
}

// field fills one target from one column.
type field struct {
	column  string // normalised header
	title   string // as written in the mapping
	target  string
	path    []string
	kind    kind
	layouts []layout
	sep     string
	decimal string
	empty   string
	values  map[string]string
	strict  bool
	// optional: the file may lack the column; then no row fills the field.
	optional bool
}

// ReadMapping reads and checks a mapping file. Errors wrap ErrMapping and name
// file and line.
func ReadMapping(path string) (*Mapping, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("imports read mapping: %w", err)
	}
	return ParseMapping(filepath.Base(path), text)
}

// ParseMapping checks the text of a mapping file; name appears in errors.
// Unknown keys, fields that the event type does not have, and values that do
// not fit their field are errors, each with its line; all are reported together.
func ParseMapping(name string, text []byte) (*Mapping, error) {
	return ParseMappingWith(name, text, nil)
}

// ParseMappingWith is ParseMapping with constants that the file need not hold;
// they win over those that it does.
func ParseMappingWith(name string, text []byte, constants map[string]string) (*Mapping, error) {
	var in mappingFile
	if err := yaml.UnmarshalWithOptions(text, &in, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("imports read mapping: %w %s: %s", ErrMapping, name, yaml.FormatError(err, false, false))
	}
	digest := digestHex(text)
	for _, target := range sortedKeys(constants) {
		if in.Constants == nil {
			in.Constants = map[string]any{}
		}
		in.Constants[target] = constants[target]
		digest = digestHex([]byte(digest + "\n" + target + "=" + constants[target]))
	}
	c := &mappingCheck{name: name, m: &Mapping{Name: name, digest: digest}}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, fmt.Errorf("imports read mapping: %w %s: %s", ErrMapping, name, yaml.FormatError(err, false, false))
	}
	c.file = file
	c.head(&in)
	if c.m.info != nil {
		c.constants(&in)
		c.columns(&in)
		c.completeness(&in)
	}
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	return c.m, nil
}

// mappingCheck gathers the errors of one mapping file.
type mappingCheck struct {
	name string
	file *ast.File
	m    *Mapping
	errs []error
}

// fail notes an error at the YAML path, or at the file when it is not there.
func (c *mappingCheck) fail(path, format string, args ...any) {
	line := 1
	if p, err := yaml.PathString(path); err == nil {
		if n, err := p.FilterFile(c.file); err == nil && n != nil && n.GetToken() != nil {
			line = n.GetToken().Position.Line
		}
	}
	c.errs = append(c.errs, fmt.Errorf("imports read mapping: %w %s:%d: %s", ErrMapping, c.name, line, fmt.Sprintf(format, args...)))
}

func (c *mappingCheck) head(in *mappingFile) {
	if in.Version != 1 {
		c.fail("$.version", "version %d is not known: write version: 1", in.Version)
	}
	typ := in.Type
	info, ok := events.Type(typ).Info()
	if !ok {
		info, ok = events.Type(typ + ".v1").Info()
	}
	if !ok {
		c.fail("$.type", "type %q is not in the contract: write one such as call.concluded.v1", typ)
	}
	c.m.info = info
	zone := in.Timezone
	if zone == "" {
		zone = "Europe/Rome"
	}
	loc, err := time.LoadLocation(zone)
	if err != nil || strings.EqualFold(zone, "local") {
		c.fail("$.timezone", "time zone %q is not known: write an IANA name such as Europe/Rome", zone)
		loc = time.UTC
	}
	c.m.zone, c.m.source, c.m.sheet = loc, in.Source, in.XLSX.Sheet
	if c.m.csv, err = in.CSV.settings(); err != nil {
		c.fail("$.csv", "%v", err)
	}
	id := in.ID
	if id == "" {
		id = "{hash}"
	}
	if c.m.id, err = parseTemplate(id); err != nil {
		c.fail("$.id", "%v", err)
	}
}

func (c *mappingCheck) constants(in *mappingFile) {
	for _, target := range sortedKeys(in.Constants) {
		at := "$.constants.'" + target + "'"
		k, ok := fieldKind(c.m.info, target)
		if !ok {
			c.fail("$.constants", "%q is no field of %s that a file can set", target, c.m.info.Type)
			continue
		}
		v, err := fixedValue(in.Constants[target], field{kind: k, sep: "|", layouts: defaultLayouts(k)}, c.m.zone)
		if err != nil {
			c.fail(at, "constant %s: %v", target, err)
			continue
		}
		c.m.fixed = append(c.m.fixed, constant{strings.Split(target, "."), v})
	}
}

func (c *mappingCheck) columns(in *mappingFile) {
	taken := map[string]bool{}
	for target := range in.Constants {
		taken[target] = true
	}
	for i, col := range in.Columns {
		at := fmt.Sprintf("$.columns[%d]", i)
		k, ok := fieldKind(c.m.info, col.Field)
		switch {
		case strings.TrimSpace(col.Column) == "":
			c.fail(at, "column is missing: name the column of the file that fills %q", col.Field)
			continue
		case !ok:
			c.fail(at+".field", "%q is no field of %s that a file can set", col.Field, c.m.info.Type)
			continue
		case k == kindObject:
			c.fail(at+".field", "%s is an object: map its members, for example %s.id", col.Field, col.Field)
			continue
		case taken[col.Field]:
			c.fail(at+".field", "%s is filled twice", col.Field)
			continue
		}
		taken[col.Field] = true
		f := field{column: headerKey(col.Column), title: col.Column, target: col.Field, path: strings.Split(col.Field, "."), kind: k,
			sep: col.Separator, decimal: col.Decimal, empty: col.Default, values: col.Values, strict: col.Strict, optional: col.Optional}
		if f.sep == "" {
			f.sep = "|"
		}
		var err error
		if f.layouts, err = parseLayouts(k, col.Formats); err != nil {
			c.fail(at+".formats", "%v", err)
		}
		c.m.fields = append(c.m.fields, f)
	}
	for path := range taken {
		for other := range taken {
			if strings.HasPrefix(other, path+".") {
				c.fail("$.columns", "%s and its member %s are both filled", path, other)
			}
		}
	}
}

// completeness finds what every row would be rejected for.
func (c *mappingCheck) completeness(in *mappingFile) {
	has := func(target string) bool {
		if _, ok := in.Constants[target]; ok {
			return true
		}
		for _, f := range in.Columns {
			if f.Field == target {
				return true
			}
		}
		return false
	}
	if in.Source == "" && !has("source") {
		c.fail("$.type", "source is missing: name the publishing system")
	}
	if in.Source != "" && has("source") {
		c.fail("$.source", "source is given twice")
	}
	if c.m.info.Controller == events.Required && !has("controller") {
		c.fail("$.type", "%s needs a controller: give it as a constant or a column", c.m.info.Type)
	}
	if c.m.info.Campaign == events.Required && !has("campaign") {
		c.fail("$.type", "%s needs a campaign: give it as a constant or a column", c.m.info.Type)
	}
	if c.m.info.Contact == events.Required && !has("data.phone") {
		c.fail("$.type", "%s needs data.phone: map the column of the number", c.m.info.Type)
	}
	for _, p := range c.m.id {
		for _, f := range c.m.fields {
			if p.column == f.column && (f.target == "data.phone" || strings.HasPrefix(f.target, "data.evidence.")) {
				c.fail("$.id", "the id is kept in the log for ever and may not hold %s: use another column, or {hash}", f.target)
			}
		}
	}
	if !has("time") && c.m.info.Type != events.TypeCallConcluded {
		c.fail("$.type", "%s needs a time: map a column or give it as a constant", c.m.info.Type)
	}
}
