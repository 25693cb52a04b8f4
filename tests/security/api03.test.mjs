/*
 * Properties: nobody sets or sees what is not theirs.
 */
import assert from 'node:assert/strict';
import { before } from 'node:test';
import { call } from '../lib/client.mjs';
import { endpoints } from '../lib/described.mjs';
import { ADDRESS, assertMembers, customer, freshEmail, lines, ORDER_PAYMENT, PASSWORD, place, product, seller, USER } from '../lib/shop.mjs';
import { one } from '../lib/sql.mjs';
import { bodyFields, bodyFor, callers, everybody, fill, objectOf } from './people.mjs';
import { risk } from './risk.mjs';

const case_ = risk(3);
let people;
let everyone;

before(async () => {
	people = await everybody();
	everyone = callers(people);
});

/* Columns, and names that other frameworks would bind. */
const PRIVILEGED = ['id', 'user_id', 'userId', 'seller_id', 'sellerId', 'role', 'roles', 'is_admin', 'isAdmin', 'admin', 'is_active', 'email_verified', 'is_verified',
    'is_verified_purchase', 'password_hash', 'status', 'payment_status', 'total_amount', 'subtotal', 'tax_amount', 'shipping_cost', 'discount_amount',
    'amount', 'price', 'unit_price', 'currency', 'slug', 'created_at', 'updated_at', 'rating_average', 'rating_count', 'nonce', 'available', 'reserved', 'sold',
    'client_secret', 'sid', 'sub', '$where', '$gt', '__proto__', 'constructor', 'prototype', 'name"; DROP TABLE x; --', 'email[]'];

case_('no body of any endpoint takes a property that it does not declare', async () => {
	for (const endpoint of endpoints.filter(({ body }) => body === 'json')) {
		/* New ones for each: a user may ask 300 times a minute. */
		const people = await everybody();
		const declared = bodyFields(endpoint).map(({ name }) => name);
		const person = endpoint.access === 'admin' ? people.boss : endpoint.access === 'seller' ? people.vendor : people.buyer;
		const make = objectOf(endpoint);
		const id = make === null ? undefined : await make(people);
		const fits = await bodyFor(endpoint, people, person, id);

		for (const name of PRIVILEGED.filter((each) => !declared.includes(each))) {
			/* As text, since {__proto__: x} would set no property. */
			const body = JSON.stringify(fits).replace(/\}$/, `,${JSON.stringify(name)}:"1"}`);
			const answer = await call(endpoint.method, fill(endpoint.path, id), { body, token: person.token });
			const told = `${endpoint.method} ${endpoint.path} ${name}`;
			assert.equal(`${told}: ${answer.status}`, `${told}: 400`);
			assert.ok(answer.json.errors.some((each) => each.field === name), `${told}: ${answer.text}`);
		}
	}
});

case_('nor do the objects in a list of one', async () => {
	const { id } = await product(people.vendor);
	for (const name of ['price', 'unit_price', 'total_price', 'seller_id', 'discount', '__proto__'])
		await people.buyer.refuseFields([`items[0].${name}`], 'POST', '/api/orders', {
			body: `{"shippingAddress":"x","items":[{"productId":${id},"quantity":1,"${name}":"0.01"}]}`,
		});
});

case_('what the address or another encoding adds is not bound', async () => {
	const email = freshEmail();
	const { json } = await call('POST', '/api/auth/register?role=admin&is_active=false&email_verified=true', {
		json: { email, password: PASSWORD }, headers: { 'X-Role': 'admin' }, expect: 201,
	});
	assert.equal(json.user.role, 'customer');
	assert.equal(json.user.email_verified, false);
	assert.equal((await call('POST', '/api/auth/register', { body: `email=${freshEmail()}&password=${PASSWORD}&role=seller`,
	    type: 'application/x-www-form-urlencoded' })).status, 415);
	/* Of two values of one name neither wins. */
	for (const body of [`{"email":"${freshEmail()}","password":"${PASSWORD}","role":"seller","role":"customer"}`,
	    `{"email":"${freshEmail()}","password":"${PASSWORD}","role":"customer","r\\u006fle":"admin"}`])
		assert.equal((await call('POST', '/api/auth/register', { body })).json.code, 'malformed_request');
	assert.equal((await call('GET', '/api/products?limit=1&limit=2')).json.code, 'invalid_input');
});

case_('roles are exactly those, in that spelling', async () => {
	for (const role of ['Admin', 'ADMIN', ' admin', 'admin ', 'ADMİN', 'root', 'superuser', 'administrator', 'seller,admin', ''])
		assert.equal((await call('POST', '/api/auth/register', { json: { email: freshEmail(), password: PASSWORD, role } })).status, 400, role);
	for (const role of [['admin'], { admin: true }, 1, true])
		assert.equal((await call('POST', '/api/auth/register', { json: { email: freshEmail(), password: PASSWORD, role } })).status, 400, JSON.stringify(role));
	const refused = await call('POST', '/api/auth/register', { json: { email: freshEmail(), password: PASSWORD, role: 'admin' } });
	assert.equal(refused.status, 403);
});

