/*
 * What answers is what is described, and nothing else does.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { call, exchange, newAddress } from '../lib/client.mjs';
import { endpoints, endpointsAt } from '../lib/described.mjs';
import { need } from '../lib/env.mjs';
import { fill } from './people.mjs';
import { risk } from './risk.mjs';

const case_ = risk(9);
const root = resolve(fileURLToPath(import.meta.url), '..', '..', '..');
const openapi = async () => JSON.parse((await exchange(need('SOUK_URL'), 'GET', '/openapi.json', { address: newAddress() })).bytes);
/* Served by the gateway itself, from files. */
const FILES = ['/openapi.json', '/docs', '/docs.css'];

case_('what is described is served, what is served is described', async () => {
	const { paths } = await openapi();
	const told = new Set(Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods)
	    .filter((each) => ['get', 'post', 'put', 'delete', 'patch', 'head', 'options', 'trace'].includes(each)).map((method) => `${method.toUpperCase()} ${path}`)));
	const are = new Set(endpoints.filter(({ path }) => path !== '/*').map(({ method, path }) => `${method} ${path}`));

	for (const each of told)
		assert.ok(are.has(each) || FILES.includes(each.split(' ')[1]), `${each} is in OpenAPI only`);
	for (const each of are)
		assert.ok(told.has(each) || /\/internal\//.test(each), `${each} is not in OpenAPI`);
	for (const { method, path } of endpoints.filter((each) => each.path !== '/*')) {
		const answer = await call(method, fill(path, 1), { json: method === 'GET' ? undefined : {} });
		assert.notEqual(answer.status, 405, `${method} ${path} is not routed`);
	}
});

case_('every route of the gateway is an endpoint\'s', () => {
	const conf = readFileSync(join(root, 'gateway-conf', 'routes.conf'), 'utf8');
	const sockets = new Set([...conf.matchAll(/\/fn\/([a-z_-]+)\.sock/g)].map(([, name]) => name));
	const binaries = new Set(endpoints.map(({ binary }) => binary));

	assert.ok(sockets.size > 15);
	for (const name of sockets)
		assert.ok(binaries.has(name), name);
	for (const name of readdirSync(join(need('SOUK_RUN'), 'fn')))
		assert.ok(binaries.has(name.replace(/\.sock$/, '')) || /^stripe-sim/.test(name), `${name} runs and is not described`);
});

case_('no older or other version, no door for tests', async () => {
	const doors = ['/v1', '/v2', '/api/v1', '/api/v2', '/api/v1/products', '/api/v2/products', '/v1/api/products', '/api/beta/products', '/api/old/orders', '/products', '/orders', '/auth/login', '/users/profile',
	    '/api/products.json', '/api/admin', '/admin', '/api/internal', '/internal', '/internal/', '/internal/stock/reserve', '/api/products/1/reserve', '/api/products/1/release', '/api/inventory/reserve', '/api/test', '/test', '/debug', '/debug/pprof', '/console',
	    '/graphql', '/swagger', '/swagger.json', '/swagger-ui.html', '/api-docs', '/openapi.yaml', '/redoc', '/status', '/info', '/env', '/config', '/ready', '/actuator', '/actuator/health', '/trace', '/dump', '/heapdump', '/shutdown', '/reload', '/_sim/faults', '/v1/payment_intents'];

	for (const path of doors.filter((each) => endpointsAt(each).length === 0))
		for (const method of ['GET', 'POST'])
			assert.equal(`${method} ${path} ${(await call(method, path, { token: need('SERVICE_TOKEN'), json: method === 'POST' ? {} : undefined })).status}`, `${method} ${path} 404`);
	assert.deepEqual(doors.filter((each) => endpointsAt(each).length > 0), []);
});

case_('a version asked for in a header is not another shop', async () => {
	for (const headers of [{ Accept: 'application/vnd.souk.v1+json' }, { 'API-Version': '1' }, { 'X-API-Version': '0' }]) {
		const answer = await call('GET', '/api/users/profile', { headers });
		assert.equal(answer.status, 401);
	}
});

case_('each endpoint says what it is for, who may and how often', () => {
	for (const endpoint of endpoints) {
		assert.ok(endpoint.summary.length > 2, endpoint.path);
		assert.ok(['public', 'user', 'seller', 'admin', 'service', 'operator', 'signed'].includes(endpoint.access), endpoint.path);
		assert.ok(['none', 'general', 'auth', 'payment'].includes(endpoint.rate), endpoint.path);
	}
});

case_('the public endpoints are these', () => {
	/* Whatever needs no token is here because somebody thought so. */
	assert.deepEqual(endpoints.filter(({ access, path }) => access === 'public' && path !== '/*').map(({ method, path }) => `${method} ${path}`).sort()
	    .filter((each) => !PUBLIC.includes(each)), []);
});

const PUBLIC = ['GET /', 'GET /.well-known/jwks.json', 'GET /api/categories', 'GET /api/products', 'GET /api/products/bulk', 'GET /api/products/suggest', 'GET /api/products/{id}', 'GET /api/products/{id}/images', 'GET /api/products/{id}/reviews', 'GET /media/{key}', 'GET /health', 'GET /health/all',
    'POST /api/auth/forgot-password', 'POST /api/auth/login', 'POST /api/auth/logout', 'POST /api/auth/refresh', 'POST /api/auth/register', 'POST /api/auth/reset-password', 'POST /api/auth/verify-email'];
