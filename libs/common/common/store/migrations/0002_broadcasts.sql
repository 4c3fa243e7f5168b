-- Groups, broadcasts, their deliveries, and the send slots that all processes share. Expand only.

ALTER TABLE bots ADD COLUMN per_second smallint NOT NULL DEFAULT 30 CHECK (per_second BETWEEN 1 AND 1000);
ALTER TABLE bots ADD COLUMN flood_until timestamptz;   -- no bulk request before it: Telegram said so

CREATE TABLE groups (
    group_id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    bot_id                 bigint NOT NULL REFERENCES bots,
    chat_id                bigint NOT NULL UNIQUE,
    kind                   text NOT NULL DEFAULT 'supergroup' CHECK (kind IN ('group', 'supergroup')),
    title                  text NOT NULL DEFAULT '',
    tags                   text[] NOT NULL DEFAULT '{}',
    variables              jsonb NOT NULL DEFAULT '{}',
    timezone               text NOT NULL DEFAULT 'UTC',
    window_from            time,                         -- send window in the group's timezone; none: any time
    window_to              time,
    final_message_allowed  boolean NOT NULL DEFAULT true,
    phase                  text NOT NULL DEFAULT 'discovered'
                           CHECK (phase IN ('discovered', 'growth', 'monitoring', 'paused', 'lost', 'migrated', 'archived')),
    health                 text NOT NULL DEFAULT 'ok' CHECK (health IN ('ok', 'degraded', 'throttled', 'blind', 'unreachable')),
    failures               int NOT NULL DEFAULT 0,       -- in a row; three take it out of sending
    out_reason             text,                         -- why it is out of sending
    migrated_to            bigint,
    flood_until            timestamptz,
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX groups_bot ON groups (bot_id, group_id);
CREATE INDEX groups_tags ON groups USING gin (tags);

CREATE TABLE broadcasts (
    broadcast_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state         text NOT NULL DEFAULT 'planning'
                  CHECK (state IN ('scheduled', 'planning', 'running', 'paused', 'cancelled', 'done')),
    content       jsonb NOT NULL,
    all_groups    boolean NOT NULL DEFAULT false,
    group_ids     bigint[] NOT NULL DEFAULT '{}',
    tags          text[] NOT NULL DEFAULT '{}',
    exclude_ids   bigint[] NOT NULL DEFAULT '{}',
    exclude_tags  text[] NOT NULL DEFAULT '{}',
    bot_ids       bigint[],                              -- none: every bot; else what its key is limited to
    priority      smallint NOT NULL DEFAULT 5 CHECK (priority BETWEEN 0 AND 9),
    on_unknown    text NOT NULL DEFAULT 'report' CHECK (on_unknown IN ('report', 'resend_once')),
    send_at       timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz,
    pause_reason  text,
    planned_to    bigint NOT NULL DEFAULT 0,             -- the last group id that has its delivery
    planned       boolean NOT NULL DEFAULT false,        -- no group is left without one
    total         int NOT NULL DEFAULT 0,
    created_by    text NOT NULL DEFAULT 'system',
    traceparent   text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz
);
CREATE INDEX broadcasts_open ON broadcasts (state, send_at) WHERE state NOT IN ('cancelled', 'done');

CREATE TABLE deliveries (
    delivery_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    broadcast_id  bigint NOT NULL REFERENCES broadcasts,
    group_id      bigint NOT NULL,
    bot_id        bigint NOT NULL,
    state         text NOT NULL DEFAULT 'pending' CHECK (state IN (
                      'pending', 'slotted', 'sending', 'sent', 'failed', 'unknown', 'cancelled', 'expired')),
    attempts      smallint NOT NULL DEFAULT 0,
    not_before    timestamptz NOT NULL DEFAULT to_timestamp(0),
    slot_at       timestamptz,
    owner         text,
    message_id    bigint,
    reason        text,
    settled_at    timestamptz,
    UNIQUE (broadcast_id, group_id)
) WITH (fillfactor = 80);
CREATE INDEX deliveries_pending ON deliveries (broadcast_id, bot_id, not_before, delivery_id) WHERE state = 'pending';

-- Whose turn it is to be sent to, for at most one send a second and twenty a minute to a chat.
CREATE TABLE group_turns (
    group_id  bigint PRIMARY KEY,
    held_by   bigint,                                    -- the delivery that has the turn
    next_at   timestamptz NOT NULL DEFAULT to_timestamp(0),
    recent    timestamptz[] NOT NULL DEFAULT '{}'        -- when each of the last 20 sends left the one-second window
) WITH (fillfactor = 50);

-- Who is alive: a delivery whose owner is not may have been sent or not.
CREATE TABLE workers (
    owner    text PRIMARY KEY,
    beat_at  timestamptz NOT NULL
);

CREATE INDEX deliveries_in_hand ON deliveries (slot_at) WHERE state IN ('slotted', 'sending');

-- One row for each send that a bot may have in any second. A slot is held from its assignment to its answer, and free again one
-- second after the answer, less the smallest round trip seen: Telegram counts when a request arrives, which is between the two.
CREATE TABLE bot_slots (
    bot_id    bigint NOT NULL,
    slot      smallint NOT NULL,
    free_at   timestamptz NOT NULL DEFAULT to_timestamp(0),
    held_by   text,                                      -- a delivery's or a reply's name
    held_at   timestamptz,
    PRIMARY KEY (bot_id, slot)
) WITH (fillfactor = 50);

-- When a group may be sent to, at or after `at`: inside its window in its timezone. A window may cross midnight.
CREATE FUNCTION next_in_window(at timestamptz, zone text, opens time, closes time) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN opens IS NULL OR closes IS NULL OR opens = closes THEN at
        WHEN opens < closes AND (at AT TIME ZONE zone)::time >= opens AND (at AT TIME ZONE zone)::time < closes THEN at
        WHEN opens > closes AND ((at AT TIME ZONE zone)::time >= opens OR (at AT TIME ZONE zone)::time < closes) THEN at
        WHEN (at AT TIME ZONE zone)::time < opens THEN ((at AT TIME ZONE zone)::date + opens) AT TIME ZONE zone
        ELSE ((at AT TIME ZONE zone)::date + 1 + opens) AT TIME ZONE zone
    END
$$;
