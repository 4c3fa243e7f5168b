-- Deliveries in doubt are counted every few seconds, and there are few of them among millions. Expand only.

SET LOCAL lock_timeout = '5s';

CREATE INDEX deliveries_unknown ON deliveries (broadcast_id) WHERE state = 'unknown';
