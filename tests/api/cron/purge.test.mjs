/*
 * What has run out goes, what has not stays, and nobody waits for it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call } from '../../lib/client.mjs';
import { need } from '../../lib/env.mjs';
import { sessionOf } from '../../lib/revoking.mjs';
import { assertMembers, customer, login, newKey, PASSWORD } from '../../lib/shop.mjs';
import { run, value } from '../../lib/sql.mjs';

const TOKENS = '/internal/cron/tokens-purge';
const KEYS = '/internal/cron/idempotency-purge';
const purge = async (path, options) => (await call('POST', path, { token: need('SERVICE_TOKEN'), expect: 200, ...options })).json;
const tokensOf = (session) => value`SELECT count(*) FROM users.refresh_token WHERE session_id = ${session}`;
const sessions = (id) => value`SELECT count(*) FROM users.session WHERE user_id = ${id}`;
const keysLike = (pattern) => value`SELECT count(*) FROM ops.idempotency WHERE key LIKE ${pattern}`;

test('sessions and refresh tokens that ran out go', async () => {
	const who = await customer();
	const over = sessionOf((await login(who.email, PASSWORD)).accessToken);
	await run`UPDATE users.session SET expires_at = now() - interval '1 minute' WHERE id = ${over}`;
	await run`UPDATE users.refresh_token SET expires_at = now() - interval '1 minute' WHERE session_id = ${over}`;
	const json = await purge(TOKENS);

	assertMembers(json, ['refresh_tokens', 'sessions', 'email_tokens', 'more']);
	assert.equal(json.more, false);
	assert.equal(await tokensOf(over), 0);
	assert.equal(await sessions(who.id), 1);
	await who.get('/api/users/profile');
	await call('POST', '/api/auth/refresh', { json: { refreshToken: who.refreshToken }, expect: 200 });
});

test('a spent token that has not run out stays, to be recognised when it is reused', async () => {
	const who = await customer();
	await call('POST', '/api/auth/refresh', { json: { refreshToken: who.refreshToken }, expect: 200 });
	await purge(TOKENS);
	assert.equal(await tokensOf(sessionOf(who.token)), 2);
});

test('a session stays as long as one of its tokens', async () => {
	const who = await customer();
	await run`UPDATE users.session SET expires_at = now() - interval '1 minute' WHERE id = ${sessionOf(who.token)}`;
	await purge(TOKENS);
	assert.equal(await sessions(who.id), 1);
});

test('mailed tokens are forgotten an hour after they expire', async () => {
	const user = await value`SELECT min(id) FROM users.account`;
	const expired = async (interval) => {
		const text = newKey();
		await run`INSERT INTO users.email_token (hash, purpose, user_id, job_id, expires_at)
		          VALUES (sha256(${text}), 'verify_email', ${user}, 0, now() - ${interval}::interval)`;
		return () => value`SELECT count(*) FROM users.email_token WHERE hash = sha256(${text})`;
	};
	const [old, young] = [await expired('61 minutes'), await expired('59 minutes')];

	await purge(TOKENS);
	assert.equal(await old(), 0);
	assert.equal(await young(), 1);
});

test('keys older than a day go', async () => {
	const keep = newKey();
	const drop = newKey();
	for (const key of [keep, drop])
		await run`INSERT INTO ops.idempotency (user_id, key, fingerprint, status, body) VALUES (0, ${key}, 'x', 201, '{}')`;
	await run`UPDATE ops.idempotency SET created_at = now() - interval '24 hours 1 minute' WHERE key = ${drop}`;
	await run`UPDATE ops.idempotency SET created_at = now() - interval '23 hours 59 minutes' WHERE key = ${keep}`;
	const json = await purge(KEYS);

	assertMembers(json, ['keys', 'more']);
	assert.equal(json.more, false);
	assert.deepEqual([await keysLike(keep), await keysLike(drop)], [1, 0]);
});

test('more than a batch goes in one run, and of several runs at once none waits', async () => {
	const who = await customer();
	const session = sessionOf(who.token);
	await run`INSERT INTO users.refresh_token (hash, session_id, expires_at)
	          SELECT sha256(convert_to(${session} || n, 'UTF8')), ${session}, now() - interval '1 hour'
	            FROM generate_series(1, 2500) n`;
	await run`INSERT INTO ops.idempotency (user_id, key, fingerprint, created_at)
	          SELECT 0, ${session} || n, 'x', now() - interval '2 days' FROM generate_series(1, 2500) n`;
	const done = await Promise.all([TOKENS, TOKENS, TOKENS, KEYS, KEYS, KEYS].map((path) => purge(path)));
	const sum = (name) => done.reduce((total, json) => total + (json[name] ?? 0), 0);

	/* Those of a run that was passed by are the other's. */
	await purge(TOKENS);
	await purge(KEYS);
	assert.equal(await tokensOf(session), 1);
	assert.equal(await keysLike(`${session}%`), 0);
	assert.ok(sum('refresh_tokens') > 0 && sum('keys') > 0, JSON.stringify(done));
});

test('a row that somebody holds is passed by', async () => {
	const key = newKey();
	await run`INSERT INTO ops.idempotency (user_id, key, fingerprint, created_at) VALUES (0, ${key}, 'x', now() - interval '2 days')`;
	await run`BEGIN; SELECT FROM ops.idempotency WHERE key = ${key} FOR UPDATE`;
	await purge(KEYS);
	await run`COMMIT`;
	assert.equal(await keysLike(key), 1);
	await purge(KEYS);
	assert.equal(await keysLike(key), 0);
});

test('only services run them', async () => {
	const who = await customer();
	for (const path of [TOKENS, KEYS])
		for (const token of [undefined, 'x', who.token])
			assert.equal((await call('POST', path, { token })).json.code, 'unauthenticated');
});
