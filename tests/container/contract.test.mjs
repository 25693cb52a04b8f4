/*
 * What whoever runs a function's container may count on.  (Knative's own
 * conformance suite wants a cluster; this is the container's side of it.)
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../lib/wait.mjs';
import { built, functions, HARDENED, MEMORY_MB, podman, RUN_DIR, settings, SOCKET_ONLY, start, startFunction } from './podman.mjs';
import { close, reachStack, startNames } from './reached.mjs';

const LIST = 'catalog-list';
const PRODUCTS = '/api/products?limit=1';
let reached;
let names;

before(async () => {
	await built(LIST, 'orders-place', 'cron-saga_recover');
	names = await startNames();
	reached = await reachStack();
});
after(close);

const started = async (more) => {
	const container = await startFunction(LIST, reached, more);
	await container.answers();
	return container;
};

test('it answers at PORT, under any Host, with what the function says', async () => {
	const container = await started();
	const answer = await container.get(PRODUCTS, { Host: 'catalog-list.souk.svc.cluster.local', Forwarded: 'for=192.0.2.7;proto=https' });
	assert.equal(answer.status, 200, answer.body);
	assert.equal(answer.json().products.length, 1);
	assert.match(answer.headers['x-request-id'] ?? '', /./);
	assert.equal(answer.headers['x-powered-by'], undefined);
	const missing = await container.get('/api/no-such-path');
	assert.equal(missing.status, 404);
});

test('probes: alive without Postgres and Redis, ready only with them', async () => {
	const nowhere = { postgres: (url) => url.replace(/@.*/, '@127.0.0.1:1/souk'), redis: 'redis://127.0.0.1:1' };
	const container = await started();
	const alone = await startFunction(LIST, nowhere);
	await alone.answers('/health');
	assert.equal((await container.get('/ready')).status, 200);
	assert.equal((await alone.get('/ready')).status, 503);
	assert.equal((await alone.get(PRODUCTS)).status, 503);
});

test('it is whoever it is told to be, has no capability and no way to gain one', async () => {
	for (const user of [undefined, '1000740000:0', '1234:5678']) {
		const container = await started({ user });
		const [uid, gid] = (user ?? '65532:65532').split(':');
		const processes = await container.processes();
		assert.equal((await container.get(PRODUCTS)).status, 200, user);
		for (const wanted of ['supervisor', 'lighttpd', LIST])
			assert.ok(processes.some(({ name }) => name === wanted), `${wanted} of ${processes.map(({ name }) => name)}`);
		for (const { name, status } of processes) {
			assert.deepEqual(status.Uid.split('\t'), [uid, uid, uid, uid], name);
			assert.deepEqual(status.Gid.split('\t'), [gid, gid, gid, gid], name);
			for (const set of ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
				assert.match(status[set], /^0+$/, `${name} ${set}`);
			assert.deepEqual([status.NoNewPrivs, status.Seccomp], ['1', '2'], name);
		}
		await container.stop();
	}
});

test('it writes to /run/souk and nowhere else, and without that it says so', async () => {
	const container = await started();
	assert.equal((await container.get(PRODUCTS)).status, 200);
	/* What podman itself makes for the mounts is no change of the container's. */
	const changed = (await podman('diff', container.id)).split('\n').filter((line) => line !== '' && !/^[AC] \/(dev|etc|proc|sys|run|keys)(\/|$)/.test(line));
	assert.deepEqual(changed, []);

	const without = await startFunction(LIST, reached, { runDir: [] });
	assert.notEqual(await without.ended(), 0);
	assert.match(await without.logs(), /supervisor: \/run\/souk: No such file/);
});

test('podman\'s own folders for what may not write elsewhere are no hindrance', async () => {
	const container = await started({ hardened: HARDENED.filter((flag) => flag !== '--read-only-tmpfs=false') });
	assert.equal((await container.get(PRODUCTS)).status, 200);
});

test('it keeps to its memory, with every worker at work', async () => {
	const container = await started();
	const cgroup = await memoryOf(container);
	assert.equal(cgroup('limit'), MEMORY_MB << 20);
	for (let round = 0; round < 20; round++) {
		const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => container.get(`/api/products?limit=100&search=${round}-${i}`)));
		assert.ok(answers.every(({ status }) => status === 200 || status === 503), answers.map(({ status }) => status).join());
	}
	assert.equal(await container.inspect('.State.OOMKilled'), false);
	assert.ok(cgroup('peak') < (MEMORY_MB << 20) / 2, `${cgroup('peak')} bytes of ${MEMORY_MB << 20}`);
});

