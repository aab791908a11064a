package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

func read(t *testing.T, path string) string {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// pages are those whose commands this program runs.
var pages = []string{"README.md", "events/client/README.md"}

func readme(t *testing.T, page string) []fence {
	t.Helper()
	fences, err := parse(read(t, page))
	if err != nil || len(fences) == 0 {
		t.Fatalf("%s has %d fences: %v", page, len(fences), err)
	}
	return fences
}

// TestEveryCommandIsRunSomewhere follows each command of the pages to where it
// is run: make lines to a phase of .ci/run, all others to this program, which
// .ci/run runs.
func TestEveryCommandIsRunSomewhere(t *testing.T) {
	phases := read(t, ".ci/run")
	for _, page := range pages {
		if !strings.Contains(phases, "go run ./scripts/readme "+page+"\n") {
			t.Errorf(".ci/run does not run the commands of %s", page)
		}
		for _, f := range readme(t, page) {
			if !slices.Contains(languages, f.language) {
				t.Errorf("%s:%d: nobody checks a fence in %q; use one of %q", page, f.line, f.language, languages)
			}
			if f.language != "sh" {
				continue
			}
			for _, c := range f.commands() {
				if f.makes() && !regexp.MustCompile(`(?m)^phase .* `+regexp.QuoteMeta(c)+`$`).MatchString(phases) {
					t.Errorf("%s:%d: %q is no phase of .ci/run", page, f.line, c)
				}
				if strings.HasPrefix(c, "make ") && !f.makes() {
					t.Errorf("%s:%d: %q stands between other commands: give it a fence of its own", page, f.line, c)
				}
			}
		}
	}
}

// TestProgramsAreTheExamples compares the Go programs of the client's page, and
// what it says that they print, with the examples that the tests run.
func TestProgramsAreTheExamples(t *testing.T) {
	const page, from = "events/client/README.md", "services/clienttest/example_test.go"
	examples := read(t, from)
	programs := 0
	for _, f := range readme(t, page) {
		want := f.body
		switch f.language {
		case "go":
			programs++
		case "text":
			want = "\t// Output:\n"
			for line := range strings.Lines(f.body) {
				want += "\t// " + line
			}
			want += "}\n"
		default:
			continue
		}
		if !strings.Contains(examples, want) {
			t.Errorf("%s:%d: the fence is not in %s: copy it from there", page, f.line, from)
		}
	}
	if programs < 2 {
		t.Errorf("%s shows %d programs, want those of a CRM and a dialer", page, programs)
	}
}

func TestTheTwoCommandsComeFirst(t *testing.T) {
	for _, f := range readme(t, "README.md") {
		if f.language == "sh" {
			if d := cmp.Diff([]string{"make demo", "make test"}, f.commands()); d != "" {
				t.Errorf("the first commands of README.md are others (-want +got):\n%s", d)
			}
			return
		}
	}
	t.Error("README.md has no commands")
}

// TestWhatIsNamedExists checks paths in back quotes that lie in the repository.
func TestWhatIsNamedExists(t *testing.T) {
	named := regexp.MustCompile("`((?:events|schemas|services|scripts|deploy|cmd)(?:/[A-Za-z0-9_.-]+)*/?|[A-Z]+\\.md|LICENSE)`")
	found := 0
	for _, page := range []string{"README.md", "events/client/README.md", "deploy/README.md", "schemas/decisions/README.md"} {
		for _, m := range named.FindAllStringSubmatch(read(t, page), -1) {
			path := m[1]
			if strings.HasPrefix(path, "cmd/") {
				path = "services/" + path
			}
			found++
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s names %s, which does not exist", page, m[1])
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d paths were found: the pattern no longer fits the page", found)
	}
}

// TestMakeTargetsExist checks every "make target" that the pages name.
func TestMakeTargetsExist(t *testing.T) {
	targets := read(t, "Makefile")
	for _, page := range []string{"README.md", "deploy/README.md"} {
		for _, m := range regexp.MustCompile("(?m)(?:^|`)make ([a-z]+)").FindAllStringSubmatch(read(t, page), -1) {
			if !regexp.MustCompile(`(?m)^` + m[1] + `:`).MatchString(targets) {
				t.Errorf("%s names make %s, which the Makefile does not know", page, m[1])
			}
		}
	}
}

// TestDecisionsAreIndexed compares the records with the table of their README.
func TestDecisionsAreIndexed(t *testing.T) {
	type record struct{ File, Title, State string }
	var want, got []record
	for _, m := range regexp.MustCompile(`(?m)^\| \[(\d{4})\]\((\S+\.md)\) \| (.+?) \| (.+?) \|$`).FindAllStringSubmatch(read(t, "schemas/decisions/README.md"), -1) {
		want = append(want, record{m[2], m[1] + " " + m[3], m[4]})
	}
	files, err := filepath.Glob(filepath.Join(root, "schemas/decisions/[0-9]*.md"))
	if err != nil {
		t.Fatal(err)
	}
	state := regexp.MustCompile(`(?m)^State: (.+)$`)
	for i, path := range files {
		name := filepath.Base(path)
		body := read(t, "schemas/decisions/"+name)
		title, rest, _ := strings.Cut(body, "\n")
		r := record{File: name, Title: strings.TrimPrefix(title, "# ")}
		if m := state.FindStringSubmatch(rest); m != nil {
			r.State = m[1]
		}
		got = append(got, r)
		for _, part := range []string{"\n## Context\n", "\n## Decision\n", "\n## Consequences\n"} {
			if !strings.Contains(body, part) {
				t.Errorf("%s lacks the part %q", name, strings.TrimSpace(part))
			}
		}
		if n := name[:4]; !strings.HasPrefix(r.Title, n+" ") || n != four(i+1) {
			t.Errorf("%s is titled %q and is record number %d: numbers rise without gaps", name, r.Title, i+1)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the index of schemas/decisions differs from its records (-index +records):\n%s", d)
	}
}

func four(n int) string {
	digits := []byte("0000")
	for i := 3; n > 0; n, i = n/10, i-1 {
		digits[i] = byte('0' + n%10)
	}
	return string(digits)
}

func TestParseAndKinds(t *testing.T) {
	fences, err := parse("text\n```sh\nmake a\n# and\nmake b\n```\n```sh\n./x serve --data d\n```\n```sh\nx\nmake c\n```\n```sh\n./x decide --number 1\n```\n")
	if err != nil || len(fences) != 4 {
		t.Fatalf("%d fences, %v, want 4", len(fences), err)
	}
	if !fences[3].asks() || fences[0].asks() || fences[1].asks() || fences[2].asks() {
		t.Error("of the fences the last one alone is a question")
	}
	if f := fences[0]; f.line != 2 || !f.makes() || f.serves() || len(f.commands()) != 2 {
		t.Errorf("first fence read as %+v", f)
	}
	if f := fences[1]; f.makes() || !f.serves() {
		t.Errorf("second fence read as %+v", f)
	}
	if f := fences[2]; f.makes() || f.serves() {
		t.Errorf("third fence read as %+v", f)
	}
	if _, err := parse("```sh\nx\n"); err == nil {
		t.Error("a fence that is not closed was taken")
	}
}

func TestRunStopsAtTheFirstCommandThatFails(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(page, []byte("```sh\necho first\n```\n```sh\nfalse\necho not reached\n```\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := run(t.Context(), []string{page}, &out)
	if err == nil || !strings.Contains(err.Error(), "page.md:4") {
		t.Errorf("error %v, want one that names line 4", err)
	}
	if !strings.Contains(out.String(), "first\n") || strings.Contains(out.String(), "not reached") {
		t.Errorf("output %q, want the first fence's and no more", out.String())
	}
}
