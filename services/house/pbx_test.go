package house

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/inquiry"
)

// A campaign of service calls, which may be placed without consent, and one of
// marketing, which may not.
const (
	serviceCampaign   = `{"specversion":"1.0","id":"k-s","source":"crm.a.example","type":"campaign.opened.v1","time":"2026-01-10T12:00:00+01:00","controller":"A","campaign":"K-S","data":{"purpose":"service","channels":["operator_call"],"sector":"telecom","lists":["L-A"],"clis":["+390844100100"]}}`
	marketingCampaign = `{"specversion":"1.0","id":"k-a","source":"crm.a.example","type":"campaign.opened.v1","time":"2026-01-10T12:00:00+01:00","controller":"A","campaign":"K-A","data":{"purpose":"marketing","channels":["operator_call"],"sector":"telecom","lists":["L-A"],"clis":["+390844100100"]}}`
)

// callerID declares the number that both campaigns present.
const callerID = `{"specversion":"1.0","id":"cli-a","source":"crm.a.example","type":"caller_id.declared.v1","time":"2026-01-01T12:00:00+01:00","data":{"holder":"A","clis":["+390844100100"],"from":"2026-01-01"}}`

// switched starts a house that switches may ask, with both campaigns.
func switched(t *testing.T, change func(*Config)) *running {
	t.Helper()
	r := start(t, func(c *Config) {
		c.PBX.FastAGI.Listen, c.PBX.SIP.Listen, c.PBX.SIP.Trunk = "127.0.0.1:0", "127.0.0.1:0", "trunk.example:5060"
		if change != nil {
			change(c)
		}
	})
	for _, e := range []string{serviceCampaign, marketingCampaign, callerID} {
		if _, body := r.do(t, http.MethodPost, "/v1/events", "application/json", e); decode[gateway.Item](t, body).Result != gateway.Recorded {
			t.Fatalf("%s", body)
		}
	}
	r.settle(t)
	return r
}

// agi plays a switch that asks by FastAGI and returns the channel's variables.
func (r *running) agi(t *testing.T, query, number, cli string) map[string]string {
	t.Helper()
	conn, err := net.Dial("tcp", r.FastAGIAddress().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "agi_network: yes\nagi_network_script: decide?%s\nagi_callerid: %s\nagi_callingpres: 3\nagi_uniqueid: 1795828136.1\nagi_arg_1: %s\n\n", query, cli, number); err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		name, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "SET VARIABLE "), " ")
		if !ok {
			t.Fatalf("told %q", lines.Text())
		}
		variables[name] = strings.Trim(value, `"`)
		if _, err := io.WriteString(conn, "200 result=1\n"); err != nil {
			t.Fatal(err)
		}
	}
	return variables
}

// invite plays a switch that asks by SIP and returns the answer.
func (r *running) invite(t *testing.T, number string, headers ...string) string {
	t.Helper()
	conn, err := net.Dial("udp", r.SIPAddress().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	request := func(method, to string) string {
		return method + " sip:" + number + "@assenso SIP/2.0\r\nVia: SIP/2.0/UDP " + conn.LocalAddr().String() + ";branch=z9hG4bK-" + t.Name() + number + ";rport\r\n" +
			"From: <sip:+390844100100@pbx>;tag=1\r\n" + to + "\r\nCall-ID: c-" + number + "\r\nCSeq: 1 " + method + "\r\n" + strings.Join(append(headers, ""), "\r\n") + "Content-Length: 0\r\n\r\n"
	}
	if _, err := io.WriteString(conn, request("INVITE", "To: <sip:"+number+"@assenso>")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 65535)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		answer := string(buf[:n])
		if strings.HasPrefix(answer, "SIP/2.0 1") {
			continue
		}
		_, to, _ := strings.Cut(answer, "\r\nTo: ")
		to, _, _ = strings.Cut(to, "\r\n")
		if _, err := io.WriteString(conn, request("ACK", "To: "+to)); err != nil {
			t.Fatal(err)
		}
		return answer
	}
}

