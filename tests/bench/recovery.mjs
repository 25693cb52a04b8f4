/*
 * Sagas whose drivers all died at once: how long until each is where it should
 * be, with the stack's own cron functions and the simulator.
 *
 *   SAGAS=10000
 *
 * Twice: orders without their intents are given them; then their time is up,
 * when half of them turn out to be paid, and half are undone.
 */
import { call } from '../lib/client.mjs';
import { always } from '../lib/invariants.mjs';
import { rows, run, value } from '../lib/sql.mjs';
import { mainPid, processes } from '../lib/stack.mjs';
import { confirm } from '../lib/simulator.mjs';
import { clearFaults, fault } from '../lib/faults.mjs';
import { parallel, until } from '../lib/wait.mjs';
import { children, cpu, everybody } from './processes.mjs';
import { asked } from './size.mjs';
import { placeStalled } from './stalled.mjs';
import { table } from './table.mjs';
import { signIn } from './turns.mjs';

const SAGAS = asked('SAGAS', 10000, 40);
const say = (text) => console.error(`bench: ${text}`);
const pidsOf = (name) => processes(name).map(({ pid }) => pid);
const whose = {
	sweepers: () => [...pidsOf('cron-saga_recover'), ...pidsOf('cron-reservations_expire')],
	postgres: () => [mainPid('postgres'), ...children(mainPid('postgres'))],
	stripe: () => pidsOf('stripe-sim'),
};
const kinds = Object.keys(whose);

/* Runs until no saga is due; what it took, and whose CPU. */
async function sweep(what, at) {
	const use = (known = {}) => {
		const pids = Object.fromEntries(kinds.map((kind) => [kind, [...new Set([...known[kind] ?? [], ...whose[kind]()])]]));
		return { pids, all: everybody(), cpu: kinds.map((kind) => cpu(pids[kind])) };
	};
	const before = use();
	const begun = performance.now();

	say(`${what}: ${SAGAS}`);
	await run`UPDATE orders.saga SET wake_at = now(), deadline = CASE WHEN ${at} = 'waiting' THEN now() ELSE deadline END
	           WHERE state = ${at} AND order_id BETWEEN ${first} AND ${last}`;
	await until('every saga has been driven', async () => 0 === await value`
		SELECT count(*) FROM orders.saga WHERE state IN (${at}, 'compensating')
		   AND order_id BETWEEN ${first} AND ${last}`, { seconds: 3600, every: 100 });
	const seconds = (performance.now() - begun) / 1000;
	const after = use(before.pids);
	const spent = kinds.map((_, i) => Math.max(0, after.cpu[i] - before.cpu[i]));
	const others = (after.all - before.all - spent.reduce((sum, us) => sum + us, 0)) / 1e6 / seconds;

	return [what, seconds.toFixed(1), (SAGAS / seconds).toFixed(0), others.toFixed(2),
	    ...spent.map((us) => (us / SAGAS).toFixed(0))];
}

const token = await signIn();
const { id: user } = (await call('GET', '/api/users/profile', { token, expect: 200 })).json;
const product = await value`SELECT id FROM catalog.product WHERE is_active ORDER BY id LIMIT 1`;

say(`placing ${SAGAS} orders`);
const ids = await placeStalled(SAGAS, user, product);
const first = ids[0], last = ids.at(-1);
const lines = [await sweep('placed, and nothing asked of Stripe yet', 'running')];
/* Nobody looks at them meanwhile. */
await run`UPDATE orders.saga SET wake_at = now() + interval '1 day'
           WHERE state = 'waiting' AND order_id BETWEEN ${first} AND ${last}`;

say(`paying ${SAGAS / 2}`);
await fault('webhook_drop');
const intents = await rows`SELECT stripe_payment_intent_id AS id FROM payments.payment WHERE order_id BETWEEN ${first} AND ${last}`;
await parallel(8, intents.slice(0, SAGAS / 2).map(({ id }) => () => confirm(id)));
lines.push(await sweep('time is up, half are paid', 'waiting'));
await clearFaults();

const outcomes = await rows`SELECT status, count(*) AS n FROM orders.orders WHERE id BETWEEN ${first} AND ${last} GROUP BY 1 ORDER BY 1`;
await always();
console.log(`\nRecovery of ${SAGAS} stalled sagas: ${outcomes.map(({ status, n }) => `${n} ${status}`).join(', ')} in the end.`
    + ' Microseconds of CPU a saga.\n');
console.log(table([['', 'seconds', 'sagas a second', 'cores others took', ...kinds], ...lines]));
