package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"testing"

	"github.com/assenso/assenso/services/house"
)

// exitStatus reads the exit code out of the error of a command that was run.
func exitStatus(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return strconv.Itoa(exit.ExitCode())
	}
	return err.Error()
}

func TestExitCodesFollowTheirMeaning(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errNo, 1},
		{usage(errors.New("x")), 2},
		{fmt.Errorf("wrapped: %w", house.ErrConfig), 2},
		{errors.New("unknown command"), 2},
		{fmt.Errorf("open: %w", house.ErrFatal), 3},
		{usage(fmt.Errorf("open: %w", house.ErrFatal)), 3},
		{server(context.DeadlineExceeded), 4},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}
