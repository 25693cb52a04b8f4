/*
 * Runs the suites, shows what failed, and counts.  Every test file is a
 * process of its own and tells its results in TAP, as the unit tests do.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parallel } from './wait.mjs';

const tests = resolve(fileURLToPath(import.meta.url), '..', '..');
const root = resolve(tests, '..');
const build = resolve(root, process.env.B ?? 'build');
const total = { passed: 0, failed: 0 };
const MINUTES = 60 * 1000;

function findTests(directory) {
	return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
		const path = join(directory, entry.name);
		return entry.isDirectory() ? findTests(path) : entry.name.endsWith('.test.mjs') ? [path] : [];
	}).sort();
}

function findPrograms(directory) {
	if (!existsSync(directory))
		return [];
	return readdirSync(directory).map((name) => join(directory, name)).filter((path) => {
		try {
			accessSync(path, constants.X_OK);
			return statSync(path).isFile();
		} catch {
			return false;
		}
	}).sort();
}

/* TAP, nested or not: leaves are counted, and groups that failed by themselves. */
function count(output) {
	const result = { passed: 0, failed: 0, names: [] };

	for (const line of output.split('\n')) {
		const match = /^(\s*)(ok|not ok) \d+(?: -)? ?(.*)$/.exec(line);
		if (!match)
			continue;
		const [, , verdict, name] = match;
		/* A test that did not run has not passed. */
		if (verdict === 'ok' && !/# (SKIP|TODO)/i.test(name)) {
			result.passed++;
		} else {
			result.failed++;
			result.names.push(name);
		}
	}
	return result;
}

/* Runs one test program; resolves to its counts. */
function run(command, args, { name, limit, env }) {
	return new Promise((done) => {
		const child = spawn(command, args, {
			cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'],
			detached: true,		/* a group of its own, to be ended as one */
		});
		const end = () => {
			try {
				process.kill(-child.pid, 'SIGKILL');
			} catch (error) {
				if (error.code !== 'ESRCH')
					throw error;
			}
		};
		const started = Date.now();
		let output = '';
		let told = '';
		let late = false;
		const timer = setTimeout(() => {
			late = true;
			end();
		}, limit);

		/* Whoever it left behind would keep its output open for ever. */
		child.on('exit', end);

		child.stdout.on('data', (chunk) => { output += chunk; });
		child.stderr.on('data', (chunk) => { told += chunk; });
		child.on('error', (error) => { told += error.message; });
		child.on('close', (code, killed) => {
			clearTimeout(timer);
			const result = count(output + told);
			const seconds = ((Date.now() - started) / 1000).toFixed(1);
			let why = '';

			if (late)
				why = `did not end within ${limit / 1000} s`;
			else if (killed)
				why = `was ended by ${killed}`;
			else if (code !== 0 && result.failed === 0)
				why = `exited with ${code}`;
			else if (result.passed + result.failed === 0)
				why = 'ran no test';
			if (why)
				result.failed++;
			total.passed += result.passed;
			total.failed += result.failed;
			if (result.failed === 0) {
				console.log(`ok      ${name} (${result.passed}, ${seconds} s)`);
			} else {
				console.log(`FAILED  ${name} (${result.passed} passed, ${result.failed} failed, ${seconds} s)`);
				console.log(`${readable(output)}${told}${why ? `${name} ${why}\n` : ''}`.replace(/^/gm, '    | ').trimEnd());
			}
			done(result);
		});
	});
}

/* Of TAP, what is about failures: the lines of each "not ok" block. */
function readable(tap) {
	const kept = [];
	let showing = false;

	for (const line of tap.split('\n')) {
		if (/^\s*(not )?ok \d+/.test(line))
			showing = /^\s*not ok/.test(line);
		else if (/^\s*(# |TAP version|1\.\.)/.test(line))
			showing = showing && /^\s*# (?!Subtest|tests|suites|pass|fail|cancelled|skipped|todo|duration)/.test(line);
		if (showing && !/^\s*(duration_ms|type|failureType|code|name|stack|expected|actual|operator): ?/.test(line) &&
		    !/\(?node:internal|^\s*(---|\.\.\.)$/.test(line))
			kept.push(line);
	}
	return kept.length ? `${kept.join('\n')}\n` : '';
}

function lacking(name, what) {
	console.log(`FAILED  ${name}\n    | ${what}`);
	total.failed++;
}

async function node(suite, files, width, limit) {
	if (files.length === 0)
		return lacking(suite, `there is no test in tests/${suite}`);
	await parallel(width, files.map((file) => () =>
		run(process.execPath, ['--test-reporter', 'tap', file], { name: relative(root, file), limit })));
}

/* Where lighttpd, Postgres and the functions need room too. */
const width = Math.max(2, Math.min(4, availableParallelism()));

/* A suite is a folder of tests, but for this one. */
async function unit() {
	const programs = findPrograms(join(build, 'test'));
	if (programs.length === 0)
		return lacking('unit', `there is no test program in ${join(build, 'test')}: run make tests`);
	await parallel(width, programs.map((program) => () => run(program, [], {
		name: relative(root, program), limit: 2 * MINUTES, env: { CMOCKA_MESSAGE_OUTPUT: 'TAP' },
	})));
}

/* These want the stack for themselves. */
const ALONE = ['saga', 'chaos', 'currencies', 'mail', 'events', 'identity', 'coverage', 'oversell', 'monitoring', 'systemd', 'container', 'overload', 'backup', 'traces'];

const chosen = process.argv.slice(2);
if (chosen.length === 0) {
	console.error('tests/run: say which suites to run: unit, or folders of tests/');
	process.exit(2);
}
process.env.API_JSON ??= join(build, 'api.json');
for (const suite of chosen) {
	const directory = join(tests, suite);

	if (suite === 'unit')
		await unit();
	else
		await node(suite, existsSync(directory) ? findTests(directory) : [],
		    ALONE.includes(suite) ? 1 : width, 10 * MINUTES);
}
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
console.log(`${total.passed} passed, ${total.failed} failed`);
