package crdbvault

// Every statement of this package stands here and is parsed with CockroachDB's
// grammar as well.
const (
	sqlTombstones = `SELECT contact, controller, erased_us FROM tombstone WHERE contact = ANY($1::bytea[])`
	sqlClaims     = `SELECT contact, controller, last_us, data_key, number IS NOT NULL FROM claim WHERE contact = ANY($1::bytea[])`
	sqlPutClaims  = `INSERT INTO claim (contact, controller, last_us, data_key, number)
		SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::int8[], $4::bytea[], $5::bytea[])
		ON CONFLICT (contact, controller) DO UPDATE SET last_us = greatest(claim.last_us, excluded.last_us), data_key = coalesce(claim.data_key, excluded.data_key)`
	sqlPutEvidence = `INSERT INTO evidence (contact, controller, digest, occurred_us, body)
		SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::int8[], $5::bytea[]) ON CONFLICT (contact, controller, digest) DO NOTHING`
	sqlNumber   = `SELECT data_key, number FROM claim WHERE contact = $1 AND controller = $2`
	sqlEvidence = `SELECT c.data_key, e.body FROM evidence e JOIN claim c ON c.contact = e.contact AND c.controller = e.controller
		WHERE e.contact = $1 AND e.controller = $2 AND e.digest = $3`

	sqlPutSealed = `INSERT INTO sealed (id, sealed_us, data_key, body) SELECT * FROM unnest($1::bytea[], $2::int8[], $3::bytea[], $4::bytea[]) ON CONFLICT (id) DO NOTHING`
	sqlSealed    = `SELECT sealed_us, data_key, body FROM sealed WHERE id = $1`
	sqlDiscard   = `DELETE FROM sealed WHERE id = $1`

	sqlPutTombstone = `INSERT INTO tombstone (contact, controller, erased_us) VALUES ($1, $2, $3)
		ON CONFLICT (contact, controller) DO UPDATE SET erased_us = greatest(tombstone.erased_us, excluded.erased_us)`
	sqlEraseEvidence = `DELETE FROM evidence WHERE contact = $1 AND controller = $2 AND occurred_us <= $3`
	sqlEraseClaim    = `DELETE FROM claim WHERE contact = $1 AND controller = $2 AND last_us <= $3`
	sqlClaimed       = `SELECT EXISTS (SELECT 1 FROM claim WHERE contact = $1 AND controller <> ALL($2::bytea[]))`
	sqlForget        = `DELETE FROM evidence WHERE contact = $1`
	sqlForgetClaims  = `DELETE FROM claim WHERE contact = $1`

	sqlPutProperty = `INSERT INTO property (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`
	sqlProperty    = `SELECT value FROM property WHERE name = $1`
)
