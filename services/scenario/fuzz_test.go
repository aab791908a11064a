package scenario

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/assenso/assenso/schemas/scenarios"
)

// Whatever the text, the reader answers scenarios or an error with file and
// reason, and every scenario it answers is complete.
func FuzzLoad(f *testing.F) {
	names, err := fs.Glob(scenarios.Files, "*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		b, err := scenarios.Files.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if len(b) < 3000 {
			f.Add(string(b))
		}
	}
	f.Add("scenarios: [{id: a, events: [{type: consent.granted, at: \"2026-01-01\", repeat: {n: 3}}]}]")
	f.Add("scenarios: [{id: a, attempts: [{at: \"2026-10-25 02:30\", decision: null}], expect: {a1: {gate: allow}}}]")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := LoadFS(files(t, text), "x.yaml")
		var located *FileError
		if err != nil && (!errors.As(err, &located) || located.Reason == "") {
			t.Fatalf("error %v names no file and reason", err)
		}
		for _, s := range list {
			if s.ID == "" || s.File != "x.yaml" {
				t.Errorf("scenario %+v without id or file", s)
			}
		}
	})
}
