-- What strayed is found among what waits, no longer by the groups that have changed. Older programs write bot_since as
-- long as they run: the column goes with the next release.

DROP INDEX groups_barred, groups_taken_over;
