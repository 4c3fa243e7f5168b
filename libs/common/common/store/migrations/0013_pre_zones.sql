-- A group's timezone that this server does not know counts as UTC: its list of zones may be another after a failover or an
-- update, and one group's zone must not end the search for everybody's messages. Expand only.

-- With a block that catches errors, which costs a subtransaction: called only where there is a window.
CREATE FUNCTION next_in_zone(at timestamptz, zone text, opens time, closes time) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
DECLARE
    here timestamp;
    day timestamp;
BEGIN
    BEGIN
        here := at AT TIME ZONE zone;
    EXCEPTION WHEN invalid_parameter_value THEN
        zone := 'UTC';
        here := at AT TIME ZONE zone;
    END;
    IF opens < closes AND here::time >= opens AND here::time < closes
        OR opens > closes AND (here::time >= opens OR here::time < closes) THEN
        RETURN at;
    END IF;
    day := here::date + CASE WHEN here::time < opens THEN 0 ELSE 1 END;
    RETURN (day + opens) AT TIME ZONE zone;
END
$$;

CREATE OR REPLACE FUNCTION next_in_window(at timestamptz, zone text, opens time, closes time) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN opens IS NULL OR closes IS NULL OR opens = closes THEN at
                ELSE next_in_zone(at, zone, opens, closes) END
$$;
