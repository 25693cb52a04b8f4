import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, beforeEach, test } from 'node:test';
import { call, record, refuse } from '../../lib/client.mjs';
import { cgi } from '../../lib/execute.mjs';
import { need } from '../../lib/env.mjs';
import { form } from '../../lib/form.mjs';
import { unlike } from '../../lib/pictures.mjs';
import { product, seller } from '../../lib/shop.mjs';

let owner, path;
const upload = async () => (await owner.call('POST', path, { ...form(['image', unlike(300, 200)]), expect: 200 })).json;
const get = (url, headers = {}, options) => call('GET', url, { headers, ...options });
const kept = (url) => join(need('SOUK_RUN'), 'media', url.split('/').at(-1));

/* Where no gateway sends files: everything is the function's own. */
async function alone(url, headers = {}, { method = 'GET', env = {} } = {}) {
	const answer = await cgi('catalog-media', method, url, { headers, env: { MEDIA_CACHE_DIR: null, ...env } });
	record(method, url, answer.status, answer.json?.code ?? null);
	return answer;
}
const both = [['the gateway', get], ['the function', alone]];

before(async () => { owner = await seller(); });
beforeEach(async () => {
	path = `/api/products/${(await product(owner)).id}/upload-image`;
});

for (const [who, ask] of both) {
	test(`${who} sends every file for ever`, async () => {
		for (const { url, type } of (await upload()).renditions) {
			const { status, headers, bytes } = await ask(url);
			assert.equal(status, 200);
			assert.equal(headers['content-type'], type);
			assert.equal(headers['cache-control'], 'public, max-age=31536000, immutable');
			assert.equal(headers['accept-ranges'], 'bytes');
			assert.match(headers.etag, /^"[^"]+"$/);
			assert.equal(headers['content-length'], String(bytes.length));
			if (ask === get)
				assert.equal(headers['x-content-type-options'], 'nosniff');
		}
	});

	test(`${who} does not send what the client has`, async () => {
		const { imageUrl } = await upload();
		const { headers } = await ask(imageUrl);
		for (const known of [headers.etag, `W/${headers.etag}`, `"x", ${headers.etag}`, '*']) {
			const answer = await ask(imageUrl, { 'If-None-Match': known });
			assert.equal(`${known} ${answer.status} ${answer.bytes.length}`, `${known} 304 0`);
			assert.equal(answer.headers.etag, headers.etag);
		}
		assert.equal((await ask(imageUrl, { 'If-None-Match': '"x"' })).status, 200);
		assert.equal((await ask(imageUrl, { 'If-None-Match': headers.etag, Range: 'bytes=0-9' })).status, 304);
	});

	test(`${who} sends a part`, async () => {
		const { imageUrl } = await upload();
		const whole = (await ask(imageUrl)).bytes;
		const n = whole.length;
		for (const [range, from, to] of [['0-0', 0, 0], ['0-9', 0, 9], [`5-${n + 100}`, 5, n - 1], ['7-', 7, n - 1], ['-1', n - 1, n - 1],
		    ['-10', n - 10, n - 1], [`-${n * 3}`, 0, n - 1], [`${n - 1}-`, n - 1, n - 1], ['0-9999999999', 0, n - 1]]) {
			const { status, headers, bytes } = await ask(imageUrl, { Range: `bytes=${range}` });
			assert.equal(`${range} ${status} ${headers['content-range']}`, `${range} 206 bytes ${from}-${to}/${n}`);
			assert.deepEqual(bytes, whole.subarray(from, to + 1), range);
		}
	});

	test(`${who} says when there is nothing in a range`, async () => {
		const { imageUrl } = await upload();
		const n = (await ask(imageUrl)).bytes.length;
		for (const range of [`${n}-`, `${n}-${n + 5}`, '-0', '99999999999999999999-']) {
			const { status, headers, json } = await ask(imageUrl, { Range: `bytes=${range}` });
			assert.equal(`${range} ${status} ${json.code}`, `${range} 416 range_not_satisfiable`);
			assert.equal(headers['content-range'], `bytes */${n}`);
			assert.equal(headers['cache-control'], 'no-store');
		}
	});

	test(`${who} sends a part only of what the client has begun`, async () => {
		const { imageUrl } = await upload();
		const { headers: { etag } } = await ask(imageUrl);
		assert.equal((await ask(imageUrl, { Range: 'bytes=0-9', 'If-Range': etag })).status, 206);
		assert.equal((await ask(imageUrl, { Range: 'bytes=0-9', 'If-Range': '"another"' })).status, 200);
	});

	test(`${who} answers HEAD`, async () => {
		const { imageUrl } = await upload();
		const { bytes } = await ask(imageUrl);
		const head = ask === get ? await call('HEAD', imageUrl) : await alone(imageUrl, {}, { method: 'HEAD' });
		assert.equal(head.status, 200);
		assert.equal(head.headers['content-length'], String(bytes.length));
		assert.equal(head.bytes.length, 0);
	});

	test(`${who} knows no other names`, async () => {
		const { imageUrl } = await upload();
		for (const url of [imageUrl.replace('1200', '1201'), imageUrl.replace('.jpg', '.png'), imageUrl.replace('.jpg', ''), `${imageUrl}x`,
		    imageUrl.replace(/-\d+-/, '-999999999-'), imageUrl.replace(/[0-9a-f]{32}/, '0'.repeat(32)), '/media/x', '/media/..%2fstack.env',
		    '/media/demo', `/media/${'0'.repeat(32)}-99999999999999999999-1200.jpg`, `/media/${'x'.repeat(200)}`]) {
			const { status, json, headers } = await ask(url);
			assert.equal(`${url} ${status} ${json.code}`, `${url} 404 not_found`);
			assert.doesNotMatch(headers['cache-control'] ?? '', /immutable|max-age=[1-9]/);
		}
	});
}

