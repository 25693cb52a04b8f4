/*
 * What an Idempotency-Key promises, of every endpoint that takes one: they are
 * found by what the functions declare, with requests from lib/repeated.mjs.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { endpoints } from '../lib/described.mjs';
import { repeated, send } from '../lib/repeated.mjs';
import { newKey, unanswered } from '../lib/shop.mjs';
import { run, value } from '../lib/sql.mjs';
import { until } from '../lib/wait.mjs';

/* Of each exchange, not of the answer. */
const PASSING = ['date', 'connection', 'keep-alive', 'x-request-id', 'x-correlation-id', 'idempotent-replayed',
	'ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset'];
const lasting = (headers) => Object.fromEntries(Object.entries(headers).filter(([name]) => !PASSING.includes(name)));
const replayed = (answer) => answer.headers['idempotent-replayed'] === 'true';

function assertSame(again, first) {
	assert.equal(again.status, first.status, again.text);
	assert.deepEqual(again.bytes, first.bytes);
	assert.deepEqual(lasting(again.headers), lasting(first.headers));
}

test('every POST takes a key, or says why it may be sent twice', () => {
	assert.ok(repeated.length >= 3, `only ${repeated.length}`);
	for (const endpoint of endpoints.filter(({ method }) => method === 'POST'))
		assert.ok(endpoint.idempotent !== (endpoint.repeatable !== null), endpoint.file);
});

test('an answer is kept with its type and its endpoint\'s own headers', async () => {
	const { endpoint, make } = repeated.find((one) => one.endpoint.name === 'create_product');
	const request = await make();
	const key = newKey();
	const first = await send(endpoint, request, key);
	assert.equal(await value`SELECT headers FROM ops.idempotency WHERE key = ${key}`, 'Content-Type: application/json\n');
	await run`UPDATE ops.idempotency SET headers = headers || E'Location: /api/products/7\\nETag: "a: b"\\n' WHERE key = ${key}`;
	const again = await send(endpoint, request, key);
	assert.deepEqual(again.bytes, first.bytes);
	assert.deepEqual([again.headers['content-type'], again.headers.location, again.headers.etag],
	    ['application/json', '/api/products/7', '"a: b"']);
});

