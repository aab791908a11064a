package main

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/assenso/assenso/events"
)

// place is where a receipt said that an event lies.
type place struct {
	stream   string
	sequence uint64
}

// entry is what is known of one identity that was sent.
type entry struct {
	variants map[string]bool // marks that were sent; true = acknowledged
	places   map[place]bool  // where receipts said that variants lie
}

// book is what the senders know: everything sent, and what was acknowledged
// how. It is what the ledger is held against.
type book struct {
	mu      sync.Mutex
	entries map[events.Identity]*entry
	numbers map[string]bool // whom the events are about
	results map[string]int
	acks    int // variants acknowledged
	resent  int
}

func newBook() *book {
	return &book{entries: map[events.Identity]*entry{}, numbers: map[string]bool{}, results: map[string]int{}}
}

// sent notes a submission before its first byte leaves.
func (b *book) sent(s submission) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[s.identity]
	if e == nil {
		e = &entry{variants: map[string]bool{}, places: map[place]bool{}}
		b.entries[s.identity] = e
	}
	if _, known := e.variants[s.mark]; !known {
		e.variants[s.mark] = false
	}
	if s.number != "" {
		b.numbers[s.number] = true
	}
}

// about notes a number that somebody asked about.
func (b *book) about(number string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.numbers[number] = true
}

// touched lists the numbers that were sent or asked about.
func (b *book) touched() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.numbers))
}

// again counts submissions that go out once more because their fate is
// unknown.
func (b *book) again(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.resent += n
}

// answered notes an item of an answer; it returns false for one that must be
// sent again, and an error for an answer that no valid event may get.
func (b *book) answered(s submission, it item) (settled bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if it.Result == "unavailable" {
		b.results[it.Result]++
		return false, nil
	}
	if it.Source != s.identity.Source || it.ID != s.identity.ID {
		return false, fmt.Errorf("the answer to %s is about %s/%s", name(s.identity), it.Source, it.ID)
	}
	e := b.entries[s.identity]
	switch it.Result {
	case "recorded", "duplicate", "conflict":
		if it.Stream == "" || it.Sequence == 0 {
			return false, fmt.Errorf("%s is %s and bears no position", name(s.identity), it.Result)
		}
		e.places[place{it.Stream, it.Sequence}] = true
	case "accepted":
	default:
		return false, fmt.Errorf("%s is %s: %s", name(s.identity), it.Result, it.Errors)
	}
	if !e.variants[s.mark] {
		e.variants[s.mark] = true
		b.acks++
	}
	b.results[it.Result]++
	return true, nil
}

// acknowledged returns how many variants were acknowledged.
func (b *book) acknowledged() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.acks
}

// summary says what happened in one line.
func (b *book) summary() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprintf("%d events of %d identities acknowledged (answers: %d recorded, %d duplicate, %d conflict, %d accepted, %d unavailable), %d sent again without an answer",
		b.acks, len(b.entries), b.results["recorded"], b.results["duplicate"], b.results["conflict"], b.results["accepted"], b.results["unavailable"], b.resent)
}
