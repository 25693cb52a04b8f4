/* The program that decodes pictures, without a function before it: what each format
 * may say, and what becomes of it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { need } from '../../lib/env.mjs';
import { GREY, PALETTE, RGBA, animation, bomb, chunk, colourAt, exif, icc, iccp, jpeg, jpegSegments, linearGrey, look, plain, png,
    rechecked, segment, swappedProfile, unlike, webp, webpWith, yellowInks, ycc } from '../../lib/pictures.mjs';

const PROGRAM = join(need('SOUK_TOOLS'), 'picture');
const SANITIZED = readFileSync(PROGRAM).includes('__asan_init');
const MADE = 0, UNREADABLE = 10, TOO_MANY_PIXELS = 11, TOO_MUCH = 12;
const RED = [255, 0, 0], GREEN = [0, 255, 0], BLUE = [0, 0, 255], WHITE = [255, 255, 255], YELLOW = [248, 227, 26];

/* What it ends with, and its files, of which it says the sizes first. */
function run(bytes, { memoryMb = 512 } = {}) {
	const path = join(need('SOUK_RUN'), 'a-picture');
	writeFileSync(path, bytes);
	const input = openSync(path);
	const { status, signal, stdout, stderr } = spawnSync(PROGRAM, [String(memoryMb), '15'],
	    { stdio: [input, 'pipe', 'pipe'], maxBuffer: 16 << 20 });
	closeSync(input);
	if (status !== MADE)
		return { status: status ?? signal, why: stdout.toString('latin1') + stderr };
	let at = 6 * 12;
	const files = Array.from({ length: 6 }, (_, i) => {
		const from = at;
		at += stdout.readUInt32LE(12 * i + 8);
		const made = stdout.subarray(from, at);
		assert.deepEqual(look(made), { type: i % 2 === 0 ? 'image/jpeg' : 'image/webp',
			width: stdout.readUInt32LE(12 * i), height: stdout.readUInt32LE(12 * i + 4) });
		return made;
	});
	assert.equal(at, stdout.length);
	return { status, files };
}

function made(bytes, options) {
	const { status, why, files } = run(bytes, options);
	assert.equal(status, MADE, why);
	return files[0];
}
const size = (bytes) => { const { width, height } = look(bytes); return [width, height]; };
const near = (found, wanted, what) => assert.ok(found.every((n, i) => Math.abs(n - wanted[i]) < 24),
    `${what}: ${found} is not ${wanted}`);
const shows = (bytes, wanted, what) => near(colourAt(made(bytes), 0.5, 0.5), wanted, what);

test('PNG of every kind and depth', () => {
	const tRNS = (...samples) => chunk('tRNS', Buffer.from(samples.flatMap((n) => [n >> 8, n & 255])));
	const PLTE = chunk('PLTE', Buffer.from([...RED, ...GREEN, ...BLUE]));

	for (const interlaced of [false, true]) {
		for (const depth of [1, 2, 4, 8, 16]) {
			const most = 2 ** depth - 1;
			shows(plain(19, 21, [most], { kind: GREY, depth, interlaced }), WHITE, `white of ${depth} bits`);
			shows(plain(19, 21, [0], { kind: GREY, depth, interlaced }), [0, 0, 0], `black of ${depth} bits`);
			shows(plain(19, 21, [0], { kind: GREY, depth, interlaced, chunks: [tRNS(0)] }), WHITE, `a transparent grey of ${depth} bits`);
			if (depth > 1 && depth < 16)
				shows(png(19, 21, () => 2, { kind: PALETTE, depth, interlaced, chunks: [PLTE] }), BLUE, `a palette of ${depth} bits`);
		}
		shows(png(19, 21, () => 1, { kind: PALETTE, interlaced, chunks: [PLTE, chunk('tRNS', Buffer.from([255, 0]))] }), WHITE, 'a transparent entry');
		shows(plain(19, 21, RED, { interlaced, chunks: [tRNS(...RED)] }), WHITE, 'a transparent colour');
		shows(plain(19, 21, [0, 0, 65535, 32768], { kind: RGBA, depth: 16, interlaced }), [127, 127, 255], 'half of blue, of 16 bits');
		shows(plain(19, 21, [100, 128], { kind: 4, interlaced }), [177, 177, 177], 'half of a grey');
	}
});

