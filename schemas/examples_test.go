package schemas

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/eventstest"
)

// The worked examples of the contract (events.md 5). Where the page shortens a
// hash, 64 digits stand here.
var examples = []string{
	`{"specversion":"1.0","id":"g-100","source":"crm.a.example","type":"consent.granted.v1","time":"2026-01-10T12:00:00+01:00","controller":"A","sourceseq":41,"data":{"phone":"+393401234567","purposes":["marketing"],"channels":["operator_call"],"notice":{"id":"N-A","version":"3","sha256":"HASH-A"},"source_ref":"https://a.example/form/7","proof":{"kind":"double_opt_in","sha256":"HASH-B","immutable":true,"confirmed_at":"2026-01-10T12:04:00+01:00"},"evidence":{"ip":"192.0.2.7","email":"x@example.org"}}}`,
	`{"specversion":"1.0","id":"w-7","source":"app.a.example","type":"consent.revoked.v1","time":"2026-03-04T09:00:00+01:00","controller":"A","data":{"phone":"3401234567","country":"IT","channels":["sms"],"medium":"app","applied_at":"2026-03-04T09:00:01+01:00"}}`,
	`{"specversion":"1.0","id":"o-12","source":"dialer.p1.example","type":"opposition.registered.v1","time":"2026-03-05T11:02:00+01:00","controller":"A","data":{"phone":"+393401234567","medium":"in_call","received_by":"P1","call":"c-881","refused_at":"2026-03-05T11:02:00+01:00","inserted_at":"2026-03-05T11:02:09+01:00","entry_source":"call","recorded_by":"agent-17"}}`,
	`{"specversion":"1.0","id":"s-9-1","source":"rpo.a.example","type":"register.screened.v1","time":"2026-03-03T18:00:00+01:00","controller":"A","data":{"phone":"+393401234567","batch":"B-9","snapshot_at":"2026-03-03T10:00:00+01:00","answer":"opposed","opposition_date":"2026-02-01"}}`,
	`{"specversion":"1.0","id":"c-881","source":"dialer.p1.example","type":"call.concluded.v1","time":"2026-03-05T11:03:10+01:00","controller":"A","campaign":"K-A","data":{"phone":"+393401234567","dialled_at":"2026-03-05T11:00:00+01:00","answered_at":"2026-03-05T11:00:12+01:00","agent_connected_at":"2026-03-05T11:00:13+01:00","released_at":"2026-03-05T11:03:10+01:00","purpose":"marketing","channel":"operator_call","processor":"P1","cli":"+390844100100","mode":"preview","agent":"agent-17","basis":"consent","batch":"B-9","decision":"d-5512","disposition":"asked_removal","statements":["identity","purpose","origin","rights","notice"]}}`,
	`{"specversion":"1.0","id":"k-3","source":"crm.a.example","type":"contract.concluded.v1","time":"2025-06-16T10:00:00+02:00","controller":"A","data":{"phone":"+393401234567","contract":"C-77","continuous":true,"started_on":"2025-06-16","channel":"web"}}`,
	`{"specversion":"1.0","id":"x-1","source":"crm.a.example","type":"event.corrected.v1","time":"2026-03-11T09:00:00+01:00","controller":"A","data":{"target":{"source":"crm.a.example","id":"g-100"},"action":"void","reason":"wrong number typed"}}`,
	`{"specversion":"1.0","id":"d-5512","source":"gate","type":"decision.issued.v1","time":"2026-03-05T10:59:58+01:00","controller":"A","campaign":"K-A","data":{"phone":"+393401234567","attempt":"c-881","verdict":"warn","reasons":[{"rule":"IT-RPO-02","effect":"warn"}],"pack":"it/2026-03","positions":{"LEDGER_00":412,"LEDGER_REF":17},"expires_at":"2026-03-05T11:00:58+01:00"}}`,
}

