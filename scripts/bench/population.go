package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/gate"
	"github.com/assenso/assenso/services/ledger"
)

// population is a log that is made while it is read: some millions of contacts
// of one controller with six events each (a row of a list, two answers of the
// register, a consent with a UUID as its id, a call that nobody answered and an
// older one that somebody did; for one contact of 25 a refusal instead of that
// call), recorded in the order in which such events come: list by list, not
// contact by contact. Each happened on some day of the year before it was
// recorded, so that hardly two contacts have one history. It implements
// gate.Ledger; there are no conflicts in it.
type population struct {
	contacts  int
	clock     func() events.Instant
	now       events.Instant // when it was made
	start     events.Instant
	keys      [][]events.ContactKey // by partition
	reference [][]byte
}

const (
	populationPartitions = 4
	eventsPerContact     = 6
	populationCLI        = "+390844100100"
)

// populationPhone is the number of the i-th contact.
func populationPhone(i int) events.Phone {
	return events.NewPhone("+39340"+fmt.Sprintf("%08d", i), events.LineMobile)
}

// newPopulation derives the keys, side by side.
func newPopulation(contacts int, key func(events.Phone) events.ContactKey, clock func() events.Instant) *population {
	now := clock()
	p := &population{contacts: contacts, clock: clock, now: now, start: now.Add(-40 * 24 * time.Hour), keys: make([][]events.ContactKey, populationPartitions)}
	all := make([]events.ContactKey, contacts)
	var wg sync.WaitGroup
	part := contacts/runtime.GOMAXPROCS(0) + 1
	for from := 0; from < contacts; from += part {
		wg.Go(func() {
			for i := from; i < min(from+part, contacts); i++ {
				all[i] = key(populationPhone(i))
			}
		})
	}
	wg.Wait()
	for _, k := range all {
		n := k.Partition(populationPartitions)
		p.keys[n] = append(p.keys[n], k)
	}
	p.refer()
	return p
}

// refer makes the facts without a contact.
func (p *population) refer() {
	at := p.start.Add(-time.Hour).String()
	put := func(id, typ, campaign, data string) {
		if campaign != "" {
			campaign = `"campaign":"` + campaign + `",`
		}
		controller := `"controller":"A",`
		if typ == "caller_id.declared" || typ == "caller_id.tested" {
			controller = ""
		}
		p.reference = append(p.reference, []byte(`{`+campaign+controller+`"data":`+data+`,"id":"`+id+`","receivedtime":"`+at+`","recordedtime":"`+at+`","source":"crm","specversion":"1.0","time":"`+at+`","type":"`+typ+`.v1"}`))
	}
	const sha = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	put("k", "campaign.opened", "K-A", `{"channels":["operator_call"],"clis":["`+populationCLI+`"],"lists":["L-A"],"purpose":"marketing","sector":"telecom"}`)
	put("n", "notice.published", "", `{"effective_from":"2020-01-01","notice":"N","sha256":"`+sha+`","version":"1"}`)
	put("s", "script.published", "K-A", `{"script":"S","sha256":"`+sha+`"}`)
	put("l", "list.activated", "", `{"list":"L-A"}`)
	put("d", "caller_id.declared", "", `{"clis":["`+populationCLI+`"],"from":"2020-01-01","holder":"A"}`)
	put("t", "caller_id.tested", "", `{"cli":"`+populationCLI+`","ok":true}`)
	put("b", "register.screening_completed", "", `{"batch":"B-2","list":"L-A","snapshot_at":"`+p.answered(2).String()+`"}`)
}

// answered is the instant of a consultation: one 30 days ago, one yesterday.
func (p *population) answered(batch int) events.Instant {
	if batch == 1 {
		return p.now.Add(-30 * 24 * time.Hour)
	}
	return p.now.Add(-24 * time.Hour)
}

// Partitions implements gate.Ledger.
func (*population) Partitions() int { return populationPartitions }

// Last implements gate.Ledger.
func (p *population) Last(context.Context) (ledger.Positions, error) {
	out := ledger.Positions{ledger.Reference: ledger.Sequence(len(p.reference))}
	for i, keys := range p.keys {
		out[ledger.Partition(i)] = ledger.Sequence(len(keys) * eventsPerContact)
	}
	return out, nil
}

// Beats implements gate.Ledger: always fresh.
func (p *population) Beats(ctx context.Context) (map[events.Family]ledger.Beat, error) {
	last, err := p.Last(ctx)
	out := map[events.Family]ledger.Beat{}
	for _, f := range events.Families {
		out[f] = ledger.Beat{Family: f, Instant: p.clock(), Positions: last}
	}
	return out, err
}

// Read implements gate.Ledger.
func (p *population) Read(_ context.Context, s ledger.Stream, from ledger.Sequence, limit int) ([]ledger.Record, error) {
	var out []ledger.Record
	for n := max(from, 1); len(out) < limit; n++ {
		body := p.body(s, n)
		if body == nil {
			break
		}
		out = append(out, ledger.Record{Stream: s, Sequence: n, Body: body})
	}
	return out, nil
}

// Follow implements gate.Ledger.
func (p *population) Follow(_ context.Context, after ledger.Positions) (ledger.Follower, error) {
	f := &populationFollower{p: p, at: ledger.Positions{}, stopped: make(chan struct{})}
	for _, s := range ledger.Streams(populationPartitions) {
		f.at[s] = after[s]
	}
	return f, nil
}

