/*
 * What is held on a user: all of it shown to them, and erased when they go.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, newAddress, refuse } from '../../lib/client.mjs';
import { refusesBadBodies, refusesBadTokens } from '../../lib/bad.mjs';
import {
	ADDRESS, admin, assertMembers, assertOrder, assertTimes, assertUser, customer, lines, login, newKey,
	order, PASSWORD, pay, place, product, seller, unique,
} from '../../lib/shop.mjs';
import { one, raw, rows, run, value } from '../../lib/sql.mjs';

const PATH = '/api/users/profile';
const EXPORT = '/api/users/export';
const erase = (who, options) => who.call('DELETE', PATH, { json: { password: who.password }, expect: 200, ...options });
let somebody;
const person = async () => somebody ??= await customer();

/* Somebody whose name, address and words are like nobody's. */
async function marked() {
	const mark = `mark${unique()}`;
	const email = `${mark}@example.com`;
	const who = await customer();
	const key = newKey();

	/* An account whose answer is kept, for the sake of the copy in it. */
	await call('POST', '/api/auth/register', { key, expect: 201,
		json: { email, password: PASSWORD, first_name: `First ${mark}`, last_name: `Last ${mark}` } });
	const session = (await call('POST', '/api/auth/login', { json: { email, password: PASSWORD }, expect: 200,
		headers: { 'User-Agent': `Agent ${mark}` }, address: who.address })).json;
	Object.assign(who, { user: session.user, id: session.user.id, email, token: session.accessToken,
		refreshToken: session.refreshToken, mark });
	return who;
}

async function buys(who, goods) {
	const placed = await place(who, lines([goods.id, 1]), { key: newKey(), body: {
		...Object.fromEntries(Object.keys(ADDRESS).map((name) => [name, who.mark])) } });
	return pay(who, placed);
}

/* Every text in the database that has the mark in it: "schema.table.column". */
async function traces(mark) {
	const columns = await rows`
		SELECT table_schema AS s, table_name AS t, column_name AS c FROM information_schema.columns
		 WHERE table_schema IN ('users', 'orders', 'payments', 'ops', 'catalog', 'events')
		   AND (data_type IN ('text', 'json', 'jsonb', 'character varying', 'ARRAY'))
		   AND table_name IN (SELECT relname FROM pg_class WHERE relkind IN ('r', 'p'))`;
	const found = [];
	for (const { s, t, c } of columns)
		if (await value`SELECT count(*) FROM ${raw(`${s}.${t}`)} WHERE ${raw(`"${c}"`)}::text ILIKE ${`%${mark}%`}` > 0)
			found.push(`${s}.${t}.${c}`);
	return found;
}

test('the export has everything, for everyone', async () => {
	const shop = await seller();
	const goods = await product(shop);
	const who = await marked();
	const placed = await buys(who, goods);
	await who.call('PUT', PATH, { json: { first_name: 'Grace' }, expect: 200 });
	const { json, headers } = await who.call('GET', EXPORT, { expect: 200 });

	assertMembers(json, ['exported_at', 'account', 'sessions', 'orders', 'order_history', 'payments', 'catalog', 'audit']);
	assertTimes(json, ['exported_at']);
	assert.match(headers['content-disposition'], /attachment/);
	assertUser(json.account);
	assert.equal(json.account.first_name, 'Grace');
	assert.equal(json.sessions.length, 1);
	assert.equal(json.sessions[0].user_agent, `Agent ${who.mark}`);
	assert.equal(json.orders.length, 1);
	const [itself] = json.orders;
	assertOrder(itself);
	assert.equal(itself.id, placed.id);
	assert.equal(itself.customer_notes, who.mark);
	assert.deepEqual(json.order_history.map(({ new_status }) => new_status), ['pending', 'confirmed', 'paid']);
	assert.deepEqual(json.payments.map(({ order_id }) => order_id), [placed.id]);
	assert.ok(!JSON.stringify(json).includes('$2b$') && !JSON.stringify(json).includes('_secret_'));

	const theirs = await shop.get(EXPORT);
	assert.deepEqual(theirs.catalog.products.map(({ id }) => id), [goods.id]);
	assert.ok(!JSON.stringify(theirs).includes(who.mark), 'a seller\'s export has no buyer in it');
	assertUser((await (await admin()).get(EXPORT)).account);
});

test('the export tells what admins did, not from where', async () => {
	const who = await customer();
	const boss = await admin();
	await boss.call('PUT', `/api/users/${who.id}`, { json: { role: 'seller' }, expect: 200 });
	const { accessToken } = await login(who.email, PASSWORD);
	await call('POST', '/api/users/change-password', { token: accessToken, address: '127.6.5.4',
		json: { currentPassword: PASSWORD, newPassword: 'saffron and mint' }, expect: 200 });
	const { json } = await call('GET', EXPORT, { token: accessToken, expect: 200 });

	assert.deepEqual(json.audit.map(({ action, by_themself, address }) => [action, by_themself, address]),
	    [['user.role_changed', false, null], ['user.password_changed', true, '127.6.5.4']]);
});

