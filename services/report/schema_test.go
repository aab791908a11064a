package report

import (
	"bytes"
	"encoding"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/assenso/assenso/events"
)

//go:generate go test -count=1 -run ^TestThePublishedSchemaIsThatOfTheReport$ -update .

var updateSchema = flag.Bool("update", false, "write schemas/report.json anew")

const schemaFile = "../../schemas/report.json"

// sources are the packages whose comments explain the fields.
var sources = []string{".", "../rules", "../view", "../../events"}

type schema map[string]any

// drawer makes the JSON Schema of Go types.
type drawer struct {
	defs     schema
	comments map[string]string // Type.Field → what its comment says
}

var asText = reflect.TypeFor[encoding.TextMarshaler]()

func (d *drawer) of(t reflect.Type) schema {
	switch {
	case t == reflect.TypeFor[events.Instant]():
		return schema{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[events.Date]():
		return schema{"type": "string", "pattern": `^([0-9]{4}-[0-9]{2}-[0-9]{2})?$`}
	case t == reflect.TypeFor[events.Digest]():
		return schema{"type": "string", "pattern": "^[0-9a-f]{64}$"}
	case t == reflect.TypeFor[events.ContactKey]():
		return schema{"type": "string", "pattern": "^([0-9a-f]{32})?$"}
	case t.Implements(asText):
		panic("the schema has no words for " + t.String()) // a new type: teach it to this function
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schema{"anyOf": []any{d.of(t.Elem()), schema{"type": "null"}}}
	case reflect.Slice:
		if e := t.Elem(); e.Kind() == reflect.Pointer {
			return schema{"type": "array", "items": d.of(e.Elem())} // no element is null
		}
		return schema{"type": "array", "items": d.of(t.Elem())}
	case reflect.Array:
		return schema{"type": "array", "items": d.of(t.Elem()), "minItems": t.Len(), "maxItems": t.Len()}
	case reflect.Map:
		return schema{"type": "object", "additionalProperties": d.of(t.Elem())}
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Struct:
		d.define(t)
		return schema{"$ref": "#/$defs/" + t.Name()}
	default:
		return schema{"type": "integer"}
	}
}

func (d *drawer) define(t reflect.Type) {
	if d.defs[t.Name()] != nil {
		return
	}
	properties, required := schema{}, []any{}
	def := schema{"type": "object", "properties": properties, "additionalProperties": false}
	d.defs[t.Name()] = def
	if c := d.comments[t.Name()]; c != "" {
		def["description"] = c
	}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" || !f.IsExported() {
			continue
		}
		p := d.of(f.Type)
		if c := d.comments[t.Name()+"."+f.Name]; c != "" {
			p["description"] = c
		}
		properties[name] = p
		if options == "" {
			required = append(required, name)
		}
	}
	if len(required) > 0 {
		def["required"] = required
	}
}

// commentsOf reads what the source says of types and fields.
func commentsOf(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, dir := range sources {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), dir+"/"+e.Name(), nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool { return explain(out, n) })
		}
	}
	return out
}

func explain(out map[string]string, n ast.Node) bool {
	g, ok := n.(*ast.GenDecl)
	if !ok {
		return true
	}
	for _, s := range g.Specs {
		spec, ok := s.(*ast.TypeSpec)
		if !ok {
			continue
		}
		put(out, spec.Name.Name, g.Doc)
		body, ok := spec.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, f := range body.Fields.List {
			for _, name := range f.Names {
				put(out, spec.Name.Name+"."+name.Name, f.Doc)
				put(out, spec.Name.Name+"."+name.Name, f.Comment)
			}
		}
	}
	return false
}

func put(out map[string]string, name string, c *ast.CommentGroup) {
	if text := strings.Join(strings.Fields(c.Text()), " "); text != "" && out[name] == "" {
		out[name] = text
	}
}

func drawSchema(t *testing.T) []byte {
	t.Helper()
	d := &drawer{defs: schema{}, comments: commentsOf(t)}
	root := d.of(reflect.TypeFor[Report]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = "https://assenso.example/schemas/report.json"
	root["title"] = "A campaign's violation report, " + Format
	root["$defs"] = d.defs
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestThePublishedSchemaIsThatOfTheReport(t *testing.T) {
	drawn := drawSchema(t)
	if *updateSchema {
		if err := os.WriteFile(schemaFile, drawn, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(file), string(drawn)); d != "" {
		t.Errorf("schemas/report.json is not that of the report: run go generate ./services/report:\n%s", d)
	}
}

// The forms of a report follow the published schema, which knows no other
// member.
func TestAReportFollowsTheSchema(t *testing.T) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	check := func(r *Report) error {
		var out bytes.Buffer
		if err := r.WriteJSON(&out); err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(&out)
		if err != nil {
			t.Fatal(err)
		}
		return s.Validate(v)
	}
	r := sampleReport(t)
	fill(reflect.ValueOf(r).Elem())
	if err := check(r); err != nil {
		t.Errorf("a report does not follow the schema: %v", err)
	}
	r.Header.Packs = nil
	if err := check(r); err == nil {
		t.Error("a report with a missing list follows the schema")
	}
}

// fill makes empty lists of missing ones, as Build does.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.IsNil() {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
		for i := range v.Len() {
			fill(v.Index(i))
		}
	}
}
