import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { call, refuse } from '../../lib/client.mjs';
import { refusesBadBodies, refusesBadTokens } from '../../lib/bad.mjs';
import { form } from '../../lib/form.mjs';
import { unlike } from '../../lib/pictures.mjs';
import { admin, customer, product, seller } from '../../lib/shop.mjs';
import { run, value } from '../../lib/sql.mjs';
import { until } from '../../lib/wait.mjs';

let owner, mine, other, PATH;
const upload = async (target = mine) => (await owner.call('POST', `/api/products/${target.id}/upload-image`,
    { ...form(['image', unlike()]), expect: 200 })).json;
const list = async () => (await call('GET', PATH, { expect: 200 })).json;
const urls = (images) => images.map(({ imageUrl }) => imageUrl);
const ids = (images) => images.map(({ id }) => id);
const shown = async () => (await call('GET', `/api/products/${mine.id}`, { expect: 200 })).json;
const reorder = (order, options) => owner.call('PUT', PATH, { json: { ids: order }, ...options });
const remove = (id, options) => owner.call('DELETE', `${PATH}/${id}`, options);

before(async () => {
	owner = await seller();
	other = await product(owner);
});
beforeEach(async () => {
	mine = await product(owner);
	PATH = `/api/products/${mine.id}/images`;
});

test('a product\'s pictures are listed in their order', async () => {
	assert.deepEqual(await list(), []);
	const all = [await upload(), await upload(), await upload()];
	assert.deepEqual(await list(), all);
	assert.deepEqual((await shown()).images, urls(all));
	await refuse(404, 'not_found', 'GET', '/api/products/999999999/images');
	await refuse(404, 'not_found', 'GET', '/api/products/abc/images');
});

test('before and after it is for sale, its seller alone sees them', async () => {
	const all = [await upload()];
	await run`UPDATE catalog.product SET is_active = false WHERE id = ${mine.id}`;
	await until('the list is gone', async () => (await (await customer()).call('GET', PATH)).status === 404);
	assert.deepEqual(await owner.get(PATH), all);
	assert.deepEqual(await (await admin()).get(PATH), all);
	await (await seller()).refuse(404, 'not_found', 'GET', PATH);
});

test('those of the demo shop are there, too', async () => {
	const { products } = (await call('GET', '/api/products?search=saffron&limit=1', { expect: 200 })).json;
	const [first] = (await call('GET', `/api/products/${products[0].id}/images`, { expect: 200 })).json;
	assert.equal(first.imageUrl, products[0].image_url);
	assert.deepEqual([first.width, first.height, first.renditions], [null, null, []]);
});

test('they are put in another order, and the first one is the product\'s', async () => {
	const [a, b, c] = [await upload(), await upload(), await upload()];

	assert.deepEqual((await reorder(ids([c, a, b]), { expect: 200 })).json, [c, a, b]);
	assert.deepEqual(await list(), [c, a, b]);
	const product = await shown();
	assert.deepEqual(product.images, urls([c, a, b]));
	assert.equal(product.image_url, c.imageUrl);
	const last = await upload();
	assert.deepEqual(await list(), [c, a, b, last]);
	await (await admin()).call('PUT', PATH, { json: { ids: ids([a, b, c, last]) }, expect: 200 });
	assert.deepEqual(await list(), [a, b, c, last]);
});

test('an order that is the old one changes nothing', async () => {
	const all = [await upload(), await upload()];
	const before = await shown();
	await reorder(ids(all), { expect: 200 });
	assert.deepEqual(await shown(), before);
});

test('an order names each picture once', async () => {
	const [a, b] = [await upload(), await upload()];
	const foreign = await upload(other);

	for (const order of [[], [a.id], [a.id, a.id], [a.id, b.id, b.id], [a.id, foreign.id], [a.id, b.id, foreign.id], [a.id, 999999999]])
		await owner.refuseFields(['ids'], 'PUT', PATH, { json: { ids: order } });
	for (const order of [null, 'x', 5, {}, Array(101).fill(1)])
		await owner.refuseFields(['ids'], 'PUT', PATH, { json: { ids: order } });
	await owner.refuseFields(['ids'], 'PUT', PATH, { json: {} });
	await owner.refuseFields(['ids[0]', 'ids[1]', 'ids[3]', 'ids[4]'], 'PUT', PATH, { json: { ids: [0, -1, 1, 'x', 1.5] } });
	assert.deepEqual(await list(), [a, b]);
});

