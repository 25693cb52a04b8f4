/*
 * Jobs a second: the queue's own statements by pgbench, and mails written to
 * files by the stack's function.  And how soon somebody comes for a job, or a
 * saga, when nobody has anything else to do.
 *
 *   JOBS=5000    mails
 *   PICKUPS=30   of each kind
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { call } from '../lib/client.mjs';
import { always } from '../lib/invariants.mjs';
import { freshEmail } from '../lib/shop.mjs';
import { one, run, value } from '../lib/sql.mjs';
import { mainPid, processes } from '../lib/stack.mjs';
import { until } from '../lib/wait.mjs';
import { pgbench } from './load.mjs';
import { children, cpu, everybody } from './processes.mjs';
import { asked, sized } from './size.mjs';
import { environmentOf } from './stage.mjs';
import { placeStalled } from './stalled.mjs';
import { median, table } from './table.mjs';
import { signIn } from './turns.mjs';

const JOBS = asked('JOBS', 5000, 40);
const PICKUPS = asked('PICKUPS', 30, 2);
const SECONDS = sized(5, 1), QUEUED = sized(20000, 8000);
const say = (text) => console.error(`bench: ${text}`);
const left = (kind) => value`SELECT count(*) FROM ops.job WHERE kind = ${kind} AND state IN ('waiting', 'running')`;

/* As many as clients at once: each adds, or claims one and reports on it. */
async function queue(scripts, name, clients) {
	const { rate } = await pgbench(environmentOf('cron').DATABASE_URL, [join(scripts, name)], { clients, seconds: SECONDS });
	return rate;
}

async function queueAlone() {
	const scripts = mkdtempSync(join(tmpdir(), 'souk-bench.'));

	try {
		writeFileSync(join(scripts, 'add'), 'SELECT ops.job_add(\'bench\', \'{"order": 1, "template": "none"}\');\n');
		writeFileSync(join(scripts, 'take'), `SELECT id, epoch FROM ops.job_claim('{bench}', '{NULL}', 1, 'bench', 60) \\gset
SELECT ops.job_done(:id, :epoch);\n`);
		const lines = [];
		for (const clients of [1, 4]) {
			say(`the queue alone, ${clients} at once`);
			const added = await queue(scripts, 'add', clients);
			await run`SELECT ops.job_add('bench', '{"order": 1}') FROM generate_series(1, ${QUEUED}::integer)`;
			const taken = await queue(scripts, 'take', clients);
			if (await left('bench') === 0)
				throw new Error('the queue ran dry: raise QUEUED');
			await run`DELETE FROM ops.job WHERE kind = 'bench'`;
			lines.push([`pgbench, ${clients} at once`, added.toFixed(0), taken.toFixed(0)]);
		}
		return lines;
	} finally {
		rmSync(scripts, { recursive: true });
	}
}

async function mails(user) {
	const whose = () => [...processes('cron-jobs_run').map(({ pid }) => pid), mainPid('postgres'), ...children(mainPid('postgres'))];

	say(`${JOBS} mails`);
	await run`INSERT INTO ops.job (kind, payload, run_at)
	          SELECT 'mail', jsonb_build_object('template', 'password_changed', 'user', ${user}::bigint), now() + interval '1 day'
	            FROM generate_series(1, ${JOBS}::integer)`;
	const pids = whose();
	const before = { at: performance.now(), cpu: cpu(pids), all: everybody() };
	await run`UPDATE ops.job SET run_at = now() WHERE kind = 'mail' AND state = 'waiting'`;
	await until('all mails are written', async () => await left('mail') === 0, { seconds: 3600, every: 50 });
	const us = (performance.now() - before.at) * 1000;
	const spent = cpu([...new Set([...pids, ...whose()])]) - before.cpu;

	return { rate: JOBS / us * 1e6, others: (everybody() - before.all - spent) / us };
}

/* Milliseconds, by the database's clock. */
async function pickUps(what, once) {
	const each = [];

	say(`${PICKUPS} ${what}`);
	for (let i = 0; i < PICKUPS; i++) {
		await pause(200 + Math.random() * sized(2300, 0));
		each.push(await once());
	}
	each.sort((a, b) => a - b);
	return [what, median(each).toFixed(0), each[Math.ceil(each.length * 0.95) - 1].toFixed(0), each.at(-1).toFixed(0)];
}

/* A mail that somebody asks for by HTTP. */
async function pickUpJob() {
	const email = freshEmail('bench');

	await call('POST', '/api/auth/forgot-password', { json: { email }, expect: 202 });
	return until('the job is done', async () => {
		const job = await one`SELECT state, extract(epoch FROM finished_at - created_at) * 1000 AS ms
		                        FROM ops.job WHERE kind = 'mail' AND payload ->> 'email' = ${email}`;
		/* Done, it has no payload any more. */
		return job === undefined && value`SELECT extract(epoch FROM finished_at - created_at) * 1000 FROM ops.job
			WHERE kind = 'mail' ORDER BY id DESC LIMIT 1`;
	}, { every: 20 });
}

/* A saga whose lease is over now. */
async function pickUpSaga(order) {
	const rung = await value`SELECT clock_timestamp()::text`;

	await run`UPDATE orders.saga SET wake_at = now() WHERE order_id = ${order}`;
	return until('the saga goes on', () => value`
		SELECT extract(epoch FROM e.at - ${rung}::timestamptz) * 1000 FROM orders.saga_event e
		  JOIN orders.saga s ON s.id = e.saga_id
		 WHERE s.order_id = ${order} AND e.step = 'create_intent' AND e.what = 'done'`, { every: 20 });
}

const token = await signIn();
const { id: user } = (await call('GET', '/api/users/profile', { token, expect: 200 })).json;
const product = await value`SELECT id FROM catalog.product WHERE is_active ORDER BY id LIMIT 1`;
const alone = await queueAlone();
const { rate, others } = await mails(user);
const waiting = [
	await pickUps('of a job asked for by HTTP, done', pickUpJob),
	await placeStalled(PICKUPS, user, product).then((orders) =>
		pickUps('of a saga that is due, step done', () => pickUpSaga(orders.pop()))),
];
await always();

console.log(`\n${table([['jobs a second', 'added', 'claimed and done'], ...alone,
	['mails written to files by jobs-run', '', rate.toFixed(0)]])}`);
console.log(`Other work took ${Math.max(0, others).toFixed(2)} cores while mails were written.\n`);
console.log(table([['pick-up in ms, of an idle stack', 'p50', 'p95', 'most'], ...waiting]));
