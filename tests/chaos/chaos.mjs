/*
 * Chaos: many buy while everything dies, then all is let settle, and what came
 * of it is held against every invariant and against Stripe's own books.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { need } from '../lib/env.mjs';
import { allSettled, always } from '../lib/invariants.mjs';
import { one, raw, rows, run, value } from '../lib/sql.mjs';
import { Shoppers, tenaciously } from './clients.mjs';
import { Harm } from './harm.mjs';
import { points } from './points.mjs';
import { Chance, Tally } from './random.mjs';
import { Sink } from './sink.mjs';

const WIDTH = 32;
const seconds = (since) => (Date.now() - since) / 1000;

/* Backoffs and the leases of the dead are waited for by nobody. */
async function hurry(share) {
	await run`UPDATE orders.saga SET wake_at = now()
	           WHERE wake_at > now() AND wake_at < now() + interval '1 hour' AND random() < ${share} AND CASE
	                 WHEN owner IS NOT NULL THEN wake_at < now() + interval '16 s'
	                 WHEN state = 'waiting' THEN random() < 0.3
	                 ELSE true END`;
	await run`UPDATE ops.job SET run_at = now()
	           WHERE run_at > now() AND random() < ${share} AND (state = 'waiting' OR run_at < now() + interval '56 s')`;
	await run`UPDATE ops.event SET due_at = now() WHERE due_at > now() AND random() < ${share}`;
	/* So many mails in an hour are enough for people, not for chaos. */
	await run`DELETE FROM users.email_token WHERE created_at < now() - interval '2 s'`;
	await run`UPDATE ops.idempotency SET created_at = now() - interval '1 minute'
	           WHERE status IS NULL AND created_at < now() - interval '2 s' AND created_at > now() - interval '50 s'`;
	await run`UPDATE payments.walk SET held_until = '-infinity' WHERE held_until > now() AND held_until < now() + interval '58 s'`;
	await run`UPDATE stripe_sim.webhook_endpoint SET leased_until = '-infinity'
	           WHERE leased_until > now() AND leased_until < now() + interval '3 s'`;
	await run`UPDATE stripe_sim.delivery SET due_at = now() WHERE due_at > now() + interval '3 s' AND random() < ${share}`;
}

/* The invariants that hold at every instant; Postgres may be away. */
const holdAlways = () => tenaciously('ALWAYS', always);

async function inspect(report, done) {
	for (let took = 0; !done(); ) {
		/* At most a tenth of the time. */
		await pause(Math.max(3000, 10 * took));
		const began = Date.now();
		try {
			await holdAlways();
			report.inspections++;
		} catch (error) {
			const told = `during chaos: ${error.message}`;
			if (!report.violations.includes(told)) {
				report.violations.push(told);
				console.error(`VIOLATION ${told}`);
			}
		}
		took = Date.now() - began;
	}
}

async function repeat(done, every, act) {
	while (!done()) {
		try {
			await act();
		} catch {
			/* Postgres is away; later, then. */
		}
		await pause(every);
	}
}

/* What is not over yet, as a sentence; null when all is. */
async function unsettled() {
	const left = await one`
		SELECT (SELECT count(*) FROM orders.saga WHERE wake_at IS NOT NULL) AS sagas,
		       (SELECT count(*) FROM ops.job WHERE run_at IS NOT NULL) AS jobs,
		       (SELECT count(*) FROM ops.event WHERE state = 'waiting') AS events,
		       (SELECT count(*) FROM stripe_sim.delivery WHERE due_at IS NOT NULL) AS webhooks,
		       (SELECT count(*) FROM stripe_sim.later) AS later`;
	return Object.values(left).some((n) => n > 0) ? JSON.stringify(left) : null;
}

/* Stripe's dashboard: "resend" what never arrived. */
const resend = () => run`
	UPDATE stripe_sim.delivery d SET due_at = now() FROM stripe_sim.event e
	 WHERE e.id = d.event AND NOT d.delivered AND d.due_at IS NULL`;

/*
 * Every alarm rings now, whoever has not paid by now does not, and the cron
 * functions do the rest.  Bounded: what has not come to rest by then is stuck.
 */
