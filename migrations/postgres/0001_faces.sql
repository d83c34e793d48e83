-- Faces and users are numbered by their collection's row, under its lock: a number belongs to one history of one collection.
-- Indexes that lead with the collection keep each collection's rows together.

CREATE TABLE collections (
    id            bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account       text    NOT NULL,
    region        text    NOT NULL,
    name          text    NOT NULL,
    model_version text    NOT NULL,
    pack_name     text    NOT NULL,
    pack_version  text    NOT NULL,
    created_at    bigint  NOT NULL, -- milliseconds since 1970-01-01 UTC
    face_count    bigint  NOT NULL DEFAULT 0 CHECK (face_count >= 0),
    user_count    bigint  NOT NULL DEFAULT 0 CHECK (user_count >= 0),
    next_row      bigint  NOT NULL DEFAULT 1,
    -- Every transaction that writes to the collection raises the version by one, draws a nonce and leaves a row in changes.
    version       bigint  NOT NULL DEFAULT 0,
    nonce         bigint  NOT NULL,
    -- Deleting a collection sets this; what it held is then cleared away in small steps.
    dropped       boolean NOT NULL DEFAULT false,
    -- Set while an import fills the collection, which counts as dropped meanwhile: it is cleared away when nothing came for so long.
    importing_until bigint -- milliseconds since 1970-01-01 UTC
) WITH (fillfactor = 50); -- Each write makes a new version of its row: room for them on the same page.
CREATE UNIQUE INDEX collections_by_name ON collections (account, region, name) WHERE NOT dropped;
CREATE INDEX collections_in_order ON collections (account, region, id) WHERE NOT dropped;
CREATE INDEX collections_dropped ON collections (id) WHERE dropped;

-- What each commit changed: rows of faces that came or went, and of users whose faces changed.
CREATE TABLE changes (
    collection bigint   NOT NULL REFERENCES collections (id),
    version    bigint   NOT NULL,
    nonce      bigint   NOT NULL,
    faces      bigint[] NOT NULL,
    users      bigint[] NOT NULL,
    PRIMARY KEY (collection, version)
);

CREATE TABLE tags (
    collection bigint NOT NULL REFERENCES collections (id),
    key        text   NOT NULL,
    value      text   NOT NULL,
    PRIMARY KEY (collection, key)
);

CREATE TABLE users (
    collection bigint NOT NULL REFERENCES collections (id),
    id         bigint NOT NULL,
    user_id    text   NOT NULL,
    face_count bigint NOT NULL DEFAULT 0 CHECK (face_count >= 0),
    PRIMARY KEY (collection, id)
);
CREATE UNIQUE INDEX users_by_user_id ON users (collection, user_id);

CREATE TABLE faces (
    collection        bigint  NOT NULL,
    id                bigint  NOT NULL,
    face_id           uuid    NOT NULL,
    owner             bigint, -- the user's id
    image_id          uuid    NOT NULL,
    image_sha256      bytea   NOT NULL CHECK (length(image_sha256) = 32),
    external_image_id text    NOT NULL, -- empty when there is none
    ordinal           integer NOT NULL,
    box_left          real    NOT NULL,
    box_top           real    NOT NULL,
    box_width         real    NOT NULL,
    box_height        real    NOT NULL,
    confidence        real    NOT NULL,
    model_version     text    NOT NULL,
    PRIMARY KEY (collection, id)
);
CREATE UNIQUE INDEX faces_by_face_id ON faces (collection, face_id);
CREATE UNIQUE INDEX faces_by_content ON faces (collection, image_sha256, external_image_id, ordinal);
CREATE INDEX faces_by_owner ON faces (collection, owner, id) WHERE owner IS NOT NULL;

-- Apart from the faces, so that loading a collection reads nothing but its vectors.
CREATE TABLE vectors (
    collection bigint NOT NULL,
    face       bigint NOT NULL,
    vector     bytea  NOT NULL, -- f32, little-endian
    checksum   bigint NOT NULL, -- CRC-32C of the face's row and the vector
    PRIMARY KEY (collection, face)
) WITH (toast_tuple_target = 8160); -- Vectors of up to 2,000 components stay in their row.
ALTER TABLE vectors ALTER COLUMN vector SET STORAGE EXTERNAL;

CREATE TABLE tokens (
    account      text   NOT NULL,
    region       text   NOT NULL,
    operation    text   NOT NULL,
    token        text   NOT NULL,
    collection   bigint NOT NULL REFERENCES collections (id),
    request_hash bytea  NOT NULL CHECK (length(request_hash) = 32),
    outcome      text   NOT NULL, -- JSON
    created_at   bigint NOT NULL, -- milliseconds since 1970-01-01 UTC
    PRIMARY KEY (account, region, operation, token)
);
CREATE INDEX tokens_by_age ON tokens (created_at);
CREATE INDEX tokens_by_collection ON tokens (collection);

-- One row that nodes write to find out whether writes succeed.
CREATE TABLE readiness (
    id         integer PRIMARY KEY CHECK (id = 1),
    checked_at bigint  NOT NULL -- milliseconds since 1970-01-01 UTC
);
