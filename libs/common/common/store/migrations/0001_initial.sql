-- Expand only: older code runs on this schema too. lock_timeout is set by the migrator.

CREATE TABLE bots (
    bot_id       bigint PRIMARY KEY,
    username     text NOT NULL,
    first_name   text NOT NULL DEFAULT '',
    token        bytea NOT NULL,                 -- AES-256-GCM, bound to bot_id
    token_key    text NOT NULL,                  -- version of the key that encrypted it
    state        text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'revoked')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE users (
    user_id        bigint PRIMARY KEY,
    first_name     text NOT NULL,
    last_name      text,
    username       text,
    language_code  text,                         -- as Telegram's client says
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);

-- One row per user and bot: its lock orders that user's updates, its columns are the conversation.
CREATE TABLE dialogues (
    bot_id         bigint NOT NULL,
    user_id        bigint NOT NULL,
    status         text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'active', 'stopped', 'blocked')),
    language       text,                         -- chosen by /language
    state          text,
    data           jsonb NOT NULL DEFAULT '{}',
    start_payload  text,                         -- of the first /start with one
    window_start   timestamptz NOT NULL DEFAULT to_timestamp(0),
    window_count   int NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bot_id, user_id)
);

CREATE TABLE feedback (
    feedback_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    bot_id       bigint NOT NULL,
    user_id      bigint NOT NULL,
    topic        text NOT NULL,
    text         text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);

-- The exactly-once mark of every update. Kept for at least 7 days: Telegram retries for one.
CREATE TABLE inbox (
    bot_id       bigint NOT NULL,
    update_id    bigint NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bot_id, update_id)
);
CREATE INDEX inbox_received_at ON inbox (received_at);

-- What is still to be said for an update, written with its effects; a row is gone from the index once it is settled.
CREATE TABLE replies (
    bot_id       bigint NOT NULL,
    update_id    bigint NOT NULL,
    seq          int NOT NULL,
    chat_id      bigint NOT NULL,
    method       text NOT NULL,
    params       jsonb NOT NULL,
    state        text NOT NULL DEFAULT 'sending' CHECK (state IN ('sending', 'sent', 'failed', 'unknown')),
    attempts     int NOT NULL DEFAULT 1,
    claimed_by   text NOT NULL,                  -- the process that says it
    claimed_until timestamptz NOT NULL,          -- and until when another must wait for it
    message_id   bigint,
    reason       text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    settled_at   timestamptz,
    PRIMARY KEY (bot_id, update_id, seq)
);
CREATE INDEX replies_created_at ON replies (created_at);

-- Jobs that could not be published, or whose time has not come.
CREATE TABLE outbox (
    outbox_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id       text NOT NULL,
    queue        text NOT NULL,
    kind         text NOT NULL,
    body         bytea NOT NULL,                 -- the job's own bytes: jsonb would refuse what Telegram may send
    attempt      int NOT NULL DEFAULT 1,
    order_key    text,                           -- whose order it is part of,
    order_seq    bigint,                         -- and its place in it: such a row stays until it is handled
    published_at timestamptz,
    traceparent  text,
    run_at       timestamptz NOT NULL DEFAULT now(),
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_due ON outbox (run_at, outbox_id) WHERE published_at IS NULL;
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;
CREATE UNIQUE INDEX outbox_order ON outbox (order_key, order_seq);
CREATE INDEX outbox_job ON outbox (job_id);

CREATE TABLE dead_letters (
    dead_letter_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id          text NOT NULL,
    queue           text NOT NULL,
    kind            text NOT NULL,
    cause           text NOT NULL,
    reason          text NOT NULL,
    body            bytea NOT NULL,
    attempt         int NOT NULL,
    traceparent     text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    resolved_at     timestamptz,
    resolution      text CHECK (resolution IN ('replayed', 'discarded'))
);
CREATE INDEX dead_letters_open ON dead_letters (created_at) WHERE resolved_at IS NULL;
CREATE UNIQUE INDEX dead_letters_once ON dead_letters (queue, job_id, attempt, cause) WHERE resolved_at IS NULL;

-- Webhook bodies that could not be understood: kept, and answered 200, for a poison update must not block its chat.
CREATE TABLE quarantine (
    quarantine_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    bot_id         bigint NOT NULL,
    digest         bytea NOT NULL,               -- a redelivered body is kept once
    body           bytea NOT NULL,
    reason         text NOT NULL,
    received_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (bot_id, digest)
);
CREATE INDEX quarantine_received_at ON quarantine (received_at);

CREATE TABLE leases (
    name        text PRIMARY KEY,
    holder      text NOT NULL,
    epoch       bigint NOT NULL,
    expires_at  timestamptz NOT NULL
);
