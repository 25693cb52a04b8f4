/*
 * Pictures of a test's own making, byte by byte, and what is inside of others.
 */
import jpegJs from 'jpeg-js';
import { randomBytes } from 'node:crypto';
import { crc32 } from './crc32.mjs';
import { deflateSync } from 'node:zlib';

const be16 = (...numbers) => Buffer.from(numbers.flatMap((n) => [n >> 8 & 255, n & 255]));
const be32 = (...numbers) => Buffer.concat(numbers.map((n) => Buffer.from([n >>> 24, n >> 16 & 255, n >> 8 & 255, n & 255])));
const le32 = (n) => Buffer.from([n & 255, n >> 8 & 255, n >> 16 & 255, n >>> 24]);
const text = (s) => Buffer.from(s, 'latin1');

/*
 * PNG.  `pixel(x, y)` answers the samples of one, as large as the depth has
 * them; `kind` is the colour type.
 */
export const GREY = 0, RGB = 2, PALETTE = 3, RGBA = 6;

export const chunk = (type, data = Buffer.alloc(0)) => {
	const body = Buffer.concat([text(type), data]);
	return Buffer.concat([be32(data.length), body, be32(crc32(body))]);
};

/* With the right checksums again after something has been changed, as far as its
 * chunks can be told apart. */
export function rechecked(bytes) {
	for (let at = 8; at + 12 <= bytes.length; at += 12 + bytes.readUInt32BE(at)) {
		const end = at + 8 + bytes.readUInt32BE(at);
		if (end + 4 > bytes.length)
			break;
		bytes.writeUInt32BE(crc32(bytes.subarray(at + 4, end)), end);
	}
	return bytes;
}

export const PNG_SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');
export const header = (width, height, { kind = RGB, depth = 8, interlaced = 0 } = {}) =>
	chunk('IHDR', Buffer.concat([be32(width, height), Buffer.from([depth, kind, 0, 0, interlaced])]));

const ADAM7 = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];
const passes = (interlaced) => interlaced ? ADAM7 : [[0, 0, 1, 1]];

/* Samples as the depth has them, packed from the left. */
function row(samples, depth) {
	if (depth >= 8)
		return depth === 16 ? be16(...samples) : Buffer.from(samples);
	const bytes = Buffer.alloc(Math.ceil(samples.length * depth / 8));
	samples.forEach((sample, i) => { bytes[i * depth >> 3] |= sample << 8 - depth - i * depth % 8; });
	return bytes;
}

export function png(width, height, pixel, { kind = RGB, depth = 8, chunks = [], after = [], interlaced = false } = {}) {
	const rows = [];

	for (const [left, top, across, down] of passes(interlaced))
		for (let y = top; y < height && left < width; y += down) {
			const samples = [];
			for (let x = left; x < width; x += across)
				samples.push(...[pixel(x, y)].flat());
			rows.push(Buffer.from([0]), row(samples, depth));
		}
	return Buffer.concat([PNG_SIGNATURE, header(width, height, { kind, depth, interlaced: Number(interlaced) }), ...chunks,
		chunk('IDAT', deflateSync(Buffer.concat(rows), { level: 1 })), ...after, chunk('IEND')]);
}

export const plain = (width, height, colour = [200, 30, 30], options) =>
	png(width, height, () => colour, options);

/* No two are alike, so none has been stored before. */
export function unlike(width = 32, height = 24) {
	const seed = randomBytes(3);
	return png(width, height, (x, y) => [seed[0] ^ x << 3 & 255, seed[1] ^ y << 3 & 255, seed[2]]);
}

/* A black PNG that unpacks to very much more than it is; interlaced, all of it
 * is needed at once. */
export function bomb(width, height, { interlaced = false } = {}) {
	const size = passes(interlaced).map(([x, y, dx, dy]) => (Math.ceil((width - x) / dx) + 1) * Math.ceil((height - y) / dy))
		.reduce((a, b) => a + b);

	return Buffer.concat([PNG_SIGNATURE, header(width, height, { kind: GREY, interlaced: Number(interlaced) }),
		chunk('IDAT', deflateSync(Buffer.alloc(size), { level: 9 })), chunk('IEND')]);
}

