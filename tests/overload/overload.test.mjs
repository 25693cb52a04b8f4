/*
 * More requests than a function can take: a queue that is bounded, and said to be
 * full.  Its workers are stopped while they serve, so that nothing here depends on
 * how fast anything is.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { test } from 'node:test';
import { assertProblem, call, newAddress } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { customer, seller } from '../lib/shop.mjs';
import { run, value } from '../lib/sql.mjs';
import { kill, signal, workers } from '../lib/stack.mjs';
import { until } from '../lib/wait.mjs';

const QUEUE = 128;		/* FN_QUEUE */
const ORIGIN = 'https://shop.test';

/* On a connection of its own; resolves to the answer as it came. */
function ask(method, path, { body, token } = {}) {
	const { hostname, port } = new URL(need('SOUK_URL'));
	const headers = { Origin: ORIGIN, 'X-Request-ID': `overload-${Math.random().toString(36).slice(2)}`,
		...body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) },
		...token === undefined ? {} : { Authorization: `Bearer ${token}` } };

	return new Promise((done, failed) => {
		const request = http.request({ hostname, port, method, path, headers, agent: false, localAddress: newAddress() }, (response) => {
			const chunks = [];
			response.on('data', (chunk) => chunks.push(chunk));
			response.on('end', () => {
				const text = Buffer.concat(chunks).toString();
				done({ status: response.statusCode, headers: response.headers, text, json: JSON.parse(text), id: headers['X-Request-ID'] });
			});
		});
		request.on('error', failed);
		request.end(body);
	});
}

/*
 * Every worker of a function in the middle of a request, and stopped there: each
 * waits for a lock first, so that it is known to have one.
 */
async function hold(name, request) {
	await call('GET', '/api/products?limit=1', { expect: 200 });
	await request();		/* it may have been asleep */
	const all = workers(name);
	assert.ok(all.length >= 2, `${name} has ${all.length} workers`);
	await run`BEGIN`;
	await run`LOCK TABLE catalog.product IN ACCESS EXCLUSIVE MODE`;
	const held = all.map(() => request());
	await until('all workers wait for the lock', async () =>
		await value`SELECT count(*) FROM pg_locks WHERE NOT granted` >= all.length);
	signal(all, 'SIGSTOP');
	await run`ROLLBACK`;
	return { held, release: () => signal(all, 'SIGCONT') };
}

const turnedAway = async (name) => {
	const metrics = await fetch(`${need('SOUK_URL')}/metrics`).then((answer) => answer.text());
	return Number(new RegExp(`^function_turned_away_total\\{function="${name}"\\} (\\d+)$`, 'm').exec(metrics)?.[1] ?? 0);
};

function assertTurnedAway(answer) {
	assert.equal(answer.status, 503);
	assertProblem(answer);
	assert.equal(answer.json.code, 'unavailable');
	assert.equal(answer.json.request_id, answer.id, 'it is known by the id it came with');
	assert.match(answer.headers['retry-after'], /^[123]$/);
	assert.equal(answer.headers['access-control-allow-origin'], ORIGIN, 'a page can read why');
	assert.equal(answer.headers['cache-control'], 'no-store');
}

/* What has been answered so far. */
function watch(asked) {
	const answers = [];
	for (const each of asked)
		each.then((answer) => answers.push(answer));
	return answers;
}

test('of too many who wait, those beyond the queue are told to come again; others are served', async () => {
	const MORE = 21;
	let n = 0;
	const suggest = () => ask('GET', `/api/products/suggest?q=overload${n++}`);
	const { held, release } = await hold('catalog-suggest', suggest);
	const before = await turnedAway('catalog-suggest');

	try {
		const asked = Array.from({ length: QUEUE + MORE }, suggest);
		const answers = watch(asked);
		await until('those beyond are turned away', () => answers.length === MORE);
		answers.forEach(assertTurnedAway);
		assert.equal(await turnedAway('catalog-suggest') - before, MORE);
		/* Nobody else has to wait. */
		for (const path of ['/api/products?limit=2', '/api/categories', '/health', '/docs'])
			assert.equal((await fetch(`${need('SOUK_URL')}${path}`)).status, 200, path);
		assert.equal(answers.length, MORE, 'the queue is left alone');

		release();
		const all = await Promise.all([...held, ...asked]);
		assert.deepEqual(all.filter(({ status }) => status !== 503).map(({ status }) => status),
		    Array(held.length + QUEUE).fill(200));
	} finally {
		release();
	}
	assert.equal((await suggest()).status, 200, 'it has recovered');
	assert.equal(await turnedAway('catalog-suggest') - before, MORE, 'and turns nobody away');
});

test('a body as large as may be does not get lost with its answer, nor does a death help anybody in', async () => {
	const { token } = await seller();
	/* More than a socket's buffer holds: who does not read it all resets it. */
	const body = JSON.stringify({ name: 'Much', price: '1.00', description: 'm'.repeat(300_000) });
	let n = 0;
	const create = () => ask('POST', '/api/products', { token, body: JSON.stringify({ name: `Little ${n++}`, price: '1.00' }) });
	const { held, release } = await hold('catalog-create', create);

	try {
		const asked = Array.from({ length: QUEUE + 8 }, () => ask('POST', '/api/products', { token, body }));
		const answers = watch(asked);
		await until('those beyond are turned away', () => answers.length === 8);
		answers.forEach(assertTurnedAway);
		/* A worker that dies busy is no longer busy. */
		const [victim] = workers('catalog-create');
		kill(victim);
		const served = (await Promise.all(asked)).filter(({ status }) => status !== 503);
		assert.deepEqual(served.map(({ status }) => status), Array(QUEUE).fill(400), 'that much is no description');
		release();
		const ends = (await Promise.allSettled(held)).map(({ value: answer }) => answer?.status);
		assert.equal(ends.filter((status) => status === 201).length, held.length - 1, `${ends}`);
	} finally {
		release();
	}
	assert.equal((await create()).status, 201);
});

test('the log and the counters say who was turned away', async () => {
	const lines = readFileSync(`${need('SOUK_RUN')}/log/functions.log`, 'utf8').split('\n')
	    .filter((line) => line.includes('/api/products/suggest') && line.includes('"status":503')).map((line) => JSON.parse(line));

	assert.ok(lines.length >= 21);
	for (const line of lines)
		assert.deepEqual([line.function, line.code, line.route], ['catalog-suggest', 'unavailable', '/api/products/suggest']);
});

test('many at once are no crowd: nobody is turned away who can be served in time', async () => {
	const buyer = await customer();
	const all = await Promise.all(Array.from({ length: QUEUE }, () => ask('GET', '/api/users/profile', { token: buyer.token })));

	assert.deepEqual(all.map(({ status }) => status), Array(QUEUE).fill(200));
});
