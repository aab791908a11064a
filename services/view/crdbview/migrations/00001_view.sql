-- +goose Up
-- Keys begin with a contact key, an identity, a stream or a campaign, never
-- with a sequence, so that ranges do not heat up. Names (streams, controllers,
-- campaigns, sources, lists) are bytes: any text is stored, and sorted by byte
-- under every collation. Instants are microseconds UTC since 1970.
CREATE TABLE projection (
    name    BYTEA NOT NULL,
    version BIGINT NOT NULL,
    turn    BIGINT NOT NULL,
    PRIMARY KEY (name, version)
);

CREATE TABLE progress (
    projection  BYTEA NOT NULL,
    version     BIGINT NOT NULL,
    stream      BYTEA NOT NULL,
    sequence    BIGINT NOT NULL,
    recorded_us BIGINT NOT NULL,
    PRIMARY KEY (projection, version, stream)
);

CREATE TABLE due (
    projection BYTEA NOT NULL,
    version    BIGINT NOT NULL,
    at_us      BIGINT NOT NULL,
    contact    BYTEA NOT NULL,
    PRIMARY KEY (projection, version, at_us, contact)
);

-- consentstate: the event index.
CREATE TABLE event (
    contact     BYTEA NOT NULL,
    sequence    BIGINT NOT NULL,
    stream      BYTEA NOT NULL,
    recorded_us BIGINT NOT NULL,
    identity    BYTEA NOT NULL,
    digest      BYTEA NOT NULL,
    body        BYTEA NOT NULL,
    PRIMARY KEY (contact, sequence)
);

-- The variant of an identity that was entered first; further ones lie in
-- variant.
CREATE TABLE identity (
    identity    BYTEA NOT NULL PRIMARY KEY,
    digest      BYTEA NOT NULL,
    stream      BYTEA NOT NULL,
    sequence    BIGINT NOT NULL,
    recorded_us BIGINT NOT NULL,
    contact     BYTEA NOT NULL
);

CREATE TABLE variant (
    identity    BYTEA NOT NULL,
    digest      BYTEA NOT NULL,
    stream      BYTEA NOT NULL,
    sequence    BIGINT NOT NULL,
    recorded_us BIGINT NOT NULL,
    contact     BYTEA NOT NULL,
    PRIMARY KEY (identity, digest)
);

CREATE TABLE link (
    contact  BYTEA NOT NULL,
    stream   BYTEA NOT NULL,
    sequence BIGINT NOT NULL,
    owner    BYTEA NOT NULL,
    PRIMARY KEY (contact, stream, sequence)
);

CREATE TABLE correction (
    target   BYTEA NOT NULL,
    stream   BYTEA NOT NULL,
    sequence BIGINT NOT NULL,
    contact  BYTEA NOT NULL,
    identity BYTEA NOT NULL,
    PRIMARY KEY (target, stream, sequence)
);

-- One row for each run of entries that was applied together; deltas: see
-- clock.go.
CREATE TABLE clock (
    stream   BYTEA NOT NULL,
    last     BIGINT NOT NULL,
    first    BIGINT NOT NULL,
    first_us BIGINT NOT NULL,
    deltas   BYTEA NOT NULL,
    PRIMARY KEY (stream, last)
);

CREATE TABLE late (
    stream      BYTEA NOT NULL,
    sequence    BIGINT NOT NULL,
    source      BYTEA NOT NULL,
    id          BYTEA NOT NULL,
    type        BYTEA NOT NULL,
    time_us     BIGINT NOT NULL,
    received_us BIGINT NOT NULL,
    recorded_us BIGINT NOT NULL,
    PRIMARY KEY (stream, sequence)
);

-- pairs: the source's sequences and the entries that bear them.
CREATE TABLE source_run (
    source BYTEA NOT NULL,
    stream BYTEA NOT NULL,
    first  BIGINT NOT NULL,
    pairs  BYTEA NOT NULL,
    PRIMARY KEY (source, stream, first)
);

CREATE TABLE duplicate (
    stream   BYTEA NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (stream, sequence)
);

CREATE TABLE typed (
    type    BYTEA NOT NULL,
    contact BYTEA NOT NULL,
    PRIMARY KEY (type, contact)
);

CREATE TABLE listed (
    list    BYTEA NOT NULL,
    contact BYTEA NOT NULL,
    PRIMARY KEY (list, contact)
);

-- violations.
CREATE TABLE campaign (
    controller BYTEA NOT NULL,
    campaign   BYTEA NOT NULL,
    first_us   BIGINT,
    last_us    BIGINT,
    counters   BYTEA NOT NULL,
    starts     BYTEA,
    PRIMARY KEY (controller, campaign)
);

CREATE TABLE attempt (
    contact    BYTEA NOT NULL,
    sequence   BIGINT NOT NULL,
    controller BYTEA NOT NULL,
    campaign   BYTEA NOT NULL,
    stream     BYTEA NOT NULL,
    dialled_us BIGINT NOT NULL,
    known_us   BIGINT NOT NULL,
    source     BYTEA NOT NULL,
    id         BYTEA NOT NULL,
    found      BIGINT NOT NULL,
    findings   BYTEA,
    PRIMARY KEY (contact, sequence)
);

CREATE INDEX attempt_of ON attempt (controller, campaign, contact, sequence);

CREATE TABLE sweep (
    controller BYTEA NOT NULL,
    campaign   BYTEA NOT NULL,
    from_us    BIGINT NOT NULL,
    until_us   BIGINT NOT NULL,
    after      BYTEA NOT NULL,
    PRIMARY KEY (controller, campaign)
);
