-- The records of sessions, for the engine d1. `wrangler d1 migrations apply` runs this.
CREATE TABLE edge_session (
  key TEXT NOT NULL PRIMARY KEY,
  value BLOB NOT NULL,
  deadline INTEGER NOT NULL, -- microseconds of Unix time
  generation INTEGER NOT NULL
) WITHOUT ROWID;

-- For the deletion of expired records.
CREATE INDEX edge_session_deadline ON edge_session (deadline);
