import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { refusesBadBodies, refusesBadTokens } from '../../lib/bad.mjs';
import { call } from '../../lib/client.mjs';
import { mailsAreOut, mailsTo, mailTo } from '../../lib/mail.mjs';
import { assertMembers, assertPagination, assertProduct, assertTimes, customer, lines, newAdmin, pay, place, product, seller, stockOf } from '../../lib/shop.mjs';
import { rows, run } from '../../lib/sql.mjs';
import { Story } from '../../lib/story.mjs';

let owner;
let boss;
let made;
const at = (id = made.id) => `/api/products/${id}/stock`;
const adjust = async (change, reason, id = made.id) =>
	(await owner.call('POST', at(id), { json: { change, reason }, expect: 200 })).json;
const historyOf = async (id, query = '') => owner.get(`${at(id)}/history${query}`);

before(async () => {
	[owner, boss] = [await seller(), await newAdmin()];
	made = await product(owner, { stock_quantity: 10 });
});

test('goods come and go, and the log says who, when and why', async () => {
	const lamp = await product(owner, { stock_quantity: 10, cost_per_item: '1.00' });
	const more = await adjust(5, 'delivery', lamp.id);
	assertProduct(more, { own: true });
	assert.equal(more.stock_quantity, 15);
	const { json: fewer } = await boss.call('POST', at(lamp.id), { json: { change: -15, reason: 'fire' }, expect: 200 });
	assert.equal(fewer.stock_quantity, 0);
	assert.equal((await call('GET', `/api/products/${lamp.id}`, { expect: 200 })).json.stock_quantity, 0);
	assert.deepEqual(await stockOf(lamp.id), { received: 0, available: 0, reserved: 0, sold: 0 });

	const { history, pagination } = await historyOf(lamp.id);
	assertPagination(pagination);
	for (const entry of history) {
		assertMembers(entry, ['id', 'product_id', 'kind', 'quantity', 'change', 'balance', 'reason', 'order_id',
			'changed_by', 'created_at']);
		assertTimes(entry, ['created_at']);
		assert.equal(entry.product_id, lamp.id);
	}
	assert.deepEqual(history.map((entry) => [entry.kind, entry.quantity, entry.change, entry.balance, entry.reason, entry.changed_by]), [
		['adjusted', 15, -15, 0, 'fire', boss.id],
		['adjusted', 5, 5, 15, 'delivery', owner.id],
		['adjusted', 10, 10, 10, 'initial stock', owner.id]]);
});

test('orders move stock, and the log names them', async () => {
	const buyer = await customer();
	const lamp = await product(owner, { stock_quantity: 10 });
	const paid = await place(buyer, lines([lamp.id, 3]));
	await pay(buyer, paid);
	const story = await Story.begin({ stock: 5 });
	const unpaid = await story.place({ quantity: 2 });
	await story.expire();
	await story.until(unpaid.id, 'cancelled');

	const told = ({ history }) => history.map((entry) => [entry.kind, entry.quantity, entry.change, entry.balance, entry.order_id]);
	assert.deepEqual(told(await historyOf(lamp.id)), [['sold', 3, 0, 7, paid.id], ['reserved', 3, -3, 7, paid.id],
		['adjusted', 10, 10, 10, null]]);
	const { json } = await boss.call('GET', `${at(story.goods.id)}/history`, { expect: 200 });
	assert.deepEqual(told(json), [['released', 2, 2, 5, unpaid.id], ['reserved', 2, -2, 3, unpaid.id],
		['adjusted', 5, 5, 5, null]]);
	assert.ok(json.history.filter(({ kind }) => kind !== 'adjusted').every(({ changed_by: by, reason }) => by === null && reason === null));

	const { json: stock } = await owner.call('GET', at(lamp.id), { expect: 200 });
	assert.deepEqual(stock, { product_id: lamp.id, received: 10, available: 7, reserved: 0, sold: 3, low_stock_threshold: null });
});

