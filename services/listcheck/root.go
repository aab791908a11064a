package listcheck

import (
	"crypto/sha256"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/assenso/assenso/events"
)

// Hash is a hash of the tree, SHA-256.
type Hash = tlog.Hash

// Span holds the hashes of a run of leaves as the roots of the largest
// subtrees that lie within it, from left to right. The zero Span begins at the
// first leaf; spans that follow one another are joined, so that the leaves of a
// long list can be hashed side by side.
type Span struct {
	end   uint64 // index behind the last leaf
	nodes []node
}

// node is the root of a subtree of 1<<level leaves.
type node struct {
	hash  Hash
	level uint8
}

// SpanAt returns an empty span that begins at a leaf.
func SpanAt(index uint64) Span { return Span{end: index} }

// Reset makes the span empty, beginning at a leaf; its memory is used again.
func (s *Span) Reset(index uint64) { s.end, s.nodes = index, s.nodes[:0] }

// End returns the index behind the last leaf.
func (s *Span) End() uint64 { return s.end }

// Append adds a leaf.
func (s *Span) Append(leaf Hash) { s.push(node{hash: leaf}) }

// Join adds a span that begins where s ends.
func (s *Span) Join(next *Span) {
	for i := range next.nodes {
		s.push(next.nodes[i])
	}
}

// push adds a subtree and joins it with its left sibling as long as there is one.
func (s *Span) push(n node) {
	s.end += 1 << n.level
	for last := len(s.nodes) - 1; last >= 0; last-- {
		left := &s.nodes[last]
		begins := s.end - 2<<n.level
		if left.level != n.level || begins%(2<<n.level) != 0 {
			break
		}
		n = node{hashNode(&left.hash, &n.hash), n.level + 1}
		s.nodes = s.nodes[:last]
	}
	s.nodes = append(s.nodes, n)
}

// Root returns the root of the tree over all leaves of a span that begins at
// the first one (RFC 6962 2.1).
func (s *Span) Root() Hash {
	if len(s.nodes) == 0 {
		return sha256.Sum256(nil)
	}
	last := len(s.nodes) - 1
	root := s.nodes[last].hash
	for i := last - 1; i >= 0; i-- {
		root = hashNode(&s.nodes[i].hash, &root)
	}
	return root
}

// What RFC 6962 puts before a leaf, and before the two hashes of a node.
const (
	leafPrefix = 0x00
	nodePrefix = 0x01
)

// hashNode hashes the roots of two subtrees.
func hashNode(left, right *Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = nodePrefix
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// hashLeaf hashes a leaf that stands behind leafPrefix.
func hashLeaf(prefixed []byte) Hash { return sha256.Sum256(prefixed) }

// SetRoot commits to a set of contacts (set_root of
// register.screening_completed): the root of the tree over their keys in
// ascending order, each once, a leaf being the 16 bytes of a key.
func SetRoot(ascending []events.ContactKey) events.Digest {
	var all Span
	leaf := make([]byte, 1+len(events.ContactKey{}))
	leaf[0] = leafPrefix
	for i := range ascending {
		copy(leaf[1:], ascending[i][:])
		all.Append(hashLeaf(leaf))
	}
	return events.Digest(all.Root())
}
