package house

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/listcheck"
	"github.com/assenso/assenso/services/view"
)

const listQuestion = `{"controller":"A","campaign":"K-A","cli":"+390844100100"}` + "\n"

// commitments returns the recorded decision.batch_issued.
func commitments(t *testing.T, r *running) []inquiry.ListCheck {
	t.Helper()
	r.settle(t)
	all, err := r.view.References(t.Context(), 0, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out []inquiry.ListCheck
	for i := range all {
		e := decode[struct{ ID, Type string }](t, all[i].Body)
		if e.Type != string(events.TypeDecisionBatchIssued) {
			continue
		}
		_, body := r.do(t, http.MethodGet, "/v1/lists/"+e.ID, "", "")
		found := decode[inquiry.ListCheck](t, body)
		if found.Stream != view.Reference || found.Sequence != all[i].Sequence {
			t.Fatalf("%s is found as %s", e.ID, body)
		}
		out = append(out, found)
	}
	return out
}

// A stop in the middle of a list cuts its answer off with a problem and records
// nothing; after a start the list is checked, and recorded once.
func TestListThroughARestart(t *testing.T) {
	cfg := quick(t)
	first := startWith(t, cfg, Options{})
	opened := `{"specversion":"1.0","id":"k-1","source":"crm.a.example","type":"campaign.opened.v1","time":"2026-01-10T12:00:00+01:00","controller":"A","campaign":"K-A","data":{"purpose":"marketing","channels":["operator_call"],"sector":"telecom","lists":["L-A"],"clis":["+390844100100"]}}`
	for _, body := range []string{opened, grant} {
		if _, answer := first.do(t, http.MethodPost, "/v1/events", "application/json", body); decode[gateway.Item](t, answer).Result != gateway.Recorded {
			t.Fatalf("%s", answer)
		}
	}
	first.settle(t)
	body, writer := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, first.url+"/v1/decisions:batch", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	go func() { _, _ = io.WriteString(writer, listQuestion+"+393401234567\n") }()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	in := bufio.NewReader(resp.Body)
	line, err := in.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if g, _, err := listcheck.ParseAnswer(line); err != nil || g == nil || g.Verdict != events.VerdictBlock {
		t.Fatalf("the first answer is %s (%v)", line, err)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(in)
	if !strings.Contains(string(rest), "stopping") {
		t.Errorf("the answer ends with %q (%v)", rest, err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}

	second := startWith(t, cfg, Options{})
	if all := commitments(t, second); len(all) != 0 {
		t.Fatalf("a list that was cut off is recorded: %+v", all)
	}
	status, answer := second.do(t, http.MethodPost, "/v1/decisions:batch", "application/x-ndjson", listQuestion+"+393401234567\n+393401234568\n")
	var recount listcheck.Recount
	var sum *listcheck.Summary
	for text := range strings.Lines(string(answer)) {
		g, s, err := listcheck.ParseAnswer([]byte(text))
		if err != nil {
			t.Fatalf("%d %s: %v", status, answer, err)
		}
		if sum = s; g != nil {
			recount.Add(g)
		}
	}
	if err := recount.Check(sum); err != nil || sum.Count != 2 || sum.Record.Stream == "" {
		t.Fatalf("%s: %v", answer, err)
	}
	all := commitments(t, second)
	if len(all) != 1 || all[0].ID != sum.Record.ID || sum.CheckRecord(&all[0].Data) != nil {
		t.Errorf("recorded %+v, want %+v", all, sum)
	}
	if fmt.Sprint(all[0].Data.Positions) != fmt.Sprint(sum.Positions) {
		t.Errorf("positions %v, want %v", all[0].Data.Positions, sum.Positions)
	}
	for _, entry := range second.logs.All() {
		if strings.Contains(fmt.Sprint(entry.Message, values(entry.ContextMap())), "340123456") {
			t.Errorf("a number was logged: %s", entry.Message)
		}
	}
}
