package violations

import (
	"github.com/assenso/assenso/events"
)

// reached tells from when on fresh facts bear on attempts: on all, and on those
// of one controller. An attempt that was over before is not touched.
type reached struct {
	all events.Instant
	by  map[string]events.Instant
}

func (r *reached) of(controller string) events.Instant {
	if at, ok := r.by[controller]; ok {
		return min(r.all, at)
	}
	return r.all
}

// reach says what the fresh facts bear on, and which they are, by sequence. A
// view holds no fact later than the attempt, so each reaches from its legal
// time on (IT-OPP-02 looks past the attempt, until it is due).
func (t *touch) reach() (reached, map[uint64]bool) {
	r, fresh := reached{events.MaxInstant, map[string]events.Instant{}}, make(map[uint64]bool, len(t.fresh))
	for _, f := range t.fresh {
		fresh[f.Sequence] = true
		if at, ok := r.by[f.Controller]; !ownOnly(f) {
			r.all = min(r.all, f.Time)
		} else if !ok || f.Time < at {
			r.by[f.Controller] = f.Time
		}
	}
	return r, fresh
}
