-- Which groups were taken over is asked every second, and few of them ever are. Expand only.

CREATE INDEX CONCURRENTLY IF NOT EXISTS groups_taken_over ON groups (bot_since) WHERE bot_since IS NOT NULL;
