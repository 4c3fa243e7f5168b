-- Only adds, as every migration: the old processes go on working on it, and a rollback leaves it.
ALTER TABLE groups ADD COLUMN next_release text;
ALTER TABLE deliveries ADD COLUMN next_release text;
CREATE INDEX groups_next_release ON groups (next_release) WHERE next_release IS NOT NULL;
