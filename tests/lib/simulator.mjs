/*
 * The Stripe simulator, spoken to as a client of Stripe would.
 */
import assert from 'node:assert/strict';
import { exchange } from './client.mjs';
import { need } from './env.mjs';

export async function stripe(method, path, form = undefined, { expect = 200, key, headers = {} } = {}) {
	const answer = await exchange(need('SIM_URL'), method, path, {
		body: form === undefined ? undefined : new URLSearchParams(form).toString(),
		headers: {
			Authorization: `Bearer ${need('SIM_KEY')}`,
			...(form === undefined ? {} : { 'Content-Type': 'application/x-www-form-urlencoded' }),
			...(key === undefined ? {} : { 'Idempotency-Key': key }),
			...headers,
		},
	});
	const text = answer.bytes.toString('utf8');

	if (expect !== null)
		assert.equal(answer.status, expect, `simulator: ${method} ${path}: ${text.slice(0, 400)}`);
	return { status: answer.status, json: text ? JSON.parse(text) : null };
}

export const intent = async (id) => (await stripe('GET', `/v1/payment_intents/${id}`)).json;

/* The buyer's browser: confirms the intent with a test card.  What comes of it, with
 * its status. */
export const tryToConfirm = (id, card = 'pm_card_visa', expect = null) => stripe('POST', `/v1/payment_intents/${id}/confirm`,
    { payment_method: card, return_url: 'https://shop.example/done' }, { expect });

export const confirm = async (id, card, expect = 200) => (await tryToConfirm(id, card, expect)).json;

export async function cancel(id, expect = 200) {
	return (await stripe('POST', `/v1/payment_intents/${id}/cancel`, {}, { expect })).json;
}

/* Every event about an intent, oldest first. */
export async function eventsOf(id, type = undefined) {
	const filter = type ? `&type=${type}` : '';
	const list = (await stripe('GET', `/v1/events?limit=100${filter}`)).json;
	return list.data.filter((event) => event.data.object.id === id).reverse();
}
