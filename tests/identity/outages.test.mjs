/*
 * Sessions end also while Redis, which remembers that they live, does not
 * answer; and nothing it remembers brings them back.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { call } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { assertEnded, assertLive, warm } from '../lib/revoking.mjs';
import { customer, login, PASSWORD } from '../lib/shop.mjs';
import { mainPid, redis, signal, startRedis, stopRedis } from '../lib/stack.mjs';
import { until } from '../lib/wait.mjs';

const complaints = () => readFileSync(join(need('SOUK_RUN'), 'log', 'functions.log'), 'utf8')
    .split('redis could not be told that sessions end').length - 1;
const redisAnswers = () => until('redis answers', async () => /PONG/.test(await redis('PING')));

after(async () => {
	signal(mainPid('redis'), 'SIGCONT');
	await redisAnswers().catch(startRedis);
});

test('without Redis everybody asks the database', async () => {
	const person = await customer();
	const other = await login(person.email, PASSWORD);
	await warm(person.token, other.accessToken);
	const before = complaints();

	await stopRedis();
	await call('POST', '/api/auth/logout', { json: { refreshToken: person.refreshToken }, expect: 200 });
	await assertEnded(person.token);
	await assertLive(other.accessToken);
	assert.ok(complaints() > before, 'it is in the log');
	await startRedis();
	await assertEnded(person.token);
	await assertLive(other.accessToken);
});

test('a Redis that hangs meanwhile hears of it when it comes to', async () => {
	const person = await customer();
	await warm(person.token);

	signal(mainPid('redis'), 'SIGSTOP');
	await person.call('POST', '/api/auth/logout-all', { expect: 200 });
	signal(mainPid('redis'), 'SIGCONT');
	await assertEnded(person.token);
	await redisAnswers();
	await assertEnded(person.token);
});
