-- What a bot's flood leaves behind: the rate that it goes on with, and its chats' 429s of the last seconds. Expand only.

ALTER TABLE bots ADD COLUMN learned smallint;                        -- sends a second after its last flood; none: as configured
ALTER TABLE bots ADD COLUMN learned_at timestamptz;                  -- the flood's end: from here on the rate grows
ALTER TABLE bots ADD COLUMN refusals jsonb NOT NULL DEFAULT '[]';    -- 429s that were single chats' so far: fewer than three

-- What a bot may send a second at that time: half of it comes back in four minutes (decision 20). Without a flood there is
-- nothing to compute; the planner puts the body in the place of the call.
CREATE FUNCTION rate_for(per_second smallint, learned smallint, learned_at timestamptz, at timestamptz) RETURNS int
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN learned IS NULL THEN per_second
                ELSE least(per_second,
                           learned + floor(per_second * greatest(0, extract(epoch FROM at - learned_at)) / 480))::int END
$$;