test('orders at once are whole', async () => {
	const all = [await upload(), await upload(), await upload()];
	const orders = [[0, 1, 2], [2, 1, 0], [1, 0, 2], [0, 2, 1]].map((order) => order.map((i) => all[i].id));

	await Promise.all([...orders, ...orders].map((order) => reorder(order, { expect: 200 })));
	const now = await list();
	assert.ok(orders.some((order) => String(order) === String(ids(now))), ids(now));
	assert.deepEqual((await shown()).images, urls(now));
});

test('one is removed, once', async () => {
	const [a, b, c] = [await upload(), await upload(), await upload()];

	const { json } = await remove(a.id, { expect: 200 });
	assert.deepEqual(Object.keys(json), ['message']);
	assert.deepEqual(await list(), [b, c]);
	assert.equal((await shown()).image_url, b.imageUrl);
	await owner.refuse(404, 'not_found', 'DELETE', `${PATH}/${a.id}`);
	/* Pages made before still find it. */
	await call('GET', a.imageUrl, { expect: 200 });
	await (await admin()).call('DELETE', `${PATH}/${b.id}`, { expect: 200 });
	await remove(c.id, { expect: 200 });
	const product = await shown();
	assert.deepEqual([product.images, product.image_url], [[], null]);
});

test('a picture of two products stays when one of them drops it, whichever is first', async () => {
	const bytes = form(['image', unlike()]);
	const used = (id) => value`SELECT unused_since IS NULL FROM media.picture p
	                             WHERE ${id} LIKE '/media/' || p.hash || '-%'`;
	for (let round = 0; round < 5; round++) {
		const both = await Promise.all([mine, other].map(async ({ id }) =>
			({ product: id, ...(await owner.call('POST', `/api/products/${id}/upload-image`, { ...bytes, expect: 200 })).json })));
		const drop = ({ product, id }) => owner.call('DELETE', `/api/products/${product}/images/${id}`, { expect: 200 });

		assert.equal(both[0].imageUrl, both[1].imageUrl);
		assert.equal(await used(both[0].imageUrl), true);
		if (round % 2) {
			await drop(both[0]);
			assert.equal(await used(both[0].imageUrl), true);
			await drop(both[1]);
		} else {
			await Promise.all(both.map(drop));
		}
		assert.equal(await used(both[0].imageUrl), false);
	}
});

test('only its seller and admins change them', async () => {
	const { id } = await upload();
	const [buyer, stranger] = [await customer(), await seller()];

	await buyer.refuse(403, 'forbidden', 'PUT', PATH, { json: { ids: [id] } });
	await buyer.refuse(403, 'forbidden', 'DELETE', `${PATH}/${id}`);
	await stranger.refuse(404, 'not_found', 'PUT', PATH, { json: { ids: [id] } });
	await stranger.refuse(404, 'not_found', 'DELETE', `${PATH}/${id}`);
	for (const path of [`/api/products/${other.id}/images/${id}`, '/api/products/999999999/images/1', `${PATH}/abc`, `${PATH}/0`])
		await owner.refuse(404, 'not_found', 'DELETE', path);
	await owner.refuse(404, 'not_found', 'PUT', '/api/products/999999999/images', { json: { ids: [1] } });
	assert.deepEqual(ids(await list()), [id]);
});

let somebody;
const person = async () => somebody ??= await seller();
refusesBadTokens('PUT', '/api/products/1/images', person, { json: { ids: [1] } });
refusesBadTokens('DELETE', '/api/products/1/images/1', person);
refusesBadBodies('PUT', '/api/products/1/images', async () => (await person()).token);
