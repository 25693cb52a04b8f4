/*
 * The known faults of the reference system, each of them shown not to be one
 * here.  Where another suite goes deeper, it is named.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { call } from '../lib/client.mjs';
import { endpoints } from '../lib/described.mjs';
import { need, signingKey } from '../lib/env.mjs';
import { ADDRESS, cents, customer, freshEmail, lines, order, PASSWORD, place, product, seller, stockOf, unique, untilOrder } from '../lib/shop.mjs';
import { cancel } from '../lib/simulator.mjs';
import { one, rows, run, value } from '../lib/sql.mjs';
import { cron, Story } from '../lib/story.mjs';
import { decode, hmac } from '../lib/token.mjs';
import { until } from '../lib/wait.mjs';
import { deliver, event } from '../lib/webhook.mjs';

const root = resolve(fileURLToPath(import.meta.url), '..', '..', '..');
let vendor;
let buyer;
let thief;
let goods;

before(async () => {
	[vendor, buyer, thief] = [await seller(), await customer(), await customer()];
	goods = await product(vendor, { stock_quantity: 1000 });
});

test('reference: anyone could register as admin', async () => {
	const email = freshEmail();
	const answer = await call('POST', '/api/auth/register', { json: { email, password: PASSWORD, role: 'admin' } });
	assert.equal(answer.status, 403);
	assert.equal(await value`SELECT count(*) FROM users.account WHERE email = ${email}`, 0);
});

test('reference: request keys became column names', async () => {
	const columns = ['seller_id', 'id', 'slug', 'seller_id = 1 --', 'price" = 0, "name', "name = 'x', seller_id", 'available', 'rating_average'];
	const writes = endpoints.filter(({ path, method, access }) => path.startsWith('/api/products') && ['POST', 'PUT'].includes(method) && access === 'seller' && !path.includes('upload'));

	assert.ok(writes.length > 0);
	for (const { method, path } of writes)
		for (const name of columns) {
			const answer = await vendor.call(method, path.replace('{id}', goods.id), { json: { name: 'Lamp', price: '1.00', [name]: '1' } });
			assert.equal(answer.status, 400, `${method} ${path} ${name}`);
			assert.ok(answer.json.errors.some(({ field }) => field === name), answer.text);
		}
	const found = await one`SELECT seller_id, slug, price FROM catalog.product WHERE id = ${goods.id}`;
	assert.deepEqual(found, { seller_id: vendor.id, slug: goods.slug, price: 1999 });
});

test('reference: stock and "internal" routes were open to any user', async () => {
	const stock = await stockOf(goods.id);
	for (const path of [`/api/products/${goods.id}/reserve`, `/api/products/${goods.id}/release`, '/api/products/reserve', '/api/products/stock/reserve', '/internal/stock/reserve', `/internal/products/${goods.id}`, '/internal/users/1', '/api/internal/orders'])
		for (const who of [buyer, vendor])
			assert.ok([401, 404, 405].includes((await who.call('POST', path, { json: { quantity: 5 } })).status), path);
	for (const { path } of endpoints.filter((each) => each.path.startsWith('/internal/')))
		await buyer.refuse(401, 'unauthenticated', 'POST', path);
	assert.deepEqual(await stockOf(goods.id), stock);
});

test('reference: nobody asked whose an intent, a payment or an order was', async () => {
	const placed = await place(buyer, lines([goods.id, 1]));
	await thief.refuse(404, 'not_found', 'POST', '/api/payments/create-intent', { json: { orderId: placed.id } });
	for (const path of [`/api/payments/order/${placed.id}`, `/api/orders/${placed.id}`, `/api/orders/${placed.id}/history`])
		await thief.refuse(404, 'not_found', 'GET', path);
	/* Whatever else there is for an order or a product of others: 403 or 404, by matrix.test.mjs. */
	for (const { method, path } of endpoints.filter((each) => each.access !== 'public' && /^\/api\/(orders|products)\/\{id\}\/(?!reviews)/.test(each.path) && each.method !== 'GET'))
		assert.ok([400, 403, 404, 415].includes((await thief.call(method, path.replace('{id}', path.includes('orders') ? placed.id : goods.id), { json: {} })).status), path);
	assert.equal((await order(buyer, placed.id)).status, 'confirmed');
});

