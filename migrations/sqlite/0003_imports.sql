-- While a collection is imported it is dropped as well, so that nobody finds it, and it is not cleared away.
ALTER TABLE collections ADD COLUMN importing INTEGER NOT NULL DEFAULT 0 CHECK (importing IN (0, 1));
