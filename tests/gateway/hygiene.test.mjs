/*
 * Requests that two servers might read in two ways.  What is ambiguous is
 * refused, and what follows it on the connection is never taken for a request.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertNoVersion, assertProblem, EMPTY_LENGTH, OTHER_VERSION } from './problem.mjs';
import { base } from './stack.mjs';
import { ask, converse, request } from './wire.mjs';

const AFTER = request('GET', '/docs.css', { Connection: 'close' });
const login = (fields, body = '{}') => `POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${fields}\r\n${body}`;
const health = (fields) => `GET /health HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
const line = (text) => `${text}\r\nHost: a\r\n\r\n`;

const REFUSED = {
	'a length and chunks': [400, login('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')],
	'chunks and a length': [400, login('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', '0\r\n\r\n')],
	'chunks in HTTP/1.0': [400, login('Transfer-Encoding: chunked\r\n', '2\r\n{}\r\n0\r\n\r\n').replace('1.1', '1.0')],
	'a transfer coding that is none': [501, login('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n')],
	'chunked not last': [501, login('Transfer-Encoding: chunked, identity\r\n', '0\r\n\r\n')],
	'two transfer codings': [501, login('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', '0\r\n\r\n')],
	'identity and a length': [501, login('Transfer-Encoding: identity\r\nContent-Length: 2\r\n')],
	'a space before the colon of chunks': [400, login('Transfer-Encoding : chunked\r\nContent-Length: 2\r\n')],
	'a vertical tab before chunked': [400, login('Transfer-Encoding: \x0bchunked\r\nContent-Length: 2\r\n')],
	'one length twice': [400, login('Content-Length: 2\r\nContent-Length: 2\r\n')],
	'two lengths': [400, login('Content-Length: 2\r\nContent-Length: 3\r\n')],
	'a list of lengths': [400, login('Content-Length: 2, 2\r\n')],
	'a length with a plus': [400, login('Content-Length: +2\r\n')],
	'a negative length': [400, login('Content-Length: -2\r\n')],
	'a hexadecimal length': [400, login('Content-Length: 0x2\r\n')],
	'a length of two words': [400, login('Content-Length: 2 2\r\n')],
	'a length past 64 bits': [400, login('Content-Length: 18446744073709551618\r\n')],
	'a space before the colon of a length': [400, login('Content-Length : 2\r\n')],
	'a length on the next line': [400, login('Content-Length:\r\n 2\r\n')],
	'a length that is empty': [EMPTY_LENGTH, login('Content-Length: \r\n')],
	'chunks of a negative size': [400, login('Transfer-Encoding: chunked\r\n', '-2\r\n{}\r\n0\r\n\r\n')],
	'chunks past 64 bits': [400, login('Transfer-Encoding: chunked\r\n', 'ffffffffffffffff2\r\n{}\r\n0\r\n\r\n')],
	'chunks with bare line feeds': [400, login('Transfer-Encoding: chunked\r\n', '2\n{}\n0\n\n')],
	'a chunk extension without end': [400, login('Transfer-Encoding: chunked\r\n', `2;${'x'.repeat(2000)}\r\n{}\r\n0\r\n\r\n`)],
	'bare line feeds': [400, 'GET /health HTTP/1.1\nHost: a\n\n'],
	'one bare line feed': [400, health('X-A: b\nX-B: c\r\n')],
	'a bare carriage return': [400, health('X-A: b\rX-B: c\r\n')],
	'a NUL in a field': [400, health('X-A: b\0c\r\n')],
	'a NUL in the path': [400, line('GET /hea\0lth HTTP/1.1')],
	'an encoded NUL in the path': [400, line('GET /health%00 HTTP/1.1')],
	'a NUL in the query': [400, line('GET /api/products?search=\0 HTTP/1.1')],
	'an encoded NUL in the query': [400, line('GET /api/products?search=%00 HTTP/1.1')],
	'a slash in too many bytes': [400, line('GET /%c0%ae%c0%ae/health HTTP/1.1')],
	'a continued line before any field': [400, 'GET /health HTTP/1.1\r\n X-A: b\r\nHost: a\r\n\r\n'],
	'a field without a name': [400, health(': b\r\n')],
	'a field name with a space': [400, health('X A: b\r\n')],
	'a field name with brackets': [400, health('X(A): b\r\n')],
	'no host': [400, 'GET /health HTTP/1.1\r\n\r\n'],
	'two hosts': [400, 'GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
	'an empty host': [400, 'GET /health HTTP/1.1\r\nHost: \r\n\r\n'],
	'a host of two words': [400, 'GET /health HTTP/1.1\r\nHost: a b\r\n\r\n'],
	'a host with a user': [400, 'GET /health HTTP/1.1\r\nHost: a@b\r\n\r\n'],
	'a host with a path': [400, 'GET /health HTTP/1.1\r\nHost: a/b\r\n\r\n'],
	'a port that is none': [400, 'GET /health HTTP/1.1\r\nHost: a:99999999\r\n\r\n'],
	'another host in the target': [400, line('GET http://evil.test/health HTTP/1.1')],
	'another scheme in the target': [400, line('GET ftp://a/health HTTP/1.1')],
	'a target without a slash': [400, line('GET health HTTP/1.1')],
	'a target that is a star': [400, line('GET * HTTP/1.1')],
	'CONNECT': [400, line('CONNECT evil.test:443 HTTP/1.1')],
	'TRACK': [501, line('TRACK /health HTTP/1.1')],
	'a method in small letters': [501, line('get /health HTTP/1.1')],
	'a tab after the method': [501, line('GET\t/health HTTP/1.1')],
	'two spaces': [400, line('GET  /health HTTP/1.1')],
	'a space after the version': [400, line('GET /health HTTP/1.1 ')],
	'HTTP/0.9': [400, 'GET /health\r\n\r\n'],
	'HTTP/1.10': [400, line('GET /health HTTP/1.10')],
	'HTTP/2 by prior knowledge': [OTHER_VERSION, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
	'an address of 9 KiB': [431, line(`GET /${'a'.repeat(9000)} HTTP/1.1`)],
};

for (const [name, [status, text]] of Object.entries(REFUSED))
	test(`${name}: ${[status].flat().join(' or ')}, and nothing after it is read`, async () => {
		const answers = await converse(base, text + AFTER);
		assert.equal(answers.length, 1, answers.map((answer) => answer.status).join());
		assertProblem(answers[0], status);
		assertNoVersion(answers[0].headers);
		assert.equal(answers[0].headers.connection, 'close');
	});

/* Read in one way only: as one request, with the next one after it. */
const READ = {
	'a continued line is the field\'s': [200, health('X-A: b\r\n c: d\r\n')],
	'a body with a GET is its own': [200, `GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 46\r\n\r\nGET /api/users/profile HTTP/1.1\r\nHost: aa\r\n\r\nx`],
	'chunks with a GET are its own': [200, 'GET /health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\n'],
	'a trailer is no header': [400, login('Transfer-Encoding: chunked\r\n', '2\r\n{}\r\n0\r\nAuthorization: Bearer x\r\n\r\n')],
	'a length with underscores is none': [400, login('Content_Length: 30\r\nContent-Length: 2\r\n')],
	'chunks with underscores are none': [400, login('Transfer_Encoding: chunked\r\nContent-Length: 2\r\n')],
	'the host in the target': [200, line('GET http://a/health HTTP/1.1')],
	'TRACE sends nothing back': [405, 'TRACE /health HTTP/1.1\r\nHost: a\r\nX-Secret: s3cret\r\n\r\n'],
	'CONNECT to a path': [405, line('CONNECT /health HTTP/1.1')],
	'PROPFIND': [405, line('PROPFIND /health HTTP/1.1')],
	'a network path is a path': [404, line('GET //evil.test/health HTTP/1.1')],
	'a broken escape': [400, line('GET /health%zz HTTP/1.1')],
	'half an escape': [400, line('GET /health% HTTP/1.1')],
};

