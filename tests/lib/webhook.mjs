/*
 * Stripe's side of a webhook: bodies, signatures, delivery.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { call } from './client.mjs';
import { need } from './env.mjs';

export const secrets = () => need('STRIPE_WEBHOOK_SECRET').split(',');
export const now = () => Math.floor(Date.now() / 1000);
export const eventId = () => `evt_${randomBytes(12).toString('hex')}`;

/* The whole secret, prefix included, is the key. */
export function digest(body, time, secret) {
	return createHmac('sha256', secret).update(`${time}.`).update(body).digest('hex');
}

export function signature(body, { time = now(), secret = secrets()[0] } = {}) {
	return `t=${time},v1=${digest(body, time, secret)}`;
}

export function event(type, object, more = {}) {
	return {
		id: eventId(),
		object: 'event',
		api_version: '2026-08-26.dahlia',
		created: now(),
		data: { object },
		livemode: false,
		pending_webhooks: 1,
		request: { id: null, idempotency_key: null },
		type,
		...more,
	};
}

/* Delivers a body, or an event, as Stripe would. */
export function deliver(what, options = {}) {
	const body = typeof what === 'string' || Buffer.isBuffer(what) ? what : JSON.stringify(what);
	const header = options.signature === undefined ? signature(body, options) : options.signature;

	return call('POST', '/api/payments/webhook', {
		body,
		type: options.type,
		expect: options.expect,
		address: options.address,
		headers: header === null ? {} : { 'Stripe-Signature': header },
	});
}

/* A dispute over a payment, as Stripe shows it while it is new. */
export function dispute(intent, amount, more = {}) {
	return {
		id: `du_${randomBytes(12).toString('hex')}`,
		object: 'dispute',
		amount,
		balance_transactions: [],
		charge: `ch_${randomBytes(12).toString('hex')}`,
		created: now(),
		currency: 'usd',
		evidence_details: { due_by: now() + 7 * 86400, has_evidence: false, past_due: false, submission_count: 0 },
		is_charge_refundable: false,
		livemode: false,
		metadata: {},
		payment_intent: intent,
		reason: 'product_not_received',
		status: 'needs_response',
		...more,
	};
}

/*
 * What Stripe tells of a dispute that ends as `status`, in its order: the money
 * is taken at once, and given back when it is won.
 */
export function disputeStory(first, status) {
	const taken = { id: `txn_${first.id}_1`, object: 'balance_transaction', amount: -first.amount, currency: first.currency, reporting_category: 'dispute' };
	const back = { ...taken, id: `txn_${first.id}_2`, amount: first.amount, reporting_category: 'dispute_reversal' };
	const out = { ...first, balance_transactions: [taken] };
	const under = { ...out, status: 'under_review' };
	const over = { ...out, status, balance_transactions: status === 'won' ? [taken, back] : [taken] };
	const at = now() - 100;

	return [
		event('charge.dispute.created', out, { created: at }),
		event('charge.dispute.funds_withdrawn', out, { created: at }),
		event('charge.dispute.updated', under, { created: at + 10 }),
		event('charge.dispute.closed', over, { created: at + 20 }),
		...status === 'won' ? [event('charge.dispute.funds_reinstated', over, { created: at + 20 })] : [],
	];
}