/*
 * JPEG, of blocks of 8 x 8 pixels that are of one colour each: only DC
 * coefficients.  `block(x, y)` answers one sample a component; `adobe` is the
 * transform that an Adobe segment names.  A progressive one ends after those.
 */
export const segment = (marker, ...data) => {
	const body = Buffer.concat(data);
	return Buffer.concat([Buffer.from([0xff, marker]), be16(body.length + 2), body]);
};

function scan(columns, rows, components, block, progressive) {
	/* Table K.3: how many bits follow.  The one AC code there is, "0", ends a block. */
	const codes = ['00', '010', '011', '100', '101', '110', '1110', '11110', '111110', '1111110', '11111110', '111111110'];
	const before = Array(components).fill(0);
	const bytes = [];
	let bits = '';

	for (let y = 0; y < rows; y++)
		for (let x = 0; x < columns; x++)
			[block(x, y)].flat().forEach((sample, i) => {
				const difference = sample - 128 - before[i];
				const size = Math.abs(difference).toString(2).length * (difference !== 0);
				before[i] = sample - 128;
				bits += codes[size];
				if (size > 0)
					bits += (difference > 0 ? difference : difference + 2 ** size - 1).toString(2).padStart(size, '0');
				bits += progressive ? '' : '0';
			});
	bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, '1');
	for (let i = 0; i < bits.length; i += 8) {
		bytes.push(parseInt(bits.slice(i, i + 8), 2));
		if (bytes.at(-1) === 0xff)
			bytes.push(0);
	}
	return Buffer.from(bytes);
}

export function jpeg(columns, rows, block, { segments = [], adobe, progressive = false } = {}) {
	const components = [block(0, 0)].flat().length;
	const ids = Array.from({ length: components }, (_, i) => i + 1);

	return Buffer.concat([Buffer.from([0xff, 0xd8]), ...segments,
		...adobe === undefined ? [] : [segment(0xee, text('Adobe'), be16(100, 0, 0), Buffer.from([adobe]))],
		segment(0xdb, Buffer.from([0]), Buffer.alloc(64, 8)),
		segment(progressive ? 0xc2 : 0xc0, Buffer.from([8]), be16(rows * 8, columns * 8), Buffer.from([components]),
		    ...ids.map((id) => Buffer.from([id, 0x11, 0]))),
		segment(0xc4, Buffer.from([0x00, 0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]),
		    Buffer.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])),
		segment(0xc4, Buffer.from([0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Buffer.from([0])),
		segment(0xda, Buffer.from([components]), ...ids.map((id) => Buffer.from([id, 0])), Buffer.from([0, progressive ? 0 : 63, 0])),
		scan(columns, rows, components, block, progressive), Buffer.from([0xff, 0xd9])]);
}

export function ycc([r, g, b]) {
	const clamp = (n) => Math.max(0, Math.min(255, Math.round(n)));
	return [0.299 * r + 0.587 * g + 0.114 * b, 128 - 0.168736 * r - 0.331264 * g + 0.5 * b,
		128 + 0.5 * r - 0.418688 * g - 0.081312 * b].map(clamp);
}

/* Says more than it should: how it was held, where, by whom. */
export function exif(orientation, secret) {
	const entry = (tag, type, count, value) => Buffer.concat([be16(tag, type), be32(count), value]);
	const name = text(`${secret}\0`.padEnd(32, '\0'));
	return segment(0xe1, text('Exif\0\0MM\0*'), be32(8), be16(3),
		entry(0x010f, 2, 32, be32(68)),
		entry(0x0112, 3, 1, be16(orientation, 0)),
		entry(0x8825, 4, 1, be32(50)), be32(0),
		be16(1), entry(0x001d, 2, 32, be32(68)), be32(0), name);
}

export const xmp = (secret) => segment(0xe1, text('http://ns.adobe.com/xap/1.0/\0'),
	text(`<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description>${secret}</rdf:Description></rdf:RDF></x:xmpmeta>`));
