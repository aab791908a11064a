package sqlvault

import "github.com/assenso/assenso/events"

// claimCacheSize bounds the cache: 100,000 young and as many old claims, some
// 20 MB when full.
const claimCacheSize = 100_000

type claimKey struct {
	contact    events.ContactKey
	controller string
}

// stored is what is known to lie in the database for a claim.
type stored struct {
	last   events.Instant // latest event of the claim
	number bool
}

// claimCache remembers claims that were written or found recently, so that the
// next event of the same number writes nothing. Two generations replace each
// other: a claim that is asked for stays.
type claimCache struct {
	size       int
	young, old map[claimKey]stored
}

func newClaimCache(size int) *claimCache {
	return &claimCache{size: size, young: map[claimKey]stored{}}
}

func (c *claimCache) get(k claimKey) (stored, bool) {
	if s, ok := c.young[k]; ok {
		return s, true
	}
	s, ok := c.old[k]
	if ok {
		c.put(k, s)
	}
	return s, ok
}

func (c *claimCache) put(k claimKey, s stored) {
	if len(c.young) >= c.size {
		c.old, c.young = c.young, make(map[claimKey]stored, c.size)
	}
	c.young[k] = s
}

func (c *claimCache) clear() {
	clear(c.young)
	c.old = nil
}
