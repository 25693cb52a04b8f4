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
