/*
 * What Stripe says is checked, as if Stripe could lie: forged and odd events,
 * and a Stripe of our own that answers wrongly, to functions run by hand.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before } from 'node:test';
import { exchange, newAddress } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { cgi } from '../lib/execute.mjs';
import { fault } from '../lib/faults.mjs';
import { always } from '../lib/invariants.mjs';
import { ADDRESS, cents, customer, lines, order, place, product, seller } from '../lib/shop.mjs';
import { one, run, value } from '../lib/sql.mjs';
import { deliver, event, eventId } from '../lib/webhook.mjs';
import { risk } from './risk.mjs';

const case_ = risk(10);
let buyer;
let vendor;
let goods;
let liar;
let answer = (request, response) => response.end('{}');
const heard = [];

before(async () => {
	[vendor, buyer] = [await seller(), await customer()];
	goods = await product(vendor, { stock_quantity: 1000 });
	liar = http.createServer((request, response) => {
		let body = '';
		request.on('data', (chunk) => { body += chunk; });
		request.on('end', () => {
			heard.push({ method: request.method, url: request.url, body: new URLSearchParams(body) });
			answer(request, response, new URLSearchParams(body));
		});
	});
	await new Promise((done) => liar.listen(0, '127.0.0.1', done));
});
after(() => {
	liar.closeAllConnections();
	liar.close();
});

const fresh = () => place(buyer, lines([goods.id, 1]));
const nonceOf = (id) => value`SELECT nonce FROM payments.payment WHERE order_id = ${id}`;
const told = async (placed, changed = {}, type = 'payment_intent.succeeded') => event(type, {
	id: placed.payment.paymentIntentId, object: 'payment_intent', status: 'succeeded', amount: cents(placed.total_amount),
	amount_received: cents(placed.total_amount), currency: 'usd', payment_method: 'pm_x',
	metadata: { order_id: String(placed.id), nonce: await nonceOf(placed.id) }, ...changed,
});
async function unpaid(placed, why) {
	const found = await order(buyer, placed.id);
	assert.equal(`${why}: ${found.status}`, `${why}: confirmed`);
	assert.equal(await value`SELECT count(*) FROM payments.ledger WHERE order_id = ${placed.id}`, 0, why);
}

case_('an event that is true but for one thing pays nothing', async () => {
	const placed = await fresh();
	const other = await fresh();
	const total = cents(placed.total_amount);
	const nonce = await nonceOf(placed.id);

	for (const [why, changed] of Object.entries({
		'a cent less': { amount_received: total - 1 }, 'a cent more': { amount_received: total + 1 }, 'nothing received': { amount_received: 0 },
		'a negative amount': { amount_received: -total }, 'no amount': { amount_received: null }, 'an amount as text': { amount_received: 'all of it' },
		'a fraction': { amount_received: total + 0.5 }, 'an amount beyond 64 bits': { amount_received: 1e30 }, 'a list of amounts': { amount_received: [total] },
		'another currency': { currency: 'jpy' }, 'no currency': { currency: null }, 'an odd currency': { currency: "usd'; --" },
		'another order\'s nonce': { metadata: { order_id: String(placed.id), nonce: await nonceOf(other.id) } },
		'no nonce': { metadata: { order_id: String(placed.id) } }, 'an empty nonce': { metadata: { order_id: String(placed.id), nonce: '' } },
		'no order': { metadata: { nonce } }, 'an order that is not': { metadata: { order_id: '999999999', nonce } },
		'another object': { object: 'charge' }, 'order as SQL': { metadata: { order_id: `${placed.id} OR 1=1`, nonce } },
		'order as a list': { metadata: { order_id: [placed.id], nonce } },
	})) {
		const { status } = await deliver(await told(placed, changed));
		assert.ok([200, 400].includes(status), `${why}: ${status}`);
		await unpaid(placed, why);
	}
	/* And the event that is true in all things does. */
	await deliver(await told(placed), { expect: 200 });
	assert.equal((await order(buyer, placed.id)).status, 'paid');
});

