import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { call } from '../../lib/client.mjs';
import { refusesBadTokens } from '../../lib/bad.mjs';
import { cgi } from '../../lib/execute.mjs';
import { need } from '../../lib/env.mjs';
import { form } from '../../lib/form.mjs';
import { GREY, PALETTE, PNG_SIGNATURE, RGBA, animation, bomb, chunk, colourAt, comment, exif, header, icc, iccp, iptc, jpeg,
    jpegSegments, look, plain, png, segment, swappedProfile, unlike, webp, webpChunks, xmp, ycc } from '../../lib/pictures.mjs';
import { admin, assertMembers, customer, newKey, product, seller, unanswered } from '../../lib/shop.mjs';
import { run, value } from '../../lib/sql.mjs';

let owner, mine, PATH;
const send = (bytes, options) => owner.call('POST', PATH, { ...form(['image', bytes]), ...options });
const upload = async (bytes, called) => (await owner.call('POST', PATH, { ...form(['image', bytes, called]), expect: 200 })).json;
const file = async (url) => (await call('GET', url, { expect: 200 })).bytes;
const picture = async (bytes) => file((await upload(bytes)).imageUrl);
const images = () => value`SELECT count(*) FROM catalog.product_image WHERE product_id = ${mine.id}`;
const forget = () => run`DELETE FROM catalog.product_image WHERE product_id = ${mine.id}`;

/* 400 that names the field, and says why in this word. */
async function refused(why, bytes, options) {
	const { json } = await owner.refuse(400, 'invalid_input', 'POST', PATH, { ...form(['image', bytes, options]) });
	assert.deepEqual(json.errors.map((entry) => `${entry.field} ${entry.code}`), [`image ${why}`]);
}

const near = (found, wanted, what) => assert.ok(found.every((n, i) => Math.abs(n - wanted[i]) < 24),
    `${what}: ${found} is not ${wanted}`);
const RED = [255, 0, 0], GREEN = [0, 255, 0], BLUE = [0, 0, 255], WHITE = [255, 255, 255];

before(async () => {
	owner = await seller();
	mine = await product(owner);
	PATH = `/api/products/${mine.id}/upload-image`;
});
test.afterEach(forget);

test('a picture is shown, in three sizes and two formats', async () => {
	const json = await upload(plain(2400, 1200));

	assertMembers(json, ['id', 'imageUrl', 'width', 'height', 'renditions'], 'image');
	assert.match(json.imageUrl, /^\/media\/[0-9a-f]{32}-\d+-1200\.jpg$/);
	assert.deepEqual([json.width, json.height], [1200, 600]);
	assert.deepEqual(json.renditions.map(({ type, width, height }) => [type, width, height]), [
		['image/jpeg', 1200, 600], ['image/webp', 1200, 600],
		['image/jpeg', 600, 300], ['image/webp', 600, 300],
		['image/jpeg', 200, 100], ['image/webp', 200, 100]]);
	for (const { url, type, width, height } of json.renditions) {
		const answer = await call('GET', url, { expect: 200 });
		assert.equal(answer.headers['content-type'], type);
		assert.deepEqual(look(answer.bytes), { type, width, height });
	}
	near(colourAt(await file(json.imageUrl), 0.5, 0.5), [200, 30, 30], 'the colour');

	const { json: read } = await call('GET', `/api/products/${mine.id}`, { expect: 200 });
	assert.equal(read.image_url, json.imageUrl);
	assert.deepEqual(read.images, [json.imageUrl]);
	assert.ok(read.updated_at > mine.updated_at);
});

test('what is kept is encoded at quality 85', async () => {
	/* Annex K's first coefficient, 16, scaled as libjpeg does: (16 * (200 - 2 * 85) + 50) / 100. */
	const [, tables] = jpegSegments(await picture(unlike(64, 64))).find(([marker]) => marker === 0xdb);
	assert.equal(tables[1], 5);
});

test('each picture goes behind those before', async () => {
	const urls = [];
	for (let i = 0; i < 3; i++)
		urls.push((await upload(unlike())).imageUrl);
	const { json } = await call('GET', `/api/products/${mine.id}`, { expect: 200 });
	assert.deepEqual(json.images, urls);
	assert.equal(json.image_url, urls[0]);
});

