/*
 * Tokens, sessions and passwords.  What every endpoint refuses alike, bad.mjs
 * asks of each; here are the attacks by name.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { before } from 'node:test';
import { call, newAddress, refuse } from '../lib/client.mjs';
import { need, signingKey } from '../lib/env.mjs';
import { customer, freshEmail, PASSWORD } from '../lib/shop.mjs';
import { run } from '../lib/sql.mjs';
import { decode, forgeries, hmac, sign } from '../lib/token.mjs';
import { risk } from './risk.mjs';

const case_ = risk(2);
const profile = (token, options = {}) => call('GET', '/api/users/profile', { token, ...options });
const tryLogin = (email, password, address) => call('POST', '/api/auth/login', { json: { email, password }, address });
let person;

async function refused(tokens) {
	for (const [name, token] of Object.entries(tokens)) {
		const answer = await profile(token);
		assert.equal(`${name}: ${answer.status} ${answer.json.code}`, `${name}: 401 unauthenticated`);
	}
}

before(async () => {
	person = await customer();
});

case_('forged tokens: no algorithm, another, the public key as a secret', async () => {
	const publicPem = readFileSync(join(need('SOUK_RUN'), 'keys', 'public', `${signingKey().kid}.pem`), 'utf8');
	const { header, claims } = decode(person.token);

	await refused(forgeries(person.token, publicPem));
	await refused(Object.fromEntries(['HS256', 'HS384', 'HS512'].map((alg) =>
	    [alg, hmac({ ...header, alg }, claims, publicPem.trim())])));
	await refused(Object.fromEntries(['none', 'None', 'NONE', '', null, 0, ['ES256'], { a: 1 }, 'ES256K', 'RS256', 'PS256', 'es256'].map((alg) =>
	    [`alg ${JSON.stringify(alg)}`, sign({ ...header, alg }, claims)])));
	assert.equal((await profile(sign(header, claims))).status, 200, 'the forger\'s tools work');
});

case_('a kid finds no key but the shop\'s own', async () => {
	const { header, claims } = decode(person.token);
	const { kid } = signingKey();

	await refused(Object.fromEntries(['', '.', '..', '../keys/public/x', `../public/${kid}`, `./${kid}`, `/dev/null`, `${kid}.pem`, `${kid}\0`, `${kid}/`,
	    '/proc/self/environ', 'http://127.0.0.1/key.pem', `' OR '1'='1`, `${kid}' --`, '$(id)', '`id`', '%00', 'a'.repeat(1000), 0, null, [kid], {}]
	    .map((bad) => [`kid ${JSON.stringify(bad)}`, sign({ ...header, kid: bad }, claims)])));
});

case_('keys that a token brings along are neither used nor fetched', async () => {
	const { header, claims } = decode(person.token);
	const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
	const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
	const jwk = { ...publicKey.export({ format: 'jwk' }), kid: header.kid, alg: 'ES256', use: 'sig' };
	const asked = [];
	const server = http.createServer((request, response) => {
		asked.push(request.url);
		response.end(JSON.stringify({ keys: [jwk] }));
	});
	await new Promise((done) => server.listen(0, '127.0.0.1', done));
	const url = `http://127.0.0.1:${server.address().port}/jwks.json`;

	try {
		await refused({
			jwk: sign({ ...header, jwk }, claims, pem),
			jku: sign({ ...header, jku: url }, claims, pem),
			x5u: sign({ ...header, x5u: url }, claims, pem),
			x5c: sign({ ...header, x5c: [publicKey.export({ type: 'spki', format: 'der' }).toString('base64')] }, claims, pem),
			'jku and iss': sign({ ...header, jku: url }, { ...claims, iss: url }, pem),
			crit: sign({ ...header, crit: ['exp'] }, claims),
		});
	} finally {
		server.close();
	}
	assert.deepEqual(asked, []);
	/* Properly signed, they are only ignored. */
	assert.equal((await profile(sign({ ...header, jku: url, jwk }, claims))).status, 200);
});

