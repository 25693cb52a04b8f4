/*
 * The logs: nobody forges a line in them, and no secret is in any.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { exchange as conversation } from '../gateway/wire.mjs';
import { call, newAddress } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { functionLines, noSecrets } from '../lib/leaks.mjs';
import { customer, freshEmail, lines, pay, place, product, seller, unique } from '../lib/shop.mjs';
import { one, value } from '../lib/sql.mjs';
import { until } from '../lib/wait.mjs';
import { deliver, event, signature } from '../lib/webhook.mjs';

const marked = (id) => until(`a line about ${id}`, () => functionLines().find((line) => line.request_id === id));

test('every line of the functions is one JSON object that says when, who and what', async () => {
	const id = `log-${unique()}`;
	const person = await customer();
	await person.call('GET', '/api/users/profile', { headers: { 'X-Request-ID': id } });
	const line = await marked(id);

	assert.match(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
	assert.equal(line.user, String(person.id));
	assert.equal(line.address, person.address);
	assert.equal(line.route, '/api/users/profile');
	assert.equal(line.method, 'GET');
	assert.equal(line.status, 200);
	assert.match(line.trace_id, /^[0-9a-f]{32}$/);
});

test('sign-ins and refused access are in the log, whose, by whom and why', async () => {
	const ids = { good: `good-${unique()}`, bad: `bad-${unique()}`, forbidden: `no-${unique()}`, none: `none-${unique()}`, limit: `limit-${unique()}` };
	const person = await customer();
	const address = newAddress();

	await call('POST', '/api/auth/login', { json: { email: person.email, password: 'not the password' }, address, headers: { 'X-Request-ID': ids.bad } });
	await person.call('POST', '/api/products', { json: { name: 'x', price: '1.00' }, headers: { 'X-Request-ID': ids.forbidden } });
	await call('GET', '/api/orders', { headers: { 'X-Request-ID': ids.none } });
	const line = await marked(ids.bad);
	assert.deepEqual([line.status, line.code, line.address, line.user], [401, 'invalid_credentials', address, String(person.id)]);
	await call('POST', '/api/auth/login', { json: { email: person.email, password: person.password }, address, headers: { 'X-Request-ID': ids.good } });
	const good = await marked(ids.good);
	assert.deepEqual([good.status, good.address, good.user], [200, address, String(person.id)]);
	const forbidden = await marked(ids.forbidden);
	assert.deepEqual([forbidden.status, forbidden.code, forbidden.user], [403, 'forbidden', String(person.id)]);
	assert.equal((await marked(ids.none)).code, 'unauthenticated');
});

test('no request forges a line of a log', async () => {
	const mark = `forged${unique()}`;
	const line = `{"time":"2026-01-01T00:00:00.000Z","level":"error","function":"${mark}","message":"pwned"}`;
	const end = `end-${unique()}`;
	const evil = [`\n${line}\n`, `"}\n${line}`, `\r\n${line}`, `\\n${line}`, `","level":"error","${mark}":"`, `\u2028${line}`, `\x1b[31m${mark}\x1b[0m`, `${'x'.repeat(600)}${line}`];

	for (const text of evil) {
		const encoded = encodeURIComponent(text);
		await call('GET', `/api/products?search=${encoded.slice(0, 500)}`);
		await call('GET', `/api/products/${encoded}`);
		await call('GET', `/${encoded}`);
		await call('POST', '/api/auth/login', { json: { email: `${text}@example.com`, password: text } });
		await call('POST', '/api/auth/register', { json: { email: freshEmail(), password: `pw ${mark} ok`, first_name: text.slice(0, 100) } });
		const header = Buffer.from(text.replace(/[\r\n\0-\x1f]/g, ' ')).toString('latin1');
		for (const name of ['User-Agent', 'Referer', 'X-Request-ID', 'X-Correlation-ID', 'traceparent', 'X-Forwarded-For', 'Origin', 'Idempotency-Key', 'Cookie', 'Authorization', 'Accept-Language'])
			await call('GET', '/api/orders', { headers: { [name]: header } });
		/* As it is, for what a well-behaved client would not send. */
		await conversation(need('SOUK_URL'), `GET /${Buffer.from(text.replace(/[\r\n ]/g, '')).toString('latin1')} HTTP/1.1\r\nHost: x\r\n\r\n`);
		/* Signed text gets as far as the log itself. */
		await deliver(event('payment_intent.succeeded', { id: `pi_${text}`, object: 'payment_intent', amount_received: 1, currency: 'usd', metadata: { order_id: '1', nonce: text } },
		    { id: `evt_${unique()}${text}`.slice(0, 255) }));
	}
	await call('GET', '/api/orders', { headers: { 'X-Request-ID': end } });
	await marked(end);
	/* functionLines() has parsed each line; none is what was forged. */
	for (const entry of functionLines()) {
		assert.notEqual(entry.function, mark);
		assert.ok(!(mark in entry), JSON.stringify(entry));
	}
	for (const name of ['lighttpd.log', 'postgres.log', 'functions.log'])
		for (const each of readFileSync(join(need('SOUK_RUN'), 'log', name), 'utf8').split('\n'))
			assert.ok(!each.startsWith(line) && !each.startsWith(`\x1b`), `${name}: ${each}`);
});

