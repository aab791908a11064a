package house

import (
	"errors"
	"fmt"
)

// ErrFatal is wrapped by faults after which acknowledged events might not be
// kept: the process stops at once. The message says what to do.
var ErrFatal = errors.New("stopped")

// fatal wraps a fault and what an operator should do about it.
func fatal(err error, remedy string) error {
	return fmt.Errorf("%w: %w: %s", ErrFatal, err, remedy)
}
