-- +goose Up
-- Keys are raw bytes; instants are microseconds UTC since 1970. Every blob
-- named *_key is a data key sealed under the vault's key, every other blob but
-- the keys is sealed under a data key of its own row.
-- One row with controller '' holds the number, beside it stands one row for
-- each controller that claims the contact; '_' claims nothing and bears the key
-- of evidence that is nobody's. One table, so that a new contact touches one
-- page.
CREATE TABLE claim (
    contact    BLOB NOT NULL,
    controller TEXT NOT NULL,
    last_us    INTEGER NOT NULL,
    data_key   BLOB,
    number     BLOB,
    PRIMARY KEY (contact, controller)
) WITHOUT ROWID, STRICT;

CREATE TABLE evidence (
    contact     BLOB NOT NULL,
    controller  TEXT NOT NULL,
    digest      BLOB NOT NULL,
    occurred_us INTEGER NOT NULL,
    body        BLOB NOT NULL,
    PRIMARY KEY (contact, controller, digest)
) WITHOUT ROWID, STRICT;

CREATE TABLE tombstone (
    contact    BLOB NOT NULL,
    controller TEXT NOT NULL,
    erased_us  INTEGER NOT NULL,
    PRIMARY KEY (contact, controller)
) WITHOUT ROWID, STRICT;

CREATE TABLE sealed (
    id        TEXT NOT NULL PRIMARY KEY,
    sealed_us INTEGER NOT NULL,
    data_key  BLOB NOT NULL,
    body      BLOB NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE property (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID, STRICT;
