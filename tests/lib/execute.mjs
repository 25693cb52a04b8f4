/*
 * A function without its gateway: from the shell, or as plain CGI, with other
 * settings than the stack's if need be.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { need } from './env.mjs';

/* What the supervisor gives to a function of a context. */
function environment(context) {
	const file = (name) => {
		try {
			return readFileSync(join(need('SOUK_RUN'), 'env', `${name}.env`), 'utf8');
		} catch {
			return '';
		}
	};
	return Object.fromEntries(`${file('common')}\n${file(context)}`.split('\n').filter(Boolean)
	    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

/* The process, and how it will have ended.  env: variables that differ from the
 * stack's; one that is null is not there. */
export function start(name, args, { input = '', env = {} } = {}) {
	const variables = Object.entries({ ...environment(name.split('-')[0]), ...env })
	    .filter(([, value]) => value !== null);
	let child;
	const ended = new Promise((done) => {
		child = execFile(join(need('SOUK_BIN'), name), args, { env: Object.fromEntries(variables),
		    cwd: need('SOUK_RUN'), encoding: 'buffer', maxBuffer: 1 << 26 },
		    (error, bytes, log) => done({ code: error ? error.code : 0, bytes, log: log.toString() }));
	});

	child.stdin.on('error', () => { /* it may not read */ });
	child.stdin.end(input);
	return { child, ended };
}

export async function execute(name, args, options = {}) {
	const { code, bytes, log } = await start(name, args, options).ended;
	return { code, log, stdout: bytes.toString() };
}

/* One request as CGI (RFC 3875); variables by their CGI names, settings by theirs. */
export async function cgi(name, method, uri, { address = '127.0.0.9', token, json, type, body, headers = {}, env = {} } = {}) {
	const input = json === undefined ? body ?? '' : JSON.stringify(json);
	const media = json === undefined ? type : 'application/json';
	const sent = { ...headers, ...token === undefined ? {} : { Authorization: `Bearer ${token}` } };
	const { code, log, bytes } = await start(name, [], { input, env: {
		GATEWAY_INTERFACE: 'CGI/1.1', SERVER_PROTOCOL: 'HTTP/1.1', REQUEST_METHOD: method,
		REQUEST_URI: uri, REMOTE_ADDR: address,
		...Object.fromEntries(Object.entries(sent).map(([key, value]) => [`HTTP_${key.toUpperCase().replaceAll('-', '_')}`, value])),
		...media === undefined ? {} : { CONTENT_TYPE: media },
		...input.length === 0 ? {} : { CONTENT_LENGTH: String(Buffer.byteLength(input)) },
		...env,
	} }).ended;
	const end = bytes.indexOf('\r\n\r\n');
	if (end < 0)
		return { code, log, headers: {} };
	const fields = bytes.toString('latin1', 0, end).split('\r\n').map((line) => [
		line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]);
	const answer = { code, log, headers: Object.fromEntries(fields), bytes: bytes.subarray(end + 4) };
	answer.status = Number.parseInt(answer.headers.status, 10);
	answer.text = answer.bytes.toString();
	if (/[/+]json/.test(answer.headers['content-type'] ?? '') && answer.text !== '')
		answer.json = JSON.parse(answer.text);
	assert.notEqual(answer.status, 500, answer.text);
	return answer;
}
