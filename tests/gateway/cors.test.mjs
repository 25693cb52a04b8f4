/* What pages of other origins may do, for every path of openapi.json. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { cgi } from '../lib/execute.mjs';
import { startLighttpd } from './lighttpd.mjs';
import { assertProblem } from './problem.mjs';
import { METHODS, ORIGIN, allowed, base, paths, picture } from './stack.mjs';
import { ask } from './wire.mjs';

const { protocol, hostname } = new URL(ORIGIN);
const STRANGERS = ['https://elsewhere.test', 'null', '*', `${ORIGIN}.evil.test`, `${ORIGIN}:8443`, `${ORIGIN}:443`, `${ORIGIN}/`,
	`${protocol === 'https:' ? 'http' : 'https'}://${hostname}`, `https://evil-${hostname}`, `https://sub.${hostname}`,
	ORIGIN.slice(0, -1), ORIGIN.toUpperCase(), `${ORIGIN},http://localhost:3000`, 'http://localhost', 'file://', ''];

const list = (text) => (text ?? '').split(/, */).map((name) => name.toLowerCase());
const about = (headers) => Object.keys(headers).filter((name) => name.startsWith('access-control-'));
const preflight = (path, method, origin, more) => ask(base, 'OPTIONS', path,
    { Origin: origin, 'Access-Control-Request-Method': method, ...more });

function assertReadable({ headers }, where) {
	assert.equal(headers['access-control-allow-origin'], ORIGIN, where);
	assert.ok(list(headers.vary).includes('origin'), where);
	assert.equal(headers['access-control-allow-credentials'], undefined, where);
}

test('a preflight says what the path has, to an allowed origin', async () => {
	for (const { path, template, methods } of paths) {
		const answer = await preflight(path, methods[0], ORIGIN,
		    { 'Access-Control-Request-Headers': 'authorization,content-type,idempotency-key' });
		assert.equal(answer.status, 204, template);
		assert.equal(answer.body, '');
		assertReadable(answer, template);
		assert.deepEqual([...list(answer.headers['access-control-allow-methods']), 'options'].sort(),
		    allowed(methods).map((name) => name.toLowerCase()).sort(), template);
		for (const name of ['authorization', 'content-type', 'idempotency-key', 'if-match', 'if-none-match', 'x-request-id', 'traceparent'])
			assert.ok(list(answer.headers['access-control-allow-headers']).includes(name), `${name} at ${template}`);
		assert.ok(Number(answer.headers['access-control-max-age']) > 0, template);
	}
});

test('any other origin is told nothing, not even by a preflight', async () => {
	for (const origin of STRANGERS) {
		const answer = await preflight('/api/products', 'GET', origin);
		assert.equal(answer.status, 204, origin);
		assert.deepEqual(about(answer.headers), [], origin);
		assert.ok(list(answer.headers.vary).includes('origin'), origin);
		const read = await ask(base, 'GET', '/api/products?limit=1', { Origin: origin });
		assert.equal(read.status, 200);
		assert.deepEqual(about(read.headers), [], origin);
		assert.ok(list(read.headers.vary).includes('origin'), origin);
	}
});

test('OPTIONS that is no preflight says the methods', async () => {
	for (const { path, template, methods } of paths) {
		const answer = await ask(base, 'OPTIONS', path, { Origin: ORIGIN });
		assert.equal(answer.status, 204, template);
		assert.deepEqual(list(answer.headers.allow).sort(), allowed(methods).map((name) => name.toLowerCase()).sort(), template);
		assert.equal(answer.headers['access-control-allow-methods'], undefined);
	}
	assertProblem(await preflight('/no-such-path', 'GET', ORIGIN), 404, 'not_found');
});

test('every answer of every path can be read by an allowed origin, refusals too', async () => {
	for (const { path, template } of paths)
		for (const method of METHODS) {
			const answer = await ask(base, method, path, { Origin: ORIGIN, ...method === 'GET' ? {} : { 'Content-Length': '0' } });
			assertReadable(answer, `${method} ${template}: ${answer.status}`);
			if (answer.headers['x-request-id'])
				for (const name of ['ratelimit-remaining', 'retry-after', 'x-request-id', 'etag'])
					assert.ok(list(answer.headers['access-control-expose-headers']).includes(name), `${name} of ${method} ${template}`);
		}
	assertReadable(await ask(base, 'GET', '/no-such-path', { Origin: ORIGIN }), '404');
	assertReadable(await ask(base, 'GET', '/media/none.jpg', { Origin: ORIGIN }), 'a picture that is not there');
});

