/* HTTP through the running gateway: limits, framing, connections. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertNoVersion, assertProblem, assertSafeHeaders, OTHER_VERSION } from './problem.mjs';
import { base } from './stack.mjs';
import { ask, exchange, request } from './wire.mjs';

const MIB = 1024 * 1024;
const JSON_TYPE = { 'Content-Type': 'application/json' };

test('a line that is not a request is 400', async () => {
	for (const line of ['GARBAGE\r\n\r\n', 'GET\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n',
		'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a\r\nNo colon\r\n\r\n']) {
		const [response] = await exchange(base, line);
		assertProblem(response, 400);
		assertNoVersion(response.headers);
	}
});

test(`an unknown method is 501, an unknown version ${OTHER_VERSION.join(' or ')}`, async () => {
	assertProblem(await ask(base, 'BREW', '/', {}), 501);
	const [response] = await exchange(base, 'GET / HTTP/9.9\r\nHost: a\r\n\r\n');
	assertProblem(response, OTHER_VERSION);
});

test('headers or an address over 8 KiB are 431', async () => {
	assertProblem(await ask(base, 'GET', '/', { 'X-Long': 'a'.repeat(9000) }), 431);
	assertProblem(await ask(base, 'GET', `/${'a'.repeat(9000)}`, {}), 431);
});

test('headers of 7 KiB are accepted', async () => {
	assert.equal((await ask(base, 'GET', '/health', { 'X-Long': 'a'.repeat(7000) })).status, 200);
});

test('a body over 1 MiB is 413 before it is sent', async () => {
	const response = await ask(base, 'POST', '/api/auth/login', { ...JSON_TYPE, 'Content-Length': MIB + 1 });
	assertProblem(response, 413, 'body_too_large');
	assertSafeHeaders(response.headers);
	assert.equal(response.headers['retry-after'], undefined);
});

test('a body over 1 MiB in chunks is 413 too', async () => {
	const chunk = `${(MIB + 1).toString(16)}\r\n${'a'.repeat(MIB + 1)}\r\n0\r\n\r\n`;
	const response = await ask(base, 'POST', '/api/auth/login', { ...JSON_TYPE, 'Transfer-Encoding': 'chunked' }, chunk);
	assertProblem(response, 413, 'body_too_large');
});

test('a POST without a length is 411', async () => {
	assertProblem(await ask(base, 'POST', '/api/auth/login', JSON_TYPE), 411, 'length_required');
});

test('a body in chunks is read like any other', async () => {
	const plain = await ask(base, 'POST', '/api/auth/login', { ...JSON_TYPE, 'Content-Length': 2 }, '{}');
	const chunked = await ask(base, 'POST', '/api/auth/login', { ...JSON_TYPE, 'Transfer-Encoding': 'chunked' },
		'1\r\n{\r\n1\r\n}\r\n0\r\n\r\n');
	const expected = assertProblem(plain, 400);
	assert.deepEqual(assertProblem(chunked, 400).errors, expected.errors);
});

test('broken chunks are 400', async () => {
	assertProblem(await ask(base, 'POST', '/api/auth/login', { ...JSON_TYPE, 'Transfer-Encoding': 'chunked' },
		'nonsense\r\n{}\r\n0\r\n\r\n'), 400);
});

test('a body with two lengths is refused, not guessed at', async () => {
	const body = '5\r\nhello\r\n0\r\n\r\n';
	assertProblem(await ask(base, 'POST', '/api/auth/login',
		{ ...JSON_TYPE, 'Content-Length': 3, 'Transfer-Encoding': 'chunked' }, body), 400);
	const [twice] = await exchange(base,
		'POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x');
	assertProblem(twice, 400);
});

test('Expect: 100-continue is answered before the body is there', async () => {
	const response = await ask(base, 'POST', '/api/auth/login',
		{ ...JSON_TYPE, 'Content-Length': 2, Expect: '100-continue' });
	assert.equal(response.status, 100);
});

test('control characters in a path are 400', async () => {
	for (const target of ['/health%00', '/health%0a', '/api/products/1%0d%0aX-Evil:%201'])
		assertProblem(await ask(base, 'GET', target, {}), 400);
});

test('a connection serves many requests', async () => {
	const count = 200;
	const responses = await exchange(base, request('GET', '/health').repeat(count), { count });
	assert.equal(responses.length, count);
	for (const response of responses)
		assert.equal(response.status, 200);
});

test('pipelined requests are answered in order', async () => {
	const text = request('GET', '/health') + request('GET', '/no-such-path') + request('GET', '/openapi.json')
		+ request('GET', '/health', { Connection: 'close' });
	const responses = await exchange(base, text, { count: 4 });
	assert.deepEqual(responses.map(({ status }) => status), [200, 404, 200, 200]);
});

test('HTTP/1.0 without a host is served', async () => {
	const [response] = await exchange(base, 'GET /health HTTP/1.0\r\n\r\n');
	assert.equal(response.status, 200);
});

test('no upgrade to another protocol', async () => {
	const response = await ask(base, 'GET', '/health', {
		Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAAP__',
	});
	assert.equal(response.status, 200);
});

test('Range does not cut a function\'s answer', async () => {
	const response = await ask(base, 'GET', '/health', { Range: 'bytes=0-3' });
	assert.equal(response.status, 200);
	assert.equal(response.headers['content-range'], undefined);
	JSON.parse(response.body);
});

test('answers carry the security headers and no version', async () => {
	for (const target of ['/', '/health', '/no-such-path', '/api/users/profile', '/openapi.json'])
		assertSafeHeaders((await ask(base, 'GET', target, {})).headers);
});
