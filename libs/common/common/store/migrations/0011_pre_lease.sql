-- With the epoch in a key, a renewal (which leaves it alone) and a fence (FOR KEY SHARE) don't wait for each other, and a
-- change of holder still waits for every fenced transaction. Expand only; the table has one row.

CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS leases_epoch ON leases (epoch, name);
