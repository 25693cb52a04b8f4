/*
 * Claims go by the index of what is due, also right after thousands came to a
 * table of which Postgres thinks that it is empty.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { raw, run } from '../lib/sql.mjs';

const MANY = 5000;

/* How many rows of the table one call reads, of so many just put there; nothing
 * of it stays. */
async function rowsRead(table, fill, claim) {
	const told = await run`DO $$
		DECLARE
			before bigint;
			-- Of index scans and, where there are any, of all others.
			at CONSTANT regclass := ${table};
		BEGIN
			SET LOCAL session_replication_role = replica;	-- no triggers
			${raw(fill)};
			before := pg_stat_get_xact_tuples_fetched(at) + pg_stat_get_xact_tuples_returned(at);
			PERFORM FROM ${raw(claim)};
			ASSERT FOUND, 'nothing was claimed';
			RAISE EXCEPTION 'read %', pg_stat_get_xact_tuples_fetched(at)
				+ pg_stat_get_xact_tuples_returned(at) - before;
		END $$`.then(() => '', (error) => error.message);
	const read = /read (\d+)/.exec(told);

	assert.ok(read, told);
	return Number(read[1]);
}

for (const [what, table, fill, claim] of [
	['a job', 'ops.job', `INSERT INTO ops.job (kind, run_at) SELECT 'claim-test', now() - make_interval(secs => n)
		FROM generate_series(1, ${MANY}) n`, "ops.job_claim('{claim-test}', '{NULL}', 1, 'test', 60)"],
	['a saga', 'orders.saga', `
		INSERT INTO orders.orders (id, user_id, currency, subtotal, totals_rule, tax_rate_bps, tax_amount,
			shipping_cost, total_amount, shipping_address)
		SELECT -n, 1, 'USD', 0, 'tax_on_subtotal_half_up', 0, 0, 0, 0, 'Here' FROM generate_series(1, ${MANY}) n;
		INSERT INTO payments.payment (order_id, user_id, amount, currency) SELECT -n, 1, 1, 'USD' FROM generate_series(1, ${MANY}) n;
		INSERT INTO orders.saga (order_id, kind, version, state, step, wake_at, deadline)
		SELECT -n, 'order', 1, 'running', 'create_intent', now() - make_interval(days => 1, secs => n), now() + interval '1 day'
		  FROM generate_series(1, ${MANY}) n`, "orders.saga_claim('test', 1, 60, false)"],
])
	test(`to claim ${what} is to read a few rows, of however many`, async () => {
		const read = await rowsRead(table, fill, claim);
		assert.ok(read < 50, `${read} rows were read`);
	});