async function settle(harm, bound) {
	const began = Date.now();
	let last;

	await tenaciously('what was lost is sent again', resend);
	for (;;) {
		await tenaciously('nobody pays any more', () => run`
			UPDATE orders.saga SET deadline = now(), wake_at = now()
			 WHERE state = 'waiting' AND deadline > now() AND wake_at < now() + interval '1 hour'`);
		await tenaciously('alarms ring', () => hurry(1));
		await Promise.all(['saga-recover', 'saga-recover', 'reservations-expire', 'reservations-expire', 'jobs-run', 'payments-reconcile']
		    .map((name) => harm.cron(name)));
		last = await tenaciously('is it over?', unsettled);
		if (last === null)
			return { settled: seconds(began) };
		if (seconds(began) > bound)
			return { settled: null, last };
		await pause(100);
	}
}

/* What was promised to those who bought. */
async function keptPromises({ orders }) {
	const kept = new Map((await rows`
		SELECT o.id, o.user_id, o.status, k.key FROM orders.orders o
		  LEFT JOIN ops.idempotency k ON k.reference = o.id::text AND k.user_id = o.user_id`).map((row) => [row.id, row]));
	const broken = [];

	for (const { id, who, key, plan, ends } of orders.values()) {
		const found = kept.get(id);
		if (found === undefined || found.key !== key || found.user_id !== who.id)
			broken.push(`V17 order ${id} was promised: ${JSON.stringify(found)}`);
		else if (!ends.includes(found.status))
			broken.push(`order ${id} (${plan}) must be ${ends.join(' or ')}, and is ${found.status}`);
	}
	return broken;
}

async function outcomes() {
	const found = new Tally();
	for (const { name, n } of await rows`
		SELECT status AS name, count(*) AS n FROM orders.orders GROUP BY 1
		UNION ALL SELECT 'sagas ' || state || ' (' || kind || ')', count(*) FROM orders.saga GROUP BY 1
		UNION ALL SELECT 'events ' || outcome, count(*) FROM payments.webhook_event
		           WHERE type = 'payment_intent.succeeded' GROUP BY 1
		UNION ALL SELECT 'jobs ' || state, count(*) FROM ops.job GROUP BY 1`)
		found.set(name, n);
	return found;
}

async function noted(violations, what, act) {
	try {
		await act();
	} catch (error) {
		violations.push(`${what}: ${error.message}`);
	}
}

async function reckon(report, { shopping, shoppers, harm, sink, patience }) {
	const { violations } = report;
	let closed = false;
	/* Those who are in the shop finish what they came for. */
	const hurrying = repeat(() => closed, 200, () => hurry(0.4));
	let over = false;
	const relaying = sink.relay(() => over);
	/* What was to wake them may have been lost with Redis: half a minute, else. */
	const recovering = repeat(() => closed, 500, () => harm.cron('saga-recover'));

	await shopping;
	closed = true;
	await Promise.all([hurrying, recovering]);
	const { settled, last } = await settle(harm, patience / 2 + shoppers.orders.size / 20);
	over = true;
	await relaying;
	report.settled = settled;
	if (settled === null)
		violations.push(`V4 stuck: ${last}`);
	await noted(violations, 'settled', () => allSettled(shoppers.strangers));
	await noted(violations, 'promises', async () => violations.push(...await keptPromises(shoppers)));
	await noted(violations, 'events', async () => violations.push(...await sink.broken()));
}

/*
 * At least n injections and, if all, each point hit; or as many as there is
 * time for.  Ends early after so many violations; patience, in seconds, is that
 * of a client for an answer, and half that of the reckoning.  strangers: of earlier
 * runs beside the same stack.
 */
