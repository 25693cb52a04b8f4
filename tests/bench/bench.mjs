/*
 * Measures, in an order in which nothing disturbs what comes after it, and
 * prints two tables: what was measured, and what it means for the targets.
 *
 *   TURNS="order orderSql webhook webhookSql"  only their rates
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { call } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { mainPid, kill } from '../lib/stack.mjs';
import { until } from '../lib/wait.mjs';
import { execute, wrk } from './load.mjs';
import { platform, workers } from './processes.mjs';
import { compare, goRound, quieter } from './rounds.mjs';
import { quick, sized } from './size.mjs';
import { environmentOf, setStage } from './stage.mjs';
import { median, table } from './table.mjs';
import { prepareTurns, signIn } from './turns.mjs';

const ROUNDS = sized(7, 1);
const STARTS = sized(15, 1);
const TIMES = sized(3, 1);	/* of what is not in turns */
const repository = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
const build = resolve(repository, process.env.B ?? 'build');
const cores = availableParallelism();
const say = (text) => console.error(`bench: ${text}`);
const percent = (n) => `${(n * 100).toFixed(n < 0.1 ? 1 : 0)} %`;
const KINDS = ['gateway', 'function', 'redis', 'postgres', 'stripe'];

/* A worker dies every half second; who was being served by it loses. */
async function underKills(stage) {
	const SECONDS = sized(5, 2);
	let over = false;
	const load = wrk({ url: stage.url, path: '/bench/nothing' }, { seconds: SECONDS })
	    .finally(() => { over = true; });
	let kills = 0;

	for (await pause(500); !over && kills < SECONDS * 2 - 1; await pause(500)) {
		const [victim] = workers(stage.supervisor, 'bench-nothing');
		if (victim === undefined)
			continue;		/* both are being replaced */
		kill(victim);
		kills++;
	}
	return { kills, ...await load };
}

/* Fast requests of a function one of whose workers is always asleep. */
async function besideASlowOne(stage) {
	const slow = wrk({ url: stage.url, path: '/bench/sleep?ms=50' }, { connections: 1, seconds: sized(3, 2) });
	const fast = await wrk({ url: stage.url, path: '/bench/sleep' }, { connections: 8, seconds: sized(2, 1) });
	await slow;
	return fast;
}

/* The list, alone and while strangers try passwords as fast as they are
 * answered. */
async function besideAFlood(stage) {
	const list = () => wrk({ url: stage.url, path: '/api/products' }, { connections: 4, seconds: sized(2, 1) });
	const flood = { url: stage.url, method: 'POST', path: '/api/auth/login',
		headers: { 'Content-Type': 'application/json' },
		body: '{"email": "nobody@souk.example", "password": "Password123!"}' };
	const alone = await list();
	const flooding = wrk(flood, { connections: 16, seconds: sized(4, 2) });
	await pause(sized(1000, 200));
	const beside = await list();

	await flooding;
	/* Those still waiting are served before this one. */
	await fetch(`${stage.url}${flood.path}`, flood);
	return { alone, beside };
}

/* Milliseconds from exec to the end of the first answer, in the environment
 * that the supervisor gives. */
async function firstAnswers(binary, context, uri, variables = []) {
	const out = await execute(join(build, 'bench', 'first_answer'), [String(STARTS),
		join(need('SOUK_BIN'), binary), 'GET', uri, ...variables],
	    { env: { PATH: process.env.PATH, ...environmentOf(context) } });

	return out.trim().split('\n').map((us) => Number(us) / 1000);
}

/* The processes of an idle stack, once whatever may sleep does. */
async function idlePlatform(directory) {
	const pid = (service) => Number(readFileSync(join(directory, 'pid', service), 'utf8'));
	const asleep = () => readdirSync(join(directory, 'fn')).filter((name) => name.endsWith('.asleep')).length;

	await until('functions sleep', () => asleep() > 0, { seconds: 120 });
	for (let before = 0; before !== asleep(); await pause(sized(5000, 1500)))
		before = asleep();
	return platform(pid('gateway'), pid('functions'));
}

/* Seconds until a whole stack of its own is up: made new, and started again.
 * And what is left of it when nobody comes. */
