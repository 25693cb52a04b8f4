import assert from 'node:assert/strict';
import test from 'node:test';
import { assertError, confirm, createIntent, eventTypes, post, read, request, write } from './stripe.mjs';

const path = (intent) => `/v1/payment_intents/${intent.id}`;

for (const [card, brand, last4] of [
	['pm_card_visa', 'visa', '4242'], ['pm_card_visa_debit', 'visa', '5556'],
	['pm_card_mastercard', 'mastercard', '4444'], ['pm_card_amex', 'amex', '0005'],
	['pm_card_discover', 'discover', '1117'],
])
	test(`${card} pays`, async () => {
		const intent = await createIntent();
		const { json: paid, status } = await confirm(intent.id, card, { expand: ['latest_charge'] });

		assert.equal(status, 200);
		assert.deepEqual([paid.status, paid.amount_received, paid.last_payment_error],
		    ['succeeded', 2000, null]);
		assert.match(paid.payment_method, /^pm_1/);
		const charge = paid.latest_charge;
		assert.match(charge.id, /^ch_3[A-Za-z0-9]{23}$/);
		assert.deepEqual([charge.payment_method_details.card.brand, charge.payment_method_details.card.last4],
		    [brand, last4]);
		assert.deepEqual([charge.amount, charge.amount_captured, charge.amount_refunded, charge.paid,
			charge.captured, charge.refunded, charge.disputed, charge.status, charge.outcome.type],
		    [2000, 2000, 0, true, true, false, false, 'succeeded', 'authorized']);
		assert.ok(!('refunds' in charge));
		const types = await eventTypes((o) => o.id === intent.id || o.id === charge.id);
		assert.deepEqual(types.slice(0, 3),
		    ['payment_intent.created', 'charge.succeeded', 'payment_intent.succeeded']);
	});

for (const [name, code, declineCode, message] of [
	['chargeDeclined', 'card_declined', 'generic_decline', 'Your card was declined.'],
	['chargeDeclinedInsufficientFunds', 'card_declined', 'insufficient_funds', 'Your card has insufficient funds.'],
	['chargeDeclinedLostCard', 'card_declined', 'lost_card', 'Your card was declined.'],
	['chargeDeclinedStolenCard', 'card_declined', 'stolen_card', 'Your card was declined.'],
	['chargeDeclinedExpiredCard', 'expired_card', 'expired_card', 'Your card has expired.'],
	['chargeDeclinedIncorrectCvc', 'incorrect_cvc', 'incorrect_cvc', 'Your card\'s security code is incorrect.'],
	['chargeDeclinedProcessingError', 'processing_error', 'processing_error', /^An error occurred while processing your card\./],
])
	for (const card of [`pm_card_${name}`, `pm_card_visa_${name}`])
		test(`${card} is declined, and the intent can be paid with another`, async () => {
			const intent = await createIntent();
			const answer = await confirm(intent.id, card);
			const error = assertError(answer, 402, { type: 'card_error', code, decline_code: declineCode, message });

			assert.ok(!('param' in error));
			assert.match(error.charge, /^ch_3/);
			assert.equal(typeof error.advice_code, 'string');
			assert.equal(typeof error.network_decline_code, 'string');
			assert.match(error.payment_method.id, /^pm_1/);
			assert.equal(error.payment_intent.id, intent.id);

			const now = await read(path(intent));
			assert.deepEqual([now.status, now.payment_method, now.latest_charge],
			    ['requires_payment_method', null, error.charge]);
			assert.equal(now.last_payment_error.decline_code, declineCode);
			assert.deepEqual(now, error.payment_intent);
			const charge = await read(`/v1/charges/${error.charge}`);
			assert.deepEqual([charge.paid, charge.captured, charge.status, charge.failure_code,
				charge.outcome.network_status, charge.outcome.reason, charge.outcome.type,
				charge.balance_transaction],
			    [false, false, 'failed', code, 'declined_by_network', declineCode, 'issuer_declined', null]);
			assert.deepEqual(await eventTypes((o) => o.id === intent.id || o.id === charge.id),
			    ['payment_intent.created', 'charge.failed', 'payment_intent.payment_failed']);
			assertError(await post('/v1/refunds', { payment_intent: intent.id }), 400, { code: undefined,
				message: `This PaymentIntent (${intent.id}) does not have a successful charge to refund.` });

			const paid = await confirm(intent.id, 'pm_card_visa');
			assert.deepEqual([paid.json.status, paid.json.last_payment_error], ['succeeded', null]);
		});

test('declined at once: create with confirm=true', async () => {
	const answer = await post('/v1/payment_intents', { amount: 700, currency: 'eur', confirm: true,
		payment_method: 'pm_card_chargeDeclined' });
	const error = assertError(answer, 402, { code: 'card_declined' });

	assert.equal((await read(path(error.payment_intent))).status, 'requires_payment_method');
});

