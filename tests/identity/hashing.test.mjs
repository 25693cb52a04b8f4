/*
 * Hashing passwords: as much work for everybody, in turns that all functions
 * share, and anew where the cost has risen.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { call, newAddress, refuse } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { customer, freshEmail, login, PASSWORD } from '../lib/shop.mjs';
import { run, value } from '../lib/sql.mjs';
import { until } from '../lib/wait.mjs';

const LOGIN = '/api/auth/login';

/* How many hashes all functions have made. */
async function hashes() {
	const { text } = await call('GET', '/metrics', { address: '127.0.0.1', expect: 200 });
	return [...text.matchAll(/^password_hash_duration_seconds_count\S* (\d+)$/gm)]
	    .reduce((sum, [, count]) => sum + Number(count), 0);
}

async function hashesOf(ask) {
	const before = await hashes();
	await ask();
	return await hashes() - before;
}

test('whoever is refused has cost one hash', async () => {
	const [wrong, closed, gone] = [await customer(), await customer(), await customer()];
	await run`UPDATE users.account SET is_active = false WHERE id = ${closed.id}`;
	await gone.call('DELETE', '/api/users/profile', { json: { password: PASSWORD }, expect: 200 });
	const refused = (email, password) => () => refuse(401, 'invalid_credentials', 'POST', LOGIN, { json: { email, password } });

	assert.equal(await hashesOf(refused(freshEmail(), PASSWORD)), 1, 'unknown');
	assert.equal(await hashesOf(refused(wrong.email, 'Wrong-password')), 1, 'wrong password');
	assert.equal(await hashesOf(refused(closed.email, PASSWORD)), 1, 'deactivated');
	assert.equal(await hashesOf(refused(closed.email, 'Wrong-password')), 1, 'deactivated, wrong password');
	assert.equal(await hashesOf(refused(gone.email, PASSWORD)), 1, 'erased');
	assert.equal(await hashesOf(() => login(wrong.email, PASSWORD)), 1, 'signed in');
});

/* Signs in at another cost than the stack's: the function as plain CGI. */
function loginAt(cost, email, password = PASSWORD) {
	const body = JSON.stringify({ email, password });
	const settings = ['common', 'auth'].flatMap((name) =>
		readFileSync(join(need('SOUK_RUN'), 'env', `${name}.env`), 'utf8').split('\n').filter(Boolean)
		    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
	const child = spawn(join(need('SOUK_BIN'), 'auth-login'), [], { stdio: ['pipe', 'pipe', 'ignore'], env: {
		...Object.fromEntries(settings), BCRYPT_COST: String(cost), GATEWAY_INTERFACE: 'CGI/1.1',
		REQUEST_METHOD: 'POST', REQUEST_URI: LOGIN, SCRIPT_NAME: '', REMOTE_ADDR: newAddress(),
		SERVER_PROTOCOL: 'HTTP/1.1', CONTENT_TYPE: 'application/json', CONTENT_LENGTH: String(body.length),
	} });
	child.stdin.end(body);
	return new Promise((done) => {
		let out = '';
		child.stdout.on('data', (chunk) => { out += chunk; });
		child.on('close', () => done(out));
	});
}

test('a hash is made anew when the cost has risen, and not when it has fallen', async () => {
	const { id, email } = await customer();
	const cost = async () => Number((await value`SELECT password_hash FROM users.account WHERE id = ${id}`).split('$')[2]);
	const first = await cost();

	assert.match(await loginAt(first + 1, email, 'Wrong-password'), /^Status: 401/);
	assert.equal(await cost(), first);
	assert.match(await loginAt(first + 1, email), /^Status: 200/);
	assert.equal(await cost(), first + 1);
	await login(email, PASSWORD);
	assert.equal(await cost(), first + 1);
	await refuse(401, 'invalid_credentials', 'POST', LOGIN, { json: { email, password: 'Wrong-password' } });
});

/* Somebody who has every turn there can be, until they are killed. */
async function holder() {
	const child = spawn('bash', ['-c', `for i in {0..63}; do
		exec {fd}>>"$0/hash-slot.$i"; flock "$fd"; done; echo ready; read -r`,
	    join(need('SOUK_RUN'), 'state')], { stdio: ['pipe', 'pipe', 'inherit'] });
	let told = '';
	child.stdout.on('data', (chunk) => { told += chunk; });
	await until('every turn is taken', () => told.includes('ready'));
	return child;
}

test('functions take turns, and whoever waits too long is told to come back', async () => {
	const person = await customer();
	const held = await holder();
	try {
		const asked = [
			call('POST', LOGIN, { json: { email: person.email, password: PASSWORD } }),
			call('POST', '/api/auth/register', { json: { email: freshEmail(), password: PASSWORD } }),
			person.call('POST', '/api/users/change-password', { json: { currentPassword: PASSWORD, newPassword: PASSWORD } }),
			person.call('DELETE', '/api/users/profile', { json: { password: PASSWORD } }),
		];
		/* What needs no turn is not kept waiting. */
		await person.get('/api/users/profile');
		for (const { status, json, headers } of await Promise.all(asked)) {
			assert.equal(`${status} ${json.code}`, '503 unavailable');
			assert.match(headers['retry-after'], /^[1-9]/);
		}
	} finally {
		held.kill('SIGKILL');
	}
	await login(person.email, PASSWORD);
});