async function wholeStarts() {
	const directory = mkdtempSync(join(tmpdir(), 'souk-bench-up.'));
	const { FN_SLEEP_S, ...rest } = process.env;
	const env = quick ? { ...rest, FN_SLEEP_S: '1' } : rest;
	const local = (command, ...args) => execute(join(repository, 'deploy', 'local', command),
	    ['--run', directory, ...args], { env: { ...env, QUIET: 'yes' } });
	const up = async () => {
		const begun = performance.now();
		await local('up', '--free-ports', '--profile', 'test',
		    '--bin', need('SOUK_BIN'), '--tools', need('SOUK_TOOLS'));
		return (performance.now() - begun) / 1000;
	};

	try {
		const fresh = await up();
		await local('down');
		return { fresh, again: await up(), idle: await idlePlatform(directory) };
	} finally {
		await local('down', '--wipe');
		rmSync(directory, { recursive: true, force: true });
	}
}

function ratesTable(turns, results) {
	const of = (name, other) => results[other] === undefined ? ''
	    : percent(compare(results[name], results[other]).median);
	const against = { uncached: 'listSql', order: 'orderSql', orderSimulated: 'orderSql',
		webhook: 'webhookSql' };
	const spent = (name, kind) => {
		const each = results[name].map((result) => result.spent[kind]).filter((us) => us !== undefined);
		return each.length === 0 ? '' : median(each).toFixed(0);
	};

	return table([
		['', 'a second', 'spread', 'of static', 'of nothing', 'of pgbench', ...KINDS],
		...Object.entries(turns).map(([name, { what }]) => {
			const all = quieter(results[name]).map(({ rate }) => rate);
			return [what, median(all).toFixed(0),
			    percent((Math.max(...all) - Math.min(...all)) / median(all)),
			    of(name, 'static'), of(name, 'nothing'), of(name, against[name]),
			    ...KINDS.map((kind) => spent(name, kind))];
		}),
	]);
}

const pssOf = (kinds) => kinds.reduce((sum, [, { pss }]) => sum + pss, 0) / 1024;

function memoryTable(idle, awake, used) {
	const mega = (kib) => (kib / 1024).toFixed(1);
	const total = (kinds) => kinds.reduce((sum, [, m]) => ({ processes: sum.processes + m.processes,
		rss: sum.rss + m.rss, pss: sum.pss + m.pss }), { processes: 0, rss: 0, pss: 0 });
	const row = (name, ...states) => [name, ...states.flatMap(({ processes, rss, pss }) => [processes, mega(rss), mega(pss)])];

	return table([
		['MB', 'processes', 'RSS', 'PSS', 'all awake', 'RSS', 'PSS', 'after load', 'RSS', 'PSS'],
		...idle.map(([name, a], i) => row(name, a, awake[i][1], used[i][1])),
		row('all', total(idle), total(awake), total(used)),
	]);
}

/* [what, target, measured, least to most, by CPU, met] */
function verdicts({ results, slow, floods, kills, healthy, ready, signedIn, starts, awake }) {
	const atLeast = (what, a, b, least, show = percent) => {
		const r = compare(results[a], results[b]);
		return [what, `>= ${show(least)}`, show(r.median), `${show(r.least)} to ${show(r.most)}`,
		    show(r.byCpu), r.median >= least];
	};
	const below = (what, limit, values, unit, digits = 1) => {
		const show = (n) => `${n.toFixed(digits)} ${unit}`;
		return [what, `< ${limit} ${unit}`, show(median(values)),
		    values.length > 1 ? `${show(Math.min(...values))} to ${show(Math.max(...values))}` : '',
		    '', median(values) < limit];
	};
	const times = (n) => `${n.toFixed(2)} x`;
	const both = (runs, which) => ['p50', 'p99'].map((of) =>
		(median(runs.map((run) => run[which][of])) / 1000).toFixed(1)).join(', ') + ' ms';

	return [
		atLeast('a function that does nothing, of stock libfcgi', 'quiet', 'stock', 1.2, times),
		atLeast('the same, with its log line', 'nothing', 'stock', 1.2, times),
		atLeast('product list, cached, of the same bytes from memory', 'cached', 'memory', 0.8),
		atLeast('POST order, of pgbench with as many clients as workers', 'order', 'orderSql', 0.6),
		atLeast('POST order, of pgbench with two', 'order', 'orderSqlFew', 0.6),
		atLeast('webhook, of pgbench with as many clients as workers', 'webhook', 'webhookSql', 0.6),
		below('p99 of fast requests beside one of 50 ms', 10, slow.map(({ p99 }) => p99 / 1000), 'ms'),
		['product list, nobody signing in: p50, p99', '', both(floods, 'alone'), '', '', undefined],
		['the same in a flood of sign-ins at cost 12: p50, p99', '', both(floods, 'beside'), '', '', undefined],
		below('its p99', 20, floods.map(({ beside }) => beside.p99 / 1000), 'ms'),
		['requests lost when a worker is killed twice a second', `<= ${kills.kills}`, String(kills.failed),
		    `of ${kills.requests}`, '', kills.failed <= kills.kills],
		below('exec to first answer, without Postgres', 10, healthy, 'ms'),
		below('exec to first answer, with Postgres', 20, ready, 'ms'),
		below('exec to first answer, with Postgres, Redis and a token', 20, signedIn, 'ms'),
		below('start of the whole stack', 10, [starts.again], 's'),
		below('start of the whole stack, made new', 10, [starts.fresh], 's'),
		below('PSS of the idle platform', 60, [pssOf(starts.idle)], 'MB'),
		['the same, everything awake', '', `${pssOf(awake).toFixed(1)} MB`, '', '', undefined],
	];
}

