/*
 * The saga in a terminal, from the stack that runs.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { need } from '../../lib/env.mjs';
import { operator, REASON, SAGAS, stop, stuckRefund, waiting } from '../../lib/operator.mjs';
import { pay } from '../../lib/shop.mjs';
import { run } from '../../lib/sql.mjs';

const PROGRAM = fileURLToPath(new URL('../../../deploy/local/saga', import.meta.url));
const saga = async (...args) => {
	const { stdout } = await promisify(execFile)(PROGRAM, ['--run', need('SOUK_RUN'), ...args.map(String)]);
	/* Fits a terminal, and leaves it alone. */
	for (const line of stdout.split('\n'))
		assert.ok([...line].length <= 80, `${[...line].length} columns: ${line}`);
	assert.doesNotMatch(stdout, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
	return stdout;
};
const failure = (...args) => saga(...args).then(() => assert.fail('it succeeded'), ({ code, stderr }) => `${code} ${stderr}`);

test('a paid order is told from its beginning to its end', async () => {
	const { buyer, placed, saga: { id } } = await waiting();
	await pay(buyer, placed);
	const told = await saga(id);

	assert.match(told, new RegExp(`^saga ${id}: order, done at await_payment\n`));
	assert.match(told, new RegExp(`^  order +${placed.id} of user ${buyer.id}: paid, payment succeeded, ${placed.total_amount} USD$`, 'm'));
	assert.match(told, /^ +waits for +nothing: it has ended$/m);
	const places = ['pending: Order placed', 'reserve_stock done', `create_intent done: ${placed.payment.paymentIntentId}`,
		'payment_intent.succeeded: paid', 'await_payment done'].map((part) => told.indexOf(part));
	assert.ok(places.every((place) => place > 0), told);
	assert.deepEqual(places, [...places].sort((a, b) => a - b), told);
	assert.equal(await saga('--order', placed.id).then((again) => again.split('\n')[0]), told.split('\n')[0]);
});

test('an order is told with all its sagas', async () => {
	const story = await waiting();
	const refund = await stuckRefund(story);
	const told = await saga('--order', story.placed.id);
	for (const head of [`saga ${story.saga.id}: order, waiting at await_payment`, `saga ${refund.saga.id}: refund, dead at refund_payment`])
		assert.ok(told.includes(head), told);
	assert.match(told, /^ {2}waits for +an operator$/m);
	assert.ok(told.includes(`may        retry, skip: POST ${SAGAS}/${refund.saga.id}/...`), told);
});

test('tries that were alike are one line; long texts are folded, and move no cursor', async () => {
	const { saga: { id, seq } } = await waiting();
	const boss = await operator();
	await run`INSERT INTO orders.saga_event (saga_id, seq, epoch, step, what, detail)
	          SELECT ${id}, ${seq} + n, 1, 'await_payment', 'retry', '503: Stripe is away' FROM generate_series(1, 40) n;
	          UPDATE orders.saga SET seq = seq + 40 WHERE id = ${id}`;
	await boss.call('POST', `${SAGAS}/${id}/retry`, { expect: 200,
	    json: { reason: `A bell \u0007, a colour \u001b[31m, a line\n, ${'and much more of it '.repeat(10)} é 市場` } });
	const told = await saga(id);
	const unfolded = told.replaceAll(/\s+/g, ' ');
	assert.match(told, /await_payment retry ×40: 503: Stripe is away/);
	assert.equal(told.match(/503: Stripe is away/g).length, 1);
	assert.match(unfolded, /A bell , a colour \[31m, a line , and much more/);
	assert.ok(unfolded.includes(`é 市場 (by user ${boss.id})`), told);
});

test('those that have not ended are listed, the stuck ones first', async () => {
	const [stuck] = [await waiting(), await waiting()];
	await stop(stuck.saga.id);
	const told = (await saga('--list')).split('\n');
	const row = told.findIndex((line) => line.startsWith(`${String(stuck.saga.id).padStart(8)} `));
	assert.ok(row > 0, told.join('\n'));
	assert.match(told[row], new RegExp(`^ +${stuck.saga.id} +${stuck.placed.id} +order +dead +await_payment +\\d+ s +operator$`));
	assert.match(told[row + 1], /nobody knows$/);
	const states = told.slice(1).map((line) => /^ *\d+ +\d+ +\w+ +(\w+)/.exec(line)?.[1]).filter(Boolean);
	assert.ok(states.lastIndexOf('dead') < states.indexOf('waiting') || !states.includes('waiting'), states.join());
	await (await operator()).call('POST', `${SAGAS}/${stuck.saga.id}/compensate`, { json: REASON, expect: 200 });
});

test('what is not there, and what is no number, is told so', async () => {
	assert.match(await failure(999999999), /^1 saga: there is no saga 999999999\n$/);
	assert.match(await failure('--order', 999999999), /^1 saga: there is no order 999999999\n$/);
	for (const args of [[], ['--order', '1; DROP'], ['1x'], ['--nosuch']])
		assert.match(await failure(...args), /^1 saga: /);
});
