import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { call, refuse, refuseFields } from '../../lib/client.mjs';
import { assertMembers, MONEY, product, seller, unique } from '../../lib/shop.mjs';
import { run } from '../../lib/sql.mjs';

const PATH = '/api/products/suggest';
const letters = () => unique().replace(/[0-9]/g, (digit) => 'ghijklmnop'[digit]);
const WORD = `quince${letters()}`;
const suggest = async (q, more = '') =>
	(await call('GET', `${PATH}?q=${encodeURIComponent(q)}${more}`, { expect: 200 })).json;
const ids = (json) => json.products.map(({ id }) => id);
let owner, jam, tray;

before(async () => {
	owner = await seller();
	jam = await product(owner, { name: `Jam of ${WORD}`, price: '7.50' });
	tray = await product(owner, { name: 'Round tray', description: `For ${WORD}`, tags: [`${WORD}tray`] });
});

test('what was typed goes on as words of the shop, and finds products', async () => {
	const json = await suggest(WORD.slice(0, -2).toUpperCase());

	assertMembers(json, ['words', 'products']);
	assert.deepEqual(json.words, [WORD, `${WORD}tray`]);
	assert.deepEqual(ids(json), [jam.id, tray.id], 'a name before a tag and a description');
	assertMembers(json.products[0], ['id', 'name', 'slug', 'currency', 'price', 'image_url']);
	assert.equal(json.products[0].price, '7.50');
	assert.match(json.products[1].price, MONEY);
});

test('only the last word goes on; the others must be there', async () => {
	assert.deepEqual(ids(await suggest(`jam ${WORD.slice(0, -1)}`)), [jam.id]);
	assert.deepEqual((await suggest(`jam ${WORD.slice(0, -1)}`)).words, [WORD, `${WORD}tray`]);
	assert.deepEqual(ids(await suggest(`carpet ${WORD}`)), []);
});

test('a slip of a finger still finds it', async () => {
	const slip = WORD.replace('quin', 'qiun');
	assert.ok(ids(await suggest(slip)).includes(jam.id), slip);
});

test('one letter is enough, and nothing known is no error', async () => {
	await suggest('q');
	assert.deepEqual(await suggest(`zz${unique()}${unique()}`), { words: [], products: [] });
	assert.deepEqual(await suggest('!?'), { words: [], products: [] });
});

test('limit bounds both lists', async () => {
	const json = await suggest(WORD, '&limit=1');
	assert.equal(json.products.length, 1);
	assert.deepEqual((await suggest(WORD.slice(0, -1), '&limit=1')).words, [WORD]);
});

test('what is off sale is not suggested', async () => {
	const gone = await product(owner, { name: `Syrup of ${WORD}` });
	assert.ok(ids(await suggest(WORD)).includes(gone.id), 'a new product, in the next answer');
	await run`UPDATE catalog.product SET is_active = false WHERE id = ${gone.id}`;
	await product(owner);	/* purges */
	assert.ok(!ids(await suggest(WORD)).includes(gone.id));
});

test('what is typed is only text', async () => {
	for (const q of ["'", "';--", '%', '_', '\\', '()', '&|!', ':*', 'x:*', "a' & 'b", '🐪', 'a'.repeat(100), '-', '"'])
		assert.equal((await call('GET', `${PATH}?q=${encodeURIComponent(q)}`)).status, 200, q);
});

test('bad parameters are 400', async () => {
	await refuseFields(['q'], 'GET', PATH);
	await refuseFields(['q', 'limit'], 'GET', `${PATH}?q=${'a'.repeat(101)}&limit=21`);
	await refuseFields(['q'], 'GET', `${PATH}?q=%20`);
	await refuse(400, 'malformed_request', 'GET', `${PATH}?q=%zz`);
});

test('it is cached, and answers 304', async () => {
	const first = await call('GET', `${PATH}?q=${WORD}&limit=3`, { expect: 200 });
	assert.match(first.headers['cache-control'], /public, max-age=60/);
	await call('GET', `${PATH}?q=${WORD}&limit=3`, { headers: { 'If-None-Match': first.headers.etag }, expect: 304 });
});
