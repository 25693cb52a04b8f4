/* Redis over TLS: whom a function speaks with, and whom not. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { freePort } from '../gateway/lighttpd.mjs';
import { authority } from '../lib/authority.mjs';
import { until } from '../lib/wait.mjs';
import { build, run } from './machine.mjs';

const scratch = mkdtempSync(join(tmpdir(), 'souk-rediss-'));
const ours = join(scratch, 'ours');
const servers = [];

/* Redis with that certificate; its port. */
async function start(certificate, ...more) {
	const port = await freePort();
	const server = spawn('redis-server', ['--port', '0', '--tls-port', String(port), '--tls-cert-file', `${certificate}.pem`,
		'--tls-key-file', `${certificate}.key`, '--tls-ca-cert-file', join(ours, 'ca.pem'), '--tls-auth-clients', 'no',
		'--save', '', '--dir', scratch, '--requirepass', 'sesame', ...more], { stdio: 'ignore' });
	servers.push(server);
	await until('Redis listens', () => new Promise((done) => {
		const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' },
			() => done(socket.end()) ?? true);
		socket.on('secureConnect', () => done(true));
		socket.on('error', (error) => done(error.code !== 'ECONNREFUSED'));
	}));
	return port;
}

/* What a function finds: "up", or what is wrong. */
async function health(url, env = {}) {
	const out = await run('/bin/sh', ['-c', '"$0" --once GET /health 2>&1 </dev/null', join(build, 'bin/gateway-health')],
		{ env: { REDIS_URL: url, REDIS_CA_FILE: join(ours, 'ca.pem'), ...env } });
	const lines = out.trim().split('\n').map((line) => JSON.parse(line));
	const { redis } = lines.find((line) => line.redis !== undefined && line.service === 'gateway');
	return redis === 'up' ? 'up' : lines.find(({ message }) => message === 'redis is away').problem;
}

before(async () => {
	const certify = await authority(ours);
	const strange = await authority(join(scratch, 'strange'));
	await certify('name', 'localhost');
	await certify('address', '127.0.0.1');
	await strange('name', 'localhost');
});
after(async () => {
	for (const server of servers) {
		server.kill();
		if (server.exitCode === null)
			await once(server, 'exit');
	}
	rmSync(scratch, { recursive: true });
});

test('one whose certificate is for its name or address', async () => {
	const [name, address] = [await start(join(ours, 'name')), await start(join(ours, 'address'))];

	assert.equal(await health(`rediss://:sesame@localhost:${name}`), 'up');
	assert.equal(await health(`rediss://:sesame@localhost:${name}/2`), 'up');
	assert.equal(await health(`rediss://default:sesame@127.0.0.1:${address}`), 'up');
	assert.equal(await health(`rediss://d%65fault:ses%61me@127.0.0.1:${address}`), 'up', 'as a URL has what it may not have');
	/* As the system says, where nothing else is said. */
	assert.equal(await health(`rediss://:sesame@localhost:${name}`, { REDIS_CA_FILE: '', SSL_CERT_FILE: join(ours, 'ca.pem') }), 'up');
	assert.match(await health(`rediss://:sesame@127.0.0.1:${name}`), /IP address mismatch/);
	assert.match(await health(`rediss://:sesame@localhost:${address}`), /hostname mismatch/i);
	assert.match(await health(`rediss://:sesame@localhost:${name}`, { REDIS_CA_FILE: '' }), /self-signed certificate in certificate chain/);
	assert.match(await health(`rediss://:open@localhost:${name}`), /WRONGPASS/);
	assert.match(await health(`redis://:sesame@localhost:${name}`), /./, 'in the clear it is not spoken to');
});

test('nobody whose certificate is another\'s, or who speaks an older TLS', async () => {
	assert.match(await health(`rediss://:sesame@localhost:${await start(join(scratch, 'strange', 'name'))}`), /unable to get local issuer|self-signed/);
	assert.match(await health(`rediss://:sesame@localhost:${await start(join(ours, 'name'), '--tls-protocols', 'TLSv1.1')}`), /protocol version/);
});

test('nobody who does not speak TLS, or says nothing at all', async () => {
	const port = await freePort();
	const silent = spawn('redis-server', ['--port', String(port), '--save', '', '--dir', scratch], { stdio: 'ignore' });
	servers.push(silent);
	await until('Redis listens', async () => /refused/i.test(await health(`rediss://localhost:${port}`)) === false);
	assert.match(await health(`rediss://localhost:${port}`), /^TLS: /);
	const stopped = await start(join(ours, 'name'));
	servers.at(-1).kill('SIGSTOP');
	const before = Date.now();
	assert.match(await health(`rediss://:sesame@localhost:${stopped}`), /^TLS: /);
	assert.ok(Date.now() - before < 10_000, 'it is not waited for');
	servers.at(-1).kill('SIGCONT');
});

test('a file of certificates that is not there stops the process', async () => {
	await assert.rejects(health('rediss://localhost:1', { REDIS_CA_FILE: '/nowhere' }), /REDIS_CA_FILE: \/nowhere/);
});
