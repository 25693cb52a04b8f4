/*
 * What the control page asks and does, and who else may: nobody but the holder
 * of the secret key.  A browser's headers are written here by hand; a page on
 * the web cannot write them.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { base, confirm, createIntent, key, paidIntent, read, receiver, until } from './stripe.mjs';
import { stripe, toldTypes } from './sdk.mjs';

const { hostname, port } = new URL(base);
const OWN = { Origin: base, 'Sec-Fetch-Site': 'same-origin' };

/* fetch() would not let us say where we come from. */
function ask(method, path, { headers = OWN, json } = {}) {
	return new Promise((done, failed) => {
		const request = http.request({ hostname, port, method, path, headers: {
			...(json === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers } }, (response) => {
			const chunks = [];
			response.on('data', (chunk) => chunks.push(chunk));
			response.on('end', () => {
				const text = Buffer.concat(chunks).toString();
				const isJson = /json/.test(response.headers['content-type'] ?? '');
				done({ status: response.statusCode, headers: response.headers, text, json: isJson ? JSON.parse(text) : null });
			});
		});
		request.on('error', failed);
		request.end(json === undefined ? undefined : JSON.stringify(json));
	});
}
const control = (action, id, more = {}, options = {}) => ask('POST', '/simulator/control', { json: { action, id, ...more }, ...options });
async function works(action, id, more) {
	const answer = await control(action, id, more);
	assert.equal(answer.status, 200, answer.text);
	return answer.json;
}
const state = async (search) => (await ask('GET', `/simulator/state?search=${encodeURIComponent(search)}`)).json;

test('what a buyer does: pay, be declined, be asked by the bank, cancel', async () => {
	const { id } = await createIntent();
	const declined = await control('pay', id, { card: 'pm_card_chargeDeclined' });

	assert.deepEqual([declined.status, declined.json.error.code], [402, 'card_declined']);
	assert.equal((await works('pay', id, { card: 'pm_card_threeDSecure2Required' })).status, 'requires_action');
	assert.equal((await works('authenticate', id, { outcome: 'fail' })).status, 'requires_payment_method');
	await works('pay', id, { card: 'pm_card_threeDSecure2Required' });
	assert.equal((await works('authenticate', id, { outcome: 'succeed' })).status, 'succeeded');
	const again = await control('pay', id, { card: 'pm_card_visa' });
	assert.deepEqual([again.status, again.json.error.code], [400, 'payment_intent_unexpected_state']);
	const other = await createIntent();
	assert.equal((await works('cancel', other.id)).status, 'canceled');
	const held = await paidIntent({ capture_method: 'manual' });
	assert.equal((await works('capture', held.id)).status, 'succeeded');
	/* Nobody has asked for it over the API. */
	const { data } = await read('/v1/events', { type: 'payment_intent.canceled', limit: 100 });
	assert.deepEqual(data.find((event) => event.data.object.id === other.id).request, { id: null, idempotency_key: null });
});

test('what a bank does: disputes, debits, refunds that come back', async () => {
	const paid = await paidIntent();
	const inquiry = await paidIntent();
	const dispute = await works('dispute', paid.id, { reason: 'product_not_received' });

	assert.deepEqual([dispute.status, dispute.reason], ['needs_response', 'product_not_received']);
	assert.equal((await control('dispute', paid.id)).status, 400, 'only once');
	assert.equal((await works('end_dispute', dispute.id, { outcome: 'succeed' })).status, 'won');
	const asked = await works('dispute', inquiry.id, { inquiry: true });
	assert.equal(asked.status, 'warning_needs_response');
	assert.equal((await works('end_dispute', asked.id, { outcome: 'fail' })).status, 'warning_closed');

	const refund = await works('refund', paid.id, { amount: 700 });
	assert.equal(refund.amount, 700);
	assert.equal((await works('finish_refund', refund.id, { outcome: 'fail' })).status, 'failed');
	assert.equal((await stripe.charges.retrieve(paid.latest_charge)).amount_refunded, 0);

	for (const [outcome, status] of [['succeed', 'succeeded'], ['fail', 'requires_payment_method']]) {
		const { id } = await createIntent({ currency: 'eur' });
		assert.equal((await works('pay', id, { card: 'AT611904300234573201' })).status, 'processing');
		assert.equal((await works('finish_payment', id, { outcome })).status, status);
	}
});

test('an event is sent again, a secret rolled', async (t) => {
	const { endpoint, next } = await receiver(t, ['payment_intent.canceled']);
	const { id } = await createIntent();

	await works('cancel', id);
	const [{ event }] = await next(1, (delivery) => delivery.event.data.object.id === id);
	await works('resend', event.id, { webhook_endpoint: endpoint.id });
	await next(2, (delivery) => delivery.event.id === event.id);
	assert.notEqual((await works('roll_secret', endpoint.id)).secret, endpoint.secret);
	const shown = await until('both deliveries are noted', async () => {
		const found = (await state(event.id)).events.find((one) => one.id === event.id);
		const mine = found.deliveries.filter((one) => one.endpoint === endpoint.id && one.delivered);
		return mine.length === 2 && mine;
	});
	assert.deepEqual(shown.map(({ status, attempts, due_ms: due }) => [status, attempts, due]), [[200, 1, null], [200, 1, null]]);
});

test('the state: an intent with its charges, refunds and disputes', async () => {
	const intent = await createIntent({ amount: 1999, metadata: { order: 'x-<b>&"' }, description: 'mine' });

	await confirm(intent.id, 'pm_card_chargeDeclined');
	await confirm(intent.id, 'pm_card_visa');
	await works('refund', intent.id, { amount: 500 });
	await works('dispute', intent.id);
	const { intents, events, cards, endpoints, faults } = await state(intent.id);
	assert.equal(intents.length, 1);
	const [{ charges, ...shown }] = intents;
	assert.deepEqual([shown.status, shown.amount, shown.currency, shown.metadata, shown.description],
	    ['succeeded', '$19.99', 'USD', { order: 'x-<b>&"' }, 'mine']);
	assert.deepEqual(charges.map(({ status, failure, disputed, refundable }) => [status, failure, disputed, refundable]),
	    [['succeeded', null, true, true], ['failed', 'generic_decline', false, false]]);
	assert.deepEqual([charges[0].refunds[0].amount, charges[0].disputes[0].amount], ['$5.00', '$14.99']);
	assert.deepEqual(events.map(({ type }) => type).reverse().slice(0, 3),
	    ['payment_intent.created', 'charge.failed', 'payment_intent.payment_failed']);
	assert.ok(cards.length > 15 && cards[0].alias === 'pm_card_visa');
	assert.ok(Array.isArray(faults) && endpoints.some(({ id }) => id === 'we_1shop'));
	assert.ok(!JSON.stringify(endpoints).includes('whsec_'), 'no secret is shown');
	assert.equal((await state('x-<b>&"')).intents[0].id, intent.id);
	assert.deepEqual((await state('nothing that there is')).intents, []);
	const before = await ask('GET', `/simulator/state?before=${shown.seq}`);
	assert.ok(before.json.intents.every(({ seq }) => seq < shown.seq));
});

test('no page but its own may drive it', async () => {
	const { id } = await createIntent();
	const host = `${hostname}:${port}`;
	const attempts = {
		'nobody in particular': {},
		'another site': { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' },
		'another port of this machine': { Origin: 'http://127.0.0.1:1', 'Sec-Fetch-Site': 'same-site' },
		'a sandboxed frame': { Origin: 'null', 'Sec-Fetch-Site': 'cross-site' },
		'an old browser, elsewhere': { Origin: 'https://evil.example' },
		'a name that was made to mean this machine': { Host: `evil.example:${port}`, Origin: `http://evil.example:${port}`,
			'Sec-Fetch-Site': 'same-origin' },
		'a name that begins like ours': { Host: `localhost.evil.example:${port}`, Origin: `http://localhost.evil.example:${port}`,
			'Sec-Fetch-Site': 'same-origin' },
		'a wrong key': { ...OWN, Authorization: 'Bearer sk_test_not_the_right_one' },
		'a publishable key': { ...OWN, Authorization: 'Bearer pk_test_x' },
	};
	for (const [who, headers] of Object.entries(attempts)) {
		for (const answer of [await control('cancel', id, {}, { headers }), await ask('GET', '/simulator/state', { headers }),
			await ask('GET', '/simulator/faults', { headers }), await ask('DELETE', '/simulator/faults/1', { headers }),
			await ask('DELETE', '/simulator/faults', { headers }),
			await ask('POST', '/simulator/faults', { headers, json: { kind: 'drop', path: `/v1/payment_intents/${id}` } })])
			assert.equal(answer.status, 401, `${who}: ${answer.text}`);
	}
	/* A form can be sent from anywhere, but not as JSON. */
	for (const type of ['text/plain', 'application/x-www-form-urlencoded'])
		assert.equal((await ask('POST', '/simulator/control', { headers: { ...OWN, 'Content-Type': type },
			json: { action: 'cancel', id } })).status, 415);
	assert.equal((await read(`/v1/payment_intents/${id}`)).status, 'requires_payment_method');
	for (const headers of [OWN, { Origin: base }, { Host: `localhost:${port}`, Origin: `http://localhost:${port}` },
		{ Host: host, Authorization: `Bearer ${key}` }])
		assert.equal((await control('roll_secret', 'we_x', {}, { headers })).status, 404);
});

test('the bank\'s page is answered by itself alone', async () => {
	const { id } = await createIntent();
	const path = `/simulator/authenticate/${id}`;
	const send = (headers) => new Promise((done, failed) => http.request({ hostname, port, path, method: 'POST',
		headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers } }, (response) => {
		response.resume();
		response.on('end', () => done(response.statusCode));
	}).on('error', failed).end('outcome=succeed'));

	await confirm(id, 'pm_card_authenticationRequired');
	for (const headers of [{ Origin: 'https://evil.example' }, { Origin: 'null', 'Sec-Fetch-Site': 'cross-site' }])
		assert.equal(await send(headers), 403);
	assert.equal((await read(`/v1/payment_intents/${id}`)).status, 'requires_action');
	assert.equal(await send({ Origin: base, 'Sec-Fetch-Site': 'same-origin' }), 200);
});

test('what makes no sense is refused', async () => {
	const { id } = await createIntent();

	for (const [action, what, more, status] of [['dance', id, {}, 400], ['pay', id, {}, 400], ['authenticate', id, {}, 400],
		['authenticate', id, { outcome: 'succeed' }, 400], ['pay', id, { card: 'pm_card_x' }, 400], ['pay', 'pi_x', { card: 'pm_card_visa' }, 404],
		['refund', id, {}, 400], ['refund', id, { amount: 0 }, 400], ['dispute', id, {}, 400], ['end_dispute', 'du_x', { outcome: 'fail' }, 404],
		['finish_refund', 're_x', { outcome: 'fail' }, 404], ['finish_payment', id, { outcome: 'fail' }, 400],
		['resend', 'evt_x', {}, 404], ['capture', id, {}, 400], ['cancel', '', {}, 400]]) {
		const answer = await control(action, what, more);
		assert.equal(answer.status, status, `${action}: ${answer.text}`);
	}
	for (const [kind, ms, status] of [['stall', 8001, 400], ['delay', 8001, 400], ['webhook_delay', 3600001, 400]])
		assert.equal((await ask('POST', '/simulator/faults', { json: { kind, ms } })).status, status);
	assert.deepEqual(await toldTypes(id), ['payment_intent.created']);
});

test('the page and its parts need nothing from elsewhere', async () => {
	const page = await ask('GET', '/simulator', { headers: {} });

	assert.equal(page.status, 200);
	assert.match(page.headers['content-type'], /^text\/html/);
	const policy = page.headers['content-security-policy'];
	for (const part of ['default-src \'none\'', 'script-src \'self\'', 'frame-ancestors \'none\''])
		assert.ok(policy.includes(part), policy);
	assert.ok(!/unsafe|https?:/.test(policy));
	assert.equal(page.headers['x-content-type-options'], 'nosniff');
	assert.ok(!/https?:\/\//.test(page.text), 'no address of elsewhere');
	for (const [path, type] of [['page.js', 'text/javascript'], ['page.css', 'text/css']]) {
		const part = await ask('GET', `/simulator/${path}`, { headers: {} });
		assert.ok(part.status === 200 && part.headers['content-type'].startsWith(type), path);
		assert.ok(!/https?:\/\//.test(part.text), path);
	}
	assert.equal((await ask('GET', '/simulator/page.html', { headers: {} })).status, 401);
});
