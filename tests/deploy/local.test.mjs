/* What installs, builds and derives, on machines that are not like this one. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { need } from '../lib/env.mjs';
import { value } from '../lib/sql.mjs';
import { root } from './kubectl.mjs';

const scratch = mkdtempSync(path.join(tmpdir(), 'souk-local-'));
after(() => rmSync(scratch, { recursive: true }));

/* In German an underscore counts for nothing where names are sorted, in Turkish the
 * capital of i is not I. */
const locales = ['de_DE', 'tr_TR'];
mkdirSync(path.join(scratch, 'locales'));
for (const name of locales)
	execFileSync('localedef', ['-i', name, '-f', 'UTF-8', path.join(scratch, 'locales', `${name}.UTF-8`)]);
const inLocale = (name) => ({ ...process.env, LOCPATH: path.join(scratch, 'locales'), LC_ALL: `${name}.UTF-8` });
const bash = (env, script, ...args) => execFileSync('bash', ['-euo', 'pipefail', '-c', script, 'bash', ...args], { cwd: root, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

test('the locales are what they are here for', () => {
	assert.equal(bash(inLocale('de_DE'), "printf '%s\\n' saga.c saga_b sagab | sort | tr '\\n' ' '"), 'saga_b sagab saga.c ');
	assert.equal(bash(inLocale('tr_TR'), 'name=sim; echo "${name^^}"'), 'SİM\n');
});

test('what is compiled is linked in the same order in every locale', () => {
	const order = (name) => execFileSync('make', ['-s', '--eval', 'show:;@echo $(RUNTIME) $(SHARED) $(ENDPOINTS)', 'show'],
		{ cwd: root, env: { ...inLocale(name), MAKEFLAGS: '' }, encoding: 'utf8' }).trim().split(' ');
	for (const name of locales)
		assert.deepEqual(order(name), order('C'), name);
	assert.ok(order('C').length > 100);
});

test('what is derived is the same in every locale', () => {
	const folder = path.join(scratch, 'derived');
	const files = bash(inLocale('de_DE'), 'gateway-conf/derive/render "$@"', need('API_JSON'), folder).trim().split('\n');
	assert.ok(files.length > 100);
	for (const file of files)
		assert.equal(readFileSync(path.join(folder, file), 'utf8'), readFileSync(path.join(root, file), 'utf8'), file);
});

test('passwords have the same names in every locale', () => {
	for (const name of locales) {
		assert.match(bash(inLocale(name), `. deploy/local/lib.sh; . deploy/local/settings.sh
			RUN=/run; SECRETS[SOUK_STRIPE_SIM_PASSWORD]=mint; database_url stripe_sim`), /^postgresql:\/\/souk_stripe_sim:mint@/);
		assert.match(bash(inLocale(name), 'knative/secrets --trial postgres pooler'), /SOUK_STRIPE_SIM_PASSWORD/);
	}
});

/* systemd-logind removes what its user has in /dev/shm when he logs out. */
test('Postgres keeps nothing in /dev/shm', async () => {
	assert.equal(await value`SELECT current_setting('dynamic_shared_memory_type')`, 'mmap');
});

/* A machine on which nothing is installed, and these programs say what they are told to. */
function machine(programs) {
	const folder = mkdtempSync(path.join(scratch, 'machine-'));
	mkdirSync(path.join(folder, 'bin'));
	for (const [name, script] of Object.entries({ 'dpkg-query': 'exit 1', 'apt-get': 'exit 1', id: 'echo 1000', ...programs })) {
		writeFileSync(path.join(folder, 'bin', name), `#!/bin/sh\n${script}\n`);
		chmodSync(path.join(folder, 'bin', name), 0o755);
	}
	cpSync(path.join(root, 'deploy/packages'), path.join(folder, 'deploy/packages'));
	cpSync(path.join(root, 'deploy/local/install'), path.join(folder, 'deploy/local/install'));
	const env = { ...process.env, PATH: `${path.join(folder, 'bin')}:${process.env.PATH}`, KNATIVE_CRDS: '' };
	return {
		folder,
		install: (...groups) => spawnSync(path.join(folder, 'deploy/local/install'), groups, { env, encoding: 'utf8' }),
	};
}

test('who may not sudo is told why, and what root has to run', () => {
	const { install } = machine({ sudo: 'echo "sudo: a password is required" >&2; exit 1' });
	const { status, stderr } = install('build', 'run');
	assert.equal(status, 1);
	assert.equal(stderr, 'install: packages are missing, and sudo refuses without a terminal (a password is required):'
		+ ' as root run deploy/local/install --packages build run\n');
});

test('who may sudo has it done by the same command', () => {
	const { install } = machine({ sudo: '[ "$1" = -n ] || printf "%s\\n" "$@"' });
	const { status, stdout, stderr } = install('build', 'run');
	assert.equal(status, 0, stderr);
	assert.match(stdout, /^--\nbash\n\/.*\/deploy\/local\/install\n--packages\nbuild\nrun\n$/);
});

test('a node or a Postgres that is too old is named', () => {
	const { folder, install } = machine({ node: 'echo v12.22.9', 'dpkg-query': 'for one; do echo "$one installed"; done' });
	mkdirSync(path.join(folder, 'tests'));
	writeFileSync(path.join(folder, 'tests/package-lock.json'), '{}');
	assert.equal(install('test').stderr, `install: the tests want node 18 or newer, and this is v12.22.9: ${folder}/bin/node\n`);

	const { status, stderr } = spawnSync('bash', ['-c', `. deploy/local/lib.sh; . deploy/local/services.sh
		find() { echo /usr/lib/postgresql/14/bin; }
		find_programs`], { cwd: root, encoding: 'utf8' });
	assert.equal(status, 1);
	assert.equal(stderr, 'bash: PostgreSQL 15 or newer is wanted, and this is 14: /usr/lib/postgresql/14/bin\n');
});

test('definitions are fetched once, again when others are named, and a lack of them is said', () => {
	const { folder, install } = machine({});
	const list = path.join(folder, 'tests/deploy/definitions');
	const crds = path.join(folder, 'tests/deploy/crds');
	const name = (...files) => {
		mkdirSync(path.dirname(list), { recursive: true });
		writeFileSync(list, `# ours\n${files.map((file) => `file://${file}\n`).join('')}`);
	};
	const [a, b] = ['a.yaml', 'b.yaml'].map((file) => path.join(folder, file));
	writeFileSync(a, 'one');

	name(a);
	assert.equal(install('definitions').status, 0);
	assert.equal(readFileSync(path.join(crds, 'a.yaml'), 'utf8'), 'one');
	writeFileSync(a, 'two');
	assert.deepEqual([install('definitions').stderr, readFileSync(path.join(crds, 'a.yaml'), 'utf8')], ['', 'one']);

	name(a, b);
	const { status, stderr } = install('definitions');
	assert.equal(status, 0);
	assert.match(stderr, new RegExp(`^install: no file://${b}, .* KNATIVE_CRDS$`, 'm'));
	assert.ok(!existsSync(crds));
	writeFileSync(b, 'three');
	assert.equal(install('definitions').stderr, '');
	assert.deepEqual(readdirSync(crds).sort(), ['.souk-installed', 'a.yaml', 'b.yaml']);
});

test('a checkout whose path no configuration can hold is refused', () => {
	const folder = path.join(scratch, 'a "shop"');
	cpSync(path.join(root, 'deploy/local'), path.join(folder, 'deploy/local'), { recursive: true });
	const { status, stderr } = spawnSync(path.join(folder, 'deploy/local/up'), { encoding: 'utf8' });
	assert.equal(status, 1);
	assert.match(stderr, /^up: there is a quote, a backslash or a line break in .*: move it elsewhere$/m);
});

test('what a stack of tests has left behind is removed by the next, even when half of it is gone', () => {
	const base = path.join(scratch, 'stacks'), left = path.join(base, 'souk-test.left');
	mkdirSync(left, { recursive: true });
	for (const folder of [scratch, base])
		chmodSync(folder, 0o755);	/* Postgres may be another user's */
	writeFileSync(path.join(left, 'with-stack.pid'), `${spawnSync('true').pid}\n`);
	const { status, stderr } = spawnSync('deploy/local/with-stack', ['--bin', need('SOUK_BIN'), '--tools', need('SOUK_TOOLS'), '--', 'true'],
		{ cwd: root, env: { ...process.env, TMPDIR: base }, encoding: 'utf8' });
	assert.deepEqual([status, stderr, readdirSync(base)], [0, '', []]);
});