for (const [name, [status, text]] of Object.entries(READ))
	test(`${name}: ${status}, then the next request`, async () => {
		const answers = await converse(base, text + AFTER);
		assert.deepEqual(answers.map((answer) => answer.status), [status, 200]);
		if (status >= 400)
			assertProblem(answers[0], status);
		assert.doesNotMatch(answers[0].body, /s3cret/);
		assert.match(answers[1].headers['content-type'], /^text\/css/);
	});

test('OPTIONS * is about the server, not a path', async () => {
	const answers = await converse(base, line('OPTIONS * HTTP/1.1') + AFTER);
	assert.deepEqual(answers.map((answer) => answer.status), [200, 200]);
	assert.equal(answers[0].body, '');
});

test('no spelling of a path gets past what its rule asks', async () => {
	const guarded = ['/api/users/profile', '/api/orders', '/metrics', '/internal/cron/saga-recover'];
	const spellings = (path) => [
		`/api/products/..;${path}`, `/api/products/..;/..${path}`, `/api/products/%252e%252e${path}`,
		`/api/products/%25%32%65%25%32%65${path}`, `/..%5c${path}`, `/api/products\\..\\..${path}`, `${path};.css`, `${path}/..;/`,
		`${path}%3b.css`, `${path}%23`, `${path}%3f`, `${path}.json`, `${path}%20`, `${path}%09`, `${path}/.`, `${path}/x/..`, `//${path}`,
		`/docs/..${path}`, `/docs.css/..${path}`, `/media/..${path}`, `/media/..%2f..${path}`, path.toUpperCase(), `/.${path}`, `/%2e${path}`,
		path.replace('/', '/%61/../'), path.replace(/.$/, (last) => `%${last.charCodeAt(0).toString(16)}`),
		`http://souk.test${path}`, `${path}?x=/docs.css`, `/docs.css?/..${path}`,
	];

	for (const path of guarded)
		for (const spelling of spellings(path)) {
			const { status, body } = await ask(base, 'GET', spelling, { 'X-Original-URL': '/docs', 'X-Rewrite-URL': '/docs', 'X-HTTP-Method-Override': 'GET' });
			/* As a stranger may: refused there, not there, or something public. */
			const refused = [400, 401, 403, 404, 405].includes(status);
			assert.ok(refused || (path === '/metrics' || /docs\.css|\/docs/.test(spelling)) && status === 200, `${status} ${spelling}`);
			assert.doesNotMatch(body, path === '/metrics' ? /\0/ : /http_requests_total|"orders":|"email":/, spelling);
		}
});