for (const { endpoint, name, make } of repeated) {
	const { success } = endpoint;
	/* A user may pay a hundred times an hour, and does so below, too. */
	const crowd = endpoint.rate === 'payment' ? 50 : 100;

	test(`${name}: the same again is the same answer, byte for byte, and no second effect`, async () => {
		const request = await make();
		const key = newKey();
		const before = await request.effects();
		const first = await send(endpoint, request, key);
		assert.equal(first.status, success, first.text);
		assert.ok(!replayed(first));
		for (let i = 0; i < 2; i++) {
			const again = await send(endpoint, request, key);
			assert.ok(replayed(again));
			assertSame(again, first);
		}
		assert.equal(await request.effects(), before + 1);
	});

	test(`${name}: ${crowd} at once have one effect and one answer`, async () => {
		const request = await make();
		const key = newKey();
		const before = await request.effects();
		const ask = () => send(endpoint, request, key);
		let answers = await Promise.all(Array.from({ length: crowd }, ask));
		const first = answers.filter((answer) => answer.status === success && !replayed(answer));
		assert.equal(first.length, 1, `${first.length} were made anew`);
		const busy = answers.filter(({ status }) => status !== success);
		for (const answer of busy) {
			assert.equal(`${answer.status} ${answer.json.code}`, '409 request_in_progress');
			assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
		}
		/* Only what waits for the outside world takes longer than twins wait. */
		assert.ok(endpoint.waits || busy.length === 0, `${busy.length} were told to come again`);
		answers = answers.filter((answer) => !busy.includes(answer));
		for (let i = 0; i < busy.length; i++)
			answers.push(await until('the answer is there', async () => {
				const answer = await ask();
				return answer.status === success && answer;
			}));
		assert.equal(answers.length, crowd);
		for (const answer of answers)
			assertSame(answer, first[0]);
		assert.equal(await request.effects(), before + 1);
	});

	test(`${name}: while its answer is not known, it is to be asked for again`, async () => {
		const request = await make();
		const key = newKey();
		await send(endpoint, request, key);
		await unanswered(key);
		const busy = await send(endpoint, request, key);
		assert.equal(`${busy.status} ${busy.json.code}`, '409 request_in_progress');
		assert.match(busy.headers['retry-after'], /^[1-9]\d*$/);
	});

	test(`${name}: another body under the key is 422, and the answer stands`, async () => {
		const request = await make();
		const key = newKey();
		const before = await request.effects();
		const first = await send(endpoint, request, key);
		assert.equal(first.status, success, first.text);
		const other = await send(endpoint, request, key, request.other);
		assert.equal(`${other.status} ${other.json.code}`, '422 idempotency_key_reused');
		assertSame(await send(endpoint, request, key), first);
		assert.equal(await request.effects(), before + 1);
	});

	test(`${name}: another user's key is another key`, async (t) => {
		const [mine, theirs] = [await make(), await make()];
		if (mine.who === null)
			return t.diagnostic('nobody is signed in here: keys are shared');
		const key = newKey();
		for (const request of [mine, theirs]) {
			const before = await request.effects();
			const answer = await send(endpoint, request, key);
			assert.equal(answer.status, success, answer.text);
			assert.ok(!replayed(answer));
			assert.equal(await request.effects(), before + 1);
		}
	});

	test(`${name}: what was refused does not use the key up`, async (t) => {
		const request = await make();
		if (!request.refused) {
			/* What is declared besides follows from the rest of the declaration. */
			const follows = ['request_in_progress', ...['seller', 'admin'].includes(endpoint.access) ? ['forbidden'] : []];
			const own = endpoint.errors.filter(({ status, code }) => [402, 403, 404, 409].includes(status) && !follows.includes(code));
			assert.deepEqual(own, [], `${endpoint.file} can refuse: say how in tests/lib/repeated.mjs`);
			return t.diagnostic('it refuses nothing that it understands');
		}
		const key = newKey();
		for (let i = 0; i < 2; i++) {
			const refused = await send(endpoint, request, key, request.refused);
			assert.ok(refused.status >= 400 && refused.status < 500 && refused.json.code !== 'invalid_input', refused.text);
		}
		const answer = await send(endpoint, request, key);
		assert.equal(answer.status, success, answer.text);
		assert.ok(!replayed(answer));
	});

	test(`${name}: a key lives for 24 hours`, async () => {
		const request = await make();
		const key = newKey();
		const first = await send(endpoint, request, key);
		const age = (interval) => run`UPDATE ops.idempotency SET created_at = now() - ${interval}::interval WHERE key = ${key}`;
		assert.equal(first.status, success, first.text);
		await age('23 hours 59 minutes');
		assertSame(await send(endpoint, request, key), first);
		await age('24 hours 1 minute');
		const late = await send(endpoint, request, key);
		assert.ok(!replayed(late), 'made anew');
		/* ... and the key can be used for something else. */
		await age('24 hours 1 minute');
		assert.notEqual((await send(endpoint, request, key, request.other)).status, 422);
	});

	test(`${name}: keys are 1 to 255 visible characters`, async () => {
		const request = await make();
		const before = await request.effects();
		for (const key of ['k'.repeat(256), 'k'.repeat(4000), 'caf\u00e9', '\u00ff', 'a\tb']) {
			const answer = await send(endpoint, request, key);
			assert.equal(`${answer.status} ${answer.json.errors?.[0].field}`, '400 Idempotency-Key', key.slice(0, 20));
		}
		assert.equal(await request.effects(), before);
		const key = randomUUID().padEnd(255, '!~ "');
		const first = await send(endpoint, request, key);
		assert.equal(first.status, success, first.text);
		assertSame(await send(endpoint, request, key), first);
	});
}
