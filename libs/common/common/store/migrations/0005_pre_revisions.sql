-- What operators do with a broadcast after it was sent (recall, edit), and broadcasts that come again and again. Expand only.

ALTER TABLE broadcasts ADD COLUMN edition int NOT NULL DEFAULT 0;   -- grows with each edit of the content
ALTER TABLE deliveries ADD COLUMN message_ids bigint[] NOT NULL DEFAULT '{}';   -- of all its parts, or of an album's items
ALTER TABLE groups ADD COLUMN migrated_at timestamptz;              -- message ids from before it are another chat's

CREATE TABLE revisions (
    revision_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    broadcast_id  bigint NOT NULL REFERENCES broadcasts ON DELETE CASCADE,
    kind          text NOT NULL CHECK (kind IN ('recall', 'edit')),
    state         text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'superseded', 'stopped', 'done')),
    content       jsonb,                                 -- of an edit: the Bot API call
    priority      smallint NOT NULL,
    reason        text,                                  -- why it was stopped
    planned_to    bigint NOT NULL DEFAULT 0,             -- the last group id that has its item
    planned       boolean NOT NULL DEFAULT false,
    total         int NOT NULL DEFAULT 0,
    created_by    text NOT NULL DEFAULT 'system',
    created_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz                            -- nothing of it is open any more
);
CREATE INDEX revisions_broadcast ON revisions (broadcast_id, revision_id);
CREATE INDEX revisions_open ON revisions (revision_id) WHERE finished_at IS NULL;

-- One row for each delivery that a revision is about. Ids are from the deliveries' own sequence, so that whoever holds a slot
-- or a group's turn has one name.
CREATE TABLE revision_items (
    item_id       bigint PRIMARY KEY DEFAULT nextval('deliveries_delivery_id_seq'),
    revision_id   bigint NOT NULL REFERENCES revisions ON DELETE CASCADE,
    delivery_id   bigint NOT NULL,
    group_id      bigint NOT NULL,
    bot_id        bigint NOT NULL,
    state         text NOT NULL DEFAULT 'pending' CHECK (state IN (
                      'pending', 'slotted', 'sending', 'done', 'failed', 'not_recallable', 'cancelled')),
    attempts      smallint NOT NULL DEFAULT 0,
    not_before    timestamptz NOT NULL DEFAULT to_timestamp(0),
    deadline      timestamptz,                           -- of a recall: Telegram deletes nothing that is older
    slot_at       timestamptz,
    owner         text,
    reason        text,
    settled_at    timestamptz,
    UNIQUE (revision_id, group_id)
) WITH (fillfactor = 80);
CREATE INDEX revision_items_pending ON revision_items (revision_id, bot_id, not_before, item_id) WHERE state = 'pending';
CREATE INDEX revision_items_late ON revision_items (deadline) WHERE state = 'pending' AND deadline IS NOT NULL;
CREATE INDEX revision_items_in_hand ON revision_items (slot_at) WHERE state IN ('slotted', 'sending');

CREATE TABLE schedules (
    schedule_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL,
    cron          text NOT NULL,                         -- five fields
    timezone      text NOT NULL,
    enabled       boolean NOT NULL DEFAULT true,
    ends_at       timestamptz,
    next_at       timestamptz,                           -- none: disabled, or over
    content       jsonb NOT NULL,
    all_groups    boolean NOT NULL DEFAULT false,
    group_ids     bigint[] NOT NULL DEFAULT '{}',
    tags          text[] NOT NULL DEFAULT '{}',
    exclude_ids   bigint[] NOT NULL DEFAULT '{}',
    exclude_tags  text[] NOT NULL DEFAULT '{}',
    bot_ids       bigint[],                              -- what its key was limited to when it was made
    priority      smallint NOT NULL DEFAULT 5 CHECK (priority BETWEEN 0 AND 9),
    on_unknown    text NOT NULL DEFAULT 'report' CHECK (on_unknown IN ('report', 'resend_once')),
    ttl           interval,
    created_by    text NOT NULL DEFAULT 'system',
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX schedules_due ON schedules (next_at) WHERE next_at IS NOT NULL;

-- Each occurrence once: what became of it.
CREATE TABLE schedule_runs (
    schedule_id   bigint NOT NULL REFERENCES schedules ON DELETE CASCADE,
    due_at        timestamptz NOT NULL,
    broadcast_id  bigint,                                -- none: skipped; it may be removed since
    reason        text,                                  -- why it was skipped
    ran_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (schedule_id, due_at)
);
