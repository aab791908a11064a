package rules

import (
	"flag"
	"os"
	"testing"
)

// The properties of this package are cheap, and what breaks them is rare: each
// is drawn 2000 times unless -rapid.checks says otherwise.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "2000"); err != nil {
		panic(err) // the flag is rapid's own
	}
	os.Exit(m.Run())
}
