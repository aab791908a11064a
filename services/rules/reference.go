package rules

import (
	"cmp"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// Reference is the object state of rules.md 2: facts without a contact, by
// key, answering at any cut-offs, corrections and conflicts included. It grows
// by Add and never scans everything. It holds no lock: reads may run side by
// side, Add and its siblings must exclude them (a sync.RWMutex outside, held
// for one evaluation or one batch of additions).
type Reference struct {
	slots       map[events.Identity]*contact.Slot
	corrections map[events.Identity][]*contact.Slot // by target, known or not
	index       map[refKey][]*contact.Slot
	starts      map[campaignKey]Starts
	contested   map[events.IdentityHash]bool // calls that are held as slots
}

type campaignKey struct{ controller, campaign string }

// refKey is one key of the index: what kind of facts, of whom, of what.
type refKey struct {
	kind refKind
	a, b string
}

type refKind uint8

const (
	refCampaign  refKind = iota + 1 // controller, campaign: campaign.*
	refScript                       // controller, campaign: script.*
	refCalls                        // controller, campaign: contested call.concluded
	refList                         // list: list.* without contact
	refNotice                       // controller
	refProcessor                    // controller
	refDeclared                     // cli
	refTested                       // cli
	refAdherence                    // controller
	refOrder                        // controller or ""
	refAgent                        // agent
	refScreened                     // controller: screening_completed of a list
	refBatch                        // batch: screening_completed
	refAck                          // opposition
	refComplaint                    // controller, complaint
	refRight                        // controller, request: rights.*
	refByType                       // type: for the object rules
)

// NewReference returns an empty Reference.
func NewReference() *Reference {
	return &Reference{
		slots:       map[events.Identity]*contact.Slot{},
		corrections: map[events.Identity][]*contact.Slot{},
		index:       map[refKey][]*contact.Slot{},
		starts:      map[campaignKey]Starts{},
		contested:   map[events.IdentityHash]bool{},
	}
}

// Add takes one fact of the reference stream, in any order, any number of
// times. It also takes a fact with a contact that shares its identity with a
// reference fact (conflicts are global). Types that no rule looks up are kept
// only as far as a conflict or correction needs them.
func (r *Reference) Add(f *contact.Fact) {
	id := f.Identity()
	s := r.slots[id]
	if s == nil {
		s = &contact.Slot{}
		r.slots[id] = s
		for _, c := range r.corrections[id] {
			s.Correct(c)
		}
	}
	fresh := len(s.Facts()) == 0 && !s.Contested()
	for _, g := range s.Facts() {
		if g == f || (g.Digest == f.Digest && g.Recorded == f.Recorded && g.Received == f.Received && g.Sequence == f.Sequence) {
			return
		}
	}
	s.Add(f)
	if fresh {
		keys := keysOf(f)
		for i, k := range keys {
			if !slices.Contains(keys[:i], k) {
				r.index[k] = append(r.index[k], s)
			}
		}
	} else {
		r.reindex(s)
	}
	c, ok := f.Data.(*events.EventCorrected)
	if !ok {
		return
	}
	if !slices.Contains(r.corrections[c.Target], s) {
		r.corrections[c.Target] = append(r.corrections[c.Target], s)
	}
	if target := r.slots[c.Target]; target != nil {
		target.Correct(s)
		r.reindex(target)
	}
}

// AddCall joins one call.concluded into the starts of its campaign. A call
// whose identity has a correction or a second variant must be handed to
// Dispute instead (or as well, at any time).
func (r *Reference) AddCall(f *contact.Fact) {
	d, ok := f.Data.(*events.CallConcluded)
	if !ok {
		return
	}
	c := startOf(f, d)
	if r.contested[c.Call] || len(r.corrections[f.Identity()]) > 0 {
		r.Dispute(f)
		return
	}
	key := campaignKey{f.Controller, f.Campaign}
	if have := r.starts[key]; !have.Covers(c) {
		r.starts[key] = have.Join(Starts{c})
	}
}

// AddStarts joins what a projection stored for a campaign.
func (r *Reference) AddStarts(controller, campaign string, s Starts) {
	key := campaignKey{controller, campaign}
	r.starts[key] = r.starts[key].Join(s)
}

// Starts returns what AddCall and AddStarts made of a campaign; it must not be changed.
func (r *Reference) Starts(controller, campaign string) Starts {
	return r.starts[campaignKey{controller, campaign}]
}

// Dispute takes a call.concluded (each of its variants) that is corrected or
// conflicting: it is resolved in full from then on.
func (r *Reference) Dispute(f *contact.Fact) {
	r.contested[f.Identity().Hash()] = true
	r.Add(f)
}

// DisputedCalls returns the calls held in full (Dispute) that count at the cut,
// in no particular order.
func (r *Reference) DisputedCalls(cut contact.Cut) []*contact.Fact {
	var out []*contact.Fact
	for _, s := range r.slots {
		from := len(out)
		out = s.Resolve(out, cut, nil)
		out = append(out[:from], slices.DeleteFunc(out[from:], func(f *contact.Fact) bool { return f.Type != events.TypeCallConcluded })...)
	}
	return out
}

// OfType returns the facts of a type that count at the cut, earliest (time, id)
// first: of the types that the object rules start from (campaign.opened and
// .closed, list.acquired, .activated and .transferred, processor.appointed,
// commission.paid, rights.*).
func (r *Reference) OfType(t events.Type, cut contact.Cut) []*contact.Fact {
	g := glance{ref: r, cut: cut}
	return g.look(nil, refKey{refByType, string(t), ""})
}

// reindex puts s under the keys of every form that any cut may show.
func (r *Reference) reindex(s *contact.Slot) {
	for _, f := range s.Forms() {
		for _, k := range keysOf(f) {
			if !slices.Contains(r.index[k], s) {
				r.index[k] = append(r.index[k], s)
			}
		}
	}
}

// keysOf lists the keys under which a fact is looked up.
func keysOf(f *contact.Fact) []refKey {
	c := f.Controller
	byType := refKey{refByType, string(f.Type), ""}
	switch d := f.Data.(type) {
	case *events.CampaignOpened, *events.CampaignClosed:
		return []refKey{{refCampaign, c, f.Campaign}, byType}
	case *events.ScriptPublished, *events.ScriptAcknowledged:
		return []refKey{{refScript, c, f.Campaign}}
	case *events.CallConcluded:
		return []refKey{{refCalls, c, f.Campaign}}
	case *events.ListAcquired:
		return []refKey{{refList, d.List, ""}, byType}
	case *events.ListScreened:
		return []refKey{{refList, d.List, ""}}
	case *events.ListActivated:
		return []refKey{{refList, d.List, ""}, byType}
	case *events.ListRetired:
		return []refKey{{refList, d.List, ""}}
	case *events.ListTransferred, *events.CommissionPaid, *events.RightsRequested, *events.RightsExtended, *events.RightsClosed:
		return []refKey{byType}
	case *events.NoticePublished:
		return []refKey{{refNotice, c, ""}}
	case *events.ProcessorAppointed:
		return []refKey{{refProcessor, c, ""}, byType}
	case *events.ProcessorDismissed:
		return []refKey{{refProcessor, c, ""}}
	case *events.CallerIDDeclared:
		keys := make([]refKey, 0, len(d.CLIs))
		for _, cli := range d.CLIs {
			keys = append(keys, refKey{refDeclared, cli, ""})
		}
		return keys
	case *events.CallerIDTested:
		return []refKey{{refTested, d.CLI, ""}}
	case *events.CodeAdhered:
		return []refKey{{refAdherence, c, ""}}
	case *events.OrderIssued:
		return []refKey{{refOrder, c, ""}}
	case *events.AgentCertified:
		return []refKey{{refAgent, d.Agent, ""}}
	case *events.RegisterScreeningCompleted:
		return []refKey{{refScreened, c, d.List}, {refBatch, d.Batch, ""}}
	case *events.SuppressionAcknowledged:
		return []refKey{{refAck, d.Opposition, ""}}
	case *events.ComplaintVerified:
		return []refKey{{refComplaint, c, d.Complaint}}
	}
	return nil
}

// glance reads a Reference at one cut.
type glance struct {
	ref   *Reference
	cut   contact.Cut
	sense *contact.Sensitivity
}

// look appends the facts under k that count at the cut, earliest (time, id)
// first. Facts under an amended key still bear it.
func (g *glance) look(dst []*contact.Fact, k refKey) []*contact.Fact {
	from := len(dst)
	for _, s := range g.ref.index[k] {
		at := len(dst)
		dst = s.Resolve(dst, g.cut, g.sense)
		if !s.Contested() {
			continue
		}
		kept := dst[:at]
		for _, f := range dst[at:] {
			if slices.Contains(keysOf(f), k) {
				kept = append(kept, f)
			}
		}
		dst = kept
	}
	if len(dst)-from > 1 {
		slices.SortFunc(dst[from:], byTimeThenID)
	}
	return dst
}

func byTimeThenID(a, b *contact.Fact) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Source, b.Source))
}

// called reports whether a call of the campaign was dialled before t.
func (g *glance) called(controller, campaign string, t events.Instant) bool {
	for _, s := range g.ref.starts[campaignKey{controller, campaign}] {
		if s.Dialled >= t || s.Time > g.cut.Occurred || s.Recorded > g.cut.Recorded || g.ref.contested[s.Call] {
			continue
		}
		if s.Received <= g.cut.Received {
			return true
		}
		if g.sense != nil {
			g.sense.Late = true
		}
	}
	for _, f := range g.look(nil, refKey{refCalls, controller, campaign}) {
		if f.Data.(*events.CallConcluded).DialledAt < t {
			return true
		}
	}
	return false
}