test('confirming without a payment method is refused', async () => {
	const intent = await createIntent();

	assertError(await post(`${path(intent)}/confirm`), 400, { code: 'payment_intent_unexpected_state',
		message: 'You cannot confirm this PaymentIntent because it\'s missing a payment method. You can'
		    + ' either update the PaymentIntent with a payment method and then confirm it again, or'
		    + ' confirm it again directly with a payment method or ConfirmationToken.' });
});

test('a payment method of before can be used again', async () => {
	const { payment_method } = await createIntent({ payment_method: 'pm_card_visa' });
	const intent = await createIntent();
	const { json } = await confirm(intent.id, payment_method);

	assert.deepEqual([json.status, json.payment_method], ['succeeded', payment_method]);
});

for (const card of ['pm_card_authenticationRequired', 'pm_card_threeDSecure2Required']) {
	test(`${card} waits for the buyer, who completes it`, async () => {
		const intent = await createIntent();
		const { json: waiting } = await confirm(intent.id, card, { return_url: 'https://shop.example/done?a=1' });

		assert.deepEqual([waiting.status, waiting.latest_charge, waiting.next_action.type],
		    ['requires_action', null, 'redirect_to_url']);
		assert.equal(waiting.next_action.redirect_to_url.return_url, 'https://shop.example/done?a=1');

		const page = new URL(waiting.next_action.redirect_to_url.url);
		const shown = await request('GET', page.pathname, {}, { authorization: null });
		assert.match(shown.text, /\$20\.00 USD/);
		const back = await post(page.pathname, { outcome: 'succeed' },
		    { authorization: null, headers: { Accept: 'text/html' } });
		assert.equal(back.status, 303);
		const location = new URL(back.headers.get('location'));
		assert.deepEqual([location.host, location.searchParams.get('a'),
			location.searchParams.get('payment_intent'), location.searchParams.get('redirect_status'),
			location.searchParams.get('payment_intent_client_secret')],
		    ['shop.example', '1', intent.id, 'succeeded', intent.client_secret]);

		const paid = await read(path(intent), { expand: ['latest_charge'] });
		assert.deepEqual([paid.status, paid.next_action, paid.amount_received], ['succeeded', null, 2000]);
		assert.equal(paid.latest_charge.payment_method_details.card.three_d_secure.result, 'authenticated');
		assert.equal((await request('GET', page.pathname)).status, 404);
		assert.deepEqual((await eventTypes((o) => o.id === intent.id || o.id === paid.latest_charge.id)).slice(0, 4),
		    ['payment_intent.created', 'payment_intent.requires_action', 'charge.succeeded',
			'payment_intent.succeeded']);
	});

	test(`${card} waits for the buyer, who fails it`, async () => {
		const intent = await createIntent();
		const { json: waiting } = await confirm(intent.id, card);

		assert.equal(waiting.next_action.type, 'use_stripe_sdk');
		const now = await write(`/simulator/authenticate/${intent.id}`, { outcome: 'fail' });
		assert.deepEqual([now.status, now.next_action, now.payment_method, now.latest_charge],
		    ['requires_payment_method', null, null, null]);
		assert.equal(now.last_payment_error.code, 'payment_intent_authentication_failure');
		assert.deepEqual(await eventTypes((o) => o.id === intent.id), ['payment_intent.created',
			'payment_intent.requires_action', 'payment_intent.payment_failed']);
		assertError(await post(`/simulator/authenticate/${intent.id}`, { outcome: 'succeed' }), 400,
		    { code: 'payment_intent_unexpected_state' });
	});

	for (const params of [{ off_session: true }, { error_on_requires_action: true }])
		test(`${card} without a buyer (${Object.keys(params)}) is declined, with no charge`, async () => {
			const intent = await createIntent();
			const error = assertError(await confirm(intent.id, card, params), 402,
			    { type: 'card_error', code: 'authentication_required' });

			assert.ok(!('charge' in error));
			const now = await read(path(intent));
			assert.deepEqual([now.status, now.latest_charge], ['requires_payment_method', null]);
		});
}

test('a waiting intent can be canceled, or paid with another card', async () => {
	const first = await createIntent(), second = await createIntent();

	for (const { id } of [first, second])
		assert.equal((await confirm(id, 'pm_card_authenticationRequired')).json.status, 'requires_action');
	assert.equal((await write(`${path(first)}/cancel`)).status, 'canceled');
	assert.equal((await confirm(second.id, 'pm_card_visa')).json.status, 'succeeded');
});

test('with automatic capture the balance transaction is there at once, with automatic_async later', async () => {
	const expand = ['latest_charge.balance_transaction'];
	const make = async (capture_method) => (await write('/v1/payment_intents', { amount: 1000,
		currency: 'usd', confirm: true, payment_method: 'pm_card_visa', capture_method, expand })).latest_charge;
	const now = await make('automatic');

	assert.deepEqual([now.balance_transaction.amount, now.balance_transaction.fee,
		now.balance_transaction.net], [1000, 59, 941]);
	assert.equal((await make('automatic_async')).balance_transaction, null);
});
