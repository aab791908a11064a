package scenario

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// located is a YAML value that remembers its line.
type located[T any] struct {
	Value T
	Line  int
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (l *located[T]) UnmarshalYAML(node ast.Node) error {
	l.Line = firstLine(node)
	return yaml.NodeToValue(node, &l.Value, yaml.Strict())
}

// firstLine is the line on which a node begins; a block mapping's own token is
// the colon of its first key.
func firstLine(node ast.Node) int {
	if tok := node.GetToken(); tok != nil {
		return tok.Position.Line
	}
	return 0
}

type fields = map[string]any

type rawFile struct {
	Fixtures  any                    `yaml:"fixtures"`
	Scenarios []located[rawScenario] `yaml:"scenarios"`
}

type rawScenario struct {
	ID       string            `yaml:"id"`
	Title    string            `yaml:"title"`
	Law      []string          `yaml:"law"`
	Use      []string          `yaml:"use"`
	Without  []string          `yaml:"without"`
	Events   []located[fields] `yaml:"events"`
	Attempts []located[fields] `yaml:"attempts"`
	Expect   located[fields]   `yaml:"expect"`
}

type rawFixtures struct {
	Fixtures fixtureMap `yaml:"fixtures"`
}

// fixtureMap reads each fixture by itself: the library passes over the errors
// of a map's values.
type fixtureMap map[string]located[rawFixture]

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (m *fixtureMap) UnmarshalYAML(node ast.Node) error {
	mapping, ok := node.(*ast.MappingNode)
	if !ok {
		return fmt.Errorf("fixtures: a map of fixtures is wanted")
	}
	*m = fixtureMap{}
	for _, v := range mapping.Values {
		var f located[rawFixture]
		if err := f.UnmarshalYAML(v.Value); err != nil {
			return err
		}
		(*m)[v.Key.String()] = f
	}
	return nil
}

type rawFixture struct {
	Contacts map[string]string `yaml:"contacts"`
	Defaults map[string]fields `yaml:"defaults"`
	Attempt  map[string]fields `yaml:"attempt"`
	Events   []located[fields] `yaml:"events"`
}

// Load reads one scenario file and the fixtures file it names, from the disk.
// Every error is a FileError.
func Load(file string) ([]*Scenario, error) {
	dir, name := filepath.Split(file)
	if dir == "" {
		dir = "."
	}
	scenarios, err := LoadFS(os.DirFS(dir), name)
	var located *FileError
	if errors.As(err, &located) {
		located.File = filepath.Join(dir, located.File)
	}
	return scenarios, err
}

// LoadFS reads one scenario file and its fixtures from files. A fixtures file
// holds no scenario and gives none, so that a whole folder can be named.
func LoadFS(files fs.FS, file string) ([]*Scenario, error) {
	var raw rawFile
	if err := readYAML(files, file, &raw); err != nil {
		return nil, err
	}
	if len(raw.Scenarios) == 0 {
		if _, ok := raw.Fixtures.(fields); ok {
			return nil, readYAML(files, file, &rawFixtures{})
		}
		return nil, &FileError{file, 0, "no scenarios"}
	}
	fixtureFile, named := raw.Fixtures.(string)
	if raw.Fixtures == nil {
		fixtureFile = "fixtures.yaml"
	} else if !named || fixtureFile == "" {
		return nil, &FileError{file, 0, "fixtures: want the name of a file"}
	}
	fixtureFile = path.Join(path.Dir(file), fixtureFile)
	var fixtures rawFixtures
	if err := readYAML(files, fixtureFile, &fixtures); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var out []*Scenario
	for _, s := range raw.Scenarios {
		b := &builder{file: file, fixtureFile: fixtureFile, raw: &s.Value}
		if s.Value.ID == "" {
			return nil, &FileError{file, s.Line, "scenario without id"}
		}
		if seen[s.Value.ID] {
			return nil, &FileError{file, s.Line, fmt.Sprintf("scenario %s stands twice", s.Value.ID)}
		}
		seen[s.Value.ID] = true
		built, err := b.build(s.Line, fixtures.Fixtures)
		if err != nil {
			return nil, err
		}
		out = append(out, built)
	}
	return out, nil
}

func readYAML(files fs.FS, name string, into any) error {
	b, err := fs.ReadFile(files, name)
	if err != nil {
		reason := err
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			reason = pathErr.Err
		}
		return &FileError{name, 0, "cannot be read: " + reason.Error()}
	}
	body, err := parseYAML(b)
	if err == nil && body != nil {
		err = yaml.NodeToValue(body, into, yaml.Strict())
	}
	if err != nil {
		var anchor *anchorError
		if errors.As(err, &anchor) {
			return &FileError{name, anchor.line, anchor.Error()}
		}
		var y yaml.Error
		if errors.As(err, &y) && y.GetToken() != nil {
			return &FileError{name, y.GetToken().Position.Line, y.GetMessage()}
		}
		return &FileError{name, 0, err.Error()}
	}
	return nil
}