test('interlaced or not, it is the same picture', () => {
	const pixel = (x, y) => [x & 255, y & 255, x * y & 255];
	for (const [width, height] of [[1, 1], [3, 5], [8, 8], [2000, 37]])
		assert.deepEqual(made(png(width, height, pixel, { interlaced: true })), made(png(width, height, pixel)), `${width} x ${height}`);
});

test('JPEG: progressive, grey, RGB, ink by either name', () => {
	for (const progressive of [false, true]) {
		shows(jpeg(5, 5, () => ycc(RED), { progressive }), RED, 'colours');
		shows(jpeg(5, 5, () => [77], { progressive }), [77, 77, 77], 'grey');
		shows(jpeg(5, 5, () => GREEN, { progressive, adobe: 0 }), GREEN, 'RGB');
		for (const [ink, colour] of [[[0, 255, 255, 255], [0, 174, 239]], [[255, 0, 255, 255], [236, 0, 140]],
			[[255, 255, 0, 255], [255, 242, 0]], [[255, 0, 0, 255], [237, 28, 36]], [[0, 0, 0, 0], [0, 0, 0]],
			[[255, 255, 255, 128], [145, 143, 144]]]) {
			shows(jpeg(5, 5, () => ink, { progressive, adobe: 0 }), colour, `CMYK ${ink}`);
			shows(jpeg(5, 5, () => ink, { progressive }), colour, `CMYK ${ink} that is not Adobe's`);
			shows(jpeg(5, 5, () => [...ycc(ink.slice(0, 3).map((n) => 255 - n)), ink[3]], { progressive, adobe: 2 }), colour, `YCCK ${ink}`);
		}
	}
});

test('a profile is applied in every format, and to what it is made for only', () => {
	const swapped = swappedProfile('x'), grey = linearGrey('x'), inks = yellowInks('x');
	const dim = [90], light = [159, 159, 159];
	for (const [what, bytes, wanted] of [
		['JPEG', jpeg(4, 4, () => ycc(RED), { segments: [icc(swapped)] }), GREEN],
		['PNG', plain(16, 16, RED, { chunks: [iccp(swapped)] }), GREEN],
		['PNG with alpha', plain(16, 16, [...RED, 128], { kind: RGBA, chunks: [iccp(swapped)] }), [127, 255, 127]],
		['WebP', webpWith(16, 16, RED, { profile: swapped }), GREEN],
		['grey JPEG', jpeg(4, 4, () => dim, { segments: [icc(grey)] }), light],
		['grey PNG', plain(16, 16, dim, { kind: GREY, chunks: [iccp(grey)] }), light],
		['grey PNG with alpha', plain(16, 16, [...dim, 0], { kind: 4, chunks: [iccp(grey)] }), WHITE],
		['ink', jpeg(4, 4, () => [0, 255, 255, 255], { adobe: 0, segments: [icc(inks)] }), YELLOW],
		['no ink', jpeg(4, 4, () => [255, 255, 255, 255], { adobe: 0, segments: [icc(inks)] }), WHITE],
		['YCCK', jpeg(4, 4, () => [...ycc([255, 0, 0]), 255], { adobe: 2, segments: [icc(inks)] }), YELLOW],
		['a profile of grey for colours', jpeg(4, 4, () => ycc(RED), { segments: [icc(grey)] }), RED],
		['a profile of ink for light', jpeg(4, 4, () => ycc(RED), { segments: [icc(inks)] }), RED],
		['a profile of light for ink', jpeg(4, 4, () => [0, 255, 255, 255], { adobe: 0, segments: [icc(swapped)] }), [0, 174, 239]],
	])
		shows(bytes, wanted, what);
});

