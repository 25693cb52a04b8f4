/*
 * The processes of the stack under test: found, killed, started again.  Only
 * those whose working directory is in this stack's run directory are ever
 * signalled.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, renameSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { constants } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { need } from './env.mjs';
import { until } from './wait.mjs';

const repository = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
const run = () => need('SOUK_RUN');

/* Runs shell functions of the local stack, or of another. */
export function shell(script, directory = run()) {
	return new Promise((done, failed) => {
		execFile('bash', ['-c', `set -euo pipefail
			. "$0/deploy/local/lib.sh"
			. "$0/deploy/local/settings.sh"
			. "$0/deploy/local/services.sh"
			RUN=$1
			choose_run_dir "$RUN"
			load_env "$RUN/stack.env" STACK
			BIN=\${STACK[BIN]-} TOOLS=\${STACK[TOOLS]-} PORT=\${STACK[PORT]-} SIM_PORT=\${STACK[SIM_PORT]-}
			find_programs
			${script}`, repository, directory], (error, out, told) => error
			? failed(new Error(`${script}: ${told || error.message}`)) : done(out));
	});
}

/* Each waits until the service answers. */
export const startPostgres = () => shell('PG_FSYNC=off; start_postgres; wait_for 30 postgres postgres_answers');
export const stopPostgres = () => shell('stop_service postgres');
export const startRedis = () => shell('start_redis; wait_for 10 redis redis_answers');
export const stopRedis = () => shell('stop_service redis');
export const startGateway = () => shell('start_gateway; wait_for 10 gateway gateway_answers');
export const stopFunctions = () => shell('stop_service functions');
export const startFunctions = () => shell('start_functions; wait_for 20 functions functions_listen');

export function mainPid(service) {
	return Number(readFileSync(join(run(), 'pid', service), 'utf8'));
}

/* Every process of this stack that runs the named program. */
export function processes(name) {
	const found = [];

	for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry)))
		try {
			const exe = readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');
			const cwd = readlinkSync(`/proc/${pid}/cwd`);
			const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
			const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
			if (basename(exe) === name && (cwd === run() || cwd.startsWith(`${run()}/`)) && state !== 'Z')
				found.push({ pid: Number(pid), parent: Number(parent) });
		} catch (error) {
			if (!['ENOENT', 'ESRCH', 'EACCES'].includes(error.code))
				throw error;
		}
	return found;
}

/* Without a look at every process there is: of one parent. */
function children(pid) {
	try {
		return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
	} catch (error) {
		if (error.code !== 'ENOENT' && error.code !== 'ESRCH')
			throw error;
		return [];
	}
}

function programOf(pid) {
	try {
		return basename(readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ''));
	} catch {
		return null;		/* it has just ended */
	}
}

/* A function's master, and its workers; one that sleeps has neither. */
export const master = (name) => children(mainPid('functions')).find((pid) => programOf(pid) === name);
export const workers = (name) => children(master(name) ?? 0);

export function signal(pids, what) {
	for (const pid of [pids].flat())
		try {
			process.kill(pid, what);
		} catch (error) {
			if (error.code !== 'ESRCH')
				throw error;
		}
}

export const kill = (pids) => signal(pids, 'SIGKILL');
export const gone = (pid) => until(`process ${pid} is gone`, () => !existsSync(`/proc/${pid}`)
    || readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '));

/* Where a build with FAULTS=1 looks for armed points, as its functions were told. */
export function faultDir() {
	const directory = join(run(), 'env');

	for (const name of readdirSync(directory).filter((entry) => entry.endsWith('.env'))) {
		const told = /^FAULT_DIR=(.+)$/m.exec(readFileSync(join(directory, name), 'utf8'));
		if (told)
			return told[1];
	}
	throw new Error('no function reads FAULT_DIR: this needs a build with FAULTS=1');
}

/* The next process that passes the point gets the signal there. */
export function arm(point, signal = 'SIGKILL') {
	const file = join(faultDir(), point);

	writeFileSync(`${file}~`, `${constants.signals[signal]}`);
	renameSync(`${file}~`, file);
	return file;
}

/* Of a third of the processes the clock is ahead by so much, of another behind. */
export function skewClocks(seconds) {
	const file = join(faultDir(), 'skew');

	writeFileSync(`${file}~`, `${seconds}`);
	renameSync(`${file}~`, file);
}

/*
 * The next process that passes the point dies there.  Resolves to a function
 * that waits until one has.
 */
export function crashAt(point) {
	const file = arm(point);

	return () => until(`a process dies at ${point}`, () => !existsSync(file));
}

/*
 * Asks, and the process that answers dies at the point.  On a busy machine it
 * may say 503 first, and then nothing has happened.
 */
export async function dies(point, ask) {
	const died = crashAt(point);
	const answer = await until(`somebody to die at ${point}`, async () => {
		const found = await ask();
		return (found.status !== 503 || !found.bytes.includes('"unavailable"')) && found;
	});
	assert.ok(answer.status >= 500, `${point}: ${answer.status} ${answer.bytes}`);
	await died();
}

/* One command to Redis, as a person would type it. */
export function redis(command) {
	return new Promise((done, failed) => {
		const socket = net.connect(need('REDIS_SOCKET'), () => socket.write(`${command}\r\n`));
		socket.setTimeout(5000, () => socket.destroy(new Error('Redis does not answer')));
		socket.on('error', failed);
		socket.once('data', (answer) => {
			socket.end();
			done(answer.toString());
		});
	});
}

/* Functions of a context fall asleep after a second, told so by their environment, as
 * an operator would, until `done` has run. */
export async function sleepy(context, done) {
	const file = join(run(), 'env', `${context}.env`);
	const before = readFileSync(file, 'utf8');
	const tell = (text) => {
		writeFileSync(file, text);
		signal(mainPid('functions'), 'SIGHUP');
	};

	tell(`${before.replace(/^FN_SLEEP_S=.*\n/m, '')}FN_SLEEP_S=1\n`);
	try {
		await done();
	} finally {
		tell(before);
	}
}
