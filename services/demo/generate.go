package demo

import (
	"cmp"
	"encoding/json"

	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/assenso/assenso/events"
)

// Options of Generate. The zero value is the demonstration's.
type Options struct {
	Seed     uint64 // 0 = 1
	Contacts int    // 0 = 20,000
	// Day is the day of the calls; 0 = Tuesday 2026-11-17. It must be an
	// ordinary day from Tuesday to Friday, and lie at least two days before
	// the import: some facts become known on the day after.
	Day events.Date
}

// DefaultDay is the day of the calls unless another is given.
var DefaultDay = events.NewDate(2026, time.November, 17)

// writer is a day in the making.
type writer struct {
	rng       *rand.Rand
	cal       calendar
	dir       string
	offset    int
	campaigns []*campaign
	files     []*output
	calls     []*event
	ids       map[string]int
	answers   map[string]map[string]int // by batch and answer
	answered  map[*campaign]int
	silents   map[*campaign]int
	attempts  int
	conflicts int
	manifest  Manifest
	err       error
}

// Generate writes the files, their mappings and the manifest into dir, which is
// made if need be, and returns the manifest. Files of the same names are
// overwritten. 20,000 contacts make some 130,000 events and take about two seconds.
func Generate(dir string, o Options) (Manifest, error) {
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.Contacts == 0 {
		o.Contacts = 20000
	}
	if o.Day == 0 {
		o.Day = DefaultDay
	}
	if o.Contacts < minContacts {
		return Manifest{}, fmt.Errorf("demo generate: %d contacts are too few for what is planted: take at least %d", o.Contacts, minContacts)
	}
	w := &writer{rng: rand.New(rand.NewPCG(o.Seed, 0x617373656e736f)), cal: calendar{o.Day}, dir: dir, campaigns: newCampaigns(), ids: map[string]int{},
		answers: map[string]map[string]int{}, answered: map[*campaign]int{}, silents: map[*campaign]int{},
		manifest: Manifest{Seed: o.Seed, Contacts: o.Contacts, Day: o.Day, Findings: []Finding{}, Objects: []Finding{}, Apart: []Finding{}}}
	if err := w.cal.check(); err != nil {
		return Manifest{}, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Manifest{}, fmt.Errorf("demo generate: %w", err)
	}
	w.offset = w.rng.IntN(4_000_000)
	if err := w.outputs(); err != nil {
		return Manifest{}, err
	}
	w.day(o.Contacts)
	for _, f := range w.files {
		if err := f.close(); err != nil {
			w.fail(fmt.Errorf("demo write %s: %w", f.file.Name, err))
		}
	}
	if w.err != nil {
		return Manifest{}, w.err
	}
	return w.finish()
}

// day writes everything.
func (w *writer) day(contacts int) {
	w.contacts(contacts)
	w.reference()
	taken := map[*campaign]int{}
	free := func(k *campaign) *plan {
		n := taken[k]
		taken[k]++
		p := w.newPlan(k, k.rows[len(k.rows)-1-n])
		if !k.bought {
			p.answer = p.newAnswer(dayScreened, "clear", 0)
		}
		return p
	}
	w.plant(free)
	w.objects(free)
	for _, k := range w.campaigns {
		for _, c := range k.rows[:len(k.rows)-taken[k]] {
			w.ordinary(k, c)
		}
	}
	w.silentRatio()
	w.consultations()
	w.writeCalls()
	w.badLines()
}

// plant carries out the catalogue.
func (w *writer) plant(free func(k *campaign) *plan) {
	for _, q := range plants() {
		for _, letter := range q.on {
			k := w.campaigns[strings.IndexRune("FMLS", letter)]
			for range q.times {
				p := free(k)
				call := p.talk(w.dialTime(), "not_interested")
				q.apply(p, call)
				p.emit()
			}
		}
	}
}

// writeCalls writes the attempts in the order of their dialling.
func (w *writer) writeCalls() {
	slices.SortFunc(w.calls, func(a, b *event) int {
		return cmp.Or(a.instant("dialled_at").Compare(b.instant("dialled_at")), cmp.Compare(a.id, b.id))
	})
	evening := w.cal.at(0, "18:00")
	var again []*event
	for _, e := range w.calls {
		switch {
		case e.source == dialer(nord):
			w.write("09-chiamate-"+nord, e)
			again = append(again, e)
		case e.source == dialer(sud) && e.instant("dialled_at").Before(evening):
			w.write("09-chiamate-"+sud, e)
		case e.source == dialer(sud):
			w.write("12-", e)
		default:
			w.write("10-", e)
		}
	}
	twice := w.output("13-")
	for _, e := range again[len(again)*9/10:] {
		w.write("13-", e)
		twice.file.Duplicates++
	}
	w.output("11-").file.Conflicts = w.conflicts
}

