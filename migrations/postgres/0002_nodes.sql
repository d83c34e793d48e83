-- Nodes that search for one another. One that has not been here for some seconds counts as gone.
CREATE TABLE nodes (
    address text        PRIMARY KEY, -- where the others reach it
    beat_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- By this nodes know one another.
CREATE TABLE node_secret (
    id     integer PRIMARY KEY CHECK (id = 1),
    secret bytea   NOT NULL CHECK (length(secret) = 32)
);
INSERT INTO node_secret (id, secret) VALUES (1, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
