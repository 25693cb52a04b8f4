/*
 * Rate limits: how many are let in, what is told of it, and when the next is.
 * Windows are long; what happens at their end is shown of the script itself,
 * with short ones.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { call, newAddress } from '../../lib/client.mjs';
import { need } from '../../lib/env.mjs';
import { cgi } from '../../lib/execute.mjs';
import { ADDRESS, customer, lines, newKey, product, seller, unique } from '../../lib/shop.mjs';
import { redis } from '../../lib/stack.mjs';
import { parallel } from '../../lib/wait.mjs';

const NAMES = ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset'];
const told = ({ headers }) => NAMES.map((name) => {
	assert.match(headers[name] ?? 'none', /^\d+$/, name);
	return Number(headers[name]);
});

test('of 400 requests at once, from 50 clients of one address, 300 are let in', async () => {
	const address = newAddress();
	const answers = await parallel(50, Array.from({ length: 400 }, () => () => call('GET', '/', { address })));
	const allowed = answers.filter(({ status }) => status === 200);
	const refused = answers.filter(({ status }) => status === 429);

	assert.equal(allowed.length, 300);
	assert.equal(refused.length, 100);
	/* Each had a number of its own. */
	assert.deepEqual(allowed.map((answer) => told(answer)[1]).sort((a, b) => b - a),
	    Array.from({ length: 300 }, (_, i) => 299 - i));
	for (const answer of refused) {
		const [limit, remaining, reset] = told(answer);
		assert.deepEqual([limit, remaining], [300, 0]);
		assert.equal(answer.json.code, 'rate_limited');
		assert.equal(Number(answer.headers['retry-after']), reset);
		assert.ok(reset >= 1 && reset <= 60, String(reset));
	}
});

test('each address has a limit of its own, whatever it says in headers', async () => {
	const [one, other] = [newAddress(), newAddress()];
	const ask = async (address, headers) => told(await call('GET', '/', { address, headers }))[1];

	assert.equal(await ask(one), 299);
	for (const headers of [{ 'X-Forwarded-For': newAddress() }, { Forwarded: `for=${newAddress()}` },
	    { 'X-Real-IP': newAddress() }, { 'X-Forwarded-For': `${newAddress()}, ${newAddress()}` },
	    { 'Client-IP': newAddress() }, { 'True-Client-IP': newAddress() }, { 'CF-Connecting-IP': newAddress() }])
		await ask(one, headers);
	assert.equal(await ask(one), 291);
	assert.equal(await ask(other), 299);
});

test('a replayed answer and a path id that is none carry the limit', async () => {
	const buyer = await customer();
	const goods = await product(await seller(), { price: 5, stock_quantity: 3 });
	const headers = { 'Idempotency-Key': newKey() };
	const ask = () => buyer.call('POST', '/api/orders',
	    { json: { items: lines([goods.id, 1]), ...ADDRESS }, headers });

	told(await ask());
	const again = await ask();
	assert.equal(again.headers['idempotent-replayed'], 'true');
	told(again);
	const none = await buyer.call('GET', '/api/orders/abc');
	assert.equal(none.status, 404);
	told(none);
});

/* Another limit than the stack's, for addresses and users nobody else has. */
const limited = (limits, options) => cgi('orders-list', 'GET', '/api/orders',
    { ...options, env: { RATE_LIMIT_GENERAL: '0', ...limits } });

test('a user has one limit at all addresses', async () => {
	const [buyer, other] = [await customer(), await customer()];
	const ask = ({ token }) => limited({ RATE_LIMIT_GENERAL: '3' }, { token, address: newAddress() });

	for (const remaining of [2, 1, 0])
		assert.deepEqual(told(await ask(buyer)).slice(0, 2), [3, remaining]);
	assert.equal((await ask(buyer)).status, 429);
	assert.equal((await ask(other)).status, 200);
});

test('what one limit refuses, no other counts', async () => {
	const buyer = await customer();
	const [tight, wide] = [newAddress(), newAddress()];
	const ask = (address) => limited({ RATE_LIMIT_GENERAL: '3' }, { token: buyer.token, address });

	for (let i = 0; i < 3; i++)
		await limited({ RATE_LIMIT_GENERAL: '3' }, { address: tight });
	for (let i = 0; i < 5; i++)
		assert.equal((await ask(tight)).status, 429);
	assert.deepEqual(told(await ask(wide)).slice(0, 2), [3, 2], 'the user has lost nothing');
});

test('payments are counted by user, over an hour', async () => {
	const [buyer, other] = [await customer(), await customer()];
	const ask = ({ token }) => cgi('payments-status', 'GET', '/api/payments/order/1',
	    { token, address: newAddress(), env: { RATE_LIMIT_PAYMENTS: '2' } });

	assert.deepEqual(told(await ask(buyer)).slice(0, 2), [2, 1]);
	assert.deepEqual(told(await ask(buyer)).slice(0, 2), [2, 0]);
	const refused = await ask(buyer);
	assert.equal(refused.status, 429);
	assert.ok(Number(refused.headers['retry-after']) > 3500);
	assert.equal((await ask(other)).status, 404);
});

