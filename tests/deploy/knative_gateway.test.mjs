/*
 * Where Knative's gateway sends what, by gateway-conf/ alone: what stands for the
 * cluster's local gateway tells what it was sent, and so do the gateway's own
 * functions.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { conf, freePort, startFunction, startLighttpd } from '../gateway/lighttpd.mjs';
import { assertProblem, assertSafeHeaders } from '../gateway/problem.mjs';
import { ask, exchange, request } from '../gateway/wire.mjs';
import { endpoints } from '../lib/described.mjs';

const NAMESPACE = 'bazaar';
const TOKEN = 'a-token-of-the-service';
const FALLBACK = 'gateway-fallback';
const KIB = 1024;
/* exchange() comes from an address of 127.0.0.0/8 that is none of these. */
const INGRESS = '127.0.0.1';
const routed = endpoints.filter((endpoint) => endpoint.path !== '/*' && endpoint.every_s === 0);
const scheduled = endpoints.filter((endpoint) => endpoint.every_s > 0);
const isOwn = ({ binary }) => binary.startsWith('gateway-');
const hostOf = ({ binary }) => `${binary.replaceAll('_', '-')}.${NAMESPACE}.svc.cluster.local`;
const targetOf = (template) => template.replace(/\{[^}]+\}/g, '42');
const withHead = (methods) => methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).sort();
const methodsAt = (template) => routed.filter((endpoint) => endpoint.path === template).map(({ method }) => method);

let local;
let gateway;
let pings;
const servers = [];

async function startLocalGateway() {
	const server = http.createServer((incoming, outgoing) => {
		const chunks = [];
		incoming.on('data', (chunk) => chunks.push(chunk));
		incoming.on('end', () => {
			if (incoming.url.endsWith('?hang-up'))
				return incoming.socket.destroy();
			const text = JSON.stringify({ host: incoming.headers.host, method: incoming.method, url: incoming.url,
				headers: incoming.headers, length: Buffer.concat(chunks).length });
			outgoing.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
			outgoing.end(incoming.method === 'HEAD' ? '' : text);
		});
	});
	await new Promise((done) => server.listen(0, '127.0.0.1', done));
	return server;
}

/* As in a pod: of the run directory there is only what the supervisor makes. */
const startGateway = (env) => startLighttpd({ KNATIVE_GATEWAY_HOST: '127.0.0.1', KNATIVE_GATEWAY_PORT: String(local.address().port),
	SOUK_NAMESPACE: NAMESPACE, ...env }, 'knative.conf', ['fn']);

/* The gateway's own function as a stub that tells its name and variables. */
async function own(name) {
	return startFunction(path.join(gateway.run, 'fn', `${name}.sock`), (params) => {
		const text = JSON.stringify({ name, params });
		return `Status: 200\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n`
			+ (params.REQUEST_METHOD === 'HEAD' ? '' : text);
	});
}

async function reached(method, target, headers, body) {
	const response = await ask(gateway.base, method, target, { Connection: 'close', ...headers }, body);
	assert.equal(response.status, 200, `${method} ${target}`);
	return JSON.parse(response.body);
}

/* From an address of our choice, as an ingress would. */
function from(address, target, headers) {
	const { hostname, port } = new URL(gateway.base);
	return new Promise((resolve, reject) => {
		http.get({ hostname, port, path: target, headers, localAddress: address, agent: false }, async (incoming) => {
			const chunks = [];
			for await (const chunk of incoming)
				chunks.push(chunk);
			resolve(JSON.parse(Buffer.concat(chunks)));
		}).on('error', reject);
	});
}

before(async () => {
	local = await startLocalGateway();
	const pingsPort = await freePort();
	gateway = await startGateway({ TRUSTED_PROXIES: `192.0.2.0/24, ${INGRESS}`,
		SERVICE_TOKEN: TOKEN, SOUK_PINGS_PORT: String(pingsPort) });
	pings = `http://127.0.0.1:${pingsPort}`;
	for (const name of new Set([FALLBACK, ...routed.filter(isOwn).map(({ binary }) => binary)]))
		servers.push(await own(name));
});