// Every example is valid by the contract and by its schema, and its recorded
// form is pinned.
func TestExamples(t *testing.T) {
	var pinned []vector
	for _, raw := range examples {
		body := strings.NewReplacer("HASH-A", strings.Repeat("aa11", 16), "HASH-B", strings.Repeat("bb22", 16)).Replace(raw)
		v := vectorOf(t, []byte(body), 2_113_000_000)
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_, typ, err := events.Peek([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := compile(t, typ).Validate(doc); err != nil {
			t.Errorf("the schema refuses the example of %s: %v", typ, err)
		}
		pinned = append(pinned, v)
	}
	// The first example's recorded form is printed in the contract.
	want := `"data":{"channels":["operator_call"],"evidence_sha256":`
	if !strings.Contains(pinned[0].Recorded, want) || !strings.Contains(pinned[0].Recorded, `"recordedtime":"2026-01-10T11:00:02.113Z"`) || !strings.Contains(pinned[0].Recorded, `"confirmed_at":"2026-01-10T11:04:00.000Z"`) {
		t.Errorf("the recorded form differs from the contract's: %s", pinned[0].Recorded)
	}
	pin(t, "vectors/examples.json", vectorFile{Pepper: string(eventstest.Pepper), Vectors: pinned})
}

// canonicalVector is a JSON text and its RFC 8785 form.
type canonicalVector struct {
	JSON      string `json:"json"`
	Canonical string `json:"canonical"`
}

func TestCanonicalVectors(t *testing.T) {
	var out []canonicalVector
	for _, in := range []string{
		`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`,
		`{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}`,
		`[-0,0.0,1e21,1e20,1e-6,1e-7,9007199254740993,5e-324,1.7976931348623157e308]`,
		`"\u0000\b\t\n\f\r\u001f\u007f\u2028<&>"`,
		`{"b":[{"z":1,"a":{}}],"a":[],"":""}`,
	} {
		c, err := events.CanonicalJSON([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, canonicalVector{in, string(c)})
	}
	pin(t, "vectors/canonical.json", out)
}

// names are the vectors of what is derived from names and numbers.
type names struct {
	Pepper string       `json:"pepper"`
	Keys   []contactKey `json:"contact_keys"`
	Tokens []token      `json:"subject_tokens"`
}

type contactKey struct {
	E164        string            `json:"e164"`
	Subject     events.ContactKey `json:"subject"`
	PartitionOf map[string]int    `json:"partition_of"`
}

type token struct {
	Name  string `json:"name"`
	Token string `json:"token"`
}

func TestNameVectors(t *testing.T) {
	out := names{Pepper: string(eventstest.Pepper)}
	for _, n := range []string{"+393401234567", "+390612345678", "+39800123456", "+441632960001", "+12025550123"} {
		k := eventstest.Key(n)
		out.Keys = append(out.Keys, contactKey{n, k, map[string]int{"4": k.Partition(4), "16": k.Partition(16), "256": k.Partition(256)}})
	}
	for _, s := range []string{"", "_", "A", "Acme-1_b", "crm.a.example", "dialer.p1.example/node-3", "a%b", "a*>b"} {
		back, err := events.ParseSubjectToken(events.SubjectToken(s))
		if err != nil || back != s {
			t.Errorf("%q reads back as %q: %v", s, back, err)
		}
		out.Tokens = append(out.Tokens, token{s, events.SubjectToken(s)})
	}
	pin(t, "vectors/names.json", out)
}

// What is embedded is what lies in the folders.
func TestEmbedded(t *testing.T) {
	for _, name := range []string{"openapi.yaml", "asyncapi.yaml"} {
		raw, err := Doors.ReadFile(name)
		disk, err2 := os.ReadFile(name)
		if err != nil || err2 != nil || !bytes.Equal(raw, disk) || len(raw) == 0 {
			t.Errorf("%s: %v, %v", name, err, err2)
		}
	}
	for folder, fs := range map[string]interface {
		ReadFile(string) ([]byte, error)
	}{"mappings": Mappings, "vectors": Vectors, "events": Events} {
		files, err := os.ReadDir(folder)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", folder, err)
		}
		for _, f := range files {
			raw, err := fs.ReadFile(folder + "/" + f.Name())
			if err != nil || (strings.HasSuffix(f.Name(), ".json") && !json.Valid(raw)) {
				t.Errorf("%s/%s: %v", folder, f.Name(), err)
			}
		}
	}
}
