/*
 * The migrator against a real Postgres: ADMIN_DATABASE_URL is a role that may
 * create databases, B the build directory.  Every test has a database and a
 * folder of its own.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const tool = path.resolve(root, process.env.B ?? 'build', 'tools/migrate');
const admin = process.env.ADMIN_DATABASE_URL;
assert.ok(admin, 'set ADMIN_DATABASE_URL to a Postgres where databases may be created');

/* Not by URL: libpq's URIs may lack a host, which URL does not accept. */
const inDatabase = (name) => admin.replace(
	/^(postgres(?:ql)?:\/\/[^/?]*)(?:\/[^?]*)?/, (_, server) => `${server}/${name}`);

function run(file, args, env = {}) {
	return new Promise((resolve) => {
		execFile(file, args, { env: { ...process.env, ...env } },
			(error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr }));
	});
}

async function psql(url, sql) {
	const { code, stdout, stderr } =
		await run('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-c', sql, url]);
	assert.equal(code, 0, stderr);
	return stdout.trim();
}

/* A database, a folder of migrations, and what a test does with them. */
async function fixture(t, files = {}) {
	const name = `migrate_test_${randomBytes(6).toString('hex')}`;
	const url = inDatabase(name);
	const dir = await mkdtemp(path.join(tmpdir(), 'migrate-'));
	await psql(admin, `CREATE DATABASE ${name}`);
	t.after(async () => {
		await psql(admin, `DROP DATABASE ${name} WITH (FORCE)`);
		await rm(dir, { recursive: true });
	});
	const it = {
		dir, url,
		write: (file, sql) => writeFile(path.join(dir, file), sql),
		remove: (file) => unlink(path.join(dir, file)),
		rename: (from, to) => rename(path.join(dir, from), path.join(dir, to)),
		migrate: (...args) => run(tool, ['--dir', dir, ...args], { DATABASE_URL: url }),
		start: () => spawn(tool, ['--dir', dir], { env: { ...process.env, DATABASE_URL: url } }),
		sql: (sql) => psql(url, sql),
		applied: () => psql(url, "SELECT coalesce(string_agg(name, ' ' ORDER BY applied_at), '')"
			+ ' FROM public.schema_migration'),
	};
	for (const [file, sql] of Object.entries(files))
		await it.write(file, sql);
	return it;
}

async function until(what, condition) {
	for (const end = Date.now() + 20_000; Date.now() < end;)
		if (await condition())
			return;
	assert.fail(`timed out waiting until ${what}`);
}

/* A session that holds an advisory lock until it is told to let go. */
async function hold(url, key) {
	const session = spawn('psql', ['-XAtq', url], { stdio: ['pipe', 'pipe', 'inherit'] });
	const ended = new Promise((resolve) => { session.on('close', resolve); });
	session.stdin.write(`SELECT 'held' FROM pg_advisory_lock(${key});\n`);
	await new Promise((resolve) => { session.stdout.once('data', resolve); });
	return async () => {
		session.stdin.end();
		await ended;
	};
}

const waiters = (it, count) => until(`${count} sessions wait for a lock`, async () => await it.sql(
	"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
	+ ' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())')
	=== String(count));

const finished = (child) => new Promise((resolve) => {
	let output = '';
	child.stdout.on('data', (data) => { output += data; });
	child.stderr.on('data', (data) => { output += data; });
	child.on('close', (code, signal) => resolve({ code, signal, output }));
});

const three = {
	'001_one.sql': 'CREATE TABLE one (id int PRIMARY KEY);\n',
	'002_two.sql': 'ALTER TABLE one ADD two int;\nINSERT INTO one VALUES (1, 2);\n',
	'003_three.sql': 'ALTER TABLE one RENAME two TO three;\n',
};

test('applies the files in order, with a record and a line for each', async (t) => {
	const it = await fixture(t, { ...three, 'roles.sql': 'not SQL', 'README': 'nor this' });
	const { code, stdout, stderr } = await it.migrate();

	assert.equal(code, 0, stderr);
	assert.match(stdout, /^001_one\.sql applied in \d+ ms\n002_two\.sql .*\n003_three\.sql .*\n$/);
	assert.equal(await it.applied(), '001_one.sql 002_two.sql 003_three.sql');
	assert.equal(await it.sql('SELECT three FROM one'), '2');
	assert.equal(await it.sql("SELECT bool_and(sha256 ~ '^[0-9a-f]{64}$' AND ms >= 0)"
		+ ' FROM public.schema_migration'), 't');
});

test('does nothing the second time, and only what is new the third', async (t) => {
	const it = await fixture(t, three);

	await it.migrate();
	/* The server may still be at the end of the session before. */
	const waited = /^waiting for another migrator\n/;
	const again = await it.migrate();
	assert.deepEqual([again.code, again.stdout.replace(waited, '')], [0, 'up to date, 3 migrations\n']);
	await it.write('004_four.sql', 'INSERT INTO one VALUES (2, 3);');
	const more = await it.migrate();
	assert.equal(more.code, 0);
	assert.match(more.stdout.replace(waited, ''), /^004_four\.sql applied in \d+ ms\n$/);
	assert.equal(await it.sql('SELECT count(*) FROM one'), '2');
});

