import assert from 'node:assert/strict';
import test from 'node:test';
import { assertError, confirm, createIntent, eventTypes, get, paidIntent, post, read, uniqueKey,
    write } from './stripe.mjs';

const intents = '/v1/payment_intents';

test('a new intent has Stripe\'s defaults', async () => {
	const intent = await createIntent({ currency: 'USD', metadata: { order_id: '7' } });

	assert.match(intent.id, /^pi_3[A-Za-z0-9]{23}$/);
	assert.match(intent.client_secret, new RegExp(`^${intent.id}_secret_[A-Za-z0-9]{25}$`));
	assert.ok(Math.abs(intent.created - Date.now() / 1000) < 60);
	const { id, client_secret, created, ...rest } = intent;
	assert.deepEqual(rest, {
		object: 'payment_intent', allowed_payment_method_types: null, amount: 2000,
		amount_capturable: 0, amount_details: { tip: {} }, amount_received: 0,
		application: null, application_fee_amount: null,
		automatic_payment_methods: { allow_redirects: 'always', enabled: true },
		canceled_at: null, cancellation_reason: null, capture_method: 'automatic_async',
		confirmation_method: 'automatic', currency: 'usd', customer: null,
		customer_account: null, description: null, excluded_payment_method_types: null,
		last_payment_error: null, latest_charge: null, livemode: false,
		managed_payments: { enabled: false }, metadata: { order_id: '7' }, next_action: null,
		on_behalf_of: null, payment_method: null, payment_method_configuration_details: null,
		payment_method_options: { card: { installments: null, mandate_options: null,
			network: null, request_three_d_secure: 'automatic' } },
		payment_method_types: ['card'], payment_record: null, processing: null,
		receipt_email: null, review: null, setup_future_usage: null,
		shared_payment_granted_token: null, shipping: null, source: null,
		statement_descriptor: null, statement_descriptor_suffix: null,
		status: 'requires_payment_method', transfer_data: null, transfer_group: null,
	});
	assert.deepEqual(await read(`${intents}/${intent.id}`), intent);
	assert.deepEqual(await eventTypes((o) => o.id === intent.id), ['payment_intent.created']);
});

test('everything that is given is kept', async () => {
	const intent = await createIntent({
		description: 'Żółć', receipt_email: 'a@example.org', statement_descriptor_suffix: 'SOUK',
		setup_future_usage: 'off_session', capture_method: 'manual', confirmation_method: 'manual',
		automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
		payment_method: 'pm_card_visa',
		shipping: { name: 'A B', phone: '1', address: { line1: 'x', city: 'y', country: 'PL',
			postal_code: '00-001', state: 's', line2: 'z' } },
	});
	assert.equal(intent.description, 'Żółć');
	assert.equal(intent.status, 'requires_confirmation');
	assert.match(intent.payment_method, /^pm_1[A-Za-z0-9]{23}$/);
	assert.deepEqual(intent.automatic_payment_methods, { allow_redirects: 'never', enabled: true });
	assert.equal(intent.shipping.address.country, 'PL');
	assert.equal(intent.shipping.name, 'A B');
	assert.equal(intent.capture_method, 'manual');
});

