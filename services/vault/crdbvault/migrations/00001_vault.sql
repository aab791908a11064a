-- +goose Up
-- Keys are raw bytes; names are bytes, too, so that any text is stored;
-- instants are microseconds UTC since 1970. Every column named *_key is a data
-- key sealed under the vault's key; number and body are sealed under a data key
-- of their own row.
-- One row with controller '' holds the number, beside it stands one row for
-- each controller that claims the contact; '_' claims nothing and bears the key
-- of evidence that is nobody's.
CREATE TABLE claim (
    contact    BYTEA NOT NULL,
    controller BYTEA NOT NULL,
    last_us    BIGINT NOT NULL,
    data_key   BYTEA,
    number     BYTEA,
    PRIMARY KEY (contact, controller)
);

CREATE TABLE evidence (
    contact     BYTEA NOT NULL,
    controller  BYTEA NOT NULL,
    digest      BYTEA NOT NULL,
    occurred_us BIGINT NOT NULL,
    body        BYTEA NOT NULL,
    PRIMARY KEY (contact, controller, digest)
);

CREATE TABLE tombstone (
    contact    BYTEA NOT NULL,
    controller BYTEA NOT NULL,
    erased_us  BIGINT NOT NULL,
    PRIMARY KEY (contact, controller)
);

CREATE TABLE sealed (
    id        BYTEA NOT NULL PRIMARY KEY,
    sealed_us BIGINT NOT NULL,
    data_key  BYTEA NOT NULL,
    body      BYTEA NOT NULL
);

CREATE TABLE property (
    name  BYTEA NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);
