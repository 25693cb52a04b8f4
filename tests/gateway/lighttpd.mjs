/* A lighttpd of the test's own, over functions that are a few lines each. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const conf = fileURLToPath(new URL('../../gateway-conf', import.meta.url));

export function routedFunctions() {
	const routes = readFileSync(path.join(conf, 'routes.conf'), 'utf8');
	return [...new Set([...routes.matchAll(/\/fn\/([^"]+)\.sock"/g)].map((match) => match[1]))];
}

const connects = (port) => new Promise((resolve) => {
	const socket = net.connect(port, '127.0.0.1', () => resolve(true));
	socket.on('error', () => resolve(false));
	socket.on('connect', () => socket.destroy());
});

const isFree = (port) => new Promise((resolve) => {
	const server = net.createServer();
	server.on('error', () => resolve(false));
	server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
});

/* Below the ephemeral range, where outgoing connections may take any port. */
export async function freePort() {
	for (;;) {
		const port = 20_000 + Math.floor(Math.random() * 12_000);
		if (await isFree(port))
			return port;
	}
}

async function launch(file, run, port, env) {
	const child = spawn('/usr/sbin/lighttpd', ['-D', '-f', path.join(env.SOUK_CONF ?? conf, file)], {
		env: {
			SOUK_RUN: run, SOUK_CONF: conf, SOUK_WWW: path.join(conf, 'www'),
			SOUK_BIND: '127.0.0.1', SOUK_PORT: String(port), PATH: process.env.PATH, ...env,
		},
		stdio: ['ignore', 'inherit', 'inherit'],
	});
	while (child.exitCode === null && !await connects(port))
		await after(10);
	return child.exitCode === null ? child : null;
}

const FOLDERS = ['fn', 'log', 'lighttpd', 'media'];

export async function startLighttpd(env = {}, file = 'lighttpd.conf', folders = FOLDERS) {
	const run = mkdtempSync(path.join(tmpdir(), 'souk-gateway-'));
	for (const folder of folders)
		mkdirSync(path.join(run, folder));

	let port;
	let child = null;
	for (let tries = 0; child === null && tries < 5; tries++) {
		port = await freePort();
		child = await launch(file, run, port, env);
	}
	if (child === null)
		throw new Error(`lighttpd does not start: see above, or ${run}`);

	return {
		base: `http://127.0.0.1:${port}`,
		run,
		async stop() {
			const gone = once(child, 'exit');
			child.kill('SIGINT');
			await gone;
			rmSync(run, { recursive: true });
		},
	};
}

function parameters(bytes) {
	const found = {};
	let at = 0;
	const length = () => {
		if (bytes[at] < 0x80)
			return bytes[at++];
		at += 4;
		return bytes.readUInt32BE(at - 4) & 0x7fffffff;
	};
	const text = (size) => bytes.toString('utf8', at, at += size);
	while (at < bytes.length) {
		const [name, value] = [length(), length()];
		const key = text(name);
		found[key] = text(value);
	}
	return found;
}

const BEGIN = 1, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6;

function record(type, content) {
	const head = Buffer.from([1, type, 0, 1, content.length >> 8, content.length & 255, 0, 0]);
	return Buffer.concat([head, content]);
}

/*
 * A FastCGI responder.  answer(parameters, body) gives the CGI response's
 * text, or null to hang up without one.
 */
export async function startFunction(socketPath, answer) {
	const server = net.createServer((socket) => {
		let bytes = Buffer.alloc(0);
		const params = [];
		const body = [];
		socket.on('error', () => {});
		socket.on('data', (chunk) => {
			bytes = Buffer.concat([bytes, chunk]);
			while (bytes.length >= 8) {
				const [type, size, padding] = [bytes[1], bytes.readUInt16BE(4), bytes[6]];
				if (bytes.length < 8 + size + padding)
					return;
				const content = bytes.subarray(8, 8 + size);
				bytes = bytes.subarray(8 + size + padding);
				if (type === PARAMS)
					params.push(content);
				else if (type === STDIN && size > 0)
					body.push(content);
				else if (type === STDIN) {
					const text = answer(parameters(Buffer.concat(params)), Buffer.concat(body));
					if (text === null)
						socket.destroy();
					else
						socket.end(Buffer.concat([record(STDOUT, Buffer.from(text)),
							record(STDOUT, Buffer.alloc(0)), record(END, Buffer.alloc(8))]));
				} else if (type !== BEGIN)
					socket.destroy();
			}
		});
	});
	server.listen(socketPath);
	await once(server, 'listening');
	return server;
}
