import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call } from '../../lib/client.mjs';
import { need } from '../../lib/env.mjs';

const PATHS = ['/internal/cron/saga-recover', '/internal/cron/reservations-expire'];
const run = (path, options) => call('POST', path, { token: need('SERVICE_TOKEN'), expect: 200, ...options });

test('a run says what it did', async () => {
	for (const path of PATHS) {
		const { json } = await run(path);
		assert.ok(Number.isSafeInteger(json.driven));
		assert.equal(json.sagas.length, json.driven);
	}
});

test('several at once are as good as one', async () => {
	for (const path of PATHS)
		await Promise.all(Array.from({ length: 6 }, () => run(path)));
});

test('what has not ended is counted', async () => {
	const { json } = await run('/internal/cron/backlog-measure');
	for (const name of ['sagas', 'stopped', 'overdue_s', 'jobs', 'dead_jobs'])
		assert.ok(Number.isSafeInteger(json[name]) && json[name] >= 0, name);
	await run('/internal/cron/backlog-measure', { json: { specversion: '1.0', id: '1', source: '/cron', type: 'dev.souk.tick' },
	    type: 'application/cloudevents+json' });
});
