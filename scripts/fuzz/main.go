// Command fuzz finds every fuzz target of the given packages and runs each for
// a while; a target added tomorrow is run tomorrow.
//
//	go run ./scripts/fuzz -time 10s -total 2m ./events/...
//
// Without any target it fails: then it looks at the wrong place.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzz: "+err.Error())
		os.Exit(1)
	}
}

// target is one fuzz function.
type target struct{ pkg, name string }

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("fuzz", flag.ContinueOnError)
	each := flags.Duration("time", 10*time.Second, "how long each target runs")
	total := flags.Duration("total", 0, "share this time among the targets if that is less; 0 = no bound")
	if err := flags.Parse(args); err != nil {
		return err
	}
	targets, err := find(ctx, flags.Args())
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		return fmt.Errorf("no fuzz target in %s: name the packages that have some", strings.Join(flags.Args(), " "))
	}
	length := *each
	if *total > 0 {
		length = min(length, *total/time.Duration(len(targets)))
	}
	for _, t := range targets {
		fmt.Fprintf(out, "%s %s for %s\n", t.pkg, t.name, length)
		cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-fuzz=^"+t.name+"$", "-fuzztime="+length.String(), "-parallel=2", t.pkg)
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Run(); err != nil && deadlineOnly(said.Bytes()) {
			fmt.Fprintln(out, "its time was up while an input was being tried: nothing found")
		} else if err != nil {
			return fmt.Errorf("%s %s: %w\n%s", t.pkg, t.name, err, said.String())
		}
	}
	fmt.Fprintf(out, "%d targets, %s each, nothing found\n", len(targets), length)
	return nil
}

// onlyDeadline is what "go test -fuzz" prints when the end of -fuzztime meets
// a worker in the middle of an input: the coordinator takes its own deadline
// for a failure (golang/go#75804). A failing input prints its own lines and
// where it was written instead.
var onlyDeadline = regexp.MustCompile(`(?m)^--- FAIL: Fuzz\w* \([0-9.]+s\)\n    context deadline exceeded\nFAIL$`)

// deadlineOnly reports whether a failed run failed of its own deadline alone.
func deadlineOnly(said []byte) bool {
	return onlyDeadline.Match(said) && bytes.Count(said, []byte("--- FAIL")) == 1 && !bytes.Contains(said, []byte("Failing input"))
}

// find reads the test files of the packages for fuzz functions.
func find(ctx context.Context, patterns []string) ([]target, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-json=ImportPath,Dir,TestGoFiles,XTestGoFiles"}, patterns...)...)
	cmd.Stderr = os.Stderr
	list, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	var targets []target
	for dec := json.NewDecoder(bytes.NewReader(list)); ; {
		var p struct {
			ImportPath, Dir           string
			TestGoFiles, XTestGoFiles []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return targets, nil
		} else if err != nil {
			return nil, fmt.Errorf("read package list: %w", err)
		}
		for _, name := range append(p.TestGoFiles, p.XTestGoFiles...) {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, fmt.Errorf("read test file: %w", err)
			}
			for _, f := range functions(file) {
				targets = append(targets, target{p.ImportPath, f})
			}
		}
	}
}

// functions returns the names of a file's fuzz functions: FuzzXxx(*testing.F).
func functions(file *ast.File) []string {
	var names []string
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Fuzz") && fn.Type.Params.NumFields() == 1 {
			names = append(names, fn.Name.Name)
		}
	}
	return names
}