test('an erased user is nowhere any more', async () => {
	const goods = await product(await seller());
	const who = await marked();
	const placed = await buys(who, goods);
	await who.call('POST', '/api/users/change-password',
	    { json: { currentPassword: PASSWORD, newPassword: PASSWORD }, expect: 200 });
	assert.ok((await traces(who.mark)).length >= 10, 'the test leaves traces');
	assert.ok((await traces(who.address)).length >= 1);

	const { json } = await erase(who);
	assertMembers(json, ['message']);
	assert.deepEqual(await traces(who.mark), []);
	assert.deepEqual(await traces(who.address), []);
	await who.refuse(401, 'unauthenticated', 'GET', PATH);
	await refuse(401, 'invalid_credentials', 'POST', '/api/auth/login', { json: { email: who.email, password: PASSWORD } });

	/* The order stays, with its money, of nobody. */
	const kept = await one`SELECT * FROM orders.orders WHERE id = ${placed.id}`;
	assert.equal(kept.user_id, who.id);
	assert.equal(kept.status, 'paid');
	const seen = await order(await admin(), placed.id);
	assertOrder(seen);
	assert.equal(seen.shipping_address, 'erased');
	assert.equal(seen.total_amount, placed.total_amount);
	for (const name of ['shipping_city', 'shipping_state', 'shipping_zip', 'shipping_country', 'customer_notes'])
		assert.equal(seen[name], null, name);
});

test('the e-mail is free again, for an account of its own', async () => {
	const who = await customer();
	await erase(who);
	await call('POST', '/api/auth/register', { json: { email: who.email, password: PASSWORD }, expect: 201 });
	const again = await login(who.email, PASSWORD);

	assert.notEqual(again.user.id, who.id);
	assert.deepEqual((await call('GET', '/api/orders', { token: again.accessToken, expect: 200 })).json.orders, []);
});

test('the erasure is on record, and admins see no account', async () => {
	const who = await customer();
	const boss = await admin();
	await erase(who);
	const { entries } = await boss.get(`/api/admin/audit?target=user:${who.id}`);

	assert.deepEqual(entries.map(({ action, actor_id, address }) => [action, actor_id, address]), [['user.erased', who.id, null]]);
	assert.deepEqual((await boss.get(`/api/users?email=${encodeURIComponent(who.email)}`)).users, []);
	assert.deepEqual((await boss.get('/api/users?email=erased.invalid')).users, []);
	await boss.refuse(404, 'not_found', 'PUT', `/api/users/${who.id}`, { json: { is_active: true } });
});

test('an erased seller sells nothing more', async () => {
	const shop = await seller();
	const goods = await product(shop);
	await call('GET', `/api/products/${goods.id}`, { expect: 200 });
	await erase(shop);
	assert.equal(await value`SELECT is_active FROM catalog.product WHERE id = ${goods.id}`, false);
	await refuse(404, 'not_found', 'GET', `/api/products/${goods.id}`);
});

test('others are not touched', async () => {
	const goods = await product(await seller());
	const [a, b] = [await marked(), await marked()];
	await buys(a, goods);
	const theirs = await buys(b, goods);
	const before = await traces(b.mark);

	await erase(a);
	assert.deepEqual(await traces(b.mark), before);
	assert.equal((await order(b, theirs.id)).shipping_city, b.mark);
});

test('without the password nothing is erased', async () => {
	const who = await customer();
	for (const wrong of ['Wrong-password', `${PASSWORD} `])
		await who.refuse(401, 'invalid_credentials', 'DELETE', PATH, { json: { password: wrong }, address: newAddress() });
	await who.refuseFields(['password'], 'DELETE', PATH, { json: {} });
	await who.refuseFields(['password', 'id'], 'DELETE', PATH, { json: { password: 1, id: 1 } });
	await who.get(PATH);
});

test('of two erasures at once one is made', async () => {
	const who = await customer();
	const statuses = (await Promise.all([1, 2].map(() =>
		who.call('DELETE', PATH, { json: { password: PASSWORD } })))).map(({ status }) => status);
	assert.deepEqual(statuses.sort(), [200, 401]);
});

refusesBadTokens('GET', EXPORT, person);
refusesBadTokens('DELETE', PATH, person, { json: { password: PASSWORD } });
refusesBadBodies('DELETE', PATH, async () => (await person()).token);
