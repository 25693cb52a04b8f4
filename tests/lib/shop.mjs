/*
 * People of the shop and what they do, so that a test tells only its own story.
 */
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { call, newAddress, refuse, refuseFields } from './client.mjs';
import { need } from './env.mjs';
import { confirm } from './simulator.mjs';
import { until } from './wait.mjs';

export const unique = () => randomBytes(6).toString('hex');
export const freshEmail = (who = 'someone') => `${who}-${unique()}@example.com`;
export const PASSWORD = 'Password123!';
export const ADDRESS = {
	shippingAddress: '1 Market Street',
	shippingCity: 'Riga',
	shippingState: null,
	shippingZip: 'LV-1010',
	shippingCountry: 'LV',
	customerNotes: 'Ring twice',
};

/* Somebody signed in: calls as them come from their own address. */
class Person {
	constructor(user, password, session) {
		this.user = user;
		this.id = user.id;
		this.email = user.email;
		this.password = password;
		this.token = session.accessToken;
		this.refreshToken = session.refreshToken;
		this.address = newAddress();
	}

	as(options) {
		return { token: this.token, address: this.address, ...options };
	}

	call(method, path, options) {
		return call(method, path, this.as(options));
	}

	refuse(status, code, method, path, options) {
		return refuse(status, code, method, path, this.as(options));
	}

	refuseFields(fields, method, path, options) {
		return refuseFields(fields, method, path, this.as(options));
	}

	async get(path) {
		return (await this.call('GET', path, { expect: 200 })).json;
	}
}

export async function login(email, password) {
	return (await call('POST', '/api/auth/login', { json: { email, password }, expect: 200 })).json;
}

async function register(role, more = {}) {
	const email = freshEmail(role);
	await call('POST', '/api/auth/register', {
		json: { email, password: PASSWORD, role, first_name: 'Ada', last_name: 'Byron', ...more },
		expect: 201,
	});
	const session = await login(email, PASSWORD);
	return new Person(session.user, PASSWORD, session);
}

export const customer = (more) => register('customer', more);
export const seller = (more) => register('seller', more);

export async function admin() {
	const session = await login(need('ADMIN_EMAIL'), need('ADMIN_PASSWORD'));
	return new Person(session.user, need('ADMIN_PASSWORD'), session);
}

/* Another one, whose sessions, password and rate limit no other test uses. */
export async function newAdmin() {
	const { run } = await import('./sql.mjs');
	const who = await customer();
	await run`UPDATE users.account SET role = 'admin' WHERE id = ${who.id}`;
	const session = await login(who.email, PASSWORD);
	return new Person(session.user, PASSWORD, session);
}

export async function product(owner, more = {}) {
	return (await owner.call('POST', '/api/products', {
		json: { name: `Lamp ${unique()}`, price: '19.99', stock_quantity: 100, ...more },
		expect: 201,
	})).json;
}

export const lines = (...pairs) => pairs.map(([productId, quantity]) => ({ productId, quantity }));

export async function place(buyer, items, options = {}) {
	return (await buyer.call('POST', '/api/orders', {
		json: { items, ...ADDRESS, ...options.body },
		key: options.key,
		expect: 201,
	})).json;
}

export const order = (person, id) => person.get(`/api/orders/${id}`);

export async function untilOrder(person, id, status, options) {
	return until(`order ${id} is ${status}`, async () => {
		const found = await order(person, id);
		return found.status === status && found;
	}, { every: 100, ...options });
}

/* Confirms the order's intent at the simulator and waits for the shop to know. */
export async function pay(buyer, placed, card = 'pm_card_visa') {
	await confirm(placed.payment.paymentIntentId, card);
	return untilOrder(buyer, placed.id, 'paid');
}

/* By its seller or an admin: on its way to the buyer; by an admin: money back. */
export const move = (who, placed, status, more = {}) =>
	who.call('PUT', `/api/orders/${placed.id}/status`, { json: { status, ...more }, expect: 200 });
export const track = (who, placed, trackingNumber, carrier) =>
	who.call('PUT', `/api/orders/${placed.id}/tracking`, { json: { trackingNumber, carrier }, expect: 200 });
export async function refund(boss, placed, amount) {
	return (await boss.call('POST', '/api/payments/refund', { json: { orderId: placed.id, amount }, expect: 200 })).json;
}

/* What is on sale of a product now, past every cache. */
export async function stockOf(productId) {
	const { one } = await import('./sql.mjs');
	return one`SELECT received, available, reserved, sold
	             FROM catalog.stock WHERE product_id = ${productId}`;
}

export const newKey = () => `key-${randomUUID()}`;

/* As if the request with this key were still at work, its answer not known. */
export async function unanswered(key) {
	const { run } = await import('./sql.mjs');
	await run`UPDATE ops.idempotency SET status = NULL, body = NULL, created_at = now() WHERE key = ${key}`;
}

/* Exactly these members, in any order. */
export function assertMembers(object, names, what = 'object') {
	assert.deepEqual(Object.keys(object).sort(), [...names].sort(), `members of ${what}`);
}

export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
export const MONEY = /^\d+\.\d\d$/;

export function assertTimes(object, names, nullable = []) {
	for (const name of names)
		assert.match(String(object[name]), TIME, name);
	for (const name of nullable)
		assert.ok(object[name] === null || TIME.test(object[name]), `${name}: ${object[name]}`);
}

