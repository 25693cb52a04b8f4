/*
 * Clients that are slow on purpose.  lighttpd collects a request before a
 * function hears of it, so what they hold is a connection and nothing else.
 */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync, mkdtempSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { newAddress } from '../lib/client.mjs';
import { until } from '../lib/wait.mjs';
import { conf, startFunction, startLighttpd } from './lighttpd.mjs';
import { base } from './stack.mjs';
import { ask, request } from './wire.mjs';

const SLOW = {
	'says nothing': '',
	'has sent half a request line': 'GET /heal',
	'has sent half its headers': 'GET /health HTTP/1.1\r\nHost: a\r\nX-A: ',
	'has sent half a body': 'POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"email"',
	'has sent half a chunk': 'POST /api/auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n{"email"',
	'asked once and stays': request('GET', '/health'),
};
const ANSWERED = 'asked once and stays';

/* A connection that has sent that, and knows whether it is still open. */
function hold(origin, text) {
	const { hostname, port } = new URL(origin);
	return new Promise((resolve, reject) => {
		const socket = net.connect({ host: hostname, port: Number(port), localAddress: newAddress() }, () => {
			socket.write(text, 'latin1', () => resolve(held));
		});
		const held = { socket, open: true, answer: '', end: () => socket.destroy() };
		socket.on('error', reject);
		socket.on('data', (bytes) => { held.answer += bytes; });
		socket.on('close', () => { held.open = false; });
	});
}

test('200 slow connections stop nobody else', async () => {
	const texts = Object.values(SLOW);
	const held = await Promise.all(Array.from({ length: 204 }, (_, i) => hold(base, texts[i % texts.length])));

	try {
		/* Each drips a little further, as who wants to be let stay does. */
		for (let round = 0; round < 20; round++) {
			const paths = ['/health', '/', '/api/products?limit=1', '/api/categories', '/docs', '/no-such-path'];
			for (const target of paths)
				assert.equal((await ask(base, 'GET', target, {})).status, target === '/no-such-path' ? 404 : 200, target);
			const login = await ask(base, 'POST', '/api/auth/login', { 'Content-Type': 'application/json', 'Content-Length': 2 }, '{}');
			assert.equal(login.status, 400);
			for (const { socket, open } of held)
				if (open)
					socket.write('x', () => { /* it may have been closed meanwhile */ });
		}
	} finally {
		for (const { socket, end } of held) {
			socket.removeAllListeners('error');
			socket.on('error', () => {});
			end();
		}
	}
});

/* The same configuration with other numbers in it. */
async function hurried(work) {
	const copy = mkdtempSync(path.join(tmpdir(), 'souk-conf-'));
	cpSync(conf, copy, { recursive: true });
	const file = path.join(copy, 'limits.conf');
	let text = readFileSync(file, 'utf8');
	for (const [name, seconds] of [['server.max-read-idle', 2], ['server.max-keep-alive-idle', 3]]) {
		const pattern = new RegExp(`^(${name.replace('.', '\\.')}\\s*=\\s*)\\d+$`, 'm');
		assert.match(text, pattern);
		text = text.replace(pattern, `$1${seconds}`);
	}
	writeFileSync(file, text);
	const gateway = await startLighttpd({ SOUK_CONF: copy });
	try {
		await work(gateway);
	} finally {
		await gateway.stop();
		rmSync(copy, { recursive: true });
	}
}

test('who is silent is hung up on, whatever is missing, and no function hears of it', () => hurried(async (gateway) => {
	const heard = [];
	const answer = (params) => {
		heard.push(params.REQUEST_URI);
		return 'Status: 200\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';
	};
	const servers = await Promise.all(['gateway-health', 'auth-login', 'gateway-fallback'].map((name) =>
		startFunction(path.join(gateway.run, 'fn', `${name}.sock`), answer)));
	const held = new Map();

	try {
		for (const [what, text] of Object.entries(SLOW))
			held.set(what, await hold(gateway.base, text));
		assert.ok([...held.values()].every(({ open }) => open));
		for (const [what, connection] of held) {
			await until(`who ${what} is hung up on`, () => !connection.open, { seconds: 30 });
			if (what === ANSWERED)
				assert.match(connection.answer, /^HTTP\/1\.1 200 /);
		}
		assert.deepEqual(heard, ['/health']);
	} finally {
		for (const { end } of held.values())
			end();
		for (const server of servers)
			server.close();
	}
}));
