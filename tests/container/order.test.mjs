/*
 * An order from sign-in to payment through the gateway's image and a container
 * for each function, whose sockets they share: as deploy/compose has it.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, existsSync, readdirSync, renameSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { customer, lines, pay, place } from '../lib/shop.mjs';
import { until } from '../lib/wait.mjs';
import { built, podman, scratch, settings, shared, SOCKET_ONLY, start, startFunction } from './podman.mjs';
import { close, reachStack, startNames } from './reached.mjs';

const FLOW = ['auth-register', 'auth-login', 'catalog-list', 'catalog-get', 'orders-place', 'orders-get'];
/* The whole of the run directory is the container's own, but for these. */
const SHARED = ['fn', 'state'];
const containers = new Map();
let reached;
let gateway;

before(async () => {
	await built('gateway', ...FLOW);
	await startNames();
	reached = await reachStack();
	const mounts = Object.fromEntries(SHARED.map((name) => [`/run/souk/${name}`, shared(name)]));
	gateway = await start('gateway', { mounts, env: { ...settings('gateway-health_all', reached), FN_STATE_DIR: '/run/souk/state',
		FN_SOCKETS_DIR: '/run/souk/fn' }, flags: reached.flags });
	for (const binary of FLOW)
		containers.set(binary, await startFunction(binary, reached, {
			mounts, env: { FN_STATE_DIR: '/run/souk/state' }, ...SOCKET_ONLY,
		}));
	process.env.SOUK_URL = gateway.base;
});
after(close);

test('everything is healthy, as the gateway sees it by their sockets', async () => {
	await gateway.answers('/health');
	await until('every function listens', async () => {
		const { functions } = (await gateway.get('/health/all')).json();
		return FLOW.every((binary) => functions[binary] === 'up');
	}, { every: 250 });
	const all = (await gateway.get('/health/all')).json();
	assert.deepEqual(all.dependencies, { redis: 'up', postgres: 'up', object_store: 'up', stripe: 'up' });
});

test('signed in, an order is placed and paid', async () => {
	const buyer = await customer();
	const [goods] = (await buyer.get('/api/products?limit=1&inStock=true')).products;
	const placed = await place(buyer, lines([goods.id, 1]));
	assert.equal(placed.status, 'confirmed');
	const paid = await pay(buyer, placed);
	assert.equal(paid.payment_status, 'succeeded');
	assert.equal(paid.total_amount, placed.total_amount);
});

test('what is not there is refused by the gateway, in the shop\'s own words', async () => {
	const missing = await gateway.get('/api/no/such/path');
	assert.equal(missing.status, 404);
	assert.match(missing.headers['content-type'], /^application\/problem\+json/);
	const absent = await gateway.get('/api/categories');
	assert.equal(absent.status, 503, 'catalog-categories has no container here');
	assert.equal(absent.headers['retry-after'], '1');
});

test('all count in one place', async () => {
	const { status, body } = await gateway.get('/metrics');
	assert.equal(status, 200);
	for (const binary of ['orders-place', 'auth-login', 'gateway-health'])
		assert.match(body, new RegExp(`function="${binary}"`), binary);
});

/* A socket at which nobody listens any more, as who is killed leaves it. */
async function abandoned(file) {
	const server = net.createServer().listen(`${file}~`);
	await once(server, 'listening');
	chmodSync(`${file}~`, 0o666);	/* ours here is root's */
	renameSync(`${file}~`, file);
	await new Promise((done) => server.close(done));
}

test('a container that comes and goes disturbs no other, and clears what nobody listens at', async () => {
	const left = path.join(scratch, 'fn', 'orders-gone.sock');
	await abandoned(left);
	await containers.get('catalog-get').stop();
	assert.equal((await gateway.get('/api/products/1')).status, 503);
	assert.equal((await gateway.get('/api/products?limit=1')).status, 200);
	assert.ok(existsSync(left));
	await podman('start', containers.get('catalog-get').id);
	await until('it is back', async () => (await gateway.get('/api/products/1')).status === 200, { every: 100 });
	assert.ok(!existsSync(left));
	assert.equal(readdirSync(path.dirname(left)).filter((file) => FLOW.includes(file.replace(/\.sock$/, ''))).length, FLOW.length);
	assert.equal((await gateway.get('/api/products?limit=1')).status, 200);
});