test('all three formats are read, whatever the file is called', async () => {
	for (const bytes of [plain(40, 30), jpeg(5, 4, () => ycc(RED)), webp(40, 30)])
		for (const options of [{ filename: 'a.txt', type: 'text/html' }, { filename: '../../x.php' }, { filename: 'a.gif', type: 'image/gif' }])
			assert.equal((await upload(bytes, options)).width, 40);
});

test('nothing is made larger, and nothing is too small', async () => {
	for (const bytes of [plain(1, 1), webp(1, 1), jpeg(1, 1, () => [128])]) {
		const { renditions } = await upload(bytes);
		const { width } = renditions[0];
		assert.ok(width <= 8);
		assert.ok(renditions.every((each) => each.width === width && each.height === width));
	}
	const { width, height } = await upload(plain(1199, 3));
	assert.deepEqual([width, height], [1199, 3]);
});

test('the longer side decides', async () => {
	const sizes = ({ renditions }) => renditions.filter(({ type }) => type === 'image/jpeg').map(({ width, height }) => [width, height]);
	assert.deepEqual(sizes(await upload(plain(1000, 2000))), [[600, 1200], [300, 600], [100, 200]]);
	assert.deepEqual(sizes(await upload(plain(6000, 2))), [[1200, 1], [600, 1], [200, 1]]);
});

test('grey, palettes, 16 bits, transparency and CMYK become sRGB on white', async () => {
	const palette = [chunk('PLTE', Buffer.from([...RED, ...GREEN, ...BLUE]))];
	for (const [what, bytes, wanted] of [
		['grey', plain(16, 16, [90], { kind: GREY }), [90, 90, 90]],
		['grey JPEG', jpeg(2, 2, () => [90]), [90, 90, 90]],
		['palette', png(16, 16, () => 1, { kind: PALETTE, chunks: palette }), GREEN],
		['16 bits', plain(16, 16, [65535, 0, 0], { depth: 16 }), RED],
		['16 bits of grey', plain(16, 16, [90 * 257], { kind: GREY, depth: 16 }), [90, 90, 90]],
		['transparent', plain(16, 16, [0, 0, 0, 0], { kind: RGBA }), WHITE],
		['half transparent', plain(16, 16, [255, 0, 0, 128], { kind: RGBA }), [255, 127, 127]],
		['16 bits, transparent', plain(16, 16, [0, 0, 0, 0], { kind: RGBA, depth: 16 }), WHITE],
		['CMYK, no ink', jpeg(2, 2, () => [255, 255, 255, 255], { adobe: 0 }), WHITE],
		['CMYK, all black', jpeg(2, 2, () => [255, 255, 255, 0], { adobe: 0 }), [40, 35, 42]],
		['RGB JPEG', jpeg(2, 2, () => GREEN, { adobe: 0 }), GREEN],
		['WebP', webp(16, 16, BLUE), BLUE],
	])
		near(colourAt(await picture(bytes), 0.5, 0.5), wanted, what);
});

test('a colour profile is applied, then gone', async () => {
	const profile = swappedProfile('SECRET');
	for (const bytes of [plain(16, 16, RED, { chunks: [iccp(profile)] }), jpeg(2, 2, () => ycc(RED), { segments: [icc(profile)] })]) {
		const made = await picture(bytes);
		near(colourAt(made, 0.5, 0.5), GREEN, 'red by that profile');
		assert.ok(!jpegSegments(made).some(([marker]) => marker === 0xe2));
	}
});

test('a profile that is none does not matter', async () => {
	for (const profile of [Buffer.from('nonsense'), Buffer.alloc(3000), swappedProfile('x').subarray(0, 200)])
		near(colourAt(await picture(jpeg(2, 2, () => ycc(RED), { segments: [icc(profile)] })), 0.5, 0.5), RED, 'red');
});

test('a picture is turned as it was held', async () => {
	/* Red is where the first row and column meet. */
	const corner = (x, y) => ycc(x < 4 && y < 3 ? RED : BLUE);
	const where = { 1: [0, 0], 2: [1, 0], 3: [1, 1], 4: [0, 1], 5: [0, 0], 6: [1, 0], 7: [1, 1], 8: [0, 1] };

	for (const [orientation, [right, low]] of Object.entries(where)) {
		const made = await picture(jpeg(8, 6, corner, { segments: [exif(Number(orientation), 'x')] }));
		const { width, height } = look(made);
		assert.deepEqual([width, height], orientation < 5 ? [64, 48] : [48, 64], `orientation ${orientation}`);
		for (const x of [0, 1])
			for (const y of [0, 1])
				near(colourAt(made, x ? 0.9 : 0.1, y ? 0.9 : 0.1), x === right && y === low ? RED : BLUE,
				    `orientation ${orientation} at ${x},${y}`);
	}
});

