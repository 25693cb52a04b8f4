/*
 * Figures that are counted for the monitoring alone: each is wrong when what it
 * counts is, and right again after.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, exchange } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { pay } from '../lib/shop.mjs';
import { one, run } from '../lib/sql.mjs';
import { kill, workers } from '../lib/stack.mjs';
import { Story } from '../lib/story.mjs';
import { until } from '../lib/wait.mjs';

const measure = async () => (await call('POST', '/internal/cron/books-measure',
    { token: need('SERVICE_TOKEN'), expect: 200 })).json;

async function figure(name) {
	const { bytes } = await exchange(need('SOUK_URL'), 'GET', '/metrics', {});
	const line = bytes.toString().split('\n').find((each) => each.startsWith(`${name} `));
	assert.ok(line, `/metrics has ${name}`);
	return Number(line.slice(name.length + 1));
}

/* Nothing else changes the books while one of these runs: the suite is alone. */
async function counts(name, answer, spoil, mend) {
	assert.equal((await measure())[answer], 0, 'the books are right before');
	await spoil();
	try {
		assert.equal((await measure())[answer], 1);
		assert.equal(await figure(name), 1);
	} finally {
		await mend();
	}
	await measure();
	assert.equal(await figure(name), 0);
}

let story, placed;
test.before(async () => {
	story = await Story.begin();
	placed = await story.place({ quantity: 2 });
	await pay(story.buyer, placed);
});

test('a payment that says more went back than the ledger does', () =>
	counts('ledger_unbalanced_orders', 'unbalanced',
	    () => run`UPDATE payments.payment SET refund_amount = 1 WHERE order_id = ${placed.id}`,
	    () => run`UPDATE payments.payment SET refund_amount = 0 WHERE order_id = ${placed.id}`));

test('a payment whose money is not in the ledger', async () => {
	const { id, amount } = await one`SELECT id, amount FROM payments.ledger WHERE order_id = ${placed.id}`;
	await counts('ledger_unbalanced_orders', 'unbalanced',
	    () => run`UPDATE payments.ledger SET amount = amount - 1 WHERE id = ${id}`,
	    () => run`UPDATE payments.ledger SET amount = ${amount} WHERE id = ${id}`);
});

test('a unit sold that no order has', () =>
	counts('stock_unconserved_products', 'unconserved',
	    () => run`UPDATE catalog.stock SET sold = sold + 1, available = available - 1 WHERE product_id = ${story.goods.id}`,
	    () => run`UPDATE catalog.stock SET sold = sold - 1, available = available + 1 WHERE product_id = ${story.goods.id}`));

test('an event that had no effect', async () => {
	const age = () => figure('webhooks_oldest_unapplied_seconds');
	await counts('webhooks_unapplied', 'unapplied', async () => {
		await run`INSERT INTO payments.webhook_event (id, type, payload, outcome, received_at)
		          VALUES ('evt_without_effect', 'payment_intent.created', '{}', 'early', now() - interval '1 hour')`;
		await measure();
		assert.ok(await age() >= 3600);
	}, () => run`DELETE FROM payments.webhook_event WHERE id = 'evt_without_effect'`);
	assert.equal(await age(), 0);
});

test('what was paid, and when it was counted', async () => {
	const before = await figure('ledger_captured_minor_units{currency="USD"}');
	const started = Math.floor(Date.now() / 1000);
	const { amount } = await one`SELECT amount FROM payments.payment WHERE order_id = ${placed.id}`;
	const second = await story.place({ quantity: 2 });
	await pay(story.buyer, second);
	await measure();
	assert.equal(await figure('ledger_captured_minor_units{currency="USD"}') - before, amount);
	assert.ok(await figure('books_measured_timestamp_seconds') >= started);
});

test('a worker that dies is counted by its function', async () => {
	const name = 'function_worker_deaths_total{function="catalog-list"}';
	await call('GET', '/api/products', { expect: 200 });
	const before = await figure(name);
	const [victim] = await until('it has workers', () => workers('catalog-list').length > 0 && workers('catalog-list'));
	kill(victim);
	await until('its death is counted', async () => await figure(name) === before + 1);
	await call('GET', '/api/products', { expect: 200 });
});
