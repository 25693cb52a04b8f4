import assert from 'node:assert/strict';
import test from 'node:test';
import { post, receiver } from './stripe.mjs';
import { pay, refusal, stripe, told, toldTypes } from './sdk.mjs';

const disputeOf = async ({ id }) => (await stripe.disputes.list({ payment_intent: id })).data[0];
const charge = (id) => stripe.charges.retrieve(id);

test('a disputed charge: the dispute is there at once, and the money gone', async () => {
	const intent = await pay('pm_card_createDispute', { metadata: { order_id: '7' } });
	const dispute = await disputeOf(intent);

	assert.equal(intent.status, 'succeeded');
	assert.match(dispute.id, /^du_1[A-Za-z0-9]{23}$/);
	const { id, balance_transactions: moved, created, evidence, evidence_details: details, ...rest } = dispute;
	assert.deepEqual(rest, { object: 'dispute', amount: 2000, charge: intent.latest_charge, currency: 'usd',
		enhanced_eligibility_types: [], is_charge_refundable: false, livemode: false, metadata: {},
		payment_intent: intent.id, payment_method_details: { card: { brand: 'visa', case_type: 'chargeback',
			network_reason_code: '10.4' }, type: 'card' }, reason: 'fraudulent', status: 'needs_response' });
	assert.ok(created >= intent.created);
	assert.equal(Object.keys(evidence).length, 28);
	assert.ok(Object.entries(evidence).every(([name, value]) => value === null || name === 'enhanced_evidence'));
	assert.ok(details.due_by > created);
	assert.deepEqual([details.has_evidence, details.past_due, details.submission_count], [false, false, 0]);
	assert.deepEqual(moved.map((one) => [one.amount, one.fee, one.net, one.reporting_category, one.source, one.type]),
	    [[-2000, 1500, -3500, 'dispute', id, 'adjustment']]);
	assert.deepEqual(await stripe.balanceTransactions.retrieve(moved[0].id), moved[0]);
	assert.equal((await charge(intent.latest_charge)).disputed, true);

	const events = await told(intent.id);
	assert.deepEqual(events.map(({ type }) => type).slice(0, 5), ['payment_intent.created', 'charge.succeeded',
		'payment_intent.succeeded', 'charge.dispute.created', 'charge.dispute.funds_withdrawn']);
	assert.deepEqual(events[3].request, { id: null, idempotency_key: null });
	assert.deepEqual(events[3].data.object, dispute);
});

test('it is told by webhook', async (t) => {
	const { next } = await receiver(t, ['charge.dispute.created']);
	const intent = await pay('pm_card_createDisputeProductNotReceived');
	const [{ event }] = await next(1, (delivery) => delivery.event.data.object.payment_intent === intent.id);

	assert.equal(event.data.object.reason, 'product_not_received');
});

test('an inquiry takes no money, and a refund of everything ends it', async () => {
	const intent = await pay('pm_card_createDisputeInquiry');
	const dispute = await disputeOf(intent);

	assert.deepEqual([dispute.status, dispute.is_charge_refundable, dispute.balance_transactions,
		dispute.payment_method_details.card.case_type], ['warning_needs_response', true, [], 'inquiry']);
	assert.equal((await charge(intent.latest_charge)).disputed, true);
	await stripe.refunds.create({ payment_intent: intent.id, amount: 500 });
	assert.equal((await stripe.disputes.retrieve(dispute.id)).status, 'warning_needs_response');
	await stripe.refunds.create({ payment_intent: intent.id });
	assert.equal((await stripe.disputes.retrieve(dispute.id)).status, 'warning_closed');
	assert.deepEqual(await toldTypes(intent.id, 'charge.dispute.*'), ['charge.dispute.created', 'charge.dispute.closed']);
});

for (const [said, status, last, moved] of [
	['winning_evidence', 'won', ['charge.dispute.funds_reinstated', 'charge.dispute.closed'], [-2000, 2000]],
	['losing_evidence', 'lost', ['charge.dispute.closed'], [-2000]],
	['we did ship it', 'under_review', [], [-2000]],
])
	test(`evidence: ${said}`, async () => {
		const intent = await pay('pm_card_createDispute');
		const { id } = await disputeOf(intent);
		const draft = await stripe.disputes.update(id,
		    { evidence: { customer_name: 'A B', service_date: '2026-01-01' }, submit: false });

		assert.deepEqual([draft.status, draft.evidence.customer_name, draft.evidence_details.has_evidence,
			draft.evidence_details.submission_count], ['needs_response', 'A B', true, 0]);
		const done = await stripe.disputes.update(id, { evidence: { uncategorized_text: said, service_date: '' },
			metadata: { a: '1' } });
		assert.deepEqual([done.status, done.evidence.customer_name, done.evidence.service_date,
			done.evidence_details.submission_count, done.metadata], [status, 'A B', null, 1, { a: '1' }]);
		assert.deepEqual(done.balance_transactions.map(({ amount }) => amount), moved);
		assert.equal(done.is_charge_refundable, status === 'won');

		const events = await told(intent.id, 'charge.dispute.*');
		assert.deepEqual(events.map(({ type }) => type), ['charge.dispute.created', 'charge.dispute.funds_withdrawn',
			'charge.dispute.updated', 'charge.dispute.updated', ...last]);
		assert.deepEqual([events[3].data.object.status, events[3].data.previous_attributes.status],
		    ['under_review', 'needs_response']);
		assert.match(events[3].request.id, /^req_/);

		const again = await refusal(stripe.disputes.update(id, { evidence: { uncategorized_text: 'more' } }));
		assert.equal(again.statusCode, 400);
		assert.match(again.message, status === 'under_review' ? /already been submitted/ : /already closed/);
		assert.equal((await stripe.disputes.update(id, { metadata: { a: '' } })).metadata.a, undefined);
	});

