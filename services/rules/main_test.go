package rules

import (
	"testing"

	"github.com/assenso/assenso/services/propertytest"
)

// The properties of this package are cheap, and what breaks them is rare.
func TestMain(m *testing.M) { propertytest.Main(m, 2000) }
