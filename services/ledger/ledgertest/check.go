package ledgertest

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/assenso/assenso/services/ledger"
)

// Books keeps what a test handed in and what it was told, for Check.
type Books struct {
	Entries []ledger.Entry
	Placed  []ledger.Placed
}

// Record appends to log and enters the outcome in the books.
func (b *Books) Record(t testing.TB, log ledger.Appender, entries ...ledger.Entry) []ledger.Placed {
	t.Helper()
	placed, err := log.Append(t.Context(), entries)
	if err != nil {
		t.Fatalf("Append: %v", err)
	}
	if len(placed) != len(entries) {
		t.Fatalf("%d results for %d entries", len(placed), len(entries))
	}
	b.Entries = append(b.Entries, entries...)
	b.Placed = append(b.Placed, placed...)
	return placed
}

// Check verifies the whole state of a log against the books, after every step
// of a test: what was acknowledged lies where the acknowledgement says, with
// its stamp and its very bytes; nothing lies twice; nothing lies there that was
// not handed in; every stamp is readable; reading and following agree.
func Check(t testing.TB, log ledger.Reader, b *Books) {
	t.Helper()
	all := All(t, log)
	if diff := differ(all, Drain(t, log, nil)); diff != "" {
		t.Errorf("Read and Follow disagree: %s", diff)
	}
	known := make(map[string]int, len(b.Entries)) // Head to index: heads hold the id
	for i := range b.Entries {
		known[string(b.Entries[i].Head)] = i
	}
	at := make(map[string]ledger.Record, len(known))
	for s, list := range all {
		for i, r := range list {
			if r.Sequence != ledger.Sequence(i+1) || r.Stream != s {
				t.Fatalf("record %d of %s says it is %s:%d", i+1, s, r.Stream, r.Sequence)
			}
			head := headOf(r.Body)
			if _, ok := known[head]; !ok {
				t.Errorf("%s:%d was never handed in", s, r.Sequence)
			}
			if first, twice := at[head]; twice {
				t.Errorf("%s:%d lies at %s:%d already", s, r.Sequence, first.Stream, first.Sequence)
			}
			at[head] = r
		}
	}
	for i, p := range b.Placed {
		checkPlaced(t, log.Partitions(), &b.Entries[i], p, at)
	}
}

func checkPlaced(t testing.TB, partitions int, e *ledger.Entry, p ledger.Placed, at map[string]ledger.Record) {
	t.Helper()
	if want := ledger.StreamOf(e.Contact, partitions); p.Stream != want {
		t.Errorf("entry placed in %s, want %s", p.Stream, want)
	}
	if p.Err != nil {
		if p.Sequence != 0 || p.RecordedAt != 0 || p.Duplicate {
			t.Errorf("a failed entry bears a place: %+v", p)
		}
		return
	}
	r, ok := at[string(e.Head)]
	if !ok {
		t.Errorf("acknowledged at %s:%d and lost", p.Stream, p.Sequence)
		return
	}
	if r.Stream != p.Stream || r.Sequence != p.Sequence {
		t.Errorf("acknowledged at %s:%d, lies at %s:%d", p.Stream, p.Sequence, r.Stream, r.Sequence)
	}
	if want := e.Stamped(p.RecordedAt); !bytes.Equal(r.Body, want) {
		t.Errorf("stored bytes at %s:%d:\n%s\nwant\n%s", r.Stream, r.Sequence, r.Body, want)
	}
}

// headOf cuts stored bytes before the stamp.
func headOf(body []byte) string {
	const mark = `"recordedtime":"`
	i := bytes.LastIndex(body, []byte(mark))
	if i < 0 {
		return string(body)
	}
	return string(body[:i+len(mark)])
}

// differ names the first difference between two sets of records, "" for none.
func differ(want, got map[ledger.Stream][]ledger.Record) string {
	for s, list := range want {
		if len(list) != len(got[s]) {
			return fmt.Sprintf("%s: %d records, want %d", s, len(got[s]), len(list))
		}
		for i, r := range list {
			if g := got[s][i]; g.Stream != r.Stream || g.Sequence != r.Sequence || !bytes.Equal(g.Body, r.Body) {
				return fmt.Sprintf("%s:%d %s, want %s:%d %s", g.Stream, g.Sequence, g.Body, r.Stream, r.Sequence, r.Body)
			}
		}
	}
	for s, list := range got {
		if len(list) > 0 && len(want[s]) == 0 {
			return fmt.Sprintf("%s: %d records, want none", s, len(list))
		}
	}
	return ""
}
