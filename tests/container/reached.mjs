/*
 * How containers reach the stack's Postgres, Redis and Stripe, which listen on
 * loopback and Unix sockets: by TCP, under names that a name server has to be
 * asked for, and by TLS where certificates are looked at.
 */
import { execFileSync } from 'node:child_process';
import dgram from 'node:dgram';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { need } from '../lib/env.mjs';
import { scratch, shared } from './podman.mjs';

const DOMAIN = 'souk.test';
/* Port 53 of an address that nobody else is likely to have. */
const NAME_SERVER = '127.53.53.53';
const closing = [];

/* A name server that knows every name of one domain: all are here. */
export async function startNames() {
	const asked = [];
	const server = dgram.createSocket('udp4');
	server.on('message', (question, from) => {
		const labels = [];
		let at = 12;
		for (; question[at] !== 0; at += question[at] + 1)
			labels.push(question.toString('latin1', at + 1, at + 1 + question[at]));
		const type = question.readUInt16BE(at + 1);
		const name = labels.join('.').toLowerCase();
		const known = name.endsWith(`.${DOMAIN}`);
		const answer = known && type === 1
			? Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]) : Buffer.alloc(0);
		const header = Buffer.from([question[0], question[1], 0x81, known ? 0x80 : 0x83, 0, 1, 0, answer.length > 0 ? 1 : 0, 0, 0, 0, 0]);
		asked.push(name);
		server.send(Buffer.concat([header, question.subarray(12, at + 5), answer]), from.port, from.address);
	});
	await new Promise((done, failed) => {
		server.on('error', failed);
		server.bind(53, NAME_SERVER, done);
	});
	closing.push(() => server.close());
	return asked;
}

/* Forwards connections; held, nothing that comes back is passed on. */
async function forward(target, accept = (socket, done) => done(socket)) {
	const open = new Set();
	const gate = { held: false, sent: 0, waiting: [] };
	const server = net.createServer((raw) => {
		raw.on('error', () => raw.destroy());
		accept(raw, (client) => {
			const upstream = net.connect(target);
			for (const [one, other] of [[client, upstream], [upstream, client]]) {
				open.add(one);
				one.on('error', () => other.destroy());
				one.on('close', () => {
					open.delete(one);
					other.destroy();
				});
			}
			client.on('data', (chunk) => {
				if (gate.held)
					gate.sent += chunk.length;
				upstream.write(chunk);
			});
			upstream.on('data', (chunk) => (gate.held ? gate.waiting.push(() => client.write(chunk)) : client.write(chunk)));
		});
	});
	await new Promise((done) => server.listen(0, '127.0.0.1', done));
	closing.push(() => {
		server.close();
		for (const socket of open)
			socket.destroy();
	});
	return {
		port: server.address().port,
		hold() {
			Object.assign(gate, { held: true, sent: 0 });
		},
		asked: () => gate.sent > 0,
		release() {
			gate.held = false;
			for (const send of gate.waiting.splice(0))
				send();
		},
	};
}

/* Postgres is asked for TLS in eight bytes of its own. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
function acceptTls(identity) {
	return (raw, done) => raw.once('readable', () => {
		const first = raw.read(8);
		if (first === null || !first.equals(SSL_REQUEST))
			return raw.destroy();
		raw.write('S');
		const secured = new tls.TLSSocket(raw, { isServer: true, ...identity });
		secured.on('error', () => raw.destroy());
		return done(secured);
	});
}

/* An authority of the test's own, and what it vouches for. */
export function authority(name, host) {
	const file = (suffix) => path.join(scratch, `${name}.${suffix}`);
	const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
	const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
	openssl('req', '-x509', ...key, '-subj', `/CN=${name}`, '-keyout', file('ca.key'), '-out', file('ca.pem'));
	openssl('req', '-x509', ...key, '-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`,
	    '-addext', 'basicConstraints=critical,CA:FALSE',
	    '-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-keyout', file('key'), '-out', file('pem'));
	return { ca: file('ca.pem'), key: readFileSync(file('key')), cert: readFileSync(file('pem')) };
}

/* Everything a function needs, by name and port. */
export async function reachStack({ secured = null } = {}) {
	const postgres = await forward(path.join(need('SOUK_RUN'), 'pgsock/.s.PGSQL.5432'),
	    secured === null ? undefined : acceptTls(secured));
	const redis = await forward(need('REDIS_SOCKET'));
	return {
		held: postgres,
		postgres(url, more = '') {
			const [, who] = /^(postgresql:\/\/[^@]+)@/.exec(url);
			return `${who}@postgres.${DOMAIN}:${postgres.port}/souk?sslmode=${secured === null ? 'disable' : 'verify-full'}${more}`;
		},
		redis: `redis://redis.${DOMAIN}:${redis.port}`,
		flags: ['--dns', NAME_SERVER],
	};
}

/* The simulator, as https of a host that `identity` is of. */
export async function reachStripe(host, identity) {
	const server = tls.createServer(identity, (client) => {
		const upstream = net.connect(Number(new URL(need('SIM_URL')).port), '127.0.0.1');
		client.on('error', () => upstream.destroy());
		upstream.on('error', () => client.destroy());
		client.pipe(upstream).pipe(client);
	});
	server.on('tlsClientError', () => { /* whoever does not believe us hangs up */ });
	await new Promise((done) => server.listen(0, '127.0.0.1', done));
	closing.push(() => server.close());
	return `https://${host}:${server.address().port}`;
}

export const certificates = (name, ...files) => {
	const folder = shared(name);
	execFileSync('sh', ['-c', 'cat "$@" >"$0"', path.join(folder, 'ca.pem'), ...files]);
	return path.join(folder, 'ca.pem');
};

export function close() {
	for (const end of closing.splice(0))
		end();
}