test('two at once take turns, and each file runs once', async (t) => {
	const it = await fixture(t, three);
	const release = await hold(it.url, '7310586229451347');
	const both = [it.start(), it.start()].map(finished);

	await waiters(it, 2);
	await release();
	const results = await Promise.all(both);
	for (const { code, output } of results) {
		assert.equal(code, 0, output);
		assert.match(output, /^waiting for another migrator\n/);
	}
	assert.equal(results.filter(({ output }) => output.includes('up to date')).length, 1);
	assert.equal(await it.applied(), '001_one.sql 002_two.sql 003_three.sql');
	assert.equal(await it.sql('SELECT count(*) FROM one'), '1');
});

test('a migrator that is killed leaves nothing of its file behind', async (t) => {
	const it = await fixture(t, { '001_slow.sql':
		'CREATE TABLE half ();\nSELECT pg_advisory_xact_lock(7);\nCREATE TABLE whole ();\n' });
	const release = await hold(it.url, '7');
	const child = it.start();
	const death = finished(child);

	await waiters(it, 1);
	child.kill('SIGKILL');
	assert.equal((await death).signal, 'SIGKILL');
	await release();
	const { code, stdout } = await it.migrate();
	assert.equal(code, 0);
	assert.match(stdout, /001_slow\.sql applied/);
	assert.equal(await it.sql('SELECT count(*) FROM public.schema_migration'), '1');
});

test('refuses a file that was changed after it was applied', async (t) => {
	const it = await fixture(t, three);

	await it.migrate();
	await it.write('002_two.sql', three['002_two.sql'] + '-- only a comment\n');
	await it.write('004_four.sql', 'CREATE TABLE four ();');
	const { code, stderr } = await it.migrate();
	assert.equal(code, 1);
	assert.match(stderr, /^migrate: \S*\/002_two\.sql: was changed after it was applied;.*\n$/);
	assert.equal(await it.sql("SELECT to_regclass('four') IS NULL"), 't');
	assert.equal((await it.migrate('--status')).code, 1);
});

test('refuses when an applied file is gone or renamed', async (t) => {
	const it = await fixture(t, three);

	await it.migrate();
	await it.rename('003_three.sql', '003_drei.sql');
	const renamed = await it.migrate();
	assert.equal(renamed.code, 1);
	assert.match(renamed.stderr, /003_three\.sql: was applied and is missing now/);
	await it.remove('003_drei.sql');
	assert.equal((await it.migrate()).code, 1);
});

test('a failing file leaves nothing behind, and those before it stay', async (t) => {
	const it = await fixture(t, { ...three,
		'002_two.sql': '-- ‹characters› of several bytes\nCREATE TABLE kept_not ();\n\n'
			+ "SELECT ';' AS \"a;b\", $x$ ; $x$; /* ; */\nSELECT nonsense\n  FROM nowhere;\n" });
	const { code, stdout, stderr } = await it.migrate();

	assert.equal(code, 1);
	assert.match(stdout, /^001_one\.sql applied/);
	assert.match(stderr, /002_two\.sql:6: ERROR: {2}relation "nowhere" does not exist/);
	assert.equal(await it.applied(), '001_one.sql');
	assert.equal(await it.sql("SELECT to_regclass('kept_not') IS NULL"), 't');
	await it.write('002_two.sql', three['002_two.sql']);
	assert.equal((await it.migrate()).code, 0, 'a file that never ran may be mended');
});

test('an error of execution is put on the line of its statement', async (t) => {
	const it = await fixture(t, { '001_one.sql':
		"CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n\tRETURN 1;\nEND $$;\n"
		+ "SELECT E'\\';', f();\n\n-- ; a comment\nSELECT\n\t1 / (f() - 1);\nSELECT 2;\n" });
	const { code, stderr } = await it.migrate();

	assert.equal(code, 1);
	assert.match(stderr, /001_one\.sql:8: ERROR: {2}division by zero/);
});

test('an error that waits for the commit leaves nothing either', async (t) => {
	const it = await fixture(t, { '001_one.sql':
		'CREATE TABLE a (id int PRIMARY KEY, b int REFERENCES a DEFERRABLE INITIALLY DEFERRED);\n'
		+ 'INSERT INTO a VALUES (1, 2);\n' });
	const { code, stderr } = await it.migrate();

	assert.equal(code, 1);
	assert.match(stderr, /001_one\.sql: .*foreign key/);
	assert.equal(await it.applied(), '');
	assert.equal(await it.sql("SELECT to_regclass('a') IS NULL"), 't');
});

for (const command of ['COMMIT', 'ROLLBACK', 'BEGIN', 'START TRANSACTION', 'end']) {
	test(`refuses ${command} in a migration`, async (t) => {
		const it = await fixture(t, { '001_one.sql':
			`CREATE TABLE one ();\n/* of its own */ ${command};\n` });
		const { code, stderr } = await it.migrate();

		assert.equal(code, 1);
		assert.match(stderr, /001_one\.sql/);
		assert.match(stderr, /transaction/);
		assert.equal(await it.sql("SELECT to_regclass('one') IS NULL"), 't');
	});
}