test('no more can go than can be ordered', async () => {
	const lamp = await product(owner, { stock_quantity: 5 });
	await place(await customer(), lines([lamp.id, 2]));
	const answer = await owner.refuse(409, 'insufficient_stock', 'POST', at(lamp.id), { json: { change: -4, reason: 'x' } });
	assert.deepEqual(answer.json.products, [{ product_id: lamp.id, name: lamp.name, requested: 4, available: 3 }]);
	assert.equal((await historyOf(lamp.id)).history.length, 2);
	assert.equal((await adjust(-3, 'all that is left', lamp.id)).stock_quantity, 0);
	assert.deepEqual(await stockOf(lamp.id), { received: 2, available: 0, reserved: 2, sold: 0 });
});

test('a change is a number other than 0, with a reason', async () => {
	const refuse = (fields, json) => owner.refuseFields(fields, 'POST', at(), { json });
	await refuse(['change', 'reason'], {});
	await refuse(['change'], { change: 0, reason: 'x' });
	for (const change of [1.5, '5', null, true, 1000000001, -1000000001, 1e30, [1]])
		await refuse(['change'], { change, reason: 'x' });
	for (const reason of ['', '  ', null, 5, 'x'.repeat(201)])
		await refuse(['reason'], { change: 1, reason });
	await refuse(['product_id', 'balance'], { change: 1, reason: 'x', product_id: 1, balance: 5 });
	assert.equal((await stockOf(made.id)).received, 10);
});

test('one\'s own, an admin any: adjusting, looking, and the log', async () => {
	const [other, buyer] = [await seller(), await customer()];
	const json = { change: 1, reason: 'x' };
	for (const [method, path, options] of [['POST', at(), { json }], ['GET', at()], ['GET', `${at()}/history`]]) {
		await other.refuse(404, 'not_found', method, path, options);
		await buyer.refuse(403, 'forbidden', method, path, options);
		await boss.call(method, path, { ...options, expect: 200 });
	}
	for (const id of [999999999999, 'abc', 0]) {
		await owner.refuse(404, 'not_found', 'POST', at(id), { json });
		await owner.refuse(404, 'not_found', 'GET', at(id));
		await owner.refuse(404, 'not_found', 'GET', `${at(id)}/history`);
	}
});

test('If-Match', async () => {
	const { headers: { etag } } = await owner.call('GET', `/api/products/${made.id}`, { expect: 200 });
	const headers = { 'If-Match': etag };
	const first = await owner.call('POST', at(), { json: { change: 1, reason: 'x' }, headers, expect: 200 });
	await owner.refuse(412, 'precondition_failed', 'POST', at(), { json: { change: 1, reason: 'x' }, headers });
	await owner.call('POST', at(), { json: { change: -1, reason: 'x' }, headers: { 'If-Match': first.headers.etag }, expect: 200 });
});

test('the log is read page by page, by number and by cursor', async () => {
	const lamp = await product(owner, { stock_quantity: 1 });
	for (let i = 0; i < 9; i++)
		await adjust(1, `no ${i}`, lamp.id);
	const whole = (await historyOf(lamp.id, '?limit=100')).history.map(({ id }) => id);
	assert.deepEqual(whole, [...whole].sort((a, b) => b - a));
	const paged = [];
	for (let page = 1; page <= 4; page++) {
		const answer = await historyOf(lamp.id, `?limit=3&page=${page}`);
		assertPagination(answer.pagination);
		assert.equal(answer.pagination.total, 10);
		paged.push(...answer.history);
	}
	const walked = [];
	let cursor = '';
	do {
		const answer = await historyOf(lamp.id, `?limit=4${cursor && `&cursor=${cursor}`}`);
		walked.push(...answer.history);
		cursor = answer.pagination.next_cursor;
	} while (cursor !== null);
	for (const met of [paged, walked])
		assert.deepEqual(met.map(({ id }) => id), whole);
	await owner.refuseFields(['page', 'limit', 'cursor'], 'GET', `${at()}/history?page=0&limit=101&cursor=x`);
	await owner.refuse(400, 'malformed_request', 'GET', `${at()}/history?page=%zz`);
});

