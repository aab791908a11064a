package client

import "testing"

// TestTheLeastOfTheFiltersIsReached: what one tail has read says nothing of the
// other.
func TestTheLeastOfTheFiltersIsReached(t *testing.T) {
	h := newHand()
	f := &follower{set: following(t, h, 7), reached: map[string]uint64{"own": 7, "every": 7}, behind: map[string]chan struct{}{"own": make(chan struct{}, 1), "every": make(chan struct{}, 1)}}
	f.applied("own", 9, true)
	if p := f.set.Position(); p != 7 {
		t.Errorf("position %d with one tail at 7 and one at 9", p)
	}
	select {
	case <-f.behind["every"]:
	default:
		t.Error("the tail that is behind was not asked")
	}
	f.applied("every", 8, false)
	if p := f.set.Position(); p != 8 {
		t.Errorf("position %d with one tail at 8 and one at 9", p)
	}
	f.applied("every", 12, false)
	f.applied("own", 8, false) // heard late
	if p := f.set.Position(); p != 9 {
		t.Errorf("position %d with one tail at 12 and one at 9", p)
	}
	if len(f.behind["own"]) > 0 {
		t.Error("a tail was asked although nothing was applied")
	}
}
