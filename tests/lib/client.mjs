/*
 * The HTTP client of the suite.
 *
 * Every answer of the shop passes through here, so what holds for all of them
 * is asserted here once: the problem document of every refusal, the request
 * id, no-store wherever a user is concerned.  What was seen is recorded for
 * the coverage test.
 *
 * Requests leave from many loopback addresses: 127.0.0.0/8 is all ours, so a
 * test chooses whose rate limit it spends.
 */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { conforms } from './contract.mjs';
import { need } from './env.mjs';

/* Idle connections go before lighttpd closes them under us. */
const agent = new http.Agent({ keepAlive: true, maxSockets: 64, timeout: 5000 });
const seenDir = join(need('SOUK_RUN'), 'seen');
const seen = new Set();
const GATEWAYS_OWN = [400, 411, 413, 414, 417, 431, 501, 502, 503, 504, 505];
let shared = { address: null, uses: 0 };

mkdirSync(seenDir, { recursive: true });

/* A loopback address nobody else uses: three random bytes, never 127.0.0.x. */
export function newAddress() {
	const byte = (low) => low + Math.floor(Math.random() * (255 - low));
	return `127.${byte(1)}.${byte(1)}.${byte(2)}`;
}

function anyAddress(path) {
	if (path.startsWith('/api/auth/'))
		return newAddress();
	if (shared.address === null || shared.uses >= 100)
		shared = { address: newAddress(), uses: 0 };
	shared.uses++;
	return shared.address;
}

/*
 * A request as from the world outside: through the one proxy that the stack of
 * the tests believes, since every address the suite has is an operator's.
 */
export function outside(address = `203.0.113.${1 + Math.floor(Math.random() * 250)}`) {
	return { address: need('TRUSTED_PROXIES').split(',')[0], headers: { 'X-Forwarded-For': address } };
}

/* For the coverage test. */
export function record(method, path, status, code) {
	const line = JSON.stringify({ method, path: path.split('?')[0], status, code });
	if (seen.has(line))
		return;
	seen.add(line);
	appendFileSync(join(seenDir, `${process.pid}.jsonl`), line + '\n');
}

/* Bytes in, bytes out. */
export function exchange(origin, method, path, { headers = {}, body, address, timeout = 30000 } = {}) {
	const url = new URL(origin);

	return new Promise((resolve, reject) => {
		const request = http.request({
			agent,
			host: url.hostname,
			port: url.port,
			method,
			path,
			headers: body === undefined ? headers
			    : { 'Content-Length': Buffer.byteLength(body), ...headers },
			localAddress: address,
			timeout,
		}, (response) => {
			const chunks = [];
			response.on('data', (chunk) => chunks.push(chunk));
			response.on('error', reject);
			response.on('end', () => resolve({
				status: response.statusCode,
				headers: response.headers,
				bytes: Buffer.concat(chunks),
			}));
		});
		request.on('timeout', () => request.destroy(
		    new Error(`${method} ${path}: no answer in ${timeout} ms`)));
		request.on('error', reject);
		request.end(body);
	});
}

/* A kept connection may be closed just as it is used again: once more, then. */
async function exchangeAgain(origin, method, path, options) {
	try {
		return await exchange(origin, method, path, options);
	} catch (error) {
		if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE')
			throw error;
		if (method !== 'GET' && !options.headers['Idempotency-Key'])
			throw error;
		return exchange(origin, method, path, options);
	}
}