test('reference: webhooks did not reach it, and a failure was answered 200', async () => {
	const told = event('charge.updated', { id: 'ch_reference' });
	assert.deepEqual((await deliver(told, { expect: 200 })).json, { received: true });
	assert.equal(await value`SELECT count(*) FROM payments.webhook_event WHERE id = ${told.id}`, 1);
	assert.equal((await deliver(told, { secret: 'whsec_other' })).status, 400);
	/* 503 while Postgres is away: tests/saga/outages.test.mjs. */
	const placed = await place(buyer, lines([goods.id, 1]));
	const { confirm } = await import('../lib/simulator.mjs');
	await confirm(placed.payment.paymentIntentId);
	await untilOrder(buyer, placed.id, 'paid');
});

test('reference: an order was written in pieces', async () => {
	const scarce = await product(vendor, { stock_quantity: 1 });
	const somebody = await customer();
	const before_ = await stockOf(goods.id);

	await somebody.refuse(409, 'insufficient_stock', 'POST', '/api/orders', { json: { items: lines([goods.id, 3], [scarce.id, 2]), ...ADDRESS } });
	assert.deepEqual(await stockOf(goods.id), before_);
	assert.equal(await value`SELECT count(*) FROM orders.orders WHERE user_id = ${somebody.id}`, 0);
	assert.equal(await value`SELECT count(*) FROM payments.payment WHERE user_id = ${somebody.id}`, 0);
});

test('reference: totals were added up in floating point', async () => {
	for (const [price, quantity, subtotal] of [['0.10', 3, 30], ['0.29', 100, 2900], ['1.01', 7, 707], ['19.99', 3, 5997], ['4.35', 100, 43500], ['1.15', 1, 115], ['90071992547.41', 1, 9007199254741]]) {
		const dear = await product(vendor, { price, stock_quantity: 1000 });
		const answer = await buyer.call('POST', '/api/orders', { json: { items: lines([dear.id, quantity]), ...ADDRESS } });
		if (answer.status === 400) {
			assert.ok(subtotal > 99999999, `${price} x ${quantity}: ${answer.text}`);	/* more than Stripe takes */
			continue;
		}
		assert.equal(cents(answer.json.subtotal), subtotal, `${price} x ${quantity}`);
		/* 10 %, half up, in whole cents. */
		assert.equal(cents(answer.json.tax_amount), Math.floor((subtotal + 5) / 10), `${price} x ${quantity}`);
	}
});

test('reference: two that undo an order at once gave its stock back twice', async () => {
	const story = await Story.begin({ stock: 4 });
	const held = await story.place({ quantity: 3 });

	await cancel(held.payment.paymentIntentId);
	await story.expire();
	await Promise.all([...Array.from({ length: 4 }, () => cron('reservations-expire')), ...Array.from({ length: 4 }, () => cron('saga-recover'))]);
	await story.until(held.id, 'cancelled');
	assert.deepEqual(await story.stock(), { received: 4, available: 4, reserved: 0, sold: 0 });
});

test('reference: a crash left stock held and an order pending for ever', async () => {
	/* As if whoever placed the order had died at its first step; tests/saga/crash.test.mjs kills for real. */
	const story = await Story.begin({ stock: 2 });
	const placed = await story.place({ quantity: 2 });
	await run`UPDATE payments.payment SET stripe_payment_intent_id = NULL, client_secret = NULL WHERE order_id = ${placed.id}`;
	await run`UPDATE orders.saga SET state = 'running', step = 'create_intent', owner = 'the dead:1', wake_at = now() WHERE order_id = ${placed.id}`;
	const found = await until('somebody else carried it on', async () => {
		await cron('saga-recover');
		const now = await order(story.buyer, placed.id);
		return now.payment?.clientSecret && now;
	});
	assert.equal(found.payment.paymentIntentId, placed.payment.paymentIntentId, 'one intent, not two');
});

test('reference: an unpaid order never expired', async () => {
	const story = await Story.begin({ stock: 1 });
	const placed = await story.place();
	await story.expire();
	await cron('reservations-expire');
	await story.until(placed.id, 'cancelled');
	assert.equal((await story.stock()).available, 1);
});

test('reference: the total of a list ignored its filter', async () => {
	const word = `only${unique()}`;
	for (let i = 0; i < 3; i++)
		await product(vendor, { name: `${word} ${i}` });
	const { json } = await call('GET', `/api/products?search=${word}&limit=2`, { expect: 200 });
	assert.equal(json.pagination.total, 3);
	assert.equal(json.pagination.totalPages, 2);
});

