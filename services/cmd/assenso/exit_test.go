package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"testing"

	"github.com/assenso/assenso/services/house"
	"github.com/assenso/assenso/services/imports"
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
		{importEnd(imports.Summary{}, nil), 0},
		{importEnd(imports.Summary{Rejected: 1}, nil), 1},
		{importEnd(imports.Summary{}, imports.ErrFormat), 2},
		{importEnd(imports.Summary{}, fmt.Errorf("send: %w", context.Canceled)), 4},
		{importEnd(imports.Summary{}, imports.ErrSink), 4},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}
