package client

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// NewID mints an event id: a UUID of version 7 (RFC 9562 5.7), which begins
// with the instant and is random otherwise, so that ids sort roughly by age and
// two machines never mint the same.
func NewID() string { return idAt(time.Now()) }

func idAt(at time.Time) string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	ms := uint64(at.UnixMilli())
	binary.BigEndian.PutUint32(b[0:], uint32(ms>>16))
	binary.BigEndian.PutUint16(b[4:], uint16(ms))
	b[6] = b[6]&0x0f | 0x70 // version 7
	b[8] = b[8]&0x3f | 0x80 // variant of RFC 9562
	text := make([]byte, 0, 36)
	for _, part := range [][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if len(text) > 0 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, part)
	}
	return string(text)
}
