-- Bots by API with their health, and what Telegram says of a bot's place in a chat. Expand only.

ALTER TABLE bots ADD COLUMN enabled boolean NOT NULL DEFAULT true;   -- false: its deliveries wait
ALTER TABLE bots ADD COLUMN webhook_url text;                        -- as we set it; none: we never did
ALTER TABLE bots ADD COLUMN webhook_key text;                        -- version of the key that its secret was made with
ALTER TABLE bots ADD COLUMN webhook_set_at timestamptz;
ALTER TABLE bots ADD COLUMN health jsonb;                            -- what the last check saw
ALTER TABLE bots ADD COLUMN checked_at timestamptz;

ALTER TABLE groups ADD COLUMN missing_rights text[] NOT NULL DEFAULT '{}';
ALTER TABLE groups ADD COLUMN titled_at timestamptz NOT NULL DEFAULT to_timestamp(0);   -- of the last title, by Telegram's clock,
ALTER TABLE groups ADD COLUMN titled_by bigint NOT NULL DEFAULT 0;                      -- and the update that brought it

-- A bot's place in a chat, and the update that said so: an older one that comes later changes nothing.
CREATE TABLE bot_chats (
    bot_id     bigint NOT NULL,
    chat_id    bigint NOT NULL,
    status     text NOT NULL CHECK (status IN ('in', 'out', 'migrated')),
    at         timestamptz NOT NULL,             -- by Telegram's clock, to the second
    update_id  bigint NOT NULL,                  -- orders those of one second; restarts after a week's silence
    PRIMARY KEY (chat_id, bot_id)
);
