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

-- Who looks for what is due goes by the index of what is due, whatever the
-- statistics say: those of a table that was empty a minute ago would have it
-- sort all there is, for every one it takes.
DO $$
DECLARE
	claim regprocedure;
	way text;
BEGIN
	FOR claim IN SELECT oid FROM pg_proc
		WHERE oid::regproc::text IN ('ops.job_claim', 'orders.saga_claim')
	LOOP
		FOREACH way IN ARRAY ARRAY['seqscan', 'bitmapscan', 'sort'] LOOP
			EXECUTE format('ALTER FUNCTION %s SET enable_%s = off', claim, way);
		END LOOP;
	END LOOP;
END $$;
