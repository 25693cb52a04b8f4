/*
 * 64 writers at once order, pay, let orders lapse, and adjust stock, of three
 * products that are never enough for all.  No unit appears or goes unseen.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { always, rest } from '../../lib/invariants.mjs';
import { ADDRESS, customer, lines, product, seller, stockOf } from '../../lib/shop.mjs';
import { confirm } from '../../lib/simulator.mjs';
import { rows, run, value } from '../../lib/sql.mjs';
import { until } from '../../lib/wait.mjs';

const WRITERS = 64;
const ROUNDS = 5;

test('stock is conserved under 64 writers', async () => {
	const owner = await seller();
	const goods = await Promise.all([20, 40, 60].map((stock) =>
		product(owner, { stock_quantity: stock, price: '1.00', low_stock_threshold: 5 })));
	const buyers = await Promise.all(Array.from({ length: 8 }, () => customer()));
	const ids = goods.map(({ id }) => id);
	const some = () => goods[randomInt(3)].id;
	const done = { ordered: 0, refused: 0, paid: 0, lapsed: 0, adjusted: 0 };
	const lapsing = [];
	const paid = [];

	async function order(buyer) {
		const [one, two] = [some(), some()];
		const answer = await buyer.call('POST', '/api/orders', { json: { items: lines([one, randomInt(1, 4)], [two, 1]), ...ADDRESS } });
		assert.ok([201, 409].includes(answer.status), answer.text);
		done[answer.status === 201 ? 'ordered' : 'refused']++;
		return answer.status === 201 ? answer.json : null;
	}
	const acts = [
		async (buyer) => order(buyer),
		async (buyer) => {
			const placed = await order(buyer);
			if (placed?.payment) {
				await confirm(placed.payment.paymentIntentId, 'pm_card_visa');
				paid.push(placed.id);
				done.paid++;
			}
		},
		async (buyer) => {
			const placed = await order(buyer);
			if (placed) {
				await run`UPDATE orders.saga SET wake_at = now(), deadline = now()
				           WHERE order_id = ${placed.id} AND wake_at IS NOT NULL`;
				lapsing.push(placed.id);
				done.lapsed++;
			}
		},
		async () => {
			const change = randomInt(2) ? randomInt(1, 6) : -randomInt(1, 6);
			const answer = await owner.call('POST', `/api/products/${some()}/stock`, { json: { change, reason: 'count' } });
			assert.ok([200, 409].includes(answer.status), answer.text);
			done.adjusted++;
		},
		async () => {
			await owner.call('PUT', `/api/products/${some()}`, { json: { stock_quantity: randomInt(40) }, expect: 200 });
			done.adjusted++;
		},
	];

	await Promise.all(Array.from({ length: WRITERS }, async (_, writer) => {
		for (let round = 0; round < ROUNDS; round++)
			await acts[(writer + round) % acts.length](buyers[writer % 8]);
	}));
	for (const [what, count] of Object.entries(done))
		assert.ok(count > 0, `${what}: ${JSON.stringify(done)}`);
	await always();

	/* What lapses is cancelled, what was paid is paid. */
	await until('orders have come to rest', async () => {
		const open = await rows`SELECT o.id, o.status FROM orders.orders o
		                         WHERE (o.id = ANY (${`{${lapsing}}`}) AND o.status NOT IN ('cancelled', 'paid'))
		                            OR (o.id = ANY (${`{${paid}}`}) AND o.status <> 'paid')`;
		if (open.length > 0)
			throw new Error(JSON.stringify(open));
		return true;
	}, { seconds: 60, every: 200 });
	await rest([...lapsing, ...paid]);
	await always();
	for (const id of ids) {
		const stock = await stockOf(id);
		assert.equal(stock.available + stock.reserved + stock.sold, stock.received);
		/* Balances follow each other without a hole. */
		assert.equal(await value`
			SELECT count(*) FROM (
				SELECT balance - change AS before, lag(balance, 1, 0::bigint) OVER (ORDER BY id) AS told
				  FROM catalog.inventory_log WHERE product_id = ${id}) l
			 WHERE before <> told`, 0);
	}
});
