-- What is known of messages that were sent says where, from which text, and after how many tries. Expand only: what an older
-- version leaves unset is read as it was before.

ALTER TABLE deliveries ADD COLUMN sent_chat_id bigint;   -- whose message ids these are: a supergroup numbers anew
ALTER TABLE deliveries ADD COLUMN edition int;           -- of the content that its first part was made from
ALTER TABLE broadcasts ADD COLUMN said_since int NOT NULL DEFAULT 0;   -- the first edition that has the text of today
ALTER TABLE deliveries ADD COLUMN unsent smallint NOT NULL DEFAULT 0;       -- attempts in a row that surely did nothing
ALTER TABLE revision_items ADD COLUMN unsent smallint NOT NULL DEFAULT 0;   -- likewise; neither is counted in attempts
