/* The one function that starts another program: what that needs is in its image. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { call } from '../lib/client.mjs';
import { form } from '../lib/form.mjs';
import { colourAt, exif, icc, jpeg, look, plain, swappedProfile, webp, ycc } from '../lib/pictures.mjs';
import { product, seller } from '../lib/shop.mjs';
import { built, HARDENED, startFunction } from './podman.mjs';
import { close, reachStack, startNames } from './reached.mjs';

let reached;
let container;
let owner;
let target;

before(async () => {
	await built('catalog-upload_image');
	await startNames();
	reached = await reachStack();
	container = await startFunction('catalog-upload_image', reached, {
		hardened: HARDENED.map((flag) => flag.replace(/=96m$/, '=768m')),
	});
	await container.answers('/ready');
	owner = await seller();
	target = `/api/products/${(await product(owner)).id}/upload-image`;
});
after(close);

async function upload(bytes) {
	const { type, body } = form(['image', bytes]);
	const answer = await fetch(container.base + target, {
		method: 'POST', body, headers: { Authorization: `Bearer ${owner.token}`, 'Content-Type': type },
	});
	return { status: answer.status, json: await answer.json() };
}

test('PNG, JPEG and WebP become JPEG and WebP', async () => {
	for (const bytes of [plain(600, 300), webp(400, 200), jpeg(4, 2, () => ycc([200, 30, 30]))]) {
		const { status, json } = await upload(bytes);
		assert.equal(status, 200, JSON.stringify(json));
		assert.ok(json.renditions.length >= 2);
		for (const { url } of json.renditions)
			assert.ok((await call('GET', url, { expect: 200 })).bytes.length > 0);
	}
});

test('turned as its camera says, in the colours of its profile', async () => {
	const turned = await upload(jpeg(4, 2, () => ycc([200, 30, 30]), { segments: [exif(6, 'a secret')] }));
	assert.deepEqual([turned.json.width, turned.json.height], [16, 32]);
	const swapped = await upload(jpeg(4, 4, () => ycc([255, 0, 0]), { segments: [icc(swappedProfile('a secret'))] }));
	const { bytes } = await call('GET', swapped.json.imageUrl, { expect: 200 });
	assert.ok(look(bytes));
	const [red, green, blue] = colourAt(bytes, 0.5, 0.5);
	assert.ok(Math.max(green, blue) > red, `${red} ${green} ${blue}`);
	assert.ok(!bytes.includes('a secret'));
});

test('who only shows pictures needs nothing of it', async () => {
	await built('catalog-media');
	const media = await startFunction('catalog-media', reached);
	await media.answers('/ready');
	const { json } = await upload(plain(64, 48));
	const answer = await media.get(json.imageUrl);
	assert.equal(answer.status, 200);
	assert.match(answer.headers['content-type'], /^image\/jpeg/);
});

test('what is no picture is refused, and nothing dies of it', async () => {
	for (const bytes of [Buffer.from('no picture'), Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'),
		Buffer.from('49492a0008000000', 'hex'), Buffer.from('%PDF-1.7\n')])
		assert.equal((await upload(bytes)).status, 400);
	assert.equal((await upload(plain(20, 20))).status, 200);
});
