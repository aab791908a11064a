package crdbview

// Every statement of this package stands here and is parsed with CockroachDB's
// grammar as well. Lists of rows and keys are arrays: one statement serves any
// number.
const (
	sqlTakeTurn = `INSERT INTO projection (name, version, turn) VALUES ($1, $2, 1)
		ON CONFLICT (name, version) DO UPDATE SET turn = projection.turn + 1`
	sqlProgress    = `SELECT stream, sequence, recorded_us FROM progress WHERE projection = $1 AND version = $2 ORDER BY stream`
	sqlPutProgress = `INSERT INTO progress (projection, version, stream, sequence, recorded_us)
		SELECT $1::bytea, $2::int8, s, q, r FROM unnest($3::bytea[], $4::int8[], $5::int8[]) AS u(s, q, r)
		ON CONFLICT (projection, version, stream) DO UPDATE SET sequence = excluded.sequence, recorded_us = excluded.recorded_us`
	sqlDropProgress = `DELETE FROM progress WHERE projection = $1 AND version = $2`

	sqlPutDue  = `INSERT INTO due (projection, version, at_us, contact) SELECT $1::bytea, $2::int8, $3::int8, c FROM unnest($4::bytea[]) AS u(c) ON CONFLICT DO NOTHING`
	sqlDue     = `SELECT at_us, contact FROM due WHERE projection = $1 AND version = $2 ORDER BY at_us, contact`
	sqlTakeDue = `SELECT at_us, contact FROM due WHERE projection = $1 AND version = $2 AND at_us <= $3 ORDER BY at_us, contact LIMIT $4`
	sqlGoneDue = `DELETE FROM due WHERE projection = $1 AND version = $2 AND (at_us, contact) IN (SELECT a, c FROM unnest($3::int8[], $4::bytea[]) AS u(a, c))`
	sqlDropDue = `DELETE FROM due WHERE projection = $1 AND version = $2`
)

