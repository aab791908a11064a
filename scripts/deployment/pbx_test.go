package deployment

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/assenso/assenso/services/house"
)

// TestSettingsForSwitchesAreRead loads every YAML that deploy/pbx/README.md
// shows with the program's own loader.
func TestSettingsForSwitchesAreRead(t *testing.T) {
	fences := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(read(t, "deploy/pbx/README.md"), -1)
	if len(fences) < 2 {
		t.Fatalf("%d fences of YAML were found", len(fences))
	}
	for _, f := range fences {
		path := filepath.Join(t.TempDir(), "assenso.yaml")
		if err := os.WriteFile(path, []byte(f[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := house.Load(path, nil, nil)
		if err != nil {
			t.Errorf("%v:\n%s", err, f[1])
		}
		if cfg.PBX.FastAGI.Listen == "" || cfg.PBX.SIP.Listen == "" {
			t.Errorf("no door has an address:\n%s", f[1])
		}
	}
}

// TestTheDialplanFailsClosed: in every context of the dialplan "block" is set
// before Assenso is asked, the call goes on at allow and warn only, and what is
// dialled afterwards is the number that was judged.
func TestTheDialplanFailsClosed(t *testing.T) {
	step := regexp.MustCompile(`^(?:exten => [^,]+,[^,]+|\s*same => [^,]+),(.*)$`)
	asks := 0
	for _, context := range strings.Split(read(t, "deploy/pbx/extensions.conf"), "\n[")[1:] {
		name, body, _ := strings.Cut(context, "]\n")
		var steps []string
		for _, line := range strings.Split(body, "\n") {
			if m := step.FindStringSubmatch(line); m != nil {
				steps = append(steps, m[1])
			} else if line != "" && line[0] != ';' {
				t.Errorf("[%s]: %q is no step of a dialplan", name, line)
			}
		}
		for i, s := range steps {
			if strings.HasPrefix(s, "Dial(") && !strings.Contains(s, "${ASSENSO_NUMBER}") {
				t.Errorf("[%s] dials another number than the one judged: %s", name, s)
			}
			if !strings.HasPrefix(s, "AGI(") || !strings.Contains(s, "/decide?") {
				continue
			}
			asks++
			if i == 0 || steps[i-1] != "Set(ASSENSO_VERDICT=block)" {
				t.Errorf("[%s] asks without having set block", name)
			}
			if i+2 >= len(steps) || steps[i+1] != `GotoIf($["${ASSENSO_VERDICT}" = "allow" | "${ASSENSO_VERDICT}" = "warn"]?go)` || steps[i+2] != "Hangup(21)" {
				t.Errorf("[%s] goes on otherwise than at allow and warn: %q", name, steps[i:])
			}
		}
	}
	if asks != 3 {
		t.Errorf("%d contexts ask, there should be 3", asks)
	}
}
