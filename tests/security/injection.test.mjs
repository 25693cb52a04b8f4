/*
 * What clients write stays what it is, text, wherever it goes: into SQL, into
 * headers, into JSON and back out.  Generated from --describe.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { ask, exchange as conversation } from '../gateway/wire.mjs';
import { call, newAddress } from '../lib/client.mjs';
import { endpoints } from '../lib/described.mjs';
import { need } from '../lib/env.mjs';
import { ADDRESS, customer, lines, place, product, seller, unique } from '../lib/shop.mjs';
import { one, rows, value } from '../lib/sql.mjs';
import { bodyFor, everybody, fill, objectOf } from './people.mjs';

const SQL = ["'", '"', '\\', "';", "' OR '1'='1", "' OR 1=1 --", "1 OR 1=1", "1; DROP TABLE users.account CASCADE; --", "'); DELETE FROM orders.orders; --",
    "'; UPDATE users.account SET role = 'admin'; --", "' UNION SELECT password_hash FROM users.account --", "$1", '$$; DROP SCHEMA users CASCADE; $$', "E'\\047", "\\'; SELECT 1; --",
    "' || (SELECT password_hash FROM users.account LIMIT 1) || '", "'::int", "{1,2}", "{\"a\":1}", "[1]", "%'", "/**/", "';COPY users.account TO PROGRAM 'id';--", "'||pg_sleep(30)||'", "\u02bc; DROP TABLE x", "＇ OR 1=1"];
const TYPES = ['str', 'email', 'choice', 'id', 'int', 'bool', 'money', 'number', 'strs'];

let canary;
let tables;
const snapshot = async () => JSON.stringify({
	account: await one`SELECT id, email, role, first_name, password_hash, is_active FROM users.account WHERE id = ${canary.owner.id}`,
	product: await one`SELECT id, name, price, seller_id, is_active FROM catalog.product WHERE id = ${canary.goods.id}`,
	order: await one`SELECT id, user_id, status, total_amount FROM orders.orders WHERE id = ${canary.placed.id}`,
});
const tableList = async () => JSON.stringify(await rows`SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('users', 'catalog', 'orders', 'payments', 'ops') AND c.relkind IN ('r', 'p', 'v') ORDER BY 1`);

before(async () => {
	const owner = await seller();
	const goods = await product(owner);
	canary = { owner, goods, placed: await place(await customer(), lines([goods.id, 1])) };
	canary.as = await snapshot();
	tables = await tableList();
});

async function intact(told) {
	assert.equal(await snapshot(), canary.as, told);
	assert.equal(await tableList(), tables, told);
}

/* Every place a payload can go into: [name, function that makes the request]. */
async function* places(endpoint) {
	const fields = (endpoint.input ?? []).filter(({ type }) => [...TYPES, 'list'].includes(type));

	for (const field of fields) {
		/* A user may ask 300 times a minute: new ones for each field. */
		const people = await everybody();
		const person = { seller: people.vendor, admin: people.boss }[endpoint.access] ?? people.buyer;
		const token = endpoint.access === 'service' ? need('SERVICE_TOKEN') : person.token;
		const make = objectOf(endpoint);
		const id = make === null ? undefined : await make(people);
		const fits = await bodyFor(endpoint, people, person, id);
		const path = fill(endpoint.path, id);
		/* Passwords are guessed from one address only so often. */
		const send = (to, json) => call(endpoint.method, to, { token, json, address: newAddress(), timeout: 20000 });

		if (field.in === 'path')
			yield [field.name, (text) => send(fill(endpoint.path, text), fits)];
		else if (field.in === 'query')
			yield [field.name, (text) => send(`${path}?${field.name}=${encodeURIComponent(text)}`, fits)];
		else if (field.type === 'list')
			for (const item of field.item)
				yield [`${field.name}[].${item.name}`, (text) => send(path, { ...fits, [field.name]: [{ ...fits[field.name]?.[0], [item.name]: text }] })];
		else if (endpoint.body === 'json')
			yield [field.name, (text) => send(path, { ...fits, [field.name]: field.type === 'strs' ? [text] : text })];
	}
	yield ['Idempotency-Key', (text) => call(endpoint.method, fill(endpoint.path, 1), { json: endpoint.method === 'GET' ? undefined : {},
	    headers: { 'Idempotency-Key': Buffer.from(text).toString('latin1') } })];
	yield ['If-None-Match', (text) => call(endpoint.method, fill(endpoint.path, 1), { json: endpoint.method === 'GET' ? undefined : {},
	    headers: { 'If-None-Match': Buffer.from(text).toString('latin1') } })];
}

for (const endpoint of endpoints.filter(({ access, path }) => access !== 'operator' && path !== '/*'))
	test(`SQL in any input of ${endpoint.method} ${endpoint.path} is text`, async () => {
		for await (const [name, send] of places(endpoint))
			for (const text of SQL) {
				const { status } = await send(text);
				const told = `${name} = ${text}: ${status}`;
				assert.ok(status < 500 && status !== 429, told);
			}
		await intact(`${endpoint.method} ${endpoint.path}`);
	});

test('nobody has become an admin by SQL', async () => {
	/* Those that the suites made admins are of theirs. */
	assert.equal(await value`SELECT count(*) FROM users.account WHERE role = 'admin' AND email LIKE '%''%'`, 0);
	assert.equal(await value`SELECT role FROM users.account WHERE id = ${canary.owner.id}`, 'seller');
});

