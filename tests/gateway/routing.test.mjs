/*
 * Which function a request reaches, by the rules in gateway-conf/ alone: every
 * function is a stub that tells its name and what it was given.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { conf, routedFunctions, startFunction, startLighttpd } from './lighttpd.mjs';
import { assertProblem, assertSafeHeaders } from './problem.mjs';
import { ask } from './wire.mjs';

const FALLBACK = 'gateway-fallback';
const api = JSON.parse(readFileSync(path.join(conf, 'www/openapi.json'), 'utf8'));
/* lighttpd's own files have no request id. */
const isFile = ({ get }) => get?.responses['304'] !== undefined && !get.responses['200'].headers['X-Request-ID'];
const routes = Object.entries(api.paths).filter(([, operations]) => !isFile(operations));

let gateway;
const servers = new Map();

async function serve(name) {
	servers.set(name, await startFunction(path.join(gateway.run, 'fn', `${name}.sock`), (params) => {
		if (params.QUERY_STRING === 'hang-up')
			return null;
		const text = JSON.stringify({ name, params });
		return `Status: 200\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n`
			+ (params.REQUEST_METHOD === 'HEAD' ? '' : text);
	}));
}

async function reached(method, target, headers, body) {
	const response = await ask(gateway.base, method, target, { Connection: 'close', ...headers }, body);
	assert.equal(response.status, 200, `${method} ${target}`);
	return JSON.parse(response.body);
}

before(async () => {
	gateway = await startLighttpd();
	await Promise.all([FALLBACK, ...routedFunctions()].map(serve));
});

after(async () => {
	for (const server of servers.values())
		server.close();
	await gateway.stop();
});

test('every method of every path reaches a function of its own', async () => {
	const owners = new Map();
	for (const [template, operations] of routes) {
		for (const method of Object.keys(operations).map((name) => name.toUpperCase())) {
			const target = template.replace(/\{[^}]+\}/g, '42');
			const length = method === 'GET' ? {} : { 'Content-Length': '0' };
			const { name, params } = await reached(method, target, length);
			assert.notEqual(name, FALLBACK, `${method} ${target}`);
			assert.equal(params.SOUK_ALLOW, undefined);
			assert.ok(!owners.has(name), `${method} ${target} and ${owners.get(name)} share ${name}`);
			owners.set(name, `${method} ${template}`);
		}
	}
});

test('another method reaches the fallback, which is told what the path has', async () => {
	for (const [template, operations] of routes) {
		const target = template.replace(/\{[^}]+\}/g, '42');
		const methods = Object.keys(operations).map((name) => name.toUpperCase());
		const allow = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).sort();
		for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
			if (methods.includes(method))
				continue;
			const length = method === 'POST' ? { 'Content-Length': '0' } : {};
			const { name, params } = await reached(method, target, length);
			assert.equal(name, FALLBACK, `${method} ${target}`);
			assert.deepEqual(params.SOUK_ALLOW.split(', ').sort(), allow, `${method} ${target}`);
		}
	}
});

test('an unknown path reaches the fallback, which is told nothing', async () => {
	for (const target of ['/nothing', '/api', '/api/', '/fn/auth-login', '/fn/auth-login.sock', '/docs.html',
		'/www/docs.html', '/errors/404.html', '/media/', '/media/demo/.hidden.jpg', '/media/demo/page.html', '/.git/config', '/-/unavailable', '/-/refused']) {
		const { name, params } = await reached('GET', target);
		assert.equal(name, FALLBACK, target);
		assert.equal(params.SOUK_ALLOW, undefined, target);
	}
});

test('a client cannot pretend to be told the allowed methods', async () => {
	const { params } = await reached('GET', '/nothing', { 'Souk-Allow': 'GET', SOUK_ALLOW: 'GET' });
	assert.equal(params.SOUK_ALLOW, undefined);
});

test('what the client says of its address is passed on for the function to judge', async () => {
	const { params } = await reached('GET', '/nothing', { 'X-Forwarded-For': '203.0.113.9, 10.0.0.1' });
	assert.equal(params.HTTP_X_FORWARDED_FOR, '203.0.113.9, 10.0.0.1');
	assert.match(params.REMOTE_ADDR, /^127\./);
});

test('the function sees the target as it was sent', async () => {
	const { params } = await reached('GET', '/nothing/%2e%2e/a%2Fb?x=%20y');
	assert.equal(params.REQUEST_URI, '/nothing/%2e%2e/a%2Fb?x=%20y');
	assert.equal(params.QUERY_STRING, 'x=%20y');
});

test('HSTS only for who came over TLS', async () => {
	const plain = await ask(gateway.base, 'GET', '/nothing', {});
	assert.equal(plain.headers['strict-transport-security'], undefined);
	const secure = await ask(gateway.base, 'GET', '/nothing', { 'X-Forwarded-Proto': 'https' });
	assert.match(secure.headers['strict-transport-security'], /^max-age=\d+/);
});

test('a function that hangs up is a 500 that does not promise anything was undone', async () => {
	const response = await ask(gateway.base, 'GET', '/nothing?hang-up', {});
	assertProblem(response, 500, 'internal_error');
	assertSafeHeaders(response.headers);
});

test('a function that is away is a 503 with Retry-After, and back at once when it is', async () => {
	const server = servers.get(FALLBACK);
	server.close();
	const away = await ask(gateway.base, 'GET', '/nothing', {});
	assertProblem(away, 503, 'unavailable');
	assertSafeHeaders(away.headers);
	assert.match(away.headers['retry-after'], /^[1-9]\d*$/);

	const head = await ask(gateway.base, 'HEAD', '/nothing', {});
	assert.equal(head.status, 503);
	assert.match(head.headers['retry-after'], /^[1-9]\d*$/);

	await serve(FALLBACK);
	const deadline = Date.now() + 3000;
	let response;
	do {
		response = await ask(gateway.base, 'GET', '/nothing', {});
	} while (response.status === 503 && Date.now() < deadline);
	assert.equal(response.status, 200);
});