// TestSwitchesAskTheGate: both doors give the gate's answers, each recorded as
// a decision that the call can cite, and no number is logged.
func TestSwitchesAskTheGate(t *testing.T) {
	r := switched(t, nil)
	blocked := r.agi(t, "controller=A&campaign=K-A&country=IT", "3401234567", "0844 100100")
	if blocked["ASSENSO_VERDICT"] != "block" || blocked["ASSENSO_REASON"] != "IT-CON-01" || blocked["ASSENSO_NUMBER"] != "" || blocked["ASSENSO_DECISION"] == "" {
		t.Errorf("a marketing call without consent: %v", blocked)
	}
	allowed := r.agi(t, "controller=A&campaign=K-S&purpose=service&country=IT", "3401234567", "0844 100100")
	if allowed["ASSENSO_VERDICT"] != "allow" || allowed["ASSENSO_NUMBER"] != "+393401234567" || allowed["ASSENSO_DECISION"] == "" || allowed["ASSENSO_VALID_UNTIL"] == "" {
		t.Errorf("a service call: %v", allowed)
	}
	if got := r.invite(t, "+393401234567", "X-Assenso-Controller: A", "X-Assenso-Campaign: K-A"); !strings.HasPrefix(got, "SIP/2.0 603 ") || !strings.Contains(got, `Reason: SIP;cause=603;text="IT-CON-01`) || !strings.Contains(got, "X-Assenso-Decision: ") {
		t.Errorf("a marketing call without consent: %s", got)
	}
	if got := r.invite(t, "3401234568", "X-Assenso-Controller: A", "X-Assenso-Campaign: K-S", "X-Assenso-Purpose: service", "X-Assenso-Country: IT"); !strings.HasPrefix(got, "SIP/2.0 302 ") || !strings.Contains(got, "Contact: <sip:+393401234568@trunk.example:5060>\r\n") {
		t.Errorf("a service call: %s", got)
	}
	if got := r.agi(t, "controller=A&campaign=K-A", "+39", "+390844100100"); got["ASSENSO_REASON"] != "SYS-QUESTION" {
		t.Errorf("what is no number: %v", got)
	}
	want := []string{blocked["ASSENSO_DECISION"], allowed["ASSENSO_DECISION"]}
	var got []string
	for end := time.Now().Add(20 * time.Second); len(got) < 3 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		_, body := r.do(t, http.MethodPost, "/v1/contacts:find", "application/json", `{"number":"+393401234567"}`)
		got = r.decisions(t, decode[inquiry.Contact](t, body).Contact.String())
	}
	if len(got) != 3 || cmp.Diff(want, got[:2]) != "" {
		t.Errorf("recorded decisions %q, want %q and one more", got, want)
	}
	if status, body := r.do(t, http.MethodGet, "/metrics", "", ""); status != 200 || !strings.Contains(string(body), `assenso_pbx_answers_total{door="fastagi",verdict="block"} 2`) ||
		!strings.Contains(string(body), `assenso_pbx_answers_total{door="sip",verdict="allow"} 1`) {
		t.Errorf("the answers were not counted: %d", status)
	}
	if b := r.Banner(); !strings.Contains(b, "agi://"+r.FastAGIAddress().String()+"/decide") || !strings.Contains(b, "sip:"+r.SIPAddress().String()) {
		t.Errorf("banner: %s", b)
	}
	for _, entry := range r.logs.All() {
		for _, text := range append([]string{entry.Message}, values(entry.ContextMap())...) {
			if strings.Contains(text, "340123456") {
				t.Errorf("the log says a number: %s", text)
			}
		}
	}
}

func TestASwitchsEntryFixesWhatItAsks(t *testing.T) {
	r := switched(t, func(c *Config) {
		c.PBX.Switches = []SwitchConfig{
			{From: []string{"127.0.0.1"}, Prefix: "7", Controller: "A", Campaign: "K-S", Purpose: "service", Country: "IT", Trunk: "other.example"},
			{From: []string{"127.0.0.1"}, Prefix: "8", Controller: "A", Campaign: "K-A", Country: "IT"},
		}
	})
	if got := r.invite(t, "73401234567"); !strings.Contains(got, "Contact: <sip:+393401234567@other.example>\r\n") {
		t.Errorf("by its prefix: %s", got)
	}
	if got := r.invite(t, "83401234567"); !strings.Contains(got, `text="IT-CON-01`) {
		t.Errorf("by the other prefix: %s", got)
	}
	if got := r.agi(t, "campaign=K-S", "83401234567", ""); got["ASSENSO_REASON"] != "SYS-SWITCH" {
		t.Errorf("against the entry: %v", got)
	}
}

