package scenario

import (
	"testing"
	"testing/fstest"
)

// A shell's *.yaml names the fixtures file as well as the scenario files.
func TestFixturesFileHoldsNoScenarios(t *testing.T) {
	files := fstest.MapFS{
		"fixtures.yaml": {Data: []byte("fixtures:\n  base:\n    contacts: {M: \"+393401234567\"}\n")},
		"empty.yaml":    {Data: []byte("scenarios: []\n")},
		"bad.yaml":      {Data: []byte("fixtures:\n  base:\n    contacts: 7\n")},
	}
	if got, err := LoadFS(files, "fixtures.yaml"); err != nil || len(got) != 0 {
		t.Errorf("fixtures file: %d scenarios, %v", len(got), err)
	}
	for _, name := range []string{"empty.yaml", "bad.yaml"} {
		if _, err := LoadFS(files, name); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}
