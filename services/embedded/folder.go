package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gofrs/flock"
)

// LockFile is the name of the lock in the data folder. Two brokers start
// happily on one folder and ruin it; so whoever works on it holds this lock.
const LockFile = "assenso.lock"

// claim makes sure that the data folder can be used by this process alone and
// locks it.
func claim(dir string) (*flock.Flock, error) {
	if dir == "" {
		return nil, fmt.Errorf("open data folder: %w: no folder is configured: set data", ErrFolder)
	}
	if err := prepare(dir); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, LockFile), flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("open data folder %s: %w: cannot lock %s: %w (a network file system without locks?)", dir, ErrFolder, LockFile, err)
	}
	if !held {
		return nil, fmt.Errorf("open data folder %s: %w: another assenso process holds %s: stop it, or choose another folder with data", dir, ErrInUse, LockFile)
	}
	if err := writable(dir); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return lock, nil
}

// prepare creates the folder or checks what is there.
func prepare(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("create data folder %s: %w: %w", dir, ErrFolder, err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("open data folder %s: %w: %w", dir, ErrFolder, err)
	case !info.IsDir():
		return fmt.Errorf("open data folder %s: %w: it is not a folder: remove it or choose another with data", dir, ErrFolder)
	}
	inside, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("open data folder %s: %w: not readable for this user: chown it: %w", dir, ErrFolder, err)
	}
	if info.Mode().Perm()&0o007 == 0 {
		return nil
	}
	if len(inside) > 0 {
		return fmt.Errorf("open data folder %s: %w: its permissions %#o let every user of the machine in: chmod 700 it", dir, ErrFolder, info.Mode().Perm())
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("open data folder %s: %w: its permissions %#o let every user of the machine in: chmod 700 it: %w", dir, ErrFolder, info.Mode().Perm(), err)
	}
	return nil
}

// writable proves that files can be made and synced in dir.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("open data folder %s: %w: not writable for this user: chown it: %w", dir, ErrFolder, err)
	}
	_, err = f.Write([]byte("probe"))
	err = errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
	if err != nil {
		return fmt.Errorf("open data folder %s: %w: cannot write and sync a file: %w", dir, ErrFolder, err)
	}
	return nil
}

// Locked reports whether a process (this one included) works on the data
// folder dir. A folder that does not exist is not locked.
func Locked(dir string) (bool, error) {
	path := filepath.Join(dir, LockFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	lock := flock.New(path, flock.SetPermissions(0o600))
	free, err := lock.TryLock()
	if err != nil {
		return false, fmt.Errorf("look at lock of data folder %s: %w", dir, err)
	}
	if !free {
		return true, nil
	}
	return false, lock.Unlock()
}

// freeBytes is the space on dir's disk that this user may still fill.
func freeBytes(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("read free space of %s: %w", dir, err)
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// Free returns the free bytes on the disk of the data folder.
func (s *Server) Free() (uint64, error) { return freeBytes(s.opts.Data) }

// FreeBytes returns the free bytes on the disk that holds dir.
func FreeBytes(dir string) (uint64, error) { return freeBytes(dir) }

func diskFull(dir string, free, need uint64) error {
	return fmt.Errorf("store in %s: %w: %d MiB free on its disk, %d MiB needed: free space or move the folder, then start again",
		dir, ErrFailed, free>>20, need>>20)
}
