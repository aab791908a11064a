//go:build !race

package vault

import "testing"

// A key is derived without an allocation. The race detector empties pools at
// random, so it cannot ask this.
func TestKeyAllocatesNothing(t *testing.T) {
	k, number := testKeys(t), NewNumber("+393401234567")
	if n := testing.AllocsPerRun(100, func() { k.Key(number) }); n != 0 {
		t.Errorf("Key allocates %v times, want never", n)
	}
}
