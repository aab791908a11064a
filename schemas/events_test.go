package schemas

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/eventstest"
)

var update = flag.Bool("update", false, "rewrite the generated schemas")

const base = "https://assenso.example/schemas/events/"

// schemaOf renders the contract's table of a type as a JSON Schema of its
// submissions.
func schemaOf(info events.TypeInfo) map[string]any {
	data := objectOf(info.Type.Fields())
	props := data["properties"].(map[string]any)
	required, _ := data["required"].([]string)
	if info.Contact != events.Absent {
		props["phone"] = map[string]any{"type": "string", "description": "E.164, or national format with country"}
		props["country"] = map[string]any{"type": "string", "pattern": "^[A-Z]{2}$"}
	}
	if info.Contact == events.Required {
		required = append(required, "phone")
	}
	props["evidence"] = map[string]any{"type": "object", "description": "personal data of the proof; goes to the vault, never to the log"}
	if len(required) > 0 {
		data["required"] = required
	}
	envelope := map[string]any{
		"specversion":     map[string]any{"const": "1.0"},
		"id":              map[string]any{"type": "string", "minLength": 1, "maxLength": 128},
		"source":          map[string]any{"type": "string", "format": "uri-reference", "minLength": 1, "maxLength": 256},
		"type":            map[string]any{"const": string(info.Type)},
		"datacontenttype": map[string]any{"const": "application/json"},
		"time":            map[string]any{"type": "string", "format": "date-time"},
		"receivedtime":    map[string]any{"type": "string", "format": "date-time"},
		"controller":      map[string]any{"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"},
		"campaign":        map[string]any{"type": "string", "minLength": 1, "maxLength": 64},
		"sourceseq":       map[string]any{"type": "integer", "minimum": 1},
		"data":            data,
	}
	need := []string{"specversion", "id", "source", "type", "time", "data"}
	if info.Controller == events.Required {
		need = append(need, "controller")
	}
	if info.Campaign == events.Required {
		need = append(need, "campaign")
	}
	return map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": base + string(info.Type) + ".json",
		"title": string(info.Type), "description": "Submission of the family " + string(info.Family) + ".",
		"type": "object", "properties": envelope, "required": need,
	}
}

func objectOf(fields []events.Field) map[string]any {
	props := map[string]any{}
	var required []string
	for _, f := range fields {
		props[f.Name] = fieldOf(f)
		if f.Required || f.Grant {
			required = append(required, f.Name)
		}
	}
	out := map[string]any{"type": "object", "properties": props}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func listOf(item any) map[string]any { return map[string]any{"type": "array", "items": item} }

func fieldOf(f events.Field) map[string]any {
	text := func(kv ...any) map[string]any {
		m := map[string]any{"type": "string"}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i].(string)] = kv[i+1]
		}
		return m
	}
	cli := text("pattern", `^(\+[1-9][0-9]{7,14}|[0-9]{3})$`)
	switch f.Kind {
	case events.KindBool:
		return map[string]any{"type": "boolean"}
	case events.KindInt:
		return map[string]any{"type": "integer", "minimum": f.Min}
	case events.KindInstant:
		return text("format", "date-time")
	case events.KindDate:
		return text("format", "date")
	case events.KindHash:
		return text("pattern", "^[0-9a-f]{64}$")
	case events.KindEnum:
		return map[string]any{"enum": events.ClosedSets[f.Set]}
	case events.KindEnums:
		return listOf(map[string]any{"enum": events.ClosedSets[f.Set]})
	case events.KindScope:
		return scopeOf(f)
	case events.KindStrings:
		return listOf(text("minLength", 1))
	case events.KindNames:
		return listOf(text("pattern", "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))
	case events.KindName:
		return text("pattern", "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
	case events.KindCountry:
		return text("pattern", "^[A-Z]{2}$")
	case events.KindCountries:
		return listOf(text("pattern", "^[A-Z]{2}$"))
	case events.KindNumbers:
		return listOf(cli)
	case events.KindNumber:
		return cli
	case events.KindCLI:
		return map[string]any{"oneOf": []any{map[string]any{"type": "null"}, cli}}
	case events.KindObject:
		return objectOf(f.Fields)
	case events.KindObjects:
		return listOf(objectOf(f.Fields))
	case events.KindPositions:
		return map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "integer", "minimum": 0}}
	case events.KindFree:
		return map[string]any{"type": "object"}
	}
	if f.Required {
		return text("minLength", 1)
	}
	return text()
}

func scopeOf(f events.Field) map[string]any {
	set := events.ClosedSets[f.Set]
	if f.Star {
		set = append(append([]string{}, set...), "*")
	}
	out := listOf(map[string]any{"enum": set})
	if f.Grant {
		out["minItems"] = 1
	}
	return out
}

func TestSchemasMatchContract(t *testing.T) {
	for _, info := range events.Types {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(schemaOf(info)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("events", string(info.Type)+".json")
		if *update {
			if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(have, buf.Bytes()) {
			t.Errorf("%s differs from the contract (%v): run go test -update", path, err)
		}
	}
	files, err := os.ReadDir("events")
	if err != nil || len(files) != len(events.Types) {
		t.Errorf("events/ holds %d files for %d types: %v", len(files), len(events.Types), err)
	}
}

func compile(t *testing.T, typ events.Type) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	raw, err := Events.ReadFile("events/" + string(typ) + ".json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource(base+string(typ)+".json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(base + string(typ) + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A submission that the contract accepts is valid by its schema; one that lacks
// a required field is refused by both.
func TestSchemasAgreeWithValidation(t *testing.T) {
	gen := eventstest.NewGenerator(7)
	for _, info := range events.Types {
		schema := compile(t, info.Type)
		for range 20 {
			body := gen.Submission(info.Type)
			if _, faults := events.Validate(body, events.ValidateOptions{Normalise: eventstest.Normalise}); len(faults) > 0 {
				t.Fatalf("%s: the contract refuses a generated submission: %v\n%s", info.Type, faults, body)
			}
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(doc); err != nil {
				t.Fatalf("%s: the schema refuses what the contract accepts: %v\n%s", info.Type, err, body)
			}
			lack(t, info, schema, doc.(map[string]any))
		}
	}
}

func lack(t *testing.T, info events.TypeInfo, schema *jsonschema.Schema, doc map[string]any) {
	t.Helper()
	data := doc["data"].(map[string]any)
	for _, f := range info.Type.Fields() {
		if !f.Required && !f.Grant {
			continue
		}
		kept := data[f.Name]
		delete(data, f.Name)
		body, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		_, faults := events.Validate(body, events.ValidateOptions{Normalise: eventstest.Normalise})
		if len(faults) == 0 || !strings.HasSuffix(faults[0].Code, "_missing") {
			t.Errorf("%s without %s: the contract says %v", info.Type, f.Name, faults)
		}
		if schema.Validate(doc) == nil {
			t.Errorf("%s without %s: the schema accepts it", info.Type, f.Name)
		}
		data[f.Name] = kept
	}
}
