/*
 * What goes wrong.  An injection is counted when it has happened: a process has
 * died at its point, Stripe has lost an answer, a webhook was dropped.
 */
import { readdirSync, readFileSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { exchange, newAddress } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { rows, run, value } from '../lib/sql.mjs';
import {
	arm, faultDir, gone, kill, mainPid, master, redis, signal,
	skewClocks, startFunctions, startGateway, startPostgres, startRedis, workers,
} from '../lib/stack.mjs';
import { until } from '../lib/wait.mjs';
import { signature, now } from '../lib/webhook.mjs';
import { tenaciously } from './clients.mjs';
import { Tally } from './random.mjs';

/* Who has a part in an order's way. */
const FUNCTIONS = ['orders-place', 'orders-get', 'payments-webhook', 'payments-create_intent', 'payments-status',
    'cron-saga_recover', 'cron-reservations_expire', 'cron-jobs_run', 'stripe-sim'];
const MOST_ARMED = 10;
const ARMED_MS = 3000;
const MOST_FAULTS = 4;	/* at once, of calls and of webhooks */
const HOUR_S = 3600;

const quietly = async (act) => {
	try {
		return await act();
	} catch (error) {
		/* What is dead does not answer; others will. */
		return undefined;
	}
};

export class Harm {
	constructor(chance, points) {
		Object.assign(this, { chance, points });
		this.done = new Tally();	/* by kind */
		this.hit = new Map(points.map((point) => [point, 0]));
		this.armed = new Map();	/* point -> since when; the oldest first */
		this.stopped = new Set();
		this.faults = new Map();	/* the simulator's switches that are set: id -> kind */
		this.skewed = false;
		this.over = false;
		this.directory = faultDir();
		this.functions = FUNCTIONS.concat(readdirSync(need('SOUK_BIN')).filter((name) =>
		    /^orders-(cancel|status|tracking)|^payments-(refund)|^cron-(payments_reconcile|events_relay)/.test(name)));
	}

	get sum() {
		return this.done.sum;
	}

	get missed() {
		return this.points.filter((point) => this.hit.get(point) === 0);
	}

	/* ---- Places to die at. */

	/* The one that was hit least, of a few; where too many are armed, instead of
	 * the one that nobody has passed for longest. */
	armPoint(how) {
		const { chance } = this;
		if (this.armed.size >= MOST_ARMED + this.missed.length) {
			const [oldest, since] = this.armed.entries().next().value;
			if (Date.now() - since < ARMED_MS)
				return;
			this.armed.delete(oldest);
			rmSync(join(this.directory, oldest), { force: true });
		}
		const free = this.points.filter((point) => !this.armed.has(point));
		const few = Array.from({ length: 4 }, () => chance.one(free));
		const point = few.reduce((best, next) => this.hit.get(next) < this.hit.get(best) ? next : best);
		this.armed.set(point, Date.now());
		arm(point, how);
	}

	/* Who was hit?  <point>.<pid> tells. */
	async collect() {
		for (const name of readdirSync(this.directory)) {
			const [, point, pid] = /^(.+)\.(\d+)$/.exec(name) ?? [];
			if (!this.hit.has(point))
				continue;
			const how = readFileSync(join(this.directory, name), 'utf8');
			unlinkSync(join(this.directory, name));
			this.armed.delete(point);
			this.hit.set(point, this.hit.get(point) + 1);
			if (how === '9') {
				this.done.add('killed at a point');
			} else {
				this.done.add('stopped at a point');
				this.hold(Number(pid));
			}
		}
	}

	/* One that stands still: meanwhile its lease ends, and the world changes. */
	async hold(pid) {
		const { chance } = this;
		this.stopped.add(pid);
		await pause(chance.between(50, 400));
		await quietly(() => this[chance.one(['loseLeases', 'loseLeases', 'terminate', 'flush'])]());
		await pause(chance.between(50, 1200));
		this.stopped.delete(pid);
		signal(pid, 'SIGCONT');
	}

	/* ---- Processes, at any time. */

	/* False: there was nobody. */
	killWorker() {
		const pids = workers(this.chance.one(this.functions));
		if (pids.length === 0)
			return false;
		kill(this.chance.one(pids));
	}

	killMaster() {
		const pid = master(this.chance.one(this.functions));
		if (pid === undefined)
			return false;
		kill(pid);
	}

	async killGateway() {
		const pid = mainPid('gateway');
		kill(pid);
		await gone(pid);
		await tenaciously('lighttpd starts', startGateway);
	}

	async killSupervisor() {
		const pid = mainPid('functions');
		kill(pid);
		await gone(pid);
		await tenaciously('the supervisor starts', startFunctions);
	}

	/* Its files stay as they were: what was not flushed is lost. */
	async killPostgres() {
		const pid = mainPid('postgres');
		kill(pid);
		await gone(pid);
		await tenaciously('Postgres starts', startPostgres);
	}

	async killBackend() {
		const pid = await value`SELECT pid FROM pg_stat_activity
		                         WHERE usename ~ '^souk_(orders|payments|cron)$' ORDER BY random() LIMIT 1`;
		if (pid === undefined)
			return false;
		kill(pid);
		await gone(pid);
		await until('Postgres has recovered', () => value`SELECT 1`, { seconds: 60 });
	}

	terminate() {
		return value`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		              WHERE usename ~ '^souk_' AND usename <> 'souk_super' AND random() < 0.5`;
	}

	async killRedis() {
		const pid = mainPid('redis');
		kill(pid);
		await gone(pid);
		await tenaciously('Redis starts', startRedis);
	}

	async stopRedis() {
		const pid = mainPid('redis');
		signal(pid, 'SIGSTOP');
		try {
			await pause(this.chance.between(200, 1500));
		} finally {
			signal(pid, 'SIGCONT');
		}
	}

	flush() {
		return redis('FLUSHALL');
	}

	/* A worker sleeps wherever it is. */
	stopWorker() {
		const pids = workers(this.chance.one(this.functions));
		if (pids.length === 0)
			return false;
		const pid = this.chance.one(pids);
		signal(pid, 'SIGSTOP');
		this.hold(pid);
	}

	/* ---- Leases, clocks and crowds. */

	/* Whoever is at work has been for too long. */
	loseLeases() {
		return run`UPDATE orders.saga SET wake_at = now() WHERE wake_at > now() AND owner IS NOT NULL`;
	}

	async race() {
		const names = Array.from({ length: this.chance.between(4, 10) }, () =>
			this.chance.one(['saga-recover', 'saga-recover', 'reservations-expire', 'jobs-run', 'payments-reconcile']));
		await Promise.all(names.map((name) => this.cron(name)));
	}

	cron(name) {
		return quietly(() => exchange(need('SOUK_URL'), 'POST', `/internal/cron/${name}`, {
			address: newAddress(), body: '', timeout: 70000,
			headers: { Authorization: `Bearer ${need('SERVICE_TOKEN')}` },
		}));
	}

	skew() {
		this.skewed = !this.skewed;
		skewClocks(this.skewed ? this.chance.one([HOUR_S, 200, 24 * HOUR_S]) : 0);
	}

	async loseMail() {
		const mail = join(need('SOUK_RUN'), 'mail');
		renameSync(mail, `${mail}-away`);
		try {
			await pause(this.chance.between(200, 1500));
		} finally {
			renameSync(`${mail}-away`, mail);
		}
	}

	/* ---- Stripe. */

	async fault(kind, ms, path = null) {
		const ofWebhooks = (name) => name.startsWith('webhook');
		if ([...this.faults.values()].filter((name) => ofWebhooks(name) === ofWebhooks(kind)).length >= MOST_FAULTS)
			return;
		const { id } = await value`SELECT stripe_sim.set_fault(${kind}, NULL, ${path}, NULL, NULL, ${ms}, NULL, 1)`;
		this.faults.set(id, kind);
	}

	stripeFault() {
		const { chance } = this;
		const kind = chance.weighted({ rate_limit: 2, error_before: 2, error_after: 4, drop: 4, delay: 1, stall: 1 });
		return this.fault(kind, chance.between(...kind === 'stall' ? [1000, 2200] : [20, 400]),
		    chance.one(['/v1/', '/v1/', '/v1/payment_intents', '/v1/refunds']));
	}

	webhookFault() {
		const { chance } = this;
		const kind = chance.one(['webhook_drop', 'webhook_duplicate', 'webhook_delay', 'webhook_reorder']);
		return this.fault(kind, chance.between(0, 3000));
	}

	/* Which switches were used up? */
	async countFaults() {
		if (this.faults.size === 0)
			return;
		const left = new Set((await rows`SELECT id FROM stripe_sim.fault`).map(({ id }) => id));
		for (const [id, kind] of this.faults)
			if (!left.has(id)) {
				this.faults.delete(id);
				this.done.add(`Stripe: ${kind.replace('_', ' ')}`);
			}
	}

	/* An old event, some times at once; or one that somebody forged. */
	async redeliver() {
		const { chance } = this;
		const body = await value`
			SELECT stripe_sim.event_json(e)::text FROM stripe_sim.event e
			 WHERE e.type ~ '^(payment_intent|charge|refund)' ORDER BY e.seq DESC
			OFFSET ${chance.below(chance.is(0.9) ? 20 : 300)} LIMIT 1`;
		if (body === undefined)
			return;
		const send = (header) => quietly(() => exchange(need('SOUK_URL'), 'POST', '/api/payments/webhook', {
			address: newAddress(), body, headers: { 'Content-Type': 'application/json', 'Stripe-Signature': header },
		}));
		if (chance.is(0.2)) {
			const wrong = chance.is(0.5) ? signature(body, { secret: 'whsec_stranger' }) : signature(body, { time: now() - 3 * HOUR_S });
			const answer = await send(wrong);
			if (!this.skewed && answer?.status === 200)
				throw new Error('V18 an event that is forged or stale was taken');
			this.done.add('webhook: forged or stale');
			return;
		}
		const answers = await Promise.all(Array.from({ length: chance.between(1, 3) }, () => send(signature(body))));
		this.done.add('webhook: delivered again', answers.length);
	}

	/* ---- All of it. */

	/* Those that do not count are counted where they take effect. */
	light = {
		'kill at a point': { weight: 45, act: () => this.armPoint('SIGKILL'), counts: false },
		'stop at a point': { weight: 8, act: () => this.armPoint('SIGSTOP'), counts: false },
		'killed: a worker': { weight: 6, act: () => this.killWorker() },
		'killed: a master': { weight: 2, act: () => this.killMaster() },
		'stopped: a worker': { weight: 2, act: () => this.stopWorker() },
		'all leases lost': { weight: 3, act: () => this.loseLeases() },
		'clocks set': { weight: 0.6, act: () => this.skew() },
		'Stripe': { weight: 26, act: () => this.stripeFault(), counts: false },
		'webhooks': { weight: 18, act: () => this.webhookFault(), counts: false },
	};

	/* What takes its time, beside those. */
	heavy = {
		'FLUSHALL': { weight: 30, act: () => this.flush() },
		'connections terminated': { weight: 15, act: () => this.terminate() },
		'orchestrators race': { weight: 30, act: () => this.race() },
		'redelivery': { weight: 60, act: () => this.redeliver(), counts: false },
		'killed: lighttpd': { weight: 3, act: () => this.killGateway() },
		'killed: the supervisor': { weight: 1, act: () => this.killSupervisor() },
		'killed: Postgres': { weight: 3, act: () => this.killPostgres() },
		'killed: a backend of Postgres': { weight: 3, act: () => this.killBackend() },
		'killed: Redis': { weight: 4, act: () => this.killRedis() },
		'stopped: Redis': { weight: 3, act: () => this.stopRedis() },
		'no room for mails': { weight: 14, act: () => this.loseMail() },
	};

	/* Until `done()`, one after the other. */
	async inflict(kinds, most, done) {
		const weights = Object.fromEntries(Object.entries(kinds).map(([name, { weight }]) => [name, weight]));
		while (!done()) {
			const name = this.chance.weighted(weights);
			const { act, counts = true } = kinds[name];
			try {
				if (await act() !== false && counts)
					this.done.add(name);
			} catch (error) {
				/* Postgres was away just then. */
				if (/^V\d/.test(error.message))
					throw error;
			}
			await pause(this.chance.between(5, most));
		}
	}

	/* So close that they meet. */
	rage(done) {
		return Promise.all([this.inflict(this.light, 90, done), this.inflict(this.heavy, 400, done)]);
	}

	/* Beside it: who was hit, and what was used up. */
	async watch(done) {
		for (let round = 0; !done(); round++) {
			await this.collect();
			if (round % 10 === 0)
				await quietly(() => this.countFaults());
			await pause(25);
		}
	}

	/* No more of it, and everything that stands still goes on. */
	async end() {
		await this.collect();
		await tenaciously('the switches are counted', () => this.countFaults());
		await tenaciously('the switches are off', () => run`DELETE FROM stripe_sim.fault`);
		for (const name of readdirSync(this.directory))
			rmSync(join(this.directory, name), { force: true });
		await until('everybody goes on', () => this.stopped.size === 0);
		for (const name of this.functions)
			signal([master(name) ?? [], workers(name)].flat(), 'SIGCONT');
	}
}
