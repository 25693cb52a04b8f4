/* Paths and methods through the running gateway, for all of openapi.json. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, assertSafeHeaders } from './problem.mjs';
import { METHODS, allowed, api, base, paths } from './stack.mjs';
import { ask } from './wire.mjs';

const NO_BODY = { 'Content-Length': '0' };

test('an unknown path is 404 in problem+json, with a request id', async () => {
	for (const target of ['/no-such-path', '/api', '/api/nothing', '/fn/auth-login', '/api/products/1/nothing']) {
		for (const method of METHODS) {
			const response = await ask(base, method, target, method === 'GET' ? {} : NO_BODY);
			const problem = assertProblem(response, 404, 'not_found');
			assert.equal(problem.request_id, response.headers['x-request-id']);
			assertSafeHeaders(response.headers);
		}
	}
});

test('another method than a path has is 405 with exactly the ones it has', async () => {
	for (const { path, template, methods } of paths) {
		const allow = allowed(methods);
		for (const method of [...METHODS, 'PATCH'].filter((name) => !methods.includes(name))) {
			const response = await ask(base, method, path, method === 'GET' ? {} : NO_BODY);
			assert.equal(response.status, 405, `${method} ${template}`);
			assertProblem(response, 405, 'method_not_allowed');
			assert.deepEqual(response.headers.allow.split(/, */).sort(), allow, `${method} ${template}`);
		}
	}
});

test('OPTIONS tells the methods, or refuses, and never is a 5xx', async () => {
	for (const { path, template } of paths) {
		const response = await ask(base, 'OPTIONS', path, { Origin: 'https://elsewhere.test', 'Access-Control-Request-Method': 'GET' });
		assert.ok([200, 204, 405].includes(response.status), `OPTIONS ${template}: ${response.status}`);
		assert.equal(response.headers['access-control-allow-origin'], undefined, `OPTIONS ${template}`);
	}
});

/* What no two answers have in common. */
const lasting = (headers) => Object.fromEntries(Object.entries(headers).filter(([name]) =>
	!/^(date|x-request-id|x-correlation-id|x-cache|ratelimit-.*)$/.test(name)));

test('HEAD is GET without the body', async () => {
	for (const { path, template } of paths.filter(({ methods }) => methods.includes('GET'))) {
		for (const headers of [{}, { 'Accept-Encoding': 'gzip' }]) {
			/* What is filled meanwhile, or says the time, is asked again. */
			let get, head;
			for (let tries = 0; tries < 3; tries++) {
				get = await ask(base, 'GET', path, headers);
				head = await ask(base, 'HEAD', path, headers);
				if (get.headers['content-length'] === head.headers['content-length'])
					break;
			}
			assert.equal(head.status, get.status, `HEAD ${template}`);
			assert.deepEqual(lasting(head.headers), lasting(get.headers), `HEAD ${template}`);
			assert.ok(Number(head.headers['content-length']) > 0, `HEAD ${template}`);
			assert.equal(head.body, '');
		}
	}
});

test('a literal path is not taken for a parameter', async () => {
	for (const { path, template, methods } of paths.filter((entry) => !entry.template.includes('{'))) {
		const response = await ask(base, methods[0], path, methods[0] === 'GET' ? {} : NO_BODY);
		assert.notEqual(response.status, 404, template);
		assert.notEqual(response.status, 405, template);
	}
});

test('another spelling of a path is that path or none', async () => {
	const spellings = [
		['//health', '/health'], ['/./health', '/health'], ['/%68ealth', '/health'], ['/health/', '/health'],
		['/api/../health', '/health'], ['/api/%2e%2e/health', '/health'], ['/HEALTH', '/health'],
		['/health;x=1', '/health'], ['/health%20', '/health'],
		['/api/products%2F1', '/api/products/1'], ['/api/orders/1%2Fhistory', '/api/orders/1/history'],
		['/api/products/%2e%2e/users/profile', '/api/users/profile'],
		['/api/products/..%2Fusers%2Fprofile', '/api/users/profile'],
	];
	for (const [spelling, path] of spellings) {
		const response = await ask(base, 'GET', spelling, {});
		const canonical = await ask(base, 'GET', path, {});
		if (response.status === 404)
			assertProblem(response, 404, 'not_found');
		else
			assert.equal(response.status, canonical.status, spelling);
	}
});

test('nothing that is not meant to be served can be reached', async () => {
	for (const target of ['/.%2e/.%2e/etc/passwd', '/media/../log/lighttpd.log', '/media/%2e%2e/env/common.env',
		'/media/..%2fenv/common.env', '/docs/../../errors/404.html', '/docs.html', '/docs.css/../docs.html',
		'/%66n/auth-login.sock', '/fn/auth-login', '/-/unavailable', '/-/refused', '/-/no-such-file'])
		assertProblem(await ask(base, 'GET', target, {}), 404, 'not_found');
});

test('internal routes ask for the service token', async () => {
	const internal = paths.filter(({ template }) => template.startsWith('/internal/'));
	for (const { path, template } of internal) {
		const response = await ask(base, 'POST', path, NO_BODY);
		assert.equal(response.status, 401, template);
	}
});

test('no two operations have one id, and all that is referred to is there', () => {
	const ids = Object.values(api.paths).flatMap((item) => Object.values(item)).map(({ operationId }) => operationId);
	assert.equal(new Set(ids).size, ids.length);
	JSON.stringify(api, (key, value) => {
		if (key === '$ref')
			assert.ok(value.slice(2).split('/').reduce((node, name) => node?.[name], api), value);
		return value;
	});
});
