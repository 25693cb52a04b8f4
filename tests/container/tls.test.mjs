/* TLS from inside: whom an authority vouches for is believed, and nobody else. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { customer, product, seller } from '../lib/shop.mjs';
import { newAddress } from '../lib/client.mjs';
import { built, startFunction } from './podman.mjs';
import { authority, certificates, close, reachStack, reachStripe, startNames } from './reached.mjs';

let ours;
let strangers;
let reached;

before(async () => {
	await built('orders-place');
	await startNames();
	ours = authority('ours', 'postgres.souk.test');
	strangers = authority('strangers', 'postgres.souk.test');
	reached = await reachStack({ secured: ours });
});
after(close);

const trusting = (name, ...files) => ({ '/tls/ca.pem:ro': certificates(name, ...files) });
const to = (extra) => ({ ...reached, postgres: (url) => reached.postgres(url, `&sslrootcert=/tls/ca.pem${extra ?? ''}`) });

test('Postgres is asked by TLS, and has to be who it is said to be', async () => {
	const believed = await startFunction('orders-place', to(), { mounts: trusting('right', ours.ca) });
	await believed.answers();
	assert.equal((await believed.get('/ready')).status, 200, await believed.logs());

	const wrong = await startFunction('orders-place', to(), { mounts: trusting('wrong', strangers.ca) });
	await wrong.answers();
	assert.equal((await wrong.get('/ready')).status, 503);
	assert.match(await wrong.logs(), /certificate/);

	const other = { ...to(), postgres: (url) => to().postgres(url).replace('postgres.souk.test', 'another.souk.test') };
	const misnamed = await startFunction('orders-place', other, { mounts: trusting('misnamed', ours.ca) });
	await misnamed.answers();
	assert.equal((await misnamed.get('/ready')).status, 503);
});

test('Stripe is called by https, and has to be who it is said to be', async () => {
	const stripe = authority('stripe', 'stripe.souk.test');
	const base = await reachStripe('stripe.souk.test', stripe);
	const buyer = await customer();
	const goods = await product(await seller());
	const bundle = '/etc/ssl/certs/ca-certificates.crt:ro';
	const place = async (file) => {
		const container = await startFunction('orders-place', to(), {
			env: { STRIPE_API_BASE: base },
			mounts: { ...trusting(`stripe-${file === strangers.ca}`, ours.ca), [bundle]: certificates(`bundle-${file === strangers.ca}`, file) },
		});
		await container.answers();
		const answer = await fetch(`${container.base}/api/orders`, {
			method: 'POST',
			headers: { Authorization: `Bearer ${buyer.token}`, 'Content-Type': 'application/json', 'X-Forwarded-For': newAddress() },
			body: JSON.stringify({ items: [{ productId: goods.id, quantity: 1 }], shippingAddress: '12 Rue des Epices, Fes' }),
		});
		return { status: answer.status, order: await answer.json(), logs: await container.logs() };
	};

	const believed = await place(stripe.ca);
	assert.equal(believed.status, 201, JSON.stringify(believed.order));
	assert.match(believed.order.payment.paymentIntentId, /^pi_/);
	const refused = await place(strangers.ca);
	assert.ok(refused.status >= 500 || !refused.order.payment?.paymentIntentId, JSON.stringify(refused.order));
	assert.match(refused.logs, /certificate/i);
});
