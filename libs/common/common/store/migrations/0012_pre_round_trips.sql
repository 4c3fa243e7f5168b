-- How long calls to Telegram took, of all processes: what a slot's end is reckoned with (decision 23). Expand only.

CREATE TABLE round_trips (
    minute   timestamptz PRIMARY KEY,
    calls    bigint NOT NULL,
    total    double precision NOT NULL,   -- seconds
    smallest double precision NOT NULL    -- seconds
);
