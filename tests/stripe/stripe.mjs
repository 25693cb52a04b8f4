/*
 * A client of the simulator that shows everything: status, headers, body.
 */
import assert from 'node:assert/strict';
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import http from 'node:http';

function need(name) {
	const value = process.env[name];
	if (!value)
		throw new Error(`${name} is not set: it names the simulator under test`);
	return value;
}

export const base = need('SIM_URL');
export const key = need('SIM_KEY');
export const uniqueKey = () => `test-${randomUUID()}`;

/* { a: { b: 1 }, c: ['x'] } is a[b]=1&c[0]=x, as Stripe's SDKs write it. */
export function encode(params, prefix = '') {
	const pairs = [];

	for (const [name, value] of Object.entries(params)) {
		const full = prefix ? `${prefix}[${name}]` : name;

		if (value !== null && typeof value === 'object')
			pairs.push(encode(value, full));
		else
			pairs.push(`${encodeURIComponent(full)}=${encodeURIComponent(value ?? '')}`);
	}
	return pairs.filter(Boolean).join('&');
}

export async function request(method, path, params = {}, options = {}) {
	const { idempotencyKey, authorization = `Bearer ${key}`, headers = {}, body, signal } = options;
	const sends = method === 'POST';
	const query = !sends && Object.keys(params).length > 0 ? `?${encode(params)}` : '';
	const response = await fetch(base + path + query, {
		method,
		signal,
		redirect: 'manual',
		headers: {
			...(authorization ? { Authorization: authorization } : {}),
			...(sends ? { 'Content-Type': 'application/x-www-form-urlencoded' } : {}),
			...(idempotencyKey ? { 'Idempotency-Key': idempotencyKey } : {}),
			...headers,
		},
		body: sends ? body ?? encode(params) : undefined,
	});
	const text = await response.text();
	let json = null;

	if (/json/.test(response.headers.get('content-type') ?? ''))
		json = JSON.parse(text);
	return { status: response.status, headers: response.headers, json, text };
}

export const get = (path, params, options) => request('GET', path, params, options);
export const post = (path, params, options) => request('POST', path, params, options);
export const del = (path) => request('DELETE', path);

/* The same, and it must have worked. */
async function succeed(answering) {
	const answer = await answering;
	assert.equal(answer.status, 200, answer.text);
	return answer.json;
}
export const read = (path, params, options) => succeed(get(path, params, options));
export const write = (path, params, options) => succeed(post(path, params, options));

/* The error an answer must be, member by member. */
export function assertError(answer, status, expected) {
	assert.equal(answer.status, status, answer.text);
	const { error } = answer.json;

	assert.ok(['api_error', 'card_error', 'idempotency_error', 'invalid_request_error']
	    .includes(error.type), error.type);
	assert.ok(!Object.values(error).includes(null), `null members are left out: ${answer.text}`);
	assert.equal(error.doc_url, error.code === undefined ? undefined
	    : `https://stripe.com/docs/error-codes/${error.code.replaceAll('_', '-')}`);
	for (const [name, value] of Object.entries(expected))
		if (value instanceof RegExp)
			assert.match(error[name] ?? '', value, answer.text);
		else
			assert.equal(error[name], value, `${name} of ${answer.text}`);
	return error;
}

export const createIntent = (params = {}, options) =>
    write('/v1/payment_intents', { amount: 2000, currency: 'usd', ...params }, options);
export const confirm = (id, card, params = {}) =>
    post(`/v1/payment_intents/${id}/confirm`, { payment_method: card, ...params });
export const paidIntent = (params = {}) =>
    createIntent({ confirm: true, payment_method: 'pm_card_visa', ...params });

/* Types of the events about an object, oldest first. */
export async function eventTypes(test) {
	const { data } = await read('/v1/events', { limit: 100 });
	return data.filter((event) => test(event.data.object)).reverse().map((event) => event.type);
}

/*
 * A fault that ends with the test that set it.  Tests run side by side: it is
 * for one path or one endpoint that only this test uses.
 */
export async function fault(t, settings) {
	const send = (method, path, body) => fetch(`${base}/simulator/faults${path}`, {
		method,
		headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
		body,
	});
	const answer = await send('POST', '', JSON.stringify(settings));
	const text = await answer.text();

	assert.equal(answer.status, 201, text);
	t.after(() => send('DELETE', `/${JSON.parse(text).id}`));
	return JSON.parse(text);
}

export async function until(what, test, patience = 60000) {
	const end = Date.now() + patience;

	for (;;) {
		const result = await test();
		if (result)
			return result;
		if (Date.now() > end)
			throw new Error(`not within ${patience} ms: ${what}`);
		await new Promise((done) => setTimeout(done, 20));
	}
}

/*
 * A webhook endpoint: an HTTP server registered with the simulator.  answer()
 * decides each status; what arrived is in .received, and .next(n) waits.
 */
export async function receiver(t, events, answer = () => 200) {
	const received = [];
	const server = http.createServer((message, response) => {
		const chunks = [];

		message.on('data', (chunk) => chunks.push(chunk));
		message.on('end', () => {
			const body = Buffer.concat(chunks).toString('utf8');
			const delivery = {
				at: Date.now(),
				body,
				event: JSON.parse(body),
				signature: message.headers['stripe-signature'],
				headers: message.headers,
			};
			const status = answer(delivery, received.length);

			received.push(delivery);
			if (status === null)
				return;		/* never answers */
			response.writeHead(status, { Location: '/elsewhere' });
			response.end();
		});
	});

	await new Promise((done) => server.listen(0, '127.0.0.1', done));
	const url = `http://127.0.0.1:${server.address().port}/hook`;
	const endpoint = await write('/v1/webhook_endpoints', { url, enabled_events: events });

	t.after(async () => {
		await del(`/v1/webhook_endpoints/${endpoint.id}`);
		server.closeAllConnections();
		await new Promise((done) => server.close(done));
	});
	return {
		endpoint,
		received,
		about: (id) => received.filter(({ event }) => event.data.object.id === id),
		next: (n, about = () => true) => until(`${n} webhooks`, () => {
			const found = received.filter(about);
			return found.length >= n ? found : null;
		}),
	};
}

/* As a shop does it: exactly one t, any v1, the whole secret as key. */
export function verifies(delivery, secret) {
	const parts = delivery.signature.split(',').map((part) => part.split('='));
	const t = parts.find(([name]) => name === 't')[1];
	const expected = createHmac('sha256', secret).update(`${t}.${delivery.body}`).digest();

	assert.match(t, /^[0-9]+$/);
	assert.ok(Math.abs(Date.now() / 1000 - Number(t)) < 300, `fresh: ${t}`);
	return parts.filter(([name]) => name === 'v1')
	    .some(([, v1]) => timingSafeEqual(Buffer.from(v1, 'hex'), expected));
}
