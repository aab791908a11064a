package vault

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/assenso/assenso/events"
)

func testKeys(t testing.TB) *Keys {
	t.Helper()
	pepper, seal := make([]byte, keySize), make([]byte, keySize)
	for i := range pepper {
		pepper[i], seal[i] = byte(i*7+1), byte(i)
	}
	k, err := NewKeys(pepper, seal)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Key is HMAC-SHA-256 as the standard library has it (events.md 1.2), for
// numbers of every length.
func TestKeyIsHMAC(t *testing.T) {
	k := testKeys(t)
	for n := range 40 {
		number := "+" + strings.Repeat("3401234567", 4)[:n]
		mac := hmac.New(sha256.New, k.pepper[:])
		mac.Write([]byte(number))
		if got, want := k.Key(NewNumber(number)), events.ContactKey(mac.Sum(nil)[:16]); got != want {
			t.Errorf("%d digits: key %s, want %s", n, got, want)
		}
	}
}

func BenchmarkKey(b *testing.B) {
	k, number := testKeys(b), NewNumber("+393401234567")
	for b.Loop() {
		k.Key(number)
	}
}