export const iptc = (secret) => segment(0xed, text('Photoshop 3.0\x008BIM\x04\x04\0\0'), be32(secret.length), text(secret));
export const comment = (secret) => segment(0xfe, text(secret));

/*
 * Colour profiles, of version 2.
 */
const s15 = (...numbers) => be32(...numbers.map((n) => Math.round(n * 65536) | 0));
const xyz = (...values) => Buffer.concat([text('XYZ '), be32(0), s15(...values)]);
const gamma = (n) => Buffer.concat([text('curv'), be32(0, 1), be16(Math.round(n * 256)), be16(0)]);

function profile(kind, space, connection, secret, tags) {
	const all = {
		desc: Buffer.concat([text('desc'), be32(0, secret.length + 1), text(`${secret}\0`), Buffer.alloc(78)]),
		cprt: Buffer.concat([text('text'), be32(0), text(`${secret}\0`)]),
		wtpt: xyz(0.9642, 1, 0.8249), ...tags,
	};
	const names = Object.keys(all);
	let at = 128 + 4 + names.length * 12;
	const table = [be32(names.length)];
	const data = [];
	for (const name of names) {
		const padded = Buffer.concat([all[name], Buffer.alloc((4 - all[name].length % 4) % 4)]);
		table.push(text(name), be32(at, all[name].length));
		data.push(padded);
		at += padded.length;
	}
	const head = Buffer.alloc(128);
	head.writeUInt32BE(at);
	head.writeUInt32BE(0x02100000, 8);
	head.write(`${kind}${space}${connection}`, 12, 'latin1');
	be16(2026, 11, 26, 0, 0, 0).copy(head, 24);
	head.write('acsp', 36, 'latin1');
	s15(0.9642, 1, 0.8249).copy(head, 68);
	return Buffer.concat([head, ...table, ...data]);
}

/* Takes sRGB's red for green and the other way round. */
export const swappedProfile = (secret) => profile('mntr', 'RGB ', 'XYZ ', secret, {
	rXYZ: xyz(0.3851, 0.7169, 0.0971), gXYZ: xyz(0.4361, 0.2225, 0.0139), bXYZ: xyz(0.1431, 0.0606, 0.7141),
	rTRC: gamma(2.2), gTRC: gamma(2.2), bTRC: gamma(2.2),
});

/* Of grey that is as bright as its number says, not as it looks. */
export const linearGrey = (secret) => profile('mntr', 'GRAY', 'XYZ ', secret, { kTRC: gamma(1) });

/* Of a printer whose inks are all yellow, but for the key. */
export function yellowInks(secret) {
	const straight = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
	const lab = ([l, a, b]) => [Math.round(l * 2.55), a + 128, b + 128];
	const paper = lab([100, 0, 0]), yellow = lab([90, -5, 85]), black = lab([5, 0, 0]);
	const grid = Array.from({ length: 16 }, (_, i) => i & 1 ? black : i > 1 ? yellow : paper).flat();
	return profile('prtr', 'CMYK', 'Lab ', secret, {
		A2B0: Buffer.concat([text('mft1'), be32(0), Buffer.from([4, 3, 2, 0]), s15(1, 0, 0, 0, 1, 0, 0, 0, 1),
			...Array(4).fill(straight), Buffer.from(grid), ...Array(3).fill(straight)]),
	});
}

export const icc = (bytes) => segment(0xe2, text('ICC_PROFILE\0'), Buffer.from([1, 1]), bytes);
export const iccp = (bytes) => chunk('iCCP', Buffer.concat([text('p\0\0'), deflateSync(bytes)]));

/*
 * WebP without loss, of one colour: five Huffman codes of one symbol each, so
 * no pixel takes a bit, however many there are.
 */
const riff = (type, data) => Buffer.concat([text(type), le32(data.length), data, Buffer.alloc(data.length % 2)]);

