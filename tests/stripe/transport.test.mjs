import assert from 'node:assert/strict';
import test from 'node:test';
import { assertError, base, createIntent, get, key, post, request } from './stripe.mjs';

test('the key may come as Bearer or as the user of Basic', async () => {
	const basic = Buffer.from(`${key}:`).toString('base64');

	assert.equal((await get('/v1/payment_intents')).status, 200);
	assert.equal((await get('/v1/payment_intents', {}, { authorization: `Basic ${basic}` })).status, 200);
});

test('no key, a wrong one and a broken one are 401, the key masked', async () => {
	for (const authorization of [null, 'Bearer sk_test_not_the_right_one_0000', 'Basic !!!!',
		'Bearer ', 'Digest x', `Bearer ${key}x`]) {
		const answer = await get('/v1/payment_intents', {}, { authorization });

		assertError(answer, 401, { type: 'invalid_request_error', code: undefined });
		assert.equal(answer.headers.get('www-authenticate'), 'Bearer realm="Stripe"');
		assert.match(answer.headers.get('request-id'), /^req_[A-Za-z0-9]{14}$/);
	}
	const masked = await get('/v1/payment_intents', {},
	    { authorization: 'Bearer sk_test_not_the_right_one_0000' });
	assert.equal(masked.json.error.message, 'Invalid API Key provided: sk_test_****0000');
});

test('a publishable key sees an intent with its client secret, and nothing else', async () => {
	const authorization = 'Bearer pk_test_browser';
	const intent = await createIntent({ metadata: { secret: 'x' } });
	const path = `/v1/payment_intents/${intent.id}`;

	assertError(await post('/v1/payment_intents', { amount: 100, currency: 'usd' }, { authorization }),
	    403, { code: 'secret_key_required' });
	assertError(await get(path, {}, { authorization }), 400, { param: 'client_secret' });
	assertError(await get(path, { client_secret: `${intent.id}_secret_x` }, { authorization }),
	    400, { param: 'client_secret' });

	const seen = await get(path, { client_secret: intent.client_secret }, { authorization });
	assert.equal(seen.status, 200, seen.text);
	assert.equal(seen.json.status, 'requires_payment_method');
	assert.ok(!('metadata' in seen.json));

	const paid = await post(`${path}/confirm`,
	    { client_secret: intent.client_secret, payment_method: 'pm_card_visa' }, { authorization });
	assert.equal(paid.json.status, 'succeeded', paid.text);
});

test('Stripe-Version is echoed; a malformed one is refused', async () => {
	const good = await get('/v1/payment_intents', {}, { headers: { 'Stripe-Version': '2026-08-26.dahlia' } });
	const bad = await get('/v1/payment_intents', {}, { headers: { 'Stripe-Version': 'tomorrow' } });

	assert.equal(good.headers.get('stripe-version'), '2026-08-26.dahlia');
	assertError(bad, 400, { code: undefined, message: 'Invalid Stripe API version: tomorrow' });
});

test('what is not there is 404 in Stripe\'s words, whatever the method', async () => {
	for (const [method, path] of [['GET', '/v1/nothing'], ['POST', '/v1/nothing'], ['GET', '/'],
		['PUT', '/v1/payment_intents'], ['DELETE', '/v1/refunds']])
		assertError(await request(method, path), 404,
		    { message: new RegExp(`^Unrecognized request URL \\(${method}: ${path}\\)`) });
});

test('a JSON body is 400', async () => {
	const answer = await post('/v1/payment_intents', {}, {
		headers: { 'Content-Type': 'application/json' }, body: '{"amount":100,"currency":"usd"}',
	});
	assertError(answer, 400, { message: /application\/x-www-form-urlencoded/ });
});

test('brackets may be raw or encoded, arrays numbered or not, + is a space', async () => {
	const answer = await post('/v1/payment_intents', {}, {
		body: 'amount=500&currency=eur&description=two+words%2B&metadata[a]=1&metadata%5Bb%5D=2'
		    + '&payment_method_types[]=card&expand[]=latest_charge&expand%5B1%5D=payment_method',
	});
	assert.equal(answer.status, 200, answer.text);
	assert.equal(answer.json.description, 'two words+');
	assert.deepEqual(answer.json.metadata, { a: '1', b: '2' });
	assert.deepEqual(answer.json.payment_method_types, ['card']);
	assert.equal(answer.json.automatic_payment_methods, null);
});

test('broken encodings are 400 and never 500', async () => {
	for (const body of ['amount=%zz', 'amount=%', 'amount=%00', 'description=%ff%fe&amount=1',
		'=&=', '%5B%5D=1', 'metadata[a][b]=1&amount=100&currency=usd', 'metadata[]=1',
		'a'.repeat(100000), 'a=1&'.repeat(5000)]) {
		const answer = await post('/v1/payment_intents', {}, { body });
		assert.equal(answer.status, 400, `${body.slice(0, 40)}: ${answer.text}`);
		assert.equal(answer.json?.error.type, 'invalid_request_error', `${body.slice(0, 40)}: ${answer.text}`);
	}
});

test('the simulator is healthy without a key', async () => {
	assert.equal((await fetch(`${base}/health`)).status, 200);
});
