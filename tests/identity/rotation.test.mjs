/*
 * The signing key is changed while the shop is busy: no token that was good is
 * refused, no request fails, and the old key goes when its time has come.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, statSync, utimesSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { call, newAddress, refuse } from '../lib/client.mjs';
import { need, signingKey } from '../lib/env.mjs';
import { customer, login, PASSWORD } from '../lib/shop.mjs';
import { one } from '../lib/sql.mjs';
import { mainPid, sleepy } from '../lib/stack.mjs';
import { decode } from '../lib/token.mjs';
import { until } from '../lib/wait.mjs';

const PUBLIC = join(need('SOUK_RUN'), 'keys', 'public');
const rotate = async (...options) => (await promisify(execFile)(
    resolve('deploy/local/rotate-keys'), ['--run', need('SOUK_RUN'), ...options])).stdout;
const kids = async () => (await call('GET', '/.well-known/jwks.json', { expect: 200 })).json.keys.map(({ kid }) => kid);
const kidOf = (token) => decode(token).header.kid;
const refresh = async (session) => (await call('POST', '/api/auth/refresh',
    { json: { refreshToken: session.refreshToken }, expect: 200 })).json;

/*
 * A stream of requests of all kinds, until it is told to stop.  The limits
 * count users as well as addresses, so it is many people's.
 */
function busy(people) {
	const met = { requests: 0, kids: new Set(), failures: [] };
	let stopped = false;
	const lane = async (ask) => {
		for (let i = 0; !stopped; i++) {
			met.requests++;
			await ask(people[i % people.length]).catch((error) => met.failures.push(error.message));
		}
	};
	const get = (path, token) => call('GET', path, { token, address: newAddress(), expect: 200 });
	const lanes = [
		/* Tokens from before. */
		lane(({ token }) => get('/api/users/profile', token)),
		lane(({ token }) => get('/api/orders', token)),
		lane(({ latest, token }) => get('/api/products?limit=1', latest ?? token)),
		lane(() => get('/.well-known/jwks.json')),
		/* Each new one is used at once by functions that cannot know its key yet. */
		lane(async (person) => {
			const session = await refresh(person);
			person.refreshToken = session.refreshToken;
			person.latest = session.accessToken;
			met.kids.add(kidOf(person.latest));
			for (const path of ['/api/users/profile', '/api/orders', '/api/users/sessions'])
				await get(path, person.latest);
		}),
	];
	return {
		met,
		async stop() {
			stopped = true;
			await Promise.all(lanes);
			return met;
		},
	};
}

test('a rotation under load costs nobody anything', async (t) => {
	const before = signingKey().kid;
	const people = [];
	while (people.length < 24)
		people.push(await customer());
	const stream = busy(people);
	t.after(() => stream.stop());

	await rotate();
	const current = signingKey().kid;
	await until('tokens of both keys were met', () => stream.met.kids.has(before) && stream.met.kids.has(current));
	await until('there were many requests', () => stream.met.requests > 100, { seconds: 60 });
	const { failures } = await stream.stop();

	assert.deepEqual([...new Set(failures)], []);
	assert.notEqual(current, before);
	assert.deepEqual((await kids()).sort(), [before, current].sort());
	/* One private key is left. */
	assert.deepEqual(readdirSync(join(need('SOUK_RUN'), 'keys', 'private')), [`${current}.pem`]);
	assert.equal(statSync(join(need('SOUK_RUN'), 'keys', 'private', `${current}.pem`)).mode & 0o77, 0);
	assert.equal(kidOf((await login(people[0].email, PASSWORD)).accessToken), current);
});

test('a key stays as long as its tokens may live, and the one before always', async () => {
	const first = signingKey().kid;
	const person = await customer();
	await rotate();
	const second = signingKey().kid;
	await rotate();
	const third = signingKey().kid;

	assert.ok([first, second, third].every((kid) => readdirSync(PUBLIC).includes(`${kid}.pem`)));
	await person.get('/api/users/profile');

	/* As if an hour had passed since. */
	const past = Date.now() / 1000 - 3600;
	for (const name of readdirSync(PUBLIC))
		utimesSync(join(PUBLIC, name), past, past);
	await rotate();
	const fourth = signingKey().kid;
	assert.deepEqual((await kids()).sort(), [third, fourth].sort());
	await until('the first key is believed no more', async () => (await call('GET', '/api/users/profile',
	    { token: person.token, address: newAddress() })).status === 401);
	/* Who held its tokens is still signed in. */
	const { accessToken } = await refresh(person);
	await call('GET', '/api/users/profile', { token: accessToken, expect: 200 });
});

test('a compromised key is believed no more at once', async () => {
	const person = await customer();
	const old = signingKey().kid;
	await rotate('--compromised');
	assert.deepEqual(await kids(), [signingKey().kid]);
	await until('the old key is believed no more', async () => (await call('GET', '/api/users/profile',
	    { token: person.token, address: newAddress() })).status === 401);
	await refuse(401, 'unauthenticated', 'GET', '/api/orders', { token: person.token });
	const { accessToken } = await refresh(person);
	await call('GET', '/api/orders', { token: accessToken, expect: 200 });
	const entry = await one`SELECT * FROM ops.audit WHERE action = 'keys.rotated' ORDER BY id DESC LIMIT 1`;
	assert.deepEqual([entry.actor_id, entry.target, entry.before.kid, entry.after.compromised],
	    [null, `key:${signingKey().kid}`, old, true]);
});

test('a start of the stack finds nothing to do', async () => {
	const before = [mainPid('functions'), signingKey().kid];
	await promisify(execFile)(resolve('deploy/local/up'), ['--run', need('SOUK_RUN'), '--free-ports',
	    '--profile', 'test', '--bin', need('SOUK_BIN'), '--tools', need('SOUK_TOOLS')]);
	assert.deepEqual([mainPid('functions'), signingKey().kid], before);
});

test('functions that fall asleep while others are replaced do not keep it waiting', () => sleepy('catalog', async () => {
	const old = signingKey().kid;
	await rotate();
	assert.notEqual(signingKey().kid, old);
}));
