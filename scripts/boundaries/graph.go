package boundaries

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// module is the path before every package of the repository.
const module = "github.com/assenso/assenso/"

// pkg is what go list says of one package.
type pkg struct {
	ImportPath   string
	Name         string
	Dir          string
	Doc          string
	Standard     bool
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
	Module       *struct{ Path string }
	Error        *struct{ Err string }
}

// own reports whether the package belongs to the repository.
func (p *pkg) own() bool { return strings.HasPrefix(p.ImportPath, module) }

// short is the path below the repository for own packages.
func (p *pkg) short() string { return strings.TrimPrefix(p.ImportPath, module) }

// graph is the import graph of the repository, tests left out.
type graph struct {
	packages map[string]*pkg // by import path
	owned    []*pkg          // those of the repository, by path
}

// load reads the graph of the workspace in folder root.
func load(root string) (*graph, error) {
	cmd := exec.Command("go", "list", "-e", "-deps",
		"-json=ImportPath,Name,Dir,Doc,Standard,GoFiles,TestGoFiles,XTestGoFiles,Imports,Module,Error", module+"...")
	cmd.Dir = root
	var faults bytes.Buffer
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list packages: %w: %s", err, faults.String())
	}
	g := &graph{packages: map[string]*pkg{}}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(pkg)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read package list: %w", err)
		}
		g.add(p)
	}
	return g, nil
}

func (g *graph) add(p *pkg) {
	g.packages[p.ImportPath] = p
	if p.own() {
		g.owned = append(g.owned, p)
		slices.SortFunc(g.owned, func(a, b *pkg) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	}
}

// reach visits p and everything it imports, directly or not, with the shortest
// path that leads there.
func (g *graph) reach(p *pkg, visit func(q *pkg, path []string)) {
	type step struct {
		at   *pkg
		path []string
	}
	seen := map[string]bool{p.ImportPath: true}
	for queue := []step{{p, []string{p.short()}}}; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		visit(s.at, s.path)
		if s.at.Standard {
			continue // what the standard library is made of is its own affair
		}
		for _, path := range s.at.Imports {
			q := g.packages[path]
			if q == nil || seen[path] {
				continue
			}
			seen[path] = true
			queue = append(queue, step{q, append(slices.Clone(s.path), q.short())})
		}
	}
}

// modules returns the modules that the modules of the workspace require.
func modules(root string) ([]string, error) {
	work, err := goJSON[struct{ Use []struct{ DiskPath string } }](root, "work", "edit", "-json")
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, use := range work.Use {
		mod, err := goJSON[struct{ Require []struct{ Path string } }](filepath.Join(root, use.DiskPath), "mod", "edit", "-json")
		if err != nil {
			return nil, err
		}
		for _, r := range mod.Require {
			paths = append(paths, r.Path)
		}
	}
	return paths, nil
}

// goJSON runs a go command and decodes what it prints.
func goJSON[T any](dir string, args ...string) (T, error) {
	var v T
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return v, fmt.Errorf("go %s in %s: %w", strings.Join(args, " "), dir, err)
	}
	if err := json.Unmarshal(out, &v); err != nil {
		return v, fmt.Errorf("read go %s: %w", strings.Join(args, " "), err)
	}
	return v, nil
}
