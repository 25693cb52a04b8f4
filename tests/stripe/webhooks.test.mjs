import assert from 'node:assert/strict';
import test from 'node:test';
import { assertError, base, confirm, createIntent, del, fault, get, key, paidIntent, post, read,
    receiver, until, verifies, write } from './stripe.mjs';

const endpoints = '/v1/webhook_endpoints';

test('an endpoint is registered, changed, listed and deleted', async (t) => {
	const made = await write(endpoints, { url: 'http://127.0.0.1:1/hook', description: 'mine',
		enabled_events: ['payment_intent.succeeded', 'charge.*'], metadata: { a: 1 } });

	t.after(() => del(`${endpoints}/${made.id}`));
	assert.match(made.id, /^we_1[A-Za-z0-9]{23}$/);
	assert.match(made.secret, /^whsec_[A-Za-z0-9]{32}$/);
	assert.deepEqual([made.object, made.status, made.livemode, made.metadata],
	    ['webhook_endpoint', 'enabled', false, { a: '1' }]);
	const { secret, ...shown } = made;
	assert.deepEqual(await read(`${endpoints}/${made.id}`), shown);
	const changed = await write(`${endpoints}/${made.id}`,
	    { disabled: true, enabled_events: ['*'], url: 'https://shop.example/x' });
	assert.deepEqual([changed.status, changed.enabled_events, changed.url],
	    ['disabled', ['*'], 'https://shop.example/x']);
	assert.ok((await read(endpoints, { limit: 100 })).data.some(({ id }) => id === made.id));
	assert.deepEqual((await del(`${endpoints}/${made.id}`)).json,
	    { id: made.id, object: 'webhook_endpoint', deleted: true });
	for (const answer of [await get(`${endpoints}/${made.id}`), await del(`${endpoints}/${made.id}`)])
		assertError(answer, 404, { code: 'resource_missing' });
});

test('an endpoint needs a URL and events', async () => {
	assertError(await post(endpoints, { url: 'http://a.example/' }), 400,
	    { code: 'parameter_missing', param: 'enabled_events' });
	assertError(await post(endpoints, { enabled_events: ['*'] }), 400, { param: 'url' });
	for (const url of ['shop.example', 'ftp://shop.example/', 'file:///etc/passwd'])
		assertError(await post(endpoints, { url, enabled_events: ['*'] }), 400, { param: 'url' });
	assertError(await post(endpoints, { url: 'http://a.example/', enabled_events: ['a b'] }), 400,
	    { param: 'enabled_events' });
});

test('events are delivered signed, in order, as snapshots', async (t) => {
	const { endpoint, next, about } = await receiver(t, ['payment_intent.*']);
	const intent = await createIntent({ metadata: { order_id: '9' } });

	await confirm(intent.id, 'pm_card_chargeDeclined');
	await confirm(intent.id, 'pm_card_visa');
	await next(3, ({ event }) => event.data.object.id === intent.id);
	const got = about(intent.id);
	assert.deepEqual(got.map(({ event }) => [event.type, event.data.object.status]), [
		['payment_intent.created', 'requires_payment_method'],
		['payment_intent.payment_failed', 'requires_payment_method'],
		['payment_intent.succeeded', 'succeeded'],
	]);
	for (const delivery of got) {
		assert.ok(verifies(delivery, endpoint.secret));
		assert.ok(!verifies(delivery, endpoint.secret.replace('whsec_', '')));
		assert.match(delivery.signature, /^t=[0-9]+,v1=[0-9a-f]{64},v0=[0-9a-f]{64}$/);
		assert.match(delivery.headers['content-type'], /^application\/json/);
		assert.match(delivery.event.id, /^evt_/);
		assert.deepEqual([delivery.event.object, delivery.event.livemode, delivery.event.api_version],
		    ['event', false, '2026-08-26.dahlia']);
		assert.ok(delivery.event.pending_webhooks >= 1);
		assert.equal(delivery.event.data.object.metadata.order_id, '9');
	}
	/* A shop beside the simulator does not listen for this one. */
	await until('it counts as delivered', async () =>
	    (await read('/v1/events', { delivery_success: true, type: 'payment_intent.created', limit: 100 }))
		.data.some(({ id }) => id === got[0].event.id));
});