/* Of either kind of cgroup. */
async function memoryOf(container) {
	const pid = await container.inspect('.State.Pid');
	const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n').map((line) => /^\d+:([^:]*):(.*)$/.exec(line));
	const v1 = groups.find(([, controllers]) => controllers.split(',').includes('memory'));
	const folder = v1 ? path.join('/sys/fs/cgroup/memory', v1[2]) : path.join('/sys/fs/cgroup', groups[0][2]);
	const file = v1 ? { limit: 'memory.limit_in_bytes', peak: 'memory.max_usage_in_bytes' } : { limit: 'memory.max', peak: 'memory.peak' };
	return (what) => Number(readFileSync(path.join(folder, file[what]), 'utf8'));
}

test('asked to stop, it takes nothing new, finishes what it has begun, and ends well', async () => {
	const container = await started();
	assert.equal((await container.get(PRODUCTS)).status, 200);
	reached.held.hold();
	const answer = container.get(`/api/products?search=${Date.now()}`);
	await until('Postgres is asked', () => reached.held.asked());
	const stopped = container.stop();
	await until('nothing new is taken', () => refuses(container.port));
	reached.held.release();
	assert.equal((await answer).status, 200);
	await stopped;
	assert.equal(await container.inspect('.State.ExitCode'), 0);
	assert.equal(await container.inspect('.State.OOMKilled'), false);
});

const refuses = (port) => new Promise((done) => {
	const socket = net.connect(port, '127.0.0.1', () => {
		socket.destroy();
		done(false);
	});
	socket.on('error', () => done(true));
});

test('killed workers come again; nobody who asks then is refused', async () => {
	const container = await started();
	const [victim] = (await container.processes()).filter(({ name }) => name === LIST).slice(-1);
	process.kill(victim.pid, 'SIGKILL');
	for (let i = 0; i < 20; i++)
		assert.equal((await container.get(PRODUCTS)).status, 200);
	assert.equal(await container.inspect('.State.Running'), true);
});

for (const [how, more] of [['behind lighttpd', {}], ['by its socket', SOCKET_ONLY]])
	test(`a function ${how} that cannot start is seen: the container ends, says why, and is counted`, async () => {
		const { DATABASE_URL, ...env } = settings('orders-place', reached);
		assert.ok(DATABASE_URL);
		const container = await start('orders-place', { env, flags: ['--restart=on-failure:1'], ...more });
		await until('it has been started again, and given up', async () =>
			(await container.inspect('.RestartCount')) === 1 && (await container.inspect('.State.Status')) === 'exited', { seconds: 60, every: 200 });
		assert.equal(await container.inspect('.State.ExitCode'), 1);
		const logs = await container.logs();
		assert.match(logs, /DATABASE_URL/);
		assert.match(logs, /crash loop/);
	});

test('names are looked up by DNS', async () => {
	names.length = 0;
	const container = await started();
	assert.equal((await container.get('/ready')).status, 200);
	assert.equal((await container.get(PRODUCTS)).status, 200);
	for (const name of ['postgres.souk.test', 'redis.souk.test'])
		assert.ok(names.includes(name), `${name} was not asked for: ${names}`);

	const unknown = await startFunction(LIST, { ...reached, postgres: (url) => reached.postgres(url).replace('souk.test', 'souk.invalid') });
	await unknown.answers();
	assert.equal((await unknown.get('/ready')).status, 503);
});

test('a scheduled function runs once, from the same image, and ends', async () => {
	const [{ path: target }] = functions.find(({ binary }) => binary === 'cron-saga_recover').endpoints;
	const container = await start('cron-saga_recover', {
		env: settings('cron-saga_recover', reached), flags: reached.flags, runDir: RUN_DIR,
		entrypoint: '/app/cron-saga_recover', command: ['--once', 'POST', target],
	});
	assert.equal(await container.ended(), 0, await container.logs());
	assert.match(await container.logs(), /"sagas":\[/);
});