case_('an event about an intent that is not the order\'s moves no money it does not tell of', async () => {
	const placed = await fresh();
	for (const [why, changed] of Object.entries({
		'no id': { id: null }, 'an empty id': { id: '' }, 'an id that is a path': { id: 'pi_x/../../refunds' }, 'no amount': { id: 'pi_other', amount_received: null },
		'nothing': { id: 'pi_other', amount_received: 0 }, 'less than nothing': { id: 'pi_other', amount_received: -5 }, 'all there is': { id: 'pi_other', amount_received: 1e30 },
		'an odd currency': { id: 'pi_other', currency: 'dollars' }, 'no currency': { id: 'pi_other', currency: null },
	})) {
		const { status } = await deliver(await told(placed, changed));
		assert.ok([200, 400].includes(status), `${why}: ${status}`);
		await unpaid(placed, why);
	}
	assert.equal(await value`SELECT count(*) FROM orders.saga WHERE order_id = ${placed.id} AND kind = 'refund'`, 0);
});

case_('an event that nobody signed, or somebody else, pays nothing', async () => {
	const placed = await fresh();
	const body = JSON.stringify(await told(placed));

	for (const options of [{ signature: null }, { signature: '' }, { secret: 'whsec_guess' }, { secret: need('SIM_KEY') }, { secret: '' }, { time: Math.floor(Date.now() / 1000) - 301 }, { time: 0 }]) {
		assert.equal((await deliver(body, options)).status, 400, JSON.stringify(options));
		await unpaid(placed, JSON.stringify(options));
	}
	/* A signature does not travel to another body. */
	const { signature } = await import('../lib/webhook.mjs');
	assert.equal((await deliver(body.replace(String(placed.id), String(placed.id + 1)), { signature: signature(body) })).status, 400);
	await unpaid(placed, 'changed after signing');
});

case_('huge, deep and broken events do no harm', async () => {
	const placed = await fresh();
	const good = await told(placed);
	const deep = `{"id":"${eventId()}","type":"payment_intent.succeeded","data":{"object":${'['.repeat(5000)}${']'.repeat(5000)}}}`;

	for (const body of [deep, '{"id":"evt_1"', JSON.stringify(good).slice(0, -2), JSON.stringify({ ...good, id: 'x'.repeat(256) }), JSON.stringify({ ...good, id: 5, type: {} }), JSON.stringify({ ...good, id: eventId() }).replace('"id"', '"id":"evt_a","id"')])
		assert.equal((await deliver(body)).status, 400, body.slice(0, 80));
	for (const odd of [{ data: null }, { data: [] }, { data: { object: null } }, { data: { object: [] } }, { data: 'x' }, { data: { object: 'x' } }, { data: { object: { object: 'payment_intent', metadata: 'x' } } }, { created: 'yesterday' }, { note: 'x'.repeat(200000) }]) {
		const { status } = await deliver({ ...event('payment_intent.succeeded', {}), ...odd });
		assert.ok([200, 400].includes(status), `${JSON.stringify(odd).slice(0, 80)}: ${status}`);
	}
	assert.equal((await deliver(JSON.stringify({ ...event('x', {}), note: 'x'.repeat(1 << 21) }))).status, 413);
	await unpaid(placed, 'odd events');
});

case_('a failure that Stripe tells of is shown as text, in bounds', async () => {
	const placed = await fresh();
	const message = `<script>alert(1)</script> ${'x'.repeat(5000)}`;
	await deliver(await told(placed, { last_payment_error: { code: "card'; DROP", decline_code: 'x'.repeat(3000), message } }, 'payment_intent.payment_failed'), { expect: 200 });
	const found = await buyer.get(`/api/payments/order/${placed.id}`);
	assert.ok(found.error_message === null || message.startsWith(found.error_message), found.error_message?.slice(0, 100));
	await unpaid(placed, 'failed');
});