test('only what is listened for arrives', async (t) => {
	const { received, next } = await receiver(t, ['charge.succeeded', 'refund.*']);
	const intent = await paidIntent();

	await write('/v1/refunds', { payment_intent: intent.id });
	await next(1, ({ event }) => event.type === 'refund.created' && event.data.object.payment_intent === intent.id);
	assert.ok(received.every(({ event }) => /^(charge\.succeeded|refund\.)/.test(event.type)));
});

test('what is not taken comes again, with a new time and signature', async (t) => {
	const { endpoint, next } = await receiver(t, ['payment_intent.canceled'],
	    (delivery, n) => [500, 302, 200][n] ?? 200);
	const intent = await createIntent();

	await write(`/v1/payment_intents/${intent.id}/cancel`);
	const tries = await next(3, ({ event }) => event.data.object.id === intent.id);
	assert.equal(new Set(tries.map(({ event }) => event.id)).size, 1);
	for (const delivery of tries)
		assert.ok(verifies(delivery, endpoint.secret));
	/* SIM_WEBHOOK_RETRY_MS, doubled each time. */
	for (const [i, ms] of [500, 1000].entries())
		assert.ok(tries[i + 1].at - tries[i].at >= ms);
	if (Math.floor(tries[0].at / 1000) !== Math.floor(tries[2].at / 1000))
		assert.notEqual(tries[0].signature, tries[2].signature);
});

test('one that hangs does not keep others waiting', async (t) => {
	const hanging = await receiver(t, ['payment_intent.canceled'], () => null);
	const good = await receiver(t, ['payment_intent.canceled']);

	for (let i = 0; i < 3; i++) {
		const intent = await createIntent();
		await write(`/v1/payment_intents/${intent.id}/cancel`);
		await good.next(1, ({ event }) => event.data.object.id === intent.id);
	}
	assert.ok(hanging.received.length >= 1);
});

test('a disabled endpoint gets nothing more', async (t) => {
	const { endpoint, received, next } = await receiver(t, ['payment_intent.canceled'], () => 500);
	const control = await receiver(t, ['payment_intent.canceled']);
	const intent = await createIntent();

	await write(`/v1/payment_intents/${intent.id}/cancel`);
	await next(1);
	await write(`${endpoints}/${endpoint.id}`, { disabled: true });
	const other = await createIntent();
	await write(`/v1/payment_intents/${other.id}/cancel`);
	await control.next(1, ({ event }) => event.data.object.id === other.id);
	assert.ok(received.every(({ event }) => event.data.object.id !== other.id));
});

test('an event can be sent again', async (t) => {
	const { endpoint, next, about } = await receiver(t, ['payment_intent.canceled']);
	const intent = await createIntent();

	await write(`/v1/payment_intents/${intent.id}/cancel`);
	const [{ event }] = await next(1, (d) => d.event.data.object.id === intent.id);
	const sent = await write(`/v1/events/${event.id}/retry`, { webhook_endpoint: endpoint.id });
	assert.equal(sent.id, event.id);
	await next(2, (d) => d.event.id === event.id);
	await write(`/v1/events/${event.id}/retry`);
	await next(3, (d) => d.event.id === event.id);
	assert.equal(about(intent.id).length, 3);
	assertError(await post('/v1/events/evt_x/retry'), 404, { code: 'resource_missing' });
	assertError(await post(`/v1/events/${event.id}/retry`, { webhook_endpoint: 'we_x' }), 404,
	    { code: 'resource_missing', param: 'webhook_endpoint' });
});