test('coming down to the threshold is told once, in the transaction that does it', async () => {
	const lamp = await product(owner, { stock_quantity: 10, low_stock_threshold: 4 });
	const told = () => rows`SELECT available, threshold FROM catalog.low_stock WHERE product_id = ${lamp.id} ORDER BY id`;
	const buyer = await customer();
	await place(buyer, lines([lamp.id, 5]));
	assert.deepEqual(await told(), []);
	await place(buyer, lines([lamp.id, 1]));
	assert.deepEqual(await told(), [{ available: 4, threshold: 4 }]);
	await place(buyer, lines([lamp.id, 1]));
	await adjust(-1, 'broken', lamp.id);
	assert.equal((await told()).length, 1);
	await owner.refuse(409, 'insufficient_stock', 'POST', at(lamp.id), { json: { change: -3, reason: 'x' } });
	await adjust(10, 'delivery', lamp.id);
	await owner.call('PUT', `/api/products/${lamp.id}`, { json: { stock_quantity: 0 }, expect: 200 });
	assert.deepEqual((await told()).at(-1), { available: 0, threshold: 4 });

	assert.equal((await owner.get(at(lamp.id))).low_stock_threshold, 4);
	await owner.call('PUT', `/api/products/${lamp.id}`, { json: { low_stock_threshold: null, stock_quantity: 9 }, expect: 200 });
	assert.equal((await owner.get(at(lamp.id))).low_stock_threshold, null);
	await adjust(-9, 'gone', lamp.id);
	assert.equal((await told()).length, 2);
});

test('its seller has a mail of it, one a day, where the address is known to be theirs', async () => {
	const [known, unknown] = [await seller(), await seller()];
	await run`UPDATE users.account SET email_verified = true WHERE id = ${known.id}`;
	for (const who of [unknown, known]) {
		const lamp = await product(who, { name: '<Lamp> & "more"', stock_quantity: 10, low_stock_threshold: 4 });
		for (const stock_quantity of [3, 10, 2])
			await who.call('PUT', `/api/products/${lamp.id}`, { json: { stock_quantity }, expect: 200 });
	}
	const mail = await mailTo(known.email, '<Lamp> & "more": 3 left');
	assert.match(mail.text, /"<Lamp> & "more"" there are 3 left/);
	assert.match(mail.html, /<b>&lt;Lamp&gt; &amp; /);
	await mailsAreOut();
	for (const [who, count] of [[known, 1], [unknown, 0]])
		assert.equal((await mailsTo(who.email)).filter(({ subject }) => / left$/.test(subject)).length, count);
});

test('40 at once take exactly what is there', async () => {
	const lamp = await product(owner, { stock_quantity: 30 });
	const answers = await Promise.all(Array.from({ length: 40 }, () =>
		owner.call('POST', at(lamp.id), { json: { change: -1, reason: 'x' } })));
	assert.deepEqual(answers.map(({ status }) => status).sort(), [...Array(30).fill(200), ...Array(10).fill(409)]);
	assert.deepEqual(await stockOf(lamp.id), { received: 0, available: 0, reserved: 0, sold: 0 });
	assert.deepEqual((await historyOf(lamp.id, '?limit=100')).history.map(({ balance }) => balance),
	    Array.from({ length: 31 }, (_, i) => i));
});

for (const [method, path] of [['POST', () => at()], ['GET', () => at()], ['GET', () => `${at()}/history`]])
	refusesBadTokens(method, path, async () => owner, method === 'POST' ? { json: { change: 1, reason: 'x' } } : {});
refusesBadBodies('POST', () => at(), () => owner.token);