test('every format is turned as it was held', () => {
	/* Red where the first row and column meet. */
	const corner = (x, y) => x < 24 && y < 18 ? RED : BLUE;
	const where = { 1: [0, 0], 2: [1, 0], 3: [1, 1], 4: [0, 1], 5: [0, 0], 6: [1, 0], 7: [1, 1], 8: [0, 1] };
	const tiff = (orientation) => exif(orientation, 'x').subarray(10);

	for (const [orientation, [right, low]] of Object.entries(where).map(([n, to]) => [Number(n), to])) {
		const turned = orientation < 5 ? [64, 48] : [48, 64];
		for (const [what, bytes] of [
			['eXIf', png(64, 48, corner, { chunks: [chunk('eXIf', tiff(orientation))] })],
			['eXIf after the pixels', png(64, 48, corner, { after: [chunk('eXIf', tiff(orientation))] })],
			['APP1', jpeg(8, 6, (x, y) => ycc(corner(8 * x, 8 * y)), { segments: [exif(orientation, 'x')] })],
		]) {
			const file = made(bytes);
			assert.deepEqual(size(file), turned, `${what}, ${orientation}`);
			for (const x of [0, 1])
				for (const y of [0, 1])
					near(colourAt(file, x ? 0.9 : 0.1, y ? 0.9 : 0.1), x === right && y === low ? RED : BLUE, `${what}, ${orientation}, ${x} ${y}`);
		}
		for (const camera of [tiff(orientation), exif(orientation, 'x').subarray(4)])
			assert.deepEqual(size(made(webpWith(64, 48, BLUE, { camera }))), turned, `EXIF, ${orientation}`);
	}
	for (const orientation of [0, 9, 65535])
		assert.deepEqual(size(made(jpeg(8, 6, () => [9], { segments: [exif(orientation, 'x')] }))), [64, 48], `${orientation}`);
});

test('what a camera says may be cut short or nonsense', () => {
	const whole = exif(6, 'x').subarray(4);
	const camera = (bytes) => size(made(jpeg(8, 6, () => [9], { segments: [segment(0xe1, bytes)] })));

	for (let n = 0; n < whole.length; n++) {
		const [width, height] = camera(whole.subarray(0, n));
		assert.ok(width === 64 && height === 48 || n > 30, `${n} bytes: ${width} x ${height}`);
	}
	for (const at of [4294967295, 4294967290, 2147483647, 8 + whole.length]) {
		const elsewhere = Buffer.from(whole);
		elsewhere.writeUInt32BE(at, 10);
		assert.deepEqual(camera(elsewhere), [64, 48], `its entries at ${at}`);
	}
	const many = Buffer.from(whole);
	many.writeUInt16BE(65535, 14);
	assert.deepEqual(camera(many), [48, 64]);
});

test('of a moving picture the first frame is shown where it lies, on white', () => {
	const part = made(animation(40, 30, [RED, BLUE], [20, 10, 40, 30]));
	assert.deepEqual(size(part), [40, 30]);
	near(colourAt(part, 0.75, 0.8), RED, 'in the frame');
	near(colourAt(part, 0.2, 0.8), WHITE, 'beside it');
	near(colourAt(part, 0.75, 0.1), WHITE, 'above it');
	shows(animation(40, 30, [[...RED, 128], BLUE]), [255, 127, 127], 'half of red');
	shows(animation(3000, 2000, [GREEN, RED]), GREEN, 'a large one');
	const large = made(animation(3000, 2000, [GREEN, RED], [0, 0, 1500, 2000]));
	assert.deepEqual(size(large), [1200, 800]);
	near(colourAt(large, 0.4, 0.5), GREEN, 'the left half');
	near(colourAt(large, 0.6, 0.5), WHITE, 'the right half');
});