test('reference: featured products were in no unfiltered list', async () => {
	const owner = await seller();
	const both = [await product(owner, { is_featured: true }), await product(owner, { is_featured: false })].map(({ id }) => id).sort();
	const list = async (query) => (await call('GET', `/api/products?seller=${owner.id}${query}`, { expect: 200 })).json.products.map(({ id }) => id).sort();
	assert.deepEqual(await list(''), both);
	assert.deepEqual(await list('&featured=true'), [both[0]]);
	assert.deepEqual(await list('&featured=false'), [both[1]]);
});

test('reference: the cache never stored anything', async () => {
	const owner = await seller();
	await product(owner);
	const path = `/api/products?seller=${owner.id}&search=${unique()}`;
	assert.equal((await call('GET', path, { expect: 200 })).headers['x-cache'], 'MISS');
	await until('the second reader hits the cache', async () => (await call('GET', path, { expect: 200 })).headers['x-cache'] === 'HIT');
});

test('reference: database errors went to clients, and bad input was 500', async () => {
	for (const [method, path, body, status] of [['POST', '/api/auth/login', '{"email":', 400], ['POST', '/api/auth/register', 'not json', 400], ['POST', '/api/orders', '[1', 400], ['GET', '/api/products/abc', undefined, 404], ['GET', '/api/orders/abc', undefined, 404],
	    ['GET', '/api/payments/order/abc', undefined, 404], ['GET', '/api/products?page=-1', undefined, 400], ['GET', '/api/products?limit=-5', undefined, 400], ['GET', '/api/products?page=abc&limit=xyz', undefined, 400], ['GET', '/api/orders?page=0', undefined, 400],
	    ['GET', '/api/products/99999999999999999999', undefined, 404], ['GET', '/api/products?minPrice=abc', undefined, 400], ['POST', '/api/products', '{"name":"x","price":"abc"}', 400]]) {
		const who = path === '/api/products' ? vendor : buyer;
		const answer = await who.call(method, path, { body });
		assert.equal(`${method} ${path} ${answer.status}`, `${method} ${path} ${status}`);
	}
});

test('reference: metrics were labelled with raw paths', async () => {
	const odd = `/api/products/${Math.floor(1e12 + Math.random() * 1e12)}`;
	await call('GET', odd, { expect: 404 });
	await call('GET', `/nothing-${unique()}`, { expect: 404 });
	const { text } = await call('GET', '/metrics', { address: '127.0.0.1', expect: 200 });
	const routes = new Set([...text.matchAll(/route="([^"]*)"/g)].map(([, route]) => route));
	const declared = new Set(endpoints.map(({ path }) => path));

	assert.ok(routes.size > 10);
	for (const route of [...routes].filter((each) => each.startsWith('/api/')))
		assert.ok(declared.has(route), route);
	assert.ok(!text.includes(odd) && !text.includes('nothing-'));
});

test('reference: the JWT secret was fixed, and known', async () => {
	const { header, claims } = decode(buyer.token);
	for (const secret of ['secret', 'your-secret-key', 'jwt-secret', 'supersecret', 'changeme', 'your-super-secret-jwt-key', 'your-256-bit-secret', 'default', '', signingKey().kid])
		await call('GET', '/api/users/profile', { token: hmac({ ...header, alg: 'HS256' }, claims, secret), expect: 401 });
	assert.equal(header.alg, 'ES256');
	/* This stack's key was made when the stack was. */
	const { statSync } = await import('node:fs');
	assert.ok(statSync(join(need('SOUK_RUN'), 'keys', 'private', `${signingKey().kid}.pem`)).mtimeMs > Date.now() - 24 * 3600 * 1000);
});

test('reference: nothing in its deployment ran the jobs', async () => {
	/* Each cron function runs by its own schedule: this one was not called. */
	const scheduled = endpoints.filter(({ access, path }) => access === 'service' && path.startsWith('/internal/cron/'));
	assert.ok(scheduled.length >= 2);
	for (const { path, every_s } of scheduled)
		assert.ok(every_s > 0, `${path} has no schedule`);
	const story = await Story.begin({ stock: 1 });
	const placed = await story.place();
	await story.expire();
	await untilOrder(story.buyer, placed.id, 'cancelled', { seconds: 60 });
});

test('reference: migrations failed on an empty database', async () => {
	/* This stack began with one; tests/schema/migrate.test.mjs has the rest. */
	const files = readdirSync(join(root, 'schema')).filter((name) => /^\d{3}_.*\.sql$/.test(name)).sort();
	assert.ok(files.length >= 6);
	assert.deepEqual((await rows`SELECT name FROM public.schema_migration ORDER BY name`).map(({ name }) => name), files);
});
