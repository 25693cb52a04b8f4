/*
 * Many checkouts over a few units.  Buyers want one or two products, pay at
 * once, just when their time runs out, or not at all, or cancel, paid or not;
 * and some money arrives after the order was cancelled.  A seller brings a few units whenever all of
 * a product are sold, so that there is always something to fight over.
 *
 *   N=2000      checkouts
 *   CLIENTS=32  of them at once
 *   SEED=1      of what buyers do; what comes of it depends on the machine
 *
 * In the end nothing is oversold, stuck, or paid for without goods or refund:
 * by our tables, and by Stripe's books against what buyers and the seller know.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { exchange, newAddress } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { reopen } from '../lib/faults.mjs';
import { always, hold, rest, SETTLED } from '../lib/invariants.mjs';
import { ADDRESS, customer, lines, login, newKey, product, seller } from '../lib/shop.mjs';
import { tryToConfirm } from '../lib/simulator.mjs';
import { rows, run, value } from '../lib/sql.mjs';
import { parallel } from '../lib/wait.mjs';

const N = Number(process.env.N ?? 2000);
const CLIENTS = Number(process.env.CLIENTS ?? 32);
const SEED = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const PRODUCTS = 40, UNITS = 4, PATIENCE_MS = 1000;
const A_BUYERS_ORDERS = 200;		/* what a minute's rate limit bears */

let state = SEED;
const random = () => {
	state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 | 0;
	return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
};
const below = (n) => Math.floor(random() * n);

const counts = { orders: 0, refused: 0, 'paid at once': 0, 'paid as time ran out': 0, 'too late to pay': 0,
	'paid after the end': 0, 'cancelled unpaid': 0, 'cancelled as they were paid': 0, 'never paid': 0,
	'told to come again': 0 };
const placed = new Map();		/* order: { intent, at, items } as the buyer knows it */
const fates = [];
let goods, owner, buyers, received;

/* A declined or cancelled intent is an answer too. */
async function confirm(intent) {
	const { status, json } = await tryToConfirm(intent);
	if (status !== 200)
		assert.equal(json.error.code, 'payment_intent_unexpected_state', JSON.stringify(json));
	return status === 200;
}

/* Orders whose end somebody waits for, and how to tell them. */
const awaited = new Map();

async function tellTheEnded() {
	const ended = await rows`SELECT id FROM orders.orders
		WHERE id = ANY (${`{${[...awaited.keys()]}}`}) AND status = 'cancelled'`;
	for (const { id } of ended) {
		awaited.get(id)();
		awaited.delete(id);
	}
}

/* As clients do who are told when to come again. */
async function insist(ask) {
	for (;;) {
		const answer = await ask();
		if (answer.headers['retry-after'] === undefined)
			return answer;
		counts['told to come again']++;
		await pause(Math.min(5000, 1000 * Number(answer.headers['retry-after'])));
	}
}

async function cancel(order, buyer) {
	const answer = await insist(() => buyer.call('POST', `/api/orders/${order}/cancel`, { json: {}, address: newAddress() }));
	assert.equal(answer.status, 200, answer.text);
}

/* What becomes of an order that was placed. */
async function live(order, { intent }, buyer) {
	const fate = below(100);

	if (fate < 25) {
		counts[await confirm(intent) ? 'paid at once' : 'too late to pay']++;
	} else if (fate < 45) {
		await pause(PATIENCE_MS + below(2500));
		counts[await confirm(intent) ? 'paid as time ran out' : 'too late to pay']++;
	} else if (fate < 60) {
		await new Promise((tell) => awaited.set(order, tell));
		await reopen(intent);
		assert.ok(await confirm(intent), 'an open intent can be paid');
		counts['paid after the end']++;
	} else if (fate < 68) {
		await cancel(order, buyer);
		counts['cancelled unpaid']++;
	} else if (fate < 76) {
		await Promise.all([confirm(intent), cancel(order, buyer)]);
		counts['cancelled as they were paid']++;
	} else {
		counts['never paid']++;
	}
}

