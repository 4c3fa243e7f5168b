-- Deliveries in doubt are counted every few seconds, and there are few of them among millions. Expand only.

CREATE INDEX CONCURRENTLY IF NOT EXISTS deliveries_unknown ON deliveries (broadcast_id) WHERE state = 'unknown';