test('the bodies of functions may say BEGIN and END', async (t) => {
	const it = await fixture(t, { '001_one.sql':
		'CREATE FUNCTION a() RETURNS int LANGUAGE sql BEGIN ATOMIC\n\tSELECT 1;\n\tSELECT 2;\nEND;\n'
		+ 'CREATE PROCEDURE b() LANGUAGE plpgsql AS $b$ BEGIN\nCOMMIT;\nEND; $b$;\n' });
	const { code, stderr } = await it.migrate();

	assert.equal(code, 0, stderr);
	assert.equal(await it.sql('SELECT a()'), '2');
});

test('COPY FROM stdin fails instead of waiting for input', async (t) => {
	const it = await fixture(t, { '001_one.sql': 'CREATE TABLE one (i int);\nCOPY one FROM stdin;\n' });
	const { code, stderr } = await it.migrate();

	assert.equal(code, 1);
	assert.match(stderr, /001_one\.sql:2: .*no input to copy from/);
});

test('what one file sets does not reach the next', async (t) => {
	const it = await fixture(t, {
		'001_one.sql': "CREATE SCHEMA aside; SET search_path = aside; SET lock_timeout = '1h';\n",
		'002_two.sql': "CREATE TABLE two AS SELECT current_setting('lock_timeout') AS timeout;\n" });
	const { code, stderr } = await it.migrate();

	assert.equal(code, 0, stderr);
	assert.equal(await it.sql('SELECT timeout FROM public.two'), '10s');
});

for (const [what, files, message] of [
	['a gap', ['001_a.sql', '003_c.sql'], /003_c\.sql: number 002 is missing before it/],
	['a missing first', ['002_b.sql'], /002_b\.sql: number 001 is missing before it/],
	['a series without its tail', ['001_a.sql', '091_b.sql'], /091_b\.sql: number 002 is missing/],
	['a number twice', ['001_a.sql', '001_b.sql'], /001_b\.sql: number 001 is taken by 001_a\.sql/],
	['a short number', ['1_a.sql'], /1_a\.sql: a migration is named like/],
	['a name without a word', ['001.sql'], /001\.sql: a migration is named like/],
]) {
	test(`refuses ${what} before touching the database`, async (t) => {
		const it = await fixture(t, Object.fromEntries(files.map((file) => [file, 'SELECT 1;'])));
		const { code, stdout, stderr } = await it.migrate();

		assert.equal(code, 1);
		assert.equal(stdout, '');
		assert.match(stderr, message);
		assert.equal(await it.sql("SELECT to_regclass('public.schema_migration') IS NULL"), 't');
	});
}

test('a multiple of ten may open a series of its own', async (t) => {
	const it = await fixture(t, { ...three, '090_aside.sql': 'CREATE TABLE aside ();' });

	assert.equal((await it.migrate()).code, 0);
	await it.write('004_four.sql', 'CREATE TABLE four ();');
	const { code, stdout } = await it.migrate();
	assert.equal(code, 0);
	assert.match(stdout, /^004_four\.sql applied/);
});

test('refuses a number whose successor has been applied', async (t) => {
	const it = await fixture(t, three);

	await it.migrate();
	await it.sql('DELETE FROM public.schema_migration WHERE version = 2');
	const { code, stderr } = await it.migrate();
	assert.equal(code, 1);
	assert.match(stderr, /002_two\.sql: comes before 003_three\.sql, which is applied already/);
});

test('--status tells what is pending and changes nothing', async (t) => {
	const it = await fixture(t, three);
	const before = await it.migrate('--status');

	assert.equal(before.code, 3);
	assert.match(before.stdout, /^001_one\.sql +pending\n002_two\.sql +pending\n003_three\.sql +pending\n$/);
	assert.equal(await it.sql("SELECT to_regclass('public.schema_migration') IS NULL"), 't');
	await it.migrate();
	const after = await it.migrate('--status');
	assert.equal(after.code, 0);
	assert.match(after.stdout, /^(\S+ +\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ in \d+ ms\n){3}$/);
});

test('says what to do when called wrongly', async (t) => {
	const it = await fixture(t);
	const empty = await it.migrate();

	assert.equal(empty.code, 2);
	assert.match(empty.stderr, /no migrations in it; name the folder/);
	await it.write('001_one.sql', 'SELECT 1;');
	const noUrl = await run(tool, ['--dir', it.dir], { DATABASE_URL: '' });
	assert.equal(noUrl.code, 2);
	assert.match(noUrl.stderr, /^migrate: set DATABASE_URL .*\n$/);
	assert.equal((await run(tool, ['--dir', path.join(it.dir, 'nowhere')])).code, 2);
	assert.equal((await run(tool, ['--nonsense'])).code, 2);
	const away = await run(tool, ['--dir', it.dir],
		{ DATABASE_URL: `postgresql://me:geheim@/souk?host=${it.dir}` });
	assert.equal(away.code, 1);
	assert.match(away.stderr, /^migrate: the database: .+\n$/);
	assert.doesNotMatch(away.stderr, /geheim/);
});