async function checkout(buyer) {
	const first = below(PRODUCTS);
	const second = (first + 1 + below(PRODUCTS - 1)) % PRODUCTS;
	const items = below(4) > 0 ? lines([goods[first].id, 1 + below(2)])
	    : lines([goods[first].id, 1], [goods[second].id, 1]);
	const key = newKey();
	const answer = await insist(() => exchange(need('SOUK_URL'), 'POST', '/api/orders', {
		body: JSON.stringify({ items, ...ADDRESS }), address: newAddress(), timeout: 60000,
		headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${buyer.token}`, 'Idempotency-Key': key },
	}));
	const json = JSON.parse(answer.bytes);

	if (answer.status === 409 && json.code === 'insufficient_stock') {
		counts.refused++;
		return;
	}
	assert.equal(answer.status, 201, answer.bytes.toString());
	counts.orders++;
	/* Under much load Stripe may not have answered in time; then nobody can pay. */
	const order = { intent: json.payment?.paymentIntentId, at: Date.now(), items };
	placed.set(json.id, order);
	if (order.intent === undefined)
		counts['never paid']++;
	else
		fates.push(live(json.id, order, buyer));
}

/* Time runs faster here: an order has a second to be paid. */
const hurry = (patience) => run`
	UPDATE orders.saga s SET deadline = now(), wake_at = now()
	  FROM orders.item i
	 WHERE i.order_id = s.order_id AND i.product_id = ANY (${`{${goods.map(({ id }) => id)}}`})
	   AND s.state = 'waiting' AND s.deadline > now()
	   AND s.created_at < now() - make_interval(secs => ${patience / 1000})`;

async function restock() {
	const gone = await rows`SELECT product_id AS id FROM catalog.stock
	                         WHERE available = 0 AND reserved = 0
	                           AND product_id = ANY (${`{${goods.map(({ id }) => id)}}`})`;
	for (const { id } of gone) {
		const key = newKey();
		const answer = await insist(() => owner.call('POST', `/api/products/${id}/stock`,
		    { json: { change: UNITS, reason: 'A few more' }, key, address: newAddress() }));
		assert.equal(answer.status, 200, answer.text);
		received.set(id, received.get(id) + UNITS);
	}
}

/* An access token is good for a quarter of an hour; this may take longer. */
async function staySignedIn() {
	const due = [owner, ...buyers].filter(({ since }) => Date.now() - since > 5 * 60 * 1000);

	await parallel(4, due.map((person) => async () => {
		person.token = (await login(person.email, person.password)).accessToken;
		person.since = Date.now();
	}));
}

/* While checkouts go on, and until everybody has paid who wants to. */
async function goOn(over) {
	while (!over.yet) {
		await staySignedIn();
		await hurry(PATIENCE_MS);
		await restock();
		await tellTheEnded();
		await pause(200);
	}
}

/* Stripe's own books on these orders: what was paid, what went back. */
const books = () => rows`
	SELECT (i.metadata ->> 'order_id')::bigint AS id, sum(i.amount_received) AS paid,
	       coalesce(sum((SELECT sum(r.amount) FROM stripe_sim.refund r
	                      WHERE r.payment_intent = i.id AND r.status <> 'failed')), 0) AS back,
	       count(*) FILTER (WHERE i.status NOT IN ('succeeded', 'canceled')) AS payable
	  FROM stripe_sim.payment_intent i
	 WHERE (i.metadata ->> 'order_id')::bigint = ANY (${`{${[...placed.keys()]}}`}) GROUP BY 1`;

async function judge() {
	const chosen = `WITH chosen AS (SELECT unnest('{${[...placed.keys()]}}'::bigint[]) AS order_id)`;
	const shop = new Map((await rows`SELECT o.id, o.status, o.total_amount AS total FROM orders.orders o
	    WHERE o.id = ANY (${`{${[...placed.keys()]}}`})`).map((order) => [order.id, order]));
	const bought = new Map(goods.map(({ id }) => [id, 0]));
	let withoutGoods = 0, withoutMoney = 0, payable = 0;

	await always();
	await hold(Object.fromEntries(Object.entries(SETTLED).map(([name, sql]) => [name, `${chosen} SELECT * FROM (${sql}) v`])));
	const booked = new Map((await books()).map((book) => [book.id, book]));
	for (const [id, { items }] of placed) {
		const { paid = 0, back = 0, payable: open = 0 } = booked.get(id) ?? {};
		const { status, total } = shop.get(id);
		payable += open;
		withoutGoods += paid - back > 0 && !(status === 'paid' && paid - back === total);
		withoutMoney += status === 'paid' && paid - back !== total;
		if (paid - back > 0)
			for (const { productId, quantity } of items)
				bought.set(productId, bought.get(productId) + quantity);
	}
	return { withoutGoods, withoutMoney, payable,
		stuck: await value`SELECT count(*) FROM orders.saga WHERE state NOT IN ('done', 'compensated')
		                      AND order_id = ANY (${`{${[...placed.keys()]}}`})`,
		oversold: goods.reduce((sum, { id }) => sum + Math.max(0, bought.get(id) - received.get(id)), 0),
		sold: [...bought.values()].reduce((sum, n) => sum + n, 0) };
}

test(`${N} checkouts over ${PRODUCTS} products of ${UNITS} units, SEED=${SEED}`, async (t) => {
	owner = await seller();
	goods = await parallel(4, Array.from({ length: PRODUCTS }, () => () => product(owner, { stock_quantity: UNITS })));
	received = new Map(goods.map(({ id }) => [id, UNITS]));
	buyers = await parallel(4, Array.from({ length: Math.ceil(N / A_BUYERS_ORDERS) }, () => () => customer()));
	const begun = Date.now();
	for (const person of [owner, ...buyers])
		person.since = begun;
	const over = { yet: false };
	const meanwhile = goOn(over);

	await parallel(CLIENTS, Array.from({ length: N }, (_, i) => () => checkout(buyers[i % buyers.length])));
	const seconds = (Date.now() - begun) / 1000;
	await Promise.all(fates);
	over.yet = true;
	await meanwhile;
	await hurry(0);
	await rest([...placed.keys()], { seconds: 60 + N / 50, every: 500 });
	const settled = (Date.now() - begun) / 1000;

	const { sold, ...faults } = await judge();
	const outcomes = Object.fromEntries((await rows`
		SELECT outcome, count(*) AS n FROM payments.webhook_event
		 WHERE order_id = ANY (${`{${[...placed.keys()]}}`}) AND type = 'payment_intent.succeeded'
		 GROUP BY 1`).map(({ outcome, n }) => [outcome, n]));
	const refunds = await value`SELECT count(*) FROM payments.refund
		WHERE status = 'succeeded' AND order_id = ANY (${`{${[...placed.keys()]}}`})`;
	const cancelled = await value`SELECT count(*) FROM orders.history
		WHERE new_status = 'cancelled' AND order_id = ANY (${`{${[...placed.keys()]}}`})`;
	const units = [...received.values()].reduce((sum, n) => sum + n, 0);
	for (const line of [
		`${N} checkouts in ${seconds.toFixed(0)} s, ${(N / seconds).toFixed(0)} a second; at rest after ${settled.toFixed(0)} s`,
		...Object.entries(counts).map(([what, n]) => `${what}: ${n}`),
		`cancelled or run out of time: ${cancelled}; money that came then took the stock again: ${outcomes.retaken ?? 0},`
		    + ` went back: ${outcomes.refunding ?? 0}; refunds: ${refunds}`,
		`units: ${units}, sold: ${sold}, oversold: ${faults.oversold}`,
		`paid without goods or refund: ${faults.withoutGoods}, goods without money: ${faults.withoutMoney},`
		    + ` stuck: ${faults.stuck}, still payable: ${faults.payable}`])
		t.diagnostic(line);
	assert.deepEqual(faults, { withoutGoods: 0, withoutMoney: 0, payable: 0, stuck: 0, oversold: 0 });
	/* It was what it is meant to be. */
	for (const what of ['orders', 'refused', 'paid at once', 'paid after the end', 'cancelled unpaid',
	    'cancelled as they were paid', 'never paid'])
		assert.ok(counts[what] > 0, what);
	assert.ok(outcomes.retaken > 0, 'no late money took its stock again');
	assert.ok(outcomes.refunding > 0, 'no late money went back');
	assert.ok(units > PRODUCTS * UNITS, 'nothing was ever sold out');
});