test('nothing is left of what was said in the file', async () => {
	const secret = 'SECRET-52.5163N-13.3777E';
	const profile = swappedProfile(secret);
	const told = jpeg(8, 8, () => ycc(RED), {
		segments: [exif(6, secret), xmp(secret), icc(profile), iptc(secret), comment(secret)],
	});
	const chunks = [chunk('tEXt', Buffer.from(`Comment\0${secret}`)), iccp(profile),
		chunk('eXIf', exif(3, secret).subarray(10)), chunk('iTXt', Buffer.from(`XML:com.adobe.xmp\0\0\0\0\0${secret}`))];

	for (const bytes of [told, plain(20, 20, RED, { chunks })]) {
		assert.ok(bytes.includes('SECRET'));
		for (const { url, type } of (await upload(bytes)).renditions) {
			const made = await file(url);
			assert.ok(!made.includes('SECRET'), `${type} without ${secret}`);
			if (type === 'image/webp')
				assert.deepEqual(webpChunks(made), ['VP8 ']);
			else
				assert.deepEqual(jpegSegments(made).map(([marker]) => marker)
				    .filter((marker) => marker > 0xe0 || marker === 0xfe), []);
		}
	}
});

test('what is also something else comes out as a picture only', async () => {
	const script = '<script>alert(1)</script><?php system($_GET[0]); ?>PK\x03\x04';
	for (const bytes of [
		Buffer.concat([jpeg(4, 4, () => ycc(RED)), Buffer.from(script)]),
		jpeg(4, 4, () => ycc(RED), { segments: [comment(script), segment(0xef, Buffer.from(script))] }),
		Buffer.concat([plain(20, 20), Buffer.from(script)]),
	])
		for (const { url } of (await upload(bytes)).renditions)
			assert.ok(!/script|php|PK\x03/.test((await file(url)).toString('latin1')));
});

test('of a moving picture the first frame is kept', async () => {
	const made = await picture(animation(40, 30, [GREEN, RED, BLUE]));
	assert.deepEqual(look(made), { type: 'image/jpeg', width: 40, height: 30 });
	near(colourAt(made, 0.5, 0.5), GREEN, 'the first frame');
});

test('what is no JPEG, PNG or WebP is refused by its content', async () => {
	for (const content of ['<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', '<?xml version="1.0"?><svg/>',
	    'GIF89a\x01\0\x01\0\0\0\0;', 'II*\0\x08\0\0\0', 'MM\0*\0\0\0\x08', 'BM\x3a\0\0\0', '%PDF-1.7', '<!doctype html><script>1</script>',
	    '\0\0\0\x1cftypavif', '\0\0\0\x18ftypheic', '\x8aMNG\r\n\x1a\n', 'push graphic-context', 'P6 1 1 255 abc', '#!/bin/sh', 'PK\x03\x04',
	    'RIFF\x10\0\0\0WAVEfmt ', 'RIFF\x10\0\0\0AVI LIST', 'x', '\0', '\xff', '\xff\xd8', '\x89PN', 'text'])
		for (const filename of ['a.jpg', 'a.png'])
			await refused('unsupported_type', Buffer.from(content, 'latin1'), { filename, type: 'image/jpeg' });
	assert.equal(await images(), 0);
});

test('what is damaged or cut short is refused', async () => {
	const whole = { jpeg: jpeg(40, 40, (x, y) => ycc([x * 6, y * 6, 99])), png: unlike(200, 200), webp: await file((await upload(unlike(300, 300))).renditions[1].url) };
	await forget();
	for (const [name, bytes] of Object.entries(whole))
		for (const part of [0.03, 0.5, 0.9])
			await refused('unreadable', bytes.subarray(0, Math.max(16, bytes.length * part)), { filename: name });

	const flipped = Buffer.from(whole.png);
	flipped[Math.floor(flipped.length / 2)] ^= 0x40;
	for (const bytes of [flipped,
		Buffer.concat([PNG_SIGNATURE, header(10, 10), chunk('IDAT', deflateSync(Buffer.alloc(7))), chunk('IEND')]),
		Buffer.concat([PNG_SIGNATURE, header(10, 10), chunk('IDAT', Buffer.from('no zlib here')), chunk('IEND')]),
		Buffer.concat([PNG_SIGNATURE, header(10, 10), chunk('IEND')]),
		Buffer.concat([PNG_SIGNATURE, header(0, 10), chunk('IEND')]),
		Buffer.concat([PNG_SIGNATURE, header(10, 10, { depth: 7 }), chunk('IEND')]),
		Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(2000, 0x41)]),
		Buffer.concat([Buffer.from('RIFF\xff\xff\xff\x7fWEBPVP8 \xff\xff\xff\x7f', 'latin1'), Buffer.alloc(2000)]),
		Buffer.concat([Buffer.from('RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0', 'latin1'), Buffer.alloc(200, 0xff)]),
	])
		await refused('unreadable', bytes);
	assert.equal(await images(), 0);
});

