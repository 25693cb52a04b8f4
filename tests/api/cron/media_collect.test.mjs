import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { call, refuse } from '../../lib/client.mjs';
import { cgi } from '../../lib/execute.mjs';
import { need } from '../../lib/env.mjs';
import { form } from '../../lib/form.mjs';
import { unlike } from '../../lib/pictures.mjs';
import { product, seller } from '../../lib/shop.mjs';
import { rows, run, value } from '../../lib/sql.mjs';

const PATH = '/internal/cron/media-collect';
let owner, mine;
const collect = async () => (await call('POST', PATH, { body: '', token: need('SERVICE_TOKEN'), expect: 200 })).json;
const upload = async (bytes = unlike()) => (await owner.call('POST', `/api/products/${mine.id}/upload-image`,
    { ...form(['image', bytes]), expect: 200 })).json;
const remove = ({ id }) => owner.call('DELETE', `/api/products/${mine.id}/images/${id}`, { expect: 200 });
const idOf = ({ imageUrl }) => Number(imageUrl.split('-')[1]);
const age = (...images) => run`UPDATE media.picture SET unused_since = now() - interval '2 days'
                                WHERE unused_since IS NOT NULL AND id = ANY (${`{${images.map(idOf)}}`}::bigint[])`;
const stored = (image) => value`SELECT count(*) FROM media.object WHERE key LIKE ${`${image.imageUrl.slice(7, -8)}%`}`;
/* Past the gateway's copies. */
const status = async ({ imageUrl }) => (await cgi('catalog-media', 'GET', imageUrl, { env: { MEDIA_CACHE_DIR: null } })).status;
/* Runs by itself too, and may hold some for a moment. */
async function collected(...images) {
	for (let tries = 0; tries < 100; tries++) {
		await collect();
		if ((await Promise.all(images.map(stored))).every((n) => n === 0))
			return;
		await run`UPDATE media.garbage SET claimed_until = '-infinity' WHERE claimed_until < now() + interval '55 seconds'`;
	}
	assert.fail('the pictures are still there');
}

before(async () => {
	owner = await seller();
	mine = await product(owner);
});

test('what nobody shows goes when its time is over, and nothing else', async () => {
	const [shown, dropped, fresh] = [await upload(), await upload(), await upload()];
	assert.equal(await stored(shown), 6);
	await remove(dropped);
	await remove(fresh);
	await age(shown, dropped);

	await collected(dropped);
	assert.deepEqual(await Promise.all([shown, dropped, fresh].map(stored)), [6, 0, 6]);
	assert.deepEqual(await Promise.all([shown, dropped, fresh].map(status)), [200, 404, 200]);
	assert.equal(await value`SELECT count(*) FROM media.picture WHERE id = ${idOf(dropped)}`, 0);
});

test('a run says what it did', async () => {
	const all = [await upload(), await upload()];
	await Promise.all(all.map(remove));
	await age(...all);
	const { pictures, files } = await collect();
	assert.ok(pictures >= 0 && pictures <= 200 && files >= 0 && files <= 600);
	await collected(...all);
	assert.deepEqual(Object.keys(await collect()), ['pictures', 'files']);
});

test('a run is bounded, and the next one goes on', async () => {
	await run`INSERT INTO media.picture (hash, files, unused_since)
	          SELECT md5('bounded' || n || random()), '[{"name": "1200.jpg"}]', now() - interval '3 days' FROM generate_series(1, 450) n`;
	const left = () => value`SELECT count(*) FROM media.picture WHERE unused_since < now() - interval '2 days 12 hours'`;
	const before = await left();
	await collect();
	assert.ok(await left() >= Math.max(0, before - 400), 'one run, or one and the one that comes by itself');
	for (let i = 0; i < 4; i++)
		await collect();
	assert.equal(await left(), 0);
});

test('many runs at once delete each file once and fail at nothing', async () => {
	const all = await Promise.all(Array.from({ length: 12 }, () => upload()));
	await Promise.all(all.map(remove));
	await age(...all);
	await Promise.all(Array.from({ length: 8 }, collect));
	await collected(...all);
	assert.equal(await value`SELECT count(*) FROM media.picture WHERE id = ANY (${`{${all.map(idOf)}}`}::bigint[])`, 0);
});

test('a picture that is shown again is kept, and one that comes again is another', async () => {
	const bytes = unlike();
	const first = await upload(bytes);
	await remove(first);
	await age(first);
	const again = await upload(bytes);
	if (again.imageUrl === first.imageUrl) {		/* else it was collected just now */
		await collect();
		assert.equal(await stored(first), 6);
	}
	await remove(again);
	await age(again);
	await collected(again);
	const new_one = await upload(bytes);
	assert.equal(new_one.imageUrl.slice(7, 39), first.imageUrl.slice(7, 39));
	assert.notEqual(new_one.imageUrl, again.imageUrl);
	assert.equal(await status(new_one), 200);
});

test('all that is stored is on the books', async () => {
	assert.deepEqual(await rows`
		SELECT key FROM media.object o WHERE NOT EXISTS (
			SELECT FROM media.picture p, jsonb_array_elements(p.files) f WHERE media.key(p, f ->> 'name') = o.key)
		   AND NOT EXISTS (SELECT FROM media.garbage g WHERE g.key = o.key)`, []);
});

test('uploads, removals and collections at once: whatever a product shows is there', async () => {
	/* Few pictures, the same again and again, each unused for days at once. */
	const few = Array.from({ length: 3 }, () => unlike());
	const hashes = (await Promise.all(few.map((bytes) => upload(bytes)))).map(({ imageUrl }) => imageUrl.slice(7, 39));
	let running = true;
	const collector = (async () => {
		while (running) {
			await run`UPDATE media.picture SET unused_since = unused_since - interval '2 days'
			           WHERE unused_since IS NOT NULL AND hash = ANY (${`{${hashes}}`}::text[])`;
			await collect();
		}
	})();
	const worker = async (n) => {
		for (let round = 0; round < 6; round++) {
			const { status: answer, json } = await owner.call('POST', `/api/products/${mine.id}/upload-image`, form(['image', few[(n + round) % 3]]));
			/* Collected between being written down and shown: told so, and nothing is shown. */
			if (answer === 503)
				continue;
			assert.equal(answer, 200);
			if (round % 3)
				await remove(json);
		}
	};
	await Promise.all([0, 1, 2, 3].map(worker));
	running = false;
	await collector;

	const missing = await rows`
		SELECT i.url FROM catalog.product_image i JOIN media.picture p ON p.id = i.picture_id, jsonb_array_elements(p.files) f
		 WHERE i.product_id = ${mine.id} AND NOT EXISTS (SELECT FROM media.object WHERE key = media.key(p, f ->> 'name'))`;
	assert.deepEqual(missing, []);
	const { json: { images } } = await call('GET', `/api/products/${mine.id}`, { expect: 200 });
	assert.ok(images.length > 0);
	for (const url of images) {
		rmSync(join(need('SOUK_RUN'), url), { force: true });
		await call('GET', url, { expect: 200 });
	}
});

test('only the service may', async () => {
	await refuse(401, 'unauthenticated', 'POST', PATH, { body: '' });
	await owner.refuse(401, 'unauthenticated', 'POST', PATH, { body: '' });
});