// body makes the entry of a partition at a position; nil behind the end.
func (p *population) body(s ledger.Stream, n ledger.Sequence) []byte {
	if s == ledger.Reference {
		if int(n) > len(p.reference) {
			return nil
		}
		return p.reference[n-1]
	}
	lane := 0
	for ledger.Partition(lane) != s {
		lane++
	}
	keys := p.keys[lane]
	if int(n) > len(keys)*eventsPerContact {
		return nil
	}
	kind, i := (int(n)-1)/len(keys), (int(n)-1)%len(keys)
	return p.event(kind, keys[i], lane, i)
}

// event makes the event of one kind for one contact.
func (p *population) event(kind int, key events.ContactKey, lane, i int) []byte {
	recorded := p.start.Add(time.Duration(kind)*24*time.Hour + time.Duration(i)*time.Millisecond)
	at := happened(kind, key, recorded)
	id := strconv.Itoa(kind) + "-" + strconv.Itoa(lane) + "-" + strconv.Itoa(i)
	b := make([]byte, 0, 640)
	typ := "list.contact_added"
	data := `{"acquired_on":"2026-01-15","collector":"C1","line":"mobile","list":"L-A","source":"web form"}`
	switch kind {
	case 1, 4:
		typ = "register.screened"
		batch := 1
		if kind == 4 {
			batch = 2
		}
		data = `{"answer":"clear","batch":"B-` + strconv.Itoa(batch) + `","line":"mobile","snapshot_at":"` + p.answered(batch).String() + `"}`
	case 2:
		typ, id = "consent.granted", uuidOf(key)
		const sha = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		data = `{"channels":["operator_call"],"evidence_sha256":"` + sha + `","line":"mobile","notice":{"id":"N","sha256":"` + sha + `","version":"1"},"proof":{"confirmed_at":"` + at.Add(4*time.Minute).String() +
			`","immutable":true,"kind":"double_opt_in","sha256":"` + sha + `"},"purposes":["marketing"],"source_ref":"https://a.example/form/` + id + `"}`
	case 3, 5:
		typ = "call.concluded"
		dialled := at.Add(-90 * time.Second)
		data = `{"answered_at":"` + dialled.Add(9*time.Second).String() + `","basis":"consent","channel":"operator_call","cli":"` + populationCLI + `","dialled_at":"` + dialled.String() +
			`","disposition":"not_interested","line":"mobile","purpose":"marketing","released_at":"` + at.String() + `"}`
		if kind == 5 {
			if i%25 == 0 {
				typ, data = "opposition.registered", `{"line":"mobile","medium":"web"}`
				break
			}
			data = `{"channel":"operator_call","cli":"` + populationCLI + `","dialled_at":"` + at.String() + `","disposition":"no_answer","line":"mobile","purpose":"marketing"}`
		}
	}
	instant := at.String()
	if typ == "call.concluded" {
		b = append(b, `{"campaign":"K-A","controller":"A","data":`...)
	} else {
		b = append(b, `{"controller":"A","data":`...)
	}
	b = append(append(append(b, data...), `,"id":"`...), id...)
	b = append(append(append(append(b, `","receivedtime":"`...), instant...), `","recordedtime":"`...), recorded.String()...)
	b = append(append(append(b, `","source":"crm","specversion":"1.0","subject":"`...), key.String()...), `","time":"`...)
	b = append(append(append(append(b, instant...), `","type":"`...), typ...), `.v1"}`...)
	return b
}

// happened is when an event happened that was recorded at an instant: at any
// millisecond of the 330 days before.
func happened(kind int, key events.ContactKey, recorded events.Instant) events.Instant {
	const days = 330 * 24 * time.Hour / time.Millisecond
	at := 2 * kind // different bytes of the key for each kind; there are six
	draw := uint64(binary.BigEndian.Uint32(key[at:]))<<16 | uint64(binary.BigEndian.Uint16(key[14-at:]))
	return recorded.Add(-time.Duration(draw%uint64(days)) * time.Millisecond)
}

// uuidOf is a UUID made of a contact key.
func uuidOf(k events.ContactKey) string {
	a, b := binary.BigEndian.Uint64(k[:8]), binary.BigEndian.Uint64(k[8:])
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&0xffffffffffff)
}

type populationFollower struct {
	p       *population
	at      ledger.Positions
	turn    int
	once    sync.Once
	stopped chan struct{}
}

// Next implements ledger.Follower.
func (f *populationFollower) Next(ctx context.Context, limit int) ([]ledger.Record, error) {
	streams := ledger.Streams(populationPartitions)
	for range streams {
		s := streams[f.turn%len(streams)]
		f.turn++
		list, err := f.p.Read(ctx, s, f.at[s]+1, limit)
		if err != nil || len(list) > 0 {
			f.at[s] += ledger.Sequence(len(list))
			return list, err
		}
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-f.stopped:
		return nil, ledger.ErrStopped
	}
}

// Stop implements ledger.Follower.
func (f *populationFollower) Stop() { f.once.Do(func() { close(f.stopped) }) }

// Await, Variants, History and Disputed implement gate.Index: nothing is in
// conflict, and a new identity that the filter takes for a known one has one
// variant, its own; the gate passes over what it is told nothing of.
func (*population) Await(context.Context, ledger.Positions) error { return nil }

// Variants implements gate.Index.
func (*population) Variants(context.Context, []events.IdentityHash) (map[events.IdentityHash][]gate.Variant, error) {
	return nil, nil
}

// History implements gate.Index.
func (*population) History(_ context.Context, key events.ContactKey, _ ledger.Positions) (*contact.History, error) {
	return contact.NewHistory(key, nil), nil
}

// Disputed implements gate.Index.
func (*population) Disputed(context.Context) ([]*contact.Fact, error) { return nil, nil }
