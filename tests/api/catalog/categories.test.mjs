import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { refusesBadBodies, refusesBadTokens } from '../../lib/bad.mjs';
import { call } from '../../lib/client.mjs';
import { assertMembers, assertTimes, CATEGORY, category, customer, newAdmin, product, seller, unique } from '../../lib/shop.mjs';
import { rows, value } from '../../lib/sql.mjs';

const PATH = '/api/categories';
let boss;
let owner;
let shelf;	/* nothing is on it */
const at = (id = shelf.id) => `${PATH}/${id}`;
const change = (id, json) => boss.call('PUT', at(id), { json });
const list = async () => (await call('GET', PATH, { expect: 200 })).json;
const listed = async (id) => (await list()).find((each) => each.id === id);
const productsOf = async (asked) => (await call('GET', `/api/products?category=${asked}&limit=100`, { expect: 200 }))
    .json.products.map(({ id }) => id);

before(async () => {
	[boss, owner] = [await newAdmin(), await seller()];
	shelf = await category(boss);
});

test('every category is listed', async () => {
	const json = await list();

	assert.ok(Array.isArray(json));
	assert.ok(json.length >= 10);
	for (const found of json) {
		assertMembers(found, CATEGORY, 'category');
		assertTimes(found, ['created_at', 'updated_at']);
		assert.ok(Number.isSafeInteger(found.id));
	}
	const stored = await rows`SELECT id FROM catalog.category`;
	assert.deepEqual(json.map(({ id }) => id).sort((a, b) => a - b), stored.map(({ id }) => id).sort((a, b) => a - b));
});

test('the list is cached and answers 304', async () => {
	const first = await call('GET', PATH, { expect: 200 });
	const second = await call('GET', PATH, { expect: 200 });

	assert.equal(second.headers['x-cache'], 'HIT');
	assert.equal(second.text, first.text);
	assert.match(first.headers['cache-control'], /\bpublic\b.*\bmax-age=\d+/);
	assert.ok(first.headers.vary);
	await call('GET', PATH, { headers: { 'If-None-Match': first.headers.etag }, expect: 304 });
});

test('an admin adds one, and it is in the next list', async () => {
	const name = `Teas & Herbs ${unique()}`;
	const { json } = await boss.call('POST', PATH, { json: { name, description: 'To drink', parent_id: shelf.id }, expect: 201 });
	assertMembers(json, CATEGORY, 'category');
	assert.deepEqual([json.name, json.description, json.parent_id], [name, 'To drink', shelf.id]);
	assert.match(json.slug, /^teas-herbs-[0-9a-f]+$/);
	assert.deepEqual(await listed(json.id), json);
	const bare = await category(boss);
	assert.deepEqual([bare.description, bare.parent_id], [null, null]);
});

test('slugs are unique, and never a number', async () => {
	const name = `Twin ${unique()}`;
	const twins = await Promise.all(Array.from({ length: 6 }, () => category(boss, { name })));
	const base = name.toLowerCase().replace(' ', '-');
	assert.deepEqual(twins.map(({ slug }) => slug).sort(), [base, ...[2, 3, 4, 5, 6].map((n) => `${base}-${n}`)]);
	assert.match((await category(boss, { name: '12' })).slug, /^category-12/);
	assert.match((await category(boss, { name: '茶' })).slug, /^category(-\d+)?$/);
});

test('only admins', async () => {
	for (const who of [owner, await customer()]) {
		await who.refuse(403, 'forbidden', 'POST', PATH, { json: { name: 'X' } });
		await who.refuse(403, 'forbidden', 'PUT', at(), { json: { name: 'X' } });
		await who.refuse(403, 'forbidden', 'DELETE', at());
	}
	assert.equal((await listed(shelf.id)).name, shelf.name);
});

test('bad values are named, all at once', async () => {
	const bad = { name: '', description: 5, parent_id: 'x', slug: 'mine', id: 1 };
	await boss.refuseFields(Object.keys(bad), 'POST', PATH, { json: bad });
	await boss.refuseFields(Object.keys(bad), 'PUT', at(), { json: bad });
	await boss.refuseFields(['name'], 'POST', PATH, { json: {} });
	await boss.refuseFields(['name', 'description'], 'POST', PATH, { json: { name: 'x'.repeat(101), description: 'x'.repeat(2001) } });
	await boss.refuseFields(['name'], 'PUT', at(), { json: { name: null } });
	await boss.refuseFields(['parent_id'], 'POST', PATH, { json: { name: 'X', parent_id: 999999999 } });
	await boss.refuseFields(['parent_id'], 'PUT', at(), { json: { parent_id: 999999999 } });
});

