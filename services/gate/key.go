package gate

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Names of the files that hold the gate's signing key (PKCS #8) and what
// receipts verify with (SubjectPublicKeyInfo), both PEM.
const (
	KeyFile       = "gate.key"
	PublicKeyFile = "gate.pub"
)

// ErrKey: the key file cannot be used.
var ErrKey = errors.New("gate key unusable")

// OpenKey reads the signing key of a folder, or makes one on the first start,
// mode 0600, on disk when it returns. A key that others can read is refused.
func OpenKey(folder string) (ed25519.PrivateKey, error) {
	path := filepath.Join(folder, KeyFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(folder)
	}
	if err != nil {
		return nil, fmt.Errorf("open gate key: %w: %w", ErrKey, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("open gate key: %w: others can read %s: chmod 600, and make a new key if somebody may have read it", ErrKey, path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open gate key: %w: %w", ErrKey, err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("open gate key: %w: %s holds no PEM", ErrKey, path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("open gate key: %w: %w", ErrKey, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("open gate key: %w: %s is no Ed25519 key", ErrKey, path)
	}
	return key, nil
}

func makeKey(folder string) (ed25519.PrivateKey, error) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make gate key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make gate key: %w", err)
	}
	text, err := PublicPEM(public)
	if err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(folder, PublicKeyFile), text, 0o644); err != nil {
		return nil, err
	}
	return key, writeFile(filepath.Join(folder, KeyFile), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// PublicPEM is a public key as PEM.
func PublicPEM(public ed25519.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("encode gate key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// ReadPublicKey reads what PublicPEM writes.
func ReadPublicKey(text []byte) (ed25519.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("read gate key: %w: no PEM", ErrKey)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read gate key: %w: %w", ErrKey, err)
	}
	public, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("read gate key: %w: no Ed25519 key", ErrKey)
	}
	return public, nil
}

// writeFile puts a new file and its name on disk.
func writeFile(path string, b []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) && mode != 0o600 {
		return os.WriteFile(path, b, mode) // of a start that was cut off
	}
	if err != nil {
		return fmt.Errorf("make gate key: %w", err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("make gate key: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}
