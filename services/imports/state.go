package imports

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// state is how far an import has come. It is on disk before the next batch is
// counted and is removed when the import is complete.
type state struct {
	Version int     `json:"version"`
	File    string  `json:"file"`    // SHA-256 of the input
	Mapping string  `json:"mapping"` // SHA-256 of the mapping's text
	Rows    int     `json:"rows"`    // rows acknowledged or refused
	Rejects string  `json:"rejects"` // path of the rejects file
	Size    int64   `json:"rejects_size"`
	Answers int64   `json:"answers_size,omitempty"` // of the file of a consultation's answers
	Summary Summary `json:"summary"`
}

const stateVersion = 1

// statePath is the state file of an input: in dir, or beside the input. Its
// name holds a digest of the input's place, so that one folder serves many inputs.
func statePath(input, dir string) (string, error) {
	if dir == "" {
		return filepath.Join(filepath.Dir(input), "."+filepath.Base(input)+".import.json"), nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("imports state folder: %w", err)
	}
	abs, err := filepath.Abs(input)
	if err != nil {
		return "", fmt.Errorf("imports state folder: %w", err)
	}
	return filepath.Join(dir, filepath.Base(input)+"."+digestHex([]byte(abs))[:16]+".import.json"), nil
}

// loadState returns the state of an interrupted import of the same contents
// with the same mapping; nil for any other.
func loadState(path string, want state) (*state, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("imports read state: %w", err)
	}
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("imports read state %s: it is damaged; delete it to import the file from its start, nothing is recorded twice: %w", filepath.Base(path), err)
	}
	if s.Version != want.Version || s.File != want.File || s.Mapping != want.Mapping {
		return nil, nil
	}
	return &s, nil
}

// save replaces the state file atomically and durably.
func (s *state) save(path string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", " ")
	if err := enc.Encode(s); err != nil {
		return fmt.Errorf("imports write state: %w", err)
	}
	if err := replaceFile(path, b.Bytes()); err != nil {
		return fmt.Errorf("imports write state: %w; name another state folder if this one is not writable", err)
	}
	return nil
}

func replaceFile(path string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".import-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(content)
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func removeState(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("imports remove state: %w", err)
	}
	return nil
}

func fileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("imports open: %w", err)
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("imports read %s: %w", filepath.Base(path), err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func digestHex(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
