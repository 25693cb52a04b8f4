import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { call, exchange, newAddress, record, refuse } from '../../lib/client.mjs';
import { need } from '../../lib/env.mjs';
import { customer, TIME } from '../../lib/shop.mjs';
import { until } from '../../lib/wait.mjs';

const LOOPBACK = '127.0.0.1';

/* What a client sends that no library would: the raw answer. */
function raw(text) {
	const { hostname, port } = new URL(need('SOUK_URL'));
	return new Promise((resolve, reject) => {
		const socket = net.connect({ host: hostname, port, localAddress: newAddress() });
		let answer = '';
		socket.setTimeout(20000, () => socket.destroy(new Error(`no answer to ${text.slice(0, 60)}`)));
		socket.on('data', (chunk) => { answer += chunk.toString('latin1'); });
		socket.on('error', reject);
		socket.on('close', () => resolve(answer));
		socket.write(text);
	});
}

test('the root tells what this is', async () => {
	const { json } = await call('GET', '/', { expect: 200 });
	for (const name of ['service', 'version', 'status', 'endpoints'])
		assert.ok(json[name] !== undefined, name);
});

test('the gateway\'s health', async () => {
	const { json, headers } = await call('GET', '/health', { expect: 200 });
	assert.equal(json.status, 'healthy');
	assert.ok(json.service);
	assert.match(json.timestamp, TIME);
	assert.ok(json.redis !== undefined);
	assert.match(headers['cache-control'] ?? '', /no-store|no-cache/);
});

test('the health of everything', async () => {
	const { json } = await call('GET', '/health/all', { address: LOOPBACK, expect: 200 });
	assert.equal(json.status, 'healthy');
	assert.match(JSON.stringify(json), /postgres/i);
	assert.match(JSON.stringify(json), /redis/i);
	assert.match(JSON.stringify(json), /stripe/i);
	assert.match(JSON.stringify(json), /orders-place/);
});

test('metrics are for operators', async () => {
	/* As plain CGI, because every address that the suite has is loopback. */
	const { stdout } = await promisify(execFile)(join(need('SOUK_BIN'), 'gateway-metrics'), [], { env: {
		FN_STATE_DIR: join(need('SOUK_RUN'), 'state'), FN_SOCKETS_DIR: join(need('SOUK_RUN'), 'fn'),
		GATEWAY_INTERFACE: 'CGI/1.1', REQUEST_METHOD: 'GET', REQUEST_URI: '/metrics', SCRIPT_NAME: '',
		REMOTE_ADDR: '203.0.113.7', SERVER_PROTOCOL: 'HTTP/1.1',
	} });
	const [head, body] = stdout.split('\r\n\r\n');
	assert.match(head, /^Status: 403\b/m);
	assert.equal(JSON.parse(body).code, 'forbidden');
	record('GET', '/metrics', 403, 'forbidden');
});

