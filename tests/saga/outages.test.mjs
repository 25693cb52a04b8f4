/*
 * Postgres away: 503 at once, and back by itself.  Redis away: slower.  And what
 * can be counted only where nobody else writes: who fills the cache.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, test } from 'node:test';
import { call, exchange, newAddress, refuse } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { settled } from '../lib/invariants.mjs';
import { ADDRESS, customer, lines, login, PASSWORD, product, seller } from '../lib/shop.mjs';
import { run } from '../lib/sql.mjs';
import { mainPid, redis, signal, startPostgres, startRedis, stopPostgres, stopRedis, workers } from '../lib/stack.mjs';
import { Story } from '../lib/story.mjs';
import { parallel, until } from '../lib/wait.mjs';

after(async () => {
	signal(mainPid('redis'), 'SIGCONT');
});

/* Asks often enough that every worker has lost its connection. */
async function refusesAtOnce(ask) {
	for (let i = 0; i < 6; i++) {
		const start = Date.now();
		const answer = await ask();
		assert.equal(answer.status, 503, answer.text);
		assert.equal(answer.json.code, 'unavailable');
		assert.ok(Date.now() - start < 10000, `503 took ${Date.now() - start} ms`);
	}
}

test('Postgres stops: 503 with Retry-After at once, and all is well when it is back', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	const { buyer } = story;
	const items = lines([story.goods.id, 1]);
	const recovered = (what, ask) => until(what, async () => (await ask()).status < 300);

	await stopPostgres();
	try {
		await refusesAtOnce(() => buyer.call('POST', '/api/orders', { json: { items, ...ADDRESS } }));
		await refusesAtOnce(() => buyer.call('GET', `/api/orders/${placed.id}`));
		await refusesAtOnce(() => buyer.call('GET', '/api/orders'));
		await refusesAtOnce(() => call('POST', '/api/auth/login', { json: { email: buyer.email, password: PASSWORD } }));
		await refusesAtOnce(() => call('GET', `/api/products?minPrice=${Math.floor(Math.random() * 1e9)}.5`));
		await refusesAtOnce(() => buyer.call('POST', '/api/payments/create-intent', { json: { orderId: placed.id } }));
		assert.equal((await call('GET', '/health', { address: '127.0.0.1' })).status, 200);
		const all = await call('GET', '/health/all', { address: '127.0.0.1', expect: 503 });
		assert.match(all.headers['retry-after'], /^\d+$/);
		assert.equal(all.json.dependencies.postgres, 'down');
	} finally {
		await startPostgres();
	}
	await recovered('orders can be read', () => buyer.call('GET', `/api/orders/${placed.id}`));
	await recovered('people sign in', () => call('POST', '/api/auth/login', { json: { email: buyer.email, password: PASSWORD } }));
	const second = await story.place();
	for (const { id } of [placed, second]) {
		await story.pay(id);
		await story.until(id, 'paid');
	}
	await settled(story.orders);
});

/* The whole way of a customer. */
async function shopWorks() {
	const story = await Story.begin();
	const placed = await story.place();
	await story.pay(placed.id);
	await story.until(placed.id, 'paid');
	await call('GET', '/api/products', { expect: 200 });
	await settled(story.orders);
	return story;
}

test('Redis stops: everything works, nothing is cached', async () => {
	const person = await customer();
	await stopRedis();
	try {
		await shopWorks();
		const answer = await call('GET', '/api/categories', { expect: 200 });
		assert.notEqual(answer.headers['x-cache'], 'HIT');
		/* What was revoked stays so. */
		await call('POST', '/api/auth/logout', { json: { refreshToken: person.refreshToken }, expect: 200 });
		await person.refuse(401, 'unauthenticated', 'GET', '/api/users/profile');
	} finally {
		await startRedis();
	}
	await person.refuse(401, 'unauthenticated', 'GET', '/api/users/profile');
	await until('answers are cached again', async () => (await call('GET', '/api/categories')).headers['x-cache'] === 'HIT');
});

