package crdbvault

import (
	"slices"

	"github.com/assenso/assenso/events"
)

// width is how many rows one statement writes.
const width = 1024

// claimRow is a row of claim on its way in.
type claimRow struct {
	claimKey
	last            events.Instant
	dataKey, number []byte // nil = NULL
}

// proofRow is a row of evidence on its way in.
type proofRow struct {
	claimKey
	digest   events.Digest
	occurred events.Instant
	body     []byte
}

// column takes one column out of rows.
func column[T, V any](rows []T, of func(*T) V) []V {
	out := make([]V, len(rows))
	for i := range rows {
		out[i] = of(&rows[i])
	}
	return out
}

// write stores what take has collected.
func (u *upsert) write() error {
	for part := range slices.Chunk(u.claims, width) {
		if _, err := u.tx.Exec(u.ctx, sqlPutClaims,
			column(part, func(r *claimRow) []byte { return r.contact[:] }),
			column(part, func(r *claimRow) []byte { return []byte(r.controller) }),
			column(part, func(r *claimRow) int64 { return r.last.UnixMicro() }),
			column(part, func(r *claimRow) []byte { return r.dataKey }),
			column(part, func(r *claimRow) []byte { return r.number })); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(u.proofs, width) {
		if _, err := u.tx.Exec(u.ctx, sqlPutEvidence,
			column(part, func(r *proofRow) []byte { return r.contact[:] }),
			column(part, func(r *proofRow) []byte { return []byte(r.controller) }),
			column(part, func(r *proofRow) []byte { return r.digest[:] }),
			column(part, func(r *proofRow) int64 { return r.occurred.UnixMicro() }),
			column(part, func(r *proofRow) []byte { return r.body })); err != nil {
			return err
		}
	}
	return nil
}