for (const [what, params, status, expected] of [
	['no currency', { amount: 100 }, 400,
		{ code: 'parameter_missing', param: 'currency', message: 'Missing required param: currency.' }],
	['no amount', { currency: 'usd' }, 400, { code: 'parameter_missing', param: 'amount' }],
	['an unknown parameter', { amount: 100, currency: 'usd', wat: 1 }, 400,
		{ code: 'parameter_unknown', param: 'wat', message: 'Received unknown parameter: wat' }],
	['an unknown nested parameter', { amount: 100, currency: 'usd', shipping: { nope: 1 } }, 400,
		{ code: 'parameter_unknown', param: 'shipping[nope]' }],
	['an amount that is no integer', { amount: 'abc', currency: 'usd' }, 400,
		{ code: 'parameter_invalid_integer', param: 'amount', message: 'Invalid integer: abc' }],
	['a fraction', { amount: '10.5', currency: 'usd' }, 400, { code: 'parameter_invalid_integer' }],
	['a huge number', { amount: '9'.repeat(30), currency: 'usd' }, 400, { code: 'parameter_invalid_integer' }],
	['amount 0', { amount: 0, currency: 'usd' }, 400, { code: 'parameter_invalid_integer', param: 'amount' }],
	['a negative amount', { amount: -5, currency: 'usd' }, 400, { code: 'parameter_invalid_integer' }],
	['less than the minimum', { amount: 49, currency: 'usd' }, 400,
		{ code: 'amount_too_small', param: 'amount', message: 'Amount must be at least $0.50 usd' }],
	['less than the yen minimum', { amount: 49, currency: 'jpy' }, 400,
		{ code: 'amount_too_small', message: 'Amount must be at least ¥50 jpy' }],
	['more than eight digits', { amount: 100000000, currency: 'usd' }, 400,
		{ code: 'amount_too_large', param: 'amount' }],
	['an unknown currency', { amount: 100, currency: 'xxx' }, 400, { code: undefined, param: 'currency' }],
	['a capture_method there is not', { amount: 100, currency: 'usd', capture_method: 'never' }, 400,
		{ code: undefined, param: 'capture_method',
		  message: 'Invalid capture_method: must be one of automatic, automatic_async, or manual' }],
	['confirm that is no boolean', { amount: 100, currency: 'usd', confirm: 'maybe' }, 400, { param: 'confirm' }],
	['an empty amount', { amount: '', currency: 'usd' }, 400, { code: 'parameter_invalid_empty' }],
	['an unknown payment method', { amount: 100, currency: 'usd', payment_method: 'pm_x' }, 400,
		{ code: 'resource_missing', param: 'payment_method', message: 'No such PaymentMethod: \'pm_x\'' }],
	['an unknown customer', { amount: 100, currency: 'usd', customer: 'cus_x' }, 400,
		{ code: 'resource_missing', param: 'customer' }],
	['off_session without confirm', { amount: 100, currency: 'usd', off_session: true }, 400, { param: 'off_session' }],
	['both kinds of payment method', { amount: 100, currency: 'usd', payment_method_types: ['card'],
		automatic_payment_methods: { enabled: true } }, 400, {}],
	['a kind of payment method that is not switched on', { amount: 100, currency: 'usd',
		payment_method_types: ['card', 'paypal'] }, 400, { param: 'payment_method_types' }],
	['an unknown expansion', { amount: 100, currency: 'usd', expand: ['wat'] }, 400,
		{ message: /cannot be expanded \(wat\)/ }],
	['a long description', { amount: 100, currency: 'usd', description: 'x'.repeat(1001) }, 400, { param: 'description' }],
	['a long metadata value', { amount: 100, currency: 'usd', metadata: { a: 'x'.repeat(501) } }, 400, { param: 'metadata[a]' }],
	['a long metadata key', { amount: 100, currency: 'usd', metadata: { ['x'.repeat(41)]: 'a' } }, 400, { param: 'metadata' }],
	['51 metadata keys', { amount: 100, currency: 'usd', metadata: Object.fromEntries(
		Array.from({ length: 51 }, (_, i) => [`k${i}`, 'v'])) }, 400, { param: 'metadata' }],
])
	test(`refused: ${what}`, async () => {
		const answer = await post(intents, params);
		const error = assertError(answer, status, { type: 'invalid_request_error', ...expected });

		assert.match(error.request_log_url, new RegExp(
		    `^https://dashboard.stripe.com/test/logs/${answer.headers.get('request-id')}\\?t=[0-9]+$`));
	});

test('a bad expansion creates nothing', async () => {
	const idempotencyKey = uniqueKey();
	const params = { amount: 100, currency: 'usd' };

	await post(intents, { ...params, expand: ['wat'] }, { idempotencyKey });
	/* The key is not used up. */
	assert.equal((await post(intents, params, { idempotencyKey })).status, 200);
});

test('an unknown intent is 404', async () => {
	const expected = { code: 'resource_missing', param: 'intent', message: 'No such payment_intent: \'pi_x\'' };

	assertError(await get(`${intents}/pi_x`), 404, expected);
	for (const path of ['', '/confirm', '/cancel', '/capture'])
		assertError(await post(`${intents}/pi_x${path}`), 404, expected);
});

test('update merges metadata and unsets what is empty', async () => {
	const intent = await createIntent({ description: 'a', metadata: { a: 1, b: 2 } });
	const path = `${intents}/${intent.id}`;
	let now = await write(path, { metadata: { b: '', c: 3 }, description: '', amount: 3000 });

	assert.deepEqual(now.metadata, { a: '1', c: '3' });
	assert.equal(now.description, null);
	assert.equal(now.amount, 3000);
	now = await write(path, { metadata: '' });
	assert.deepEqual(now.metadata, {});
	now = await write(path, { payment_method: 'pm_card_visa' });
	assert.equal(now.status, 'requires_confirmation');
	assert.deepEqual(await eventTypes((o) => o.id === intent.id), ['payment_intent.created']);
});

