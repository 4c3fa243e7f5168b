-- When another bot took a group over: what waits with the one that it had goes to it. Expand only.

ALTER TABLE groups ADD COLUMN bot_since timestamptz;   -- unset: it has its first bot, or nothing waits with another
UPDATE groups g SET bot_since = now() FROM deliveries d
    WHERE d.group_id = g.group_id AND d.bot_id <> g.bot_id AND d.state IN ('pending', 'slotted', 'sending');
