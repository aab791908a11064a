// Command assenso is one binary: serve, import, decide, report, contacts,
// campaigns, rejects, parked, scenario, doctor, demo. It parses and wires, and
// decides nothing.
//
// Exit codes:
//
//	0  done
//	1  the answer is no: a blocked call, a failed scenario, a finding of doctor
//	2  wrong usage, configuration or input file
//	3  stopped: what was acknowledged may not be kept any more (data folder,
//	   pepper, disk, durability); the message says what to do
//	4  the server cannot be reached or could not answer
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the law counts days in Europe/Rome wherever this runs
)

func main() { os.Exit(mainCode()) }

// mainCode is main without the exit, for tests that run the binary's code.
func mainCode() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ()})
	if err != nil && err.Error() != "" {
		fmt.Fprintln(os.Stderr, "assenso: "+err.Error())
	}
	return exitCode(err)
}
