import assert from 'node:assert/strict';
import test from 'node:test';
import { assertError, confirm, createIntent, eventTypes, fault, get, paidIntent, post, read,
    uniqueKey } from './stripe.mjs';

const intents = '/v1/payment_intents';
const params = { amount: 2000, currency: 'usd', metadata: { a: 1 } };

test('the same request gets the same answer, and happens once', async () => {
	const idempotencyKey = uniqueKey();
	const first = await post(intents, params, { idempotencyKey });
	const again = await post(intents, params, { idempotencyKey });

	assert.deepEqual([again.status, again.text], [200, first.text]);
	assert.equal(first.headers.get('idempotency-key'), idempotencyKey);
	assert.equal(first.headers.get('original-request'), first.headers.get('request-id'));
	assert.equal(first.headers.get('stripe-should-retry'), 'false');
	assert.equal(first.headers.get('idempotent-replayed'), null);
	assert.equal(again.headers.get('idempotent-replayed'), 'true');
	assert.equal(again.headers.get('original-request'), first.headers.get('request-id'));
	assert.notEqual(again.headers.get('request-id'), first.headers.get('request-id'));
	assert.deepEqual(await eventTypes((o) => o.id === first.json.id), ['payment_intent.created']);
	const { data: [event] } = await read('/v1/events', { limit: 100 }).then(({ data }) => ({
		data: data.filter(({ data: { object } }) => object.id === first.json.id) }));
	assert.deepEqual(event.request, { id: first.headers.get('request-id'), idempotency_key: idempotencyKey });
});

test('the order of parameters does not matter, anything else does', async () => {
	const idempotencyKey = uniqueKey();
	const first = await post(intents, params, { idempotencyKey });
	const reordered = await post(intents, {},
	    { idempotencyKey, body: 'metadata[a]=1&currency=usd&amount=2000' });

	assert.equal(reordered.text, first.text);
	for (const [path, other] of [[intents, { ...params, amount: 2001 }],
		[intents, { ...params, description: 'x' }], [`${intents}/${first.json.id}`, {}]])
		assertError(await post(path, other, { idempotencyKey }), 400, {
			type: 'idempotency_error', code: undefined,
			message: 'Keys for idempotent requests can only be used with the same parameters they were'
			    + ` first used with. Try using a key other than '${idempotencyKey}' if you meant to`
			    + ' execute a different request.' });
});

test('a decline and a wrong state are kept, bad parameters are not', async () => {
	const intent = await createIntent();
	const declined = { payment_method: 'pm_card_chargeDeclined' };
	const [keyA, keyB, keyC] = [uniqueKey(), uniqueKey(), uniqueKey()];
	const path = `${intents}/${intent.id}`;
	const first = await post(`${path}/confirm`, declined, { idempotencyKey: keyA });
	const again = await post(`${path}/confirm`, declined, { idempotencyKey: keyA });

	assert.deepEqual([first.status, again.status, again.text], [402, 402, first.text]);
	assert.equal(again.headers.get('idempotent-replayed'), 'true');
	await post(`${path}/cancel`, {}, { idempotencyKey: uniqueKey() });
	const refused = await post(`${path}/cancel`, {}, { idempotencyKey: keyB });
	assert.equal((await post(`${path}/cancel`, {}, { idempotencyKey: keyB })).text, refused.text);

	assert.equal((await post(intents, { amount: 'x', currency: 'usd' }, { idempotencyKey: keyC })).status, 400);
	assert.equal((await post(intents, { amount: 1, currency: 'usd' }, { idempotencyKey: keyC })).status, 400);
	assert.equal((await post(intents, params, { idempotencyKey: keyC })).status, 200);
});

test('while it runs, the key is in use', async (t) => {
	const intent = await createIntent();
	const path = `${intents}/${intent.id}`;
	const idempotencyKey = uniqueKey();
	const send = () => post(path, { description: 'x' }, { idempotencyKey });

	await fault(t, { kind: 'delay', path, ms: 1000, times: 1 });
	const answers = await Promise.all([send(), send()]);
	const [done, refused] = answers.sort((a, b) => a.status - b.status);
	assert.equal(done.status, 200, done.text);
	assertError(refused, 409, { code: 'idempotency_key_in_use' });
	assert.equal(refused.headers.get('stripe-should-retry'), 'true');
	assert.equal((await send()).headers.get('idempotent-replayed'), 'true');
});

