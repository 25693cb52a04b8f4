/*
 * Everything that can be asked for has a bound, and past it a clear no.
 */
import assert from 'node:assert/strict';
import { before } from 'node:test';
import { call, newAddress } from '../lib/client.mjs';
import { endpoints } from '../lib/described.mjs';
import { need } from '../lib/env.mjs';
import { customer, lines, product } from '../lib/shop.mjs';
import { rows } from '../lib/sql.mjs';
import { bodyFields, bodyFor, everybody, fill, objectOf } from './people.mjs';
import { risk } from './risk.mjs';

const case_ = risk(4);
const ROLES = { user: 'buyer', seller: 'vendor', admin: 'boss' };
let people;

before(async () => {
	people = await everybody();
});

async function setting(endpoint) {
	/* New ones for each: a user may ask 300 times a minute. */
	const people = await everybody();
	const person = people[ROLES[endpoint.access]] ?? people.buyer;
	const make = objectOf(endpoint);
	const id = make === null ? undefined : await make(people);
	const token = endpoint.access === 'service' ? need('SERVICE_TOKEN') : person.token;

	return { path: fill(endpoint.path, id), token, fits: await bodyFor(endpoint, people, person, id), name: `${endpoint.method} ${endpoint.path}` };
}

/* A 400 that names the field. */
async function names(field, answer, told) {
	assert.equal(`${told}: ${answer.status}`, `${told}: 400`);
	assert.ok(answer.json.errors.some((each) => each.field === field || each.field.startsWith(`${field}[`)), `${told}: ${answer.text}`);
}

case_('every field has its bounds declared', () => {
	for (const endpoint of endpoints)
		for (const field of endpoint.input ?? [])
			if (['str', 'int', 'strs', 'list'].includes(field.type) && field.in !== 'path')
				assert.ok(field.max > 0, `${endpoint.method} ${endpoint.path} ${field.name}`);
});

case_('numbers in a query stay within what is declared', async () => {
	for (const endpoint of endpoints) {
		const asked = (endpoint.input ?? []).filter((field) => field.in === 'query' && field.type === 'int');
		if (asked.length === 0)
			continue;
		const { path, token, name } = await setting(endpoint);
		for (const field of asked)
			for (const bad of [field.min - 1, field.max + 1, -1, '1e3', '0x10', '1.5', 'abc', '99999999999999999999', '9223372036854775807', '-9223372036854775808', 'NaN', '1%3B'])
				await names(field.name, await call(endpoint.method, `${path}?${field.name}=${bad}`, { token }), `${name} ${field.name}=${bad}`);
	}
});

case_('text longer than declared is refused, everywhere', async () => {
	for (const endpoint of endpoints) {
		const { path, token, fits, name } = await setting(endpoint);
		for (const field of (endpoint.input ?? []).filter(({ type, max }) => type === 'str' && max > 0)) {
			const long = 'a'.repeat(field.max + 1);
			if (field.in === 'query' && field.max < 4000)
				await names(field.name, await call(endpoint.method, `${path}?${field.name}=${long}`, { token }), `${name} ${field.name}`);
			else if (field.in === 'body' && endpoint.body === 'json')
				await names(field.name, await call(endpoint.method, path, { token, json: { ...fits, [field.name]: long } }), `${name} ${field.name}`);
		}
	}
});

case_('lists longer than declared are refused, everywhere', async () => {
	for (const endpoint of endpoints.filter(({ body }) => body === 'json')) {
		const { path, token, fits, name } = await setting(endpoint);
		for (const field of bodyFields(endpoint).filter(({ type }) => ['strs', 'list'].includes(type)))
			for (const count of [field.max + 1, 3000]) {
				const each = field.type === 'strs' ? 'word' : fits[field.name]?.[0] ?? {};
				await names(field.name, await call(endpoint.method, path, { token, json: { ...fits, [field.name]: Array(count).fill(each) } }), `${name} ${count} ${field.name}`);
			}
	}
});

case_('documents built to be costly are refused at once', async () => {
	const bombs = {
		'100,000 levels': `{"email":${'['.repeat(100000)}${']'.repeat(100000)}}`,
		'100,000 open objects': '{"a":'.repeat(100000),
		'200,000 numbers': `{"email":[${'1,'.repeat(200000)}1]}`,
		'100,000 names': `{${Array.from({ length: 50000 }, (_, i) => `"k${i}":1`).join(',')}}`,
		'a number of a million digits': `{"email":${'9'.repeat(1000000)}}`,
		'a number with a huge exponent': '{"email":1e999999999}',
		'escapes only': `{"email":"${'\\u0041'.repeat(100000)}"}`,
	};
	for (const [name, body] of Object.entries(bombs)) {
		const answer = await call('POST', '/api/auth/login', { body, timeout: 10000 });
		assert.equal(`${name}: ${answer.status}`, `${name}: 400`);
		/* Nor is the refusal itself large. */
		assert.ok(answer.bytes.length < 20000, `${name}: an answer of ${answer.bytes.length} bytes`);
	}
	assert.equal((await call('POST', '/api/auth/login', { body: `{"email":"${'a'.repeat(1 << 20)}"}` })).status, 413);
	/* Packed bodies are not unpacked. */
	assert.ok([400, 415].includes((await call('POST', '/api/auth/login', { body: Buffer.from([0x1f, 0x8b, 8, 0, 0]), headers: { 'Content-Encoding': 'gzip' } })).status));
});

