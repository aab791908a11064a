package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/feed"
)

// record is one stored event.
type record struct {
	place
	body []byte
}

// audit is what the ledger holds.
type audit struct {
	events   int
	copies   int // of one identity and payload beyond the first: readers skip them
	calls    map[string]int
	answers  map[string]bool // of the gate, by the id of the decision
	contacts map[events.ContactKey][]*contact.Fact
	faults   []string
}

func (a *audit) fault(format string, args ...any) {
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

// check holds the ledger, each stream in its order, against what was sent and
// acknowledged.
func (b *book) check(records []record) *audit {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := &audit{calls: map[string]int{}, answers: map[string]bool{}, contacts: map[events.ContactKey][]*contact.Fact{}}
	holds := map[place]events.Identity{}
	marks := map[events.Identity]map[string]bool{}
	latest := map[string]events.Instant{}
	for _, r := range records {
		a.events++
		e, digest, mark, err := read(r.body)
		if err != nil {
			a.fault("%s %d: %v", r.stream, r.sequence, err)
			continue
		}
		id := e.Identity()
		holds[r.place] = id
		sent := b.entries[id]
		if _, known := marksOf(sent)[mark]; !known && !own(&e) {
			a.fault("%s %d holds %s (%q), which nobody sent", r.stream, r.sequence, name(id), mark)
			continue
		}
		if e.Type == events.TypeDecisionIssued {
			a.answers[e.ID] = true
		}
		if marks[id] == nil {
			marks[id] = map[string]bool{}
			if e.Type == events.TypeCallConcluded {
				a.calls[e.Campaign]++
			}
		}
		if marks[id][mark] {
			a.copies++
		}
		marks[id][mark] = true
		latest[r.stream] = max(latest[r.stream], e.Recorded)
		e.Recorded = latest[r.stream]
		a.contacts[e.Subject] = append(a.contacts[e.Subject], contact.NewFact(e, digest, r.body, r.stream, r.sequence))
	}
	b.missing(a, holds, marks)
	return a
}

// own reports whether the house itself says an event: answers of the gate and
// what dialers acknowledged.
func own(e *events.Event) bool {
	return e.Source == events.GateSource && e.Type == events.TypeDecisionIssued ||
		e.Source == feed.Source && e.Type == events.TypeSuppressionAcknowledged
}

// unrecorded lists the answers of the gate that the ledger lacks.
func (a *audit) unrecorded(all dialers) (faults []string) {
	for _, d := range all {
		for i := range d.receipts {
			if id := d.receipts[i].Decision; !a.answers[id] {
				faults = append(faults, fmt.Sprintf("the gate's answer %s is not in the ledger", id))
			}
		}
	}
	return faults
}

func marksOf(e *entry) map[string]bool {
	if e == nil {
		return nil
	}
	return e.variants
}

// missing notes what was acknowledged and is not where it should be.
func (b *book) missing(a *audit, holds map[place]events.Identity, marks map[events.Identity]map[string]bool) {
	for id, e := range b.entries {
		for mark, acknowledged := range e.variants {
			if acknowledged && !marks[id][mark] {
				a.fault("%s (%q) was acknowledged and is not in the ledger", name(id), mark)
			}
		}
		for at := range e.places {
			if holds[at] != id {
				a.fault("the receipt of %s names %s %d, which holds %s", name(id), at.stream, at.sequence, name(holds[at]))
			}
		}
	}
}

// read decodes a stored event, its payload digest and its mark.
func read(body []byte) (e events.Event, digest events.Digest, mark string, err error) {
	if e, err = codec.Decode(body); err != nil {
		return e, digest, "", fmt.Errorf("decode: %w", err)
	}
	if digest, err = codec.Digest(body); err != nil {
		return e, digest, "", fmt.Errorf("digest: %w", err)
	}
	var noted struct {
		Data struct {
			Note string `json:"note"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &noted); err != nil {
		return e, digest, "", fmt.Errorf("read note: %w", err)
	}
	return e, digest, noted.Data.Note, nil
}

// states folds the ledger, contact by contact, as of an instant.
func (a *audit) states(until events.Instant) (map[string]string, error) {
	folded := map[string]string{}
	for key, facts := range a.contacts {
		if key.IsZero() {
			continue
		}
		state, err := json.Marshal(contact.Fold(contact.View(contact.NewHistory(key, facts), contact.AsOf(until))))
		if err != nil {
			return nil, fmt.Errorf("encode state: %w", err)
		}
		folded[key.String()] = string(state)
	}
	return folded, nil
}

// differences names the keys at which two answers differ.
func differences[K cmp.Ordered](what string, want, got map[K]string) []string {
	var faults []string
	for k, w := range want {
		switch g, there := got[k]; {
		case !there:
			faults = append(faults, fmt.Sprintf("%s of %v is missing", what, k))
		case g != w:
			faults = append(faults, fmt.Sprintf("%s of %v differs from byte %d on", what, k, firstDifference(w, g)))
		}
	}
	for k := range got {
		if _, there := want[k]; !there {
			faults = append(faults, fmt.Sprintf("%s of %v is there and should not be", what, k))
		}
	}
	slices.Sort(faults)
	return faults
}

func firstDifference(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
