/*
 * Every cron and event function takes a CloudEvent 1.0, in either mode, and
 * says no to what is none; the same event again is no second one.
 */
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { call, refuse, refuseFields } from '../../lib/client.mjs';
import { need } from '../../lib/env.mjs';
import { run, value } from '../../lib/sql.mjs';

const paths = JSON.parse(readFileSync(need('API_JSON'), 'utf8')).flatMap(({ endpoints }) => endpoints)
    .filter(({ body }) => body === 'event').map(({ path }) => path);
const fresh = (more = {}) => ({ specversion: '1.0', id: randomUUID(), source: '/cron', type: 'dev.knative.sources.ping', ...more });
const headersOf = (event) => Object.fromEntries(Object.entries(event).map(([name, text]) => [`ce-${name}`, text]));
const asService = (options) => ({ token: need('SERVICE_TOKEN'), timeout: 60000, ...options });
const binary = (event, more) => asService({ body: '{}', type: 'application/json', headers: headersOf(event), ...more });
const structured = (event, type = 'application/cloudevents+json; charset=UTF-8') => asService({ json: event, type });
const keyOf = (path, { source, id }) => createHash('sha256').update(`${path}\n${source}\n${id}`).digest('hex');
const isKnown = (path, event) => value`SELECT count(*) FROM ops.idempotency WHERE user_id = -1 AND key = ${keyOf(path, event)}`;

test('there are such functions', () => {
	for (const name of ['saga-recover', 'reservations-expire', 'jobs-run', 'events-relay', 'tokens-purge',
	    'idempotency-purge', 'history-purge'])
		assert.ok(paths.includes(`/internal/cron/${name}`), name);
});

for (const path of paths) {
	test(`${path}: both modes, once each`, async () => {
		for (const send of [binary, structured]) {
			const event = fresh();
			const first = await call('POST', path, { ...send(event), expect: 200 });
			const again = await call('POST', path, { ...send(event), expect: 200 });
			assert.deepEqual(again.json, first.json);
			assert.equal(first.headers['idempotent-replayed'], undefined);
			assert.equal(again.headers['idempotent-replayed'], 'true');
			/* Another event, by either of its halves. */
			for (const other of [{ ...event, id: randomUUID() }, { ...event, source: '/elsewhere' }])
				assert.equal((await call('POST', path, { ...send(other), expect: 200 })).headers['idempotent-replayed'], undefined);
		}
	});

	test(`${path}: the mode, and what else differs, makes no other event`, async () => {
		const event = fresh();
		await call('POST', path, { ...binary(event), expect: 200 });
		const again = await call('POST', path, { ...structured({ ...event, time: '2026-01-01T00:00:00Z', data: { n: 1 } }), expect: 200 });
		assert.equal(again.headers['idempotent-replayed'], 'true');
	});

	test(`${path}: batches are refused, and what breaks the specification`, async () => {
		await refuse(415, 'unsupported_media_type', 'POST', path, structured([fresh()], 'application/cloudevents-batch+json'));
		await refuse(415, 'unsupported_media_type', 'POST', path, structured(fresh(), 'application/cloudevents+avro'));
		await refuse(400, 'malformed_request', 'POST', path, asService({ body: '{"specversion":', type: 'application/cloudevents+json' }));
		await refuse(400, 'malformed_request', 'POST', path, structured([fresh()]));
		for (const name of ['specversion', 'id', 'source', 'type']) {
			const { [name]: _, ...rest } = fresh();
			await refuseFields([`ce-${name}`], 'POST', path, binary(rest));
			await refuseFields([name], 'POST', path, structured(rest));
		}
		await refuseFields(['ce-specversion'], 'POST', path, binary(fresh({ specversion: '0.3' })));
		await refuseFields(['time'], 'POST', path, structured(fresh({ time: 'soon' })));
		await refuseFields(['ce-subject'], 'POST', path, binary(fresh({ subject: '%C0%A0' })));
		await refuse(413, 'body_too_large', 'POST', path, asService({ body: `{"data":"${'x'.repeat(1 << 20)}"}`, type: 'application/cloudevents+json' }));
	});

	test(`${path}: an event whose first try has died is taken up again`, async () => {
		const event = fresh();
		await call('POST', path, { ...binary(event), expect: 200 });
		const unanswered = (age) => run`UPDATE ops.idempotency SET status = NULL, body = NULL, headers = NULL,
		    created_at = now() - ${age}::interval WHERE user_id = -1 AND key = ${keyOf(path, event)}`;
		/* Or is still under way: 409 tells a broker to come again. */
		await unanswered('0 seconds');
		await refuse(409, 'request_in_progress', 'POST', path, binary(event));
		await unanswered('1 minute');
		const again = await call('POST', path, { ...binary(event), expect: 200 });
		assert.equal(again.headers['idempotent-replayed'], undefined);
		assert.equal((await call('POST', path, { ...binary(event), expect: 200 })).headers['idempotent-replayed'], 'true');
	});
}

test('64 KiB and more are taken, as the specification asks', async () => {
	const event = fresh({ data: 'x'.repeat(200 << 10) });
	await call('POST', '/internal/cron/idempotency-purge', { ...structured(event), expect: 200 });
});

test('the same event to another function is that one\'s own', async () => {
	const event = fresh();
	for (const path of ['/internal/cron/tokens-purge', '/internal/cron/idempotency-purge'])
		assert.equal((await call('POST', path, { ...binary(event), expect: 200 })).headers['idempotent-replayed'], undefined);
});

test('many deliveries of one event at once run it once', async () => {
	const event = fresh();
	const answers = await Promise.all(Array.from({ length: 8 }, () => call('POST', '/internal/cron/tokens-purge', binary(event))));
	assert.equal(answers.filter(({ status, headers }) => status === 200 && headers['idempotent-replayed'] === undefined).length, 1);
	for (const { status } of answers)
		assert.ok([200, 409].includes(status), `${status}`);
});

test('an event from nobody leaves nothing behind', async () => {
	const [path, event] = ['/internal/cron/tokens-purge', fresh()];
	await refuse(401, 'unauthenticated', 'POST', path, { ...binary(event), token: undefined });
	assert.equal(await isKnown(path, event), 0);
	await call('POST', path, { ...binary(event), expect: 200 });
	assert.equal(await isKnown(path, event), 1);
});

test('a body that is no event is no more than a call', async () => {
	for (const options of [{}, { json: {} }, { body: 'hello', type: 'text/plain' }])
		await call('POST', '/internal/cron/tokens-purge', asService({ ...options, expect: 200 }));
});
