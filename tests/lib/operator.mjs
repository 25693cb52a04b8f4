/*
 * What operators meet: sagas that have stopped, jobs and events that were
 * given up.
 */
import { customer, lines, newAdmin, place, product, seller, unique } from './shop.mjs';
import { confirm, stripe } from './simulator.mjs';
import { one, rows, run, value } from './sql.mjs';

let boss;
export const newOperator = newAdmin;
export const operator = async () => boss ??= await newOperator();

export const SAGAS = '/api/admin/sagas';
export const JOBS = '/api/admin/jobs';
export const EVENTS = '/api/admin/events';
export const REASON = { reason: 'It was time' };

export const sagaOf = (order, kind = 'order') => one`
	SELECT * FROM orders.saga WHERE order_id = ${order} AND kind = ${kind}`;
export const operatorEvents = (saga) => rows`
	SELECT step, detail, epoch, actor_id FROM orders.saga_event
	 WHERE saga_id = ${saga} AND what = 'operator' ORDER BY seq`;
export const audits = (target) => rows`
	SELECT actor_id, action, before, after FROM ops.audit WHERE target = ${target} ORDER BY id`;

/* An order that waits for its payment, and its saga. */
export async function waiting({ buyer, stock = 10, quantity = 1 } = {}) {
	const who = buyer ?? await customer();
	const goods = await product(await seller(), { stock_quantity: stock });
	const placed = await place(who, lines([goods.id, quantity]));
	return { buyer: who, goods, placed, saga: await sagaOf(placed.id) };
}

/* As if the saga's driver had found no way on. */
export const stop = (saga, state = 'dead') => run`
	UPDATE orders.saga SET state = ${state}, wake_at = NULL, owner = NULL,
	       last_error = 'nobody knows' WHERE id = ${saga}`;

/* A part of a payment that was nobody's was to go back, and Stripe would not. */
export async function stuckRefund(story) {
	const { placed } = story ?? await waiting();
	const made = (await stripe('POST', '/v1/payment_intents', { amount: 5000, currency: 'usd' })).json;

	await confirm(made.id);
	await run`BEGIN;
		SELECT payments.ledger_post(${placed.id}, 'capture', ${made.id}, 5000, 'USD');
		SELECT payments.refund_add(${placed.id}, ${made.id}, 1234, 'USD', NULL, NULL, NULL);
		UPDATE orders.saga SET state = 'dead', wake_at = NULL, last_error = 'nobody knows'
		 WHERE order_id = ${placed.id} AND kind = 'refund';
		COMMIT`;
	return { intent: made.id, amount: 1234, placed, saga: await sagaOf(placed.id, 'refund') };
}

/* The money goes back by hand. */
export const refundByHand = async (intent, more = {}) =>
	(await stripe('POST', '/v1/refunds', { payment_intent: intent, amount: 1234, ...more })).json;

export const kindOfOurs = () => `test-${unique()}`;
export const addJob = (kind, payload = '{"n": 1}', dedupe = null) =>
	value`SELECT ops.job_add(${kind}, ${payload}, ${dedupe}, 3600)`;
export const jobOf = (id) => one`SELECT * FROM ops.job WHERE id = ${id}`;
export const killJob = (id) => run`
	UPDATE ops.job SET state = 'dead', run_at = NULL, finished_at = now(), attempt = 100, last_error = 'no way'
	 WHERE id = ${id}`;
export async function deadJob(kind = kindOfOurs(), payload = '{"n": 1}') {
	const id = await addJob(kind, payload);
	await killJob(id);
	return id;
}

export const typeOfOurs = () => `test.${unique()}`;
export const subjectOfOurs = () => `tests/${unique()}`;
/* As a trigger adds it, to be sent at once; nobody does in a shop without a sink. */
export async function addEvent({ type = typeOfOurs(), subject = subjectOfOurs(), data = '{"n": 1}' } = {}) {
	await run`SELECT ops.event_add(${type}, ${subject}, ${data})`;
	return value`SELECT max(id) FROM ops.event WHERE subject = ${subject}`;
}
export const eventOf = (id) => one`SELECT * FROM ops.event WHERE id = ${id}`;
export async function deadEvent(more) {
	const id = await addEvent(more);
	await run`UPDATE ops.event SET state = 'dead', due_at = NULL, ended_at = now(), attempt = 500, epoch = 500,
	          last_error = 'the sink answers 500' WHERE id = ${id}`;
	return id;
}
