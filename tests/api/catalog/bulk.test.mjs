import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { call, refuse, refuseFields } from '../../lib/client.mjs';
import { assertProduct, product, seller } from '../../lib/shop.mjs';

const PATH = '/api/products/bulk';
let owner;
let goods;
const ask = async (ids) => (await call('GET', `${PATH}?ids=${ids}`, { expect: 200 })).json;

before(async () => {
	owner = await seller();
	goods = [];
	for (let i = 0; i < 5; i++)
		goods.push((await product(owner)).id);
});

test('products in the order asked, as often as asked, without what is missing', async () => {
	const [a, b, c, d, e] = goods;
	for (const ids of [[a, b, c, d, e], [e, c, a], [b, b, a, b], [a]]) {
		const found = await ask(ids);
		found.forEach((each) => assertProduct(each));
		assert.deepEqual(found.map(({ id }) => id), ids);
	}
	assert.deepEqual((await ask([999999999999, c, 9223372036854775807n, a])).map(({ id }) => id), [c, a]);
	assert.deepEqual(await ask([999999999999]), []);
});

test('what it cost is told to nobody here', async () => {
	const { json } = await owner.call('GET', `${PATH}?ids=${goods[0]}`, { expect: 200 });
	assertProduct(json[0]);
});

test('a hundred, and not one more', async () => {
	const hundred = Array.from({ length: 100 }, (_, i) => goods[i % 5]);
	assert.deepEqual((await ask(hundred)).map(({ id }) => id), hundred);
	await refuseFields(['ids'], 'GET', `${PATH}?ids=${[...hundred, 1]}`);
	assert.deepEqual(await ask(Array(100).fill('9223372036854775807')), []);
});

test('ids that are none are 400', async () => {
	for (const bad of ['', 'abc', '0', '-1', '1.5', '1,', ',1', '1,,2', '01', '1e3', '+1', '1;2', '1%202', "1'", '9223372036854775808',
	    '99999999999999999999', `${'1'.repeat(3000)}`, '1,x', '%00'])
		assert.equal((await call('GET', `${PATH}?ids=${bad}`)).status, 400, bad);
	await refuseFields(['ids'], 'GET', PATH);
	await refuseFields(['ids'], 'GET', `${PATH}?ids=1,-2`);
	await refuse(400, 'malformed_request', 'GET', `${PATH}?ids=%zz`);
});

test('it is cached, and answers 304', async () => {
	const query = `${PATH}?ids=999999${goods[0]},${goods[0]}`;
	let hit;
	for (let i = 0; i < 200 && hit?.headers['x-cache'] !== 'HIT'; i++)
		hit = await call('GET', query, { expect: 200 });
	assert.equal(hit.headers['x-cache'], 'HIT');
	assert.match(hit.headers['cache-control'], /\bpublic\b.*\bmax-age=\d+/);
	await call('GET', query, { headers: { 'If-None-Match': hit.headers.etag }, expect: 304 });
});