const verdict = (met) => met === undefined ? '' : met ? 'met' : 'NOT MET';

function reportRates(turns, results) {
	const others = Object.values(results).flatMap((each) => quieter(each).map(({ others }) => others));

	console.log(`\n${ROUNDS} rounds of turns of a second, 16 connections, ${cores} cores for everything.`
	    + ` Of each the quieter half counts: other work then took ${median(others).toFixed(2)} cores,`
	    + ` ${Math.max(...others).toFixed(2)} at most.`);
	console.log(`${KINDS.join(', ')}: microseconds of CPU a request.\n`);
	console.log(`${ratesTable(turns, results)}\n`);
}

function report(turns, { results, awake, used, ...measured }) {
	reportRates(turns, results);
	console.log(`${memoryTable(measured.starts.idle, awake, used)}\n`);
	console.log(table([['', 'target', 'measured', 'least to most', 'by CPU', ''],
		...verdicts({ results, awake, ...measured }).map((row) =>
		    [...row.slice(0, 5), verdict(row[5])])], [0, 5]));
}

async function measure(stage, awake) {
	const token = await signIn();
	const all = await prepareTurns(stage, token);
	const turns = Object.fromEntries(Object.entries(all)
	    .filter(([name]) => !process.env.TURNS || process.env.TURNS.split(' ').includes(name)));
	/* Where no figure matters it may be beside the others. */
	const early = quick && !process.env.TURNS ? wholeStarts() : undefined;
	const results = await goRound(turns, ROUNDS, say);

	if (process.env.TURNS)
		return reportRates(turns, results);
	const used = platform(mainPid('gateway'), mainPid('functions'));
	const slow = [];

	say('a slow request among fast ones');
	for (let i = 0; i < TIMES; i++)
		slow.push(await besideASlowOne(stage));
	say('a flood of sign-ins');
	const floods = [];
	for (let i = 0; i < TIMES; i++)
		floods.push(await besideAFlood(stage));
	say('killing workers');
	const kills = await underKills(stage);
	say('first answers');
	const healthy = await firstAnswers('users-profile', 'users', '/health');
	const ready = await firstAnswers('users-profile', 'users', '/ready');
	const signedIn = await firstAnswers('users-profile', 'users', '/api/users/profile',
	    [`HTTP_AUTHORIZATION=Bearer ${token}`]);
	say('starting whole stacks');
	report(turns, { results, awake, used, slow, floods, kills, healthy, ready, signedIn, starts: await (early ?? wholeStarts()) });
}

/* Nothing of the bench runs yet. */
const awake = platform(mainPid('gateway'), mainPid('functions'));
const list = await call('GET', '/api/products', { expect: 200 });

for (const signal of ['SIGINT', 'SIGTERM'])
	process.once(signal, () => process.exit(130));
const stage = await setStage(list.bytes);
try {
	await measure(stage, awake);
} finally {
	await stage.close();
}
