package client

import "time"

// age is how long ago then was at now: the larger of what the monotonic and
// the wall clock say. The one stands still while the machine sleeps, the other
// may be set back; together they err on the side of old.
func age(now, then time.Time) time.Duration {
	return max(now.Sub(then), now.Round(0).Sub(then.Round(0)))
}
