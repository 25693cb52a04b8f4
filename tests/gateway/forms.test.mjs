/* The forms of an answer: not at all where it is known, compressed where it is
 * public. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { ADDRESS, customer, lines, newKey, product, seller } from '../lib/shop.mjs';
import { base, picture } from './stack.mjs';
import { ask } from './wire.mjs';

const PUBLIC = ['/api/products?limit=20', '/api/categories', '/openapi.json', '/docs', '/docs.css'];
const GZIP = { 'Accept-Encoding': 'gzip' };
const get = (path, headers = {}) => ask(base, 'GET', path, headers);
const words = (text) => (text ?? '').toLowerCase().split(/, */);

/* RFC 9110, 15.4.5: of these a 304 has what the 200 would have had. */
const KEPT = ['cache-control', 'content-location', 'etag', 'expires', 'vary'];

for (const path of PUBLIC)
	test(`${path}: whoever has it is told so, in either form`, async () => {
		for (const headers of [{}, GZIP]) {
			const whole = await get(path, headers);
			const { etag } = whole.headers;
			assert.equal(whole.status, 200);
			assert.match(etag, /^"[^"]+"$/);
			for (const known of [etag, `W/${etag}`, `"x", ${etag}`, `"x",${etag},"y"`, `W/"x" ,\t${etag}`, '*']) {
				const again = await get(path, { ...headers, 'If-None-Match': known });
				assert.equal(again.status, 304, known);
				assert.equal(again.bytes.length, 0);
				for (const name of KEPT)
					assert.equal(again.headers[name], whole.headers[name], `${name} for ${known}`);
				assert.ok(again.headers.date);
				assert.equal(again.headers['x-content-type-options'], 'nosniff');
			}
			for (const unknown of ['"x"', 'x', '', `"${etag}"`, etag.slice(0, -1), etag.slice(1), `x${etag}`, `${etag.slice(0, -1)}x"`, '"*"'])
				assert.equal((await get(path, { ...headers, 'If-None-Match': unknown })).status, 200, unknown);
			const head = await ask(base, 'HEAD', path, { ...headers, 'If-None-Match': etag });
			assert.equal(head.status, 304);
		}
	});

test('a function knows what it sent, whatever form is asked for now', async () => {
	for (const path of PUBLIC.slice(0, 2)) {
		const [plain, coded] = [await get(path), await get(path, GZIP)];
		assert.equal((await get(path, { ...GZIP, 'If-None-Match': plain.headers.etag })).headers.etag, coded.headers.etag);
		const back = await get(path, { 'If-None-Match': coded.headers.etag });
		assert.deepEqual([back.status, back.headers.etag], [304, plain.headers.etag]);
	}
});

for (const path of PUBLIC)
	test(`${path}: compressed for whoever takes gzip, and the same inside`, async () => {
		const plain = await get(path);
		assert.equal(plain.headers['content-encoding'], undefined);
		assert.ok(words(plain.headers.vary).includes('accept-encoding'));
		for (const takes of ['gzip', 'GZIP', 'gzip, deflate, br', 'br, gzip', 'br;q=1.0, gzip;q=0.5', 'deflate,gzip;q=0.001', 'identity;q=0,gzip']) {
			const coded = await get(path, { 'Accept-Encoding': takes });
			assert.equal(coded.headers['content-encoding'], 'gzip', takes);
			assert.ok(words(coded.headers.vary).includes('accept-encoding'), takes);
			assert.notEqual(coded.headers.etag, plain.headers.etag, takes);
			assert.equal(coded.headers['content-type'], plain.headers['content-type']);
			assert.ok(coded.bytes.length < plain.bytes.length / 2, `${coded.bytes.length} of ${plain.bytes.length}`);
			assert.deepEqual(gunzipSync(coded.bytes), plain.bytes, takes);
		}
		for (const takes of ['', 'br', 'identity', 'gzip;q=0', 'gzip; q=0.000', 'xgzip', 'gzipx', 'br, gzip;q=0, deflate'])
			assert.equal((await get(path, { 'Accept-Encoding': takes })).headers['content-encoding'], undefined, takes);
	});

test('a compressed answer is compressed once, and again when it changes', async () => {
	const owner = await seller();
	const { id } = await product(owner, { description: 'a carpet '.repeat(300) });
	const path = `/api/products/${id}`;
	const read = async () => {
		const { headers, bytes } = await get(path, GZIP);
		assert.equal(headers['content-encoding'], 'gzip');
		return JSON.parse(gunzipSync(bytes)).id;
	};

	for (let i = 0; i < 6; i++)
		assert.equal(await read(), id);
});

/* What is told about it, its length too, can be learned from a compressed one. */
test('nothing that is for one user, or short, is compressed', async () => {
	const buyer = await customer();
	const goods = await product(await seller(), { price: 5, stock_quantity: 9 });
	const order = await buyer.call('POST', '/api/orders', { json: { items: lines([goods.id, 1]), ...ADDRESS }, key: newKey(), expect: 201 });
	const authorization = { Authorization: `Bearer ${buyer.token}` };
	const paths = ['/', '/health', '/no-such-path', '/.well-known/jwks.json', '/api/users/profile', '/api/orders', `/api/orders/${order.json.id}`,
		`/api/orders/${order.json.id}/history`, `/api/payments/order/${order.json.id}`];

	for (const path of paths) {
		const { status, headers } = await get(path, { ...GZIP, ...authorization });
		assert.ok(status === 200 || path === '/no-such-path', `${status} ${path}`);
		assert.equal(headers['content-encoding'], undefined, path);
	}
	const json = JSON.stringify({ email: buyer.email, password: buyer.password });
	const signedIn = await ask(base, 'POST', '/api/auth/login',
	    { ...GZIP, 'Content-Type': 'application/json', 'Content-Length': json.length }, json);
	assert.equal(signedIn.status, 200);
	assert.equal(signedIn.headers['content-encoding'], undefined);
	assert.ok(JSON.parse(signedIn.body).accessToken);
});

test('a picture is not compressed again', async () => {
	const { headers } = await ask(base, 'HEAD', await picture(), GZIP);
	assert.equal(headers['content-encoding'], undefined);
});