test('an inquiry may become a chargeback', async () => {
	const intent = await pay('pm_card_createDisputeInquiry');
	const { id } = await disputeOf(intent);
	const grown = await stripe.disputes.update(id, { evidence: { uncategorized_text: 'escalate_inquiry_evidence' } });

	assert.deepEqual([grown.status, grown.balance_transactions.length, grown.is_charge_refundable],
	    ['needs_response', 1, false]);
	assert.equal((await stripe.disputes.update(id, { evidence: { uncategorized_text: 'winning_evidence' } })).status, 'won');
});

test('accepting a dispute loses it; it stays so', async () => {
	const intent = await pay('pm_card_createDispute');
	const { id } = await disputeOf(intent);

	assert.equal((await stripe.disputes.close(id)).status, 'lost');
	assert.match((await refusal(stripe.disputes.close(id))).message, /already closed/);
	assert.deepEqual((await toldTypes(intent.id, 'charge.dispute.*')).slice(-1), ['charge.dispute.closed']);
});

test('what is disputed cannot be refunded, what was won can', async () => {
	const intent = await pay('pm_card_createDispute');
	const { id } = await disputeOf(intent);
	const refused = await refusal(stripe.refunds.create({ payment_intent: intent.id }));

	assert.deepEqual([refused.statusCode, refused.code, refused.type, refused.message],
	    [400, 'charge_disputed', 'StripeInvalidRequestError',
		`Charge ${intent.latest_charge} has been charged back; cannot issue a refund.`]);
	await stripe.disputes.update(id, { evidence: { uncategorized_text: 'winning_evidence' } });
	assert.equal((await stripe.refunds.create({ charge: intent.latest_charge })).amount, 2000);
});

test('money that is only held is disputed once it is taken', async () => {
	const intent = await pay('pm_card_createDispute', { capture_method: 'manual' });

	assert.equal(await disputeOf(intent), undefined);
	await stripe.paymentIntents.capture(intent.id, { amount_to_capture: 1500 });
	assert.equal((await disputeOf(intent)).amount, 1500);
});

test('they are listed by charge and intent, by cursor and with what they hold', async () => {
	const [first, second] = [await pay('pm_card_createDispute'), await pay('pm_card_createDispute')];
	const [older, newer] = [await disputeOf(first), await disputeOf(second)];
	const { data } = await stripe.disputes.list({ charge: first.latest_charge,
		expand: ['data.charge', 'data.payment_intent.latest_charge'] });

	assert.deepEqual(data.map(({ id }) => id), [older.id]);
	assert.deepEqual([data[0].charge.id, data[0].payment_intent.latest_charge.id],
	    [first.latest_charge, first.latest_charge]);
	const seen = [];
	for await (const { id } of stripe.disputes.list({ limit: 1, created: { gte: older.created } })) {
		seen.push(id);
		if (id === older.id)
			break;
	}
	assert.ok(seen.indexOf(newer.id) >= 0 && seen.indexOf(newer.id) < seen.indexOf(older.id));
	assert.deepEqual((await stripe.disputes.list({ charge: 'ch_x' })).data, []);
});

test('what is refused', async () => {
	const { id } = await disputeOf(await pay('pm_card_createDispute'));

	for (const call of [stripe.disputes.retrieve('du_x'), stripe.disputes.close('du_x'),
		stripe.disputes.update('du_x', { metadata: { a: '1' } })]) {
		const error = await refusal(call);
		assert.deepEqual([error.statusCode, error.code, error.message], [404, 'resource_missing', 'No such dispute: \'du_x\'']);
	}
	for (const [params, param] of [['evidence[nope]=1', 'evidence[nope]'], ['submit=perhaps', 'submit'],
		['evidence[receipt]=file_x', 'evidence[receipt]'], ['evidence=x', 'evidence'],
		[`evidence[uncategorized_text]=${'x'.repeat(20001)}`, 'evidence[uncategorized_text]'],
		['expand[]=wat', undefined]]) {
		const answer = await post(`/v1/disputes/${id}`, {}, { body: params });
		assert.deepEqual([answer.status, answer.json.error.param], [400, param], answer.text);
	}
	assert.equal((await stripe.disputes.retrieve(id)).evidence_details.has_evidence, false);
});
