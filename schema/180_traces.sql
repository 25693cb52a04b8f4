-- What is done for an order later, by whoever does it, belongs to the trace of the
-- request that began it: W3C's traceparent, as the runtime tells it with the
-- statements of a request whose spans are exported (runtime/db.c).
-- The default comes after the column, for the table is not to be rewritten:
-- Postgres 15.20 does not where a function's body uses the type of its rows.
ALTER TABLE orders.saga ADD COLUMN traceparent text
	CHECK (traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$');
ALTER TABLE orders.saga ALTER COLUMN traceparent
	SET DEFAULT nullif(current_setting('souk.traceparent', true), '');

CREATE FUNCTION orders.saga_trace(p_saga bigint) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
	SELECT traceparent FROM orders.saga WHERE id = p_saga
$$;

GRANT EXECUTE ON FUNCTION orders.saga_trace(bigint) TO souk_orders, souk_payments, souk_cron;
