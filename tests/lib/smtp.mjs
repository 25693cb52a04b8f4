/*
 * Real mail servers to talk to, and a runner of jobs that is told about them.
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import { need } from './env.mjs';
import { read } from './mail.mjs';

/* A key, and a certificate of 127.0.0.1 that is its own authority. */
export function certificate() {
	const directory = mkdtempSync(join(tmpdir(), 'souk-smtp-'));
	const [keyFile, certFile] = ['key.pem', 'cert.pem'].map((name) => join(directory, name));

	execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
	    '-subj', '/CN=mail', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2', '-keyout', keyFile, '-out', certFile],
	    { stdio: 'ignore' });
	process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
	return { key: readFileSync(keyFile), cert: readFileSync(certFile), file: certFile };
}

/* As servers say no. */
export function no(responseCode, text) {
	return Object.assign(new Error(text), { responseCode });
}

/*
 * What it is sent is in `mails`: the message as read by a parser, with the
 * envelope and whether the connection was secure.  Hooks may refuse.
 */
export async function smtpServer(options = {}) {
	const mails = [];
	const passwords = [];
	let connections = 0;
	const server = new SMTPServer({
		authOptional: true,
		disabledCommands: ['STARTTLS'],
		disableReverseLookup: true,
		onConnect(session, done) {
			connections++;
			done();
		},
		onAuth({ username, password }, session, done) {
			passwords.push(`${username}:${password}`);
			username === 'shop' && password === 'p@ss word' ? done(null, { user: username })
			    : done(no(535, 'Authentication failed'));
		},
		async onData(stream, session, done) {
			const chunks = [];
			for await (const chunk of stream)
				chunks.push(chunk);
			mails.push({ ...await read(Buffer.concat(chunks)), envelope: session.envelope,
			    secure: session.secure, user: session.user });
			(options.afterData ?? ((_, answer) => answer()))(mails.at(-1), done);
		},
		...options,
	});
	server.on('error', () => { /* a client that went away */ });
	await new Promise((done) => server.listen(0, '127.0.0.1', done));
	const port = server.server.address().port;
	return {
		mails, passwords, port,
		connections: () => connections,
		url: `${options.secure ? 'smtps' : 'smtp'}://127.0.0.1:${port}`,
		urlAs: (user) => `${options.secure ? 'smtps' : 'smtp'}://${user}@127.0.0.1:${port}`,
		cut: () => server.connections.forEach((connection) => connection._socket.destroy()),
		stop: () => new Promise((done) => server.close(done)),
	};
}

/* A listener that says only what it is told to. */
export async function listener(onSocket) {
	const sockets = new Set();
	const server = net.createServer((socket) => {
		sockets.add(socket);
		socket.on('error', () => {});
		onSocket(socket);
	});
	await new Promise((done) => server.listen(0, '127.0.0.1', done));
	return {
		url: `smtp://127.0.0.1:${server.address().port}`,
		connections: () => sockets.size,
		stop: () => new Promise((done) => {
			sockets.forEach((socket) => socket.destroy());
			server.close(done);
		}),
	};
}

function environment(name) {
	return Object.fromEntries(readFileSync(join(need('SOUK_RUN'), 'env', name), 'utf8').split('\n')
	    .filter(Boolean).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

/*
 * One run of the jobs by a process of our own, with these settings on top of
 * the stack's.  Resolves to its answer, and how it ended.
 */
export function runJobsWith(settings) {
	const env = { ...process.env, ...environment('common.env'), ...environment('cron.env'), ...settings };

	return new Promise((done) => {
		const child = execFile(join(need('SOUK_BIN'), 'cron-jobs_run'), ['--once', 'POST', '/internal/cron/jobs-run'],
		    { env, timeout: 60000 }, (error, out, told) => done({
			status: error ? error.code : 0, signal: error?.signal ?? null, told,
			json: out.startsWith('{') ? JSON.parse(out) : undefined,
		    }));
		child.stdin.end();	/* the body: none */
	});
}
