import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { refusesBadTokens } from '../../lib/bad.mjs';
import { assertPagination, customer, newAdmin, seller, unique } from '../../lib/shop.mjs';
import { run } from '../../lib/sql.mjs';

const PATH = '/api/admin/payments/drift';
const order = 4000000000 + Math.floor(Math.random() * 1e9);	/* nobody's */
let boss;

before(async () => {
	boss = await newAdmin();
	for (const [kind, ours, theirs, currency] of [['captured', 100, 200, 'USD'], ['refunded', 0, 1999, 'JPY'], ['mismatch', 1250, 1240, 'KWD'],
	    ['event', null, null, null]])
		await run`INSERT INTO payments.drift (kind, stripe_id, order_id, ours, theirs, currency, detail)
		          VALUES (${kind}, ${`pi_${unique()}`}, ${order}, ${ours}, ${theirs}, ${currency}, 'A test')`;
});

test('differences are listed latest first, each in its currency', async () => {
	const page = await boss.get(`${PATH}?order=${order}`);
	assertPagination(page.pagination);
	assert.deepEqual(page.drift.map(({ kind, ours, theirs, currency, detail }) => [kind, ours, theirs, currency, detail]), [
		['event', null, null, null, 'A test'],
		['mismatch', '1.250', '1.240', 'KWD', 'A test'],
		['refunded', '0', '1999', 'JPY', 'A test'],
		['captured', '1.00', '2.00', 'USD', 'A test'],
	]);
});

test('the list is filtered and paged', async () => {
	const only = await boss.get(`${PATH}?order=${order}&kind=refunded`);
	assert.deepEqual(only.drift.map(({ kind }) => kind), ['refunded']);
	const first = await boss.get(`${PATH}?order=${order}&limit=3`);
	const rest = await boss.get(`${PATH}?order=${order}&limit=3&cursor=${first.pagination.next_cursor}`);
	assert.equal(first.pagination.total, 4);
	assert.deepEqual(rest.drift.map(({ kind }) => kind), ['captured']);
	assert.equal(rest.pagination.next_cursor, null);
});

test('only admins see it, and only what the filters allow is asked', async () => {
	for (const who of [await customer(), await seller()])
		await who.refuse(403, 'forbidden', 'GET', PATH);
	await boss.refuse(400, 'malformed_request', 'GET', `${PATH}?limit=%zz`);
	await boss.refuseFields(['kind', 'order', 'page', 'limit', 'cursor'], 'GET', `${PATH}?kind=all&order=0&page=0&limit=0&cursor=x`);
});

test('who is no admin any more sees none, though their token says so', async () => {
	const was = await newAdmin();
	await run`UPDATE users.account SET role = 'customer' WHERE id = ${was.id}`;
	const answer = await was.call('GET', PATH);
	assert.ok([200, 401, 403].includes(answer.status));
	assert.deepEqual(answer.json.drift ?? [], []);
});

refusesBadTokens('GET', PATH, () => newAdmin());
