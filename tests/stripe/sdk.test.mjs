/*
 * The official SDK against the simulator, group by group of what a shop uses.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { base, fault, key, receiver, uniqueKey, until } from './stripe.mjs';
import { client, pay, refusal, stripe, Stripe, told, toldTypes, webhooks } from './sdk.mjs';

const intents = stripe.paymentIntents;

test('the class of an error is what its status says', async () => {
	const { errors } = Stripe;
	const cases = [
		[() => new Stripe('sk_test_not_the_right_one', { protocol: 'http',
			host: new URL(base).hostname, port: new URL(base).port, maxNetworkRetries: 0 }).charges.list(),
		    errors.StripeAuthenticationError, 401],
		[() => intents.retrieve('pi_x'), errors.StripeInvalidRequestError, 404],
		[() => intents.create({ amount: 10, currency: 'usd' }), errors.StripeInvalidRequestError, 400],
		[() => pay('pm_card_visa_chargeDeclined'), errors.StripeCardError, 402],
	];
	for (const [call, expected, status] of cases) {
		const error = await refusal(call());
		assert.ok(error instanceof expected, `${error.type} ${error.message}`);
		assert.equal(error.statusCode, status);
		assert.match(error.requestId, /^req_[A-Za-z0-9]{14}$/);
	}
});

test('a decline brings its charge, its codes and the intent', async () => {
	const error = await refusal(pay('pm_card_chargeDeclinedInsufficientFunds'));

	assert.deepEqual([error.code, error.decline_code, error.message, error.payment_intent.status,
		error.payment_method.card.last4, error.param],
	    ['card_declined', 'insufficient_funds', 'Your card has insufficient funds.', 'requires_payment_method',
		'9995', undefined]);
	assert.equal((await stripe.charges.retrieve(error.charge)).outcome.reason, 'insufficient_funds');
	assert.deepEqual(await toldTypes(error.payment_intent.id),
	    ['payment_intent.created', 'charge.failed', 'payment_intent.payment_failed']);
});

test('create, update, confirm, read again with what it holds', async () => {
	const made = await intents.create({ amount: 2000, currency: 'USD', metadata: { a: 1, b: 2 },
		shipping: { name: 'Ż ó', address: { line1: 'x & y', country: 'PL' } }, receipt_email: 'a@b.example' });
	const changed = await intents.update(made.id, { metadata: { a: '', c: '3' }, description: 'x + y' });

	assert.deepEqual([changed.metadata, changed.description, changed.shipping.address.line1],
	    [{ b: '2', c: '3' }, 'x + y', 'x & y']);
	assert.equal((await intents.confirm(made.id, { payment_method: 'pm_card_mastercard' })).status, 'succeeded');
	const paid = await intents.retrieve(made.id, { expand: ['latest_charge.refunds', 'payment_method'] });
	assert.deepEqual([paid.payment_method.card.brand, paid.latest_charge.refunds.data, paid.amount_received],
	    ['mastercard', [], 2000]);
	const error = await refusal(intents.confirm(made.id, { payment_method: 'pm_card_visa' }));
	assert.deepEqual([error.code, error.payment_intent.id], ['payment_intent_unexpected_state', made.id]);
});

test('a hold is captured in part, or canceled', async () => {
	const held = await pay('pm_card_visa', { capture_method: 'manual' });

	assert.deepEqual([held.status, held.amount_capturable], ['requires_capture', 2000]);
	assert.equal((await refusal(intents.capture(held.id, { amount_to_capture: 2001 }))).code, 'amount_too_large');
	const taken = await intents.capture(held.id, { amount_to_capture: 700 });
	assert.deepEqual([taken.status, taken.amount_received, taken.amount], ['succeeded', 700, 2000]);
	const other = await pay('pm_card_visa', { capture_method: 'manual' });
	const canceled = await intents.cancel(other.id, { cancellation_reason: 'abandoned' });
	assert.deepEqual([canceled.status, canceled.amount_capturable], ['canceled', 0]);
});

test('3-D Secure: the buyer is sent to the bank\'s page', async () => {
	const intent = await pay('pm_card_threeDSecure2Required', { return_url: 'https://shop.example/back' });

	assert.equal(intent.next_action.type, 'redirect_to_url');
	const { url } = intent.next_action.redirect_to_url;
	assert.match(await (await fetch(url)).text(), /\$20\.00 USD/);
	const answer = await fetch(url, { method: 'POST', body: new URLSearchParams({ outcome: 'succeed' }) });
	assert.equal(answer.status, 200);
	assert.equal((await intents.retrieve(intent.id)).status, 'succeeded');
	const error = await refusal(pay('pm_card_authenticationRequired', { off_session: true }));
	assert.deepEqual([error.statusCode, error.code, error.charge], [402, 'authentication_required', undefined]);
});

test('refunds: part, rest, nothing left', async () => {
	const intent = await pay();
	const part = await stripe.refunds.create({ payment_intent: intent.id, amount: 500, reason: 'duplicate',
		metadata: { why: 'x' }, expand: ['charge', 'balance_transaction'] });

	assert.deepEqual([part.status, part.amount, part.charge.amount_refunded, part.charge.refunded,
		part.balance_transaction.net, 'livemode' in part], ['succeeded', 500, 500, false, -500, false]);
	const much = await refusal(stripe.refunds.create({ charge: intent.latest_charge, amount: 1501 }));
	assert.deepEqual([much.code, much.param, much.message], [undefined, 'amount',
		'Refund amount ($15.01) is greater than unrefunded amount on charge ($15.00)']);
	await stripe.refunds.create({ charge: intent.latest_charge });
	const none = await refusal(stripe.refunds.create({ payment_intent: intent.id }));
	assert.deepEqual([none.code, none.message], ['charge_already_refunded',
		`Charge ${intent.latest_charge} has already been refunded.`]);
	assert.equal((await stripe.refunds.update(part.id, { metadata: { why: 'y' } })).metadata.why, 'y');
	const { data } = await stripe.refunds.list({ payment_intent: intent.id });
	assert.deepEqual(data.map(({ amount }) => amount), [1500, 500]);
	assert.equal((await intents.retrieve(intent.id)).status, 'succeeded');
});

const ends = (id, status) => until(`${id} ${status}`, async () => {
	const refund = await stripe.refunds.retrieve(id);
	return refund.status === status && refund;
});

test('a refund may be pending, and succeeds later', async () => {
	const intent = await pay('pm_card_pendingRefund');
	const refund = await stripe.refunds.create({ payment_intent: intent.id });

	assert.equal(refund.status, 'pending');
	const done = await ends(refund.id, 'succeeded');
	assert.equal(done.destination_details.card.reference_status, 'available');
	const events = (await told(intent.id)).filter(({ data: { object } }) => object.id === refund.id);
	assert.deepEqual(events.map(({ type }) => type), ['refund.created', 'refund.updated', 'charge.refund.updated']);
	assert.equal(events[1].data.previous_attributes.status, 'pending');
	assert.equal(events[1].request.id, null);
});

test('a pending refund can be canceled, and then counts no more', async (t) => {
	const intent = await pay('pm_card_pendingRefund');

	await fault(t, { kind: 'settle_delay', path: `/v1/payment_intents/${intent.id}`, ms: 3600000 });
	const refund = await stripe.refunds.create({ payment_intent: intent.id });
	const canceled = await stripe.refunds.cancel(refund.id, { expand: ['charge'] });
	assert.deepEqual([canceled.status, canceled.failure_reason, canceled.charge.amount_refunded],
	    ['canceled', 'merchant_request', 0]);
	assert.equal((await stripe.balanceTransactions.retrieve(canceled.failure_balance_transaction)).net, 2000);
	assert.deepEqual((await told(intent.id)).filter(({ data: { object } }) => object.id === refund.id)
	    .map(({ type, data: { object } }) => [type, object.status]), [['refund.created', 'pending'],
		['refund.updated', 'canceled'], ['charge.refund.updated', 'canceled']]);
	assert.match((await refusal(stripe.refunds.cancel(refund.id))).message, /has a status of canceled/);
	assert.equal((await refusal(stripe.refunds.cancel('re_x'))).statusCode, 404);
	assert.equal((await stripe.refunds.create({ payment_intent: intent.id })).amount, 2000);
});

test('a refund may fail later, and its money is back', async () => {
	const intent = await pay('pm_card_refundFail');
	const { id, status } = await stripe.refunds.create({ payment_intent: intent.id });

	assert.equal(status, 'succeeded');
	const failed = await ends(id, 'failed');
	assert.deepEqual([failed.failure_reason, typeof failed.failure_balance_transaction], ['unknown', 'string']);
	assert.equal((await stripe.charges.retrieve(intent.latest_charge)).amount_refunded, 0);
	assert.deepEqual((await told(intent.id)).filter(({ data: { object } }) => object.id === id).map(({ type }) => type),
	    ['refund.created', 'refund.failed', 'refund.updated', 'charge.refund.updated']);
});

const debit = async (iban) => {
	const method = await stripe.paymentMethods.create({ type: 'sepa_debit', sepa_debit: { iban },
		billing_details: { name: 'A B', email: 'a@b.example' } });
	assert.deepEqual([method.type, method.sepa_debit.last4, method.sepa_debit.country, method.card],
	    ['sepa_debit', iban.slice(-4), 'AT', undefined]);
	return pay(method.id, { currency: 'eur', payment_method_types: ['sepa_debit'],
		mandate_data: { customer_acceptance: { type: 'offline' } } });
};

for (const [iban, status, code, last] of [
	['AT611904300234573201', 'succeeded', undefined, ['charge.succeeded', 'payment_intent.succeeded']],
	['AT861904300235473202', 'requires_payment_method', 'insufficient_funds',
		['charge.failed', 'payment_intent.payment_failed']],
])
	test(`a bank debit is being processed first, then ${status}`, async () => {
		const intent = await debit(iban);

		assert.equal(intent.status, 'processing');
		const now = await until(status, async () => {
			const found = await intents.retrieve(intent.id, { expand: ['latest_charge'] });
			return found.status !== 'processing' && found;
		});
		assert.deepEqual([now.status, now.last_payment_error?.code, now.latest_charge.payment_method_details.type],
		    [status, code, 'sepa_debit']);
		assert.deepEqual(await toldTypes(intent.id), ['payment_intent.created', 'payment_intent.processing',
			'charge.pending', ...last]);
	});

test('a debit that is being processed can be canceled', async (t) => {
	const made = await intents.create({ amount: 2000, currency: 'eur', payment_method_types: ['card', 'sepa_debit'] });

	await fault(t, { kind: 'settle_delay', path: `/v1/payment_intents/${made.id}`, ms: 3600000 });
	const method = await stripe.paymentMethods.create({ type: 'sepa_debit', sepa_debit: { iban: 'AT611904300234573201' } });
	const waiting = await intents.confirm(made.id, { payment_method: method.id });
	assert.equal(waiting.status, 'processing');
	assert.equal((await stripe.charges.retrieve(waiting.latest_charge)).status, 'pending');
	assert.equal((await intents.cancel(made.id)).status, 'canceled');
	assert.equal((await stripe.charges.retrieve(waiting.latest_charge)).status, 'failed');
});

test('a method of payment must be one that the intent takes', async () => {
	const method = await stripe.paymentMethods.create({ type: 'sepa_debit', sepa_debit: { iban: 'AT611904300234573201' } });
	const token = await stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_visa' } });

	assert.equal(token.card.last4, '4242');
	assert.equal((await stripe.paymentMethods.retrieve(token.id)).id, token.id);
	for (const [params, param] of [[{ currency: 'usd' }, 'payment_method'],
		[{ currency: 'usd', payment_method_types: ['sepa_debit'] }, 'currency'],
		[{ currency: 'eur', payment_method_types: ['sepa_debit'], capture_method: 'manual' }, 'capture_method']])
		assert.equal((await refusal(pay(method.id, params))).param, param);
	for (const params of [{ type: 'card' }, { type: 'card', card: { token: 'tok_x' } }, { type: 'sepa_debit',
		sepa_debit: { iban: 'DE89370400440532013000' } }, { type: 'sepa_debit' }])
		assert.equal((await refusal(stripe.paymentMethods.create(params))).statusCode, 400);
	const missing = await refusal(stripe.paymentMethods.retrieve('pm_x'));
	assert.deepEqual([missing.statusCode, missing.message], [404, 'No such PaymentMethod: \'pm_x\'']);
	assert.equal((await refusal(stripe.balanceTransactions.retrieve('txn_x'))).statusCode, 404);
});

test('amounts: digits, minimums and the currencies with rules of their own', async () => {
	for (const [currency, amount, message] of [['jpy', 49, '¥50 jpy'], ['gbp', 29, '£0.30 gbp'],
		['mxn', 999, '10.00 mxn'], ['eur', 49, '€0.50 eur'], ['nok', 299, '3.00 nok']]) {
		const error = await refusal(intents.create({ amount, currency }));
		assert.deepEqual([error.code, error.message], ['amount_too_small', `Amount must be at least ${message}`]);
		assert.equal((await intents.create({ amount: amount + 1, currency })).amount, amount + 1);
	}
	assert.equal((await intents.create({ amount: 12345, currency: 'kwd' })).amount, 12345);
	for (const currency of ['isk', 'huf', 'twd', 'ugx'])
		assert.equal((await refusal(intents.create({ amount: 10000, currency }))).param, 'currency');
});

test('lists can be walked to their end', async () => {
	const { created } = await pay();
	const made = [];

	for (let i = 0; i < 3; i++)
		made.unshift((await pay()).id);
	const walked = [];
	for await (const { id } of intents.list({ limit: 2, created: { gte: created }, expand: ['data.latest_charge'] })) {
		walked.push(id);
		if (walked.filter((one) => made.includes(one)).length === made.length)
			break;
	}
	assert.deepEqual(walked.filter((id) => made.includes(id)), made);
	const [charge] = (await stripe.charges.list({ payment_intent: made[0], expand: ['data.balance_transaction'] })).data;
	assert.equal(charge.payment_intent, made[0]);
	for (const params of [{ starting_after: 'pi_x' }, { starting_after: made[0], ending_before: made[1] },
		{ expand: ['data.wat'] }, { limit: 'abc' }])
		assert.equal((await refusal(intents.list(params))).statusCode, 400);
});

test('events: by type, types, age and whether they arrived', async (t) => {
	const { next } = await receiver(t, ['charge.refunded'], () => 500);
	const intent = await pay();

	await stripe.refunds.create({ payment_intent: intent.id });
	await next(1, ({ event }) => event.data.object.payment_intent === intent.id);
	const [, , paid] = await told(intent.id);
	assert.equal(paid.type, 'payment_intent.succeeded');
	const since = { created: { gte: intent.created }, limit: 100 };
	const find = async (params) => (await stripe.events.list({ ...since, ...params })).data
	    .filter(({ data: { object } }) => object.id === intent.id || object.payment_intent === intent.id)
	    .map(({ type }) => type).reverse();
	assert.deepEqual(await find({ type: 'payment_intent.*' }), ['payment_intent.created', 'payment_intent.succeeded']);
	assert.deepEqual(await find({ types: ['charge.refunded', 'payment_intent.created'] }),
	    ['payment_intent.created', 'charge.refunded']);
	assert.deepEqual(await find({ delivery_success: false, types: ['charge.refunded', 'charge.succeeded'] }), ['charge.refunded']);
	assert.deepEqual(await find({ created: { lt: intent.created } }), []);
	assert.deepEqual((await stripe.events.list({ ending_before: paid.id, limit: 100 })).data
	    .filter(({ data: { object } }) => object.payment_intent === intent.id && object.object === 'refund')
	    .map(({ type }) => type).at(-1), 'refund.created');
	assert.equal((await stripe.events.retrieve(paid.id)).data.object.amount_received, 2000);
	for (const params of [{ type: 'a', types: ['b'] }, { types: Array.from({ length: 21 }, (_, i) => `t${i}`) }])
		assert.equal((await refusal(stripe.events.list(params))).param, 'types');
});

test('webhooks verify with the SDK, with each of two secrets while one is rolled', async (t) => {
	const { endpoint, next } = await receiver(t, ['payment_intent.canceled']);
	const cancel = async () => {
		const { id } = await intents.cancel((await intents.create({ amount: 100, currency: 'usd' })).id);
		return (await next(1, ({ event }) => event.data.object.id === id))[0];
	};
	const first = await cancel();

	assert.equal(webhooks.constructEvent(first.body, first.signature, endpoint.secret).type, 'payment_intent.canceled');
	assert.throws(() => webhooks.constructEvent(`${first.body} `, first.signature, endpoint.secret));
	assert.throws(() => webhooks.constructEvent(first.body, first.signature, `${endpoint.secret}x`));
	const answer = await fetch(`${base}/simulator/control`, { method: 'POST', headers: {
		'Content-Type': 'application/json', Authorization: `Bearer ${key}` },
	body: JSON.stringify({ action: 'roll_secret', id: endpoint.id }) });
	const { secret } = await answer.json();
	assert.match(secret, /^whsec_[A-Za-z0-9]{32}$/);
	assert.notEqual(secret, endpoint.secret);
	const second = await cancel();
	assert.match(second.signature, /^t=\d+,v1=[0-9a-f]{64},v1=[0-9a-f]{64},v0=[0-9a-f]{64}$/);
	for (const one of [secret, endpoint.secret])
		assert.equal(webhooks.constructEvent(second.body, second.signature, one).id, second.event.id);
});

test('an endpoint through the SDK', async () => {
	const made = await stripe.webhookEndpoints.create({ url: 'http://127.0.0.1:1/x', enabled_events: ['*'],
		metadata: { a: '1' } });

	assert.match(made.secret, /^whsec_/);
	assert.equal((await stripe.webhookEndpoints.retrieve(made.id)).secret, undefined);
	assert.equal((await stripe.webhookEndpoints.update(made.id, { disabled: true })).status, 'disabled');
	assert.ok((await stripe.webhookEndpoints.list({ limit: 100 })).data.some(({ id }) => id === made.id));
	assert.equal((await stripe.webhookEndpoints.del(made.id)).deleted, true);
	assert.equal((await refusal(stripe.webhookEndpoints.retrieve(made.id))).statusCode, 404);
});

test('a change may be told by two events', async (t) => {
	const { id } = await intents.create({ amount: 100, currency: 'usd' });

	await fault(t, { kind: 'event_twice', path: `/v1/payment_intents/${id}`, event_type: 'payment_intent.canceled', times: 1 });
	await intents.cancel(id);
	const events = await told(id);
	assert.deepEqual(events.map(({ type }) => type),
	    ['payment_intent.created', 'payment_intent.canceled', 'payment_intent.canceled']);
	assert.notEqual(events[1].id, events[2].id);
	assert.deepEqual(events[1].data, events[2].data);
});

test('the SDK\'s own retries get through what goes wrong, and it happens once', async (t) => {
	const patient = client({ maxNetworkRetries: 3, timeout: 1000 });

	for (const kind of ['error_before', 'drop', 'stall']) {
		const { id } = await intents.create({ amount: 300, currency: 'usd' });
		const path = `/v1/payment_intents/${id}/confirm`;
		await fault(t, { kind, path, times: 1, ...(kind === 'stall' ? { ms: 3000 } : {}) });
		const paid = await patient.paymentIntents.confirm(id, { payment_method: 'pm_card_visa' });
		assert.equal(paid.status, 'succeeded', kind);
		assert.equal((await stripe.charges.list({ payment_intent: id })).data.length, 1, kind);
		assert.equal(paid.lastResponse.headers['idempotent-replayed'], kind === 'error_before' ? undefined : 'true');
	}
});

test('while a key is in use the SDK waits its turn', async (t) => {
	const { id } = await intents.create({ amount: 300, currency: 'usd' });
	const idempotencyKey = uniqueKey();
	const path = `/v1/payment_intents/${id}`;

	await fault(t, { kind: 'delay', path, ms: 1200, times: 1 });
	const send = (who) => who.paymentIntents.update(id, { description: 'x' }, { idempotencyKey });
	const [one, other] = await Promise.all([send(client({ maxNetworkRetries: 5 })), send(client({ maxNetworkRetries: 5 }))]);
	assert.deepEqual(one, other);
	const reused = await refusal(stripe.paymentIntents.update(id, { description: 'y' }, { idempotencyKey }));
	assert.ok(reused instanceof Stripe.errors.StripeIdempotencyError);
	assert.equal(reused.code, undefined);
});

test('a limit is told, and not retried by the SDK', async (t) => {
	const { id } = await intents.create({ amount: 300, currency: 'usd' });

	await fault(t, { kind: 'rate_limit', path: `/v1/payment_intents/${id}`, times: 1, reason: 'resource-specific' });
	const error = await refusal(client({ maxNetworkRetries: 3 }).paymentIntents.retrieve(id));
	assert.ok(error instanceof Stripe.errors.StripeRateLimitError);
	assert.deepEqual([error.code, error.headers['stripe-rate-limited-reason']], ['rate_limit', 'resource-specific']);
	assert.equal((await intents.retrieve(id)).id, id);
});

test('a keyed refusal says which request it was', async () => {
	const error = await refusal(intents.create({ amount: 'x', currency: 'usd' }, { idempotencyKey: uniqueKey() }));

	assert.deepEqual([error.headers['original-request'], error.headers['stripe-should-retry']],
	    [error.requestId, 'false']);
});
