package pbx

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheDeployedDialplanAsksWhatWeUnderstand reads the AGI addresses and the
// channel variables of the dialplan that operators are given.
func TestTheDeployedDialplanAsksWhatWeUnderstand(t *testing.T) {
	text, err := os.ReadFile("../../deploy/pbx/extensions.conf")
	if err != nil {
		t.Fatal(err)
	}
	addresses := regexp.MustCompile(`AGI\(agi://[^/]+/(decide[^,]*),`).FindAllStringSubmatch(string(text), -1)
	if len(addresses) != 3 {
		t.Fatalf("%d addresses were found", len(addresses))
	}
	for _, a := range addresses {
		c, _, err := agiHeader{"agi_network_script": strings.ReplaceAll(a[1], "${ARG1}", "K-AUR-FIBRA"), "agi_arg_1": free}.read()
		if err != nil {
			t.Errorf("%s: %v", a[1], err)
			continue
		}
		q, err := (&served{}).question(c)
		if err != nil || q.Controller != "aurora-telecomunicazioni" || q.Campaign != "K-AUR-FIBRA" || q.Country != "IT" {
			t.Errorf("%s asks %+v: %v", a[1], q, err)
		}
	}
	known := []string{VariableVerdict, VariableReason, VariableDecision, VariableNumber, VariableValidUntil}
	readme, err := os.ReadFile("../../deploy/pbx/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`ASSENSO_[A-Z_]+`).FindAllString(string(text)+string(readme), -1) {
		if !slices.Contains(known, name) {
			t.Errorf("%s is set by nobody", name)
		}
	}
	for _, name := range known {
		if !strings.Contains(string(readme), "`"+name+"`") {
			t.Errorf("the page for operators does not explain %s", name)
		}
	}
	for _, rule := range []string{ReasonGate, ReasonBusy, ReasonQuestion, ReasonSwitch} {
		if !strings.Contains(string(readme), "`"+rule+"`") {
			t.Errorf("the page for operators does not explain %s", rule)
		}
	}
}
