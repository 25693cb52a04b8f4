import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, newAddress, refuse, refuseFields } from '../../lib/client.mjs';
import { refusesBadBodies } from '../../lib/bad.mjs';
import { admin, assertMembers, assertUser, freshEmail, login, newKey, PASSWORD, unanswered } from '../../lib/shop.mjs';
import { value } from '../../lib/sql.mjs';

const PATH = '/api/auth/register';
const register = (json, options) => call('POST', PATH, { json, ...options });
const accounts = (email) => value`SELECT count(*) FROM users.account WHERE lower(email) = lower(${email})`;

test('a newcomer becomes a customer', async () => {
	const email = freshEmail();
	const { json } = await register({ email, password: PASSWORD }, { expect: 201 });

	assertMembers(json, ['message', 'user']);
	assert.equal(typeof json.message, 'string');
	assertUser(json.user);
	assert.equal(json.user.email, email);
	assert.equal(json.user.role, 'customer');
	assert.equal(json.user.first_name, null);
	assert.equal(json.user.last_name, null);
	assert.equal(json.user.is_active, true);
	assert.equal(json.user.email_verified, false);
});

test('a name and the role of a seller are kept', async () => {
	const { json } = await register({
		email: freshEmail(), password: PASSWORD, first_name: 'Żółć', last_name: "O'Hara 🐪", role: 'seller',
	}, { expect: 201 });

	assert.equal(json.user.first_name, 'Żółć');
	assert.equal(json.user.last_name, "O'Hara 🐪");
	assert.equal(json.user.role, 'seller');
});

test('the answer carries no hash and is not stored by caches', async () => {
	const answer = await register({ email: freshEmail(), password: PASSWORD }, { expect: 201 });
	assert.doesNotMatch(answer.text, /\$2[aby]\$|password|hash/i);
	assert.match(answer.headers['cache-control'], /no-store/);
});

test('null names are absent names', async () => {
	const { json } = await register({
		email: freshEmail(), password: PASSWORD, first_name: null, last_name: null, role: null,
	}, { expect: 201 });
	assert.equal(json.user.first_name, null);
	assert.equal(json.user.role, 'customer');
});

test('an e-mail is unique without regard to case and outer space', async () => {
	const email = freshEmail();
	await register({ email: `  ${email.toUpperCase()} `, password: PASSWORD }, { expect: 201 });
	for (const twin of [email, email.toUpperCase(), ` ${email}`])
		await refuse(409, 'email_taken', 'POST', PATH, { json: { email: twin, password: PASSWORD } });
	assert.equal(await accounts(email), 1);
	assert.equal((await login(email, PASSWORD)).user.email, email);
});

test('of 20 twins at once one is registered', async () => {
	const email = freshEmail();
	const answers = await Promise.all(Array.from({ length: 20 }, () => register({ email, password: PASSWORD })));
	assert.deepEqual(answers.map((answer) => answer.status).sort(), [201, ...Array(19).fill(409)]);
	assert.equal(await accounts(email), 1);
});

test('nobody registers as admin', async () => {
	const email = freshEmail();
	await refuse(403, 'forbidden', 'POST', PATH, { json: { email, password: PASSWORD, role: 'admin' } });
	assert.equal(await accounts(email), 0);

	const boss = await admin();
	await boss.refuse(403, 'forbidden', 'POST', PATH, { json: { email, password: PASSWORD, role: 'admin' } });
	assert.equal(await accounts(email), 0);
});

test('a role that does not exist is 400', async () => {
	for (const role of ['Admin', 'root', '', 'customer ', 1, true, ['seller'], {}])
		await refuseFields(['role'], 'POST', PATH, { json: { email: freshEmail(), password: PASSWORD, role } });
});

test('columns that are not fields cannot be set', async () => {
	const email = freshEmail();
	await refuseFields(['id', 'is_active', 'email_verified', 'password_hash', 'created_at'], 'POST', PATH, {
		json: { email, password: PASSWORD, id: 1, is_active: true, email_verified: true,
		    password_hash: 'x', created_at: '2020-01-01T00:00:00.000Z' },
	});
	assert.equal(await accounts(email), 0);
});

