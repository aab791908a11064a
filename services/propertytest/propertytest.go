// Package propertytest says how often properties are drawn where rapid's own default does not fit.
//
//	func TestMain(m *testing.M) { propertytest.Main(m, 2000) } // cheap properties, rare faults
//	propertytest.Checks(t, 10)                                 // one dear property
//
// What -rapid.checks says on the command line goes before either.
package propertytest

import (
	"flag"
	"os"
	"strconv"
	"testing"

	_ "pgregory.net/rapid" // registers its flags
)

// rapidChecks is rapid's flag.
const rapidChecks = "rapid.checks"

// Main runs the tests of a package, each property n times, and exits.
func Main(m *testing.M, n int) {
	if err := flag.Set(rapidChecks, strconv.Itoa(n)); err != nil {
		panic(err) // the flag is rapid's own
	}
	os.Exit(m.Run())
}

// Checks lets rapid try a property n times in this test.
func Checks(t *testing.T, n int) {
	t.Helper()
	f := flag.Lookup(rapidChecks)
	before := f.Value.String()
	if before != f.DefValue {
		return // asked for on the command line
	}
	if err := f.Value.Set(strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Value.Set(before); err != nil {
			t.Error(err)
		}
	})
}