test('after payment the amount is fixed, metadata and description are not', async () => {
	const intent = await paidIntent();
	const path = `${intents}/${intent.id}`;
	const refused = await post(path, { amount: 3000 });

	assertError(refused, 400, { code: 'payment_intent_unexpected_state', param: 'amount',
		message: /^This PaymentIntent's amount could not be updated because it has a status of succeeded\./ });
	assert.equal(refused.json.error.payment_intent.id, intent.id);
	const now = await write(path, { description: 'later', metadata: { a: 1 } });
	assert.equal(now.description, 'later');
	assert.equal(now.amount, 2000);
});

test('a canceled intent stays so', async () => {
	const intent = await createIntent();
	const path = `${intents}/${intent.id}`;
	const canceled = await write(`${path}/cancel`, { cancellation_reason: 'abandoned' });

	assert.equal(canceled.status, 'canceled');
	assert.equal(canceled.cancellation_reason, 'abandoned');
	assert.ok(canceled.canceled_at >= canceled.created);
	const refused = assertError(await post(`${path}/cancel`), 400, {
		code: 'payment_intent_unexpected_state',
		message: 'You cannot cancel this PaymentIntent because it has a status of canceled. Only a'
		    + ' PaymentIntent with one of the following statuses may be canceled:'
		    + ' requires_payment_method, requires_capture, requires_reauthorization,'
		    + ' requires_confirmation, requires_action, expired, processing.',
	});
	assert.equal(refused.payment_intent.status, 'canceled');
	assertError(await confirm(intent.id, 'pm_card_visa'), 400, { code: 'payment_intent_unexpected_state' });
	assertError(await post(`${path}/cancel`, { cancellation_reason: 'bored' }), 400,
	    { param: 'cancellation_reason' });
	assert.deepEqual(await eventTypes((o) => o.id === intent.id),
	    ['payment_intent.created', 'payment_intent.canceled']);
});

test('a paid intent cannot be canceled or paid again', async () => {
	const intent = await paidIntent();

	assertError(await post(`${intents}/${intent.id}/cancel`), 400, {
		code: 'payment_intent_unexpected_state', message: /status of succeeded/ });
	assertError(await confirm(intent.id, 'pm_card_visa'), 400, { code: 'payment_intent_unexpected_state' });
});

test('of a payment and a cancel at once, one wins and the other is told', async () => {
	for (let i = 0; i < 5; i++) {
		const intent = await createIntent();
		const answers = await Promise.all([confirm(intent.id, 'pm_card_visa'),
			post(`${intents}/${intent.id}/cancel`)]);

		assert.deepEqual(answers.map((a) => a.status).sort(), [200, 400]);
		const { status } = await read(`${intents}/${intent.id}`);
		assert.equal(status, answers[0].status === 200 ? 'succeeded' : 'canceled');
	}
});

test('holding money: part of it is captured, the rest released', async () => {
	const intent = await paidIntent({ capture_method: 'manual' });
	const path = `${intents}/${intent.id}`;

	assert.equal(intent.status, 'requires_capture');
	assert.equal(intent.amount_capturable, 2000);
	let charge = await read(`/v1/charges/${intent.latest_charge}`);
	assert.deepEqual([charge.captured, charge.paid, charge.status, charge.amount_captured],
	    [false, true, 'succeeded', 0]);
	assert.equal(charge.payment_method_details.card.capture_before, charge.created + 7 * 86400);
	assertError(await post('/v1/refunds', { payment_intent: intent.id }), 400,
	    { code: undefined, message: new RegExp(`^This uncaptured Charge was created by a PaymentIntent \\(${intent.id}\\)`) });
	assertError(await post(`${path}/capture`, { amount_to_capture: 2001 }), 400, { code: 'amount_too_large' });
	assertError(await post(`${path}/capture`, { amount_to_capture: -100 }), 400,
	    { code: undefined, message: /^Invalid non-negative integer/ });
	assertError(await post(`${path}/capture`, { amount_to_capture: 0 }), 400,
	    { code: 'parameter_invalid_integer', param: 'amount' });

	const captured = await write(`${path}/capture`, { amount_to_capture: 1500, metadata: { a: 1 } });
	assert.deepEqual([captured.status, captured.amount, captured.amount_received,
	    captured.amount_capturable, captured.metadata], ['succeeded', 2000, 1500, 0, { a: '1' }]);
	charge = await read(`/v1/charges/${intent.latest_charge}`);
	assert.deepEqual([charge.captured, charge.amount_captured, charge.amount_refunded, charge.refunded],
	    [true, 1500, 0, false]);
	assertError(await post(`${path}/capture`), 400, { code: 'payment_intent_unexpected_state',
		message: /remainder of the authorized amount has been released/ });
	assert.deepEqual(await eventTypes((o) => o.id === intent.id || o.payment_intent === intent.id), [
		'payment_intent.created', 'charge.succeeded', 'payment_intent.amount_capturable_updated',
		'charge.captured', 'payment_intent.succeeded',
	]);
	assertError(await post(`${intents}/${(await createIntent()).id}/capture`), 400,
	    { message: /^This PaymentIntent could not be captured because it has a status of requires_payment_method/ });
});

test('a hold that is canceled keeps its charge', async () => {
	const intent = await paidIntent({ capture_method: 'manual' });
	const canceled = await write(`${intents}/${intent.id}/cancel`);
	const charge = await read(`/v1/charges/${intent.latest_charge}`);

	assert.deepEqual([canceled.status, canceled.amount_capturable, canceled.cancellation_reason],
	    ['canceled', 0, null]);
	assert.deepEqual([charge.status, charge.captured], ['succeeded', false]);
});

/* Other tests make intents meanwhile, so it is the order that counts. */
test('a list goes newest first, by cursor, in both directions', async () => {
	const made = [];
	for (let i = 0; i < 4; i++)
		made.unshift((await createIntent()).id);
	const walk = async (cursor, from, to, place) => {
		const seen = [];
		for (let at = from; at !== to;) {
			const page = await read(intents, { limit: 2, [cursor]: at });
			const ids = page.data.map(({ id }) => id);

			assert.deepEqual([page.object, page.url], ['list', intents]);
			assert.ok(ids.length === 2 || !page.has_more);
			place(seen, ids);
			at = ids.includes(to) ? to : cursor === 'starting_after' ? ids.at(-1) : ids[0];
		}
		return seen.filter((id) => made.includes(id));
	};

	assert.deepEqual(await walk('starting_after', made[0], made[3],
	    (seen, ids) => seen.push(...ids)), made.slice(1));
	assert.deepEqual(await walk('ending_before', made[3], made[0],
	    (seen, ids) => seen.unshift(...ids)), made.slice(0, 3));
});

test('a list\'s limit is clamped, and its parameters are checked', async () => {
	const intent = await createIntent();

	assert.equal((await read(intents, { limit: 0 })).data.length, 1);
	assert.ok((await read(intents, { limit: 1000 })).data.length <= 100);
	assert.ok((await read(intents)).data.length <= 10);
	assert.deepEqual((await read(intents, { created: { gt: 9999999999 } })).data, []);
	assert.ok((await read(intents, { limit: 100, created: { gte: intent.created } })).data
	    .some(({ id }) => id === intent.id));
	assertError(await get(intents, { limit: 'abc' }), 400, { code: 'parameter_invalid_integer' });
	assertError(await get(intents, { starting_after: 'pi_x' }), 400,
	    { code: 'resource_missing', param: 'starting_after' });
	assertError(await get(intents, { starting_after: intent.id, ending_before: intent.id }), 400, { message:
		'Received both starting_after and ending_before parameters. Please pass in only one.' });
});

test('expand puts objects where ids are, in lists under data.', async () => {
	const intent = await paidIntent({ expand: ['latest_charge.payment_intent', 'payment_method'] });

	assert.equal(intent.latest_charge.object, 'charge');
	assert.equal(intent.latest_charge.payment_intent.id, intent.id);
	assert.equal(intent.payment_method.card.last4, '4242');
	const { data } = await read(intents, { limit: 100, expand: ['data.latest_charge.refunds'] });
	const listed = data.find(({ id }) => id === intent.id);
	assert.equal(listed.latest_charge.object, 'charge');
	assert.deepEqual(listed.latest_charge.refunds.data, []);
	assertError(await get(intents, { expand: ['latest_charge'] }), 400,
	    { message: /data\.latest_charge/ });
});