export const USER = ['id', 'email', 'first_name', 'last_name', 'role', 'is_active',
    'email_verified', 'created_at', 'updated_at'];
export const PRODUCT = ['id', 'seller_id', 'currency', 'category_id', 'category_name', 'name',
    'slug', 'description', 'price', 'compare_at_price', 'stock_quantity', 'sku', 'barcode',
    'weight', 'image_url', 'images', 'tags', 'is_active', 'is_featured', 'rating_average',
    'rating_count', 'created_at', 'updated_at'];
export const ORDER = ['id', 'user_id', 'status', 'payment_status', 'currency', 'subtotal',
    'tax_amount', 'shipping_cost', 'discount_amount', 'total_amount', 'shipping_address',
    'shipping_city', 'shipping_state', 'shipping_zip', 'shipping_country', 'tracking_number',
    'carrier', 'customer_notes', 'created_at', 'updated_at', 'confirmed_at', 'paid_at',
    'shipped_at', 'delivered_at', 'cancelled_at', 'items', 'payment'];
export const LINE = ['id', 'product_id', 'product_name', 'product_sku', 'quantity',
    'unit_price', 'total_price'];
export const ORDER_PAYMENT = ['paymentIntentId', 'clientSecret', 'amount', 'currency', 'status'];
export const PAGINATION = ['page', 'limit', 'total', 'totalPages', 'next_cursor'];

export function assertUser(user) {
	assertMembers(user, USER, 'user');
	assert.ok(Number.isSafeInteger(user.id) && user.id > 0);
	assert.equal(typeof user.is_active, 'boolean');
	assert.equal(typeof user.email_verified, 'boolean');
	assertTimes(user, ['created_at', 'updated_at']);
}

export function assertProduct(found, { own = false } = {}) {
	assertMembers(found, own ? [...PRODUCT, 'cost_per_item'] : PRODUCT, 'product');
	assert.ok(Number.isSafeInteger(found.id) && found.id > 0);
	assert.match(found.price, MONEY);
	assert.equal(found.currency, 'USD');
	assert.ok(found.compare_at_price === null || MONEY.test(found.compare_at_price));
	assert.ok(Number.isSafeInteger(found.stock_quantity));
	assert.ok(Array.isArray(found.images) && Array.isArray(found.tags));
	assert.equal(typeof found.is_featured, 'boolean');
	assertTimes(found, ['created_at', 'updated_at']);
}

/* Money on the wire, in cents; exact. */
export const cents = (text) => {
	assert.match(text, MONEY);
	return Number(text.replace('.', ''));
};

export function assertOrder(found) {
	assertMembers(found, ORDER, 'order');
	for (const name of ['subtotal', 'tax_amount', 'shipping_cost', 'discount_amount', 'total_amount'])
		assert.match(found[name], MONEY, name);
	assertTimes(found, ['created_at', 'updated_at'],
	    ['confirmed_at', 'paid_at', 'shipped_at', 'delivered_at', 'cancelled_at']);
	let subtotal = 0;
	for (const line of found.items) {
		assertMembers(line, LINE, 'order line');
		assert.equal(cents(line.unit_price) * line.quantity, cents(line.total_price));
		subtotal += cents(line.total_price);
	}
	assert.equal(cents(found.subtotal), subtotal, 'subtotal is the sum of the lines');
	assert.equal(cents(found.total_amount), subtotal + cents(found.tax_amount)
	    + cents(found.shipping_cost) - cents(found.discount_amount), 'total');
	if (found.payment !== null) {
		for (const name of Object.keys(found.payment))
			assert.ok(ORDER_PAYMENT.includes(name), `payment.${name}`);
		assert.match(found.payment.paymentIntentId, /^pi_/);
		assert.equal(found.payment.amount, found.total_amount);
		assert.equal(found.payment.currency, found.currency);
	}
}

export function assertPagination(pagination) {
	const names = Object.keys(pagination).filter((name) => name !== 'total_is_estimate');
	assert.deepEqual(names.sort(), [...PAGINATION].sort());
	assert.equal(pagination.totalPages, Math.ceil(pagination.total / pagination.limit));
	assert.ok(pagination.next_cursor === null || typeof pagination.next_cursor === 'string');
}

export const REVIEW = ['id', 'product_id', 'user_id', 'rating', 'title', 'comment',
    'is_verified_purchase', 'is_hidden', 'created_at', 'updated_at'];
export const CATEGORY = ['id', 'parent_id', 'name', 'slug', 'description', 'created_at', 'updated_at'];

export function assertReview(found) {
	assertMembers(found, REVIEW, 'review');
	assert.ok(Number.isSafeInteger(found.id) && found.rating >= 1 && found.rating <= 5);
	for (const name of ['is_verified_purchase', 'is_hidden'])
		assert.equal(typeof found[name], 'boolean', name);
	assertTimes(found, ['created_at', 'updated_at']);
}

export async function review(author, productId, more = {}) {
	return (await author.call('POST', `/api/products/${productId}/reviews`, {
		json: { rating: 4, title: 'Fine', comment: 'It shines', ...more }, expect: 201,
	})).json;
}

export async function category(boss, more = {}) {
	return (await boss.call('POST', '/api/categories', {
		json: { name: `Shelf ${unique()}`, ...more }, expect: 201,
	})).json;
}
