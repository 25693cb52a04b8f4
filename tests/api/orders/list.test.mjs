import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { refusesBadTokens } from '../../lib/bad.mjs';
import { admin, assertMembers, assertOrder, assertPagination, customer, lines, newAdmin, pay, place, product, seller } from '../../lib/shop.mjs';

const PATH = '/api/orders';
let owner;
let buyer;
let placed;	/* oldest first */
const ids = (answer) => answer.orders.map((found) => found.id);
const newest = () => placed.map((made) => made.id).reverse();

before(async () => {
	owner = await seller();
	buyer = await customer();
	const lamp = await product(owner);
	placed = [];
	for (let i = 0; i < 7; i++)
		placed.push(await place(buyer, lines([lamp.id, i + 1])));
	await pay(buyer, placed[2]);
	await place(await customer(), lines([lamp.id, 1]));
});

test('one\'s own orders, newest first', async () => {
	const answer = await buyer.get(PATH);

	assertMembers(answer, ['orders', 'pagination']);
	assertPagination(answer.pagination);
	assert.equal(answer.pagination.total, 7);
	assert.deepEqual(ids(answer), newest());
	answer.orders.forEach(assertOrder);
	assert.deepEqual(answer.orders[0], await buyer.get(`${PATH}/${placed[6].id}`));
});

test('somebody without orders has none', async () => {
	const answer = await (await customer()).get(PATH);
	assert.deepEqual(answer.orders, []);
	assert.equal(answer.pagination.total, 0);
	assert.equal(answer.pagination.totalPages, 0);
	assert.equal(answer.pagination.next_cursor, null);
});

test('pages and cursors meet every order exactly once', async () => {
	let met = [];
	for (let page = 1; page <= 3; page++) {
		const answer = await buyer.get(`${PATH}?page=${page}&limit=3`);
		assert.equal(answer.pagination.totalPages, 3);
		met.push(...ids(answer));
	}
	assert.deepEqual(met, newest());

	met = [];
	let cursor = '';
	do {
		const answer = await buyer.get(`${PATH}?limit=2${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
		met.push(...ids(answer));
		cursor = answer.pagination.next_cursor;
		assert.ok(met.length <= 7);
	} while (cursor !== null);
	assert.deepEqual(met, newest());
});

test('a status filters, and the total is of the filter', async () => {
	const paid = await buyer.get(`${PATH}?status=paid`);
	assert.deepEqual(ids(paid), [placed[2].id]);
	assert.equal(paid.pagination.total, 1);
	const confirmed = await buyer.get(`${PATH}?status=confirmed&limit=2`);
	assert.equal(confirmed.pagination.total, 6);
	assert.equal((await buyer.get(`${PATH}?status=delivered`)).pagination.total, 0);
});

test('a seller sees the orders with their items, by asking', async () => {
	const answer = await owner.get(`${PATH}?seller=me`);
	assert.equal(answer.pagination.total, 8);
	for (const found of answer.orders)
		assert.equal(found.payment?.clientSecret ?? null, null, 'a client secret is the buyer\'s');
	assert.deepEqual((await owner.get(PATH)).orders, []);
	assert.equal((await (await seller()).get(`${PATH}?seller=me`)).pagination.total, 0);
});

test('an admin sees a user\'s', async () => {
	const boss = await admin();
	const answer = await boss.get(`${PATH}?user=${buyer.id}`);
	assert.deepEqual(ids(answer), newest());
	for (const found of answer.orders)
		assert.equal(found.payment?.clientSecret ?? null, null);
	assert.equal((await boss.get(`${PATH}?user=${buyer.id}&status=paid`)).pagination.total, 1);
});

test('an admin sees everybody\'s by asking, and their own without', async () => {
	const boss = await newAdmin();
	assert.deepEqual((await boss.get(PATH)).orders, []);
	assert.equal((await boss.get(`${PATH}?all=false`)).pagination.total, 0);
	const everybody = await boss.get(`${PATH}?all=true&limit=100`);
	assertPagination(everybody.pagination);
	assert.ok(everybody.pagination.total >= 8);
	assert.ok(everybody.orders.every((found, i, all) => i === 0 || found.id < all[i - 1].id));
	for (const id of newest())
		assert.ok(id < everybody.orders.at(-1).id || ids(everybody).includes(id));
	assert.ok((await boss.get(`${PATH}?all=true&status=paid&limit=100`)).orders.every(({ status }) => status === 'paid'));
	assert.deepEqual(ids(await boss.get(`${PATH}?all=true&user=${buyer.id}`)), newest());
	for (const who of [buyer, owner])
		await who.refuse(403, 'forbidden', 'GET', `${PATH}?all=true`);
});

test('a seller\'s list filters, too, and an order of several lines is in it once', async () => {
	const vendor = await seller();
	const goods = [await product(vendor), await product(vendor), await product(owner)];
	const made = [];
	for (let i = 0; i < 5; i++)
		made.push(await place(buyer, lines(...goods.map(({ id }) => [id, 1]))));
	await pay(buyer, made[1]);
	const mine = made.map(({ id }) => id).reverse();
	assert.deepEqual(ids(await vendor.get(`${PATH}?seller=me`)), mine);
	const paid = await vendor.get(`${PATH}?seller=me&status=paid`);
	assert.deepEqual([ids(paid), paid.pagination.total], [[made[1].id], 1]);
	const first = await vendor.get(`${PATH}?seller=me&limit=3`);
	assert.deepEqual(ids(first), mine.slice(0, 3));
	const rest = await vendor.get(`${PATH}?seller=me&limit=3&cursor=${first.pagination.next_cursor}`);
	assert.deepEqual([ids(rest), rest.pagination.next_cursor], [mine.slice(3), null]);
	const boss = await newAdmin();
	assert.equal((await boss.get(`${PATH}?seller=me&user=${buyer.id}`)).pagination.total, 0);
	await vendor.refuse(403, 'forbidden', 'GET', `${PATH}?seller=me&user=${buyer.id}`);
	for (const { id } of made)
		await buyer.call('POST', `/api/orders/${id}/cancel`, { json: {}, expect: 200 });
	assert.equal((await vendor.get(`${PATH}?seller=me&status=cancelled`)).pagination.total, 5);
	placed = placed.concat(made);
});

test('nobody else sees a user\'s', async () => {
	const other = await customer();
	for (const who of [other, owner]) {
		const answer = await who.call('GET', `${PATH}?user=${buyer.id}`);
		assert.ok(answer.status === 403 || answer.status === 400
		    || (answer.status === 200 && answer.json.orders.length === 0), answer.text);
	}
});

test('parameters out of bounds are 400, all at once', async () => {
	await buyer.refuseFields(['page', 'limit', 'status'], 'GET', `${PATH}?page=-1&limit=0&status=lost`);
	await buyer.refuseFields(['cursor'], 'GET', `${PATH}?cursor=nonsense`);
	await buyer.refuseFields(['seller'], 'GET', `${PATH}?seller=you`);
	await (await admin()).refuseFields(['user'], 'GET', `${PATH}?user=abc`);
	for (const bad of ['status=%', 'status=%zz', 'status=%00'])
		await buyer.refuse(400, 'malformed_request', 'GET', `${PATH}?${bad}`);
});

let somebody;
refusesBadTokens('GET', PATH, async () => somebody ??= await customer());
