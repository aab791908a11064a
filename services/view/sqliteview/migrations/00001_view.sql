-- +goose Up
-- Keys are raw bytes and begin with a contact key, an identity, a partition or
-- a campaign, never with a sequence. Instants are microseconds UTC since 1970.
CREATE TABLE projection (
    id      INTEGER NOT NULL PRIMARY KEY,
    name    TEXT NOT NULL,
    version INTEGER NOT NULL,
    UNIQUE (name, version)
) STRICT;

CREATE TABLE stream (
    id   INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE position (
    projection  INTEGER NOT NULL,
    stream      INTEGER NOT NULL,
    sequence    INTEGER NOT NULL,
    recorded_us INTEGER NOT NULL,
    PRIMARY KEY (projection, stream)
) WITHOUT ROWID, STRICT;

-- consentstate: the event index. record: see record.go.
CREATE TABLE event (
    contact  BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    record   BLOB NOT NULL,
    PRIMARY KEY (contact, sequence)
) WITHOUT ROWID, STRICT;

-- The variant of an identity that was entered first; further ones lie in
-- variant. place: see record.go.
CREATE TABLE identity (
    identity BLOB NOT NULL PRIMARY KEY,
    place    BLOB NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE variant (
    identity BLOB NOT NULL,
    digest   BLOB NOT NULL,
    place    BLOB NOT NULL,
    PRIMARY KEY (identity, digest)
) WITHOUT ROWID, STRICT;

CREATE TABLE link (
    contact  BLOB NOT NULL,
    stream   INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    owner    BLOB NOT NULL,
    PRIMARY KEY (contact, stream, sequence)
) WITHOUT ROWID, STRICT;

CREATE TABLE correction (
    target   BLOB NOT NULL,
    stream   INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    contact  BLOB NOT NULL,
    identity BLOB NOT NULL,
    PRIMARY KEY (target, stream, sequence)
) WITHOUT ROWID, STRICT;

-- One row for each run of entries that was applied together.
CREATE TABLE clock (
    stream         INTEGER NOT NULL,
    last           INTEGER NOT NULL,
    first          INTEGER NOT NULL,
    first_us       INTEGER NOT NULL,
    deltas         BLOB NOT NULL,
    PRIMARY KEY (stream, last)
) WITHOUT ROWID, STRICT;

CREATE TABLE late (
    stream      INTEGER NOT NULL,
    sequence    INTEGER NOT NULL,
    source      TEXT NOT NULL,
    id          TEXT NOT NULL,
    type        TEXT NOT NULL,
    time_us     INTEGER NOT NULL,
    received_us INTEGER NOT NULL,
    recorded_us INTEGER NOT NULL,
    PRIMARY KEY (stream, sequence)
) WITHOUT ROWID, STRICT;

-- pairs: the source's sequences and the entries that bear them.
CREATE TABLE source_run (
    source TEXT NOT NULL,
    stream INTEGER NOT NULL,
    first  INTEGER NOT NULL,
    pairs  BLOB NOT NULL,
    PRIMARY KEY (source, stream, first)
) WITHOUT ROWID, STRICT;

CREATE TABLE duplicate (
    stream   INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (stream, sequence)
) WITHOUT ROWID, STRICT;

CREATE TABLE typed (
    type    TEXT NOT NULL,
    contact BLOB NOT NULL,
    PRIMARY KEY (type, contact)
) WITHOUT ROWID, STRICT;

CREATE TABLE listed (
    list    TEXT NOT NULL,
    contact BLOB NOT NULL,
    PRIMARY KEY (list, contact)
) WITHOUT ROWID, STRICT;

CREATE TABLE due (
    projection INTEGER NOT NULL,
    at_us      INTEGER NOT NULL,
    contact    BLOB NOT NULL,
    PRIMARY KEY (projection, at_us, contact)
) WITHOUT ROWID, STRICT;

-- violations.
CREATE TABLE campaign (
    id         INTEGER NOT NULL PRIMARY KEY,
    controller TEXT NOT NULL,
    campaign   TEXT NOT NULL,
    first_us   INTEGER,
    last_us    INTEGER,
    counters   TEXT NOT NULL DEFAULT '{}',
    starts     BLOB,
    UNIQUE (controller, campaign)
) STRICT;

CREATE TABLE attempt (
    contact    BLOB NOT NULL,
    sequence   INTEGER NOT NULL,
    campaign   INTEGER NOT NULL,
    stream     INTEGER NOT NULL,
    dialled_us INTEGER NOT NULL,
    known_us   INTEGER NOT NULL,
    source     TEXT NOT NULL,
    id         TEXT NOT NULL,
    found      INTEGER NOT NULL,
    findings   BLOB,
    PRIMARY KEY (contact, sequence)
) WITHOUT ROWID, STRICT;

CREATE INDEX attempt_of ON attempt (campaign, contact, sequence);

CREATE TABLE sweep (
    campaign INTEGER NOT NULL PRIMARY KEY,
    from_us  INTEGER NOT NULL,
    until_us INTEGER NOT NULL,
    after    BLOB NOT NULL
) WITHOUT ROWID, STRICT;