// badLines adds what must be refused: rows no mapping can read, and submissions
// that break the contract.
func (w *writer) badLines() {
	calls := w.output("09-chiamate-" + sud)
	good := clone(w.calls[len(w.calls)/2])
	good.source = dialer(sud)
	good.with("processor", sud)
	for i, spoil := range []func(cells []string) []string{
		func(c []string) []string { c[4] = "31/02/2026 10:00:00"; return c },
		func(c []string) []string { c[3] = "numero nascosto"; return c },
		func(c []string) []string { c[18] = "boh"; return c },
		func(c []string) []string { return c[:7] },
		func(c []string) []string { c[7] = "01/01/2026 10:00:00"; return c },
	} {
		good.id = fmt.Sprintf("c-bad-%d", i+1)
		cells, err := calls.table.row(good)
		if err == nil {
			err = calls.cells(spoil(cells))
		}
		w.fail(err)
		calls.file.Rows++
		calls.file.Rejected++
	}
	crm := w.output("07-")
	for _, text := range []string{
		`{"specversion":"1.0","id":"bad-1","source":"crm.example","type":"consent.granted.v1",`,
		`{"specversion":"1.0","id":"bad-2","source":"crm.example","type":"consent.borrowed.v1","time":"2026-11-02T10:00:00+01:00","controller":"A","data":{}}`,
		`{"specversion":"1.0","id":"bad-3","source":"crm.example","type":"consent.granted.v1","time":"2026-11-02T10:00:00+01:00","controller":"A","data":{"phone":"+393550000000","purposes":["*"],"channels":["operator_call"]}}`,
		`{"specversion":"1.0","id":"bad-4","source":"crm.example","type":"consent.granted.v1","time":"2099-01-01T10:00:00+01:00","controller":"A","data":{"phone":"+393550000000","purposes":["marketing"],"channels":["operator_call"]}}`,
		`{"specversion":"1.0","id":"bad-5","source":"crm.example","type":"call.inbound.v1","time":"2026-11-02T10:00:00+01:00","controller":"A","data":{"phone":"12"}}`,
	} {
		w.fail(crm.raw([]byte(text)))
		crm.file.Rows++
		crm.file.Rejected++
	}
}

// finish writes the manifest.
func (w *writer) finish() (Manifest, error) {
	m := &w.manifest
	m.Attempts = w.attempts
	for _, f := range w.files {
		m.Files = append(m.Files, f.file)
		m.Events += f.file.Rows - f.file.Rejected - f.file.Duplicates
	}
	for _, list := range [][]Finding{m.Findings, m.Objects, m.Apart} {
		sortFindings(list)
	}
	b, err := json.MarshalIndent(m, "", " ")
	if err == nil {
		err = os.WriteFile(filepath.Join(w.dir, ManifestName), append(b, '\n'), 0o644)
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("demo write manifest: %w", err)
	}
	return *m, nil
}

func (w *writer) write(prefix string, e *event) { w.fail(w.output(prefix).write(e)) }

// fail keeps the first error.
func (w *writer) fail(err error) {
	if w.err == nil && err != nil {
		w.err = err
	}
}

func (w *writer) nextID(prefix string) string {
	w.ids[prefix]++
	return fmt.Sprintf("%s-%05d", prefix, w.ids[prefix])
}

func (w *writer) callID(processor string) string {
	return w.nextID("c-" + strings.TrimPrefix(processor, "cc-"))
}

// found notes a planted finding, "IT-RPO-14 POTENTIAL" or a rule alone. What
// breaks the Code of conduct is best practice for who does not adhere.
func (w *writer) found(text, attempt string, k *campaign) {
	rule, kind, _ := strings.Cut(text, " ")
	f := Finding{Rule: rule, Kind: events.Kind(cmp.Or(kind, string(events.KindConfirmed))), Controller: k.controller, Campaign: k.id, Attempt: attempt}
	if strings.HasPrefix(rule, "IT-CDC-") && k.controller == scudo {
		f.Kind = events.KindBestPractice
	}
	w.manifest.Findings = append(w.manifest.Findings, f)
}

func (w *writer) object(rule, object string, kind events.Kind, controller string) {
	w.manifest.Objects = append(w.manifest.Objects, Finding{Rule: rule, Kind: kind, Controller: controller, Object: object})
}

func (w *writer) apart(rule, attempt, object string, k *campaign) {
	w.manifest.Apart = append(w.manifest.Apart, Finding{Rule: rule, Kind: events.KindConfirmed, Controller: k.controller, Campaign: k.id, Attempt: attempt, Object: object})
}
