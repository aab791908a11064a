package style

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"strings"
)

// The house numbers.
const (
	maxFile     = 800 // lines
	maxFunction = 100 // lines
	minDocs     = 85  // percent of a package's exported names
)

// generated is the header that tools know (go help generate).
var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// documented counts the exported names of a package.
type documented struct {
	all, with int
	without   []string
}

// code checks the Go files and returns their faults.
func code(files []text) []string {
	var faults []string
	docs := map[string]*documented{}
	for _, f := range files {
		if !goFile(f.path) || generated.Match(f.bytes) {
			continue
		}
		if len(f.lines) > maxFile {
			faults = append(faults, fmt.Sprintf("%s has %d lines, at most %d are readable: split it by what it does", f.path, len(f.lines), maxFile))
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, f.path, f.bytes, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			faults = append(faults, fmt.Sprintf("%s does not parse: %v", f.path, err))
			continue
		}
		faults = append(faults, long(fset, file, f.path)...)
		if !testFile(f.path) && file.Name.Name != "main" {
			dir := path.Dir(f.path)
			if docs[dir] == nil {
				docs[dir] = &documented{}
			}
			docs[dir].count(file)
		}
	}
	for dir, d := range docs {
		if d.all > 0 && d.with*100 < minDocs*d.all {
			faults = append(faults, fmt.Sprintf("%s documents %d of %d exported names, %d %% are needed: say what they mean, in which unit, and what fails: %s",
				dir, d.with, d.all, minDocs, strings.Join(d.without, ", ")))
		}
	}
	return faults
}

// long returns the functions over maxFunction lines.
func long(fset *token.FileSet, file *ast.File, name string) []string {
	var faults []string
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		if n := lines(fset, fn.Body) - tables(fset, fn.Body); n > maxFunction {
			faults = append(faults, fmt.Sprintf("%s:%d: %s has %d lines without its tables, at most %d are readable: name its parts",
				name, fset.Position(fn.Pos()).Line, fn.Name.Name, n, maxFunction))
		}
	}
	return faults
}

func lines(fset *token.FileSet, n ast.Node) int {
	return fset.Position(n.End()).Line - fset.Position(n.Pos()).Line + 1
}

// tables counts the lines inside composite literals: data, not steps.
func tables(fset *token.FileSet, body ast.Node) int {
	total := 0
	ast.Inspect(body, func(n ast.Node) bool {
		if lit, ok := n.(*ast.CompositeLit); ok {
			total += lines(fset, lit) - 1
			return false
		}
		return true
	})
	return total
}

// count adds the exported names of one file.
func (d *documented) count(file *ast.File) {
	add := func(name string, doc bool) {
		d.all++
		if doc {
			d.with++
		} else {
			d.without = append(d.without, name)
		}
	}
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if decl.Name.IsExported() && receiverExported(decl) {
				add(decl.Name.Name, decl.Doc != nil)
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					if spec.Name.IsExported() {
						add(spec.Name.Name, decl.Doc != nil || spec.Doc != nil || spec.Comment != nil)
					}
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						if name.IsExported() {
							add(name.Name, decl.Doc != nil || spec.Doc != nil || spec.Comment != nil)
						}
					}
				}
			}
		}
	}
}

// receiverExported reports whether a method belongs to an exported type; true
// for functions.
func receiverExported(fn *ast.FuncDecl) bool {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return true
	}
	t := fn.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

// silent returns the tests that assert nothing: no call in them can fail.
func silent(files []text) []string {
	var faults []string
	for _, f := range files {
		if !testFile(f.path) {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, f.path, f.bytes, parser.SkipObjectResolution)
		if err != nil {
			continue // code has reported it
		}
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || fn.Body == nil || !strings.HasPrefix(fn.Name.Name, "Test") || fn.Name.Name == "TestMain" {
				continue
			}
			if !asserts(fn.Body) {
				faults = append(faults, fmt.Sprintf("%s:%d: %s asserts nothing: say what must hold", f.path, fset.Position(fn.Pos()).Line, fn.Name.Name))
			}
		}
	}
	return faults
}

// asserts reports whether a body fails a test itself or hands t to somebody
// who may.
func asserts(body ast.Node) bool {
	found := false
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
			for _, verb := range []string{"Error", "Errorf", "Fatal", "Fatalf", "Fail", "FailNow"} {
				found = found || sel.Sel.Name == verb
			}
		}
		for _, arg := range call.Args {
			if id, ok := arg.(*ast.Ident); ok && (id.Name == "t" || id.Name == "rt") {
				found = true
			}
		}
		return true
	})
	return found
}

// endings returns the files whose last line does not end.
func endings(files []text) []string {
	var faults []string
	for _, f := range files {
		if len(f.bytes) > 0 && !bytes.HasSuffix(f.bytes, []byte("\n")) && !strings.Contains(f.path, "testdata/") {
			faults = append(faults, f.path+" does not end with a line break: add one")
		}
	}
	return faults
}
