/*
 * make backup, make restore and the archive of what is written: from the stack
 * under test into empty ones.
 */
import assert from 'node:assert/strict';
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { need } from '../lib/env.mjs';
import { commands, program, repository } from '../lib/monitoring.mjs';
import { run, value } from '../lib/sql.mjs';
import { shell, startFunctions, startPostgres, stopFunctions, stopPostgres } from '../lib/stack.mjs';
import { Story } from '../lib/story.mjs';
import { parallel, until } from '../lib/wait.mjs';
import { contents, shape } from './contents.mjs';

const SOURCE = need('SOUK_RUN');
/* Where Postgres's user gets to, and short enough for sockets. */
const scratch = mkdtempSync(`${SOURCE}-b`);
chmodSync(scratch, 0o711);
const made = [];
const kept = join(scratch, 'kept');
const archive = join(scratch, 'archive');
const programs = ['--bin', need('SOUK_BIN'), '--tools', need('SOUK_TOOLS')];
let told = 0;

const backup = (...args) => program('deploy/backup/backup', ['--run', SOURCE, ...args]);
const restore = (target, from, ...args) => program('deploy/backup/restore', ['--run', target, '--from', from, ...args]);
const up = (target, env = {}) => program('deploy/local/up', ['--run', target, '--free-ports', '--profile', 'test', ...programs],
    { env: { ...process.env, ...env } });
const fails = (pattern, promise) => assert.rejects(promise, pattern);
const url = (target, database = 'souk') => `postgresql://souk_super@/${database}?host=${target}/pgsock`;

function emptyStack() {
	const target = join(scratch, `r${++told}`);
	made.push(target);
	return target;
}