test('SQL in a filter selects nothing more', async () => {
	const { total } = (await call('GET', '/api/products?limit=1', { expect: 200 })).json.pagination;
	assert.ok(total > 0);
	for (const text of ["' OR '1'='1", "zzzz' OR 1=1 --", "x') OR ('1'='1"])
		for (const name of ['search', 'category', 'tags']) {
			const { json } = await call('GET', `/api/products?${name}=${encodeURIComponent(text)}`, { expect: 200 });
			assert.ok(json.pagination.total < total, `${name}=${text}`);
		}
});

test('text comes back as it was sent, whatever it is', async () => {
	const vendor = await seller();
	const buyer = await customer();

	for (const text of [...SQL, '<script>alert(1)</script>', '{{7*7}}', '${7*7}', '%s%n%x', '../../etc/passwd', '=1+1', '\ttab\nnewline\r\n', 'مرحبا', 'שלום', '\u202egnp.exe', '\u200bzero', 'e\u0301', '𝕊𝕠𝕦𝕜', '🐪🏜️', '👩‍👩‍👧', '\ufeffbom', '\u2028line', '\ufffd', '\uffff', '\u0001\u001f\u007f', '日本語']) {
		const name = `${text} ${unique()}`;
		const made = await product(vendor, { name, description: text, tags: [text] });
		const got = (await call('GET', `/api/products/${made.id}`, { expect: 200 })).json;
		assert.deepEqual([got.name, got.description, got.tags], [name, text, [text]]);
		const placed = await place(buyer, lines([made.id, 1]), { body: { ...ADDRESS, customerNotes: text, shippingCity: `x${text}`.slice(0, 100) } });
		assert.equal(placed.customer_notes, text);
		assert.equal(placed.items[0].product_name, name);
	}
});

test('bytes that are no UTF-8, and NUL, are refused in paths and queries', async () => {
	for (const bytes of ['%00', 'a%00b', '%ff', '%fe%ff', '%c0%af', '%c0%80', '%e0%80%af', '%ed%a0%80', '%ed%b0%80', '%f4%90%80%80', '%f8%88%80%80%80', '%e2%82', '%80', '%u0041', '%', '%2', '%zz'])
		for (const target of [`/api/products?search=${bytes}`, `/api/products?category=${bytes}`, `/api/products?tags=${bytes}`, `/api/products/${bytes}`, `/api/orders/${bytes}`, `/${bytes}`, `/api/products?${bytes}=1`, `/media/${bytes}.jpg`]) {
			const { status } = await ask(need('SOUK_URL'), 'GET', target, {});
			assert.ok([400, 401, 404].includes(status) || (status === 200 && target.includes('?%')), `${target}: ${status}`);
		}
});

test('no input makes a header of its own', async () => {
	const bad = (headers) => Object.keys(headers).some((name) => /injected|set-cookie/.test(name));

	for (const text of ['%0d%0aX-Injected:%20yes', '%0aSet-Cookie:%20a=b', '%0d%0a%0d%0a<html>', '%E5%98%8A%E5%98%8DX-Injected:yes', '%23%0d%0aX-Injected:yes'])
		for (const target of [`/${text}`, `/api/products?search=${text}`, `/api/products/1${text}`, `/media/${text}`, `/docs?x=${text}`, `/api/orders/${text}`]) {
			const { status, headers } = await ask(need('SOUK_URL'), 'GET', target, {});
			assert.ok(status < 500, `${target}: ${status}`);
			assert.ok(!bad(headers), target);
		}
	for (const [name, text] of [['X-Request-ID', 'a\r\n X-Injected: yes'], ['X-Request-ID', 'a\nX-Injected2: yes'], ['X-Correlation-ID', 'a\rX-Injected: yes'], ['Origin', 'https://a.example\r\n X-Injected: yes'], ['traceparent', '00-a\nX-Injected: yes'], ['Idempotency-Key', 'a\r\n\tX-Injected: yes']]) {
		const [response] = await conversation(need('SOUK_URL'), `GET /health HTTP/1.1\r\nHost: souk.test\r\n${name}: ${text}\r\n\r\n`);
		/* A line of its own is the client's own header, and answered by none. */
		assert.ok([200, 400].includes(response.status), `${name}: ${response.status}`);
		assert.ok(!bad(response.headers), name);
	}
});

test('requests are not smuggled in bodies of requests', async () => {
	const base = need('SOUK_URL');
	const smuggled = 'GET /api/orders HTTP/1.1\r\nHost: souk.test\r\nX-Smuggled: yes\r\n\r\n';
	const head = 'POST /api/auth/login HTTP/1.1\r\nHost: souk.test\r\nContent-Type: application/json\r\n';

	for (const framing of [`Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`, `Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${smuggled}`,
	    `Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${smuggled}`, `Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${smuggled}`, `Content-Length: 0\r\nContent-Length: 44\r\n\r\n${smuggled}`,
	    `Content-Length: +5\r\n\r\nhello${smuggled}`, `Content-Length: 5, 5\r\n\r\nhello${smuggled}`, `Content-Length: 0x5\r\n\r\nhello${smuggled}`]) {
		const [response] = await conversation(base, head + framing);
		assert.ok([400, 411, 413, 501].includes(response.status), `${framing.slice(0, 60)}: ${response.status}`);
	}
});

test('what a parameter says twice, or in brackets, is not guessed at', async () => {
	for (const query of ['limit=1&limit=2', 'search=a&search=b', 'category=a&category=b'])
		assert.equal((await call('GET', `/api/products?${query}`)).status, 400, query);
	for (const query of ['limit[]=1', 'limit[$gt]=1', 'search[]=a', 'constructor=1', '__proto__=1', '__proto__[role]=admin'])
		await call('GET', `/api/products?${query}`, { expect: 200, address: newAddress() });
});
