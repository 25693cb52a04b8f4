import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusesBadBodies, refusesBadTokens } from '../../lib/bad.mjs';
import { admin, assertMembers, assertUser, customer, seller } from '../../lib/shop.mjs';
import { run } from '../../lib/sql.mjs';

const PATH = '/api/users/profile';
let somebody;
const person = async () => somebody ??= await customer();

test('everyone signed in sees themselves', async () => {
	for (const who of [await customer(), await seller(), await admin()]) {
		const user = await who.get(PATH);
		assertUser(user);
		assert.equal(user.id, who.id);
		assert.equal(user.email, who.email);
		assert.equal(user.role, who.user.role);
	}
});

test('names can be changed, one at a time', async () => {
	const who = await customer();
	const before = await who.get(PATH);
	const { json } = await who.call('PUT', PATH, { json: { first_name: 'Grace' }, expect: 200 });

	assertMembers(json, ['message', 'user']);
	assertUser(json.user);
	assert.equal(json.user.first_name, 'Grace');
	assert.equal(json.user.last_name, before.last_name);
	assert.equal(json.user.created_at, before.created_at);
	assert.ok(json.user.updated_at >= before.updated_at);

	await who.call('PUT', PATH, { json: { last_name: 'Hopper ⚓' }, expect: 200 });
	const after = await who.get(PATH);
	assert.equal(after.first_name, 'Grace');
	assert.equal(after.last_name, 'Hopper ⚓');
});

test('nothing else can be changed', async () => {
	const who = await customer();
	await who.refuseFields(['role', 'email', 'id', 'is_active', 'password', 'email_verified'], 'PUT', PATH, {
		json: { first_name: 'X', role: 'admin', email: 'new@example.com', id: 1, is_active: false,
		    password: 'Password123!', email_verified: true },
	});
	const after = await who.get(PATH);
	assert.equal(after.first_name, 'Ada');
	assert.equal(after.role, 'customer');
});

test('names of the wrong type or length are 400, all at once', async () => {
	const who = await customer();
	await who.refuseFields(['first_name', 'last_name'], 'PUT', PATH, { json: { first_name: 5, last_name: {} } });
	await who.refuseFields(['first_name'], 'PUT', PATH, { json: { first_name: 'x'.repeat(5000) } });
});

test('a deactivated user is nobody', async () => {
	const who = await customer();
	await run`UPDATE users.account SET is_active = false WHERE id = ${who.id}`;
	await who.refuse(401, 'unauthenticated', 'GET', PATH);
});

test('the profile of one is never given to another', async () => {
	const [a, b] = [await customer(), await customer()];
	for (let i = 0; i < 5; i++) {
		assert.equal((await a.get(PATH)).id, a.id);
		assert.equal((await b.get(PATH)).id, b.id);
	}
});

refusesBadTokens('GET', PATH, person);
refusesBadTokens('PUT', PATH, person, { json: { first_name: 'X' } });
refusesBadBodies('PUT', PATH, async () => (await person()).token);