/* What a Stripe may answer that does not do what Stripe does. */
const intent = (changed = {}) => (request, response, form) => {
	response.setHeader('Content-Type', 'application/json');
	response.end(JSON.stringify({ id: `pi_liar_${eventId()}`, object: 'payment_intent', status: 'requires_payment_method', amount: Number(form.get('amount')), amount_received: 0,
	    currency: form.get('currency'), client_secret: `pi_x_secret_${eventId()}`, metadata: { order_id: form.get('metadata[order_id]'), nonce: form.get('metadata[nonce]') }, ...changed }));
};
const text = (status, body, headers = {}) => (request, response) => {
	response.writeHead(status, headers);
	response.end(body);
};
const LIES = {
	'no JSON': text(200, 'hello'), 'HTML': text(200, '<html>', { 'Content-Type': 'text/html' }), 'nothing': text(200, ''), 'an empty object': text(200, '{}'), 'an array': text(200, '[]'), 'null': text(200, 'null'),
	'half an object': text(200, '{"id":"pi_1","client_sec'), 'deep JSON': text(200, '['.repeat(100000)), 'an id that is a number': intent({ id: 5 }), 'an id that is null': intent({ id: null }),
	'an id that is an object': intent({ id: {} }), 'an empty id': intent({ id: '' }), 'an id with SQL': intent({ id: `pi_'; DROP TABLE orders.orders; --${eventId()}` }), 'an id with a path': intent({ id: `../../v1/refunds?x=${eventId()}` }), 'a long id': intent({ id: `pi_${'x'.repeat(100000)}` }),
	'no secret': intent({ client_secret: null }), 'a secret that is a list': intent({ client_secret: [] }), '3 MiB': text(200, `{"x":"${'x'.repeat(3 << 20)}"}`), 'a redirect to itself': (request, response) => text(302, '', { Location: `http://127.0.0.1:${liar.address().port}/elsewhere` })(request, response),
	'a redirect to a file': text(301, '', { Location: 'file:///etc/passwd' }), 'a teapot': text(418, '{}'), 'a 500 of HTML': text(500, '<h1>no</h1>'), 'an error of odd form': text(400, '{"error":"no"}'), 'an error in a list': text(402, '{"error":[1]}'), 'a cut answer': (request, response) => {
		response.writeHead(200, { 'Content-Length': '1000' });
		response.write('{"id":');
		response.destroy();
	},
	'silence': () => {}, 'an endless answer': (request, response) => {
		const timer = setInterval(() => response.write(' '), 50);
		response.on('close', () => clearInterval(timer));
	},
};

for (const [name, lie] of Object.entries(LIES))
	case_(`an order stands, unpaid, when Stripe answers with ${name}`, async () => {
		answer = lie;
		heard.length = 0;
		const { status, json, text: body } = await cgi('orders-place', 'POST', '/api/orders', {
			token: buyer.token, json: { items: lines([goods.id, 1]), ...ADDRESS }, address: newAddress(),
			env: { STRIPE_API_BASE: `http://127.0.0.1:${liar.address().port}`, STRIPE_TIMEOUT_MS: '1000' },
		});
		assert.equal(status, 201, body);
		assert.ok(heard.length > 0, 'Stripe was asked');
		assert.ok(heard.every(({ url }) => url.startsWith('/v1/payment_intents')), `followed nothing: ${heard.map(({ url }) => url)}`);
		const found = await order(buyer, json.id);
		assert.ok(['pending', 'confirmed', 'cancelled'].includes(found.status), found.status);
		assert.ok(found.payment === null || found.payment.status !== 'succeeded');
		assert.ok(!body.includes('<html>') && !body.includes('<h1>'));
		/* From here the true Stripe has the word: no saga is left to the liar. */
		await run`UPDATE orders.saga SET state = 'dead', wake_at = NULL WHERE order_id = ${json.id} AND wake_at IS NOT NULL`;
		const { intent: kept } = await one`SELECT stripe_payment_intent_id AS intent FROM payments.payment WHERE order_id = ${json.id}`;
		assert.ok(kept === null || /^pi_[A-Za-z0-9_]{1,250}$/.test(kept), `kept the id ${kept?.slice(0, 100)}`);
	});

