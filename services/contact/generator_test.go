package contact_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"pgregory.net/rapid"
)

// n and m are the two contacts of the random histories.
var n, m = events.ContactKey{1}, events.ContactKey{2}

// start is the first instant of the random histories.
var start = events.Date(739_000).In(events.Rome)

// tick is one instant of a small set, so that ties are frequent.
func tick(t *rapid.T, name string) events.Instant {
	return start + events.Instant(rapid.IntRange(0, 12).Draw(t, name))*1_000_000
}

var controllers = []string{"A", "B"}

// payload draws the data of one event from every register's types.
func payload(t *rapid.T) events.Payload {
	ps := rapid.SampledFrom([]events.PurposeSet{events.AllPurposes, events.PurposeMarketing.Bit(), 0}).Draw(t, "purposes")
	cs := rapid.SampledFrom([]events.ChannelSet{events.AllChannels, events.ChannelOperatorCall.Bit(), events.ChannelSMS.Bit()}).Draw(t, "channels")
	ref := rapid.SampledFrom([]string{"e0", "e1", "e2"}).Draw(t, "ref")
	day := events.Date(739_000 + rapid.IntRange(0, 3).Draw(t, "day"))
	flag := rapid.Bool().Draw(t, "flag")
	switch rapid.IntRange(0, 19).Draw(t, "type") {
	case 0:
		return &events.ConsentGranted{Purposes: ps | 1, Channels: cs, PreTicked: flag}
	case 1:
		return &events.ConsentRevoked{Purposes: ps, Channels: cs}
	case 2:
		return &events.ConsentRefused{Purposes: ps, Channels: cs}
	case 3:
		return &events.ConsentReverified{Grant: ref, Result: "confirmed"}
	case 4:
		return &events.ConsentInvalidated{Grant: ref, Reason: events.InvalidFake}
	case 5:
		return &events.OppositionRegistered{Purposes: ps, Channels: cs, Dropped: events.Dropped{Dropped: dropped(flag)}}
	case 6:
		return &events.RegisterListed{ListedOn: day}
	case 7:
		return &events.RegisterRenewed{ListedOn: day}
	case 8:
		return &events.RegisterDelisted{DelistedOn: day}
	case 9:
		return &events.RegisterSelectivelyRevoked{From: day}
	case 10:
		answer := rapid.SampledFrom([]events.RegisterAnswer{events.AnswerClear, events.AnswerOpposed, events.AnswerSelective, events.AnswerInvalid}).Draw(t, "answer")
		return &events.RegisterScreened{Batch: ref, SnapshotAt: tick(t, "snapshot"), Answer: answer, OppositionDate: day}
	case 11:
		return &events.ContractConcluded{Contract: ref, Continuous: flag, StartedOn: day}
	case 12:
		return &events.ContractEnded{Contract: ref, EndedOn: day}
	case 13:
		return &events.CallConcluded{DialledAt: tick(t, "dialled"), Disposition: events.DispositionSilent}
	case 14:
		return &events.ListContactAdded{List: ref, Source: "s"}
	case 15:
		return &events.ListContactRemoved{List: ref}
	case 16:
		return &events.DirectoryExtracted{InDirectory: flag, ExtractedOn: day}
	case 17:
		return &events.SuppressionAcknowledged{Opposition: ref, Processor: "P1"}
	case 18:
		return &events.ErasureExecuted{}
	default:
		action := events.CorrectionVoid
		if flag {
			action = events.CorrectionAmend
		}
		return &events.EventCorrected{
			Target: events.Identity{Source: "src", ID: fmt.Sprintf("e%d", rapid.IntRange(0, 9).Draw(t, "target"))},
			Action: action, NewTime: tick(t, "new"), Reason: "r", Data: map[string]any{"pre_ticked": nil},
		}
	}
}

func dropped(flag bool) []string {
	if flag {
		return []string{"time"}
	}
	return nil
}

// fact draws one fact: few identities, so that duplicates, conflicts and
// corrections of corrections happen; now and then of the other contact.
func fact(t *rapid.T, sequence int) *contact.Fact {
	data := payload(t)
	e := events.Event{
		ID: fmt.Sprintf("e%d", rapid.IntRange(0, 9).Draw(t, "id")), Source: "src", Type: data.EventType(), Data: data,
		Controller: rapid.SampledFrom(controllers).Draw(t, "controller"), Time: tick(t, "time"),
	}
	e.Received = e.Time + events.Instant(rapid.IntRange(0, 3).Draw(t, "late"))*1_000_000
	e.Recorded = e.Received + events.Instant(rapid.IntRange(0, 3).Draw(t, "lag"))*1_000_000
	if e.Type != events.TypeEventCorrected {
		e.Subject = n
		if rapid.IntRange(0, 9).Draw(t, "elsewhere") == 0 {
			e.Subject = m
		}
	}
	return contact.NewFact(e, digest(t, &e), nil, "S", uint64(sequence)+1)
}

// digest hashes what events.md 1.1 hashes.
func digest(t *rapid.T, e *events.Event) events.Digest {
	b, err := json.Marshal([]any{e.Type, e.Time, e.Controller, e.Subject, e.Data})
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(b)
}

func facts(t *rapid.T, most int) []*contact.Fact {
	count := rapid.IntRange(0, most).Draw(t, "count")
	out := make([]*contact.Fact, count)
	for i := range out {
		out[i] = fact(t, i)
	}
	return out
}

// shuffled permutes the facts and repeats some of them.
func shuffled(t *rapid.T, list []*contact.Fact) []*contact.Fact {
	out := rapid.Permutation(list).Draw(t, "order")
	for i := range out {
		if rapid.IntRange(0, 3).Draw(t, "again") == 0 {
			out = append(out, out[i])
		}
	}
	return out
}

func cut(t *rapid.T) contact.Cut {
	at := func(name string) events.Instant {
		if rapid.IntRange(0, 3).Draw(t, name+" open") == 0 {
			return events.MaxInstant
		}
		return tick(t, name)
	}
	return contact.Cut{Occurred: at("o"), Received: at("r"), Recorded: at("w"), Known: at("k")}
}
