/*
 * The same binaries without a gateway: from the shell and as plain CGI.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { call } from '../../lib/client.mjs';
import { need } from '../../lib/env.mjs';
import { cgi, execute } from '../../lib/execute.mjs';
import { customer, product, seller } from '../../lib/shop.mjs';

test('every function describes itself', async () => {
	const names = readdirSync(need('SOUK_BIN'));
	const routes = new Set();

	assert.ok(names.length >= 20);
	for (const name of names) {
		const { code, stdout } = await execute(name, ['--describe']);
		assert.equal(code, 0, name);
		const described = JSON.parse(stdout);
		assert.equal(described.binary, name);
		assert.ok(described.endpoints.length > 0, name);
		for (const endpoint of described.endpoints) {
			const route = `${described.context === 'stripe-sim'} ${endpoint.method} ${endpoint.path}`;
			assert.ok(!routes.has(route), `${route} twice`);
			routes.add(route);
			assert.ok(['public', 'user', 'seller', 'admin', 'service', 'operator', 'signed'].includes(endpoint.access), route);
			assert.ok(['none', 'general', 'auth', 'payment'].includes(endpoint.rate), route);
			assert.ok(endpoint.summary, route);
			for (const field of [...endpoint.input ?? [], ...endpoint.output ?? []])
				assert.ok(field.doc, `${route} ${field.name} is not documented`);
		}
	}
});

test('a request from the shell is answered as by the gateway', async () => {
	const { id } = await product(await seller());
	const path = `/api/products/${id}`;
	const { code, stdout } = await execute('catalog-get', ['--once', 'GET', path]);
	assert.equal(code, 0);
	assert.deepEqual(JSON.parse(stdout), (await call('GET', path, { expect: 200 })).json);

	const refused = await execute('catalog-get', ['--once', 'GET', '/api/products/abc']);
	assert.equal(refused.code, 1);
	assert.equal(JSON.parse(refused.stdout).code, 'not_found');
});

test('a body from the shell is read', async () => {
	const { email, password } = await customer();
	const { code, stdout } = await execute('auth-login', ['--once', 'POST', '/api/auth/login'],
	    { input: JSON.stringify({ email, password }) });
	assert.equal(code, 0, stdout);
	assert.equal(JSON.parse(stdout).user.email, email);
});

test('as plain CGI: a header, an empty line, the body', async () => {
	const answer = await cgi('catalog-categories', 'GET', '/api/categories', { env: { HTTP_X_REQUEST_ID: 'from-cgi' } });

	assert.equal(answer.status, 200);
	assert.match(answer.headers['content-type'], /^application\/json/);
	assert.equal(answer.headers['x-request-id'], 'from-cgi');
	assert.deepEqual(answer.json, (await call('GET', '/api/categories')).json);
});

test('a setting that is wrong stops a function, and is named', async () => {
	const { code } = await execute('catalog-get', ['--once', 'GET', '/api/products/1'], { env: { RATE_LIMIT_GENERAL: 'many' } });
	assert.equal(code, 78);
});
