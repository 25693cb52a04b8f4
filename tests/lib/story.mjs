/*
 * The beginnings of the saga's tests: somebody who sells, somebody who buys,
 * and the ways to hurry time along.
 */
import assert from 'node:assert/strict';
import { call, exchange, newAddress } from './client.mjs';
import { need } from './env.mjs';
import { ADDRESS, customer, lines, newKey, order, product, seller, stockOf } from './shop.mjs';
import { tryToConfirm } from './simulator.mjs';
import { one, rows, run } from './sql.mjs';
import { until } from './wait.mjs';

export class Story {
	static async begin({ stock = 10, price = '19.99' } = {}) {
		const story = new Story();
		story.buyer = await customer();
		story.goods = await product(await seller(), { price, stock_quantity: stock });
		story.orders = [];
		return story;
	}

	/* Asks for an order, once; the answer as it came. */
	ask({ quantity = 1, key = newKey() } = {}) {
		return exchange(need('SOUK_URL'), 'POST', '/api/orders', {
			body: JSON.stringify({ items: lines([this.goods.id, quantity]), ...ADDRESS }),
			address: newAddress(),
			headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${this.buyer.token}`, 'Idempotency-Key': key },
		});
	}

	/*
	 * Asks until the shop has confirmed the order, as a client with an
	 * Idempotency-Key may: any answer may be lost on the way.
	 */
	async place({ quantity = 1, key = newKey() } = {}) {
		const placed = await until('the order is placed', async () => {
			const answer = await this.ask({ quantity, key });
			if (answer.status === 201)
				return JSON.parse(answer.bytes);
			assert.ok([409, 500, 502, 503, 504].includes(answer.status), answer.bytes.toString());
			/* Whoever began it is dead, or away, and will not say so. */
			await run`UPDATE ops.idempotency SET created_at = now() - interval '1 hour'
			           WHERE user_id = ${this.buyer.id} AND key = ${key} AND status IS NULL`;
			await this.alarm();
			return false;
		}, { every: 100 });
		if (!this.orders.includes(placed.id))
			this.orders.push(placed.id);
		return placed;
	}

	/* The one order that a request left behind, whatever it answered. */
	async left() {
		return (await until('the order is there', async () => {
			const found = await this.all();
			return found.length === 1 && found;
		}))[0].id;
	}

	/* The buyer's orders, as the database has them. */
	all() {
		return rows`SELECT o.id, o.status, s.state, s.step FROM orders.orders o
		              JOIN orders.saga s ON s.order_id = o.id AND s.kind = 'order'
		             WHERE o.user_id = ${this.buyer.id} ORDER BY o.id`;
	}

	/* Every alarm of the buyer's sagas rings now: leases are over, waits too.  One
	 * that would ring in no life of a shop's does not. */
	async alarm() {
		await run`UPDATE orders.saga s SET wake_at = now()
		            FROM orders.orders o
		           WHERE o.id = s.order_id AND o.user_id = ${this.buyer.id} AND s.wake_at < now() + interval '3 days'`;
	}

	/* The time to pay is over. */
	async expire() {
		await run`UPDATE orders.saga s SET wake_at = now(), deadline = now()
		            FROM orders.orders o
		           WHERE o.id = s.order_id AND o.user_id = ${this.buyer.id} AND s.wake_at IS NOT NULL`;
	}

	/* Waits for a status, ringing the alarm as often as it takes. */
	async until(id, status, { alarm = true, seconds = 30 } = {}) {
		await until(`order ${id} is ${status}`, async () => {
			const found = await one`
				SELECT o.status, s.state, s.step, s.attempt, s.last_error
				  FROM orders.orders o JOIN orders.saga s ON s.order_id = o.id AND s.kind = 'order'
				 WHERE o.id = ${id}`;
			if (found.status === status)
				return true;
			if (alarm)
				await this.alarm();
			throw new Error(JSON.stringify(found));
		}, { seconds, every: 150 });
		return order(this.buyer, id);
	}

	/* Waits until the order has an intent that can be paid. */
	async payable(id) {
		await until(`order ${id} can be paid`, async () => {
			const { intent } = await one`SELECT stripe_payment_intent_id AS intent
			                               FROM payments.payment WHERE order_id = ${id}`;
			if (intent !== null)
				return true;
			await this.alarm();
			return false;
		}, { every: 150 });
		return order(this.buyer, id);
	}

	async pay(id, card) {
		const found = await this.payable(id);
		await confirmed(found.payment.paymentIntentId, card);
		return found;
	}

	stock() {
		return stockOf(this.goods.id);
	}
}

/* As a browser pays among ruins: what is not there just then is asked again. */
function confirmed(intentId, card) {
	return until('the card is taken', async () => {
		const { status, json } = await tryToConfirm(intentId, card);
		return status === 200 || (status === 400 && json.error.payment_intent?.status === 'succeeded');
	});
}

/* One run of a cron function, whoever else is running it. */
export const cron = (name) => call('POST', `/internal/cron/${name}`, { token: need('SERVICE_TOKEN'), expect: 200 });