after(async () => {
	for (const server of servers)
		server.close();
	await gateway.stop();
	local.close();
});

test('every method of every path goes out under the host name of its function', async () => {
	assert.ok(routed.filter((endpoint) => !isOwn(endpoint)).length > 50);
	for (const endpoint of routed) {
		const target = `${targetOf(endpoint.path)}?page=2&q=%C3%A9`;
		const { method } = endpoint;
		const body = method === 'GET' ? '' : '{}';
		const got = await reached(method, target, body === '' ? {} : { 'Content-Length': '2' }, body);
		if (isOwn(endpoint)) {
			assert.equal(got.name, endpoint.binary, `${method} ${target}`);
		} else {
			assert.equal(got.host, hostOf(endpoint), `${method} ${target}`);
			assert.deepEqual([got.method, got.url, got.length], [method, target, body.length]);
		}
	}
});

test('HEAD goes where GET goes, and brings no body', async () => {
	const answer = await ask(gateway.base, 'HEAD', '/api/products');
	assert.equal(answer.status, 200);
	assert.ok(Number(answer.headers['content-length']) > 0);
	assert.equal(answer.body, '');
});

test('any other method is the fallback\'s, who is told what the path has', async () => {
	for (const template of new Set(routed.map((endpoint) => endpoint.path))) {
		for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
			if (methodsAt(template).includes(method))
				continue;
			const { name, params } = await reached(method, targetOf(template), method === 'POST' ? { 'Content-Length': '0' } : {});
			assert.equal(name, FALLBACK, `${method} ${template}`);
			assert.deepEqual(params.SOUK_ALLOW.split(', ').sort(), withHead(methodsAt(template)), `${method} ${template}`);
		}
	}
});

test('what no path is, and what only a schedule calls, is the fallback\'s', async () => {
	for (const target of ['/nothing', '/api', '/api/orders/1/2/3', '/internal/cron/none', ...scheduled.map((endpoint) => endpoint.path)]) {
		const { name, params } = await reached('POST', target, { 'Content-Length': '0', Authorization: `Bearer ${TOKEN}` });
		assert.equal(name, FALLBACK, target);
		assert.equal(params.SOUK_ALLOW, undefined, target);
	}
});

test('what a stranger says of whom he speaks for ends here', async () => {
	const { headers } = await from('127.0.0.7', '/api/products', {
		Host: 'shop.test', 'X-Forwarded-For': '192.0.2.1', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'evil.test',
		'X-Real-IP': '192.0.2.1', Forwarded: 'for=192.0.2.1;host=evil.test',
	});
	assert.equal(headers['x-forwarded-for'], '127.0.0.7');
	assert.equal(headers['x-forwarded-host'], 'shop.test');
	assert.equal(headers['x-forwarded-proto'], 'http');
	assert.equal(headers.forwarded, undefined);
	assert.equal(headers['x-real-ip'], undefined);
});

test('what the ingress says is passed on, with its own address behind it', async () => {
	const { headers } = await from(INGRESS, '/api/products', { 'X-Forwarded-For': '203.0.113.9', Forwarded: 'for=203.0.113.9' });
	assert.equal(headers['x-forwarded-for'].replaceAll(' ', ''), `203.0.113.9,${INGRESS}`);
	assert.equal(headers.forwarded, undefined);
});

test('without TRUSTED_PROXIES everybody is a stranger', async () => {
	const other = await startGateway();
	try {
		const { body } = await ask(other.base, 'GET', '/api/products', { 'X-Forwarded-For': '192.0.2.1' });
		assert.match(JSON.parse(body).headers['x-forwarded-for'], /^127\.[0-9.]+$/);
	} finally {
		await other.stop();
	}
});