const canceledIntent = async () => {
	const intent = await createIntent();
	await write(`/v1/payment_intents/${intent.id}/cancel`);
	return intent.id;
};
const isAbout = (id) => ({ event }) => event.data.object.id === id;

test('fault: duplicated', async (t) => {
	const { endpoint, next } = await receiver(t, ['payment_intent.canceled']);

	await fault(t, { kind: 'webhook_duplicate', endpoint: endpoint.id, times: 1 });
	const id = await canceledIntent();
	const got = await next(2, isAbout(id));
	assert.equal(got[0].event.id, got[1].event.id);
});

test('fault: delayed', async (t) => {
	const { endpoint, next } = await receiver(t, ['payment_intent.canceled']);

	await fault(t, { kind: 'webhook_delay', endpoint: endpoint.id, ms: 1500, times: 1 });
	const before = Date.now();
	const [{ at }] = await next(1, isAbout(await canceledIntent()));
	assert.ok(at - before >= 1400, `${at - before} ms`);
});

test('fault: reordered', async (t) => {
	const { endpoint, received, next } = await receiver(t, ['payment_intent.canceled']);

	await fault(t, { kind: 'webhook_reorder', endpoint: endpoint.id, ms: 2000, times: 3 });
	const ids = [await canceledIntent(), await canceledIntent(), await canceledIntent()];
	for (const id of ids)
		await next(1, isAbout(id));
	/* The first to happen comes last; what comes close together may overtake. */
	const order = received.map(({ event }) => event.data.object.id).filter((id) => ids.includes(id));
	assert.equal(order.length, 3);
	assert.equal(order[2], ids[0]);
});

test('fault: dropped, and found by delivery_success=false', async (t) => {
	const { endpoint, next, about } = await receiver(t, ['payment_intent.canceled']);

	await fault(t, { kind: 'webhook_drop', endpoint: endpoint.id, times: 1 });
	const lost = await canceledIntent(), later = await canceledIntent();
	await next(1, isAbout(later));
	assert.equal(about(lost).length, 0);
	const { data } = await read('/v1/events', { delivery_success: false, limit: 100,
		types: ['payment_intent.canceled'] });
	assert.ok(data.some((event) => event.data.object.id === lost));
	assert.ok(data.every(({ type }) => type === 'payment_intent.canceled'));
});

test('events are listed by type, and each can be read', async () => {
	const intent = await paidIntent();
	const { data, url } = await read('/v1/events', { type: 'payment_intent.*', limit: 100 });
	const mine = data.find(({ type, data: { object } }) => type === 'payment_intent.succeeded' && object.id === intent.id);

	assert.equal(url, '/v1/events');
	assert.ok(data.every(({ type }) => type.startsWith('payment_intent.')));
	assert.deepEqual((await read(`/v1/events/${mine.id}`)).data, mine.data);
	assert.match(mine.request.id, /^req_/);
	assertError(await get('/v1/events/evt_x'), 404, { code: 'resource_missing', message: 'No such event: \'evt_x\'' });
	await until('the charge is settled', async () => {
		const settled = (await read('/v1/events', { type: 'charge.updated', limit: 100 })).data
		    .find(({ data: { object } }) => object.id === intent.latest_charge);
		if (settled === undefined)
			return false;
		assert.deepEqual(settled.request, { id: null, idempotency_key: null });
		assert.deepEqual(settled.data.previous_attributes, { balance_transaction: null });
		assert.match(settled.data.object.balance_transaction, /^txn_3/);
		return true;
	});
});

test('the controls take the secret key alone', async () => {
	for (const [method, path, body] of [['GET', '/simulator/faults'],
		['POST', '/simulator/faults', '{"kind":"drop"}'], ['DELETE', '/simulator/faults'],
		['DELETE', '/simulator/faults/1']]) {
		const answer = await fetch(base + path, { method, body, headers: {
			'Content-Type': 'application/json', Authorization: 'Bearer pk_test_x' } });
		assert.equal(answer.status, 401, `${method} ${path}`);
	}
});