test('every bad field is named at once', async () => {
	await refuseFields(['email', 'password', 'first_name', 'last_name', 'role', 'extra'], 'POST', PATH, {
		json: { email: 'nobody', password: 'short', first_name: 5, last_name: ['x'], role: 'king', extra: 1 },
	});
	await refuseFields(['email', 'password'], 'POST', PATH, { json: {} });
	await refuseFields(['email', 'password'], 'POST', PATH, { json: { email: null, password: null } });
});

test('e-mails that are none are 400', async () => {
	const bad = ['', ' ', 'a', 'a@', '@b.com', 'a b@c.com', 'a@b@c.com', 'a@b c.com', 'a@b.com,c@d.com',
	    'a\n@b.com', 'a@b.com\r\nBcc: c@d.com', `${'a'.repeat(250)}@b.com`, '<a@b.com>', 5, true, {}, ['a@b.com']];
	for (const email of bad)
		await refuseFields(['email'], 'POST', PATH, { json: { email, password: PASSWORD } });
});

test('passwords are 8 to 72 bytes', async () => {
	const refused = ['', 'seven77', 'x'.repeat(73), 'ż'.repeat(37), 'x'.repeat(5000), 12345678, null, ['12345678']];
	for (const password of refused)
		await refuseFields(['password'], 'POST', PATH, { json: { email: freshEmail(), password } });

	for (const password of ['8 chars!', 'q'.repeat(71) + 'Z', 'ż'.repeat(36), 'pass word with spaces ', '🐪🐪🐪🐪']) {
		const email = freshEmail();
		await register({ email, password }, { expect: 201 });
		await login(email, password);
	}
});

test('the last bytes of a long password count', async () => {
	const email = freshEmail();
	const password = 'q'.repeat(71);
	await register({ email, password: `${password}A` }, { expect: 201 });
	await refuse(401, 'invalid_credentials', 'POST', '/api/auth/login', { json: { email, password: `${password}B` } });
	await refuse(401, 'invalid_credentials', 'POST', '/api/auth/login', { json: { email, password } });
});

test('the most common passwords are refused, Password123! is not', async () => {
	for (const password of ['password', '12345678', 'qwertyuiop', 'iloveyou', 'PASSWORD'])
		await refuseFields(['password'], 'POST', PATH, { json: { email: freshEmail(), password } });
	await register({ email: freshEmail(), password: 'Password123!' }, { expect: 201 });
});

test('names longer than a name are 400', async () => {
	await refuseFields(['first_name', 'last_name'], 'POST', PATH, {
		json: { email: freshEmail(), password: PASSWORD, first_name: 'a'.repeat(5000), last_name: 'b'.repeat(5000) },
	});
});

test('the same Idempotency-Key registers once and answers alike', async () => {
	const key = newKey();
	const json = { email: freshEmail(), password: PASSWORD };
	const first = await register(json, { key, expect: 201 });
	const again = await register(json, { key, expect: 201 });

	assert.equal(again.text, first.text);
	assert.equal(first.headers['idempotent-replayed'], undefined);
	assert.equal(again.headers['idempotent-replayed'], 'true');
	await refuse(422, 'idempotency_key_reused', 'POST', PATH,
	    { key, json: { ...json, email: freshEmail() } });

	await unanswered(key);
	const busy = await refuse(409, 'request_in_progress', 'POST', PATH, { key, json });
	assert.match(busy.headers['retry-after'], /^\d+$/);
});

test('the auth limit of an address is told and kept', async () => {
	const address = newAddress();
	let last;

	for (let i = 0; i < 31; i++) {
		last = await register({ email: 'nobody', password: 'x' }, { address });
		assert.match(last.headers['ratelimit-limit'], /^\d+$/);
		assert.match(last.headers['ratelimit-remaining'], /^\d+$/);
		assert.match(last.headers['ratelimit-reset'], /^\d+$/);
	}
	assert.equal(last.status, 429);
	assert.equal(last.json.code, 'rate_limited');
	await register({ email: freshEmail(), password: PASSWORD }, { expect: 201 });
});

test('an address is the connection\'s, not a header\'s', async () => {
	const address = newAddress();
	const ask = (i) => register({ email: 'nobody', password: 'x' },
	    { address, headers: { 'X-Forwarded-For': `203.0.113.${i}` } });
	const answers = [];

	for (let i = 0; i < 31; i++)
		answers.push((await ask(i)).status);
	assert.equal(answers.at(-1), 429);
});

refusesBadBodies('POST', PATH);
