package gateway

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write schemas/openapi.yaml anew")

// checkedIn is the description that others read without running anything.
var checkedIn = filepath.Join("..", "..", "schemas", "openapi.yaml")

func TestTheServedDescriptionIsTheCheckedInOne(t *testing.T) {
	b := start(t, func(c *Config) { c.Version = "1" })
	status, _, served := b.get(t, "/openapi.yaml")
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	if *update {
		if err := os.WriteFile(checkedIn, served, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(checkedIn)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(file), string(served)); d != "" {
		t.Errorf("schemas/openapi.yaml differs from what is served; explain the difference, then run go test ./gateway -update:\n%s", d)
	}
}

// document is as much of OpenAPI 3.1 as the checks below need.
type document struct {
	OpenAPI string `json:"openapi"`
	Info    struct{ Title, Version string }
	Paths   map[string]map[string]struct {
		OperationID string `json:"operationId"`
		Summary     string
		Responses   map[string]struct {
			Description string
			Content     map[string]json.RawMessage
		}
		Parameters []struct {
			Name, In string
			Required bool
		}
	}
	Components struct{ Schemas map[string]json.RawMessage }
}

func TestTheDescriptionIsSoundOpenAPI31(t *testing.T) {
	b := start(t, nil)
	_, _, served := b.get(t, "/openapi.json")
	doc := decode[document](t, served)
	if doc.OpenAPI != "3.1.0" && !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("version %s", doc.OpenAPI)
	}
	seen := map[string]bool{}
	for path, ops := range doc.Paths {
		for method, op := range ops {
			if op.OperationID == "" || op.Summary == "" || seen[op.OperationID] {
				t.Errorf("%s %s: operation id %q and summary %q must be there, the id once", method, path, op.OperationID, op.Summary)
			}
			seen[op.OperationID] = true
			for _, param := range op.Parameters {
				if strings.Contains(param.Name, "phone") || strings.Contains(param.Name, "number") {
					t.Errorf("%s %s takes %s in its %s: a number travels in a body", method, path, param.Name, param.In)
				}
				if param.In == "path" && (!param.Required || !strings.Contains(path, "{"+param.Name+"}")) {
					t.Errorf("%s %s: path parameter %s", method, path, param.Name)
				}
			}
			for status, resp := range op.Responses {
				if status[0] != '2' && resp.Content["application/problem+json"] == nil && path != "/readyz" {
					t.Errorf("%s %s answers %s without a problem document", method, path, status)
				}
			}
		}
	}
	if len(seen) < 13 {
		t.Errorf("%d operations described: %v", len(seen), seen)
	}
	references(t, served, doc)
	schemasCompile(t, served, doc)
}

// schemasCompile checks every component as JSON Schema 2020-12, the dialect of
// OpenAPI 3.1.
func schemasCompile(t *testing.T, served []byte, doc document) {
	t.Helper()
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(served))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("openapi.json", whole); err != nil {
		t.Fatal(err)
	}
	for name := range doc.Components.Schemas {
		if _, err := c.Compile("openapi.json#/components/schemas/" + name); err != nil {
			t.Errorf("schema %s: %v", name, err)
		}
	}
}

// references checks that every $ref leads somewhere.
func references(t *testing.T, served []byte, doc document) {
	t.Helper()
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				if name := strings.TrimPrefix(ref, "#/components/schemas/"); doc.Components.Schemas[name] == nil {
					t.Errorf("reference %s leads nowhere", ref)
				}
			}
			for _, child := range v {
				walk(child)
			}
		case []any:
			for _, child := range v {
				walk(child)
			}
		}
	}
	walk(decode[any](t, served))
}
