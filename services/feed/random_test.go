package feed

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/feed/said"
)

// dice draws the facts of a small world, in which ties, repetitions,
// conflicts, corrections and facts ahead of the clock are frequent.
type dice struct {
	*rig
	*rand.Rand
	people []events.ContactKey
	ids    int
}

func pick[T any](d *dice, of ...T) T { return of[d.IntN(len(of))] }

func (d *dice) when() events.Instant {
	base := d.clock.now()
	return base - base%events.Instant(time.Hour/time.Microsecond) + events.Instant(d.IntN(60)-48)*events.Instant(time.Hour/time.Microsecond)*pick(d, events.Instant(1), 1, 24)
}

func (d *dice) date() events.Date {
	return events.DateOf(d.clock.now(), events.Rome) + events.Date(d.IntN(40)-34)
}

func (d *dice) someID() string { return fmt.Sprintf("r%d", d.IntN(max(1, d.ids))) }

// payload draws what happened to a person.
func (d *dice) payload() (controller string, p events.Payload) {
	channels := pick(d, events.ChannelOperatorCall.Bit(), events.ChannelSMS.Bit(), events.AllChannels, 0)
	purposes := pick(d, events.PurposeMarketing.Bit(), events.AllPurposes, 0, events.PurposeProfiling.Bit())
	c := pick(d, "A", "A", "B")
	switch d.IntN(20) {
	case 0, 1, 2, 3:
		g := sound()
		g.Contract = pick(d, "", "k")
		g.CollectionAttempt = pick(d, "", "", d.someID())
		if d.IntN(4) == 0 {
			g.ValidTo = d.date()
		}
		g.Channels = pick(d, events.ChannelOperatorCall.Bit(), events.AllChannels)
		return c, g
	case 4:
		return c, &events.ConsentRevoked{Purposes: purposes, Channels: channels}
	case 5:
		return c, &events.OppositionRegistered{Purposes: purposes, Channels: channels, AlsoControllers: pick(d, nil, []string{"B"})}
	case 6:
		return c, &events.ConsentRefused{Channels: channels}
	case 7:
		return c, &events.ConsentInvalidated{Grant: d.someID(), Reason: pick(d, events.InvalidFake, events.InvalidTainted, events.InvalidOther)}
	case 8:
		return c, &events.RegisterListed{ListedOn: d.date()}
	case 9:
		return c, &events.RegisterSelectivelyRevoked{From: d.date(), To: d.date() + 20}
	case 10, 11:
		a := pick(d, events.AnswerClear, events.AnswerClear, events.AnswerOpposed, events.AnswerSelective)
		s := &events.RegisterScreened{Batch: fmt.Sprint("b", d.IntN(3)), SnapshotAt: d.when(), Answer: a}
		if a == events.AnswerSelective {
			s.SelectiveFrom, s.SelectiveTo = d.date(), d.date()+30
		}
		return c, s
	case 12:
		return c, &events.ContractConcluded{Contract: "k", Continuous: d.IntN(3) > 0, StartedOn: d.date()}
	case 13:
		return c, &events.ContractEnded{Contract: "k", EndedOn: d.date() - 10}
	case 14, 15:
		return c, &events.ListContactAdded{List: pick(d, "L", "M"), Vendor: pick(d, "", "V"), Source: pick(d, "", "S")}
	case 16:
		return c, &events.ListContactRemoved{List: pick(d, "L", "M")}
	case 17:
		return c, pick[events.Payload](d, &events.ErasureExecuted{}, &events.DirectoryExtracted{InDirectory: d.IntN(2) == 0, ExtractedOn: d.date()})
	case 18:
		return pick(d, "", c), &events.NumberReassigned{}
	default:
		at := d.when()
		return c, &events.CallConcluded{DialledAt: at, AnsweredAt: at, ReleasedAt: at, Purpose: events.PurposeMarketing, Channel: events.ChannelOperatorCall, Disposition: events.DispositionSale}
	}
}

