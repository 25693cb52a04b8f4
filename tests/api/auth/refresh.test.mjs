import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, refuse, refuseFields } from '../../lib/client.mjs';
import { refusesBadBodies } from '../../lib/bad.mjs';
import { assertMembers, customer, login, PASSWORD } from '../../lib/shop.mjs';
import { run, value } from '../../lib/sql.mjs';
import { decode } from '../../lib/token.mjs';

const PATH = '/api/auth/refresh';
const refresh = async (refreshToken) => (await call('POST', PATH, { json: { refreshToken }, expect: 200 })).json;
const refused = (refreshToken) => refuse(401, 'invalid_refresh_token', 'POST', PATH, { json: { refreshToken } });
const sessionOf = (token) => decode(token).claims.sid;

/* The 10 s of grace are over, for this session. */
const age = (session) => run`
	UPDATE users.refresh_token SET spent_at = spent_at - interval '11 seconds'
	 WHERE session_id = ${session} AND spent_at IS NOT NULL`;

test('a refresh token buys new tokens of the same session', async () => {
	const { token, refreshToken, id } = await customer();
	const json = await refresh(refreshToken);

	assertMembers(json, ['accessToken', 'refreshToken', 'tokenType', 'expiresIn']);
	assert.equal(json.tokenType, 'Bearer');
	assert.equal(json.expiresIn, 900);
	assert.notEqual(json.refreshToken, refreshToken);
	assert.equal(sessionOf(json.accessToken), sessionOf(token));
	const { json: user } = await call('GET', '/api/users/profile', { token: json.accessToken, expect: 200 });
	assert.equal(user.id, id);
});

test('rotation goes on and on', async () => {
	let { refreshToken } = await customer();
	const met = new Set([refreshToken]);

	for (let i = 0; i < 5; i++) {
		({ refreshToken } = await refresh(refreshToken));
		assert.ok(!met.has(refreshToken));
		met.add(refreshToken);
	}
});

test('a client that lost the answer gets the same successor within 10 s', async () => {
	const { refreshToken } = await customer();
	const first = await refresh(refreshToken);
	const again = await refresh(refreshToken);
	assert.equal(again.refreshToken, first.refreshToken);
	await refresh(first.refreshToken);
});

test('ten clients with one token at once get one successor', async () => {
	const { refreshToken } = await customer();
	const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(refreshToken)));
	assert.equal(new Set(answers.map((answer) => answer.refreshToken)).size, 1);
});

test('a spent token used again later revokes the whole family', async () => {
	const { token, refreshToken } = await customer();
	const next = await refresh(refreshToken);

	await age(sessionOf(token));
	await refused(refreshToken);
	await refused(next.refreshToken);
	for (const access of [token, next.accessToken])
		await refuse(401, 'unauthenticated', 'GET', '/api/users/profile', { token: access });
});

test('a spent token whose successor is spent too revokes at once', async () => {
	const { refreshToken } = await customer();
	const next = await refresh(refreshToken);
	const last = await refresh(next.refreshToken);

	await refused(refreshToken);
	await refused(last.refreshToken);
});

test('other sessions of the user live on', async () => {
	const person = await customer();
	const other = await login(person.email, PASSWORD);
	await refresh(person.refreshToken);
	await age(sessionOf(person.token));
	await refused(person.refreshToken);
	await refresh(other.refreshToken);
});

test('unknown, expired and foreign tokens are 401', async () => {
	const person = await customer();
	for (const token of ['x', 'a'.repeat(64), person.token.slice(0, 200), person.refreshToken.slice(0, -1), `${person.refreshToken}x`])
		await refused(token);
	await run`UPDATE users.refresh_token SET expires_at = now() - interval '1 second'
	           WHERE session_id = ${sessionOf(person.token)}`;
	await refused(person.refreshToken);
});

test('a deactivated user refreshes nothing', async () => {
	const person = await customer();
	await run`UPDATE users.account SET is_active = false WHERE id = ${person.id}`;
	await refused(person.refreshToken);
});

test('the token of a signed-out session is 401', async () => {
	const { refreshToken } = await customer();
	await call('POST', '/api/auth/logout', { json: { refreshToken }, expect: 200 });
	await refused(refreshToken);
});

test('however often it is refreshed, a session ends 90 days after its sign-in', async () => {
	const { token, refreshToken } = await customer();
	const ends = () => value`
		SELECT greatest(s.expires_at, t.expires_at) BETWEEN now() AND now() + interval '1 hour'
		  FROM users.session s JOIN users.refresh_token t ON t.session_id = s.id
		 WHERE s.id = ${sessionOf(token)} AND t.spent_at IS NULL`;

	const next = await refresh(refreshToken);
	assert.equal(await ends(), false);
	await run`UPDATE users.session SET created_at = now() - interval '90 days' + interval '1 hour'
	           WHERE id = ${sessionOf(token)}`;
	await refresh(next.refreshToken);
	assert.equal(await ends(), true);
});

test('only a hash is stored', async () => {
	const { refreshToken } = await customer();
	assert.equal(await value`
		SELECT count(*) FROM users.refresh_token
		 WHERE position(convert_to(${refreshToken}, 'UTF8') IN hash) > 0
		    OR encode(hash, 'base64') = ${refreshToken}
		    OR encode(hash, 'hex') = ${refreshToken}`, 0);
});

test('a missing or mistyped token is 400', async () => {
	await refuseFields(['refreshToken'], 'POST', PATH, { json: {} });
	await refuseFields(['refreshToken', 'refresh_token'], 'POST', PATH, { json: { refresh_token: 'x' } });
	for (const refreshToken of [null, '', 5, true, {}, ['x'], 'x'.repeat(100000)])
		await refuseFields(['refreshToken'], 'POST', PATH, { json: { refreshToken } });
});

refusesBadBodies('POST', PATH);