test('too many pixels are refused before they are there', async () => {
	/* None of these has the pixels that its first bytes promise. */
	const frame = (width, height) => Buffer.concat([Buffer.from([0xff, 0xd8]),
		segment(0xdb, Buffer.from([0]), Buffer.alloc(64, 8)),
		segment(0xc0, Buffer.from([8, height >> 8, height & 255, width >> 8, width & 255, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0])),
		segment(0xda, Buffer.from([3, 1, 0, 2, 0, 3, 0, 0, 63, 0])), Buffer.alloc(64)]);
	for (const bytes of [frame(65500, 65500), frame(7072, 7072), webp(16383, 16383), bomb(50001, 1000),
	    Buffer.concat([PNG_SIGNATURE, header(1000000, 1000000), chunk('IDAT'), chunk('IEND')]),
	    Buffer.concat([PNG_SIGNATURE, header(7072, 7071), chunk('IDAT'), chunk('IEND')])])
		await refused('too_many_pixels', bytes);
	assert.equal(await images(), 0);
});

test('50 megapixels are read, also out of 50 kB', async () => {
	const bytes = bomb(7071, 7071);
	assert.ok(bytes.length < 60000, `${bytes.length} bytes`);
	const { width, height } = await upload(bytes);
	assert.deepEqual([width, height], [1200, 1200]);
});

test('a picture of more than 5 MiB is 413, one of 5 MiB is read', async () => {
	const whole = unlike();
	const filled = (length) => Buffer.concat([whole, Buffer.alloc(length - whole.length)]);

	await upload(filled(5 << 20));
	for (const length of [(5 << 20) + 1, 6 << 20, 20 << 20])
		await owner.refuse(413, 'body_too_large', 'POST', PATH, form(['image', filled(length)]));
	assert.equal(await images(), 1);
});

test('the form has one picture and nothing else', async () => {
	const bytes = unlike();
	const refuse = (fields, ...parts) => owner.refuseFields(fields, 'POST', PATH, form(...parts));

	await refuse(['image'], ['image', Buffer.alloc(0)]);
	await refuse(['image'], ['image', Buffer.alloc(0), { filename: '' }]);
	await refuse(['image'], ['image', 'text', { filename: null }]);
	await refuse(['image'], ['image', bytes], ['image', bytes]);
	await refuse(['image', 'picture'], ['picture', bytes]);
	await refuse(['caption'], ['image', bytes], ['caption', 'a lamp', { filename: null }]);
	await owner.refuseFields(['image'], 'POST', PATH, { body: '', type: form().type });
	await owner.refuse(400, 'malformed_request', 'POST', PATH, { body: 'nothing', type: form().type });
	await owner.refuse(415, 'unsupported_media_type', 'POST', PATH, { json: {} });
	await owner.refuse(415, 'unsupported_media_type', 'POST', PATH, { body: bytes, type: 'image/png' });
	assert.equal(await images(), 0);
});

test('only its seller and admins add pictures to a product', async () => {
	const bytes = form(['image', unlike()]);

	await (await admin()).call('POST', PATH, { ...bytes, expect: 200 });
	await (await customer()).refuse(403, 'forbidden', 'POST', PATH, bytes);
	await (await seller()).refuse(404, 'not_found', 'POST', PATH, bytes);
	for (const id of ['999999999', '0', '-1', 'abc', '1.5', '9223372036854775808'])
		await owner.refuse(404, 'not_found', 'POST', `/api/products/${id}/upload-image`, bytes);
	assert.equal(await images(), 1);
});

test('the same picture is stored once, however often it is shown', async () => {
	const bytes = unlike();
	const all = await Promise.all(Array.from({ length: 6 }, () => upload(bytes)));

	assert.equal(new Set(all.map(({ imageUrl }) => imageUrl)).size, 1);
	assert.equal(new Set(all.map(({ id }) => id)).size, 6);
	assert.equal(await images(), 6);
});