function vp8l(width, height, [r, g, b, alpha = 255]) {
	let bits = '';
	const put = (value, count) => {
		for (let i = 0; i < count; i++)
			bits += value >> i & 1;
	};
	put(width - 1, 14);
	put(height - 1, 14);
	put(Number(alpha < 255), 1);	/* is there alpha? */
	put(0, 3);			/* version */
	put(0, 1 + 1 + 1);		/* no transform, no colour cache, no meta codes */
	for (const symbol of [g, r, b, alpha]) {
		put(1, 1);		/* a simple code ... */
		put(0, 1);		/* ... of one symbol ... */
		put(1, 1);		/* ... of eight bits */
		put(symbol, 8);
	}
	put(1, 1);			/* and for distances the symbol 0 */
	put(0, 1 + 1 + 1);
	const bytes = bits.match(/.{1,8}/g).map((byte) => parseInt([...byte.padEnd(8, '0')].reverse().join(''), 2));
	return riff('VP8L', Buffer.from([0x2f, ...bytes]));
}

const file = (...chunks) => riff('RIFF', Buffer.concat([text('WEBP'), ...chunks]));
export const webp = (width, height, colour = [30, 30, 200]) => file(vp8l(width, height, colour));

const le24 = (n) => Buffer.from([n & 255, n >> 8 & 255, n >> 16 & 255]);
const ALPHA = 0x10, ICC = 0x20, EXIF = 0x08, MOVING = 0x02;
const extended = (flags, width, height) =>
	riff('VP8X', Buffer.concat([Buffer.from([flags, 0, 0, 0]), le24(width - 1), le24(height - 1)]));

/* With a profile, or what a camera says: the TIFF that exif() has in it. */
export const webpWith = (width, height, colour, { profile: bytes, camera }) => file(
	extended((bytes ? ICC : 0) | (camera ? EXIF : 0), width, height),
	...bytes ? [riff('ICCP', bytes)] : [], vp8l(width, height, colour), ...camera ? [riff('EXIF', camera)] : []);

/* Frames of one colour each; [left, top, right, bottom] is what the first of them covers. */
export function animation(width, height, colours, [left, top, right, bottom] = [0, 0, width, height]) {
	return file(extended(MOVING | ALPHA, width, height), riff('ANIM', Buffer.alloc(6)),
		...colours.map((colour, i) => {
			const [x, y, w, h] = i === 0 ? [left, top, right - left, bottom - top] : [0, 0, width, height];
			return riff('ANMF', Buffer.concat([le24(x / 2), le24(y / 2), le24(w - 1), le24(h - 1),
				le24(100), Buffer.from([0]), vp8l(w, h, colour)]));
		}));
}

/* [[marker, bytes], ...] up to the scan. */
export function jpegSegments(bytes) {
	const found = [];
	for (let at = 2; bytes[at] === 0xff && bytes[at + 1] !== 0xda; at += 2 + bytes.readUInt16BE(at + 2))
		found.push([bytes[at + 1], bytes.subarray(at + 4, at + 2 + bytes.readUInt16BE(at + 2))]);
	return found;
}

/* The names of a WebP's chunks. */
export function webpChunks(bytes) {
	const found = [];
	for (let at = 12; at < bytes.length; at += 8 + bytes.readUInt32LE(at + 4) + bytes.readUInt32LE(at + 4) % 2)
		found.push(bytes.toString('latin1', at, at + 4));
	return found;
}

/* What a picture of ours is: its type and size. */
export function look(bytes) {
	if (bytes.readUInt16BE(0) === 0xffd8) {
		const frame = jpegSegments(bytes).find(([marker]) => [0xc0, 0xc1, 0xc2].includes(marker))[1];
		return { type: 'image/jpeg', width: frame.readUInt16BE(3), height: frame.readUInt16BE(1) };
	}
	if (bytes.toString('latin1', 8, 16) === 'WEBPVP8 ')
		return { type: 'image/webp', width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff };
	return { type: 'unknown' };
}

/* A JPEG's colour at a place that is named in parts of its size. */
export function colourAt(bytes, across, down) {
	const { width, height, data } = jpegJs.decode(bytes, { useTArray: true });
	const at = (Math.floor(height * down) * width + Math.floor(width * across)) * 4;
	return [...data.subarray(at, at + 3)];
}
