package deployment

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/services/house"
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

// structKeys returns the dotted keys of a configuration struct.
func structKeys(typ reflect.Type, prefix string) []string {
	var keys []string
	for i := range typ.NumField() {
		f := typ.Field(i)
		key := prefix + f.Tag.Get("koanf")
		if f.Type.Kind() == reflect.Struct {
			keys = append(keys, structKeys(f.Type, key+".")...)
		} else {
			keys = append(keys, key)
		}
	}
	return keys
}

// fileKeys returns the dotted keys of a YAML file.
func fileKeys(values map[string]any, prefix string) []string {
	var keys []string
	for name, value := range values {
		if section, ok := value.(map[string]any); ok {
			keys = append(keys, fileKeys(section, prefix+name+".")...)
		} else {
			keys = append(keys, prefix+name)
		}
	}
	return keys
}

func TestTheFileHasEveryKeyAndNoOther(t *testing.T) {
	var values map[string]any
	if err := yaml.Unmarshal([]byte(read(t, "deploy/assenso.yaml")), &values); err != nil {
		t.Fatal(err)
	}
	want, got := structKeys(reflect.TypeFor[house.Config](), ""), fileKeys(values, "")
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("keys of deploy/assenso.yaml differ from the program's (-program +file):\n%s", d)
	}
}

