package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestReadCountsAndPrintsOnlyWhatMatters(t *testing.T) {
	in := strings.Join([]string{
		`{"Action":"start","Package":"p"}`,
		`{"Action":"run","Package":"p","Test":"TestA"}`,
		`{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}`,
		`{"Action":"pass","Package":"p","Test":"TestA/sub"}`,
		`{"Action":"pass","Package":"p","Test":"TestA"}`,
		`{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: wrong\n"}`,
		`{"Action":"fail","Package":"p","Test":"TestB"}`,
		`{"Action":"skip","Package":"p","Test":"TestC"}`,
		`{"Action":"skip","Package":"x/services/worker","Test":"TestPubSub/a/TestReconnect/7"}`,
		`{"Action":"skip","Package":"x/services/worker","Test":"TestReconnect"}`,
		`{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}`,
		`{"Action":"fail","Package":"p"}`,
		`{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}`,
		`{"Action":"skip","Package":"q"}`,
	}, "\n")
	var out bytes.Buffer
	got, err := read(strings.NewReader(in), &out)
	if err != nil {
		t.Fatal(err)
	}
	if got.passed != 2 || got.failed != 1 || got.granted != 1 || !slices.Equal(got.skipped, []string{"p TestC", "x/services/worker TestReconnect"}) {
		t.Errorf("counted %+v, want 2 passed, 1 failed, 1 granted, p TestC and our own TestReconnect skipped", got)
	}
	want := "    b_test.go:7: wrong\ndoes not apply: x/services/worker TestPubSub/a/TestReconnect/7: " + granted[0].why + "\nFAIL\tp\t0.1s\n?   \tq\t[no test files]\n"
	if out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

func TestReadRefusesWhatIsNotAnEvent(t *testing.T) {
	if _, err := read(strings.NewReader("no json"), &bytes.Buffer{}); err == nil {
		t.Error("read took a line that is not JSON")
	}
}

func TestRunRefusesARunWithoutTests(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"-count=1", "-run=^NoSuchTest$", "."}, &out)
	if err == nil || !strings.Contains(err.Error(), "no test ran") {
		t.Errorf("error %v, want one that says that no test ran; output:\n%s", err, out.String())
	}
}