export function assertProblem(answer, where = '') {
	const { status, headers, json } = answer;
	const told = `${where} ${status} ${answer.text.slice(0, 400)}`;

	assert.match(headers['content-type'] ?? '', /^application\/problem\+json/, `content type of ${told}`);
	assert.equal(typeof json, 'object', told);
	assert.equal(json.status, status, `status member of ${told}`);
	assert.match(json.code, /^[a-z][a-z0-9_]*$/, `code of ${told}`);
	assert.equal(json.type, `/problems/${json.code}`, `type of ${told}`);
	for (const member of ['title', 'detail', 'error'])
		assert.ok(typeof json[member] === 'string' && json[member].length > 0, `${member} of ${told}`);
	assert.equal(json.error, json.detail, `error is detail: ${told}`);
	/* lighttpd's own refusals come before any request has an id. */
	if (!(GATEWAYS_OWN.includes(status) && json.request_id === null)) {
		assert.match(json.request_id, /^[A-Za-z0-9._-]{1,128}$/, `request_id of ${told}`);
		assert.equal(headers['x-request-id'], json.request_id, `X-Request-ID of ${told}`);
	}
	if (status === 401)
		assert.match(headers['www-authenticate'] ?? '', /^Bearer/, `WWW-Authenticate of ${told}`);
	if (status === 405)
		assert.ok(headers.allow, `Allow of ${told}`);
	if (status === 429 || status === 503)
		assert.match(headers['retry-after'] ?? '', /^[0-9]+$/, `Retry-After of ${told}`);
	if (json.code === 'invalid_input') {
		assert.ok(Array.isArray(json.errors) && json.errors.length > 0, `errors of ${told}`);
		for (const entry of json.errors)
			for (const member of ['field', 'code', 'message'])
				assert.equal(typeof entry[member], 'string', `errors[].${member} of ${told}`);
	}
	/* Nothing of the inside is told. */
	assert.doesNotMatch(answer.text, /SELECT |INSERT |pg_|libpq|SQLSTATE|\.c:[0-9]/, `leak in ${told}`);
}

function parse(answer, where) {
	const type = answer.headers['content-type'] ?? '';

	answer.text = answer.bytes.toString('utf8');
	if (!/[/+]json/.test(type) || answer.bytes.length === 0)
		return answer;
	try {
		answer.json = JSON.parse(answer.text);
	} catch (error) {
		assert.fail(`${where}: not JSON (${error.message}): ${answer.text.slice(0, 400)}`);
	}
	return answer;
}

/* What was sent, where that was JSON. */
function sentJson(body, type) {
	try {
		return /^application\/json\b/i.test(type ?? '') ? JSON.parse(body) : undefined;
	} catch {
		return undefined;
	}
}

/*
 * One request to the shop.
 *
 *   json     a value, sent as JSON
 *   body     bytes or text, sent as they are (with `type` as Content-Type)
 *   token    a bearer token
 *   key      an Idempotency-Key
 *   expect   the status it must have, told with the body when it has not
 */
export async function call(method, path, options = {}) {
	const { json, token, key, expect, address = anyAddress(path), timeout } = options;
	const headers = { ...options.headers };
	let body = options.body;
	const where = `${method} ${path.slice(0, 120)}:`;

	if (json !== undefined)
		body = JSON.stringify(json);
	if (body !== undefined && options.type !== null)
		headers['Content-Type'] = options.type ?? 'application/json';
	if (token !== undefined)
		headers.Authorization = `Bearer ${token}`;
	if (key !== undefined)
		headers['Idempotency-Key'] = key;

	const answer = parse(await exchangeAgain(need('SOUK_URL'), method, path,
	    { headers, body, address, timeout }), where);

	/* Of lighttpd's own refusals only this one speaks for the endpoint. */
	if (answer.json?.request_id !== null || answer.status === 413)
		record(method, path, answer.status, answer.json?.code ?? null);
	assert.notEqual(answer.status, 500, `${where} a 500 is a bug: ${answer.text.slice(0, 400)}`);
	/* Where something else is described, conforms() knows. */
	if (answer.status >= 400 && method !== 'HEAD' && !/^application\/json/.test(answer.headers['content-type']))
		assertProblem(answer, where);
	else if (answer.status !== 304)
		assert.match(answer.headers['x-request-id'] ?? '', /^[A-Za-z0-9._-]{1,128}$/,
		    `${where} X-Request-ID`);
	conforms(method, path, answer, sentJson(body, headers['Content-Type']));
	if (token !== undefined && answer.status < 400 && /^\/api\/(users|orders|payments|auth)/.test(path))
		assert.match(answer.headers['cache-control'] ?? '', /\bno-store\b/, `${where} Cache-Control`);
	if (expect !== undefined)
		assert.equal(answer.status, expect, `${where} ${answer.text.slice(0, 600)}`);
	return answer;
}

/* A refusal: its status and its code. */
export async function refuse(status, code, method, path, options = {}) {
	const answer = await call(method, path, { ...options, expect: status });
	assert.equal(answer.json.code, code, answer.text);
	return answer;
}

/* A 400 that names exactly these fields. */
export async function refuseFields(fields, method, path, options = {}) {
	const answer = await refuse(400, 'invalid_input', method, path, options);
	const named = [...new Set(answer.json.errors.map((entry) => entry.field))].sort();
	assert.deepEqual(named, [...fields].sort(), answer.text);
	return answer;
}
