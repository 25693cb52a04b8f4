/*
 * Stripe's own Node SDK, pointed at the simulator: what it makes of the answers
 * is what a shop's code would see.
 */
import Stripe from 'stripe';
import { base, key } from './stripe.mjs';

const { hostname, port } = new URL(base);

export const client = (options = {}) => new Stripe(key, {
	apiVersion: '2026-08-26.dahlia', protocol: 'http', host: hostname, port,
	telemetry: false, maxNetworkRetries: 0, ...options,
});
export const stripe = client();
export const { webhooks } = stripe;
export { Stripe };

export const pay = (card = 'pm_card_visa', params = {}) => stripe.paymentIntents.create({
	amount: 2000, currency: 'usd', payment_method: card, confirm: true,
	payment_method_types: ['card'], ...params });

/* The error of a call that must not work. */
export const refusal = (promise) => promise.then(
    (answer) => { throw new Error(`it worked: ${JSON.stringify(answer)}`); }, (error) => error);

/* What has been told of an intent, its charges, refunds and disputes, in order. */
export async function told(intent, type = undefined) {
	const events = [];

	for await (const event of stripe.events.list({ limit: 100, ...type && { type } })) {
		const { object } = event.data;
		if (object.id === intent || object.payment_intent === intent)
			events.unshift(event);
		if (event.type === 'payment_intent.created' && object.id === intent)
			break;
	}
	return events;
}
export const toldTypes = async (intent, type) => (await told(intent, type)).map((event) => event.type);