test('0 switches a limit off, and that one only', async () => {
	const address = newAddress();
	const login = (env) => cgi('auth-login', 'POST', '/api/auth/login',
	    { address, json: { email: 'nobody@example.com', password: unique() }, env });
	const both = { RATE_LIMIT_GENERAL: '0', RATE_LIMIT_AUTH: '0' };

	assert.equal((await limited({}, { address })).headers['ratelimit-limit'], undefined);
	assert.equal(told(await login({ RATE_LIMIT_GENERAL: '0' }))[0], 5);
	assert.equal(told(await login({ RATE_LIMIT_GENERAL: '0', RATE_LIMIT_AUTH_FAILED: '0' }))[0], 30);
	assert.equal(told(await login({ ...both, RATE_LIMIT_AUTH_FAILED: '0' }))[0], 50);
	const none = { ...both, RATE_LIMIT_AUTH_FAILED: '0', RATE_LIMIT_ACCOUNT_FAILED: '0' };
	for (let i = 0; i < 7; i++) {
		const answer = await login(none);
		assert.equal(answer.status, 401);
		assert.equal(answer.headers['ratelimit-limit'], undefined);
	}
});

test('a Redis that has lost the script is given it again, and counts on', async () => {
	const address = newAddress();

	assert.equal(told(await call('GET', '/', { address }))[1], 299);
	for (let lost = 1; lost <= 6; lost++) {
		await redis('SCRIPT FLUSH');
		assert.equal(told(await call('GET', '/', { address }))[1], 299 - lost);
	}
});

test('a Redis that answers with an error is as good as none', async () => {
	const address = newAddress();

	/* Of the wrong type: each script that looks at it fails. */
	await redis(`RPUSH limit:general:${address} x`);
	for (let i = 0; i < 6; i++)
		assert.equal((await call('GET', '/', { address })).status, 200);
	await redis(`DEL limit:general:${address}`);
});

/* limit.lua itself. */
const script = readFileSync(new URL('../../../runtime/limit.lua', import.meta.url), 'utf8');

function connect() {
	const socket = net.connect(need('REDIS_SOCKET'));
	socket.on('error', (error) => { throw error; });
	return {
		take: (limits) => new Promise((done, failed) => {
			const words = ['EVAL', script, limits.length, ...limits.map(({ key }) => `limit:test:${key}`),
				...limits.flatMap(({ most, ms }) => [most, ms])].map(String);
				socket.once('data', (bytes) => {
				const answer = /^\*3\r\n:(-?\d+)\r\n:(-?\d+)\r\n:(-?\d+)\r\n$/.exec(bytes.toString());
				if (answer === null)
					failed(new Error(bytes.toString()));
				else
					done({ which: Number(answer[1]), left: Number(answer[2]), wait: Number(answer[3]) });
			});
			socket.write(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`);
		}),
		end: () => socket.end(),
	};
}

async function withRedis(work) {
	const connection = connect();
	try {
		await work(connection.take);
	} finally {
		connection.end();
	}
}

for (const most of [1, 5, 20, 100])
	test(`no window sees more than ${most}, and waiting as told always helps`, () => withRedis(async (take) => {
		const limit = { key: unique(), most, ms: 320 };
		const taken = [];

		async function ask() {
			const sent = performance.now();
			const answer = await take([limit]);
			if (answer.left >= 0)
				taken.push({ sent, received: performance.now() });
			assert.ok(answer.wait >= 0 && answer.wait <= limit.ms, `wait ${answer.wait}`);
			return answer;
		}

		while (taken.length <= 3 * most) {
			const { left, wait } = await ask();
			if (left >= 0) {
				/* Sometimes slowly, so that a window has a past. */
				if (Math.random() < 0.3)
					await pause(Math.random() * 2 * limit.ms / most);
				continue;
			}
			/* Refusals take nothing: any number of them changes nothing. */
			let refused = true;
			for (let i = 0; i < 5 && refused; i++) {
				const again = await ask();
				refused = again.left < 0;
				assert.ok(!refused || again.wait <= wait);
			}
			if (!refused)
				continue;		/* its time had come meanwhile */
			await pause(wait + 2);	/* a timer may be early by one */
			assert.ok((await ask()).left >= 0, `after ${wait} ms there was none`);
		}
		/* Redis' clock has whole milliseconds. */
		for (let i = 0; i + most < taken.length; i++)
			assert.ok(taken[i + most].received - taken[i].sent >= limit.ms - 1,
			    `${most + 1} in ${taken[i + most].received - taken[i].sent} ms`);
	}));

test('a limit made smaller is waited for until enough have gone', () => withRedis(async (take) => {
	const key = unique();

	for (let i = 0; i < 4; i++) {
		await take([{ key, most: 10, ms: 400 }]);
		await pause(20);
	}
	const { left, wait } = await take([{ key, most: 2, ms: 400 }]);
	assert.equal(left, -1);
	await pause(wait + 2);
	assert.equal((await take([{ key, most: 2, ms: 400 }])).left, 0);
}));

test('of several limits all are taken or none, and the tightest is told', () => withRedis(async (take) => {
	const wide = { key: unique(), most: 100, ms: 60000 };
	const tight = { key: unique(), most: 2, ms: 30000 };

	assert.deepEqual({ ...await take([wide, tight]), wait: 0 }, { which: 2, left: 1, wait: 0 });
	assert.deepEqual({ ...await take([tight, wide]), wait: 0 }, { which: 1, left: 0, wait: 0 });
	for (let i = 0; i < 3; i++) {
		const refused = await take([wide, tight]);
		assert.deepEqual([refused.which, refused.left], [2, -1]);
	}
	assert.equal((await take([wide])).left, 97);
	/* Of two refusals the longer wait counts. */
	const longer = { key: unique(), most: 1, ms: 90000 };
	await take([longer]);
	assert.equal((await take([longer, tight])).which, 1);
	assert.equal((await take([tight, longer])).which, 2);
}));
