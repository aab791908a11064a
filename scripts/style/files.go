package style

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// topLevel are the entries of the agreed layout; hidden files stand beside
// them.
var topLevel = []string{"services", "events", "schemas", "deploy", "scripts", "go.work", "go.work.sum", "Makefile", "README.md", "LICENSE", "CHANGELOG.md", "bin"}

// made are folders that builds and demonstrations make; nobody commits them.
var made = []string{".git", ".data", "bin", "node_modules", "dist", ".cache"}

// text is a file of the repository.
type text struct {
	path  string // slash-separated, from the repository's root
	lines []string
	bytes []byte
}

// read returns every text file below root that a person wrote, in order.
func read(root string) ([]text, error) {
	var files []text
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(made, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if slices.Contains(body, 0) {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files = append(files, text{filepath.ToSlash(rel), strings.Split(strings.TrimSuffix(string(body), "\n"), "\n"), body})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read repository: %w", err)
	}
	return files, nil
}

// phrase is a way of writing that no file may contain.
type phrase struct {
	what *regexp.Regexp
	only func(path string) bool
	why  string
}

func goFile(path string) bool   { return strings.HasSuffix(path, ".go") }
func testFile(path string) bool { return strings.HasSuffix(path, "_test.go") }
func codeFile(path string) bool {
	return goFile(path) || strings.HasSuffix(path, ".sh") || path == "Makefile" || strings.HasPrefix(path, ".ci/")
}
func anyFile(path string) bool {
	return !strings.HasSuffix(path, ".sum") && path != "LICENSE"
}

// phrases are forbidden; the brackets keep this table from matching itself.
var phrases = []phrase{
	{regexp.MustCompile(`\b[tb]\.Ski[p](Now|f)?\(`), testFile, "a skipped test is a failure: run it always, or take it out"},
	{regexp.MustCompile(`\b(TOD[O]|FIXM[E]|XX[X])\b`), anyFile, "promises are no code: do it, or write it into the limits of README.md"},
	{regexp.MustCompile(`(^|[^a-zA-Z0-9_.<])/(wor[k]|roo[t]|hom[e]|far[m]|tm[p])/`), anyFile, "a path of one machine: name it from the repository's root, or let a flag say it"},
	{regexp.MustCompile(`\|\| tru[e]\b`), codeFile, "an error is thrown away: handle it"},
	{regexp.MustCompile(`//\s*nolin[t]`), goFile, "a linter is silenced: mend what it says"},
	{regexp.MustCompile(`\.\./share[d]\b`), anyFile, "a clone has no such folder: the repository stands alone"},
}

// forbidden returns where files contain what they may not.
func forbidden(files []text) []string {
	var faults []string
	for _, f := range files {
		for n, line := range f.lines {
			for _, p := range phrases {
				if p.only(f.path) && p.what.MatchString(line) {
					faults = append(faults, fmt.Sprintf("%s:%d: %q: %s", f.path, n+1, p.what.FindString(line), p.why))
				}
			}
		}
	}
	return faults
}

// entries returns what stands at the top level of root beside the layout.
func entries(root string) ([]string, error) {
	list, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("read top level: %w", err)
	}
	var faults []string
	for _, e := range list {
		if !slices.Contains(topLevel, e.Name()) && !strings.HasPrefix(e.Name(), ".") {
			faults = append(faults, e.Name()+" stands at the top level beside the agreed layout: find its place below")
		}
	}
	return faults, nil
}