// reference draws what happens without a person.
func (d *dice) reference() (controller, campaign string, p events.Payload) {
	c := pick(d, "A", "B")
	switch d.IntN(9) {
	case 0:
		return c, "K", &events.CampaignOpened{Purpose: events.PurposeMarketing, Channels: 1, Lists: []string{pick(d, "L", "M")}, ProductOwner: pick(d, "", "B")}
	case 1, 2:
		return c, "", &events.NoticePublished{Notice: "N", Version: "1", SHA256: events.Digest{pick[byte](d, 1, 1, 1, 2)}, EffectiveFrom: pick(d, 1, 1, d.date())}
	case 3:
		return c, "", &events.ListRetired{List: pick(d, "L", "M")}
	case 4:
		return c, "", &events.ListActivated{List: pick(d, "L", "M")}
	case 5:
		return c, "", &events.ListAcquired{List: pick(d, "L", "M"), Vendor: pick(d, "", "V")}
	default:
		o := &events.OrderIssued{Kind: pick(d, events.OrderProhibition, events.OrderLimitation, events.OrderFine), From: d.date(), Authority: "garante", Number: "1"}
		o.To = pick(d, 0, o.From+events.Date(d.IntN(10)))
		switch d.IntN(4) {
		case 0:
			o.Scope.All = true
		case 1:
			o.Scope.Lists = []string{pick(d, "L", "M")}
		case 2:
			o.Scope.Vendors = []string{"V"}
		default:
			o.Scope.Sources = []string{"S"}
		}
		return pick(d, "", c), "", o
	}
}

// fact draws one fact; now and then one of a known identity.
func (d *dice) fact() fact {
	f := fact{time: d.when()}
	f.received = f.time + pick(d, events.Instant(0), 0, events.Instant(3*time.Hour/time.Microsecond))
	if f.id = d.someID(); d.IntN(6) > 0 || d.ids == 0 {
		f.id = fmt.Sprintf("r%d", d.ids)
		d.ids++
	}
	switch d.IntN(12) {
	case 0, 1:
		f.controller, f.campaign, f.data = d.reference()
	case 2:
		x := &events.EventCorrected{Target: events.Identity{Source: "crm", ID: d.someID()}, Action: pick(d, events.CorrectionVoid, events.CorrectionAmend), Reason: "r"}
		if x.Action == events.CorrectionAmend {
			x.NewTime = d.when()
		}
		f.data = x
	default:
		f.contact = d.people[d.IntN(len(d.people))]
		f.controller, f.data = d.payload()
		if f.data.EventType() == events.TypeCallConcluded {
			f.campaign = "K"
		}
	}
	return f
}

// What FEED says, folded, is what stands according to the ledger alone,
// whatever happened, in whatever order, and whenever the feed was killed: also
// when it had forgotten its last commits, or everything.
func TestFEEDSaysWhatStands(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := newRig(t)
			d := &dice{rig: r, Rand: rand.New(rand.NewPCG(seed, 7))}
			for i := range 4 {
				d.people = append(d.people, r.person(i))
			}
			r.record(fact{controller: "A", data: notice(), time: noon - 1})
			r.start()
			r.settle()
			early, late := r.dialer("early"), (*dialer)(nil)
			for i := range 8 {
				d.step()
				r.settle()
				early.listen()
				early.check()
				if i == 3 {
					late = r.dialer("late")
				}
				if late != nil {
					late.listen()
					late.check()
				}
			}
		})
	}
}

// step lets something happen.
func (d *dice) step() {
	saved := ""
	for range 1 + d.IntN(4) {
		switch d.IntN(8) {
		case 0:
			d.clock.move(time.Duration(1+d.IntN(60)) * 6 * time.Hour)
		case 1:
			d.kill()
			d.record(d.fact(), d.fact())
			d.start()
		case 2: // what is committed from here on is lost
			if saved == "" {
				saved = d.save()
			}
		case 3: // the event index lags
			d.stopIndex()
			d.record(d.fact(), d.fact(), d.fact())
			d.startIndex()
		}
		var list []fact
		for range 1 + d.IntN(5) {
			list = append(list, d.fact())
		}
		d.record(list...)
	}
	switch {
	case saved != "":
		d.kill()
		d.restore(saved)
		d.start()
	case d.IntN(8) == 0: // the feed's memory is lost
		d.kill()
		d.restore(d.t.TempDir())
		d.start()
	}
}

// save copies the feed's memory as a loss of power would leave it.
func (r *rig) save() string {
	r.kill()
	r.must(r.said.Close())
	to := r.t.TempDir()
	r.copySaid(r.folder, to)
	r.openSaid()
	r.start()
	return to
}

// restore puts a copy back; an empty folder holds none.
func (r *rig) restore(from string) {
	r.must(r.said.Close())
	for _, name := range r.saidFiles(r.folder) {
		if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) { // SQLite tidies up too
			r.must(err)
		}
	}
	r.copySaid(from, r.folder)
	r.openSaid()
}

func (r *rig) saidFiles(folder string) []string {
	list, err := filepath.Glob(filepath.Join(folder, said.File+"*"))
	r.must(err)
	return list
}

func (r *rig) copySaid(from, to string) {
	for _, name := range r.saidFiles(from) {
		b, err := os.ReadFile(name)
		r.must(err)
		r.must(os.WriteFile(filepath.Join(to, strings.TrimPrefix(name, from+string(filepath.Separator))), b, 0o600))
	}
}
