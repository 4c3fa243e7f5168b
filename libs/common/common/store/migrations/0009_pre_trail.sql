-- What operators look for and take away: the audit trail by who, what, on what and when, the newest first. Expand only.

CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_at ON audit (at, audit_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_actor ON audit (actor, at, audit_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_action ON audit (action, at, audit_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_object ON audit (object, at, audit_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_kind ON audit ((split_part(object, ':', 1)), at, audit_id);

-- A file that is deleted takes what bots call it along.
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_files_source ON media_files (source);