test('what is shrunk has the mean of its pixels, and nothing of what cannot be seen', () => {
	for (const width of [1300, 2400, 5000]) {
		const file = made(png(width, 64, (x, y) => (x + y) % 2 ? WHITE : [0, 0, 0]));
		for (const across of [0.01, 0.3, 0.62, 0.99])
			near(colourAt(file, across, 0.5), [128, 128, 128], `${width} wide, at ${across}`);
	}
	const edge = made(png(2500, 64, (x, y) => x % 50 < 25 ? [...WHITE, 255] : [...RED, 0], { kind: RGBA }));
	for (let across = 0.3; across < 0.4; across += 0.001)
		near(colourAt(edge, across, 0.5), WHITE, `at ${across}`);
	shows(webp(3000, 300, [...RED, 0]), WHITE, 'WebP that cannot be seen');
});

test('whatever its shape, the longer side is 1200 and the shorter at least 1', () => {
	const flat = (columns, rows) => jpeg(columns, rows, () => [200]);
	for (const [bytes, wanted] of [
		[bomb(20000, 200), [1200, 12]], [bomb(200, 20000), [12, 1200]], [bomb(300000, 1), [1200, 1]],
		[flat(2500, 5), [1200, 2]], [flat(1, 8000), [1, 1200]], [flat(150, 1), [1200, 8]], [flat(151, 1), [1200, 8]],
		[webp(16383, 10), [1200, 1]], [webp(305, 16383), [22, 1200]], [jpeg(190, 119, () => [200]), [1200, 752]],
		[plain(1201, 1201), [1200, 1200]], [plain(1200, 1200), [1200, 1200]], [plain(1, 1), [1, 1]],
	])
		assert.deepEqual(size(made(bytes)), wanted);
});

test('oddities are not damage', () => {
	const whole = jpeg(4, 4, () => ycc(RED));
	for (const [what, bytes] of [
		['bytes before the end', Buffer.concat([whole.subarray(0, -2), Buffer.alloc(9), whole.subarray(-2)])],
		['bytes between segments', Buffer.concat([whole.subarray(0, 2), segment(0xfe, Buffer.alloc(3)), Buffer.alloc(7), whole.subarray(2)])],
		['a JFIF of another age', jpeg(4, 4, () => ycc(RED), { segments: [segment(0xe0, Buffer.from('JFIF\0\x07\x02\0\0\x01\0\x01\0\0', 'latin1'))] })],
		['half of a profile', jpeg(4, 4, () => ycc(RED), { segments: [segment(0xe2, Buffer.from('ICC_PROFILE\0\x01\x02', 'latin1'), swappedProfile('x'))] })],
		['bytes after the end', Buffer.concat([whole, Buffer.from('more')])],
		['a PNG with a wrong checksum beside its pixels', plain(9, 9, RED, { chunks: [chunk('tEXt', Buffer.from('a\0b')).fill(7, 11)] })],
		['a PNG with bytes after its end', Buffer.concat([plain(9, 9, RED), Buffer.from('more')])],
		['a PNG with nonsense for a profile', plain(9, 9, RED, { chunks: [chunk('iCCP', Buffer.from('p\0\0nonsense'))] })],
		['a WebP with bytes after its end', Buffer.concat([webp(9, 9, RED), Buffer.from('more')])],
		['a WebP with nonsense for a profile', webpWith(9, 9, RED, { profile: Buffer.from('nonsense') })],
	])
		shows(bytes, RED, what);
});

test('cut short anywhere, it is not shown in part', () => {
	const pixel = (x, y) => [x * 7 & 255, y * 5 & 255, x * y & 255];
	const blocks = (x, y) => ycc([x * 6, y * 6, 99]);
	const kinds = { jpeg: jpeg(30, 30, blocks), progressive: jpeg(30, 30, blocks, { progressive: true }), png: png(80, 60, pixel),
		interlaced: png(80, 60, pixel, { interlaced: true }), webp: webpWith(80, 60, RED, { profile: swappedProfile('x') }),
		lossy: run(png(300, 300, pixel)).files[1], moving: animation(40, 30, [RED, GREEN]) };

	for (const [kind, whole] of Object.entries(kinds)) {
		assert.equal(run(whole).status, MADE, kind);
		for (const n of [12, 40, ...[0.2, 0.4, 0.6, 0.8, 0.95].map((part) => Math.floor(part * whole.length)), whole.length - 1])
			assert.equal(run(whole.subarray(0, n)).status, UNREADABLE, `${kind}, ${n} of ${whole.length} bytes`);
	}
});