test('Redis stops: each process counts by itself who guesses, and others are not limited', async () => {
	const { email } = await customer();
	const processes = workers('auth-login').length;
	const address = newAddress();
	const statuses = async (count, ask) => {
		const answers = await parallel(8, Array.from({ length: count }, () => ask));
		return (status) => answers.filter((answer) => answer.status === status);
	};
	const failures = async () => Number(/^redis_failures_total\S* (\d+)/m.exec(
	    (await exchange(need('SOUK_URL'), 'GET', '/metrics', { address: '127.0.0.1' })).bytes)[1]);

	assert.ok(processes >= 1);
	await stopRedis();
	try {
		const guesses = await statuses(5 * processes + 10, () => call('POST', '/api/auth/login',
		    { json: { email, password: 'Wrong-password' }, address }));
		assert.ok(guesses(401).length >= 5 && guesses(401).length <= 5 * processes, `${guesses(401).length} guesses`);
		assert.equal(guesses(401).length + guesses(429).length, 5 * processes + 10);
		for (const { headers } of guesses(429)) {
			assert.equal(headers['ratelimit-limit'], '5');
			assert.equal(headers['ratelimit-remaining'], '0');
			assert.ok(headers['retry-after'] > 0 && headers['retry-after'] <= 900);
		}
		/* The other limit of auth: 30 of an address. */
		const elsewhere = newAddress();
		const asked = await statuses(30 * processes + 10, () => call('POST', '/api/auth/login', { json: {}, address: elsewhere }));
		assert.ok(asked(429).length >= 10 && asked(400).length >= 30, `${asked(400).length} let in`);
		/* Who gets it right is let in, by the process that counted. */
		await login(email, PASSWORD);

		/* Open, and not looking for Redis with each request. */
		const [before, begun] = [await failures(), Date.now()];
		const reads = await statuses(400, () => call('GET', '/', { address }));
		assert.equal(reads(200).length, 400);
		const seconds = (Date.now() - begun) / 1000 + 1;
		const most = seconds * workers('gateway-root').length + 20;
		assert.ok(await failures() - before <= most, `${await failures() - before} tries in ${seconds} s`);
	} finally {
		await startRedis();
	}
	await until('limits are counted together again', async () =>
		(await call('GET', '/', { address })).headers['ratelimit-limit'] === '300');
});

test('a product made while Redis was away is in the list afterwards', async () => {
	const owner = await seller();
	const path = `/api/products?seller=${owner.id}`;
	await call('GET', path, { expect: 200 });
	await stopRedis();
	let made;
	try {
		made = await product(owner);
	} finally {
		await startRedis();
	}
	await until('the list has it', async () => (await call('GET', path)).json.products[0]?.id === made.id);
});

test('Redis hangs: the shop goes on without it', async () => {
	const pid = mainPid('redis');
	signal(pid, 'SIGSTOP');
	try {
		const story = await Story.begin();
		const placed = await story.place();
		await story.pay(placed.id);
		await story.until(placed.id, 'paid');
		await settled(story.orders);
	} finally {
		signal(pid, 'SIGCONT');
	}
	await until('answers are cached again', async () => (await call('GET', '/api/categories')).headers['x-cache'] === 'HIT');
});

test('sessions outlive Redis', async () => {
	const person = await customer();
	await stopRedis();
	await startRedis();
	await person.get('/api/users/profile');
	await login(person.email, PASSWORD);
});

test('a statement that never gets through is 503, not an answer made without it', async () => {
	await run`ALTER FUNCTION catalog.category_subtree(text) RENAME TO category_subtree_kept`;
	await run`CREATE FUNCTION catalog.category_subtree(text) RETURNS bigint[] LANGUAGE plpgsql AS
		'BEGIN RAISE EXCEPTION ''no'' USING ERRCODE = ''40001''; END'`;
	await run`GRANT EXECUTE ON FUNCTION catalog.category_subtree(text) TO souk_catalog`;
	try {
		await refuse(503, 'unavailable', 'GET', `/api/products?category=spices&minPrice=${Math.floor(Math.random() * 1e9)}`);
	} finally {
		await run`DROP FUNCTION catalog.category_subtree(text)`;
		await run`ALTER FUNCTION catalog.category_subtree_kept(text) RENAME TO category_subtree`;
	}
	await call('GET', `/api/products?category=spices&minPrice=${Math.floor(Math.random() * 1e9)}`, { expect: 200 });
});

test('of many who find the list cold, one makes it', async () => {
	for (let round = 0; round < 3; round++) {
		const path = `/api/products?limit=7&maxPrice=${randomInt(1e6)}.${10 + round}`;
		const answers = await Promise.all(Array.from({ length: 60 }, () => call('GET', path, { address: newAddress(), expect: 200 })));
		assert.equal(answers.filter(({ headers }) => headers['x-cache'] === 'MISS').length, 1);
		assert.equal(new Set(answers.map(({ headers }) => headers.etag.replace('-gzip', ''))).size, 1);
	}
});

test('one who finds nothing does not hold up the next', async () => {
	const missing = 4e15 + randomInt(1e9);
	for (let i = 0; i < 20; i++)
		await call('GET', `/api/products/${missing}`, { expect: 404 });
	assert.equal((await redis('KEYS fill:*get_product*')).startsWith('*0'), true);
});
