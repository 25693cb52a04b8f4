/*
 * A function without its gateway: from the shell, or as plain CGI, with other
 * settings than the stack's if need be.
 */
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

export function execute(name, args, { input = '', env = {} } = {}) {
	return new Promise((done) => {
		const child = execFile(join(need('SOUK_BIN'), name), args,
		    { env: { ...environment(name.split('-')[0]), ...env } },
		    (error, stdout) => done({ code: error ? error.code : 0, stdout }));
		child.stdin.on('error', () => { /* it may not read */ });
		child.stdin.end(input);
	});
}

/* One request as CGI; variables by their CGI names, settings by theirs. */
export async function cgi(name, method, uri, { address = '127.0.0.9', token, json, env = {} } = {}) {
	const input = json === undefined ? '' : JSON.stringify(json);
	const { stdout } = await execute(name, [], { input, env: {
		GATEWAY_INTERFACE: 'CGI/1.1', SERVER_PROTOCOL: 'HTTP/1.1', REQUEST_METHOD: method,
		REQUEST_URI: uri, REMOTE_ADDR: address,
		...token === undefined ? {} : { HTTP_AUTHORIZATION: `Bearer ${token}` },
		...input === '' ? {} : { CONTENT_TYPE: 'application/json', CONTENT_LENGTH: String(Buffer.byteLength(input)) },
		...env,
	} });
	const end = stdout.indexOf('\r\n\r\n');
	const fields = stdout.slice(0, end).split('\r\n').map((line) => [
		line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]);
	const headers = Object.fromEntries(fields);
	const text = stdout.slice(end + 4);
	return { status: Number.parseInt(headers.status, 10), headers, text,
		json: /[/+]json/.test(headers['content-type'] ?? '') && text !== '' ? JSON.parse(text) : undefined };
}
