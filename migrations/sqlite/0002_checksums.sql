-- CRC-32C of the face's row and the vector; the server fills in those of old rows when it opens the database.
ALTER TABLE vectors ADD COLUMN checksum INTEGER;
CREATE INDEX vectors_without_checksum ON vectors (collection, face) WHERE checksum IS NULL;
