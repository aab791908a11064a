package boundaries

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Rule is a row of the package table; it holds for the package and everything
// below it that has no row of its own.
type Rule struct {
	Package string // path below the repository
	// Says is how the package comment goes on after "Package <name> "; "" =
	// free.
	Says string
	Not  []Ban
}

// Ban is something that a package must not reach, with the reason.
type Ban struct {
	Packages []string // of the repository, with all below them
	Module   string   // of others, with all below it; anyModule = all
	But      []string // modules that Module does not mean
	Standard []string // standard packages, imported by our own code
	Calls    []string // functions, called by our own code
	Direct   bool     // only imports of the package itself count
	Except   []string // packages that this ban is not for, with all below them
	Why      string
}

// anyModule stands for every module that is neither ours nor the standard
// library.
const anyModule = "*"

// row returns the rule for a package: that of the longest path.
func row(table []Rule, path string) *Rule {
	var best *Rule
	for i := range table {
		if below(path, table[i].Package) && (best == nil || len(table[i].Package) > len(best.Package)) {
			best = &table[i]
		}
	}
	return best
}

// below reports whether path is the folder or lies in it.
func below(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

func belowAny(path string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return below(path, f) })
}

// check holds every package against its row and returns the faults.
func (g *graph) check(table []Rule, everywhere []Ban) []string {
	var faults []string
	for _, p := range g.owned {
		if below(p.short(), "scripts") {
			continue
		}
		rule := row(table, p.short())
		if rule == nil {
			faults = append(faults, p.short()+" has no row in the package table: add one to scripts/boundaries/table.go with what it must not import")
			continue
		}
		bans := rule.Not
		if below(p.short(), "services") {
			bans = append(slices.Clone(bans), everywhere...)
		}
		for _, b := range bans {
			if !belowAny(p.short(), b.Except) {
				faults = append(faults, g.banned(p, b)...)
			}
		}
		faults = append(faults, g.comment(p, rule)...)
	}
	return faults
}

// banned returns where p reaches what b forbids.
func (g *graph) banned(p *pkg, b Ban) []string {
	var faults []string
	g.reach(p, func(q *pkg, path []string) {
		if b.Direct && len(path) > 2 {
			return
		}
		if what := b.meets(p, q); what != "" {
			faults = append(faults, fmt.Sprintf("%s must not import %s: %s (%s)", p.short(), what, b.Why, strings.Join(path, " → ")))
		}
		if !q.own() {
			return
		}
		for _, std := range q.Imports {
			if slices.Contains(b.Standard, std) {
				faults = append(faults, fmt.Sprintf("%s must not import %s: %s (%s)", p.short(), std, b.Why, strings.Join(append(path, std), " → ")))
			}
		}
		for _, at := range calls(q, b.Calls) {
			faults = append(faults, fmt.Sprintf("%s must not call %s: %s: take the instant as an argument (%s)", p.short(), at, b.Why, strings.Join(path, " → ")))
		}
	})
	return faults
}

// meets names what q is in the eyes of b, "" for nothing forbidden.
func (b Ban) meets(p, q *pkg) string {
	switch {
	case q == p || q.Standard:
		return ""
	case q.own():
		if belowAny(q.short(), b.Packages) && !below(p.short(), q.short()) {
			return q.short()
		}
	case b.Module == "" || belowAny(q.ImportPath, b.But):
		return ""
	case b.Module == anyModule || below(q.ImportPath, b.Module):
		return q.ImportPath
	}
	return ""
}

// calls returns which of the functions p calls, with file and line.
func calls(p *pkg, functions []string) []string {
	if len(functions) == 0 {
		return nil
	}
	var found []string
	for _, name := range p.GoFiles {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			found = append(found, fmt.Sprintf("a file that does not parse: %v", err))
			continue
		}
		names := importNames(file)
		ast.Inspect(file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(functions, names[x.Name]+"."+sel.Sel.Name) {
				found = append(found, fmt.Sprintf("%s.%s at %s:%d", x.Name, sel.Sel.Name, name, fset.Position(sel.Pos()).Line))
			}
			return true
		})
	}
	return found
}

