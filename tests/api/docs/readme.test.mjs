/*
 * The README's tour is run as it stands, and prints what it says it prints.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { need } from '../../lib/env.mjs';

/* Ids, and what others have bought meanwhile, may differ. */
const settle = (text) => text.replace(/"(id|stock_quantity)":\d+/g, '"$1":0').trim();

function tour() {
	const readme = readFileSync('README.md', 'utf8');
	const lines = readme.split('## A tour')[1].split('\n## ')[0].split('\n')
		.filter((line) => line.startsWith('    ')).map((line) => line.slice(4));
	const steps = [];

	for (const line of lines) {
		if (line.startsWith('$ '))
			steps.push({ command: line.slice(2), told: [] });
		else
			steps.at(-1).told.push(line);
	}
	return steps;
}

test('the tour of the README prints what it says', () => {
	const steps = tour();
	assert.ok(steps.length >= 8, 'the tour has its steps');
	steps[0].command = `SHOP='${need('SOUK_URL')}' SIM='${need('SIM_URL')}' JSON='Content-Type: application/json'`;

	/* A reader takes longer to the next line than the webhook does. */
	const paid = `for try in {1..100}; do [[ $(curl -s $SHOP/api/orders/$(jq .id <<<"$ORDER") \
		-H "Authorization: Bearer $TOKEN") == *'"paid"'* ]] && break; sleep 0.1; done`;
	const script = steps.map(({ command }) =>
		`echo '@@'\n${command}\n${command.includes('/confirm') ? paid : ''}`).join('\n');
	const out = execFileSync('bash', ['-eu', '-o', 'pipefail', '-c', script], { encoding: 'utf8' });

	const printed = out.split('@@\n').slice(1);
	for (const [i, { command, told }] of steps.entries())
		assert.equal(settle(printed[i]), settle(told.join('\n')), command);
});
