package main

import (
	"errors"

	"github.com/assenso/assenso/services/house"
)

// Exit codes, see the package comment.
const (
	exitDone   = 0
	exitNo     = 1
	exitUsage  = 2
	exitFatal  = 3
	exitServer = 4
)

// exitError is an error with its exit code. An empty text is not printed: the
// command has already said everything.
type exitError struct {
	code int
	err  error
}

// Error implements error.
func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// Unwrap returns the cause.
func (e *exitError) Unwrap() error { return e.err }

// errNo is the answer "no" of a command that has printed why.
var errNo = &exitError{code: exitNo}

func usage(err error) error  { return &exitError{code: exitUsage, err: err} }
func server(err error) error { return &exitError{code: exitServer, err: err} }

// exitCode maps an error to the process's exit code.
func exitCode(err error) int {
	var e *exitError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, house.ErrFatal):
		return exitFatal
	case errors.As(err, &e):
		return e.code
	case errors.Is(err, house.ErrConfig):
		return exitUsage
	}
	return exitUsage
}
