package imports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"github.com/assenso/assenso/events"
)

// Options say what to import, how, and where to.
type Options struct {
	Path    string
	Format  Format   // "" = by the name of the file
	Mapping *Mapping // needed for CSV and XLSX
	Sink    Sink     // needed unless DryRun

	// DryRun reads and checks everything and sends nothing; it keeps no state,
	// and writes a rejects file only if RejectsPath names one.
	DryRun bool
	// Normalise reads numbers in a dry run, which needs it.
	Normalise events.Normaliser

	StateDir    string    // "" = beside the input
	RejectsPath string    // "" = beside the input; a file that is there is never overwritten
	InFlight    int       // batches under way at once; 0 = 1. A crash repeats at most so many
	BatchSize   int       // rows of a batch; 0 = MaxBatch
	Progress    io.Writer // a terminal; nil or anything else = silent
	// Consultation, where not nil, says that the file is the register's answer to
	// one: its completion is recorded after the last row.
	Consultation *Consultation
	Clock        func() time.Time // nil = time.Now; a dry run measures times of the future against it
}

// ErrBusy: another import of the same file is under way.
var ErrBusy = errors.New("another import of this file is under way")

// Run imports a file. It returns when every row is acknowledged or lies in the
// rejects file, when ctx ends, or when the sink gives up; in the last two cases
// the same call goes on after the last acknowledged row. The Summary is true in
// either case. Errors never quote a cell.
func Run(ctx context.Context, o Options) (Summary, error) {
	if err := o.defaults(); err != nil {
		return Summary{}, err
	}
	lock := flock.New(o.Path, flock.SetFlag(os.O_RDONLY))
	got, err := lock.TryLock()
	if err != nil {
		return Summary{}, fmt.Errorf("imports open: %w", err)
	}
	if !got {
		return Summary{}, fmt.Errorf("imports open %s: %w", filepath.Base(o.Path), ErrBusy)
	}
	sum, err := o.run(ctx)
	return sum, errors.Join(err, lock.Unlock())
}

func (o *Options) defaults() error {
	if o.Format == "" {
		var err error
		if o.Format, err = FormatOf(o.Path); err != nil {
			return err
		}
	}
	if o.Mapping == nil && o.Format != NDJSON {
		return fmt.Errorf("imports open %s: %w: a %s file needs a mapping of its columns", filepath.Base(o.Path), ErrMapping, o.Format)
	}
	if o.Sink == nil && !o.DryRun {
		return errors.New("imports run: no sink: name a server, or ask for a dry run")
	}
	o.InFlight = max(o.InFlight, 1)
	if o.BatchSize <= 0 || o.BatchSize > MaxBatch {
		o.BatchSize = MaxBatch
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.DryRun {
		if o.Normalise == nil {
			return errors.New("imports run: a dry run needs to be told how numbers are read")
		}
		o.Sink = dryRun{o.Normalise, o.Clock}
	}
	return nil
}

// run does the work under the lock.
func (o *Options) run(ctx context.Context) (Summary, error) {
	w, err := o.open()
	if err != nil {
		return Summary{}, err
	}
	err = w.pump(ctx)
	w.bar.end(err == nil)
	if err == nil && w.answers != nil {
		err = w.complete(ctx)
	}
	err = errors.Join(err, w.rows.Close(), w.rejects.close(), w.answers.close())
	if err == nil && w.statePath != "" {
		err = errors.Join(removeState(w.statePath), w.answers.remove())
	}
	return w.state.Summary, err
}

// open reads the state, opens the input and skips what is acknowledged.
func (o *Options) open() (*work, error) {
	w := &work{o: o, read: new(atomic.Int64)}
	w.state = state{Version: stateVersion}
	if !o.DryRun {
		if err := w.resume(); err != nil {
			return nil, err
		}
	}
	total, err := w.openRows()
	if err != nil {
		return nil, err
	}
	if err := w.openRejects(); err != nil {
		return nil, errors.Join(err, w.rows.Close())
	}
	if o.Consultation != nil && !o.DryRun {
		if w.answers, err = openAnswers(w.statePath+".answers", w.state.Answers); err != nil {
			return nil, errors.Join(err, w.rows.Close(), w.rejects.close())
		}
	}
	for range w.state.Rows {
		if _, err := w.rows.next(); err != nil {
			return nil, errors.Join(fmt.Errorf("imports resume %s: %w; delete the state file to start again", filepath.Base(o.Path), err), w.rows.Close(), w.rejects.close(), w.answers.close())
		}
	}
	w.bar = newProgress(o.Progress, filepath.Base(o.Path), total)
	w.bar.to(w.read.Load())
	return w, nil
}

// resume loads the state of an interrupted import.
func (w *work) resume() error {
	var err error
	if w.statePath, err = statePath(w.o.Path, w.o.StateDir); err != nil {
		return err
	}
	if w.state.File, err = fileDigest(w.o.Path); err != nil {
		return err
	}
	if w.o.Mapping != nil {
		w.state.Mapping = w.o.Mapping.digest
	}
	old, err := loadState(w.statePath, w.state)
	if err != nil || old == nil {
		return err
	}
	w.state, w.resumed = *old, true
	w.state.Summary.Resumed = old.Rows
	return nil
}

// openRows opens the reader and returns the length of the progress bar.
func (w *work) openRows() (total int64, err error) {
	st, err := os.Stat(w.o.Path)
	if err != nil {
		return 0, fmt.Errorf("imports open: %w", err)
	}
	total = st.Size()
	switch w.o.Format {
	case CSV:
		c, err := openCSV(w.o.Path, w.o.Mapping.csv, w.read)
		if err != nil {
			return 0, err
		}
		w.rows, w.comma = c, rune(c.set.delimiter)
	case XLSX:
		x, err := openXLSX(w.o.Path, w.o.Mapping, w.read)
		if err != nil {
			return 0, err
		}
		w.rows, w.comma, total = x, ',', 0
		if d := w.o.Mapping.csv.delimiter; d != 0 {
			w.comma = rune(d)
		}
	case NDJSON:
		if w.rows, err = openNDJSON(w.o.Path, w.read); err != nil {
			return 0, err
		}
		return total, nil
	default:
		return 0, fmt.Errorf("imports open: %w: format %q is not known", ErrFormat, w.o.Format)
	}
	if w.conv, err = w.o.Mapping.bind(plainName(w.o.Path), w.rows.header()); err != nil {
		return 0, errors.Join(err, w.rows.Close())
	}
	return total, nil
}

func (w *work) openRejects() error {
	w.rejects = &rejects{path: w.o.RejectsPath, header: w.rows.header(), comma: w.comma}
	switch {
	case w.o.DryRun && w.o.RejectsPath == "":
		w.discard = true
		return nil
	case w.resumed && w.state.Rejects != "":
		w.rejects.path = w.state.Rejects
		return w.rejects.resume(w.state.Size)
	case w.o.RejectsPath == "":
		w.rejects.path = rejectsPath(w.o.Path, w.o.Format)
	case exists(w.o.RejectsPath):
		return fmt.Errorf("imports open rejects: %s exists: import or move it first, or name another", filepath.Base(w.o.RejectsPath))
	}
	w.state.Rejects = w.rejects.path
	return nil
}
