/*
 * Where the bench's own functions run: a second supervisor and a second
 * gateway beside those of the stack, with the same programs and the same
 * configuration.  The gateway leads to the stack's functions too, so that what
 * is compared has come the same way.
 *
 * A function of the stack that must be told something else for the bench runs
 * here under its own name.
 */
import { spawn } from 'node:child_process';
import {
	copyFileSync, existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync,
	symlinkSync, writeFileSync,
} from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { need } from '../lib/env.mjs';
import { until } from '../lib/wait.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const repository = resolve(here, '..', '..');
const build = resolve(repository, process.env.B ?? 'build');
const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

function isFree(port) {
	return new Promise((done) => {
		const server = net.createServer();
		server.on('error', () => done(false));
		server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
	});
}

/* Below the range that the kernel hands out itself. */
async function freePort() {
	for (let i = 0; i < 200; i++) {
		const port = 20000 + Math.floor(Math.random() * 12000);
		if (await isFree(port))
			return port;
	}
	throw new Error('found no free port between 20000 and 32000');
}

function lighttpd() {
	for (const directory of PATH.split(':'))
		if (existsSync(join(directory, 'lighttpd')))
			return join(directory, 'lighttpd');
	throw new Error('lighttpd is not installed: run deploy/local/install run');
}

/* The same file where that is possible, so that its pages are shared. */
function put(from, to) {
	try {
		linkSync(from, to);
	} catch (error) {
		if (!['EXDEV', 'EPERM'].includes(error.code))
			throw error;
		copyFileSync(from, to);
	}
}

export const environmentOf = (context) => Object.fromEntries(['common', context].flatMap((name) =>
	readFileSync(join(need('SOUK_RUN'), 'env', `${name}.env`), 'utf8').split('\n')
	    .filter((line) => line.includes('='))
	    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])));

function writeEnvironment(directory, name, variables) {
	writeFileSync(join(directory, 'env', `${name}.env`),
	    Object.entries(variables).map(([key, value]) => `${key}=${value}\n`).join(''), { mode: 0o600 });
}

/*
 * bytes: what /bench/static and /bench/memory answer.  Resolves to the urls,
 * the processes and close().
 */
export async function setStage(bytes) {
	const directory = mkdtempSync(join(tmpdir(), 'souk-bench.'));
	const running = [];
	const port = await freePort();
	let simulatorPort = port;

	while (simulatorPort === port)
		simulatorPort = await freePort();

	const start = (name, command, args, env) => {
		const child = spawn(command, args, { cwd: directory, stdio: 'ignore',
			env: { PATH, LANG: 'C.UTF-8', TZ: 'UTC', ...env } });
		child.ended = new Promise((done) => child.on('exit', done).on('error', done));
		child.on('error', (error) => console.error(`${name}: ${error.message}`));
		running.push(child);
		return child;
	};
	/* Also where nothing can be awaited any more. */
	const abandon = () => {
		for (const child of running)
			child.kill('SIGTERM');
		rmSync(directory, { recursive: true, force: true });
	};
	process.once('exit', abandon);

	for (const part of ['bin', 'conf', 'env', 'fn', 'lighttpd', 'log', 'media', 'state'])
		mkdirSync(join(directory, part));
	writeFileSync(join(directory, 'static'), bytes);

	for (const name of ['nothing', 'memory', 'sleep'])
		put(join(build, 'bench', name), join(directory, 'bin', `bench-${name}`));
	put(join(build, 'bench', 'nothing'), join(directory, 'bin', 'quiet-nothing'));
	put(join(build, 'bench', 'stripe'), join(directory, 'bin', 'stripe-sim'));
	for (const name of ['orders-place', 'auth-login'])
		put(join(need('SOUK_BIN'), name), join(directory, 'bin', name));

	writeEnvironment(directory, 'common', { FN_STATE_DIR: join(directory, 'state'),
		BENCH_FILE: join(directory, 'static') });
	writeEnvironment(directory, 'quiet', { LOG_LEVEL: 'error' });
	/* As costly as in service; the stack under test hashes cheaply. */
	writeEnvironment(directory, 'auth', { ...environmentOf('auth'), BCRYPT_COST: '12',
		FN_STATE_DIR: join(directory, 'state') });
	writeEnvironment(directory, 'orders', { ...environmentOf('orders'),
		STRIPE_API_BASE: `http://127.0.0.1:${simulatorPort}`,
		FN_STATE_DIR: join(directory, 'state') });

	const supervisor = start('supervisor', join(need('SOUK_TOOLS'), 'supervisor'),
	    ['--run', directory, '--bin', join(directory, 'bin')]);
	await until('the functions of the bench listen', () => existsSync(join(directory, 'supervisor.pid')));

	const own = new Set(readdirSync(join(directory, 'fn')));
	for (const socket of readdirSync(join(need('SOUK_RUN'), 'fn')))
		if (!own.has(socket))
			symlinkSync(join(need('SOUK_RUN'), 'fn', socket), join(directory, 'fn', socket));
	const stock = start('stock_loop', join(build, 'bench', 'stock_loop'),
	    [join(directory, 'fn', 'bench-stock.sock'), '2']);

	for (const file of readdirSync(join(repository, 'gateway-conf')).filter((name) => name.endsWith('.conf')))
		symlinkSync(join(repository, 'gateway-conf', file), join(directory, 'conf', file));
	symlinkSync(join(here, 'bench.conf'), join(directory, 'conf', 'bench.conf'));
	const gateway = start('lighttpd', lighttpd(), ['-D', '-f', join(directory, 'conf', 'bench.conf')], {
		SOUK_BIND: '127.0.0.1', SOUK_PORT: String(port), SIM_PORT: String(simulatorPort),
		SOUK_RUN: directory, SOUK_CONF: join(repository, 'gateway-conf'),
		SOUK_WWW: join(repository, 'gateway-conf', 'www') });
	const url = `http://127.0.0.1:${port}`;
	for (const name of ['static', 'stock', 'nothing', 'nothing?quiet', 'memory', 'sleep'])
		await until(`/bench/${name} answers`, async () => (await fetch(`${url}/bench/${name}`)).ok);

	return {
		directory, url, gateway: gateway.pid, supervisor: supervisor.pid, stock: stock.pid,
		async close() {
			gateway.kill('SIGINT');
			for (const child of running.slice().reverse())
				child.kill('SIGTERM');
			await Promise.all(running.map((child) => child.ended));
			process.off('exit', abandon);
			rmSync(directory, { recursive: true, force: true });
		},
	};
}