case_('parameters and headers beyond count are refused', async () => {
	const many = (n) => Array.from({ length: n }, (_, i) => `p${i}=1`).join('&');

	await call('GET', `/api/products?${many(1000)}`, { expect: 400 });
	await call('GET', `/api/products?${'&'.repeat(3000)}`, { expect: 200 });
	const answer = await call('GET', '/api/products', { headers: Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`X-H${i}`, '1'])) });
	assert.ok([400, 431].includes(answer.status), String(answer.status));
});

case_('patterns in a search are text, and the search ends', async () => {
	for (const search of ['%', '_', '%%%%%%%%%%%%%%%%%%%%', '%_%_%_%_%_%_%_%_%_%_%_%_', '\\', '\\\\%', '(a+)+$', '(a|a)*b', '.*.*.*.*.*x', '[', '(((((', '^', '|', '&', '!', '<->',
	    ':*', "'", '"', 'a:*&b:*|!c', 'a'.repeat(200), `${'a '.repeat(100)}`.trim(), '🐪'.repeat(100), '* * *', '() OR ()'])
		for (const name of ['search', 'category', 'tags']) {
			const answer = await call('GET', `/api/products?${name}=${encodeURIComponent(search)}`, { timeout: 10000 });
			assert.ok([200, 400].includes(answer.status), `${name}=${search}: ${answer.status}`);
			if (answer.status === 200 && search.startsWith('%'))
				assert.equal(answer.json.products.length, 0, `${name}=${search} is no wildcard`);
		}
});

case_('the furthest page of the widest list is answered', async () => {
	for (const endpoint of endpoints.filter(({ method, input }) => method === 'GET' && (input ?? []).some(({ name }) => name === 'page'))) {
		const { path, token } = await setting(endpoint);
		const page = endpoint.input.find(({ name }) => name === 'page');
		const answer = await call('GET', `${path}?page=${page.max}&limit=100`, { token, timeout: 15000, expect: 200 });
		assert.ok(answer.bytes.length < 2000);
	}
});

case_('no statement runs, waits or idles without end', async () => {
	const roles = await rows`SELECT rolname, rolconfig FROM pg_roles WHERE rolname LIKE 'souk\_%' AND rolcanlogin
	                            AND rolname NOT IN ('souk_owner', 'souk_super')`;
	assert.ok(roles.length >= 6);
	for (const { rolname, rolconfig } of roles)
		for (const name of ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'])
			assert.ok(rolconfig?.some((each) => new RegExp(`^${name}=[1-9]\\d*s$`).test(each)), `${rolname} ${name}`);
});

case_('what is limited says so, and past the limit when to come again', async () => {
	const address = newAddress();
	const answers = await Promise.all(Array.from({ length: 60 }, () =>
		call('POST', '/api/auth/refresh', { json: { refreshToken: 'x' }, address })));
	assert.equal(answers.filter(({ status }) => status === 401).length, 30, '30 in 15 minutes, however many at once');
	for (const { status, headers } of answers) {
		assert.match(headers['ratelimit-limit'], /^\d+$/);
		assert.match(headers['ratelimit-remaining'], /^\d+$/);
		if (status === 429)
			assert.match(headers['retry-after'], /^[1-9]\d*$/);
	}
});

case_('every endpoint of the shop is limited, but for probes and machines', () => {
	const unlimited = endpoints.filter(({ rate }) => rate === 'none');
	for (const { path, access } of unlimited)
		/* A page has dozens of pictures, which browsers and the gateway keep. */
		assert.ok(['/health', '/media/{key}'].includes(path) || ['service', 'operator', 'signed'].includes(access), path);
});

case_('a user\'s payments are limited by user, from wherever', async () => {
	const person = await customer();
	const statuses = [];
	for (let i = 0; i < 101; i++)
		statuses.push((await call('GET', '/api/payments/order/1', { token: person.token, address: newAddress() })).status);
	assert.equal(statuses.filter((status) => status === 404).length, 100);
	assert.equal(statuses.at(-1), 429);
});

case_('one order takes at most 100 lines of 10,000', async () => {
	const { id } = await product(people.vendor, { stock_quantity: 1000000000 });
	await people.buyer.refuseFields(['items'], 'POST', '/api/orders', { json: { items: Array(101).fill(lines([id, 1])[0]), shippingAddress: 'x' } });
	await people.buyer.refuseFields(['items[0].quantity'], 'POST', '/api/orders', { json: { items: lines([id, 10001]), shippingAddress: 'x' } });
});
