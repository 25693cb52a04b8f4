/*
 * A function of the stack as a plain CGI program (RFC 3875), with settings of
 * the test's own.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { need } from './env.mjs';

function settings(name) {
	return Object.fromEntries(['common', name.split('-')[0]].flatMap((file) =>
		readFileSync(join(need('SOUK_RUN'), 'env', `${file}.env`), 'utf8').split('\n').filter(Boolean)
			.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])));
}

/* env: settings that differ; one that is null is not there. */
export async function cgi(name, method, path, { headers = {}, type, body = '', token, env = {} } = {}) {
	const variables = { ...settings(name), REQUEST_METHOD: method, REQUEST_URI: path, REMOTE_ADDR: '127.0.0.1' };
	const input = join(tmpdir(), `souk-cgi-${randomUUID()}`);

	if (token)
		headers = { ...headers, Authorization: `Bearer ${token}` };
	for (const [key, value] of Object.entries(headers))
		variables[`HTTP_${key.toUpperCase().replaceAll('-', '_')}`] = value;
	if (type)
		variables.CONTENT_TYPE = type;
	if (body.length > 0)
		variables.CONTENT_LENGTH = String(Buffer.byteLength(body));
	Object.assign(variables, env);
	for (const key of Object.keys(variables).filter((each) => variables[each] === null))
		delete variables[key];

	writeFileSync(input, body);
	const from = openSync(input, 'r');
	const child = spawn(join(need('SOUK_BIN'), name), [], { env: variables, cwd: need('SOUK_RUN'), stdio: [from, 'pipe', 'pipe'] });
	const out = [];
	let log = '';
	child.stdout.on('data', (bytes) => out.push(bytes));
	child.stderr.on('data', (bytes) => { log += bytes; });
	const code = await new Promise((done) => child.on('close', done));
	closeSync(from);
	rmSync(input);

	const bytes = Buffer.concat(out);
	const end = bytes.indexOf('\r\n\r\n');
	if (end < 0)
		return { code, log };
	const lines = bytes.toString('latin1', 0, end).split('\r\n').map((line) => line.split(': '));
	const answer = {
		code, log,
		headers: Object.fromEntries(lines.map(([key, ...value]) => [key.toLowerCase(), value.join(': ')])),
		bytes: bytes.subarray(end + 4),
	};
	answer.status = Number.parseInt(answer.headers.status, 10);
	answer.text = answer.bytes.toString();
	if (/json/.test(answer.headers['content-type']))
		answer.json = JSON.parse(answer.text);
	assert.notEqual(answer.status, 500, answer.text);
	return answer;
}
