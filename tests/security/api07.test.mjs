/*
 * The shop calls Stripe and nobody else, whatever it is told.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before } from 'node:test';
import { ask } from '../gateway/wire.mjs';
import { call, exchange, newAddress } from '../lib/client.mjs';
import { endpoints } from '../lib/described.mjs';
import { need } from '../lib/env.mjs';
import { bodyFields, bodyFor, everybody, fill, objectOf } from './people.mjs';
import { risk } from './risk.mjs';

const case_ = risk(7);
const asked = [];
let server;
let url;

before(async () => {
	server = http.createServer((request, response) => {
		asked.push(`${request.method} ${request.url}`);
		response.end('caught');
	});
	await new Promise((done) => server.listen(0, '127.0.0.1', done));
	url = `http://127.0.0.1:${server.address().port}/`;
});
after(() => server.close());

case_('no endpoint takes an address to fetch', () => {
	for (const endpoint of endpoints)
		for (const field of endpoint.input ?? [])
			assert.doesNotMatch(field.name, /ur[il]$|callback|webhook|redirect|host|endpoint|return_to|^next$/i, `${endpoint.path} ${field.name}`);
});

case_('an address in any text is text', async () => {
	const { port } = server.address();
	const baits = [url, `//127.0.0.1:${port}/`, `http://localhost:${port}/x`, `http://[::ffff:127.0.0.1]:${port}/`, `gopher://127.0.0.1:${port}/_x`, `file:///etc/passwd`, `dict://127.0.0.1:${port}/x`, `http://127.0.0.1:${port}@example.com/`];

	for (const endpoint of endpoints) {
		const people = await everybody();
		const person = endpoint.access === 'admin' ? people.boss : endpoint.access === 'seller' ? people.vendor : people.buyer;
		const make = objectOf(endpoint);
		const id = make === null ? undefined : await make(people);
		const fits = await bodyFor(endpoint, people, person, id);
		const texts = (endpoint.input ?? []).filter(({ type }) => ['str', 'strs', 'email', 'choice'].includes(type));

		for (const [i, bait] of baits.entries()) {
			const options = { token: person.token, headers: { Referer: bait, 'X-Forwarded-Host': bait, 'X-Callback-URL': bait } };
			const query = texts.filter((field) => field.in === 'query').map(({ name }) => `${name}=${encodeURIComponent(bait)}`).join('&');
			const body = fits === undefined ? undefined : { ...fits };
			/* One odd field at a time among those that fit, so that some are accepted. */
			const field = texts.filter((each) => each.in === 'body')[i % Math.max(1, texts.length)];
			if (body !== undefined && field !== undefined)
				body[field.name] = field.type === 'strs' ? [bait] : bait;
			const answer = await call(endpoint.method, `${fill(endpoint.path, id)}${query ? `?${query}` : ''}`, { ...options, json: body });
			assert.ok(answer.status < 500, `${endpoint.path} ${bait}`);
		}
	}
	assert.deepEqual(asked, []);
});

case_('the shop is no proxy', async () => {
	const { host, hostname } = new URL(need('SOUK_URL'));

	for (const target of [url, `${url}api/products`, `http://${hostname}:${server.address().port}/api/categories`]) {
		const { status, body } = await ask(need('SOUK_URL'), 'GET', target, { Host: host });
		assert.ok([200, 400, 404].includes(status), `${target}: ${status}`);
		assert.ok(!body.includes('caught'));
	}
	const { status } = await ask(need('SOUK_URL'), 'CONNECT', `127.0.0.1:${server.address().port}`, {});
	assert.ok(status >= 400, String(status));
	for (const path of [`/proxy?url=${encodeURIComponent(url)}`, `/api/proxy/${url}`, `/fetch?u=${url}`, `/media/${url}`, `/media/http:%2f%2f127.0.0.1/x.jpg`])
		assert.ok([400, 404].includes((await exchange(need('SOUK_URL'), 'GET', path, { address: newAddress() })).status), path);
	assert.deepEqual(asked, []);
});

case_('Host changes nothing that is answered', async () => {
	for (const path of ['/', '/api/products', '/api/categories', '/openapi.json', '/docs', '/nothing', '/.well-known/jwks.json']) {
		const headers = { Host: 'evil.example', 'X-Forwarded-Host': 'evil.example', 'X-Host': 'evil.example', Forwarded: 'host=evil.example', 'X-Forwarded-Server': 'evil.example' };
		const answer = await exchange(need('SOUK_URL'), 'GET', path, { headers, address: newAddress() });
		assert.ok(!answer.bytes.includes('evil.example'), path);
		assert.equal(answer.headers.location, undefined, path);
		for (const [name, value] of Object.entries(answer.headers))
			assert.ok(!String(value).includes('evil.example'), `${path} ${name}`);
	}
});

case_('the simulator\'s endpoints are not the shop\'s', async () => {
	for (const [method, path] of [['POST', '/v1/webhook_endpoints'], ['GET', '/v1/webhook_endpoints'], ['POST', '/v1/payment_intents'], ['GET', '/v1/events'], ['POST', '/_sim/faults'], ['GET', '/v1/charges']])
		assert.equal((await call(method, path, { body: method === 'POST' ? `url=${encodeURIComponent(url)}` : undefined, type: 'application/x-www-form-urlencoded',
		    headers: { Authorization: `Bearer ${need('SIM_KEY')}` } })).status, 404, path);
	assert.deepEqual(asked, []);
});

case_('nothing has been fetched', () => {
	assert.deepEqual(asked, []);
	assert.ok(bodyFields(endpoints.find(({ name }) => name === 'place_order')).length > 0);
});
