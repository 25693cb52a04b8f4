import assert from 'node:assert/strict';
import test from 'node:test';
import { assertError, eventTypes, get, paidIntent, post, read, until, write } from './stripe.mjs';

test('without an amount the rest is refunded', async () => {
	const intent = await paidIntent();
	const refund = await write('/v1/refunds', { payment_intent: intent.id,
		reason: 'requested_by_customer', metadata: { a: 1 } });

	assert.match(refund.id, /^re_3[A-Za-z0-9]{23}$/);
	assert.match(refund.balance_transaction, /^txn_3/);
	const { id, balance_transaction, created, ...rest } = refund;
	assert.deepEqual(rest, {
		object: 'refund', amount: 2000, charge: intent.latest_charge, currency: 'usd', customer: null,
		customer_account: null, destination_details: { card: { reference_status: 'pending',
			reference_type: 'acquirer_reference_number', type: 'refund' }, type: 'card' },
		metadata: { a: '1' }, payment_intent: intent.id, payment_method: intent.payment_method,
		reason: 'requested_by_customer', receipt_number: null, source_transfer_reversal: null,
		status: 'succeeded', transfer_reversal: null,
	});
	const charge = await read(`/v1/charges/${intent.latest_charge}`, { expand: ['refunds'] });
	assert.deepEqual([charge.refunded, charge.amount_refunded, charge.refunds.data[0].id],
	    [true, 2000, refund.id]);
	assert.equal((await read(`/v1/payment_intents/${intent.id}`)).status, 'succeeded');
	assertError(await post('/v1/refunds', { payment_intent: intent.id }), 400,
	    { code: 'charge_already_refunded', message: `Charge ${charge.id} has already been refunded.` });
});

test('in parts, never more than there is', async () => {
	const intent = await paidIntent({ amount: 2500 });
	const charge = intent.latest_charge;

	assertError(await post('/v1/refunds', { charge, amount: 3000 }), 400, { code: undefined, param: 'amount',
		message: 'Refund amount ($30.00) is greater than unrefunded amount on charge ($25.00)' });
	const first = await write('/v1/refunds', { charge, amount: 1000 });
	assert.equal((await read(`/v1/charges/${charge}`)).refunded, false);
	assertError(await post('/v1/refunds', { charge, amount: 1501 }), 400, { code: undefined, param: 'amount' });
	const second = await write('/v1/refunds', { charge, expand: ['charge.payment_intent'] });
	assert.deepEqual([second.amount, second.charge.amount_refunded, second.charge.payment_intent.id],
	    [1500, 2500, intent.id]);

	/* A filtered list is this test's alone: exact pages. */
	const list = (params) => read('/v1/refunds', { payment_intent: intent.id, ...params });
	const all = await list();
	assert.deepEqual(all.data.map(({ id }) => id), [second.id, first.id]);
	assert.deepEqual([all.has_more, all.url, (await list({ limit: 1 })).has_more], [false, '/v1/refunds', true]);
	assert.deepEqual((await list({ starting_after: second.id })).data.map(({ id }) => id), [first.id]);
	assert.deepEqual((await list({ ending_before: first.id })).data.map(({ id }) => id), [second.id]);
	assert.equal((await read('/v1/refunds', { charge })).data.length, 2);
});

test('of refunds at once, no more than the charge gets through', async () => {
	const intent = await paidIntent();
	const answers = await Promise.all(Array.from({ length: 5 },
	    () => post('/v1/refunds', { payment_intent: intent.id, amount: 900 })));

	assert.equal(answers.filter(({ status }) => status === 200).length, 2);
	assert.equal((await read(`/v1/charges/${intent.latest_charge}`)).amount_refunded, 1800);
});

test('what cannot be refunded', async () => {
	const intent = await paidIntent();

	assertError(await post('/v1/refunds'), 400, { code: undefined, message:
		'One of the following params should be provided for this request: payment_intent or charge.' });
	assertError(await post('/v1/refunds', { charge: 'ch_x' }), 404,
	    { code: 'resource_missing', param: 'id', message: 'No such charge: \'ch_x\'' });
	assertError(await post('/v1/refunds', { payment_intent: 'pi_x' }), 404,
	    { code: 'resource_missing', message: 'No such payment_intent: \'pi_x\'' });
	for (const amount of [0, -5])
		assertError(await post('/v1/refunds', { payment_intent: intent.id, amount }), 400,
		    { code: 'parameter_invalid_integer', param: 'amount' });
	assertError(await post('/v1/refunds', { payment_intent: intent.id, reason: 'because' }), 400, {
		code: undefined, param: 'reason',
		message: 'Invalid reason: must be one of duplicate, fraudulent, or requested_by_customer' });
	assertError(await get('/v1/refunds/re_x'), 404, { code: 'resource_missing', message: 'No such refund: \'re_x\'' });
	assertError(await get('/v1/charges/ch_x'), 404, { code: 'resource_missing', message: 'No such charge: \'ch_x\'' });
});

test('metadata can be written, and the reference arrives later', async () => {
	const intent = await paidIntent();
	const { id } = await write('/v1/refunds', { payment_intent: intent.id });

	assert.deepEqual((await write(`/v1/refunds/${id}`, { metadata: { a: 1 } })).metadata, { a: '1' });
	const done = await until('the reference', async () => {
		const refund = await read(`/v1/refunds/${id}`);
		return refund.destination_details.card.reference_status === 'available' ? refund : null;
	});
	assert.match(done.destination_details.card.reference, /^[0-9]{16}$/);
	const types = await eventTypes((o) => o.id === id || o.id === intent.latest_charge);
	for (const type of ['refund.created', 'charge.refunded', 'refund.updated', 'charge.refund.updated'])
		assert.ok(types.includes(type), `${type} in ${types}`);
	assert.ok(types.indexOf('refund.created') < types.indexOf('charge.refunded'));
});

test('a refund may start pending, or fail later and give the money back', async () => {
	const slow = await paidIntent({ payment_method: 'pm_card_pendingRefund' });
	const bad = await paidIntent({ payment_method: 'pm_card_refundFail' });
	const pending = await write('/v1/refunds', { payment_intent: slow.id });
	const failing = await write('/v1/refunds', { payment_intent: bad.id });

	assert.deepEqual([pending.status, failing.status], ['pending', 'succeeded']);
	const becomes = (id, status) => until(status, async () =>
	    (await read(`/v1/refunds/${id}`)).status === status);
	await becomes(pending.id, 'succeeded');
	await becomes(failing.id, 'failed');
	assert.equal((await read(`/v1/charges/${bad.latest_charge}`)).amount_refunded, 0);
});