test('a 304 can be read like the 200', async () => {
	for (const path of ['/api/products', '/api/categories', '/openapi.json', '/docs']) {
		const { headers } = await ask(base, 'GET', path, { Origin: ORIGIN });
		const again = await ask(base, 'GET', path, { Origin: ORIGIN, 'If-None-Match': headers.etag });
		assert.equal(again.status, 304, path);
		assertReadable(again, path);
	}
});

test('both of two origins are allowed, each by its own name', async () => {
	for (const origin of process.env.ALLOWED_ORIGINS.split(','))
		for (const path of ['/', '/docs', '/no-such-path'])
			assert.equal((await ask(base, 'GET', path, { Origin: origin })).headers['access-control-allow-origin'], origin, path);
});

test('pictures may be shown anywhere, nothing else embedded', async () => {
	const shown = await ask(base, 'HEAD', await picture(), { Origin: ORIGIN });
	assert.equal(shown.headers['cross-origin-resource-policy'], 'cross-origin');
	assertReadable(shown, 'a picture');
	for (const path of ['/', '/api/products', '/api/users/profile', '/no-such-path', '/openapi.json', '/docs'])
		assert.equal((await ask(base, 'GET', path, {})).headers['cross-origin-resource-policy'], 'same-origin', path);
});

test('what is no origin stops a function, and is named', async () => {
	for (const bad of ['*', 'null', 'shop.test', 'https://shop.test/', 'https://', 'https://Shop.test', 'ftp://shop.test', 'https://a.test,*', 'https://a.test/x'])
		assert.equal((await cgi('gateway-root', 'GET', '/', { env: { ALLOWED_ORIGINS: bad } })).headers.status, undefined, bad);
	for (const good of ['https://a.test', 'http://localhost:3000, https://a.test', 'https://[::1]:8443', ''])
		assert.equal((await cgi('gateway-root', 'GET', '/', { env: { ALLOWED_ORIGINS: good } })).status, 200, good);
});

/* A lighttpd with no function behind it: what it answers is its own. */
let alone;

before(async () => {
	alone = await startLighttpd({ ALLOWED_ORIGINS: `${ORIGIN},http://localhost:3000` });
});

after(() => alone.stop());

test('lighttpd\'s own refusals can be read too', async () => {
	for (const origin of [ORIGIN, 'http://localhost:3000']) {
		for (const [method, path] of [['GET', '/'], ['GET', '/api/products'], ['POST', '/api/orders'], ['OPTIONS', '/docs']]) {
			const answer = await ask(alone.base, method, path, { Origin: origin, 'Content-Length': '0' });
			assertProblem(answer, 503, 'unavailable');
			assert.equal(answer.headers['access-control-allow-origin'], origin, `${method} ${path}`);
		}
		const large = await ask(alone.base, 'POST', '/api/orders', { Origin: origin, 'Content-Length': '9999999' });
		assertProblem(large, 413);
		assert.equal(large.headers['access-control-allow-origin'], origin);
		const secure = await ask(alone.base, 'GET', '/docs', { Origin: origin, 'X-Forwarded-Proto': 'https' });
		assert.equal(secure.headers['access-control-allow-origin'], origin);
		assert.match(secure.headers['strict-transport-security'], /^max-age=\d+/);
	}
	for (const origin of STRANGERS)
		for (const path of ['/', '/docs'])
			assert.deepEqual(about((await ask(alone.base, 'GET', path, { Origin: origin })).headers), [], `${origin} at ${path}`);
});

test('a preflight needs no database', async () => {
	const { status, headers } = await cgi('gateway-fallback', 'OPTIONS', '/api/orders', { env: {
		DATABASE_URL: 'postgresql://nobody@/nowhere?host=/nonexistent', ALLOWED_ORIGINS: ORIGIN, SOUK_ALLOW: 'GET, HEAD, POST',
		HTTP_ORIGIN: ORIGIN, HTTP_ACCESS_CONTROL_REQUEST_METHOD: 'POST' } });
	assert.equal(status, 204);
	assert.equal(headers['access-control-allow-methods'], 'GET, HEAD, POST');
});
