package sqliteview

import (
	"encoding/binary"
	"fmt"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

// A record is the row of an event: format (1 byte), stream (2), recorded (8,
// microseconds UTC since 1970), identity (16), digest (32), all big endian,
// then the stored bytes in the format. A place is stream (2), sequence (8),
// contact (16), digest (32), recorded (8).
const (
	formatPlain  = 0
	recordHeader = 1 + 2 + 8 + 16 + 32
	placeSize    = 2 + 8 + 16 + 32 + 8
)

func appendRecord(dst []byte, stream uint16, e *view.Event) []byte {
	dst = append(dst, formatPlain)
	dst = binary.BigEndian.AppendUint16(dst, stream)
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Recorded.UnixMicro()))
	dst = append(dst, e.Identity[:]...)
	dst = append(dst, e.Digest[:]...)
	return append(dst, e.Body...)
}

// readRecord fills e but for contact and sequence; nothing of b is kept.
func readRecord(b []byte, streams func(uint16) (string, bool), e *view.Event) error {
	if len(b) < recordHeader || b[0] != formatPlain {
		return fmt.Errorf("%w: event row of %d bytes", view.ErrCorrupt, len(b))
	}
	name, ok := streams(binary.BigEndian.Uint16(b[1:]))
	if !ok {
		return fmt.Errorf("%w: event row of an unknown stream", view.ErrCorrupt)
	}
	e.Stream = name
	e.Recorded = events.InstantFromUnixMicro(int64(binary.BigEndian.Uint64(b[3:])))
	e.Identity = events.IdentityHash(b[11:27])
	e.Digest = events.Digest(b[27:59])
	e.Body = append([]byte(nil), b[recordHeader:]...)
	return nil
}

func appendPlace(dst []byte, stream uint16, v *view.Variant) []byte {
	dst = binary.BigEndian.AppendUint16(dst, stream)
	dst = binary.BigEndian.AppendUint64(dst, v.Sequence)
	dst = append(dst, v.Contact[:]...)
	dst = append(dst, v.Digest[:]...)
	return binary.BigEndian.AppendUint64(dst, uint64(v.Recorded.UnixMicro()))
}

func readPlace(b []byte, streams func(uint16) (string, bool)) (view.Variant, error) {
	if len(b) != placeSize {
		return view.Variant{}, fmt.Errorf("%w: identity row of %d bytes", view.ErrCorrupt, len(b))
	}
	name, ok := streams(binary.BigEndian.Uint16(b))
	if !ok {
		return view.Variant{}, fmt.Errorf("%w: identity row of an unknown stream", view.ErrCorrupt)
	}
	return view.Variant{
		Stream: name, Sequence: binary.BigEndian.Uint64(b[2:]),
		Contact: events.ContactKey(b[10:26]), Digest: events.Digest(b[26:58]),
		Recorded: events.InstantFromUnixMicro(int64(binary.BigEndian.Uint64(b[58:]))),
	}, nil
}

// appendDeltas and readDeltas hold instants that never decrease, from first on.
func appendDeltas(dst []byte, at []events.Instant) []byte {
	for i := 1; i < len(at); i++ {
		dst = binary.AppendUvarint(dst, uint64(at[i]-at[i-1]))
	}
	return dst
}

func readDeltas(first events.Instant, b []byte, n int) ([]events.Instant, error) {
	out := make([]events.Instant, 1, n)
	out[0] = first
	for len(b) > 0 {
		d, size := binary.Uvarint(b)
		if size <= 0 {
			return nil, fmt.Errorf("%w: clock row", view.ErrCorrupt)
		}
		b = b[size:]
		out = append(out, out[len(out)-1]+events.Instant(d))
	}
	if len(out) != n {
		return nil, fmt.Errorf("%w: clock row of %d entries, want %d", view.ErrCorrupt, len(out), n)
	}
	return out, nil
}
