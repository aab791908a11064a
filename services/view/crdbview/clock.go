package crdbview

import (
	"encoding/binary"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

// run is a row of clock: the recorded times of entries that were applied
// together. They never decrease, so all but the first are stored as unsigned
// varints of their distance from the one before.
type run struct {
	stream      string
	first, last uint64
	recorded    []events.Instant
}

func appendDeltas(dst []byte, at []events.Instant) []byte {
	dst = present(dst)
	for i := 1; i < len(at); i++ {
		dst = binary.AppendUvarint(dst, uint64(at[i]-at[i-1]))
	}
	return dst
}

// scanRun reads stream, last, first, first_us, deltas.
func scanRun(row pgx.Rows) (run, error) {
	var r run
	var stream, deltas []byte
	var first int64
	if err := row.Scan(&stream, &r.last, &r.first, &first, &deltas); err != nil {
		return r, err
	}
	r.stream = string(stream)
	n := int(r.last-r.first) + 1
	if r.last < r.first || len(deltas) < n-1 {
		return r, fmt.Errorf("%w: clock row of %s", view.ErrCorrupt, r.stream)
	}
	r.recorded = append(make([]events.Instant, 0, n), instant(first))
	for len(deltas) > 0 {
		d, size := binary.Uvarint(deltas)
		if size <= 0 {
			return r, fmt.Errorf("%w: clock row of %s", view.ErrCorrupt, r.stream)
		}
		deltas = deltas[size:]
		r.recorded = append(r.recorded, r.recorded[len(r.recorded)-1]+events.Instant(d))
	}
	if len(r.recorded) != n {
		return r, fmt.Errorf("%w: clock row of %d entries, want %d", view.ErrCorrupt, len(r.recorded), n)
	}
	return r, nil
}