test('many at once with one key make one intent', async () => {
	const idempotencyKey = uniqueKey();
	const answers = await Promise.all(Array.from({ length: 20 }, () => post(intents, params, { idempotencyKey })));
	const good = answers.filter(({ status }) => status === 200);

	assert.ok(good.length >= 1);
	assert.equal(new Set(good.map(({ json }) => json.id)).size, 1);
	assert.ok(answers.every(({ status }) => status === 200 || status === 409));
	assert.equal(good.filter(({ headers }) => headers.get('idempotent-replayed') === null).length, 1);
});

test('an answer lost after the execution is found again by its key', async (t) => {
	const intent = await createIntent();
	const path = `${intents}/${intent.id}/confirm`;
	const idempotencyKey = uniqueKey();
	const send = () => post(path, { payment_method: 'pm_card_visa' }, { idempotencyKey });

	await fault(t, { kind: 'drop', path, times: 1 });
	assert.equal((await send()).status, 502);
	const found = await send();
	assert.deepEqual([found.status, found.json.status], [200, 'succeeded']);
	assert.equal(found.headers.get('idempotent-replayed'), 'true');
});

test('a client that gives up waiting finds the answer by its key', async (t) => {
	const intent = await createIntent();
	const path = `${intents}/${intent.id}/confirm`;
	const idempotencyKey = uniqueKey();
	const send = (signal) => post(path, { payment_method: 'pm_card_visa' }, { idempotencyKey, signal });

	await fault(t, { kind: 'stall', path, ms: 5000, times: 1 });
	await assert.rejects(send(AbortSignal.timeout(1000)), { name: 'TimeoutError' });
	const found = await send();
	assert.deepEqual([found.json.status, found.headers.get('idempotent-replayed')], ['succeeded', 'true']);
});

test('an error of Stripe\'s own after the execution stays under its key', async (t) => {
	const intent = await createIntent();
	const path = `${intents}/${intent.id}/confirm`;
	const idempotencyKey = uniqueKey();
	const send = (key) => post(path, { payment_method: 'pm_card_visa' }, { idempotencyKey: key });

	await fault(t, { kind: 'error_after', path, times: 1 });
	for (let i = 0; i < 2; i++)
		assertError(await send(idempotencyKey), 500, { type: 'api_error' });
	assert.equal((await read(`${intents}/${intent.id}`)).status, 'succeeded');
	assertError(await send(uniqueKey()), 400, { code: 'payment_intent_unexpected_state' });
});

test('an error before the execution leaves the key free', async (t) => {
	const intent = await createIntent();
	const path = `${intents}/${intent.id}`;
	const idempotencyKey = uniqueKey();

	for (const [kind, status] of [['error_before', 500], ['rate_limit', 429]]) {
		await fault(t, { kind, path, times: 1, ...(status === 429 ? { reason: 'endpoint-rate' } : {}) });
		const answer = await post(path, { description: kind }, { idempotencyKey: `${idempotencyKey}${kind}` });
		assert.equal(answer.status, status, answer.text);
		if (status === 429) {
			assertError(answer, 429, { code: 'rate_limit', type: 'invalid_request_error' });
			assert.equal(answer.headers.get('stripe-rate-limited-reason'), 'endpoint-rate');
		}
		const retried = await post(path, { description: kind }, { idempotencyKey: `${idempotencyKey}${kind}` });
		assert.deepEqual([retried.status, retried.headers.get('idempotent-replayed')], [200, null]);
	}
});

test('keys are for POST alone, and at most 255 characters long', async () => {
	const idempotencyKey = 'k'.repeat(256);

	assert.equal((await get(intents, {}, { idempotencyKey })).status, 200);
	assertError(await post(intents, params, { idempotencyKey }), 400, {});
	assert.equal((await post(intents, params, { idempotencyKey: uniqueKey().padEnd(255, 'k') })).status, 200);
});

test('refunds are made once per key', async () => {
	const intent = await paidIntent();
	const idempotencyKey = uniqueKey();
	const send = () => post('/v1/refunds', { payment_intent: intent.id, amount: 500 }, { idempotencyKey });
	const [a, b] = [await send(), await send()];

	assert.equal(a.text, b.text);
	assert.equal((await read(`/v1/charges/${intent.latest_charge}`)).amount_refunded, 500);
	assert.equal((await confirm(intent.id, 'pm_card_visa')).status, 400);
});
