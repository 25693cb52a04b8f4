/* HTTP as it is on the wire, for what fetch() would tidy up or refuse to send. */
import net from 'node:net';

const END_OF_HEAD = Buffer.from('\r\n\r\n');

/* Limits count by address: every conversation comes from one of its own. */
function anyAddress() {
	const byte = () => 2 + Math.floor(Math.random() * 250);
	return `127.${byte()}.${byte()}.${byte()}`;
}

function parseHead(text) {
	const [line, ...fields] = text.split('\r\n');
	const headers = {};
	for (const field of fields) {
		const colon = field.indexOf(':');
		headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim();
	}
	return { status: Number(line.split(' ')[1]), headers };
}

/* One response off the front of the bytes, or null when it is not all there. */
function takeResponse(bytes, head) {
	const end = bytes.indexOf(END_OF_HEAD);
	if (end < 0)
		return null;
	const response = parseHead(bytes.subarray(0, end).toString('latin1'));
	const start = end + END_OF_HEAD.length;
	const length = head || response.status === 304 ? 0 : Number(response.headers['content-length'] ?? 0);
	if (bytes.length < start + length)
		return null;
	response.bytes = bytes.subarray(start, start + length);
	response.body = response.bytes.toString();
	return { response, rest: bytes.subarray(start + length) };
}

/*
 * Sends the text and resolves with as many responses as were asked for.  A
 * server that hangs up early or says nothing for ten seconds fails the test.
 */
export function exchange(base, text, { count = 1, head = false } = {}) {
	const { hostname, port } = new URL(base);
	return new Promise((resolve, reject) => {
		const socket = net.connect({ host: hostname, port: Number(port), localAddress: anyAddress() });
		const responses = [];
		let bytes = Buffer.alloc(0);
		const fail = (why) => {
			socket.destroy();
			reject(new Error(`${why} after ${responses.length} of ${count} responses to ${text.slice(0, 80)}`));
		};
		socket.setTimeout(10_000, () => fail('silence'));
		/* A refused upload may be reset once its answer has been read. */
		socket.on('error', (error) => fail(error.message));
		socket.on('close', () => fail('the connection was closed'));
		socket.on('data', (chunk) => {
			bytes = Buffer.concat([bytes, chunk]);
			for (let taken; (taken = takeResponse(bytes, head)) !== null;) {
				bytes = taken.rest;
				responses.push(taken.response);
			}
			if (responses.length >= count) {
				socket.removeAllListeners();
				socket.on('error', () => {});
				socket.destroy();
				resolve(responses);
			}
		});
		socket.write(text, 'latin1');
	});
}

/* Sends the text and resolves with all that is answered until the server hangs
 * up; the last request says that it may. */
export function converse(base, text) {
	const { hostname, port } = new URL(base);
	return new Promise((resolve, reject) => {
		const socket = net.connect({ host: hostname, port: Number(port), localAddress: anyAddress() });
		const chunks = [];
		socket.setTimeout(10_000, () => socket.destroy(new Error(`silence after ${text.slice(0, 80)}`)));
		socket.on('error', (error) => (error.code === 'ECONNRESET' ? null : reject(error)));
		socket.on('data', (chunk) => chunks.push(chunk));
		socket.on('close', () => {
			const responses = [];
			let rest = Buffer.concat(chunks);
			for (let taken; (taken = takeResponse(rest, false)) !== null; rest = taken.rest)
				responses.push(taken.response);
			resolve(responses);
		});
		socket.write(text, 'latin1');
	});
}

/* The text of one request; the path goes out exactly as given. */
export function request(method, path, headers = {}, body = '') {
	const fields = Object.entries({ Host: 'souk.test', ...headers });
	return `${method} ${path} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
}

export async function ask(base, method, path, headers, body) {
	const [response] = await exchange(base, request(method, path, headers, body), { head: method === 'HEAD' });
	return response;
}
