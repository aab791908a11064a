package listcheck

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/assenso/assenso/events"
)

// The root is that of the tree of tlog (RFC 6962 2.1), however the leaves are
// cut into spans.
func TestRootIsThatOfTheTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 300).Draw(t, "leaves")
		var stored []tlog.Hash
		reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			var out []tlog.Hash
			for _, i := range indexes {
				out = append(out, stored[i])
			}
			return out, nil
		})
		var whole Span
		part := SpanAt(0)
		for i := range n {
			leaf := fmt.Appendf(nil, "leaf %d", i)
			more, err := tlog.StoredHashes(int64(i), leaf, reader)
			if err != nil {
				t.Fatal(err)
			}
			stored = append(stored, more...)
			part.Append(hashLeaf(append([]byte{leafPrefix}, leaf...)))
			if rapid.IntRange(0, 9).Draw(t, "cut") == 0 {
				whole.Join(&part)
				part.Reset(uint64(i + 1))
			}
		}
		whole.Join(&part)
		want := tlog.Hash(sha256.Sum256(nil))
		if n > 0 {
			var err error
			if want, err = tlog.TreeHash(int64(n), reader); err != nil {
				t.Fatal(err)
			}
		}
		if got := whole.Root(); got != want || whole.End() != uint64(n) {
			t.Fatalf("root %s of %d leaves, want %s of %d", got, whole.End(), want, n)
		}
	})
}

// The commitment to a set is the tree over its keys, by tlog.
func TestSetRoot(t *testing.T) {
	keys := []events.ContactKey{{1}, {2}, {2, 1}}
	a, b, c := tlog.RecordHash(keys[0][:]), tlog.RecordHash(keys[1][:]), tlog.RecordHash(keys[2][:])
	if got, want := SetRoot(keys), events.Digest(tlog.NodeHash(tlog.NodeHash(a, b), c)); got != want {
		t.Errorf("root %s, want %s", got, want)
	}
}
