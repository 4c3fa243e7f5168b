-- Deliveries in several messages, albums that weigh what they hold, files that are uploaded once. Expand only.

ALTER TABLE deliveries ADD COLUMN parts smallint NOT NULL DEFAULT 1;        -- messages that it takes, known with the first
ALTER TABLE deliveries ADD COLUMN parts_done smallint NOT NULL DEFAULT 0;   -- those that are confirmed: never sent again
ALTER TABLE deliveries ADD COLUMN filled jsonb;                             -- the group's values as the first part had them:
                                                                            -- others would cut the text elsewhere

-- What one message of it counts against Telegram's limits: an album counts each of its items.
ALTER TABLE broadcasts ADD COLUMN items smallint NOT NULL GENERATED ALWAYS AS (
    CASE WHEN content ->> 'method' = 'sendMediaGroup' AND jsonb_typeof(content #> '{params,media}') = 'array'
         THEN jsonb_array_length(content #> '{params,media}') ELSE 1 END) STORED;

-- When so many more messages may follow, for twenty a minute: all but as many of the recent ones must have left the minute.
CREATE FUNCTION turn_for(next_at timestamptz, recent timestamptz[], items int) RETURNS timestamptz
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN items = 1 OR cardinality(recent) + items <= 20 THEN next_at
                ELSE greatest(next_at, recent[cardinality(recent) + items - 20] + interval '59 s') END
$$;

-- Files by content: whoever uploads the same one again adds a name to it and no bytes.
CREATE TABLE blobs (
    digest      bytea PRIMARY KEY,                       -- SHA-256
    size        int NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE blob_chunks (
    digest  bytea NOT NULL REFERENCES blobs ON DELETE CASCADE,
    seq     int NOT NULL,
    data    bytea NOT NULL,
    PRIMARY KEY (digest, seq)
);

CREATE TABLE media (
    media_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner       text NOT NULL,                           -- of the key that uploaded it
    bot_ids     bigint[],                                -- what that key is limited to
    digest      bytea NOT NULL REFERENCES blobs,
    name        text NOT NULL,
    mime        text NOT NULL,
    size        int NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    UNIQUE (owner, digest, name)
);
CREATE INDEX media_digest ON media (digest);
CREATE INDEX media_expires_at ON media (expires_at);

-- What Telegram calls a file that a bot has sent once. Without a file_id the row is a claim: one sender uploads, others wait.
CREATE TABLE media_files (
    bot_id         bigint NOT NULL,
    source         bytea NOT NULL,                       -- digest of what it is and where it comes from
    kind           text NOT NULL,                        -- a photo's file_id is no document's
    file_id        text,
    claimed_by     text NOT NULL,
    claimed_until  timestamptz NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bot_id, source, kind)
);
CREATE INDEX media_files_created_at ON media_files (created_at);
