/*
 * kill -9 at every step of an upload and of a collection: no product ever
 * shows a picture that is not there, and what is left over is found.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { call, exchange } from '../lib/client.mjs';
import { cgi } from '../lib/execute.mjs';
import { need } from '../lib/env.mjs';
import { form } from '../lib/form.mjs';
import { unlike } from '../lib/pictures.mjs';
import { newKey, product, seller } from '../lib/shop.mjs';
import { rows, run, value } from '../lib/sql.mjs';
import { crashAt } from '../lib/stack.mjs';
import { until } from '../lib/wait.mjs';

let owner, mine, path;
const send = (bytes, options) => owner.call('POST', path, { ...form(['image', bytes]), ...options });
/* Whose answer is lost with the process that makes it. */
async function lost(point, bytes, key) {
	const { type, body } = form(['image', bytes]);
	const died = crashAt(point);
	const { status } = await exchange(need('SOUK_URL'), 'POST', path, { body, address: owner.address, headers: {
		'Content-Type': type, Authorization: `Bearer ${owner.token}`, ...key ? { 'Idempotency-Key': key } : {} } });
	await died();
	assert.ok(status >= 500, String(status));
}
const shown = async () => (await call('GET', `/api/products/${mine.id}/images`, { expect: 200 })).json;
const stored = () => value`SELECT count(*) FROM media.object`;
const unused = () => value`SELECT count(*) FROM media.picture WHERE unused_since IS NOT NULL`;

/* Everything that the product shows is in the store (what others show may be in
 * S3), and everything in the store is on the books. */
async function whole() {
	assert.deepEqual(await rows`
		SELECT i.url FROM catalog.product_image i JOIN media.picture p ON p.id = i.picture_id, jsonb_array_elements(p.files) f
		 WHERE i.product_id = ${mine.id}
		   AND NOT EXISTS (SELECT FROM media.object WHERE key = media.key(p, f ->> 'name'))`, []);
	assert.deepEqual(await rows`
		SELECT key FROM media.object WHERE key NOT IN (SELECT key FROM media.garbage)
		   AND key NOT IN (SELECT media.key(p, f ->> 'name') FROM media.picture p, jsonb_array_elements(p.files) f)`, []);
	for (const { renditions } of await shown())
		for (const { url } of renditions)
			assert.equal((await cgi('catalog-media', 'GET', url, { env: { MEDIA_CACHE_DIR: null } })).status, 200);
}

/* What a dead run had claimed is anybody's again after a minute: it is over. */
async function collect() {
	await run`UPDATE media.picture SET unused_since = now() - interval '2 days' WHERE unused_since IS NOT NULL`;
	await run`UPDATE media.garbage SET claimed_until = '-infinity'`;
	return call('POST', '/internal/cron/media-collect', { body: '', token: need('SERVICE_TOKEN') });
}

const collected = () => until('nothing is left over', async () => {
	await collect();
	return await unused() === 0 && await value`SELECT count(*) FROM media.garbage` === 0;
});

before(async () => { owner = await seller(); });
test.beforeEach(async () => {
	mine = await product(owner);
	path = `/api/products/${mine.id}/upload-image`;
});

for (const [point, files] of [['upload_written_down', 0], ['upload_stored', 6]])
	test(`an upload dies at ${point}: nothing is shown, and what it left goes`, async () => {
		await collected();
		const before = await stored();
		await lost(point, unlike());

		assert.deepEqual(await shown(), []);
		assert.equal(await unused(), 1);
		assert.equal(await stored(), before + files);
		await whole();
		await collected();
		assert.equal(await stored(), before);
	});

for (const point of ['upload_written_down', 'upload_stored'])
	test(`an upload dies at ${point} and is sent again: one picture is shown`, async () => {
		const bytes = unlike();
		const key = newKey();
		await lost(point, bytes, key);
		const { json } = await send(bytes, { key, expect: 200 });
		assert.deepEqual(await shown(), [json]);
		await collected();
		await whole();
		assert.deepEqual(await shown(), [json]);
	});

test('an upload dies when its picture is shown, and is sent again: it is shown once', async () => {
	const bytes = unlike();
	const key = newKey();
	await lost('upload_shown', bytes, key);

	const [first] = await shown();
	assert.equal((await shown()).length, 1);
	await run`UPDATE ops.idempotency SET created_at = now() - interval '1 minute' WHERE key = ${key}`;
	assert.deepEqual((await send(bytes, { key, expect: 200 })).json, first);
	assert.deepEqual(await shown(), [first]);
	await whole();
});

for (const point of ['media_files_claimed', 'media_file_deleted'])
	test(`a collection dies at ${point}: the next one ends it`, async () => {
		const [kept, dropped] = [(await send(unlike(), { expect: 200 })).json, (await send(unlike(), { expect: 200 })).json];
		await owner.call('DELETE', `/api/products/${mine.id}/images/${dropped.id}`, { expect: 200 });
		const died = crashAt(point);
		await until('a collection dies', async () => (await collect()).status >= 500 || await unused() === 0);
		await died();
		await whole();
		await collected();
		await whole();
		assert.deepEqual(await shown(), [kept]);
		assert.equal((await cgi('catalog-media', 'GET', dropped.imageUrl, { env: { MEDIA_CACHE_DIR: null } })).status, 404);
	});
