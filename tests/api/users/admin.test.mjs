/*
 * What admins see and change of accounts, and the log of it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refuse } from '../../lib/client.mjs';
import { refusesBadBodies, refusesBadTokens } from '../../lib/bad.mjs';
import { admin, assertMembers, assertPagination, assertTimes, assertUser, customer, login, newAdmin, PASSWORD, seller, unique } from '../../lib/shop.mjs';
import { one, run, value } from '../../lib/sql.mjs';

const PATH = '/api/users';
const AUDIT = '/api/admin/audit';
let boss, nobody;
const me = async () => boss ??= await admin();
const somebody = async () => nobody ??= await customer();
const put = async (id, json, options) => (await (await me()).call('PUT', `${PATH}/${id}`, { json, expect: 200, ...options })).json;

test('accounts are listed, the newest first', async () => {
	const [a, b] = [await customer(), await seller()];
	const { users, pagination } = await (await me()).get(`${PATH}?limit=50`);

	assertPagination(pagination);
	users.forEach(assertUser);
	assert.ok(users.findIndex(({ id }) => id === b.id) < users.findIndex(({ id }) => id === a.id));
	assert.ok(!JSON.stringify(users).includes('$2b$'));
});

test('role and e-mail filter, and the total is theirs', async () => {
	const mark = unique();
	const [a, b] = [await customer(), await seller()];
	for (const [i, { id }] of [a, b].entries())
		await run`UPDATE users.account SET email = ${`${mark}%_${i}@example.com`} WHERE id = ${id}`;
	const found = async (query) => (await (await me()).get(`${PATH}?${query}`));

	assert.deepEqual((await found(`email=${mark}`)).users.map(({ id }) => id), [b.id, a.id]);
	assert.equal((await found(`email=${mark}`)).pagination.total, 2);
	assert.deepEqual((await found(`email=${mark.toUpperCase()}`)).users.length, 2);
	assert.deepEqual((await found(`email=${mark}&role=seller`)).users.map(({ id }) => id), [b.id]);
	/* % and _ are only themselves. */
	assert.deepEqual((await found(`email=${mark}${encodeURIComponent('%_1@')}`)).users.map(({ id }) => id), [b.id]);
	assert.deepEqual((await found(`email=${mark.slice(0, 4)}${encodeURIComponent('%')}1`)).users, []);
	assert.deepEqual((await found(`email=${encodeURIComponent("\\")}`)).users, []);
	assert.ok((await found('role=admin')).users.every(({ role }) => role === 'admin'));
});

test('pages and cursors walk the same list', async () => {
	const mark = unique();
	const people = [await customer(), await customer(), await customer(), await customer(), await customer()];
	for (const [i, { id }] of people.entries())
		await run`UPDATE users.account SET email = ${`${mark}-${i}@example.com`} WHERE id = ${id}`;
	const expected = people.map(({ id }) => id).reverse();
	const byPage = [];
	for (let page = 1; page <= 3; page++)
		byPage.push(...(await (await me()).get(`${PATH}?email=${mark}&limit=2&page=${page}`)).users);
	const byCursor = [];
	for (let cursor = ''; cursor !== null;) {
		const { users, pagination } = await (await me()).get(`${PATH}?email=${mark}&limit=2${cursor && `&cursor=${cursor}`}`);
		byCursor.push(...users);
		cursor = pagination.next_cursor;
	}
	assert.deepEqual(byPage.map(({ id }) => id), expected);
	assert.deepEqual(byCursor.map(({ id }) => id), expected);
});

test('a role is changed', async () => {
	const who = await customer();
	const json = await put(who.id, { role: 'seller' });

	assertMembers(json, ['message', 'user']);
	assertUser(json.user);
	assert.equal(json.user.role, 'seller');
	assert.equal((await login(who.email, PASSWORD)).user.role, 'seller');
});

test('an account is closed and opened again', async () => {
	const who = await customer();
	assert.equal((await put(who.id, { is_active: false })).user.is_active, false);
	await refuse(401, 'invalid_credentials', 'POST', '/api/auth/login', { json: { email: who.email, password: PASSWORD } });
	assert.equal((await put(who.id, { is_active: true })).user.is_active, true);
	await login(who.email, PASSWORD);
	/* The sessions from before do not come back. */
	await who.refuse(401, 'unauthenticated', 'GET', '/api/users/profile');
});

test('what changes nothing ends no session and is not on record', async () => {
	const who = await customer();
	for (const json of [{}, { role: 'customer' }, { is_active: true }, { role: null }])
		await put(who.id, json);
	await who.get('/api/users/profile');
	assert.equal(await value`SELECT count(*) FROM ops.audit WHERE target = ${`user:${who.id}`}`, 0);
});

test('nobody demotes or closes themself', async () => {
	const boss = await me();
	for (const json of [{ role: 'customer' }, { is_active: false }, { role: 'seller', is_active: false }])
		await boss.refuse(409, 'own_account', 'PUT', `${PATH}/${boss.id}`, { json });
	assert.equal((await put(boss.id, { role: 'admin' })).user.role, 'admin');
});

