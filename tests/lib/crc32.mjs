/* The checksum of PNG and zip; node has its own only from 22 on. */
const table = Array.from({ length: 256 }, (_, n) => {
	for (let k = 0; k < 8; k++)
		n = n & 1 ? 0xedb88320 ^ n >>> 1 : n >>> 1;
	return n >>> 0;
});

export function crc32(bytes) {
	let crc = ~0;
	for (const byte of bytes)
		crc = table[(crc ^ byte) & 255] ^ crc >>> 8;
	return ~crc >>> 0;
}
