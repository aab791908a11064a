package consentstate

import (
	"bytes"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/view"
)

// entanglements know which identities are corrected, by what, in memory:
// nearly no event is, and each must be asked about.
type entanglements struct {
	byTarget map[events.IdentityHash][]view.Correction // corrections of an identity
	targets  map[events.IdentityHash][]events.IdentityHash
}

func newEntanglements(known []view.Correction) *entanglements {
	e := &entanglements{byTarget: map[events.IdentityHash][]view.Correction{}, targets: map[events.IdentityHash][]events.IdentityHash{}}
	for _, c := range known {
		e.add(c)
	}
	return e
}

func (e *entanglements) add(c view.Correction) {
	e.byTarget[c.Target] = append(e.byTarget[c.Target], c)
	if !slices.Contains(e.targets[c.Identity], c.Target) {
		e.targets[c.Identity] = append(e.targets[c.Identity], c.Target)
	}
}

// place is an event that bears on other contacts.
type place struct {
	owner    events.ContactKey
	stream   string
	sequence uint64
}

// links collects pairs of a contact and an event that bears on it.
type links struct {
	seen map[view.Link]bool
	list []view.Link
}

func (l *links) add(to events.ContactKey, p place) {
	if to == p.owner {
		return // lies there anyway
	}
	link := view.Link{Contact: to, Owner: p.owner, Stream: p.stream, Sequence: p.sequence}
	if !l.seen[link] {
		l.seen[link] = true
		l.list = append(l.list, link)
	}
}

// take learns the corrections among the rows and returns the links that rows
// make, old ones among them, and the contacts whose history changes by them.
func (e *entanglements) take(tx view.Tx, rows []view.Row, facts []*contact.Fact, known map[int][]view.Variant, copies []bool) ([]view.Link, []events.ContactKey, error) {
	var fresh []view.Correction
	for i, f := range facts {
		if d, ok := f.Data.(*events.EventCorrected); ok && !copies[i] {
			c := view.Correction{Target: d.Target.Hash(), Identity: rows[i].Identity, Contact: rows[i].Contact, Stream: rows[i].Stream, Sequence: rows[i].Sequence}
			fresh = append(fresh, c)
			e.add(c)
		}
	}
	if err := tx.PutCorrections(fresh); err != nil {
		return nil, nil, err
	}
	again := map[events.IdentityHash]bool{} // identities whose surroundings changed
	for i := range rows {
		id := rows[i].Identity
		if copies[i] {
			continue
		}
		if len(known[i]) > 0 || len(e.byTarget[id]) > 0 || len(e.targets[id]) > 0 {
			again[id] = true
		}
	}
	for _, c := range fresh {
		again[c.Target] = true
	}
	if len(again) == 0 {
		return nil, nil, nil
	}
	return e.link(tx, again)
}

// link computes the links of every identity that is reached from again by
// following corrections down to their targets.
func (e *entanglements) link(tx view.Tx, again map[events.IdentityHash]bool) ([]view.Link, []events.ContactKey, error) {
	order := e.downwards(again)
	variants, err := tx.Variants(append(e.upwards(order), order...))
	if err != nil {
		return nil, nil, err
	}
	out := links{seen: map[view.Link]bool{}}
	touched := map[events.ContactKey]bool{}
	for _, id := range order {
		if err := e.linkOne(tx, id, variants, &out, touched); err != nil {
			return nil, nil, err
		}
	}
	contacts := make([]events.ContactKey, 0, len(touched))
	for c := range touched {
		contacts = append(contacts, c)
	}
	slices.SortFunc(contacts, func(a, b events.ContactKey) int { return bytes.Compare(a[:], b[:]) })
	return out.list, contacts, nil
}

// linkOne ties the variants of one identity, and what corrects it, to the
// contacts that have it.
func (e *entanglements) linkOne(tx view.Tx, id events.IdentityHash, variants map[events.IdentityHash][]view.Variant, out *links, touched map[events.ContactKey]bool) error {
	own := variants[id]
	bearing := placesOf(own)
	for _, up := range e.upwards([]events.IdentityHash{id}) {
		bearing = append(bearing, placesOf(variants[up])...)
	}
	disputed := len(own) > 1 || len(e.byTarget[id]) > 0
	reference := slices.ContainsFunc(own, func(v view.Variant) bool { return v.Contact.IsZero() })
	for _, v := range own {
		if v.Contact.IsZero() {
			continue
		}
		touched[v.Contact] = true
		for _, p := range bearing {
			out.add(v.Contact, p)
		}
		if !disputed {
			continue
		}
		call, err := isCall(tx, v)
		if err != nil {
			return err
		}
		if reference || call {
			out.add(events.ContactKey{}, placesOf([]view.Variant{v})[0])
		}
	}
	return nil
}

func placesOf(variants []view.Variant) []place {
	out := make([]place, len(variants))
	for i, v := range variants {
		out[i] = place{v.Contact, v.Stream, v.Sequence}
	}
	return out
}

func isCall(tx view.Tx, v view.Variant) (bool, error) {
	found, err := tx.Events([]view.Variant{v})
	if err != nil || len(found) == 0 {
		return false, err
	}
	return bytes.Contains(found[0].Body, []byte(`"type":"call.concluded.v1"`)), nil
}

// downwards returns again and all that these identities correct, directly or
// through other corrections, in a fixed order.
func (e *entanglements) downwards(again map[events.IdentityHash]bool) []events.IdentityHash {
	seen := map[events.IdentityHash]bool{}
	var order []events.IdentityHash
	var visit func(id events.IdentityHash)
	visit = func(id events.IdentityHash) {
		if seen[id] {
			return
		}
		seen[id] = true
		order = append(order, id)
		for _, t := range e.targets[id] {
			visit(t)
		}
	}
	for id := range again {
		visit(id)
	}
	slices.SortFunc(order, func(a, b events.IdentityHash) int { return bytes.Compare(a[:], b[:]) })
	return order
}

// upwards returns the identities of all corrections of ids, and of those.
func (e *entanglements) upwards(ids []events.IdentityHash) []events.IdentityHash {
	seen := map[events.IdentityHash]bool{}
	var out []events.IdentityHash
	for queue := slices.Clone(ids); len(queue) > 0; queue = queue[1:] {
		for _, c := range e.byTarget[queue[0]] {
			if !seen[c.Identity] {
				seen[c.Identity] = true
				out = append(out, c.Identity)
				queue = append(queue, c.Identity)
			}
		}
	}
	return out
}
