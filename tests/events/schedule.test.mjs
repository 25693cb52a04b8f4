/*
 * A schedule that is run for a while from outside, as a Kubernetes CronJob does:
 * BINARY --for SECONDS.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { execute, start } from '../lib/execute.mjs';
import { newKey } from '../lib/shop.mjs';
import { addEvents, told, trial } from '../lib/sink.mjs';
import { run, value } from '../lib/sql.mjs';
import { until } from '../lib/wait.mjs';

const PURGE = 'cron-idempotency_purge';

test('what is due is run, and the time is kept', async () => {
	const key = newKey();
	await run`INSERT INTO ops.idempotency (user_id, key, fingerprint, status, body, created_at)
	    VALUES (0, ${key}, 'x', 201, '{}', now() - interval '25 hours')`;
	const { code, stdout } = await execute(PURGE, ['--for', '1']);
	assert.equal(code, 0, stdout);
	assert.equal(await value`SELECT count(*) FROM ops.idempotency WHERE key = ${key}`, 0);
});

trial('what comes in the meantime is run too, and SIGTERM is a good end', async (sink) => {
	await addEvents('trial/1', 'first');
	const relay = start('cron-events_relay', ['--for', '600'], { env: { K_SINK: sink.url } });
	await until('the first has arrived', () => told(sink, 'trial/1').length === 1);
	await addEvents('trial/1', 'second');
	await until('the second has arrived', () => told(sink, 'trial/1').length === 2);
	relay.child.kill('SIGTERM');
	assert.equal((await relay.ended).code, 0);
});

test('a last run that failed is told', async () => {
	const nobody = { DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/souk?connect_timeout=2' };
	assert.equal((await execute(PURGE, ['--for', '1'], { env: nobody })).code, 1);
});

test('whoever has no schedule, or says no time, is told how it is', async () => {
	for (const [name, ...args] of [['orders-get', '--for', '1'], [PURGE, '--for', '0'], [PURGE, '--for', '1s'],
		[PURGE, '--for', '-1'], [PURGE, '--for', ''], [PURGE, '--for', '99999999999999999999'], [PURGE, '--for']])
		assert.equal((await execute(name, args)).code, 2, [name, ...args].join(' '));
});
