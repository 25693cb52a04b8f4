/* A client of the installed shop: over TLS, as one that minds what HTTP says. */
import https from 'node:https';
import assert from 'node:assert/strict';

export const HOST = 'shop.test';

/*
 * A kept connection may be closed by the server while a request is on its way into
 * it; whoever has had no byte of an answer then asks again on another (RFC 9112,
 * 9.3).  On a new one nothing of the kind may happen.
 */
export function client(port, ca, { kept = true, ...options } = {}) {
	const agent = new https.Agent({ keepAlive: kept, maxSockets: 16, ca, servername: HOST, ...options });
	const used = new WeakSet();

	function once(method, path, headers, body) {
		return new Promise((done, failed) => {
			let again = false;
			const request = https.request({ agent, host: '127.0.0.1', port, method, path, timeout: 30000,
				headers: { Host: HOST, ...(kept ? {} : { Connection: 'close' }),
					...(body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }), ...headers } }, (response) => {
				const chunks = [];
				again = false;
				response.on('data', (chunk) => chunks.push(chunk));
				response.on('error', failed);
				response.on('end', () => done({ status: response.statusCode, headers: response.headers, bytes: Buffer.concat(chunks) }));
			});
			request.on('socket', (socket) => {
				again = used.has(socket);
				used.add(socket);
			});
			request.on('timeout', () => request.destroy(new Error(`${method} ${path}: no answer in 30 s`)));
			request.on('error', (error) => (again && ['ECONNRESET', 'EPIPE'].includes(error.code)
				? done(null) : failed(new Error(`${method} ${path}: ${error.message}`, { cause: error }))));
			request.end(body);
		});
	}

	async function ask(method, path, { headers = {}, body } = {}) {
		for (let tries = 0; tries < 20; tries++) {
			const answer = await once(method, path, headers, body);
			if (answer !== null)
				return answer;
		}
		throw new Error(`${method} ${path}: every connection was closed`);
	}

	return {
		ask,
		/* JSON in and out; anything but `expect` is a failure. */
		async call(method, path, { token, json, body, headers = {}, expect = 200 } = {}) {
			const answer = await ask(method, path, {
				headers: { ...(token ? { Authorization: `Bearer ${token}` } : {}),
					...(json === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
				body: json === undefined ? body : JSON.stringify(json),
			});
			assert.equal(answer.status, expect, `${method} ${path}: ${answer.status} ${answer.bytes.toString().slice(0, 500)}`);
			return answer.bytes.length > 0 ? JSON.parse(answer.bytes) : null;
		},
		close: () => agent.destroy(),
	};
}

/*
 * Asks and asks, eight at once, over kept and over new connections, while `during`
 * goes on; every answer must be good, but for as many as may be lost.
 */
export async function underLoad(port, ca, paths, during, { lost = 0 } = {}) {
	const clients = [client(port, ca), client(port, ca, { kept: false })];
	const bad = [];
	let count = 0;
	let going = true;

	const lanes = Array.from({ length: 8 }, async (_, lane) => {
		for (let i = lane; going; i++) {
			const path = paths[i % paths.length];
			try {
				const { status } = await clients[lane % 2].ask('GET', path);
				if (status !== 200)
					bad.push(`${path}: ${status}`);
			} catch (error) {
				bad.push(error.message);
			}
			count++;
		}
	});
	try {
		await during(() => count);
	} finally {
		going = false;
		await Promise.all(lanes);
		clients.forEach((one) => one.close());
	}
	assert.ok(bad.length <= lost, `of ${count} requests: ${bad.join(', ')}`);
}