case_('a token counts from its nbf to its exp, for this shop only', async () => {
	const { header, claims } = decode(person.token);
	const now = Math.floor(Date.now() / 1000);

	await refused(Object.fromEntries(Object.entries({
		'just expired': { exp: now - 1 }, 'exp now': { exp: now - 0 }, 'exp 0': { exp: 0 }, 'exp negative': { exp: -1 }, 'exp null': { exp: null },
		'exp true': { exp: true }, 'exp list': { exp: [now + 900] }, 'nbf ahead': { nbf: now + 600 },
		'iss alike': { iss: `${claims.iss}.evil` }, 'iss empty': { iss: '' }, 'iss list': { iss: [claims.iss] },
		'aud alike': { aud: `${claims.aud}x` }, 'aud empty': { aud: '' }, 'no sid': { sid: undefined }, 'no sub': { sub: undefined },
		'sub text': { sub: `${claims.sub}' OR 1=1` }, 'role root': { role: 'root' }, 'no role': { role: undefined },
		'sid SQL': { sid: "'; DROP TABLE users.session; --------" },
	}).map(([name, changed]) => [name, sign(header, { ...claims, ...changed })])));
});

case_('a changed role or user in a token is 401', async () => {
	const [head, , signature] = person.token.split('.');
	const { claims } = decode(person.token);

	for (const changed of [{ role: 'admin' }, { sub: '1', userId: 1 }, { exp: claims.exp + 9999 }]) {
		const payload = Buffer.from(JSON.stringify({ ...claims, ...changed })).toString('base64url');
		assert.equal((await profile(`${head}.${payload}.${signature}`)).status, 401);
	}
});

case_('a token is a bearer token in its header, nowhere else', async () => {
	const bare = (path, headers = {}) => call('GET', path, { headers });

	for (const name of ['access_token', 'accessToken', 'token', 'jwt', 'authorization', 'Authorization'])
		assert.equal((await bare(`/api/users/profile?${name}=${person.token}`)).status, 401, name);
	for (const headers of [{ Cookie: `accessToken=${person.token}` }, { Cookie: `Authorization=Bearer ${person.token}` },
	    { 'X-Access-Token': person.token }, { 'X-Authorization': `Bearer ${person.token}` }, { 'Proxy-Authorization': `Bearer ${person.token}` },
	    { Authorization: `Basic ${Buffer.from(`${person.email}:${PASSWORD}`).toString('base64')}` }])
		assert.equal((await bare('/api/users/profile', headers)).status, 401, JSON.stringify(headers));
	/* A refresh token is not an access token, nor the other way round. */
	await refused({ 'a refresh token': person.refreshToken });
	await refuse(401, 'invalid_refresh_token', 'POST', '/api/auth/refresh', { json: { refreshToken: person.token.slice(0, 200) } });
});

case_('a signed-out session\'s tokens are dead in every function, at once', async () => {
	const gone = await customer();
	const paths = ['/api/users/profile', '/api/orders', '/api/orders/1', '/api/payments/order/1'];

	for (const path of paths)
		assert.notEqual((await call('GET', path, { token: gone.token })).status, 401, path);
	await call('POST', '/api/auth/logout', { json: { refreshToken: gone.refreshToken }, expect: 200 });
	for (const path of paths)
		assert.equal((await call('GET', path, { token: gone.token })).status, 401, path);
	await refuse(401, 'invalid_refresh_token', 'POST', '/api/auth/refresh', { json: { refreshToken: gone.refreshToken } });
});

