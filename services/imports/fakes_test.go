package imports

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/assenso/assenso/events"
)

// door is a sink that answers as a server does: by identity and content. Its
// fault, if set, is asked before each batch; "absent" fails without storing,
// "stored" stores and loses the answer, "late" stores and has no receipt yet.
type door struct {
	t      *testing.T
	mu     sync.Mutex
	stored map[events.Identity]string
	sends  int
	most   int
	fault  func(send int) string
	reject func(body map[string]any) []events.Fault
	tell   func(body map[string]any) events.ContactKey // the contact of the receipt
}

func newDoor(t *testing.T) *door { return &door{t: t, stored: map[events.Identity]string{}} }

var errBroken = errors.New("connection broken")

func (d *door) Send(ctx context.Context, batch [][]byte) ([]Outcome, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(batch) == 0 || len(batch) > MaxBatch {
		d.t.Errorf("a batch of %d submissions was sent; the port allows 1 to %d", len(batch), MaxBatch)
	}
	d.sends++
	d.most = max(d.most, len(batch))
	mode := ""
	if d.fault != nil {
		mode = d.fault(d.sends)
	}
	if mode == "absent" {
		return nil, errBroken
	}
	out := make([]Outcome, len(batch))
	for i, body := range batch {
		if bytes.IndexByte(body, '\n') >= 0 {
			d.t.Errorf("submission %d holds a line feed", i)
		}
		if out[i] = d.take(body); mode == "late" && out[i].Result != Rejected {
			out[i] = Outcome{Result: Accepted}
		}
	}
	if mode == "stored" {
		return nil, errBroken
	}
	return out, nil
}

func (d *door) take(body []byte) Outcome {
	var ev map[string]any
	if err := json.Unmarshal(body, &ev); err != nil {
		return Outcome{Result: Rejected, Errors: []events.Fault{{Code: "json_invalid", Hint: "send one JSON object"}}}
	}
	if d.reject != nil {
		if faults := d.reject(ev); faults != nil {
			return Outcome{Result: Rejected, Errors: faults}
		}
	}
	id := events.Identity{}
	id.Source, _ = ev["source"].(string)
	id.ID, _ = ev["id"].(string)
	var contact events.ContactKey
	if d.tell != nil {
		contact = d.tell(ev)
	}
	old, known := d.stored[id]
	if !known {
		d.stored[id] = string(body)
		return Outcome{Result: Recorded, Contact: contact}
	}
	if old != string(body) {
		return Outcome{Result: Conflict, Contact: contact}
	}
	return Outcome{Result: Duplicate, Contact: contact}
}

// phoneFault rejects what bears a number with a letter in it.
func phoneFault(ev map[string]any) []events.Fault {
	data, _ := ev["data"].(map[string]any)
	phone, _ := data["phone"].(string)
	if strings.Trim(phone, "+0123456789") != "" || phone == "" {
		return []events.Fault{{Code: "phone_invalid", Field: "data.phone", Hint: "send E.164, or national format with a country"}}
	}
	return nil
}

// normalise stands for the services' normaliser.
func normalise(phone, _ string) (events.Phone, string) {
	if !strings.HasPrefix(phone, "+") || strings.Trim(phone[1:], "0123456789") != "" {
		return events.Phone{}, "phone_invalid"
	}
	return events.NewPhone(phone, events.LineMobile), ""
}

const rowsMapping = `version: 1
type: list.contact_added
source: crm.a.example
id: "{code}"
csv: {delimiter: ";"}
constants:
  controller: A
  data.list: L-A
columns:
  - {column: Number, field: data.phone}
  - {column: Added, field: time, formats: ["DD/MM/YYYY HH:mm", "YYYY-MM-DD HH:mm"]}
  - {column: Origin, field: data.source}
  - {column: Got, field: data.acquired_on, formats: [DD/MM/YYYY]}
`

func mapping(t *testing.T, text string) *Mapping {
	t.Helper()
	m, err := ParseMapping("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func gz(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func run(t *testing.T, o Options) Summary {
	t.Helper()
	sum, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}
