/*
 * kill -9 of each kind of process, idle and at work: it comes back, and no
 * order is lost, doubled or left half done.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { call } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { always, settled } from '../lib/invariants.mjs';
import { order } from '../lib/shop.mjs';
import { confirm } from '../lib/simulator.mjs';
import { value } from '../lib/sql.mjs';
import { gone, kill, mainPid, master, processes, redis, sleepy, startFunctions, startGateway, startPostgres, startRedis, workers } from '../lib/stack.mjs';
import { cron, Story } from '../lib/story.mjs';
import { parallel, until } from '../lib/wait.mjs';

const healthy = () => until('the shop is healthy', async () =>
	(await call('GET', '/health', { address: '127.0.0.1' })).status === 200
	    && (await call('GET', '/api/categories')).status === 200);

/* Buys while `harm` is done, pays half, and looks at what came of it. */
async function harmed(harm, { count = 12, repair = async () => {} } = {}) {
	const story = await Story.begin({ stock: 1000 });
	const placing = parallel(4, Array.from({ length: count }, () => () => story.place()));
	const harming = harm();

	const placed = await placing;
	await harming;
	await repair();
	await healthy();
	await always();
	assert.equal((await story.all()).length, count, 'every order asked for is there once');

	for (const [i, { id }] of placed.entries())
		if (i % 2 === 0)
			await story.pay(id);
	for (const [i, { id }] of placed.entries())
		if (i % 2 === 0)
			await story.until(id, 'paid');
	await story.expire();
	for (const [i, { id }] of placed.entries())
		if (i % 2 === 1)
			await story.until(id, 'cancelled');
	await settled(story.orders);
}

/* Again and again while it is at work. */
async function killWorkers(name, times = 6) {
	for (let i = 0; i < times; i++) {
		const victim = await until(`${name} has a worker`, () => workers(name)[0] ?? master(name));
		kill(victim);
		await gone(victim);
	}
}

for (const name of ['orders-place', 'payments-webhook', 'cron-saga_recover', 'cron-reservations_expire', 'stripe-sim'])
	test(`the workers of ${name} are killed`, async () => {
		assert.ok(processes(name).length > 0, `${name} does not run`);
		await harmed(() => killWorkers(name));
	});

for (const name of ['orders-place', 'payments-webhook', 'cron-saga_recover', 'stripe-sim'])
	test(`the master of ${name} is killed: another comes, no worker of the old stays`, async () => {
		const before = processes(name).map(({ pid }) => pid);
		await harmed(async () => {
			kill(master(name));
			await Promise.all(before.map(gone));
		});
		assert.ok(master(name));
	});

test('the supervisor is killed: its functions go with it, and it can start again', async () => {
	const supervisor = mainPid('functions');
	const functions = processes('orders-place').map(({ pid }) => pid);
	await harmed(async () => {
		kill(supervisor);
		await Promise.all(functions.map(gone));
		await startFunctions();
	});
});

test('lighttpd is killed and started again', async () => {
	await harmed(async () => {
		const pid = mainPid('gateway');
		kill(pid);
		await gone(pid);
		await startGateway();
	});
});

test('Redis is killed and started again', async () => {
	await harmed(async () => {
		const pid = mainPid('redis');
		kill(pid);
		await gone(pid);
		await startRedis();
	});
});

test('Redis forgets everything', async () => {
	await harmed(async () => {
		for (let i = 0; i < 20; i++)
			await redis('FLUSHALL');
	});
});

test('a backend of Postgres is killed: all are, and Postgres recovers', async () => {
	await harmed(async () => {
		for (let i = 0; i < 3; i++) {
			const victim = await until('a backend', () =>
				value`SELECT pid FROM pg_stat_activity WHERE usename = 'souk_orders' LIMIT 1`, { every: 20 });
			kill(victim);
			await gone(victim);
			await until('Postgres is back', () => value`SELECT 1`);
		}
	});
});

test('connections are terminated, again and again', async () => {
	await harmed(async () => {
		for (let i = 0; i < 20; i++)
			await value`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			             WHERE pid <> pg_backend_pid() AND usename LIKE 'souk\_%' AND usename <> 'souk_super'`;
	});
});

test('Postgres is killed and started again', async () => {
	await harmed(async () => {
		const pid = mainPid('postgres');
		kill(pid);
		await gone(pid);
		await startPostgres();
	});
});

test('an order that was paid stays so through it all', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	await confirm(placed.payment.paymentIntentId);
	const paid = await story.until(placed.id, 'paid');

	await Promise.all([cron('saga-recover'), cron('reservations-expire')]);
	kill(processes('orders-get').map(({ pid }) => pid));
	await until('the order can be read', async () => (await order(story.buyer, placed.id)).status === 'paid');
	assert.deepEqual(await order(story.buyer, placed.id), paid);
});

const sleeps = (name) => until(`${name} sleeps`, () => processes(name).length === 0
    && existsSync(join(need('SOUK_RUN'), 'fn', `${name}.asleep`)));

test('a function that nobody asks sleeps; who asks finds it awake, however many', () => sleepy('catalog', async () => {
	for (let i = 0; i < 3; i++) {
		await sleeps('catalog-categories');
		/* To look at it does not wake it, and it is well; others may be starting. */
		await until('all is well', async () => {
			const { json } = await call('GET', '/health/all', { address: '127.0.0.1' });
			assert.equal(json.functions['catalog-categories'], 'up');
			return json.status === 'healthy';
		});
		assert.deepEqual(processes('catalog-categories'), []);
		await parallel(10, Array.from({ length: 30 }, () => () => call('GET', '/api/categories', { expect: 200 })));
		assert.ok(processes('catalog-categories').length > 0);
	}
}));