// The event index.
const (
	eventColumns   = `e.contact, e.stream, e.sequence, e.recorded_us, e.identity, e.digest, e.body`
	variantColumns = `identity, digest, stream, sequence, recorded_us, contact`

	sqlPutEvents = `INSERT INTO event (contact, sequence, stream, recorded_us, identity, digest, body)
		SELECT * FROM unnest($1::bytea[], $2::int8[], $3::bytea[], $4::int8[], $5::bytea[], $6::bytea[], $7::bytea[])`
	sqlPutIdentities = `INSERT INTO identity (` + variantColumns + `)
		SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::int8[], $5::int8[], $6::bytea[]) ON CONFLICT DO NOTHING`
	sqlPutVariants = `INSERT INTO variant (` + variantColumns + `)
		SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::int8[], $5::int8[], $6::bytea[]) ON CONFLICT DO NOTHING`
	sqlPutLinks       = `INSERT INTO link (contact, stream, sequence, owner) SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::int8[], $4::bytea[]) ON CONFLICT DO NOTHING`
	sqlPutCorrections = `INSERT INTO correction (target, stream, sequence, contact, identity)
		SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::int8[], $4::bytea[], $5::bytea[]) ON CONFLICT DO NOTHING`
	sqlPutClock = `INSERT INTO clock (stream, last, first, first_us, deltas) VALUES ($1, $2, $3, $4, $5)`
	sqlPutLate  = `INSERT INTO late (stream, sequence, source, id, type, time_us, received_us, recorded_us)
		SELECT $1::bytea, q, s, i, t, a, b, c FROM unnest($2::int8[], $3::bytea[], $4::bytea[], $5::bytea[], $6::int8[], $7::int8[], $8::int8[]) AS u(q, s, i, t, a, b, c)`
	sqlPutSources    = `INSERT INTO source_run (source, stream, first, pairs) SELECT s, $1::bytea, f, p FROM unnest($2::bytea[], $3::int8[], $4::bytea[]) AS u(s, f, p)`
	sqlPutDuplicates = `INSERT INTO duplicate (stream, sequence) SELECT $1::bytea, q FROM unnest($2::int8[]) AS u(q)`
	sqlPutTyped      = `INSERT INTO typed (type, contact) SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT DO NOTHING`
	sqlPutListed     = `INSERT INTO listed (list, contact) SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT DO NOTHING`

	sqlFirstVariants   = `SELECT ` + variantColumns + ` FROM identity WHERE identity = ANY($1::bytea[])`
	sqlFurtherVariants = `SELECT ` + variantColumns + ` FROM variant WHERE identity = ANY($1::bytea[]) ORDER BY identity, digest`
	sqlConflicting     = `SELECT DISTINCT identity FROM variant WHERE identity = ANY($1::bytea[])`
	sqlConflicts       = `SELECT DISTINCT identity FROM variant ORDER BY identity`

	sqlHistories = `SELECT ` + eventColumns + ` FROM event e WHERE e.contact = ANY($1::bytea[]) ORDER BY e.contact, e.sequence`
	sqlLinked    = `SELECT l.contact, ` + eventColumns + ` FROM link l JOIN event e ON e.contact = l.owner AND e.sequence = l.sequence
		WHERE l.contact = ANY($1::bytea[]) ORDER BY l.contact, l.stream, l.sequence`
	sqlReferences  = `SELECT ` + eventColumns + ` FROM event e WHERE e.contact = $1 AND e.sequence > $2 ORDER BY e.sequence LIMIT $3`
	sqlEventsAt    = `SELECT ` + eventColumns + ` FROM event e JOIN unnest($1::bytea[], $2::int8[]) AS u(c, q) ON e.contact = u.c AND e.sequence = u.q`
	sqlCorrections = `SELECT target, stream, sequence, contact, identity FROM correction ORDER BY target, stream, sequence`
	sqlCorrecting  = `SELECT ` + eventColumns + ` FROM correction c JOIN event e ON e.contact = c.contact AND e.sequence = c.sequence`
	sqlLate        = `SELECT stream, sequence, source, id, type, time_us, received_us, recorded_us FROM late ORDER BY stream, sequence`
	sqlSources     = `SELECT source, stream, pairs FROM source_run ORDER BY source, stream, first`
	sqlDuplicates  = `SELECT stream, sequence FROM duplicate ORDER BY stream, sequence`
	sqlResolve     = `SELECT s.stream, c.last, c.first, c.first_us, c.deltas FROM (SELECT DISTINCT stream FROM progress) s
		CROSS JOIN LATERAL (SELECT k.last, k.first, k.first_us, k.deltas FROM clock k WHERE k.stream = s.stream AND k.first_us <= $1 ORDER BY k.last DESC LIMIT 1) c`

	sqlNextContacts = `SELECT DISTINCT contact FROM event WHERE contact > $1 ORDER BY contact LIMIT $2`
	sqlNextTyped    = `SELECT DISTINCT contact FROM typed WHERE contact > $1 AND type = ANY($3::bytea[]) ORDER BY contact LIMIT $2`
	sqlNextListed   = `SELECT contact FROM listed WHERE contact > $1 AND list = $3 ORDER BY contact LIMIT $2`
	sqlNextCalled   = `SELECT DISTINCT contact FROM attempt WHERE contact > $1 AND controller = $3 AND campaign = $4 ORDER BY contact LIMIT $2`
)

