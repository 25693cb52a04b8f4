-- Rows that move on a few times and then rest, or go after a day: vacuumed by
-- how many have moved, not when a fifth of all there ever were has.  Until then
-- every look for what is due steps over what is not there any more.
ALTER TABLE orders.saga SET (
	autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
ALTER TABLE ops.idempotency SET (
	autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);
ALTER TABLE users.session SET (
	autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);
ALTER TABLE users.refresh_token SET (
	autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);