case_('a stolen refresh token used after its owner ends the session for both', async () => {
	const victim = await customer();
	const refresh = (refreshToken) => call('POST', '/api/auth/refresh', { json: { refreshToken } });
	const second = (await refresh(victim.refreshToken)).json;
	const third = (await refresh(second.refreshToken)).json;

	assert.equal((await refresh(victim.refreshToken)).status, 401, 'the thief');
	assert.equal((await refresh(third.refreshToken)).status, 401, 'the owner');
	assert.equal((await profile(third.accessToken)).status, 401, 'access tokens too');
});

case_('guessing a password stops after five tries, with many at once too', async () => {
	const victim = await customer();
	const address = newAddress();
	const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => tryLogin(victim.email, `wrong guess ${i}`, address)));
	const counted = (status) => answers.filter((answer) => answer.status === status).length;

	assert.equal(counted(401), 5);
	assert.equal(counted(429), 15);
	assert.equal((await tryLogin(victim.email, PASSWORD, address)).status, 429, 'not even the right one');
});

case_('stuffing many accounts from one address stops after 30', async () => {
	const address = newAddress();
	let let_in = 0;

	for (let i = 0; i < 35; i++)
		let_in += (await tryLogin(freshEmail(), PASSWORD, address)).status === 401 ? 1 : 0;
	assert.equal(let_in, 30);
});

case_('an X-Forwarded-For of one\'s own makes no new guesser', async () => {
	const victim = await customer();
	const address = newAddress();
	const guess = (i) => call('POST', '/api/auth/login', { json: { email: victim.email, password: 'wrong guess' }, address,
	    headers: { 'X-Forwarded-For': `198.51.100.${i}`, 'X-Real-IP': `198.51.100.${i}`, Forwarded: `for=198.51.100.${i}`, 'True-Client-IP': `198.51.100.${i}` } });

	for (let i = 0; i < 5; i++)
		assert.equal((await guess(i)).status, 401);
	assert.equal((await guess(99)).status, 429);
});

case_('an unknown e-mail, a wrong password and a closed account answer alike', async () => {
	const [known, closed] = [await customer(), await customer()];
	await run`UPDATE users.account SET is_active = false WHERE id = ${closed.id}`;
	const answers = [await tryLogin(known.email, 'wrong password'), await tryLogin(freshEmail(), 'wrong password'),
	    await tryLogin(closed.email, 'wrong password'), await tryLogin(closed.email, PASSWORD)];
	const bare = answers.map(({ status, json: { request_id: _, ...problem }, headers }) =>
	    ({ status, problem, names: Object.keys(headers).sort() }));

	for (const each of bare)
		assert.deepEqual(each, bare[0]);
});

/* That they take as long: tests/identity/hashing, "whoever is refused has cost
 * one hash". */
case_('credentials are not taken from the address', async () => {
	const query = new URLSearchParams({ email: person.email, password: PASSWORD });

	assert.equal((await call('POST', `/api/auth/login?${query}`, { json: {} })).status, 400);
	assert.equal((await call('GET', `/api/auth/login?${query}`)).status, 405);
});

case_('weak, short and overlong passwords are refused, strange ones are not', async () => {
	const register = (password) => call('POST', '/api/auth/register', { json: { email: freshEmail(), password } });

	for (const password of ['password', '12345678', 'qwertyuiop', 'iloveyou', '1234567', '', 'a'.repeat(73), 'é'.repeat(37)])
		assert.equal((await register(password)).status, 400, password);
	for (const password of ['        x', 'пароль из слов', '🐪🐪 souk', '\ttabs are fine', 'a'.repeat(71) + '!', `'; DROP TABLE x; --`])
		assert.equal((await register(password)).status, 201, password);
});

case_('only the functions that sign are given the private key', async () => {
	const { readdirSync } = await import('node:fs');
	const directory = join(need('SOUK_RUN'), 'env');
	const told = readdirSync(directory).filter((name) => name.endsWith('.env') &&
	    readFileSync(join(directory, name), 'utf8').includes('JWT_PRIVATE_KEY_FILE'));
	assert.deepEqual(told, ['auth.env']);
});
