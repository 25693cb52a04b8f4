import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { refusesBadTokens } from '../../lib/bad.mjs';
import { assertMembers, assertPagination, assertTimes, cents, customer, lines, newAdmin, order, pay, place, product, seller } from '../../lib/shop.mjs';
import { rows, run, value } from '../../lib/sql.mjs';
import { deliver, dispute, disputeStory, event } from '../../lib/webhook.mjs';

const PATH = '/api/admin/disputes';
const MEMBERS = ['id', 'stripe_dispute_id', 'order_id', 'stripe_payment_intent_id', 'stripe_charge_id', 'amount', 'currency',
    'reason', 'status', 'funds', 'evidence_due_by', 'created_at', 'updated_at'];
let buyer;
let boss;
let lamp;

before(async () => {
	buyer = await customer();
	boss = await newAdmin();
	lamp = await product(await seller(), { stock_quantity: 1000 });
});

async function paid() {
	const placed = await place(buyer, lines([lamp.id, 1]));
	return pay(buyer, placed);
}

const amountOf = (of) => cents(of.total_amount);
const disputed = (of, more) => dispute(of.payment.paymentIntentId, amountOf(of), more);
const told = (what) => deliver(what, { expect: 200 });
const listed = async (of) => (await boss.get(`${PATH}?order=${of.id}`)).disputes;
const movements = (of) => rows`SELECT kind, debit, credit, amount, currency FROM payments.ledger
                                WHERE order_id = ${of.id} AND kind LIKE 'dispute%' ORDER BY kind`;
const taken = (of) => ({ kind: 'dispute', debit: 'disputed', credit: 'stripe', amount: amountOf(of), currency: 'USD' });
const back = (of) => ({ kind: 'dispute_reversal', debit: 'stripe', credit: 'disputed', amount: amountOf(of), currency: 'USD' });
const status = async (of) => (await buyer.get(`/api/payments/order/${of.id}`)).dispute_status;

test('a dispute is shown to admins, with what it is about and until when', async () => {
	const of = await paid();
	const opened = disputed(of);
	assert.equal(await status(of), null);
	await told(event('charge.dispute.created', opened));

	const [found, ...others] = await listed(of);
	assert.deepEqual(others, []);
	assertMembers(found, MEMBERS, 'dispute');
	assertTimes(found, ['evidence_due_by', 'created_at', 'updated_at']);
	assert.deepEqual({ ...found, id: 0, evidence_due_by: 0, created_at: 0, updated_at: 0 }, {
		id: 0, stripe_dispute_id: opened.id, order_id: of.id, stripe_payment_intent_id: of.payment.paymentIntentId,
		stripe_charge_id: opened.charge, amount: of.total_amount, currency: 'USD', reason: 'product_not_received',
		status: 'needs_response', funds: 'untouched', evidence_due_by: 0, created_at: 0, updated_at: 0 });
	assert.equal(Date.parse(found.evidence_due_by), opened.evidence_details.due_by * 1000);
	assert.equal(await status(of), 'needs_response');
	assert.deepEqual(await movements(of), []);
	assert.equal((await order(buyer, of.id)).status, 'paid', 'the order goes on');
});

test('one that is lost takes the money, one that is won gives it back', async () => {
	for (const [end, moved, funds] of [
		['lost', (of) => [taken(of)], 'withdrawn'],
		['won', (of) => [taken(of), back(of)], 'reinstated'],
	]) {
		const of = await paid();
		for (const next of disputeStory(disputed(of), end))
			await told(next);
		const [found] = await listed(of);
		assert.equal(found.status, end);
		assert.equal(found.funds, funds);
		assert.equal(await status(of), end);
		assert.deepEqual(await movements(of), moved(of));
	}
});

/* All orders of three things, and many of more. */
function orders(list, most) {
	if (list.length <= 1)
		return [list];
	const all = list.flatMap((first, i) => orders(list.filter((_, k) => k !== i), most).map((rest) => [first, ...rest]));
	return all.length <= most ? all : all.filter((_, i) => i % Math.ceil(all.length / most) === 0);
}

test('in whatever order, however often and at once it is told, it ends the same', async () => {
	for (const end of ['won', 'lost'])
		for (const shuffled of orders([0, 1, 2, 3, 4].slice(0, end === 'won' ? 5 : 4), 6)) {
			const of = await paid();
			const story = disputeStory(disputed(of), end);
			for (const i of shuffled)
				await Promise.all([told(story[i]), told(story[i])]);
			await Promise.all(story.map(told));
			/* Stripe may make two events of one change. */
			await Promise.all(story.map((one) => told({ ...one, id: `${one.id}_again` })));
			const found = await listed(of);
			assert.equal(found.length, 1);
			assert.equal(found[0].status, end, `${shuffled}`);
			assert.deepEqual(await movements(of), end === 'won' ? [taken(of), back(of)] : [taken(of)], `${shuffled}`);
		}
});

test('where Stripe shows no movements, its words do', async () => {
	const of = await paid();
	const opened = disputed(of, { balance_transactions: null });
	const at = opened.created;
	await told(event('charge.dispute.closed', { ...opened, status: 'won' }, { created: at + 5 }));
	assert.deepEqual(await movements(of), [], 'nothing says that it was taken');
	await told(event('charge.dispute.funds_withdrawn', opened, { created: at }));
	assert.deepEqual(await movements(of), [taken(of), back(of)], 'taken once, and it is won');
	assert.equal((await listed(of))[0].status, 'won');
});