/* As the programs of the tests are told of a stack. */
function environmentOf(target) {
	const { PORT, SIM_PORT } = Object.fromEntries(readFileSync(join(target, 'stack.env'), 'utf8').trim().split('\n')
	    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
	return { ...process.env, SOUK_RUN: target, SOUK_URL: `http://127.0.0.1:${PORT}`, SIM_URL: `http://127.0.0.1:${SIM_PORT}`,
		REDIS_SOCKET: join(target, 'redis', 'redis.sock'), ADMIN_DATABASE_URL: url(target) };
}

/* Everybody stands still, but Postgres. */
async function still(work) {
	await stopFunctions();
	try {
		return await work();
	} finally {
		await startFunctions();
	}
}

async function paidOrder(story) {
	const { id } = await story.place();
	await story.pay(id);
	await story.until(id, 'paid');
	return id;
}

/* Row by row: what is there and not only how much.  What is written ahead of a
 * sequence are up to 32 of its numbers, which a recovery takes for used. */
async function sameAs(target, before, { fetched = 0 } = {}) {
	const next = ([row]) => Number(row.split(' ')[0]);
	await shell('start_postgres; wait_for 30 postgres postgres_answers', target);
	const { held, tables, sequences } = await contents(url(target));

	assert.deepEqual(tables, before.tables);
	assert.deepEqual(sequences, before.sequences);
	assert.ok(tables.length > 40 && sequences.length > 20, `${tables.length} tables, ${sequences.length} sequences`);
	for (const [name, rows] of before.held)
		if (fetched > 0 && sequences.includes(name))
			assert.ok(next(held.get(name)) >= next(rows) && next(held.get(name)) <= next(rows) + fetched, `${name}: ${held.get(name)} after ${rows}`);
		else
			assert.deepEqual(held.get(name), rows, name);
	assert.deepEqual(await shape(url(target)), before.shape);
}

const everything = async () => ({ ...await contents(url(SOURCE)), shape: await shape(url(SOURCE)) });

const trade = (target, what) => program(process.execPath, [join(repository, 'tests/backup/trade.mjs')],
    { env: { ...environmentOf(target), TRADE: JSON.stringify(what) } });

let story, first, before;

test.before(async () => {
	story = await Story.begin({ stock: 1000 });
	first = await paidOrder(story);
	await story.buyer.call('POST', `/api/products/${story.goods.id}/reviews`, { json: { rating: 5, title: 'Bright', comment: 'And warm' } });
	await story.place();		/* one that waits to be paid */
});

test.after(async () => {
	for (const target of made.filter((path) => existsSync(join(path, '.lock'))))
		await program('deploy/local/down', ['--run', target, '--wipe']);
	rmSync(scratch, { recursive: true, force: true });
});

test('a backup is read by its owner alone, and says what is in it', async () => {
	before = await still(async () => {
		const told = await backup('--to', kept);
		assert.match(told, /keys\.tar in it can sign in anybody/);
		return everything();
	});
	assert.deepEqual(readdirSync(kept).sort(), ['SHA256SUMS', 'backup.env', 'database.dump', 'keys.tar', 'pictures.tar']);
	for (const name of ['', ...readdirSync(kept)])
		assert.equal(statSync(join(kept, name)).mode & 0o077, 0, name);
	const keys = await program('tar', ['-tf', join(kept, 'keys.tar')]);
	assert.match(keys, /^env\/secrets$/m);
	assert.match(keys, /^keys\/private\/\w+\.pem$/m);
});

test('restored into an empty stack, every row is there, and the shop goes on', async () => {
	const target = emptyStack();

	assert.match(await restore(target, kept), /\d+ tables, as of .*make run starts it/s);
	await sameAs(target, before);
	await up(target);
	await trade(target, { token: story.buyer.token, refreshToken: story.buyer.refreshToken, orders: [first], gone: [] });
	assert.deepEqual(readdirSync(join(target, 'media', 'demo')).sort(), readdirSync(join(SOURCE, 'media', 'demo')).sort());

	await fails(/is not empty, and nothing is written over/, restore(target, kept));
	assert.equal(await program('deploy/local/status', ['--run', target]).then(() => 'up'), 'up', 'the refusal left it alone');
	await program('deploy/local/down', ['--run', target, '--wipe']);
});

test('taken while people buy it is of one instant', async () => {
	const target = emptyStack();
	const moving = join(scratch, 'moving');
	let over = false;
	let bought = 0;
	const busy = parallel(4, Array.from({ length: 4 }, () => async () => {
		for (; !over; bought++)
			await paidOrder(story);
	}));

	try {
		await until('they buy', () => bought > 4);
		assert.match(await backup('--to', moving, '--without-keys'), /without keys/);
	} finally {
		over = true;
		await busy;
	}
	assert.ok(!existsSync(join(moving, 'keys.tar')));
	assert.match(await restore(target, moving), /with new keys/);
	await shell('start_postgres; wait_for 30 postgres postgres_answers', target);
	await program(process.execPath, ['--input-type=module', '-e', 'await (await import("./tests/lib/invariants.mjs")).always()'],
	    { env: { ...process.env, SOUK_RUN: target, ADMIN_DATABASE_URL: url(target) } });
	assert.notEqual(readFileSync(join(target, 'env/secrets'), 'utf8'), readFileSync(join(SOURCE, 'env/secrets'), 'utf8'));
	await program('deploy/local/down', ['--run', target, '--wipe']);
});

test('what cannot be done is said, and changes nothing', async () => {
	const target = emptyStack();
	const altered = async (name, change) => {
		const copy = join(scratch, name);
		cpSync(kept, copy, { recursive: true });
		await change(copy);
		return copy;
	};
	const reseal = (copy) => program('bash', ['-c', 'cd "$0" && sha256sum $(ls | grep -v SHA256SUMS) >SHA256SUMS', copy]);

	await fails(/there is no directory/, restore(target, join(scratch, 'nowhere')));
	await fails(/is not a backup/, restore(target, join(repository, 'schema')));
	await fails(/is of one time/, restore(target, kept, '--at', '2026-11-26 12:00Z'));
	await fails(/is damaged or not all there/, restore(target, await altered('damaged', (copy) => {
		const file = join(copy, 'database.dump');
		const bytes = readFileSync(file);
		bytes[bytes.length >> 1] ^= 1;
		writeFileSync(file, bytes);
	})));
	await fails(/is damaged or not all there/, restore(target, await altered('lacking', (copy) => rmSync(join(copy, 'database.dump')))));
	await fails(/is of a newer souk/, restore(target, await altered('newer', (copy) => {
		const file = join(copy, 'backup.env');
		writeFileSync(file, readFileSync(file, 'utf8').replace(/^MIGRATION=.*$/m, 'MIGRATION=999'));
		return reseal(copy);
	})));
	assert.ok(!existsSync(target), 'nothing was begun');
	/* Whole by its sums, and yet no dump: what was begun is taken away again. */
	await fails(/pg_restore failed[\s\S]*is as empty as before/, restore(target, await altered('no-dump', (copy) => {
		writeFileSync(join(copy, 'database.dump'), 'PGDMP no more');
		return reseal(copy);
	})));
	assert.ok(!existsSync(join(target, 'pg')) && !existsSync(join(target, 'env/secrets')));
	await fails(/is there already/, backup('--to', kept));
	await fails(/is of use only with an archive/, backup('--base'));
	await fails(/no stack in/, program('deploy/backup/backup', ['--run', emptyStack()]));
	await stopPostgres();
	await fails(/Postgres of .* does not answer/, backup());
	await startPostgres();
});

test('from an archive, the shop as it was at a time between', async () => {
	const target = emptyStack();
	let then;

	const archives = (mode) => until(`archive_mode is ${mode}`, async () => await value`SELECT current_setting('archive_mode')` === mode);

	await up(SOURCE, { WAL_ARCHIVE: archive });
	await archives('on');
	await backup('--base');
	const earlier = await paidOrder(story);
	const between = await still(async () => {
		then = await value`SELECT clock_timestamp()`;
		return everything();
	});
	const later = await paidOrder(story);
	const segment = await value`SELECT pg_walfile_name(pg_switch_wal())`;
	await until(`${segment} is archived`, () => existsSync(join(archive, 'wal', `${segment}.gz`)), { seconds: 60 });

	await restore(target, archive, '--at', then);
	await sameAs(target, between, { fetched: 32 });
	await up(target);
	await trade(target, { token: story.buyer.token, refreshToken: story.buyer.refreshToken, orders: [first, earlier], gone: [later] });
	await program('deploy/local/down', ['--run', target, '--wipe']);

	/* Without a time, to its end. */
	await restore(target, archive);
	await shell('start_postgres; wait_for 30 postgres postgres_answers', target);
	assert.equal(await program('psql', ['-XqAt', url(target), '-c', `SELECT status FROM orders.orders WHERE id = ${later}`]), 'paid\n');
	await program('deploy/local/down', ['--run', target, '--wipe']);

	/* As the README has it: what only an older base needs, goes. */
	await backup('--base');
	const [oldest, newer] = readdirSync(join(archive, 'base')).sort();
	const [cleanup] = commands(readFileSync(join(repository, 'deploy/backup/README.md'), 'utf8'));
	const files = () => readdirSync(join(archive, 'wal')).length;
	const had = files();
	rmSync(join(archive, 'base', oldest), { recursive: true });
	await program('bash', ['-euc', cleanup.replace('/srv/souk-wal', archive)]);
	assert.ok(files() < had, `${had} before, ${files()} now`);
	assert.ok(newer !== undefined);
	await restore(target, archive);
	await program('deploy/local/down', ['--run', target, '--wipe']);

	const base = join(archive, 'base', readdirSync(join(archive, 'base'))[0]);
	await fails(/nothing before that can be had/, restore(target, archive, '--at', '2026-01-01 12:00Z'));
	await fails(/is yet to come/, restore(target, archive, '--at', 'tomorrow'));
	await fails(/what time is that/, restore(target, archive, '--at', 'noonish'));
	await fails(/is one base of an archive/, restore(target, base));
	await run`SELECT pg_switch_wal()`;
	await still(async () => {
		/* Nothing was committed after it, so that nobody can tell. */
		const end = await value`SELECT clock_timestamp()`;
		await fails(/the archive ends before/, restore(target, archive, '--at', end));
	});
	assert.ok(!existsSync(join(target, 'pg')), 'as empty as before');

	/* Another cluster's archive is not written into. */
	await fails(/is of another cluster/, up(emptyStack(), { WAL_ARCHIVE: archive }));
	await up(SOURCE, { WAL_ARCHIVE: 'none' });
	await archives('off');
});
