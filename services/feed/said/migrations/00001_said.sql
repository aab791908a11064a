-- +goose Up
-- What the feed has said and not taken back, by what it is about. No number
-- stands here: the vault has it. Instants are microseconds UTC since 1970.
CREATE TABLE said (
    contact    BLOB NOT NULL, -- empty: a list, a controller or all
    controller TEXT NOT NULL, -- '': every controller
    kind       TEXT NOT NULL,
    list       TEXT NOT NULL, -- of a message without contact
    purposes   INTEGER NOT NULL, -- bits; 0 = all
    channels   INTEGER NOT NULL, -- bits; 0 = all
    lists      TEXT NOT NULL, -- JSON array of a contact's lists, '' = all
    at_us      INTEGER NOT NULL,
    source     TEXT NOT NULL,
    id         TEXT NOT NULL,
    type       TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    recorded_us INTEGER NOT NULL,
    sent_us    INTEGER NOT NULL,
    stream     TEXT NOT NULL,
    sequence   INTEGER NOT NULL,
    position   INTEGER NOT NULL, -- in FEED
    causes     BLOB NOT NULL, -- 16 bytes for each event behind it
    PRIMARY KEY (contact, controller, kind, list)
) WITHOUT ROWID, STRICT;
CREATE INDEX said_position ON said (controller, position);

-- Each opposition that was said to a controller, for its dialers to acknowledge.
CREATE TABLE opposed (
    controller TEXT NOT NULL,
    position   INTEGER NOT NULL, -- in FEED
    contact    BLOB NOT NULL,
    source     TEXT NOT NULL,
    id         TEXT NOT NULL,
    PRIMARY KEY (controller, position)
) WITHOUT ROWID, STRICT;

-- Where messages about a contact lie in FEED, so that an erasure finds them.
CREATE TABLE sent (
    contact    BLOB NOT NULL,
    controller TEXT NOT NULL,
    position   INTEGER NOT NULL,
    PRIMARY KEY (contact, controller, position)
) WITHOUT ROWID, STRICT;
CREATE INDEX sent_position ON sent (position);

-- Erasures of which messages remain in FEED.
CREATE TABLE wipe (
    contact    BLOB NOT NULL,
    controller TEXT NOT NULL,
    upto       INTEGER NOT NULL, -- position
    latest_us  INTEGER NOT NULL, -- no later than this instant
    PRIMARY KEY (contact, controller)
) WITHOUT ROWID, STRICT;

-- When time alone may change what stands against a contact.
CREATE TABLE due (
    contact BLOB NOT NULL PRIMARY KEY,
    at_us   INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX due_at ON due (at_us);

-- Reasons to look at every contact again.
CREATE TABLE sweep (
    id   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL
) STRICT;

-- Notices, calls and their campaigns that grants rest on.
CREATE TABLE cited (
    kind       TEXT NOT NULL,
    controller TEXT NOT NULL,
    name       TEXT NOT NULL,
    PRIMARY KEY (kind, controller, name)
) WITHOUT ROWID, STRICT;

CREATE TABLE position (
    stream      TEXT NOT NULL PRIMARY KEY,
    sequence    INTEGER NOT NULL,
    recorded_us INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE mark (
    only     INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    feed     INTEGER NOT NULL, -- position in FEED that everything here is as of
    handled_us INTEGER NOT NULL, -- causes that come by time alone are said up to here
    law      TEXT NOT NULL, -- fingerprint of the rules by which it was said
    orders   TEXT NOT NULL, -- fingerprint of the orders that contacts are held against
    whole    INTEGER NOT NULL -- 0: being built
) STRICT;