test('an inquiry moves no money, and may become a dispute', async () => {
	const of = await paid();
	const asked = disputed(of, { status: 'warning_needs_response' });
	await told(event('charge.dispute.created', asked, { created: asked.created - 50 }));
	assert.deepEqual(await movements(of), []);
	assert.equal((await listed(of))[0].funds, 'untouched');
	await told(event('charge.dispute.updated', { ...asked, status: 'needs_response' }, { created: asked.created - 10 }));
	await told(event('charge.dispute.funds_withdrawn', { ...asked, status: 'needs_response' }, { created: asked.created - 10 }));
	await told(event('charge.dispute.updated', { ...asked, status: 'warning_under_review' }, { created: asked.created - 30 }));
	assert.equal((await listed(of))[0].status, 'needs_response');
	assert.deepEqual(await movements(of), [taken(of)]);
});

test('a part of a payment, and a second dispute over the rest', async () => {
	const of = await paid();
	const [first, second] = [disputed(of, { amount: 100 }), disputed(of, { amount: amountOf(of) - 100 })];
	for (const next of [...disputeStory(first, 'lost'), ...disputeStory(second, 'won')])
		await told(next);
	assert.deepEqual((await listed(of)).map((d) => [d.amount, d.status]).sort(),
	    [['1.00', 'lost'], [`${((amountOf(of) - 100) / 100).toFixed(2)}`, 'won']].sort());
	assert.equal(await value`SELECT sum(amount) FROM payments.posting WHERE order_id = ${of.id}`, 0);
	assert.equal(await value`SELECT sum(amount) FROM payments.posting WHERE order_id = ${of.id} AND account = 'disputed'`, 100);
});

test('a dispute of nobody\'s payment is kept, and applied once it is known whose', async () => {
	const of = await paid();
	const strange = dispute('pi_of_another_shop', 500);
	const early = event('charge.dispute.created', strange);
	await told(early);
	assert.equal(await value`SELECT outcome FROM payments.webhook_event WHERE id = ${early.id}`, 'foreign');
	assert.equal(await value`SELECT count(*) FROM payments.dispute WHERE stripe_dispute_id = ${strange.id}`, 0);
	await told(early);
	assert.equal(await value`SELECT outcome FROM payments.webhook_event WHERE id = ${early.id}`, 'foreign');

	const known = event('charge.dispute.created', disputed(of));
	await run`INSERT INTO payments.webhook_event (id, type, payload, outcome)
	          VALUES (${known.id}, ${known.type}, ${JSON.stringify(known)}, 'foreign')`;
	await told(known);
	assert.equal((await listed(of)).length, 1);
	assert.equal(await value`SELECT outcome FROM payments.webhook_event WHERE id = ${known.id}`, 'noted');
});

test('a dispute that makes no sense changes nothing', async () => {
	const of = await paid();
	for (const odd of [{ amount: -5 }, { amount: 0 }, { amount: 'x' }, { amount: null }, { amount: 1e15 }, { currency: 'dollars' }, { currency: null },
	    { id: 'a b' }, { id: 5.5 }, { status: 'Won!' }, { status: null }]) {
		const strange = event('charge.dispute.created', disputed(of, odd));
		await told(strange);
		assert.equal(await value`SELECT outcome FROM payments.webhook_event WHERE id = ${strange.id}`, 'mismatch', JSON.stringify(odd));
	}
	for (const odd of [{ balance_transactions: {} }, { balance_transactions: [null, 5, 'x', [], { amount: {} }] }, { evidence_details: 5 },
	    { evidence_details: { due_by: 'soon' } }, { evidence_details: { due_by: 1e10 } }, { reason: 'x'.repeat(5000) }, { charge: null }])
		await told(event('charge.dispute.created', disputed(of, odd)));
	assert.equal((await listed(of)).length, 7);
	assert.deepEqual(await movements(of), []);
});

test('the list is filtered and paged', async () => {
	const of = await paid();
	for (let i = 0; i < 3; i++)
		await told(event('charge.dispute.created', disputed(of, { amount: 100 + i, status: i === 1 ? 'under_review' : 'needs_response' })));
	const page = await boss.get(`${PATH}?order=${of.id}&status=needs_response`);
	assertPagination(page.pagination);
	assert.deepEqual(page.disputes.map(({ amount }) => amount), ['1.02', '1.00'], 'latest first');
	assert.equal(page.pagination.total, 2);
	const first = await boss.get(`${PATH}?order=${of.id}&limit=2`);
	const rest = await boss.get(`${PATH}?order=${of.id}&limit=2&cursor=${first.pagination.next_cursor}`);
	assert.deepEqual([...first.disputes, ...rest.disputes].map(({ amount }) => amount), ['1.02', '1.01', '1.00']);
	assert.equal(rest.pagination.next_cursor, null);
	assert.ok((await boss.get(PATH)).pagination.total >= 3);
});

test('only admins see it, and only what the filters allow is asked', async () => {
	for (const who of [buyer, await seller()])
		await who.refuse(403, 'forbidden', 'GET', PATH);
	await boss.refuse(400, 'malformed_request', 'GET', `${PATH}?limit=%zz`);
	await boss.refuseFields(['status', 'order', 'page', 'limit', 'cursor'], 'GET', `${PATH}?status=open&order=x&page=0&limit=101&cursor=-1`);
});

test('who is no admin any more sees none, though their token says so', async () => {
	const was = await newAdmin();
	await run`UPDATE users.account SET role = 'customer' WHERE id = ${was.id}`;
	const answer = await was.call('GET', PATH);
	assert.ok([200, 401, 403].includes(answer.status));
	assert.deepEqual(answer.json.disputes ?? [], []);
});

refusesBadTokens('GET', PATH, () => newAdmin());
