-- Ids are never used again (AUTOINCREMENT): caches and searches name rows by them.
-- Indexes that lead with the collection keep each collection's rows together.

CREATE TABLE collections (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    account       TEXT    NOT NULL,
    region        TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    model_version TEXT    NOT NULL,
    pack_name     TEXT    NOT NULL,
    pack_version  TEXT    NOT NULL,
    created_at    INTEGER NOT NULL, -- milliseconds since 1970-01-01 UTC
    face_count    INTEGER NOT NULL DEFAULT 0 CHECK (face_count >= 0),
    user_count    INTEGER NOT NULL DEFAULT 0 CHECK (user_count >= 0),
    -- Deleting a collection sets this; what it held is then cleared away in small steps.
    dropped       INTEGER NOT NULL DEFAULT 0 CHECK (dropped IN (0, 1))
) STRICT;
CREATE UNIQUE INDEX collections_by_name ON collections (account, region, name) WHERE dropped = 0;
CREATE INDEX collections_in_order ON collections (account, region, id) WHERE dropped = 0;
CREATE INDEX collections_dropped ON collections (id) WHERE dropped = 1;

CREATE TABLE tags (
    collection INTEGER NOT NULL REFERENCES collections (id),
    key        TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    PRIMARY KEY (collection, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collections (id),
    user_id    TEXT    NOT NULL,
    face_count INTEGER NOT NULL DEFAULT 0 CHECK (face_count >= 0)
) STRICT;
CREATE UNIQUE INDEX users_by_user_id ON users (collection, user_id);
CREATE INDEX users_in_order ON users (collection, id);

CREATE TABLE faces (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    collection        INTEGER NOT NULL REFERENCES collections (id),
    face_id           BLOB    NOT NULL CHECK (length(face_id) = 16),
    user              INTEGER REFERENCES users (id),
    image_id          BLOB    NOT NULL CHECK (length(image_id) = 16),
    image_sha256      BLOB    NOT NULL CHECK (length(image_sha256) = 32),
    external_image_id TEXT CHECK (external_image_id <> ''),
    ordinal           INTEGER NOT NULL,
    box_left          REAL    NOT NULL, -- f32, widened
    box_top           REAL    NOT NULL,
    box_width         REAL    NOT NULL,
    box_height        REAL    NOT NULL,
    confidence        REAL    NOT NULL,
    model_version     TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX faces_by_face_id ON faces (collection, face_id);
CREATE UNIQUE INDEX faces_by_content ON faces (collection, image_sha256, ifnull(external_image_id, ''), ordinal);
CREATE INDEX faces_by_user ON faces (user) WHERE user IS NOT NULL;

-- Apart from the faces, so that loading a collection reads nothing but its vectors, in one sweep. No foreign key to faces: the check
-- on the deletion of a face would need an index by face alone. Both rows are written and deleted in one transaction.
CREATE TABLE vectors (
    collection INTEGER NOT NULL REFERENCES collections (id),
    face       INTEGER NOT NULL,
    vector     BLOB    NOT NULL, -- f32, little-endian
    PRIMARY KEY (collection, face)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    account      TEXT    NOT NULL,
    region       TEXT    NOT NULL,
    operation    TEXT    NOT NULL,
    token        TEXT    NOT NULL,
    collection   INTEGER NOT NULL REFERENCES collections (id),
    request_hash BLOB    NOT NULL CHECK (length(request_hash) = 32),
    outcome      TEXT    NOT NULL, -- JSON
    created_at   INTEGER NOT NULL, -- milliseconds since 1970-01-01 UTC
    PRIMARY KEY (account, region, operation, token)
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_by_age ON tokens (created_at);
CREATE INDEX tokens_by_collection ON tokens (collection);