// TestWithoutAGateEveryCallIsBlocked: the doors run, the gate does not.
func TestWithoutAGateEveryCallIsBlocked(t *testing.T) {
	r := start(t, func(c *Config) {
		c.Only = []string{ServiceFastAGI, ServiceSIP}
		c.PBX.FastAGI.Listen, c.PBX.SIP.Listen, c.PBX.SIP.Trunk = "127.0.0.1:0", "127.0.0.1:0", "trunk.example"
	})
	if got := r.agi(t, "controller=A&campaign=K-S&purpose=service", "+393401234567", ""); got["ASSENSO_VERDICT"] != "block" || got["ASSENSO_REASON"] != "SYS-GATE" {
		t.Errorf("%v", got)
	}
	if got := r.invite(t, "+393401234567", "X-Assenso-Controller: A", "X-Assenso-Campaign: K-S"); !strings.HasPrefix(got, "SIP/2.0 603 ") || !strings.Contains(got, `text="SYS-GATE"`) || !strings.Contains(got, "Retry-After: ") {
		t.Errorf("%s", got)
	}
}

func TestDoorsForSwitchesAreOffUntilTheyHaveAnAddress(t *testing.T) {
	r := start(t, nil)
	if r.FastAGIAddress() != nil || r.SIPAddress() != nil || strings.Contains(r.Banner(), "switches") {
		t.Errorf("%v %v %s", r.FastAGIAddress(), r.SIPAddress(), r.Banner())
	}
	for _, s := range r.running {
		if s.name == ServiceFastAGI || s.name == ServiceSIP {
			t.Errorf("%s runs", s.name)
		}
	}
}

func TestATakenAddressStopsTheStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, change := range []func(*Config){
		func(c *Config) { c.PBX.FastAGI.Listen = taken.Addr().String() },
		func(c *Config) { c.PBX.SIP.Listen, c.PBX.SIP.Trunk = taken.Addr().String(), "trunk" },
	} {
		cfg := quick(t)
		change(&cfg)
		if err := refused(t, cfg); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "choose another address") {
			t.Errorf("%v", err)
		}
		checks := Examine(t.Context(), cfg)
		found := false
		for _, c := range checks {
			found = found || c.Name == "switches" && !c.OK && strings.Contains(c.Remedy, "pbx.")
		}
		if !found {
			t.Errorf("doctor finds nothing: %+v", checks)
		}
	}
}

func TestFaultsOfThePBXSection(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"open to all", "pbx: {fastagi: {listen: '0.0.0.0:4573'}}\n", "name them in pbx.switches"},
		{"open to all", "pbx: {sip: {listen: '10.0.0.1:5062', trunk: sbc}}\n", "name them in pbx.switches"},
		{"no port", "pbx: {sip: {listen: localhost, trunk: sbc}}\n", "pbx.sip.listen must be host:port"},
		{"no trunk", "pbx: {sip: {listen: '127.0.0.1:5062'}}\n", "trunk is empty"},
		{"trunk", "pbx: {sip: {listen: '127.0.0.1:5062', trunk: 'a b'}}\n", "host:port"},
		{"headers", "pbx: {sip: {listen: '127.0.0.1:5062', trunk: sbc, headers: [colour=X]}}\n", "parameter=Header"},
		{"switch without address", "pbx: {switches: [{controller: A}]}\n", "switch 1: from is empty"},
		{"switch for everybody", "pbx: {switches: [{from: [0.0.0.0/0]}]}\n", "everybody"},
		{"unknown key of a switch", "pbx: {switches: [{from: [10.0.0.1], tenant: A}]}\n", "tenant"},
		{"patience", "pbx: {patience: 1m}\n", "pbx.patience"},
		{"connections", "pbx: {fastagi: {connections: 0}}\n", "at least 1"},
		{"nothing to run", "only: [pbx.sip]\n", "pbx.sip.listen"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(write(t, c.file), nil, nil)
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v does not say %q", err, c.want)
			}
		})
	}
	cfg, err := Load(write(t, "pbx: {switches: [{from: [10.0.0.1, 10.2.0.0/16], prefix: '77', controller: A, trunk: 'sbc:5060'}], sip: {listen: '10.0.0.9:5062', headers: [campaign=X-Campaign]}}\n"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []SwitchConfig{{From: []string{"10.0.0.1", "10.2.0.0/16"}, Prefix: "77", Controller: "A", Trunk: "sbc:5060"}}
	if d := cmp.Diff(want, cfg.PBX.Switches); d != "" || cfg.PBX.SIP.Headers[0] != "campaign=X-Campaign" || cfg.PBX.Patience != 2*time.Second {
		t.Errorf("read %+v", cfg.PBX)
	}
}