test('a product has at most 20 pictures, also when many come at once', async () => {
	await run`INSERT INTO catalog.product_image (product_id, place, url)
	          SELECT ${mine.id}, n, '/media/demo/' || n FROM generate_series(1, 18) n`;
	const answers = await Promise.all(Array.from({ length: 5 }, () => send(unlike())));

	assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 409, 409, 409]);
	await owner.refuse(409, 'too_many_images', 'POST', PATH, form(['image', unlike()]));
	assert.equal(await images(), 20);
});

test('the same Idempotency-Key adds one picture', async () => {
	const key = newKey();
	const bytes = unlike();
	const first = await send(bytes, { key, expect: 200 });
	const again = await send(bytes, { key, expect: 200 });

	assert.equal(again.text, first.text);
	assert.equal(again.headers['idempotent-replayed'], 'true');
	assert.equal(await images(), 1);
	await owner.refuse(422, 'idempotency_key_reused', 'POST', PATH, { ...form(['image', unlike()]), key });
	await unanswered(key);
	await owner.refuse(409, 'request_in_progress', 'POST', PATH, { ...form(['image', bytes]), key });

	/* Whoever made it has died long ago: what it made is the answer. */
	await run`UPDATE ops.idempotency SET created_at = now() - interval '1 minute' WHERE key = ${key}`;
	assert.deepEqual(JSON.parse((await send(bytes, { key, expect: 200 })).text), first.json);
	assert.equal(await images(), 1);
});

test('10 requests with one key at once add one picture', async () => {
	const key = newKey();
	const bytes = unlike();
	const answers = await Promise.all(Array.from({ length: 10 }, () => send(bytes, { key })));

	for (const answer of answers)
		assert.ok(answer.status === 200 || answer.json.code === 'request_in_progress', answer.text);
	assert.equal(await images(), 1);
});

/* A decoder that does what a hostile picture may make it do. */
function decoder(name, script) {
	const path = join(need('SOUK_RUN'), name);
	writeFileSync(path, `#!/bin/sh\n${script}\n`);
	chmodSync(path, 0o755);
	return { PICTURE_PROGRAM: path, PICTURE_SECONDS: '1' };
}

test('whatever becomes of the decoder, the client is told', async () => {
	for (const [name, script, status, code] of [
		['crash', 'kill -SEGV $$', 400, 'invalid_input'],
		['hang', 'exec sleep 600', 400, 'invalid_input'],
		['flood', 'exec cat /dev/zero', 400, 'invalid_input'],
		['nonsense', 'echo nonsense', 400, 'invalid_input'],
		['nothing', 'exit 0', 400, 'invalid_input'],
		['lies', 'exec head -c 100 /dev/urandom', 400, 'invalid_input'],
		['broken', 'exit 70', 503, 'unavailable'],
	]) {
		const answer = await cgi('catalog-upload_image', 'POST', PATH, {
			...form(['image', unlike()]), token: owner.token, env: decoder(name, script),
		});
		assert.equal(`${name}: ${answer.status} ${answer.json.code}`, `${name}: ${status} ${code}`);
	}
	assert.equal(await images(), 0);
});

test('a function without its decoder does not start', async () => {
	const answer = await cgi('catalog-upload_image', 'POST', PATH, { env: { PICTURE_PROGRAM: '/nonexistent' } });
	assert.equal(answer.code, 78);
	assert.match(answer.log, /PICTURE_PROGRAM: \/nonexistent/);
});

test('a picture that takes too much memory is refused as such', async () => {
	/* A sanitizer takes terabytes for itself, so there the program has no limit. */
	const limited = !readFileSync(join(need('SOUK_TOOLS'), 'picture')).includes('__asan_init');
	const answer = await cgi('catalog-upload_image', 'POST', PATH, {
		...form(['image', bomb(7000, 7000, { interlaced: true })]), token: owner.token, env: { PICTURE_MEMORY_MB: '64' },
	});
	assert.equal(answer.status, limited ? 400 : 200, answer.text);
	assert.equal(answer.json.errors?.map(({ field, code }) => `${field} ${code}`).join(), limited ? 'image undecodable' : undefined);
});

let somebody;
refusesBadTokens('POST', '/api/products/1/upload-image', async () => somebody ??= await seller());