test('nobody speaks as Knative or Envoy', async () => {
	const names = ['K-Network-Probe', 'K-Network-Hash', 'K-Proxy-Request', 'K-Passthrough-Lb', 'Knative-Serving-Revision',
		'Knative-Serving-Namespace', 'Knative-Serving-Tag', 'X-Envoy-Retry-On', 'X-Envoy-Max-Retries',
		'X-Envoy-Upstream-Rq-Timeout-Ms'];
	for (const address of ['127.0.0.7', INGRESS]) {
		const { headers } = await from(address, '/api/orders', {
			...Object.fromEntries(names.map((name) => [name, 'x'])), 'Ce-Id': '1', Traceparent: '00-1-1-01', 'X-Request-ID': 'abc',
		});
		for (const name of names)
			assert.equal(headers[name.toLowerCase()], undefined, name);
		assert.deepEqual([headers['ce-id'], headers.traceparent, headers['x-request-id']], ['1', '00-1-1-01', 'abc']);
	}
});

test('a client cannot say which function it wants', async () => {
	const { host } = await reached('GET', '/api/products', { Host: `users-erase.${NAMESPACE}.svc.cluster.local` });
	assert.equal(host, `catalog-list.${NAMESPACE}.svc.cluster.local`);
});

test('PingSources are given the service\'s token, where they and nobody else arrive', async () => {
	for (const endpoint of scheduled) {
		const sent = { Connection: 'close', 'Content-Type': 'application/json', 'Content-Length': '2', 'Ce-Id': '1' };
		const { status, body } = await ask(pings, 'POST', endpoint.path, sent, '{}');
		assert.equal(status, 200, endpoint.path);
		const got = JSON.parse(body);
		assert.equal(got.host, hostOf(endpoint));
		assert.equal(got.headers.authorization, `Bearer ${TOKEN}`);
		assert.equal(got.headers['ce-id'], '1');
		assert.equal(got.length, 2);
	}
	const { body } = await ask(pings, 'GET', '/api/orders', { Authorization: 'Bearer mine' });
	assert.equal(JSON.parse(body).headers.authorization, 'Bearer mine');
});

test('bodies are as long as their path allows, and no longer', async () => {
	const length = (bytes) => ({ 'Content-Length': String(bytes) });
	const { length: got } = await reached('POST', '/api/orders', length(1024 * KIB), 'x'.repeat(1024 * KIB));
	assert.equal(got, 1024 * KIB);
	const large = routed.find((endpoint) => endpoint.max_body > 1024 * KIB);
	const room = Math.ceil(large.max_body / KIB) * KIB;
	assert.equal((await reached(large.method, targetOf(large.path), length(room), 'x'.repeat(room))).length, room);
	for (const [method, target, bytes] of [['POST', '/api/orders', 1024 * KIB + 1], [large.method, targetOf(large.path), room + 1]]) {
		const answer = await ask(gateway.base, method, target, { Expect: '100-continue', ...length(bytes) });
		assertProblem(answer, 413);
	}
});

test('a connection is kept, and its requests go to whom each is for', async () => {
	const targets = ['/api/products', '/health', '/api/orders', '/nothing', '/api/products/7'];
	const answers = await exchange(gateway.base, targets.map((target) => request('GET', target)).join(''), { count: targets.length });
	assert.deepEqual(answers.map(({ body }) => JSON.parse(body)).map(({ name, host }) => name ?? host.split('.')[0]),
	    ['catalog-list', 'gateway-health', 'orders-list', FALLBACK, 'catalog-get']);
});

test('a connection that breaks is a 500 that does not promise anything was undone', async () => {
	const answer = await ask(gateway.base, 'POST', '/api/orders?hang-up', { 'Content-Length': '2' }, '{}');
	assertProblem(answer, 500, 'internal_error');
	assertSafeHeaders(answer.headers);
});

test('when Knative cannot be reached the client is told to come back', async () => {
	const other = await startGateway({ KNATIVE_GATEWAY_PORT: String(await freePort()) });
	try {
		const answer = await ask(other.base, 'GET', '/api/products');
		assertProblem(answer, 503);
		assert.equal(answer.headers['retry-after'], '1');
		assertSafeHeaders(answer.headers);
	} finally {
		await other.stop();
	}
});

test('the gateway\'s own files are here too', async () => {
	const { status, headers, body } = await ask(gateway.base, 'GET', '/openapi.json');
	assert.equal(status, 200);
	assert.equal(headers['content-type'], 'application/json');
	assert.deepEqual(JSON.parse(body), JSON.parse(readFileSync(path.join(conf, 'www/openapi.json'), 'utf8')));
});