test('metrics are Prometheus text, labelled with routes', async () => {
	await refuse(404, 'not_found', 'GET', '/api/products/987654321');
	const answer = await call('GET', '/metrics', { address: LOOPBACK, expect: 200 });

	assert.match(answer.headers['content-type'], /^text\/plain/);
	assert.match(answer.text, /^# TYPE http_requests_total counter$/m);
	assert.match(answer.text, /^http_requests_total\{[^}]*\} \d+$/m);
	assert.match(answer.text, /^http_request_duration_seconds_bucket\{[^}]*le="[^"]+"[^}]*\} \d+$/m);
	assert.doesNotMatch(answer.text, /987654321/);
	for (const line of answer.text.split('\n'))
		assert.match(line, /^$|^# (HELP|TYPE) |^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\.)*",?)*\})? [-+0-9.eE]+$|NaN$|Inf$/);
});

test('the OpenAPI document tells of every route', async () => {
	const answer = await exchange(need('SOUK_URL'), 'GET', '/openapi.json');
	const json = JSON.parse(answer.bytes);
	assert.equal(answer.status, 200);
	assert.match(json.openapi, /^3\.1\./);
	for (const path of ['/api/auth/login', '/api/products', '/api/products/{id}', '/api/orders', '/api/payments/webhook'])
		assert.ok(json.paths[path], path);
});

test('unknown paths are 404', async () => {
	for (const path of ['/nothing', '/api', '/api/', '/api/nothing', '/api/products/1/nothing', '/api/orders/1/2/3', '/fn/orders-place',
	    '/api/productsx', '/API/products', '/index.html', '/.env', '/.git/config', '/api/auth', '/api/%2e%2e/etc/passwd',
	    '/api/products%2F1', '/-/unavailable'])
		await refuse(404, 'not_found', 'GET', path);
	await refuse(404, 'not_found', 'POST', '/nothing', { json: {} });
});

test('a known path with another method is 405 and tells which', async () => {
	for (const [method, path, allow] of [['DELETE', '/api/products', ['GET', 'POST']], ['GET', '/api/auth/login', ['POST']],
	    ['PATCH', '/api/products/1', ['GET']], ['POST', '/api/users/profile', ['GET', 'PUT']], ['PUT', '/api/orders', ['GET', 'POST']],
	    ['GET', '/api/payments/webhook', ['POST']], ['DELETE', '/', ['GET']], ['POST', '/health', ['GET']]]) {
		const answer = await refuse(405, 'method_not_allowed', method, path, method === 'GET' ? {} : { json: {} });
		const told = answer.headers.allow.split(/, */);
		for (const name of allow)
			assert.ok(told.includes(name), `${method} ${path}: Allow: ${answer.headers.allow}`);
		assert.ok(!told.includes(method), answer.headers.allow);
	}
});

test('HEAD is GET without the body', async () => {
	const got = await call('GET', '/api/categories', { expect: 200 });
	const head = await call('HEAD', '/api/categories');
	assert.equal(head.status, 200);
	assert.equal(head.bytes.length, 0);
	assert.equal(head.headers.etag, got.headers.etag);
});

test('a request id is taken over, or made', async () => {
	for (const id of ['abc-123', 'a.b_c', 'x'.repeat(128)])
		for (const name of ['X-Request-ID', 'X-Correlation-ID']) {
			const { headers } = await call('GET', '/health', { headers: { [name]: id } });
			assert.equal(headers['x-request-id'], id);
			assert.equal(headers['x-correlation-id'], id);
		}
	const made = await call('GET', '/health');
	assert.match(made.headers['x-request-id'], /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
	assert.equal(made.headers['x-correlation-id'], made.headers['x-request-id']);
	for (const bad of ['x'.repeat(129), 'a b', 'a"b', '<script>', 'a;b', 'ż']) {
		const { headers } = await call('GET', '/health', { headers: { 'X-Request-ID': Buffer.from(bad).toString('latin1') } });
		assert.match(headers['x-request-id'], /^[0-9a-f-]{36}$/, bad);
	}
});

test('the id is in the refusals of functions and of the gateway', async () => {
	for (const path of ['/api/orders', '/nothing', '/api/products/abc']) {
		const { headers, json } = await call('GET', path, { headers: { 'X-Request-ID': 'my-own-id' } });
		assert.equal(headers['x-request-id'], 'my-own-id');
		assert.equal(json.request_id, 'my-own-id');
	}
});

test('a trace goes on, a malformed one is begun anew', async () => {
	const trace = randomBytes(16).toString('hex');
	const log = join(need('SOUK_RUN'), 'log', 'functions.log');
	const logged = async (header) => {
		const id = `trace-${randomBytes(8).toString('hex')}`;
		await call('GET', '/health', { headers: { traceparent: header, 'X-Request-ID': id } });
		return until('the request is in the log', async () => {
			const line = (await readFile(log, 'utf8')).split('\n').find((text) => text.includes(`"request_id":"${id}"`));
			return line && JSON.parse(line).trace_id;
		});
	};
	assert.equal(await logged(`00-${trace}-00f067aa0ba902b7-01`), trace);
	for (const bad of ['x', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, `00-${trace}-${'0'.repeat(16)}-01`,
	    `ff-${trace}-00f067aa0ba902b7-01`, `00-${trace.toUpperCase()}-00f067aa0ba902b7-0g`]) {
		const made = await logged(bad);
		assert.match(made, /^[0-9a-f]{32}$/);
		assert.doesNotMatch(made, /^0+$/);
		assert.notEqual(made, trace, bad);
	}
});

test('every answer says what browsers must not do, none says who serves', async () => {
	for (const path of ['/', '/health', '/api/products', '/nothing', '/api/orders', '/openapi.json']) {
		const { headers } = await exchange(need('SOUK_URL'), 'GET', path, { address: newAddress() });
		assert.equal(headers['x-content-type-options'], 'nosniff', path);
		assert.ok(headers['content-security-policy'], path);
		assert.ok(headers['referrer-policy'], path);
		assert.doesNotMatch(headers.server ?? '', /[0-9]/, path);
		assert.equal(headers['x-powered-by'], undefined, path);
	}
});

test('no origin is let in by default, and preflights are answered', async () => {
	const answer = await exchange(need('SOUK_URL'), 'OPTIONS', '/api/products', {
		address: newAddress(),
		headers: { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'POST' },
	});
	assert.ok(answer.status < 500);
	assert.equal(answer.headers['access-control-allow-origin'], undefined);
	const got = await call('GET', '/api/products', { headers: { Origin: 'https://evil.example' }, expect: 200 });
	assert.equal(got.headers['access-control-allow-origin'], undefined);
});

test('internal routes need the service token', async () => {
	const { token } = await customer();
	for (const path of ['/internal/cron/saga-recover', '/internal/cron/reservations-expire']) {
		await refuse(401, 'unauthenticated', 'POST', path, {});
		await refuse(401, 'unauthenticated', 'POST', path, { token });
		for (const wrong of ['x', `${need('SERVICE_TOKEN')}x`, need('SERVICE_TOKEN').slice(0, -1), ''])
			await refuse(401, 'unauthenticated', 'POST', path, { token: wrong });
	}
	assert.equal((await call('GET', '/api/users/profile', { token: need('SERVICE_TOKEN') })).status, 401);
});

test('HTTP that is none is 4xx, and the gateway lives', async () => {
	const host = new URL(need('SOUK_URL')).host;
	const bad = {
		'no protocol': 'GET /\r\n\r\n',
		'text': 'hello\r\n\r\n',
		'a NUL in the path': `GET /a\0b HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
		'no host': 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n',
		'two lengths': `POST /api/auth/login HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 2\r\nContent-Length: 3\r\nConnection: close\r\n\r\n{}`,
		'a negative length': `POST /api/auth/login HTTP/1.1\r\nHost: ${host}\r\nContent-Length: -1\r\nConnection: close\r\n\r\n{}`,
		'length and chunks': `POST /api/auth/login HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
		'a header without a colon': `GET / HTTP/1.1\r\nHost: ${host}\r\nbroken header\r\nConnection: close\r\n\r\n`,
		'a huge header': `GET / HTTP/1.1\r\nHost: ${host}\r\nX-Big: ${'a'.repeat(20000)}\r\nConnection: close\r\n\r\n`,
		'a huge path': `GET /${'a'.repeat(20000)} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
		'a huge length': `POST /api/auth/login HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 99999999999\r\nConnection: close\r\n\r\n`,
	};
	for (const [name, text] of Object.entries(bad)) {
		const answer = await raw(text);
		assert.match(answer, /^(HTTP\/1\.[01] (4\d\d|505|501) |$)/, `${name}: ${answer.slice(0, 200)}`);
	}
	await call('GET', '/health', { expect: 200 });
});

test('chunked bodies are read like others', async () => {
	const host = new URL(need('SOUK_URL')).host;
	const body = '{"email":"nobody@example.com","password":"Password123!"}';
	const chunked = `POST /api/auth/login HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`
	    + `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
	assert.match(await raw(chunked), /^HTTP\/1\.1 401 /);
});

test('a connection is kept', async () => {
	const host = new URL(need('SOUK_URL')).host;
	const answer = await raw(`GET /health HTTP/1.1\r\nHost: ${host}\r\n\r\n`.repeat(3)
	    + `GET /health HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
	assert.equal(answer.match(/HTTP\/1\.1 200 /g)?.length, 4);
});
