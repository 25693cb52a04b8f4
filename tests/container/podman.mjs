/*
 * Images and containers, by podman, as whoever runs the shop would run them: a
 * read-only root, no capability, no way to gain one, little memory.
 *
 * Containers are in the host's network, so that nothing but loopback is spoken to
 * and nothing of the machine's network changes.
 */
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from '../gateway/lighttpd.mjs';
import { need } from '../lib/env.mjs';
import { until } from '../lib/wait.mjs';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const MEMORY_MB = 96;
export const functions = JSON.parse(readFileSync(need('API_JSON'), 'utf8')).flat();
const run = promisify(execFile);

/* Files of a test: readable by whatever user a container has. */
export const scratch = mkdtempSync(path.join(tmpdir(), 'souk-container-'));
chmodSync(scratch, 0o755);
const started = new Set();

/* podman raises limits to what it was built with, which a root without
 * CAP_SYS_RESOURCE may not; crun refuses cgroups that are half v1. */
const hard = execFileSync('bash', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
process.env.CONTAINERS_CONF = path.join(scratch, 'containers.conf');
writeFileSync(process.env.CONTAINERS_CONF, `[containers]
default_ulimits = ["nofile=${hard === 'unlimited' ? 65536 : hard}:${hard === 'unlimited' ? 65536 : hard}", "nproc=4096:4096"]
[engine]
${existsRunc() ? 'runtime = "runc"' : ''}
`);

function existsRunc() {
	try {
		execFileSync('runc', ['--version'], { stdio: 'ignore', env: { PATH: `${process.env.PATH}:/usr/sbin` } });
		return true;
	} catch {
		return false;
	}
}

export async function podman(...args) {
	const { stdout } = await run('podman', args, { maxBuffer: 1 << 26 });
	return stdout.trim();
}

after(async () => {
	for (const id of started)
		await podman('rm', '--force', '--time', '0', id);
	await run('rm', ['-rf', scratch]);
});

export const imageOf = (name) => `localhost/souk/${name.replaceAll(/[_/]/g, '-')}`;

/* Each is built by what `make image` calls, and only where something changed. */
export async function built(...names) {
	await run(path.join(root, 'deploy/container/build'), names, { maxBuffer: 1 << 26 });
	return names.map(imageOf);
}

/* Its files, as a folder to look at. */
export const mounted = (image) => podman('image', 'mount', image);

/* A folder that a container may read, whoever it is. */
export function shared(name, from = null) {
	const to = path.join(scratch, name);
	if (from !== null)
		cpSync(from, to, { recursive: true });
	else
		mkdirSync(to);
	chmodSync(to, from === null ? 0o777 : 0o755);
	for (const file of readdirSync(to))
		chmodSync(path.join(to, file), 0o644);
	return to;
}

const keys = () => Object.fromEntries(['public', 'private'].map((kind) =>
	[`/keys/${kind}:ro`, shared(`keys-${Math.random()}`, path.join(need('SOUK_RUN'), 'keys', kind))]));

/* What the stack tells a function of these, of which it declares each. */
export function settings(binary, reached) {
	const { context, settings: declared } = functions.find((one) => one.binary === binary);
	const told = {};
	for (const file of ['common', context])
		for (const line of readFileSync(path.join(need('SOUK_RUN'), 'env', `${file}.env`), 'utf8').split('\n'))
			if (line.includes('='))
				told[line.slice(0, line.indexOf('='))] = line.slice(line.indexOf('=') + 1);
	told.DATABASE_URL = told.DATABASE_URL && reached.postgres(told.DATABASE_URL);
	told.REDIS_URL = reached.redis;
	told.FN_STATE_DIR = '/run/souk';
	/* The image has its own. */
	for (const name of ['FN_SLEEP_S', 'PICTURE_PROGRAM', 'MEDIA_CACHE_DIR'])
		delete told[name];
	if (told.JWT_PUBLIC_KEYS_DIR)
		told.JWT_PUBLIC_KEYS_DIR = '/keys/public';
	if (told.JWT_PRIVATE_KEY_FILE)
		told.JWT_PRIVATE_KEY_FILE = `/keys/private/${path.basename(told.JWT_PRIVATE_KEY_FILE)}`;
	return Object.fromEntries(Object.entries(told).filter(([name, value]) =>
		value !== undefined && declared.some((setting) => setting.name === name)));
}

export const HARDENED = ['--read-only', '--read-only-tmpfs=false', '--cap-drop=all', '--security-opt=no-new-privileges',
	'--pids-limit=64', `--memory=${MEMORY_MB}m`, `--memory-swap=${MEMORY_MB}m`];
export const RUN_DIR = ['--tmpfs', '/run/souk:rw,nosuid,nodev,noexec,mode=1777,size=16m'];

/* Without a lighttpd of its own. */
export const SOCKET_ONLY = { entrypoint: '/usr/bin/supervisor', command: ['--run', '/run/souk', '--bin', '/app'] };

const options = (flag, pairs) => Object.entries(pairs).flatMap(([name, value]) => [flag, `${name}=${value}`]);

export class Container {
	constructor(id, port) {
		Object.assign(this, { id, port, base: `http://127.0.0.1:${port}` });
	}

	async inspect(what) {
		return JSON.parse(await podman('inspect', '--format', `{{json ${what}}}`, this.id));
	}

	async logs() {
		const { stdout, stderr } = await run('podman', ['logs', this.id], { maxBuffer: 1 << 26 });
		return stdout + stderr;
	}

	/* Each process, as /proc has it. */
	async processes() {
		const first = await this.inspect('.State.Pid');
		const pids = [first];
		for (const pid of pids)
			pids.push(...readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number));
		return pids.map((pid) => ({
			pid, name: readFileSync(`/proc/${pid}/comm`, 'utf8').trim(),
			status: Object.fromEntries(readFileSync(`/proc/${pid}/status`, 'utf8').split('\n')
			    .map((line) => line.split(':\t')).map(([key, value]) => [key, value?.trim()])),
		}));
	}

	/* As its orchestrator would ask for its end; resolves when that is there. */
	stop(seconds = 30) {
		return podman('stop', '--time', String(seconds), this.id);
	}

	async ended() {
		await until('the container ends', async () => (await this.inspect('.State.Status')) === 'exited', { every: 100 });
		return this.inspect('.State.ExitCode');
	}

	get(target, headers = {}) {
		return ask(this.base, target, headers);
	}

	async answers(target = '/health') {
		const found = await until(`${this.base}${target} answers`, async () => {
			if (await this.inspect('.State.Running') !== true)
				return 'it has ended';
			return (await this.get(target)).status === 200;
		}, { every: 20 });
		if (found !== true)
			throw new Error(`${found}: ${await this.logs()}`);
	}
}

