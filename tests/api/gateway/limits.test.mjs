/* What the limits say is on every limited answer, also where a first answer is
 * taken back: a replay, and an id that cannot be one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { customer, lines, newKey, product, seller, ADDRESS } from '../../lib/shop.mjs';

const NAMES = ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset'];

function limited(answer) {
	for (const name of NAMES)
		assert.match(answer.headers[name] ?? 'none', /^\d+$/, name);
}

test('a replayed answer carries the rate limit headers', async () => {
	const buyer = await customer();
	const goods = await product(await seller(), { price: 5, stock_quantity: 3 });
	const headers = { 'Idempotency-Key': newKey() };
	const ask = () => buyer.call('POST', '/api/orders',
	    { json: { items: lines([goods.id, 1]), ...ADDRESS }, headers });

	limited(await ask());
	const again = await ask();
	assert.equal(again.headers['idempotent-replayed'], 'true');
	limited(again);
});

test('a path id that is none carries the rate limit headers', async () => {
	const buyer = await customer();
	const answer = await buyer.call('GET', '/api/orders/abc');

	assert.equal(answer.status, 404);
	limited(answer);
});