test('two admins who demote each other leave one', async () => {
	for (let i = 0; i < 5; i++) {
		const [a, b] = [await newAdmin(), await newAdmin()];
		const answers = await Promise.all([[a, b], [b, a]].map(([who, whom]) =>
			who.call('PUT', `${PATH}/${whom.id}`, { json: { role: 'customer' } })));
		const statuses = answers.map(({ status }) => status).sort();

		assert.ok([401, 403].includes(statuses[1]) && statuses[0] === 200, statuses.join());
		assert.equal(await value`SELECT count(*) FROM users.account WHERE id IN (${a.id}, ${b.id}) AND role = 'admin'`, 1);
		await run`UPDATE users.account SET role = 'customer' WHERE id IN (${a.id}, ${b.id})`;
	}
});

test('nobody is 404', async () => {
	for (const id of ['999999999', '0', '-1', 'x', '1.5', '99999999999999999999'])
		await (await me()).refuse(404, 'not_found', 'PUT', `${PATH}/${id}`, { json: { role: 'seller' } });
});

test('bad input is 400, all of it at once', async () => {
	const boss = await me();
	await boss.refuseFields(['role', 'is_active', 'email'], 'PUT', `${PATH}/${boss.id}`,
	    { json: { role: 'root', is_active: 'yes', email: 'x@example.com' } });
	await boss.refuseFields(['page', 'limit', 'cursor', 'role'], 'GET', `${PATH}?page=0&limit=101&cursor=x&role=root`);
	for (const path of [PATH, AUDIT])
		await boss.refuse(400, 'malformed_request', 'GET', `${path}?limit=%zz`);
	await boss.refuseFields(['page', 'limit', 'cursor', 'actor'], 'GET', `${AUDIT}?page=-1&limit=x&cursor=-1&actor=x`);
});

test('others are not admitted', async () => {
	for (const who of [await customer(), await seller()]) {
		await who.refuse(403, 'forbidden', 'GET', PATH);
		await who.refuse(403, 'forbidden', 'PUT', `${PATH}/${who.id}`, { json: { role: 'admin' } });
		await who.refuse(403, 'forbidden', 'GET', AUDIT);
	}
});

test('the log says who did what to whom', async () => {
	const who = await customer();
	const boss = await me();
	const { headers } = await boss.call('PUT', `${PATH}/${who.id}`, { json: { role: 'seller', is_active: false }, expect: 200 });
	const { entries, pagination } = await boss.get(`${AUDIT}?target=user:${who.id}`);

	assertPagination(pagination);
	assert.equal(pagination.total, 2);
	for (const entry of entries) {
		assertMembers(entry, ['id', 'actor_id', 'action', 'target', 'address', 'request_id', 'before', 'after', 'created_at']);
		assertTimes(entry, ['created_at']);
		assert.equal(entry.actor_id, boss.id);
		assert.equal(entry.address, boss.address);
		assert.equal(entry.request_id, headers['x-request-id']);
	}
	const changed = entries.find(({ action }) => action === 'user.role_changed');
	assert.deepEqual([changed.before, changed.after], [{ role: 'customer' }, { role: 'seller' }]);
	assert.ok(entries.some(({ action }) => action === 'user.deactivated'));
});

test('the log is filtered and paged', async () => {
	const boss = await me();
	const who = await customer();
	await who.call('POST', '/api/auth/logout-all', { expect: 200 });
	const mine = await boss.get(`${AUDIT}?actor=${who.id}`);
	assert.deepEqual(mine.entries.map(({ action }) => action), ['user.logout_all']);
	const kind = await boss.get(`${AUDIT}?action=user.logout_all&limit=1`);
	assert.equal(kind.entries.length, 1);
	assert.ok(kind.entries[0].id >= mine.entries[0].id);
	assert.deepEqual((await boss.get(`${AUDIT}?action=user.logout_all&actor=${boss.id}&target=user:0`)).entries, []);
	const next = await boss.get(`${AUDIT}?actor=${boss.id}&limit=1`);
	assert.ok(next.pagination.next_cursor);
	const [second] = (await boss.get(`${AUDIT}?actor=${boss.id}&limit=1&cursor=${next.pagination.next_cursor}`)).entries;
	assert.ok(second.id < next.entries[0].id);
});

test('the log only grows', async () => {
	const { id } = await one`SELECT max(id) AS id FROM ops.audit`;
	await assert.rejects(run`UPDATE ops.audit SET action = 'x.y' WHERE id = ${id}`, /only grows/);
	await assert.rejects(run`UPDATE ops.audit SET address = NULL, actor_id = 1 WHERE id = ${id}`, /only grows/);
	await assert.rejects(run`DELETE FROM ops.audit WHERE id = ${id}`, /only grows/);
	await assert.rejects(run`TRUNCATE ops.audit`, /only grows/);
});

refusesBadTokens('GET', PATH, somebody);
refusesBadTokens('PUT', `${PATH}/1`, somebody, { json: { role: 'seller' } });
refusesBadTokens('GET', AUDIT, somebody);
refusesBadBodies('PUT', `${PATH}/1`, async () => (await me()).token);
