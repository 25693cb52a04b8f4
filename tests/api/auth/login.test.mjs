import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, newAddress, refuse, refuseFields } from '../../lib/client.mjs';
import { refusesBadBodies } from '../../lib/bad.mjs';
import { cgi } from '../../lib/execute.mjs';
import { assertMembers, assertUser, customer, freshEmail, login, PASSWORD } from '../../lib/shop.mjs';
import { run } from '../../lib/sql.mjs';
import { decode } from '../../lib/token.mjs';
import { parallel } from '../../lib/wait.mjs';

const PATH = '/api/auth/login';

test('a session begins', async () => {
	const { email, id } = await customer();
	const { json, headers } = await call('POST', PATH, { json: { email, password: PASSWORD }, expect: 200 });

	assertMembers(json, ['user', 'accessToken', 'refreshToken', 'tokenType', 'expiresIn']);
	assertUser(json.user);
	assert.equal(json.user.id, id);
	assert.equal(json.tokenType, 'Bearer');
	assert.equal(json.expiresIn, 900);
	assert.match(json.refreshToken, /^\S{32,}$/);
	assert.match(headers['cache-control'], /no-store/);
});

test('the access token says who, for whom and for how long', async () => {
	const { email, id } = await customer();
	const { header, claims } = decode((await login(email, PASSWORD)).accessToken);

	assert.ok(['ES256', 'RS256'].includes(header.alg), header.alg);
	assert.ok(header.kid);
	for (const name of ['sub', 'userId', 'email', 'role', 'sid', 'iat', 'exp', 'iss', 'aud', 'jti'])
		assert.ok(claims[name] !== undefined, name);
	assert.equal(claims.sub, String(id));
	assert.equal(claims.userId, id);
	assert.equal(claims.email, email);
	assert.equal(claims.role, 'customer');
	assert.equal(claims.exp - claims.iat, 900);
	assert.ok(Math.abs(claims.iat - Date.now() / 1000) < 30);
});

test('each login is a session of its own', async () => {
	const { email } = await customer();
	const [one, two] = [await login(email, PASSWORD), await login(email, PASSWORD)];

	assert.notEqual(one.refreshToken, two.refreshToken);
	assert.notEqual(decode(one.accessToken).claims.sid, decode(two.accessToken).claims.sid);
	assert.notEqual(decode(one.accessToken).claims.jti, decode(two.accessToken).claims.jti);
});

test('an e-mail is the same in any case', async () => {
	const { email, id } = await customer();
	assert.equal((await login(` ${email.toUpperCase()} `, PASSWORD)).user.id, id);
});

test('an unknown e-mail and a wrong password cannot be told apart', async () => {
	const { email } = await customer();
	const told = ({ status, json, headers }) => ({ status, ...json, request_id: '',
	    authenticate: headers['www-authenticate'] });
	const wrong = await refuse(401, 'invalid_credentials', 'POST', PATH, { json: { email, password: 'Wrong-password' } });
	const unknown = await refuse(401, 'invalid_credentials', 'POST', PATH,
	    { json: { email: freshEmail(), password: PASSWORD } });

	assert.deepEqual(told(unknown), told(wrong));
});

test('a deactivated account is 401', async () => {
	const person = await customer();
	await run`UPDATE users.account SET is_active = false WHERE id = ${person.id}`;
	const closed = await refuse(401, 'invalid_credentials', 'POST', PATH, { json: { email: person.email, password: PASSWORD } });
	const unknown = await refuse(401, 'invalid_credentials', 'POST', PATH, { json: { email: freshEmail(), password: PASSWORD } });
	assert.deepEqual({ ...closed.json, request_id: '' }, { ...unknown.json, request_id: '' });
});

test('a password is compared whole and as it is', async () => {
	const { email } = await customer();
	for (const password of ['Password123', 'Password123!!', 'password123!', ' Password123!', 'Password123! '])
		await refuse(401, 'invalid_credentials', 'POST', PATH,
		    { json: { email, password }, address: newAddress() });
});

test('the fifth failure of an address on an e-mail closes it for that address', async () => {
	const { email } = await customer();
	const address = newAddress();
	const wrong = { json: { email, password: 'Wrong-password' }, address };

	for (let i = 0; i < 5; i++)
		await refuse(401, 'invalid_credentials', 'POST', PATH, wrong);
	const closed = await refuse(429, 'rate_limited', 'POST', PATH, wrong);
	assert.ok(Number(closed.headers['retry-after']) > 0);
	await refuse(429, 'rate_limited', 'POST', PATH, { json: { email, password: PASSWORD }, address });
	await refuse(429, 'rate_limited', 'POST', PATH, { json: { email: email.toUpperCase(), password: PASSWORD }, address });

	/* Others are not locked out by it. */
	await login(email, PASSWORD);
	const other = await customer();
	await call('POST', PATH, { json: { email: other.email, password: PASSWORD }, address, expect: 200 });
});

