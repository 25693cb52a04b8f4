/*
 * Whatever answers where Redis should be, a request is served without it; where
 * Postgres should be, it is refused for now.
 */
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { execute } from '../lib/execute.mjs';
import { customer, product, seller } from '../lib/shop.mjs';

/* Of Redis, each for every command that comes, of however many in one go. */
const ANSWERS = {
	'nothing but nulls': '$-1\r\n',
	'a null list': '*-1\r\n',
	'an empty list': '*0\r\n',
	'lists that are too short': '*1\r\n$4\r\nlive\r\n',
	'lists that are too long': `*9\r\n${'$1\r\nx\r\n'.repeat(9)}`,
	'lists of lists': '*3\r\n*1\r\n:1\r\n*0\r\n*-1\r\n',
	'numbers': ':18446744073709551615\r\n',
	'negative numbers in a list': '*3\r\n:-1\r\n:-9223372036854775808\r\n:-1\r\n',
	'words': '+OK\r\n',
	'errors': '-LOADING Redis is loading the dataset in memory\r\n',
	'that it has no such script': '-NOSCRIPT No matching script.\r\n',
	'no protocol of ours': 'HTTP/1.1 400 Bad Request\r\n\r\n',
	'half an answer, and then nothing': '*3\r\n$4\r\nli',
	'a length that nobody has': '$99999999999999999999\r\n',
	'a list as long as nothing': '*2147483647\r\n',
	'a cached answer without an end': '$5\r\nx\n\n\n\r\n',
	'zeros': '\0'.repeat(64),
};
const listeners = [];
let buyer, goods;

/* Where somebody does that with whatever a socket says. */
async function listening(answer) {
	const server = net.createServer((socket) => {
		socket.on('error', () => {});
		socket.on('data', (data) => answer(socket, data));
	});
	await new Promise((done) => server.listen(0, '127.0.0.1', done));
	listeners.push(server);
	return `127.0.0.1:${server.address().port}`;
}

before(async () => {
	buyer = await customer();
	goods = await product(await seller());
});
after(() => listeners.forEach((server) => server.close()));

for (const [what, bytes] of Object.entries(ANSWERS))
	test(`${what}: a product, an own profile, a new one`, async () => {
		const REDIS_URL = `redis://${await listening((socket, data) => {
			const commands = data.toString('latin1').match(/^\*\d+\r$/gm)?.length ?? 1;
			socket.write(Buffer.from(bytes.repeat(commands), 'latin1'));
		})}`;
		const ask = async (name, ...args) => {
			const { code, stdout, log } = await execute(name, ['--once', ...args],
			    { env: { REDIS_URL, HTTP_AUTHORIZATION: `Bearer ${buyer.token}` } });
			assert.equal(code, 0, `${name}: ${stdout}${log}`);
			return JSON.parse(stdout);
		};

		assert.equal((await ask('catalog-get', 'GET', `/api/products/${goods.id}`)).id, goods.id);
		assert.ok(Array.isArray((await ask('catalog-list', 'GET', '/api/products')).products));
		assert.equal((await ask('users-profile', 'GET', '/api/users/profile')).id, buyer.id);
	});

/* Of Postgres: what it says to each thing it hears; the first, the second, and so on. */
const LET_IN = 'R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I';
const SAYINGS = {
	'no protocol of its own': ['HTTP/1.1 400 Bad Request\r\n\r\n'],
	'an answer without an end': ['R\xff\xff\xff\xff'],
	'an answer shorter than nothing': ['R\0\0\0\0'],
	'a welcome, and then nonsense': [LET_IN, 'HTTP/1.1 400 Bad Request\r\n\r\n'],
	'a welcome, and then half a row': [LET_IN, '1\0\0\0\x04D\0\0\0\x40\0\x01'],
	'a welcome, and then rows that nobody has described': [LET_IN, '1\0\0\0\x04D\0\0\0\x0b\0\x01\0\0\0\x01x'],
	'a welcome, and then that it is ready': [LET_IN, 'Z\0\0\0\x05I'],
	'a welcome, and then a notice without its text': [LET_IN, 'N\0\0\0\x0cCSK002\0\0HTTP/1.1 400\r\n\r\n'],
	'a welcome, and then more columns than bytes': [LET_IN, '1\0\0\0\x04T\0\0\0\x06\x7f\xff'],
};

/* What a product is to one who asks there. */
async function productOf(says) {
	const where = await listening((socket) => {
		socket.heard = (socket.heard ?? -1) + 1;
		if (socket.heard < says.length)
			socket.write(Buffer.from(says[socket.heard], 'latin1'));
		if (socket.heard === says.length - 1)
			socket.end();
	});
	const { code, stdout, log } = await execute('catalog-get', ['--once', 'GET', `/api/products/${goods.id}`],
	    { env: { REDIS_URL: null, DATABASE_URL: `postgresql://souk_catalog@${where}/souk?sslmode=disable&gssencmode=disable` } });

	assert.equal(code, 1, `${stdout}${log}`);
	return JSON.parse(stdout).code;
}

for (const [what, says] of Object.entries(SAYINGS))
	test(`${what}: a product is not to be had just now`, async () => {
		assert.equal(await productOf(says), 'unavailable');
	});

test('a refusal of ours that names none is one that we do not know', async () => {
	const refusal = '1\0\0\0\x04E\0\0\0\x0cCSK000\0\0Z\0\0\0\x05I';
	assert.equal(await productOf([LET_IN, refusal]), 'internal_error');
});