/* Every name of a member, at any depth. */
function* members(value, path = '') {
	if (Array.isArray(value))
		for (const each of value)
			yield* members(each, `${path}[]`);
	else if (value !== null && typeof value === 'object')
		for (const [name, each] of Object.entries(value)) {
			yield { name, path: `${path}.${name}`, value: each };
			yield* members(each, `${path}.${name}`);
		}
}

const NEVER = /pass|hash|salt|nonce|secret(?!$)|client_secret|generation|successor|fingerprint|_key$|address_id|cost_per/i;

case_('no answer to anybody holds a hash, a secret or another\'s cost', async () => {
	const goods = await product(people.vendor, { cost_per_item: '3.21' });
	const placed = await place(people.buyer, lines([goods.id, 1]));
	const secret = placed.payment.clientSecret;
	assert.ok(secret);

	for (const endpoint of endpoints.filter(({ method, path }) => method === 'GET' && !path.includes('*')))
		for (const caller of everyone) {
			const id = /orders|payments/.test(endpoint.path) ? placed.id : /products/.test(endpoint.path) ? goods.id : 1;
			const answer = await call('GET', fill(endpoint.path, id), { token: caller.token, address: caller.address });
			const told = `${endpoint.path} to ${caller.name}`;
			if (answer.json === undefined || endpoint.path.includes('jwks'))
				continue;
			for (const { name, path, value } of members(answer.json)) {
				const own = caller.person !== undefined && [people.vendor, people.boss].includes(caller.person);
				if (name === 'cost_per_item')
					assert.ok(own, `${path} in ${told}`);
				else if (name === 'clientSecret')
					assert.ok(value === null || caller.person === people.buyer, `${path} in ${told}`);
				else if (endpoint.path.startsWith('/api/'))
					assert.doesNotMatch(name, NEVER, `${path} in ${told}`);
			}
			if (caller.person !== people.buyer) {
				assert.ok(!answer.text.includes(secret), `the client secret in ${told}`);
				/* Who bought is a number to those who sell. */
				if (caller.person !== people.boss)
					assert.ok(!answer.text.includes(people.buyer.email), `the buyer's e-mail in ${told}`);
			}
		}
});

case_('a product\'s cost is in no cached answer to others', async () => {
	const goods = await product(people.vendor, { cost_per_item: '3.21' });
	const path = `/api/products/${goods.id}`;

	/* Its seller first, so that a cache might keep what the seller saw. */
	assert.equal((await people.vendor.get(path)).cost_per_item, '3.21');
	for (const who of [undefined, people.buyer, people.otherBuyer, people.otherVendor])
		for (let i = 0; i < 2; i++)
			assert.ok(!('cost_per_item' in (await call('GET', path, { token: who?.token, expect: 200 })).json), who?.user.role);
	assert.equal((await people.vendor.get(path)).cost_per_item, '3.21');
	assert.equal((await people.boss.get(path)).cost_per_item, '3.21');
});

case_('objects have exactly the members of the contract', async () => {
	assertMembers(await people.buyer.get('/api/users/profile'), USER);
	const placed = await place(people.buyer, lines([(await product(people.vendor)).id, 1]));
	assertMembers(placed.payment, ORDER_PAYMENT);
	const seen = await people.vendor.get(`/api/orders/${placed.id}`);
	assert.ok(!('clientSecret' in seen.payment) || seen.payment.clientSecret === null);
});

case_('what was refused has left the account as it was', async () => {
	const person = await customer();
	for (const json of [{ role: 'admin' }, { first_name: 'Eve', is_active: false }, { email: 'root@example.com' }, { first_name: 'Eve', id: 1 }])
		await person.call('PUT', '/api/users/profile', { json, expect: 400 });
	const { role, email, first_name } = await one`SELECT role, email, first_name FROM users.account WHERE id = ${person.id}`;
	assert.deepEqual({ role, email, first_name }, { role: 'customer', email: person.email, first_name: 'Ada' });
});

case_('a seller is not made by buying, nor a buyer\'s order by selling', async () => {
	const vendor = await seller();
	const { id } = await product(vendor);
	const placed = await place(people.buyer, lines([id, 1]));
	/* The seller of its items sees an order, and changes nothing of it here. */
	await vendor.refuse(404, 'not_found', 'POST', '/api/payments/create-intent', { json: { orderId: placed.id } });
	await people.buyer.refuse(403, 'forbidden', 'POST', '/api/products', { json: { name: 'Lamp', price: '1.00' } });
	await people.buyer.call('POST', '/api/orders', { json: { items: lines([id, 1]), ...ADDRESS }, expect: 201 });
});
