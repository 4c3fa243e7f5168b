-- Which groups nothing may be sent to is asked every second, and few of them are new. Expand only.

CREATE INDEX CONCURRENTLY IF NOT EXISTS groups_barred ON groups (updated_at)
    WHERE NOT (final_message_allowed AND out_reason IS NULL AND phase IN ('discovered', 'growth', 'monitoring'));
