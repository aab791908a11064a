package gate

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/rules"
)

// A snapshot is a file:
//
//	magic
//	section  header, JSON: positions at its beginning, marks, digests of the last entries
//	section  one for each layer of the filter of identities
//	section  one for each shard: position, then key, length and content of each record
//	section  trailer, JSON: templates, first calls of campaigns, contacts with whole histories
//
// A section is its length and CRC-32C, each 8 bytes little endian, and its
// content. The filter is as of the positions in the header; a shard may be
// ahead of them, by the records that it says. Reference facts are not in it.
const snapshotMagic = "ASSENSO GATE 1\n"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type snapshotHeader struct {
	Partitions int                               `json:"partitions"`
	Positions  map[ledger.Stream]ledger.Sequence `json:"positions"`
	Recorded   map[ledger.Stream]events.Instant  `json:"recorded"`
	Last       map[ledger.Stream]events.Digest   `json:"last"` // SHA-256 of the entry at the position
	Layers     []int                             `json:"layers"`
	Rooms      []int                             `json:"rooms"`
	Shards     int                               `json:"shards"`
}

type snapshotTrailer struct {
	Floor     events.Instant      `json:"floor"`
	Templates []storedTemplate    `json:"templates"`
	Starts    []snapshotStarts    `json:"starts"`
	Full      []events.ContactKey `json:"full"`
}

type snapshotStarts struct {
	Controller string       `json:"controller"`
	Campaign   string       `json:"campaign"`
	Starts     rules.Starts `json:"starts"`
}

// errSnapshot: the file is not one of this program and this ledger. The gate
// then reads the whole log.
var errSnapshot = errors.New("snapshot does not fit")

// saveRegularly renews the snapshot until ctx ends.
func (g *Gate) saveRegularly(ctx context.Context) {
	tick := time.NewTicker(g.cfg.SnapshotEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := g.Save(ctx); err != nil && ctx.Err() == nil {
			g.cfg.Log.Warn("gate: the snapshot was not renewed; the next start reads more of the log", zap.Error(err))
		}
	}
}

// Save renews the snapshot while the gate runs: on nil the file is on disk. It
// holds up questions for no longer than a shard takes to be copied in memory.
func (g *Gate) Save(ctx context.Context) error {
	if g.cfg.Snapshot == "" {
		return errors.New("gate save snapshot: no file is configured")
	}
	begun, err := g.beginSnapshot(ctx)
	if err != nil {
		return err
	}
	return g.save(ctx, begun)
}

func (g *Gate) save(ctx context.Context, begun *begun) error {
	if err := g.digests(ctx, &begun.header); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(g.cfg.Snapshot), filepath.Base(g.cfg.Snapshot)+".*")
	if err != nil {
		return fmt.Errorf("gate save snapshot: %w", err)
	}
	err = g.write(temporary, begun)
	if err == nil {
		err = temporary.Sync()
	}
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), g.cfg.Snapshot)
	}
	if err != nil {
		return fmt.Errorf("gate save snapshot: %w", errors.Join(err, removeIfThere(temporary.Name())))
	}
	return syncFolder(filepath.Dir(g.cfg.Snapshot))
}