export async function chaos({ n, seed, minutes = 10 + n / 60, all = true, most = 20, patience = 240, strangers }) {
	const chance = new Chance(seed);
	const shoppers = new Shoppers(new Chance(seed + 1), { patience, strangers });
	const harm = new Harm(chance, points());
	const sink = new Sink(new Chance(seed + 2));
	const report = { seed, violations: shoppers.violations, inspections: 0 };
	const began = Date.now();
	let told = Date.now();

	await shoppers.open();
	await sink.open();
	const enough = () => (harm.sum >= n && (!all || harm.missed.length === 0)) || seconds(began) > minutes * 60
	    || report.violations.length >= most;
	const done = () => {
		if (seconds(told) > 15) {
			told = Date.now();
			console.error(`# ${seconds(began).toFixed(0)} s: ${harm.sum} injections, ${shoppers.orders.size} orders,`
			    + ` ${report.violations.length} violations; points not hit: ${harm.missed.slice(0, 3).join(' ')}`
			    + (harm.missed.length > 3 ? ` and ${harm.missed.length - 3} more` : ''));
		}
		return enough();
	};
	let left = false;
	const shopping = shoppers.throng(WIDTH, done);
	const beside = [harm.watch(() => left), inspect(report, () => left), sink.waver(() => left),
	    sink.relay(() => left), repeat(() => left, 200, () => hurry(0.4)),
	    repeat(() => left, 400, () => harm.cron('payments-reconcile'))];	/* it comes by once a minute */
	await noted(report.violations, 'harm', () => harm.rage(done));
	report.raged = seconds(began);
	left = true;
	await Promise.all(beside);
	await harm.end();
	report.settled = null;
	/* Of what is broken like that, the rest is no news. */
	if (report.violations.length < most)
		await reckon(report, { shopping, shoppers, harm, sink, patience });
	await sink.close();
	return Object.assign(report, {
		injections: harm.sum, kinds: harm.done, hit: harm.hit, missed: all ? harm.missed : [],
		orders: await value`SELECT count(*) FROM orders.orders`, outcomes: await outcomes(),
		plans: shoppers.plans, answers: shoppers.answers, stories: await stories(report.violations),
	});
}

/* All that is known of an order, for whoever has to find out. */
async function story(id) {
	const told = await rows`
		SELECT at, what FROM (
			SELECT e.at, concat_ws(' ', 'saga', s.id, s.kind, 'epoch', e.epoch, e.step, e.what, e.detail) AS what
			  FROM orders.saga_event e JOIN orders.saga s ON s.id = e.saga_id WHERE s.order_id = ${id}
			UNION ALL SELECT created_at, concat_ws(' ', 'order', new_status, notes) FROM orders.history WHERE order_id = ${id}
			UNION ALL SELECT at, concat_ws(' ', 'ledger', kind, amount, stripe_id) FROM payments.ledger WHERE order_id = ${id}
			UNION ALL SELECT received_at, concat_ws(' ', 'webhook', type, object_id, outcome)
			  FROM payments.webhook_event WHERE order_id = ${id}
			UNION ALL SELECT created_at, concat_ws(' ', 'Stripe', type, data -> 'object' ->> 'id', 'for', idempotency_key)
			  FROM stripe_sim.event WHERE data -> 'object' -> 'metadata' ->> 'order_id' = ${String(id)}) t
		 ORDER BY at`;
	return [`Order ${id}:`, ...told.map(({ at, what }) => `  ${at.slice(11, 23)}  ${what}`)].join('\n');
}

async function stories(violations) {
	const ids = new Set(violations.flatMap((what) => [...what.matchAll(/\border(?:_id)?:? (?:\{\"id\":)?(\d+)/g)].map(([, id]) => id)));
	return Promise.all([...ids].slice(0, 5).map(story));
}

const table = (title, tally) => [title, ...[...tally].sort(([a], [b]) => String(a).localeCompare(String(b)))
    .map(([name, n]) => `  ${String(n).padStart(7)}  ${name}`)].join('\n');

export function tell(report) {
	return [
		table('Injections by kind', report.kinds),
		table('By fault point', report.hit),
		table('What they came for', report.plans),
		table('Answers, by status', report.answers),
		table('What came of it', report.outcomes),
		...report.stories,
		...report.violations.map((what) => `VIOLATION ${what}`),
		...report.missed.map((point) => `NOT HIT ${point}`),
		`seed ${report.seed}: ${report.injections} injections in ${report.raged.toFixed(0)} s over ${report.orders} orders, `
		    + `${report.inspections} inspections meanwhile, ${report.violations.length} violations, `
		    + `settled in ${report.settled === null ? 'NEVER' : `${report.settled.toFixed(1)} s`}`,
	].join('\n');
}

export const bad = (report) => report.violations.length > 0 || report.missed.length > 0;