test('many tries at once are not more tries', async () => {
	const { email } = await customer();
	const address = newAddress();
	const answers = await parallel(20, Array.from({ length: 20 }, () => () =>
		call('POST', PATH, { json: { email, password: 'Wrong-password' }, address })));

	assert.equal(answers.filter(({ status }) => status === 401).length, 5);
	assert.equal(answers.filter(({ status }) => status === 429).length, 15);
});

test('a success clears what had failed', async () => {
	const { email } = await customer();
	const address = newAddress();
	const fail = () => refuse(401, 'invalid_credentials', 'POST', PATH, { json: { email, password: 'Wrong-password' }, address });

	for (let round = 0; round < 3; round++) {
		for (let i = 0; i < 4; i++)
			await fail();
		await call('POST', PATH, { json: { email, password: PASSWORD }, address, expect: 200 });
	}
});

test('an e-mail guessed at from many addresses is closed, but not to its owner', async () => {
	const home = newAddress();
	const { email } = await customer();
	const guess = () => call('POST', PATH, { json: { email, password: 'Wrong-password' } });
	const enter = (address) => call('POST', PATH, { json: { email, password: PASSWORD }, address });

	assert.equal((await enter(home)).status, 200);
	const answers = await parallel(10, Array.from({ length: 60 }, () => guess));
	assert.equal(answers.filter(({ status }) => status === 401).length, 50);
	const closed = answers.find(({ status }) => status === 429);
	assert.equal(closed.headers['ratelimit-limit'], '50');
	assert.equal(closed.headers['ratelimit-remaining'], '0');
	assert.equal(closed.headers['retry-after'], closed.headers['ratelimit-reset']);
	assert.equal((await enter(newAddress())).status, 429, 'the right password, from nowhere known');

	/* Where the account has signed in, it may; and then it is open again. */
	assert.equal((await enter(home)).status, 200);
	assert.equal((await enter(newAddress())).status, 200);
	/* Even there only a few guesses. */
	for (let i = 0; i < 5; i++)
		await refuse(401, 'invalid_credentials', 'POST', PATH, { json: { email, password: 'Wrong-password' }, address: home });
	await refuse(429, 'rate_limited', 'POST', PATH, { json: { email, password: PASSWORD }, address: home });
});

test('an e-mail that nobody has is closed alike', async () => {
	const email = freshEmail();
	const answers = await parallel(10, Array.from({ length: 52 }, () => () =>
		call('POST', PATH, { json: { email, password: 'Wrong-password' } })));

	assert.equal(answers.filter(({ status }) => status === 401).length, 50);
	assert.equal(answers.filter(({ status }) => status === 429).length, 2);
});

test('an IPv6 subscriber is at home in all of the /64', async () => {
	const { email } = await customer();
	const enter = async (address, password = PASSWORD) => (await cgi('auth-login', 'POST', PATH,
	    { json: { email, password }, address, env: { RATE_LIMIT_ACCOUNT_FAILED: '1', BCRYPT_COST: '4' } })).status;

	assert.equal(await enter('2001:db8:1:2::7'), 200);
	assert.equal(await enter('2001:db8:1:3::7', 'Wrong-password'), 401);
	assert.equal(await enter('2001:db8:1:3::7'), 429);
	assert.equal(await enter('203.0.113.7'), 429);
	assert.equal(await enter('2001:db8:1:2:aaaa::1'), 200);
});

test('successes do not count as failures', async () => {
	const { email } = await customer();
	const address = newAddress();
	for (let i = 0; i < 8; i++)
		await call('POST', PATH, { json: { email, password: PASSWORD }, address, expect: 200 });
});

test('30 requests of an address are let in', async () => {
	const address = newAddress();
	const statuses = [];
	for (let i = 0; i < 31; i++)
		statuses.push((await call('POST', PATH, { json: {}, address })).status);
	assert.deepEqual(statuses, [...Array(30).fill(400), 429]);
});

test('what is no e-mail or password is 400, all at once', async () => {
	await refuseFields(['email', 'password'], 'POST', PATH, { json: {} });
	await refuseFields(['email', 'password', 'role'], 'POST', PATH, { json: { email: 1, password: {}, role: 'admin' } });
});

test('an overlong password is refused, never cut', async () => {
	const { email } = await customer();
	const answer = await call('POST', PATH, { json: { email, password: PASSWORD + 'x'.repeat(100) } });
	assert.ok([400, 401].includes(answer.status));
});

test('SQL in an e-mail is only text', async () => {
	for (const email of ["' or 1=1 --@example.com", "a'||pg_sleep(5)||'@example.com"])
		assert.ok([400, 401].includes((await call('POST', PATH, { json: { email, password: PASSWORD } })).status));
});

refusesBadBodies('POST', PATH);