test('what is no range is no matter', async () => {
	const { imageUrl } = await upload();
	const n = (await alone(imageUrl)).bytes.length;
	for (const range of ['bytes=', 'bytes=x', 'bytes=-', 'bytes=9-5', 'bytes=0-1,5-6', 'lines=0-9', 'bytes 0-9', 'bytes=0x1-']) {
		const { status, bytes } = await alone(imageUrl, { Range: range });
		assert.equal(`${range} ${status} ${bytes.length}`, `${range} 200 ${n}`);
	}
});

test('the two send the same', async () => {
	for (const { url } of (await upload()).renditions)
		assert.deepEqual((await get(url)).bytes, (await alone(url)).bytes);
});

test('a file that has vanished from the disk is the same again, down to its ETag', async () => {
	const { imageUrl } = await upload();
	const first = await get(imageUrl);

	assert.equal(statSync(kept(imageUrl)).size, first.bytes.length);
	rmSync(kept(imageUrl));
	const again = await get(imageUrl, {}, { expect: 200 });
	assert.deepEqual([again.bytes, again.headers.etag, again.headers['last-modified']],
	    [first.bytes, first.headers.etag, first.headers['last-modified']]);
	rmSync(kept(imageUrl));
	assert.equal((await get(imageUrl, { 'If-None-Match': first.headers.etag })).status, 304);
});

test('twenty who ask for a cold picture at once get it whole', async () => {
	const { imageUrl } = await upload();
	const { bytes } = await get(imageUrl);
	rmSync(kept(imageUrl));
	for (const answer of await Promise.all(Array.from({ length: 20 }, () => get(imageUrl, {}, { expect: 200 }))))
		assert.deepEqual(answer.bytes, bytes);
});

test('without a disk a picture is sent all the same', async () => {
	const { imageUrl } = await upload();
	const answer = await alone(imageUrl, {}, { env: { MEDIA_CACHE_DIR: '/nonexistent' } });
	assert.equal(answer.status, 200);
	assert.deepEqual(answer.bytes, (await get(imageUrl)).bytes);
});

test('what is kept on disk is bounded, and what is asked for stays longest', async () => {
	const directory = join(need('SOUK_RUN'), 'state', `media-${process.pid}`);
	const { imageUrl } = await upload();
	const name = (i) => join(directory, `old-${i}`);

	mkdirSync(directory);
	for (let i = 0; i < 8; i++) {
		writeFileSync(name(i), Buffer.alloc(300000));
		utimesSync(name(i), 1000000000 + i, 1000000000);
	}
	writeFileSync(join(directory, '.half-written'), 'x');
	const answer = await alone(imageUrl, {}, { env: { MEDIA_CACHE_DIR: directory, MEDIA_CACHE_MB: '1' } });
	assert.equal(answer.headers['x-sendfile'], join(directory, imageUrl.split('/').at(-1)));
	/* Three quarters of a MiB: the picture itself and two of the old ones. */
	assert.deepEqual(readdirSync(directory).sort(), ['.half-written', imageUrl.split('/').at(-1), 'old-6', 'old-7'].sort());
});

test('pictures are only for reading', async () => {
	const { imageUrl } = await upload();
	for (const method of ['POST', 'PUT', 'DELETE']) {
		const { headers } = await refuse(405, 'method_not_allowed', method, imageUrl, { body: '' });
		assert.match(headers.allow, /^GET, HEAD/);
	}
});