test('a change is in the next list, and in the next product', async () => {
	const there = await category(boss, { description: 'x', parent_id: shelf.id });
	const lamp = await product(owner, { category_id: there.id });
	const shown = async () => (await call('GET', `/api/products/${lamp.id}`, { expect: 200 })).json.category_name;
	assert.equal(await shown(), there.name);
	const name = `Renamed ${unique()}`;
	const { json } = await boss.call('PUT', at(there.id), { json: { name }, expect: 200 });
	assert.deepEqual([json.name, json.description, json.parent_id, json.slug], [name, 'x', shelf.id, there.slug]);
	assert.equal(await shown(), name);
	assert.deepEqual(await listed(there.id), json);
	const { json: cleared } = await boss.call('PUT', at(there.id), { json: { description: null, parent_id: null }, expect: 200 });
	assert.deepEqual([cleared.name, cleared.description, cleared.parent_id], [name, null, null]);
	for (const id of [999999999999, 'abc', 0])
		await boss.refuse(404, 'not_found', 'PUT', at(id), { json: { name } });
});

test('a category lists what is in it and below it, wherever it is moved', async () => {
	const [top, elsewhere] = [await category(boss), await category(boss)];
	const middle = await category(boss, { parent_id: top.id });
	const bottom = await category(boss, { parent_id: middle.id });
	const [a, b, c] = [await product(owner, { category_id: top.id }), await product(owner, { category_id: middle.id }),
		await product(owner, { category_id: bottom.id })];
	for (const asked of [top.id, top.slug])
		assert.deepEqual(await productsOf(asked), [c.id, b.id, a.id]);
	assert.deepEqual(await productsOf(middle.slug), [c.id, b.id]);
	assert.equal((await change(middle.id, { parent_id: elsewhere.id })).status, 200);
	assert.deepEqual(await productsOf(top.id), [a.id]);
	assert.deepEqual(await productsOf(elsewhere.id), [c.id, b.id]);
});

test('no category comes below itself', async () => {
	const top = await category(boss);
	const middle = await category(boss, { parent_id: top.id });
	const bottom = await category(boss, { parent_id: middle.id });
	for (const below of [top, middle, bottom])
		await boss.refuse(409, 'category_cycle', 'PUT', at(top.id), { json: { parent_id: below.id } });
	assert.equal((await listed(top.id)).parent_id, null);
	assert.equal((await change(bottom.id, { parent_id: top.id })).status, 200);
});

test('moves that would make a cycle only together do not', async () => {
	for (let round = 0; round < 10; round++) {
		const ring = await Promise.all(Array.from({ length: 4 }, () => category(boss)));
		const answers = await Promise.all(ring.map(({ id }, i) => change(id, { parent_id: ring[(i + 1) % 4].id })));
		assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 200, 409]);
	}
});

test('what is empty can go, and is gone', async () => {
	const there = await category(boss);
	assertMembers((await boss.call('DELETE', at(there.id), { expect: 200 })).json, ['message']);
	assert.equal(await listed(there.id), undefined);
	await boss.refuse(404, 'not_found', 'DELETE', at(there.id));
	await boss.refuse(404, 'not_found', 'DELETE', at('abc'));
	assert.deepEqual(await productsOf(there.slug), []);
});

test('who did what to a category is in the audit log', async () => {
	const there = await category(boss, { description: 'x' });
	const { json: after } = await boss.call('PUT', at(there.id), { json: { description: null }, expect: 200 });
	await boss.call('DELETE', at(there.id), { expect: 200 });
	const { entries } = await boss.get(`/api/admin/audit?target=category:${there.id}`);
	assert.deepEqual(entries.map((entry) => [entry.actor_id, entry.action, entry.before, entry.after]), [
		[boss.id, 'category.deleted', after, null], [boss.id, 'category.updated', there, after],
		[boss.id, 'category.created', null, there]]);
});

test('what is not empty stays', async () => {
	const top = await category(boss);
	const below = await category(boss, { parent_id: top.id });
	await boss.refuse(409, 'category_in_use', 'DELETE', at(top.id));
	const lamp = await product(owner, { category_id: below.id });
	await owner.call('PUT', `/api/products/${lamp.id}`, { json: { is_active: false }, expect: 200 });
	await boss.refuse(409, 'category_in_use', 'DELETE', at(below.id));
	/* Deleted products are nowhere any more. */
	await owner.call('DELETE', `/api/products/${lamp.id}`, { expect: 200 });
	await boss.call('DELETE', at(below.id), { expect: 200 });
	assert.equal(await value`SELECT category_id FROM catalog.product WHERE id = ${lamp.id}`, null);
	await boss.call('DELETE', at(top.id), { expect: 200 });
});

test('a product or a category that comes while its category goes makes no 500', async () => {
	for (let i = 0; i < 6; i++) {
		const there = await category(boss);
		const [gone, made] = await Promise.all([boss.call('DELETE', at(there.id)), i % 2
			? owner.call('POST', '/api/products', { json: { name: 'X', price: 1, category_id: there.id } })
			: boss.call('POST', PATH, { json: { name: `X ${unique()}`, parent_id: there.id } })]);
		assert.ok((gone.status === 200 && made.status === 400) || (gone.status === 409 && made.status === 201),
		    `${gone.status} ${made.status}`);
	}
});

refusesBadTokens('POST', PATH, async () => boss, { json: { name: 'X' } });
refusesBadTokens('PUT', () => at(), async () => boss, { json: { name: 'X' } });
refusesBadTokens('DELETE', () => at(), async () => boss);
refusesBadBodies('POST', PATH, () => boss.token);
refusesBadBodies('PUT', () => at(), () => boss.token);