func removeIfThere(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func syncFolder(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("gate save snapshot: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// begun is what a snapshot takes between two batches of the writer.
type begun struct {
	header snapshotHeader
	layers []layer
}

// beginSnapshot lets the writer copy its filter, between two batches.
func (g *Gate) beginSnapshot(ctx context.Context) (*begun, error) {
	answer := make(chan *begun, 1)
	select {
	case g.writer.wanted <- answer:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case b := <-answer:
		return b, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// copyForSnapshot runs in the writer's goroutine.
func (w *writer) copyForSnapshot() *begun {
	b := &begun{header: snapshotHeader{
		Partitions: w.partitions, Shards: len(w.shards),
		Positions: map[ledger.Stream]ledger.Sequence{}, Recorded: map[ledger.Stream]events.Instant{}, Last: map[ledger.Stream]events.Digest{},
	}}
	for i, s := range w.streams {
		b.header.Positions[s], b.header.Recorded[s] = w.at[i].sequence, w.at[i].recorded
	}
	for _, l := range w.seen.layers {
		b.layers = append(b.layers, layer{append([]uint64(nil), l.bits...), l.room})
		b.header.Layers, b.header.Rooms = append(b.header.Layers, len(l.bits)), append(b.header.Rooms, l.room)
	}
	return b
}

// digests reads the entry at each position of the header.
func (g *Gate) digests(ctx context.Context, h *snapshotHeader) error {
	for stream, at := range h.Positions {
		d, err := g.digestAt(ctx, stream, at)
		if err != nil {
			return err
		}
		h.Last[stream] = d
	}
	return nil
}

func (g *Gate) digestAt(ctx context.Context, stream ledger.Stream, at ledger.Sequence) (events.Digest, error) {
	if at == 0 {
		return events.Digest{}, nil
	}
	list, err := g.cfg.Ledger.Read(ctx, stream, at, 1)
	if err != nil {
		return events.Digest{}, fmt.Errorf("gate snapshot: %w", err)
	}
	if len(list) != 1 {
		return events.Digest{}, fmt.Errorf("gate snapshot: %s ends before %d: %w", stream, at, errSnapshot)
	}
	return sha256.Sum256(list[0].Body), nil
}

func (g *Gate) write(f io.Writer, b *begun) error {
	w := bufio.NewWriterSize(f, 1<<20)
	if _, err := w.WriteString(snapshotMagic); err != nil {
		return err
	}
	if err := writeJSON(w, b.header); err != nil {
		return err
	}
	var buf []byte
	for _, l := range b.layers {
		buf = buf[:0]
		for _, word := range l.bits {
			buf = binary.LittleEndian.AppendUint64(buf, word)
		}
		if err := writeSection(w, buf); err != nil {
			return err
		}
	}
	for i := range g.shards {
		buf = g.copyShard(buf[:0], i)
		if err := writeSection(w, buf); err != nil {
			return err
		}
	}
	trailer, err := g.trailer()
	if err != nil {
		return err
	}
	if err := writeJSON(w, trailer); err != nil {
		return err
	}
	return w.Flush()
}

// copyShard writes the shard as it is now.
func (g *Gate) copyShard(dst []byte, i int) []byte {
	g.mu.RLock()
	defer g.mu.RUnlock()
	m := g.shards[i].memory
	dst = binary.LittleEndian.AppendUint64(dst, uint64(g.at[i/shardsPerPartition].sequence))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(m.entries)))
	for n := range m.entries {
		e := &m.entries[n]
		dst = append(dst, e.key[:]...)
		if e.at == 0 {
			dst = append(dst, 0)
			continue
		}
		_, content := m.record(e.at)
		dst = binary.AppendUvarint(dst, uint64(len(content)))
		dst = append(dst, content...)
	}
	return dst
}

// trailer comes last: templates only grow, so they cover every shard.
func (g *Gate) trailer() (snapshotTrailer, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	t := snapshotTrailer{Floor: g.floor}
	for i := range g.templates {
		s, err := g.templates[i].store()
		if err != nil {
			return t, err
		}
		t.Templates = append(t.Templates, s)
	}
	g.reference.EachStarts(func(controller, campaign string, s rules.Starts) {
		t.Starts = append(t.Starts, snapshotStarts{controller, campaign, s})
	})
	for key := range g.full {
		t.Full = append(t.Full, key)
	}
	return t, nil
}

func writeJSON(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeSection(w, b)
}

func writeSection(w io.Writer, b []byte) error {
	head := binary.LittleEndian.AppendUint64(nil, uint64(len(b)))
	head = binary.LittleEndian.AppendUint64(head, uint64(crc32.Checksum(b, castagnoli)))
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}

// load takes the snapshot, if there is one that fits. What does not fit is said
// and passed over: the log has everything.
func (g *Gate) load(ctx context.Context) error {
	last, err := g.lastPositions(ctx)
	if err != nil {
		return err
	}
	var total int
	for _, n := range last {
		total += int(n)
	}
	if g.cfg.Snapshot != "" {
		g.removeUnfinished()
		err := g.readSnapshot(ctx, last)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, fs.ErrNotExist) {
			g.cfg.Log.Warn("gate: the snapshot is not used, the whole log is read instead", zap.Error(err))
		}
	}
	g.writer.seen = newFilter(total + total/4)
	return nil
}

// removeUnfinished removes what a process left that died while it saved.
func (g *Gate) removeUnfinished() {
	left, err := filepath.Glob(g.cfg.Snapshot + ".*")
	for _, name := range left {
		err = errors.Join(err, removeIfThere(name))
	}
	if err != nil {
		g.cfg.Log.Warn("gate: unfinished snapshots could not be removed", zap.Error(err))
	}
}

func (g *Gate) lastPositions(ctx context.Context) (ledger.Positions, error) {
	for {
		last, err := g.cfg.Ledger.Last(ctx)
		if err == nil || errors.Is(err, ledger.ErrGone) {
			return last, err
		}
		if err := g.pause(ctx, "the ledger does not answer", err); err != nil {
			return nil, err
		}
	}
}

// readSnapshot fills the state from the file, or leaves it as it was.
func (g *Gate) readSnapshot(ctx context.Context, last ledger.Positions) error {
	f, err := os.Open(g.cfg.Snapshot)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	r := &sections{r: bufio.NewReaderSize(f, 1<<20), left: info.Size()}
	h, err := g.readHeader(ctx, r, last)
	if err != nil {
		return err
	}
	fresh := newState(g.partitions)
	seen := &filter{}
	for i, words := range h.Layers {
		b, err := r.next(nil)
		if err != nil || len(b) != 8*words || words%blockWords != 0 || words == 0 {
			return errors.Join(errSnapshot, err)
		}
		l := layer{bits: make([]uint64, words), room: h.Rooms[i]}
		for n := range l.bits {
			l.bits[n] = binary.LittleEndian.Uint64(b[8*n:])
		}
		seen.layers = append(seen.layers, l)
	}
	if err := readShards(r, fresh); err != nil {
		return err
	}
	if err := g.readTrailer(r, fresh); err != nil {
		return err
	}
	g.adopt(h, fresh, seen)
	return nil
}

func (g *Gate) readHeader(ctx context.Context, r *sections, last ledger.Positions) (*snapshotHeader, error) {
	magic := make([]byte, len(snapshotMagic))
	if _, err := io.ReadFull(r.r, magic); err != nil || string(magic) != snapshotMagic {
		return nil, fmt.Errorf("%w: it was written by another version", errSnapshot)
	}
	r.left -= int64(len(magic))
	var h snapshotHeader
	if err := r.json(&h); err != nil {
		return nil, err
	}
	if h.Partitions != g.partitions || h.Shards != len(g.shards) || len(h.Layers) != len(h.Rooms) {
		return nil, fmt.Errorf("%w: it has other partitions", errSnapshot)
	}
	for stream, at := range h.Positions {
		if at > last[stream] {
			return nil, fmt.Errorf("%w: it is ahead of the ledger in %s", errSnapshot, stream)
		}
		if d, err := g.digestAt(ctx, stream, at); err != nil || d != h.Last[stream] {
			return nil, errors.Join(fmt.Errorf("%w: it belongs to another ledger", errSnapshot), err)
		}
	}
	return &h, nil
}

// readShards reads the shards, two or more side by side.
func readShards(r *sections, s *state) error {
	var wg sync.WaitGroup
	errs := make([]error, len(s.shards))
	slots := make(chan []byte, 2)
	for range cap(slots) {
		slots <- nil
	}
	for i := range s.shards {
		b, err := r.next(<-slots)
		if err != nil {
			wg.Wait()
			return err
		}
		wg.Go(func() {
			errs[i] = s.shards[i].read(b)
			slots <- b
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (s *shard) read(b []byte) error {
	r := reader{b: b}
	head := r.take(16)
	if r.failed {
		return errSnapshot
	}
	s.saved = ledger.Sequence(binary.LittleEndian.Uint64(head))
	count := binary.LittleEndian.Uint64(head[8:])
	if count > uint64(len(r.b)) {
		return errSnapshot
	}
	m := s.memory
	m.entries = make([]entry, 0, count)
	size := 64
	for 3*size < 4*int(count) {
		size *= 2
	}
	m.rehash(size)
	for range count {
		var key events.ContactKey
		copy(key[:], r.take(len(key)))
		content := r.take(int(min(r.uvarint(), 1<<31)))
		if r.failed {
			return errSnapshot
		}
		if n := m.enter(key); len(content) > 0 {
			m.entries[n].at = m.write(uint32(n), nil, content)
		}
	}
	if len(r.b) > 0 {
		return errSnapshot
	}
	return nil
}

func (g *Gate) readTrailer(r *sections, s *state) error {
	var t snapshotTrailer
	if err := r.json(&t); err != nil {
		return err
	}
	for i := range t.Templates {
		one, err := t.Templates[i].template()
		if err != nil {
			return errors.Join(errSnapshot, err)
		}
		s.templates = append(s.templates, one)
	}
	for _, c := range t.Starts {
		s.reference.AddStarts(c.Controller, c.Campaign, c.Starts)
	}
	for _, key := range t.Full {
		s.markFull(key)
	}
	s.floor = t.Floor
	return nil
}

// adopt takes over what was read; the reference stream is read from its
// beginning.
func (g *Gate) adopt(h *snapshotHeader, s *state, seen *filter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.referred++
	g.shards, g.reference, g.full, g.moves, g.floor = s.shards, s.reference, s.full, s.moves, s.floor
	w := g.writer
	w.seen = seen
	g.templates = s.templates
	for i := range s.templates {
		if n, err := w.templates.add(s.templates[i]); err != nil || int(n) != i {
			g.cfg.Log.Warn("gate: a template of the snapshot stands twice", zap.Int("template", i))
			w.templates.list = append(w.templates.list[:i:i], s.templates[i])
		}
	}
	for i, stream := range g.streams {
		w.filtered[i] = h.Positions[stream]
		if stream != ledger.Reference {
			g.at[i] = mark{h.Positions[stream], h.Recorded[stream]}
		}
	}
	g.moved()
}

// sections reads sections one after the other.
type sections struct {
	r    io.Reader
	left int64
}

// next reads a section, into the memory of b where it fits.
func (s *sections) next(b []byte) ([]byte, error) {
	var head [16]byte
	if _, err := io.ReadFull(s.r, head[:]); err != nil {
		return nil, errors.Join(errSnapshot, err)
	}
	s.left -= int64(len(head))
	n := binary.LittleEndian.Uint64(head[:])
	if n > uint64(max(s.left, 0)) {
		return nil, fmt.Errorf("%w: it was cut off", errSnapshot)
	}
	s.left -= int64(n)
	if uint64(cap(b)) < n {
		b = make([]byte, n)
	}
	b = b[:n]
	if _, err := io.ReadFull(s.r, b); err != nil {
		return nil, errors.Join(errSnapshot, err)
	}
	if uint64(crc32.Checksum(b, castagnoli)) != binary.LittleEndian.Uint64(head[8:]) {
		return nil, fmt.Errorf("%w: a section was changed", errSnapshot)
	}
	return b, nil
}

func (s *sections) json(v any) error {
	b, err := s.next(nil)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(v); err != nil {
		return errors.Join(errSnapshot, err)
	}
	return nil
}
