/*
 * Orders that were placed and then left alone, as if all that drove them had
 * died; and events that Stripe would send about them.
 */
import { randomBytes } from 'node:crypto';
import * as sql from '../lib/sql.mjs';

const BATCH = 1000;
const A_DAY = 86400;

/* The ids of n orders of one unit each, for `user`; their leases are not over. */
export async function placeStalled(n, user, product) {
	const ids = [];

	await sql.run`SELECT catalog.adjust_stock(${product}, ${n}, 'bench', NULL)`;
	while (ids.length < n) {
		const placed = await sql.rows`
			SELECT w.order_id FROM generate_series(1, ${Math.min(BATCH, n - ids.length)}::integer) n
			 CROSS JOIN LATERAL orders.place_v1(${user}, ${JSON.stringify([{ productId: String(product), quantity: '1' }])},
				'{"address": "1 Market Street"}', 'USD', 1000, 1000, 'bench', ${A_DAY}, ${A_DAY}, NULL, 'bench' || n) w`;
		ids.push(...placed.map(({ order_id: id }) => id));
	}
	return ids;
}

/* They have their intents, which Stripe does not know of; nobody looks at them
 * for a day. */
export const giveIntents = (ids) => sql.run`
	SELECT count(orders.saga_intent_created_v1(s.id, s.epoch, 'pi_bench' || s.order_id, 'secret', ${A_DAY}))
	  FROM orders.saga s WHERE s.kind = 'order' AND s.order_id = ANY (${`{${ids}}`})`;

/* That each of these orders was paid, as large as the simulator's own. */
export async function paidEvents(ids) {
	const payments = await sql.rows`
		SELECT order_id, nonce, amount, stripe_payment_intent_id AS intent
		  FROM payments.payment WHERE order_id = ANY (${`{${ids}}`})`;

	return payments.map(({ order_id: order, nonce, amount, intent }) => ({
		id: `evt_bench${randomBytes(9).toString('hex')}`, object: 'event', api_version: '2026-08-26.dahlia',
		created: Math.floor(Date.now() / 1000), livemode: false, pending_webhooks: 1,
		request: { id: 'req_Qx0VbenchBench0', idempotency_key: null },
		type: 'payment_intent.succeeded',
		data: { object: {
			id: intent, object: 'payment_intent', amount, amount_capturable: 0,
			amount_details: { tip: {} }, amount_received: amount, application: null, application_fee_amount: null,
			automatic_payment_methods: { allow_redirects: 'always', enabled: true }, canceled_at: null,
			cancellation_reason: null, capture_method: 'automatic_async', client_secret: `${intent}_secret_bench`,
			confirmation_method: 'automatic', created: Math.floor(Date.now() / 1000), currency: 'usd', customer: null,
			description: `Order ${order}`, excluded_payment_method_types: null, last_payment_error: null,
			latest_charge: `ch_3bench${order}`, livemode: false, metadata: { nonce, order_id: String(order) },
			next_action: null, on_behalf_of: null, payment_method: `pm_1bench${order}`,
			payment_method_configuration_details: null,
			payment_method_options: { card: { installments: null, mandate_options: null, network: null, request_three_d_secure: 'automatic' } },
			payment_method_types: ['card', 'link'], processing: null, receipt_email: null, review: null,
			setup_future_usage: null, shipping: null, source: null, statement_descriptor: null,
			statement_descriptor_suffix: null, status: 'succeeded', transfer_data: null, transfer_group: null,
		} },
	}));
}
