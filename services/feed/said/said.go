// Package said remembers, durably, what the feed has said: one SQLite file
// beside the views.
//
// It holds what every dialer must have heard as of one position of FEED, how
// far the feed has applied the ledger, and when time alone will change
// something; all of it changes in one transaction. It holds no number.
//
//	store, err := said.Open(ctx, filepath.Join(folder, said.File))
//	mark, err := store.Mark(ctx)              // where the feed goes on
//	entries, err := store.Of(ctx, contact)    // what dialers know of a contact
//	err = store.Commit(ctx, &said.Change{…})  // what was published, and how far
//
// A commit survives the end of the process; after a loss of power the last ones
// may be missing: then FEED holds more than this file says, and the feed reads
// that tail first. A lost file is built again from the views and FEED.
package said

import (
	"context"
	"embed"
	"errors"
	"fmt"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/sqlitefile"
)

// File is the database below the data folder.
const File = "feed.db"

//go:embed migrations/*.sql
var migrations embed.FS

// ErrUnavailable: the file cannot be read or written for now; nothing was
// changed. Try again.
var ErrUnavailable = errors.New("what the feed has said is unavailable")

// Entry is one message that stands: the last one about its key.
type Entry struct {
	// Message is what was said, without phone; Position is where it lies in
	// FEED.
	Message events.FeedMessage
	// Causes are the events behind it that were said, for kinds of which each
	// is said.
	Causes []events.IdentityHash
	// First: the cause of Message was not said of its key before. It is stored
	// nowhere; Change.Put reads it.
	First bool
}

// Store is the file. It is safe for concurrent use; one process writes.
type Store struct {
	db *sqlitefile.DB
}

// Open opens or makes the file at path.
func Open(ctx context.Context, path string) (*Store, error) {
	db, err := sqlitefile.Open(ctx, sqlitefile.Config{Path: path, Migrations: migrations, Readers: 6, Pragmas: []string{
		"synchronous(NORMAL)", "secure_delete(FAST)", "temp_store(MEMORY)", "cache_size(-32768)",
	}})
	if err != nil {
		return nil, failed("open feed's memory", err)
	}
	return &Store{db: db}, nil
}

// Close releases the file.
func (s *Store) Close() error { return s.db.Close() }

// failed wraps an error of the database.
func failed(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, ErrUnavailable):
		return fmt.Errorf("%s: %w", op, err)
	}
	return fmt.Errorf("%s: %w: %w", op, ErrUnavailable, err)
}

func micro(i events.Instant) int64 {
	if i == 0 {
		return 0
	}
	return i.UnixMicro()
}

func instant(us int64) events.Instant {
	if us == 0 {
		return 0
	}
	return events.InstantFromUnixMicro(us)
}

func blob(k events.ContactKey) []byte {
	if k.IsZero() {
		return []byte{}
	}
	return k[:]
}

func keyOf(b []byte) (k events.ContactKey) {
	copy(k[:], b)
	return k
}
