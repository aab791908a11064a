package imports

import (
	"bytes"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Progress is for terminals: nothing else is written to.
func TestProgressIsSilentElsewhere(t *testing.T) {
	var out bytes.Buffer
	sum := run(t, Options{Path: write(t, "a.csv", table(30)), Mapping: mapping(t, rowsMapping), Sink: newDoor(t), BatchSize: 3, Progress: &out})
	if out.Len() > 0 || sum.Recorded != 30 {
		t.Errorf("%d bytes were written, summary %v", out.Len(), sum)
	}
}