func TestTheProgramReadsTheFileAsItsDefaults(t *testing.T) {
	got, err := house.Load(filepath.Join(root, "deploy/assenso.yaml"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := house.Default()
	want.Data = "/var/lib/assenso"
	if len(got.Only) == 0 {
		got.Only = want.Only // an empty list and none mean the same
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the file says that it shows the defaults, and differs (-default +file):\n%s", d)
	}
}

func TestTheFileNamesEveryService(t *testing.T) {
	comments := strings.Join(strings.Fields(strings.ReplaceAll(read(t, "deploy/assenso.yaml"), "#", " ")), " ")
	if want := strings.Join(house.Services, ", "); !strings.Contains(comments, want) {
		t.Errorf("deploy/assenso.yaml does not list the services as the program knows them: %s", want)
	}
}

// settings returns the values of a unit's settings by section and name, in
// order, without comments.
func settings(unit string) (map[string][]string, error) {
	values, section := map[string][]string{}, ""
	for n, line := range strings.Split(unit, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[' && line[len(line)-1] == ']':
			section = line[1 : len(line)-1]
		default:
			name, value, ok := strings.Cut(line, "=")
			if !ok || section == "" {
				return nil, fmt.Errorf("line %d is neither a section nor a setting: %q", n+1, line)
			}
			values[section+"."+name] = append(values[section+"."+name], value)
		}
	}
	return values, nil
}

func TestTheUnitFitsTheConfiguration(t *testing.T) {
	unit, err := settings(read(t, "deploy/assenso.service"))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := house.Load(filepath.Join(root, "deploy/assenso.yaml"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for setting, want := range map[string]string{
		"Service.ExecStart":                "/usr/bin/assenso serve --config /etc/assenso/assenso.yaml",
		"Service.StateDirectory":           strings.TrimPrefix(cfg.Data, "/var/lib/"),
		"Service.StateDirectoryMode":       "0700",
		"Service.UMask":                    "0077",
		"Service.KillSignal":               "SIGTERM",
		"Service.RestartPreventExitStatus": "2 3",
		"Service.NoNewPrivileges":          "yes",
		"Service.ProtectSystem":            "strict",
		"Service.CapabilityBoundingSet":    "",
		"Install.WantedBy":                 "multi-user.target",
	} {
		if got := unit[setting]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", setting, got, want)
		}
	}
	for setting, values := range unit {
		if len(values) > 1 && setting != "Service.SystemCallFilter" && setting != "Service.Environment" {
			t.Errorf("%s is set %d times, the last one wins: keep one", setting, len(values))
		}
	}
	stop, err := time.ParseDuration(unit["Service.TimeoutStopSec"][0] + "s")
	if err != nil || stop < 30*time.Second {
		t.Errorf("TimeoutStopSec is %s (%v), too short for requests to finish and the log to close", stop, err)
	}
}

// instruction is one of a Containerfile: FROM, COPY, …
type instruction struct {
	name string
	args string
}

// instructions reads a Containerfile; continued lines are joined.
func instructions(text string) ([]instruction, error) {
	known := []string{"FROM", "ARG", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "STOPSIGNAL", "ENTRYPOINT", "CMD", "ENV", "EXPOSE", "LABEL"}
	var list []instruction
	var joined string
	for n, line := range strings.Split(text, "\n") {
		if trimmed := strings.TrimSpace(line); trimmed == "" || trimmed[0] == '#' {
			continue
		}
		joined += line
		if rest, ok := strings.CutSuffix(joined, "\\"); ok {
			joined = rest
			continue
		}
		name, args, _ := strings.Cut(joined, " ")
		if !slices.Contains(known, name) || strings.TrimSpace(args) == "" {
			return nil, fmt.Errorf("line %d: %q is no instruction with arguments", n+1, joined)
		}
		list = append(list, instruction{name, strings.TrimSpace(args)})
		joined = ""
	}
	if joined != "" {
		return nil, fmt.Errorf("the last line is continued and nothing follows")
	}
	return list, nil
}

func TestTheContainerRunsTheProgramAsNobody(t *testing.T) {
	list, err := instructions(read(t, "deploy/Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	var stages []string
	last := map[string]string{}
	var copied []string
	for _, in := range list {
		switch in.name {
		case "FROM":
			stages = append(stages, in.args)
			last, copied = map[string]string{}, nil
		case "COPY":
			fields := strings.Fields(in.args)
			copied = append(copied, fields[len(fields)-1])
		default:
			last[in.name] = in.args
		}
	}
	if len(stages) != 2 || stages[1] != "scratch" || !strings.HasSuffix(stages[0], " AS build") {
		t.Fatalf("stages are %q, want one called build and then scratch", stages)
	}
	if uid, _, _ := strings.Cut(last["USER"], ":"); uid == "" || strings.Trim(uid, "0123456789") != "" || strings.Trim(uid, "0") == "" {
		t.Errorf("USER is %q, want a number that is not 0: an empty base knows no names", last["USER"])
	}
	var entry, command []string
	if json.Unmarshal([]byte(last["ENTRYPOINT"]), &entry) != nil || json.Unmarshal([]byte(last["CMD"]), &command) != nil || len(entry) != 1 {
		t.Fatalf("ENTRYPOINT %q and CMD %q must be JSON lists: an empty base has no shell", last["ENTRYPOINT"], last["CMD"])
	}
	for _, path := range []string{entry[0], "/etc/assenso/assenso.yaml", last["VOLUME"], "/etc/ssl/certs/ca-certificates.crt"} {
		if !slices.Contains(copied, path) {
			t.Errorf("%s is used and not copied into the image; copied are %q", path, copied)
		}
	}
	if want := []string{"serve", "--config", "/etc/assenso/assenso.yaml"}; !slices.Equal(command, want) {
		t.Errorf("CMD is %q, want %q", command, want)
	}
	cfg, err := house.Load(filepath.Join(root, "deploy/assenso.yaml"), nil, nil)
	if err != nil || cfg.Data != last["VOLUME"] {
		t.Errorf("VOLUME is %q, the configuration's data folder %q (%v)", last["VOLUME"], cfg.Data, err)
	}
}

func TestTheContainerIsBuiltWithTheWorkspacesGo(t *testing.T) {
	list, err := instructions(read(t, "deploy/Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(read(t, "go.work"), "\n")
	version := strings.Split(strings.TrimPrefix(line, "go "), ".")
	want := "docker.io/library/golang:" + version[0] + "." + version[1] + " AS build"
	if list[0].name != "FROM" || list[0].args != want {
		t.Errorf("the first stage is from %q, want %q", list[0].args, want)
	}
}

// TestWhatIsCopiedSufficesToBuild copies what the build stage copies and lets
// the go command load every package of the program from it.
func TestWhatIsCopiedSufficesToBuild(t *testing.T) {
	list, err := instructions(read(t, "deploy/Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	src, builds := t.TempDir(), 0
	for _, in := range list {
		switch {
		case in.name == "FROM" && in.args == "scratch":
			if builds != 1 {
				t.Errorf("the build stage has %d go build commands, want 1", builds)
			}
			return
		case in.name == "COPY":
			stage(t, src, strings.Fields(in.args))
		case in.name == "RUN" && strings.Contains(in.args, "go build"):
			builds++
			fields := strings.Fields(in.args)
			cmd := exec.Command("go", "list", "-deps", fields[len(fields)-1])
			cmd.Dir = src
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("load the program from what is copied: %v\n%s", err, out)
			}
			for _, want := range []string{"CGO_ENABLED=0 ", " -trimpath ", "services/house.release=${VERSION}"} {
				if !strings.Contains(in.args, want) {
					t.Errorf("the build command lacks %q: %s", want, in.args)
				}
			}
		}
	}
}

// stage does COPY from… to, relative to the repository and to src.
func stage(t *testing.T, src string, fields []string) {
	t.Helper()
	to := fields[len(fields)-1]
	for _, from := range fields[:len(fields)-1] {
		at := filepath.Join(root, from)
		info, err := os.Stat(at)
		if err != nil {
			t.Fatalf("COPY %s: %v", from, err)
		}
		dest := filepath.Join(src, to)
		if info.IsDir() {
			if err := os.CopyFS(dest, os.DirFS(at)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if strings.HasSuffix(to, "/") {
			dest = filepath.Join(dest, filepath.Base(from))
		}
		body, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(dest), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dest, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadersRefuseWhatIsBroken(t *testing.T) {
	for _, text := range []string{"FORM scratch", "FROM", "RUN a \\"} {
		if _, err := instructions(text); err == nil {
			t.Errorf("a Containerfile of %q was taken", text)
		}
	}
	for _, text := range []string{"ExecStart=/x", "[Service]\nnonsense"} {
		if _, err := settings(text); err == nil {
			t.Errorf("a unit of %q was taken", text)
		}
	}
}
