/*
 * The same binaries without a gateway: from the shell and as plain CGI.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { call } from '../../lib/client.mjs';
import { need } from '../../lib/env.mjs';
import { customer, product, seller } from '../../lib/shop.mjs';

/* What the supervisor gives to a function of a context. */
function environment(context) {
	const file = (name) => {
		try {
			return readFileSync(join(need('SOUK_RUN'), 'env', `${name}.env`), 'utf8');
		} catch {
			return '';
		}
	};
	return Object.fromEntries(`${file('common')}\n${file(context)}`.split('\n').filter(Boolean)
	    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

function execute(name, args, { input = '', env = {} } = {}) {
	return new Promise((done) => {
		const child = execFile(join(need('SOUK_BIN'), name), args,
		    { env: { ...environment(name.split('-')[0]), ...env } },
		    (error, stdout) => done({ code: error ? error.code : 0, stdout }));
		child.stdin.on('error', () => { /* it may not read */ });
		child.stdin.end(input);
	});
}

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
	const env = {
		GATEWAY_INTERFACE: 'CGI/1.1', SERVER_PROTOCOL: 'HTTP/1.1', REQUEST_METHOD: 'GET',
		REQUEST_URI: '/api/categories', REMOTE_ADDR: '127.0.0.9', HTTP_X_REQUEST_ID: 'from-cgi',
	};
	const { code, stdout } = await execute('catalog-categories', [], { env });
	const [head, body] = stdout.split('\r\n\r\n');

	assert.equal(code, 0);
	assert.match(head, /^Status: 200/m);
	assert.match(head, /^Content-Type: application\/json/m);
	assert.match(head, /^X-Request-ID: from-cgi/m);
	assert.deepEqual(JSON.parse(body), (await call('GET', '/api/categories')).json);
});

test('a setting that is wrong stops a function, and is named', async () => {
	const { code } = await execute('catalog-get', ['--once', 'GET', '/api/products/1'], { env: { RATE_LIMIT_GENERAL: 'many' } });
	assert.equal(code, 78);
});