// importNames maps the names by which a file knows its imports to their paths.
func importNames(file *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser took it, so it is quoted
		}
		name := path[strings.LastIndex(path, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = path
	}
	return names
}

// comment checks that the package says what it is, in the words of the table.
func (g *graph) comment(p *pkg, rule *Rule) []string {
	if len(p.GoFiles) == 0 {
		return nil
	}
	if p.Doc == "" {
		return []string{p.short() + " has no package comment: begin one with \"Package " + p.Name + " \" and what it is for"}
	}
	if rule.Says == "" || rule.Package != p.short() {
		return nil
	}
	if want := "Package " + p.Name + " " + rule.Says; !strings.HasPrefix(p.Doc, want) {
		return []string{fmt.Sprintf("%s: its comment begins %q, the package table says %q: make them agree", p.short(), p.Doc, want)}
	}
	return nil
}

// alive checks that everything the rules name exists or is planned, and that
// nothing that exists is still called planned.
func (g *graph) alive(table []Rule, everywhere []Ban, planned []string, required, plannedModules []string) []string {
	var faults []string
	exists := func(path string) bool {
		return slices.ContainsFunc(g.owned, func(p *pkg) bool { return below(p.short(), path) })
	}
	named := func(path, where string) {
		if !exists(path) && !slices.Contains(planned, path) {
			faults = append(faults, fmt.Sprintf("%s names %s, which does not exist: mend the rule, or list the package as planned", where, path))
		}
	}
	checkBans := func(bans []Ban, where string) {
		for _, b := range bans {
			for _, path := range append(slices.Clone(b.Packages), b.Except...) {
				named(path, where)
			}
			known := b.Module == "" || b.Module == anyModule || slices.Contains(required, b.Module) || slices.Contains(plannedModules, b.Module)
			if !known {
				faults = append(faults, fmt.Sprintf("%s names %s, which no go.mod requires: mend the rule, or list the module as planned", where, b.Module))
			}
		}
	}
	for _, rule := range table {
		named(rule.Package, "the package table")
		checkBans(rule.Not, "the row of "+rule.Package)
	}
	checkBans(everywhere, "the rule for every package")
	for _, path := range planned {
		if exists(path) {
			faults = append(faults, path+" exists: take it off the list of planned packages, so that its rules count")
		}
	}
	for _, path := range plannedModules {
		if slices.Contains(required, path) {
			faults = append(faults, path+" is required: take it off the list of planned modules")
		}
	}
	return faults
}

// linked checks that no test code is linked into the program.
func (g *graph) linked(program string) []string {
	p := g.packages[module+program]
	if p == nil {
		return []string{program + " does not exist: name the program that operators run"}
	}
	var faults []string
	g.reach(p, func(q *pkg, path []string) {
		fault := func(what string) {
			faults = append(faults, fmt.Sprintf("%s must not link %s: test code stays out of what operators run (%s)", program, what, strings.Join(path, " → ")))
		}
		if !q.own() {
			return
		}
		if strings.HasSuffix(q.Name, "test") {
			fault(q.short())
		}
		for _, imp := range q.Imports {
			if imp == "testing" || strings.HasPrefix(imp, "testing/") || belowAny(imp, testCode) {
				fault(imp + " through " + q.short())
			}
		}
	})
	return faults
}

// names checks that no package is a drawer.
func (g *graph) names() []string {
	var faults []string
	for _, p := range g.owned {
		last := p.short()[strings.LastIndex(p.short(), "/")+1:]
		if slices.Contains(drawers, last) || slices.Contains(drawers, p.Name) {
			faults = append(faults, p.short()+" is a drawer: put each part beside its one user, or name the idea")
		}
	}
	return faults
}
