package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/assenso/assenso/events"
)

// controllers and their campaigns; every sender speaks for all of them.
var controllers = []string{"A", "B"}

func campaignOf(controller string) string { return "K-" + controller }

// day is when everything happens: a working Tuesday well in the past, so that
// no clock finds it in the future.
var day = time.Date(2026, 9, 15, 8, 0, 0, 0, time.UTC)

// world invents events. It has no state: the n-th event of a sender is always
// the same.
type world struct {
	seed     uint64
	contacts int
}

// submission is an event as a sender publishes it.
type submission struct {
	identity events.Identity
	mark     string // data.note: tells the variants of one identity apart
	number   string // whom it is about; "" = nobody
	body     []byte
}

// name is how faults call an identity.
func name(id events.Identity) string { return id.Source + "/" + id.ID }

// opening returns the reference facts that all else needs.
func (w world) opening() []submission {
	var list []submission
	for _, c := range controllers {
		list = append(list,
			w.event("office", "open-"+c, events.TypeCampaignOpened, day.Add(-time.Hour), c, campaignOf(c),
				`{"purpose":"marketing","channels":["operator_call"],"sector":"telecom","lists":["L-`+c+`"],"clis":["+390844100100"]}`),
			w.event("office", "appoint-"+c, events.TypeProcessorAppointed, day.Add(-time.Hour), c, "",
				`{"processor":"P1","from":"2026-01-01"}`),
			w.event("office", "list-"+c, events.TypeListAcquired, day.Add(-time.Hour), c, "", `{"list":"L-`+c+`"}`),
		)
	}
	return append(list, w.event("office", "roc", events.TypeCallerIDDeclared, day.Add(-time.Hour), "", "",
		`{"holder":"A","clis":["+390844100100"],"from":"2026-01-01"}`))
}

// markers returns one event for each family: when a recorder has recorded its
// marker, it has recorded everything that was in its queue before.
func (w world) markers() []submission {
	at, c := day.Add(10*time.Hour), controllers[0]
	of := func(family string, kind events.Type) submission {
		return w.about(0, w.event("marker", family, kind, at, c, "", w.contact(0, "")))
	}
	return []submission{
		of("grants", events.TypeConsentRefused), of("revocations", events.TypeConsentRevoked),
		of("oppositions", events.TypeOppositionRegistered), of("outcomes", events.TypeCallbackRequested),
		w.event("marker", "campaigns", events.TypeListScreened, at, c, "", `{"list":"L-A"}`),
	}
}

// next returns the n-th event of a sender. One in fifty repeats an earlier
// event word for word, one in a hundred gives an earlier identity another
// content, as real systems do.
func (w world) next(sender, n int) submission {
	random := rand.New(rand.NewPCG(w.seed, uint64(sender+1)<<32|uint64(n)))
	switch k := random.IntN(100); {
	case n > 100 && k == 0:
		return w.invent(sender, n-1-random.IntN(100), "again")
	case n > 100 && k <= 2:
		return w.invent(sender, n-1-random.IntN(100), "")
	}
	return w.invent(sender, n, "")
}

// invent returns the n-th event as such; another variant has another content.
func (w world) invent(sender, n int, variant string) submission {
	random := rand.New(rand.NewPCG(w.seed^0xa55e, uint64(sender+1)<<32|uint64(n)))
	source, id := fmt.Sprintf("crm-%d", sender), fmt.Sprintf("e-%d", n)
	c := controllers[random.IntN(len(controllers))]
	who := random.IntN(w.contacts)
	at := day.Add(time.Duration(random.IntN(9*3600)) * time.Second)
	mark := fmt.Sprintf("%s%d", variant, n)
	note := `,"note":"` + mark + `"` // readers keep and ignore it; it is part of the digest
	made := func(kind events.Type, campaign, data string) submission {
		s := w.about(who, w.event(source, id, kind, at, c, campaign, w.contact(who, data+note)))
		s.mark = mark
		return s
	}
	switch k := random.IntN(100); {
	case k < 25:
		return made(events.TypeConsentGranted, "",
			`,"purposes":["marketing"],"channels":["operator_call"],"notice":{"id":"N","version":"1","sha256":"`+zeros+`"},`+
				`"proof":{"kind":"signed_form","sha256":"`+zeros+`","immutable":true},"evidence":{"ip":"192.0.2.7"}`)
	case k < 35:
		return made(events.TypeConsentRevoked, "", `,"medium":"app"`)
	case k < 40:
		return made(events.TypeOppositionRegistered, "", `,"medium":"in_call","received_by":"P1"`)
	case k < 50:
		return made(events.TypeListContactAdded, "", `,"list":"L-`+c+`"`)
	}
	return made(events.TypeCallConcluded, campaignOf(c), `,"dialled_at":"`+events.InstantOf(at).String()+`","purpose":"marketing",`+
		`"channel":"operator_call","processor":"P1","cli":"+390844100100","mode":"preview","basis":"consent","disposition":"no_answer"`)
}

const zeros = "0000000000000000000000000000000000000000000000000000000000000000"

// contact writes data about the i-th number.
func (w world) contact(i int, rest string) string {
	return `{"phone":"` + w.number(i) + `"` + rest + `}`
}

// about notes that a submission is about the i-th number.
func (w world) about(i int, s submission) submission {
	s.number = w.number(i)
	return s
}

// number is the i-th number.
func (w world) number(i int) string { return fmt.Sprintf("+39340%07d", 1000000+i) }

func (w world) event(source, id string, kind events.Type, at time.Time, controller, campaign, data string) submission {
	body := `{"specversion":"1.0","id":"` + id + `","source":"` + source + `","type":"` + string(kind) + `","time":"` + events.InstantOf(at).String() + `"`
	if controller != "" {
		body += `,"controller":"` + controller + `"`
	}
	if campaign != "" {
		body += `,"campaign":"` + campaign + `"`
	}
	return submission{identity: events.Identity{Source: source, ID: id}, body: []byte(body + `,"data":` + data + `}`)}
}
