package recorder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/intake"
)

// TestPoison: what no repetition helps is found among sound neighbours and set
// aside alone; a person can submit it again or drop it.
func TestPoison(t *testing.T) {
	for name, poison := range map[string]func(*rig){
		"the ledger refuses it for good": func(r *rig) { r.log.poison = `"w-5"` },
		"the vault panics over it":       func(r *rig) { r.vault.panics = "+393401230005" },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, events.FamilyRevocations)
			poison(r)
			var sound []string
			for i := range 16 {
				id := fmt.Sprintf("w-%d", i)
				r.submit(revoke(id, fmt.Sprintf("+39340123%04d", i)))
				if i != 5 {
					sound = append(sound, id)
				}
			}
			r.run(nil)
			for _, got := range r.receipts(15) {
				if got.Result != intake.Recorded {
					t.Errorf("receipt %+v", got)
				}
			}
			r.settled()
			r.check(slices.Clone(sound), 0)

			ctx := context.Background()
			list, next, err := r.cfg.Parked.List(ctx, "recorder.revocations", "", 10)
			if err != nil || len(list) != 1 || next != "" {
				t.Fatalf("parked: %+v %v", list, err)
			}
			p := list[0]
			if p.Type != events.TypeConsentRevoked || p.Source != "crm.a.example" || p.Sequence != 6 || p.Reason == "" || strings.Contains(p.Reason, "3401230005") {
				t.Errorf("parked %+v", p)
			}
			if a := <-r.alarms; a.Reason != AlarmParked || a.Ref != p.ID {
				t.Errorf("alarm %+v", a)
			}

			r.log.poison, r.vault.panics = "", ""
			if err := r.cfg.Parked.Retry(ctx, p.ID); err != nil {
				t.Fatalf("retry: %v", err)
			}
			r.settled()
			r.check(append(sound, "w-5"), 0)
			if list, _, err := r.cfg.Parked.List(ctx, "", "", 10); err != nil || len(list) != 0 {
				t.Errorf("still parked: %+v %v", list, err)
			}
			if ids := r.vault.sealedIDs(); len(ids) != 0 {
				t.Errorf("the payload is still sealed: %v", ids)
			}
		})
	}
}

// TestParkedDrop: a dropped message is gone with its payload; unknown ids are
// an error.
func TestParkedDrop(t *testing.T) {
	r := newRig(t, events.FamilyRevocations)
	r.log.poison = `"w-1"`
	r.submit(revoke("w-1", "+393401234567"))
	_, stop := r.run(nil)
	r.settled()
	stop()
	ctx := context.Background()
	list, _, err := r.cfg.Parked.List(ctx, "", "", 10)
	if err != nil || len(list) != 1 {
		t.Fatalf("parked: %+v %v", list, err)
	}
	if err := r.cfg.Parked.Drop(ctx, list[0].ID); err != nil {
		t.Fatalf("drop: %v", err)
	}
	r.check(nil, 0)
	if ids := r.vault.sealedIDs(); len(ids) != 0 {
		t.Errorf("the payload is still sealed: %v", ids)
	}
	for name, act := range map[string]func(context.Context, string) error{"drop": r.cfg.Parked.Drop, "retry": r.cfg.Parked.Retry} {
		if err := act(ctx, list[0].ID); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s again: %v, want ErrUnknown", name, err)
		}
	}
}

// TestRejectsOfDoors: a door's refusals are kept with ids of their own.
func TestRejectsOfDoors(t *testing.T) {
	r := newRig(t, events.FamilyGrants)
	ctx := context.Background()
	fault := []events.Fault{{Code: "json_invalid", Hint: "send one JSON object"}}
	kept, err := r.cfg.Rejects.Reject(ctx, []Refusal{
		{Body: []byte("{"), Errors: fault},
		{Source: "crm a\n", ID: "x@example.org", Type: "call +39 340 123 4567", Body: []byte("{}"), Errors: fault},
		{Source: "192.0.2.7", ID: "id 340", Type: "consent.eaten.v1", Body: []byte("[]"), Errors: fault},
	})
	if err != nil || len(kept) != 3 || kept[0].Reject == kept[1].Reject {
		t.Fatalf("reject: %+v %v", kept, err)
	}
	list, _, err := r.cfg.Rejects.List(ctx, "", "", 10)
	if err != nil || len(list) != 3 {
		t.Fatalf("list: %+v %v", list, err)
	}
	if one := list[1]; one.Source != "" || one.ID != "" || one.Type != "" {
		t.Errorf("what looks personal stands in the stream: %+v", one)
	}
	if one := list[2]; one.Source != "" || one.ID != "id 340" || one.Type != "consent.eaten.v1" || one.RejectedAt != kept[2].RejectedAt {
		t.Errorf("listed %+v, kept %+v", one, kept[2])
	}
	if body, err := r.cfg.Rejects.Original(ctx, kept[2].Reject); err != nil || string(body) != "[]" {
		t.Errorf("original %q %v", body, err)
	}
	if one, err := r.cfg.Rejects.Get(ctx, kept[2].Reject); err != nil || one.Type != "consent.eaten.v1" {
		t.Errorf("get %+v %v", one, err)
	}
	if _, err := r.cfg.Rejects.Get(ctx, "nobody"); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown reject: %v", err)
	}
	if _, err := r.cfg.Rejects.Original(ctx, "nobody"); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown reject: %v", err)
	}
	if none, err := r.cfg.Rejects.Reject(ctx, nil); err != nil || none != nil {
		t.Errorf("nothing refused: %v %v", none, err)
	}
}
