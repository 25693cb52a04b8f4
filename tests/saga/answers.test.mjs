/*
 * kill -9 between the commit and the answer, of every endpoint that takes an
 * Idempotency-Key: whoever asks again gets the answer that was lost, and
 * nothing is done twice.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchange, newAddress } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { clearFaults, fault } from '../lib/faults.mjs';
import { repeated, send } from '../lib/repeated.mjs';
import { newKey } from '../lib/shop.mjs';
import { run } from '../lib/sql.mjs';
import { crashAt } from '../lib/stack.mjs';
import { Story } from '../lib/story.mjs';
import { until } from '../lib/wait.mjs';

for (const { endpoint, name, make } of repeated)
	test(`${name} dies with its answer kept: it is given again`, async () => {
		const request = await make();
		const key = newKey();
		const before = await request.effects();
		const { json, body = json && JSON.stringify(json), type = 'application/json' } = request.sent;
		const died = crashAt('answer_kept');
		const lost = await exchange(need('SOUK_URL'), endpoint.method, request.path, {
			body, address: newAddress(),
			headers: { ...body && { 'Content-Type': type }, 'Idempotency-Key': key, ...request.who && { Authorization: `Bearer ${request.who.token}` } },
		});
		await died();
		assert.ok(lost.status >= 500, `${lost.status} ${lost.bytes}`);

		const found = await send(endpoint, request, key);
		assert.equal(found.status, endpoint.success, found.text);
		assert.equal(found.headers['idempotent-replayed'], 'true');
		assert.deepEqual((await send(endpoint, request, key)).bytes, found.bytes);
		assert.equal(await request.effects(), before + 1);
	});

/* The keys of a buyer's requests that have no answer yet are as old as those
 * whose maker is given up. */
const giveUp = (story) => run`
	UPDATE ops.idempotency SET created_at = now() - interval '1 minute'
	 WHERE user_id = ${story.buyer.id} AND status IS NULL`;

test('of many who ask for a dead one\'s answer one makes it, and all get it', async () => {
	const story = await Story.begin();
	const key = newKey();
	const died = crashAt('place_after_commit');
	await story.ask({ key });
	await died();
	await story.alarm();
	await giveUp(story);
	const answers = await Promise.all(Array.from({ length: 20 }, () => until('an answer', async () => {
		const answer = await story.ask({ key });
		return answer.status === 201 && answer;
	})));
	assert.equal(new Set(answers.map(({ bytes }) => bytes.toString())).size, 1);
	assert.equal(answers.filter(({ headers }) => headers['idempotent-replayed'] === undefined).length, 1);
	assert.equal((await story.all()).length, 1);
});

test('one that was only slow answers what was answered in its place', async () => {
	const story = await Story.begin();
	const key = newKey();
	await fault('delay', { method: 'POST', path: '/v1/payment_intents', ms: 3000 });
	try {
		const slow = story.ask({ key });
		await until('the slow one has begun', async () => (await story.all()).length === 1);
		await giveUp(story);
		const quick = await story.ask({ key });
		assert.equal(quick.status, 201);
		const answer = await slow;
		assert.deepEqual(answer.bytes, quick.bytes);
		assert.equal(answer.headers['idempotent-replayed'], 'true');
		assert.equal(JSON.parse(quick.bytes).payment, null);
	} finally {
		await clearFaults();
	}
	assert.equal((await story.all()).length, 1);
});
