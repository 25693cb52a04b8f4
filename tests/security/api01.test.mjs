/*
 * Objects are their owners'.  matrix.test.mjs asks this of every endpoint with
 * an id; here are the ways around it.
 */
import assert from 'node:assert/strict';
import { before } from 'node:test';
import { call } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { ADDRESS, customer, lines, newKey, order, place, product, seller } from '../lib/shop.mjs';
import { risk } from './risk.mjs';

const case_ = risk(1);
let owner;
let buyer;
let thief;
let goods;
let placed;

before(async () => {
	[owner, buyer, thief] = [await seller(), await customer(), await customer()];
	goods = await product(owner);
	placed = await place(buyer, lines([goods.id, 1]));
});

case_('counting through ids finds only one\'s own', async () => {
	const own = await place(thief, lines([goods.id, 1]));
	const met = [];

	for (let id = Math.max(1, placed.id - 10); id <= own.id + 5; id++)
		for (const path of [`/api/orders/${id}`, `/api/orders/${id}/history`, `/api/payments/order/${id}`]) {
			const answer = await thief.call('GET', path);
			if (answer.status !== 404)
				met.push(`${path} ${answer.status}`);
		}
	assert.deepEqual(met, [`/api/orders/${own.id} 200`, `/api/orders/${own.id}/history 200`,
	    `/api/payments/order/${own.id} 200`]);
});

case_('no spelling of an id reaches another\'s object', async () => {
	const { id } = placed;

	for (const spelling of [`0${id}`, `+${id}`, `-${id}`, `%20${id}`, `${id}%20`, `${id}.0`, `${id}e0`, `0x${id.toString(16)}`,
	    `${id}%00`, `${id}%0a`, `${id};`, `${id},${id}`, `${id}%20OR%201=1`, `${id}'--`, `*`, `%25`, `null`, `undefined`, `NaN`,
	    `[${id}]`, `{"id":${id}}`, `18446744073709551617`, `%EF%BC%91`])
		for (const path of [`/api/orders/${spelling}`, `/api/payments/order/${spelling}`]) {
			/* Not even the owner reaches it under another name. */
			for (const who of [thief, buyer]) {
				const answer = await who.call('GET', path);
				const wanted = /%0[0a]/.test(spelling) ? 400 : 404;
				assert.equal(`${path} ${answer.status}`, `${path} ${wanted}`);
			}
		}
	for (const path of [`/api/orders/${id}?id=${id}&user_id=${buyer.id}`, `/api/orders/${id}/?user=${buyer.id}`,
	    `/api/orders/${id}?id[]=1`])
		assert.equal((await thief.call('GET', path)).status, 404, path);
});

case_('who one is, only the token says', async () => {
	const headers = { 'X-User-ID': String(buyer.id), 'X-User-Id': String(buyer.id), 'X-User-Role': 'admin', 'X-Role': 'admin',
	    'X-Forwarded-User': buyer.email, 'X-Authenticated-User': String(buyer.id), Cookie: `accessToken=${buyer.token}; user_id=${buyer.id}` };

	await thief.refuse(404, 'not_found', 'GET', `/api/orders/${placed.id}`, { headers });
	assert.equal((await thief.call('GET', '/api/users/profile', { headers, expect: 200 })).json.id, thief.id);
	await call('GET', `/api/orders/${placed.id}`, { headers, expect: 401 });
	assert.equal((await thief.call('GET', `/api/users/profile?id=${buyer.id}&user_id=${buyer.id}&userId=${buyer.id}`,
	    { expect: 200 })).json.id, thief.id);
});

case_('a body cannot name another owner', async () => {
	for (const [name, value] of [['user_id', buyer.id], ['userId', buyer.id], ['customer_id', buyer.id], ['owner', buyer.id]])
		await thief.refuseFields([name], 'POST', '/api/orders', { json: { items: lines([goods.id, 1]), ...ADDRESS, [name]: value } });
	for (const name of ['seller_id', 'user_id', 'sellerId'])
		await owner.refuseFields([name], 'POST', '/api/products', { json: { name: 'Lamp', price: '1.00', [name]: thief.id } });
});

case_('a list is of one\'s own orders, whatever is asked for', async () => {
	for (const query of ['', `?user=${buyer.id}`, `?user_id=${buyer.id}`, `?userId=${buyer.id}`, '?seller=me', `?seller=${owner.id}`,
	    '?status=confirmed', '?all=true', '?limit=100']) {
		const answer = await thief.call('GET', `/api/orders${query}`);
		assert.ok([200, 400, 403].includes(answer.status), `${query} ${answer.text}`);
		for (const each of answer.json.orders ?? [])
			assert.equal(each.user_id, thief.id, query);
	}
});

case_('another\'s cursor opens no other list', async () => {
	await place(buyer, lines([goods.id, 1]));
	const page = await buyer.get('/api/orders?limit=1');
	assert.ok(page.pagination.next_cursor);
	const answer = await thief.call('GET', `/api/orders?cursor=${encodeURIComponent(page.pagination.next_cursor)}`, { expect: 200 });
	for (const each of answer.json.orders)
		assert.equal(each.user_id, thief.id);
});

case_('another\'s Idempotency-Key gives nobody its answer', async () => {
	const key = newKey();
	const body = { items: lines([goods.id, 1]), ...ADDRESS };
	const first = await buyer.call('POST', '/api/orders', { json: body, key, expect: 201 });
	const second = await thief.call('POST', '/api/orders', { json: body, key, expect: 201 });

	assert.equal(second.headers['idempotent-replayed'], undefined);
	assert.notEqual(second.json.id, first.json.id);
	assert.equal(second.json.user_id, thief.id);
});

case_('nobody gets a payment going for another\'s order', async () => {
	await thief.refuse(404, 'not_found', 'POST', '/api/payments/create-intent', { json: { orderId: placed.id } });
	await owner.refuse(404, 'not_found', 'POST', '/api/payments/create-intent', { json: { orderId: placed.id } });
	const { json } = await buyer.call('POST', '/api/payments/create-intent', { json: { orderId: placed.id }, expect: 200 });
	assert.equal(json.paymentIntentId, placed.payment.paymentIntentId);
});

case_('the service token is nobody\'s account', async () => {
	for (const path of ['/api/users/profile', '/api/orders', `/api/orders/${placed.id}`])
		await call('GET', path, { token: need('SERVICE_TOKEN'), expect: 401 });
});

case_('nothing a thief did has changed the order', async () => {
	assert.deepEqual(await order(buyer, placed.id), placed);
});