const TALES = (placed, nonce) => {
	const paid = { id: placed.payment.paymentIntentId, object: 'payment_intent', status: 'succeeded', amount: cents(placed.total_amount), amount_received: cents(placed.total_amount), currency: 'usd', payment_method: 'pm_x', metadata: { order_id: String(placed.id), nonce } };
	return {
		'too little received': { ...paid, amount_received: 1 }, 'text for an amount': { ...paid, amount_received: 'much' }, 'a fraction': { ...paid, amount_received: 0.5 }, 'an exponent': { ...paid, amount_received: 1e25 }, 'no amount': { ...paid, amount_received: undefined },
		'another currency': { ...paid, currency: 'jpy' }, 'another intent': { ...paid, id: 'pi_other' }, 'another nonce': { ...paid, metadata: { order_id: String(placed.id), nonce: 'x' } }, 'no metadata': { ...paid, metadata: null }, 'an unknown status': { ...paid, status: 'won' }, 'no status': { ...paid, status: undefined },
		'no id': { ...paid, id: undefined }, 'nothing': {}, 'a list': [],
	};
};

case_('a payment looked up at a Stripe that lies is not believed', async () => {
	const placed = await fresh();

	for (const [name, tale] of Object.entries(TALES(placed, await nonceOf(placed.id)))) {
		answer = text(200, JSON.stringify(tale), { 'Content-Type': 'application/json' });
		const { status, json, text: body } = await cgi('payments-status', 'GET', `/api/payments/order/${placed.id}`, {
			token: buyer.token, address: newAddress(), env: { STRIPE_API_BASE: `http://127.0.0.1:${liar.address().port}`, STRIPE_TIMEOUT_MS: '1000', RATE_LIMIT_PAYMENTS: '0' },
		});
		assert.equal(`${name}: ${status}`, `${name}: 200`, body);
		assert.notEqual(json.status, 'succeeded', name);
		await unpaid(placed, name);
	}
});

case_('a Stripe that stalls does not hold an order up', async () => {
	await fault('stall', { path: '/v1/payment_intents', ms: 5000 });
	try {
		const begun = Date.now();
		const { status, bytes } = await exchange(need('SOUK_URL'), 'POST', '/api/orders', { address: newAddress(), body: JSON.stringify({ items: lines([goods.id, 1]), ...ADDRESS }), headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${buyer.token}` } });
		assert.equal(status, 201, bytes.toString());
		assert.ok(Date.now() - begun < 15000);
		assert.equal(JSON.parse(bytes).payment, null);
	} finally {
		await run`DELETE FROM stripe_sim.fault WHERE kind = 'stall' AND ms = 5000`;
	}
});

case_('Stripe is called over its own name with certificates checked, and nowhere else', async () => {
	const { readFileSync } = await import('node:fs');
	const { join, resolve } = await import('node:path');
	const { fileURLToPath } = await import('node:url');
	const root = resolve(fileURLToPath(import.meta.url), '..', '..', '..');
	const source = ['shared/stripe.c', 'runtime/curl_http.c'].map((name) => readFileSync(join(root, name), 'utf8')).join('');

	assert.match(source, /"https:\/\/api\.stripe\.com"/);
	assert.doesNotMatch(source, /SSL_VERIFY(PEER|HOST)|FOLLOWLOCATION/);
	assert.match(source, /CURLOPT_PROTOCOLS_STR, "http,https"/);
});

case_('whatever Stripe told, the books are right', async () => {
	await always();
	assert.equal((await one`SELECT count(*) FROM orders.orders o JOIN payments.payment p ON p.order_id = o.id
	                         WHERE o.user_id = ${buyer.id} AND o.status = 'paid'
	                           AND NOT EXISTS (SELECT FROM payments.ledger l WHERE l.order_id = o.id)`).count, 0);
});