// Attempts, findings and campaigns.
const (
	attemptColumns  = `contact, sequence, controller, campaign, stream, dialled_us, known_us, source, id, found`
	campaignColumns = `controller, campaign, first_us, last_us, counters, starts`

	sqlPutAttempts = `INSERT INTO attempt (` + attemptColumns + `, findings)
		SELECT * FROM unnest($1::bytea[], $2::int8[], $3::bytea[], $4::bytea[], $5::bytea[], $6::int8[], $7::int8[], $8::bytea[], $9::bytea[], $10::int8[], $11::bytea[])
		ON CONFLICT (contact, sequence) DO UPDATE SET controller = excluded.controller, campaign = excluded.campaign, stream = excluded.stream,
			dialled_us = excluded.dialled_us, known_us = excluded.known_us, source = excluded.source, id = excluded.id, found = excluded.found, findings = excluded.findings`
	sqlDropAttempts = `DELETE FROM attempt WHERE (contact, sequence) IN (SELECT c, q FROM unnest($1::bytea[], $2::int8[]) AS u(c, q))`
	sqlCalled       = `SELECT DISTINCT contact FROM attempt WHERE contact = ANY($1::bytea[])`
	sqlAttemptsOf   = `SELECT ` + attemptColumns + `, findings FROM attempt WHERE contact = ANY($1::bytea[]) ORDER BY contact, sequence`
	sqlFindingsOf   = `SELECT ` + attemptColumns + `, findings FROM attempt WHERE contact = $1 ORDER BY controller, campaign, sequence`
	sqlAttempts     = `SELECT ` + attemptColumns + ` FROM attempt WHERE controller = $1 AND campaign = $2 ORDER BY contact, sequence`
	sqlFindings     = `SELECT ` + attemptColumns + `, findings FROM attempt WHERE controller = $1 AND campaign = $2 AND (contact, sequence) >= ($3::bytea, $4::int8) AND found > 0
		ORDER BY contact, sequence LIMIT $5`
	sqlDialled       = `SELECT min(dialled_us), max(dialled_us) FROM attempt WHERE controller = $1 AND campaign = $2`
	sqlSweepContacts = `SELECT DISTINCT contact FROM attempt WHERE controller = $1 AND campaign = $2 AND contact > $3 AND dialled_us BETWEEN $4 AND $5 ORDER BY contact LIMIT $6`
	sqlAllAttempts   = `SELECT ` + attemptColumns + `, findings FROM attempt ORDER BY controller, campaign, contact, sequence`

	sqlPutCampaign = `INSERT INTO campaign (` + campaignColumns + `) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (controller, campaign) DO UPDATE SET first_us = excluded.first_us, last_us = excluded.last_us, counters = excluded.counters, starts = excluded.starts`
	sqlCampaigns = `SELECT ` + campaignColumns + ` FROM campaign ORDER BY controller, campaign`
	sqlCampaign  = `SELECT ` + campaignColumns + ` FROM campaign WHERE controller = $1 AND campaign = $2`

	sqlSweeps    = `SELECT controller, campaign, from_us, until_us, after FROM sweep ORDER BY controller, campaign`
	sqlPutSweeps = `INSERT INTO sweep (controller, campaign, from_us, until_us, after)
		SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::int8[], $4::int8[], $5::bytea[])
		ON CONFLICT (controller, campaign) DO UPDATE SET from_us = excluded.from_us, until_us = excluded.until_us, after = excluded.after`
	sqlDropSweeps = `DELETE FROM sweep WHERE (controller, campaign) IN (SELECT c, k FROM unnest($1::bytea[], $2::bytea[]) AS u(c, k))`
)

// Whole tables, for Dump and Reset.
const (
	sqlAllEvents   = `SELECT ` + eventColumns + ` FROM event e ORDER BY e.contact, e.sequence`
	sqlAllVariants = `SELECT ` + variantColumns + ` FROM (SELECT ` + variantColumns + ` FROM identity UNION ALL SELECT ` + variantColumns + ` FROM variant) v ORDER BY identity, digest`
	sqlAllClocks   = `SELECT stream, last, first, first_us, deltas FROM clock ORDER BY stream, last`
	sqlAllLinks    = `SELECT contact, stream, sequence, owner FROM link ORDER BY contact, stream, sequence`
	sqlAllTyped    = `SELECT type, contact FROM typed ORDER BY type, contact`
	sqlAllListed   = `SELECT list, contact FROM listed ORDER BY list, contact`

	sqlDropEvent      = `DELETE FROM event`
	sqlDropIdentity   = `DELETE FROM identity`
	sqlDropVariant    = `DELETE FROM variant`
	sqlDropLink       = `DELETE FROM link`
	sqlDropCorrection = `DELETE FROM correction`
	sqlDropClock      = `DELETE FROM clock`
	sqlDropLate       = `DELETE FROM late`
	sqlDropSource     = `DELETE FROM source_run`
	sqlDropDuplicate  = `DELETE FROM duplicate`
	sqlDropTyped      = `DELETE FROM typed`
	sqlDropListed     = `DELETE FROM listed`
	sqlDropAttempt    = `DELETE FROM attempt`
	sqlDropCampaign   = `DELETE FROM campaign`
	sqlDropSweep      = `DELETE FROM sweep`
)