test('no secret is in any log, whatever becomes of the request that had it', async () => {
	const secret = { password: `correct horse ${unique()}`, wrong: `battery staple ${unique()}`, bearer: `bearer-${unique()}${unique()}`, query: `query${unique()}`, notes: `street ${unique()}` };
	const email = freshEmail('logs');

	await call('POST', '/api/auth/register', { json: { email, password: secret.password }, expect: 201 });
	await call('POST', '/api/auth/register', { json: { email, password: secret.password }, expect: 409 });
	await call('POST', '/api/auth/login', { json: { email, password: secret.wrong }, expect: 401 });
	await call('POST', '/api/auth/login', { body: `{"email":"${email}","password":"${secret.password}"`, expect: 400 });
	await call('POST', '/api/auth/login', { json: { email, passwort: secret.password }, expect: 400 });
	await call('POST', `/api/auth/login?password=${secret.query}`, { json: { email }, expect: 400 });
	await call('GET', '/api/orders', { token: secret.bearer, expect: 401 });
	await call('GET', '/%00', { token: secret.bearer, expect: 400 });
	const session = (await call('POST', '/api/auth/login', { json: { email, password: secret.password }, expect: 200 })).json;
	const next = (await call('POST', '/api/auth/refresh', { json: { refreshToken: session.refreshToken }, expect: 200 })).json;
	await call('POST', '/api/auth/logout', { json: { refreshToken: next.refreshToken }, expect: 200 });
	await call('POST', '/api/auth/refresh', { json: { refreshToken: next.refreshToken }, expect: 401 });

	const buyer = await customer();
	const placed = await place(buyer, lines([(await product(await seller())).id, 1]), { body: { customerNotes: secret.notes } });
	await pay(buyer, placed);
	const body = JSON.stringify(event('charge.updated', { id: 'ch_1', number: '4242424242424242', cvc: '123' }));
	const signed = signature(body);
	await deliver(body, { signature: signed, expect: 200 });
	await deliver(`${body} `, { signature: signed, expect: 400 });

	const end = `end-${unique()}`;
	await call('GET', '/api/orders', { headers: { 'X-Request-ID': end } });
	await marked(end);
	noSecrets({ ...secret, 'an access token': session.accessToken, 'a refresh token': session.refreshToken, 'its successor': next.refreshToken,
	    'a client secret': placed.payment.clientSecret, 'a signature': signed.split('v1=')[1] });
});

test('what is stored of secrets are hashes', async () => {
	const person = await customer();
	const { password_hash } = await one`SELECT password_hash FROM users.account WHERE id = ${person.id}`;
	assert.match(password_hash, /^\$2b\$\d\d\$[./A-Za-z0-9]{53}$/);
	for (const table of ['users.refresh_token', 'users.session'])
		assert.equal(await value`SELECT count(*) FROM ${{ sql: table }} t WHERE position(${person.refreshToken} in t::text) > 0`, 0, table);
});