export function ask(base, target, headers = {}) {
	return new Promise((done, failed) => {
		const url = new URL(target, base);
		http.get(url, { headers: { Connection: 'close', ...headers }, agent: false }, async (answer) => {
			const chunks = [];
			try {
				for await (const chunk of answer)
					chunks.push(chunk);
			} catch (error) {
				return failed(error);
			}
			const body = Buffer.concat(chunks).toString();
			return done({ status: answer.statusCode, headers: answer.headers, body, json: () => JSON.parse(body) });
		}).on('error', failed);
	});
}

/* Starts one; further flags are podman's, and `command` replaces the image's. */
export async function start(name, { env = {}, mounts = {}, user, flags = [], hardened = HARDENED, runDir = RUN_DIR, command = [], entrypoint } = {}) {
	const port = await freePort();
	const id = await podman('run', '--detach', '--network=host', ...hardened, ...runDir,
	    ...(user === undefined ? [] : ['--user', user]),
	    ...(entrypoint === undefined ? [] : ['--entrypoint', entrypoint]),
	    ...options('--env', { PORT: port, SOUK_PORT: port, SOUK_BIND: '127.0.0.1', ...env }),
	    ...Object.entries(mounts).flatMap(([to, from]) => ['--volume', `${from}:${to}`]),
	    ...flags, imageOf(name), ...command);
	started.add(id);
	return new Container(id, port);
}

/* A function as the stack has it, and as Knative would run it. */
export function startFunction(binary, reached, { env = {}, mounts = {}, ...more } = {}) {
	return start(binary, {
		...more,
		env: { ...settings(binary, reached), ...env },
		mounts: { ...keys(), ...mounts },
		flags: [...(reached.flags ?? []), ...(more.flags ?? [])],
	});
}
