/*
 * About a minute of chaos: every fault point is hit, nothing is lost.  More of
 * it is `make chaos N=10000`.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { chaos, tell } from './chaos.mjs';

test('everything dies, again and again: no order, no money and no goods are lost', async (t) => {
	const report = await chaos({ n: 250, minutes: 7, seed: Number(process.env.SEED ?? randomInt(2 ** 31)) });

	for (const line of tell(report).split('\n'))
		t.diagnostic(line);
	assert.deepEqual(report.violations, [], `seed ${report.seed}`);
	assert.deepEqual(report.missed, [], `seed ${report.seed}: every fault point is hit`);
});