/* A few bytes at a time, in the places that say what the rest is and in the rest:
 * the same ones each time. */
test('whatever is changed, it is read or refused, and nothing dies of it', () => {
	const camera = exif(6, 'x');
	const pixel = (x, y) => [x * 31 & 255, y * 17 & 255, x * y & 255, x * 5 & 255];
	const kinds = [
		jpeg(6, 6, (x, y) => ycc([x * 40, y * 40, 99]), { segments: [camera, icc(swappedProfile('x'))] }),
		jpeg(6, 6, (x, y) => [x * 40, y * 40, 99, 200], { adobe: 2, progressive: true, segments: [icc(yellowInks('x'))] }),
		png(40, 30, pixel, { kind: RGBA, interlaced: true, chunks: [iccp(swappedProfile('x')), chunk('eXIf', camera.subarray(10))] }),
		png(40, 30, (x, y) => x + y & 15, { kind: PALETTE, depth: 4, chunks: [chunk('PLTE', Buffer.alloc(48, 99)), chunk('tRNS', Buffer.alloc(9))] }),
		webpWith(40, 30, [...RED, 99], { profile: swappedProfile('x'), camera: camera.subarray(10) }),
		run(unlike(60, 40)).files[1],
		animation(40, 30, [[...RED, 128], GREEN], [4, 6, 20, 22]),
	];
	const ends = new Set();
	let seed = 1;
	const next = (below) => (seed = Math.imul(seed, 1103515245) + 12345 >>> 0) % 65521 % below;

	for (const [kind, whole] of kinds.entries())
		for (let i = 0; i < 25; i++) {
			const bytes = Buffer.from(whole);
			for (let n = next(4); n >= 0; n--)
				bytes[next(2) ? next(bytes.length) : next(Math.min(bytes.length, 120))] = [0, 255, 128, next(256)][next(4)];
			const { status, why } = run(bytes[0] === 0x89 && next(4) ? rechecked(bytes) : bytes);
			assert.ok([MADE, UNREADABLE, TOO_MANY_PIXELS, TOO_MUCH].includes(status),
			    `kind ${kind}, ${i}: ended with ${status}: ${why}\n${bytes.toString('base64')}`);
			ends.add(status);
		}
	assert.ok(ends.has(MADE) && ends.has(UNREADABLE), [...ends].join());
});

/* A sanitizer takes terabytes for itself, so there the program has no limit. */
test('50 megapixels need little memory, and what needs more than there is is refused as that', () => {
	assert.deepEqual(size(made(bomb(7071, 7071), { memoryMb: 64 })), [1200, 1200]);
	for (const bytes of [bomb(7071, 7071, { interlaced: true }), webp(7071, 7071)]) {
		assert.deepEqual(size(made(bytes)), [1200, 1200]);
		if (!SANITIZED)
			assert.equal(run(bytes, { memoryMb: 64 }).status, TOO_MUCH);
	}
});

test('what is made says nothing but the pixels', () => {
	const [jpegFile] = run(plain(30, 30)).files;
	assert.deepEqual(jpegSegments(jpegFile).map(([marker]) => marker.toString(16)), ['e0', 'db', 'db', 'c0', 'c4', 'c4', 'c4', 'c4']);
	const frame = jpegSegments(jpegFile).find(([marker]) => marker === 0xc0)[1];
	assert.deepEqual([frame[7], frame[10], frame[13]], [0x22, 0x11, 0x11], '4:2:0');
});
