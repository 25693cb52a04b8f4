/*
 * Bad bodies that every endpoint with a JSON body refuses alike, and the
 * tokens that every endpoint with a user refuses alike.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { call, refuse } from './client.mjs';
import { need, signingKey } from './env.mjs';
import { forgeries } from './token.mjs';

const nested = (depth) => '{"x":' + '['.repeat(depth) + ']'.repeat(depth) + '}';

/* Not JSON, or not JSON that may be: 400 malformed_request. */
const MALFORMED = {
	'text': 'hello',
	'an open brace': '{',
	'a trailing comma': '{"email":"a@example.com",}',
	'single quotes': "{'email':'a@example.com'}",
	'a comment': '{/* no */}',
	'two documents': '{}{}',
	'trailing text': '{} x',
	'NaN': '{"x":NaN}',
	'Infinity': '{"x":Infinity}',
	'a leading zero': '{"x":01}',
	'a plus sign': '{"x":+1}',
	'a bare fraction': '{"x":.5}',
	'hexadecimal': '{"x":0x10}',
	'an unfinished string': '{"x":"abc',
	'a raw newline in a string': '{"x":"a\nb"}',
	'an unknown escape': '{"x":"\\q"}',
	'half an escape': '{"x":"\\u12"}',
	'a lone high surrogate': '{"x":"\\ud800"}',
	'a lone low surrogate': '{"x":"\\udc00 "}',
	'surrogates the wrong way round': '{"x":"\\udc00\\ud800"}',
	'a NUL escape': '{"x":"a\\u0000b"}',
	'a NUL escape in a name': '{"a\\u0000b":1}',
	'a raw NUL': Buffer.from('{"x":"a\0b"}'),
	'a NUL after the document': Buffer.from('{}\0'),
	'bytes that are not UTF-8': Buffer.from([0x7b, 0x22, 0x78, 0x22, 0x3a, 0x22, 0xff, 0xfe, 0x22, 0x7d]),
	'an overlong slash': Buffer.from([0x7b, 0x22, 0x78, 0x22, 0x3a, 0x22, 0xc0, 0xaf, 0x22, 0x7d]),
	'a surrogate in UTF-8': Buffer.from([0x7b, 0x22, 0x78, 0x22, 0x3a, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x7d]),
	'a cut sequence': Buffer.from([0x7b, 0x22, 0x78, 0x22, 0x3a, 0x22, 0xe2, 0x82, 0x22, 0x7d]),
	'above the last code point': Buffer.from([0x7b, 0x22, 0x78, 0x22, 0x3a, 0x22, 0xf4, 0x90, 0x80, 0x80, 0x22, 0x7d]),
	'a duplicate key': '{"x":1,"x":2}',
	'a duplicate key, escaped': '{"x":1,"\\u0078":2}',
	'nesting of 33': nested(32),
	'nesting of 100000': nested(100000),
};

/* JSON, but not an object: 400 of either kind. */
const NOT_OBJECTS = {
	'nothing at all': '', 'white space': '  \n', 'an array': '[]', 'a string': '"x"', 'a number': '1', 'null': 'null', 'true': 'true',
};

/* A path that is only known once the test's things are made is a function. */
const at = (path) => typeof path === 'function' ? path() : path;

/*
 * `token`: a function that makes the bearer token, or nothing.  No request
 * here may have an effect, so the bodies need not fit the endpoint.
 */
export function refusesBadBodies(method, path, token = () => undefined) {
	test('bodies that are not JSON are 400', async () => {
		for (const [name, body] of Object.entries(MALFORMED)) {
			const answer = await call(method, at(path), { body, token: await token() });
			assert.equal(`${name}: ${answer.status} ${answer.json.code}`, `${name}: 400 malformed_request`);
		}
	});

	test('32 levels of nesting are read', async () => {
		const answer = await refuse(400, 'invalid_input', method, at(path),
		    { body: nested(31), token: await token() });
		assert.ok(answer.json.errors.some((entry) => entry.field === 'x'), answer.text);
	});

	test('JSON that is not an object is 400', async () => {
		for (const [name, body] of Object.entries(NOT_OBJECTS)) {
			const answer = await call(method, at(path), { body, token: await token() });
			/* Where every field is optional, nothing is a body too. */
			if (body !== '' || answer.status !== 200)
				assert.equal(`${name}: ${answer.status}`, `${name}: 400`);
		}
	});

	test('content types other than JSON are 415', async () => {
		for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x',
		    'application/jsonp', 'application/json-patch+json', 'text/json', 'application', null])
			await refuse(415, 'unsupported_media_type', method, at(path),
			    { body: '{}', type, token: await token() });
	});

	test('JSON content types with parameters are accepted', async () => {
		for (const type of ['application/json; charset=utf-8', 'Application/JSON', 'application/json;charset=UTF-8']) {
			const answer = await call(method, at(path), { body: '{"nosuchfield":1}', type, token: await token() });
			assert.equal(`${type}: ${answer.json.code}`, `${type}: invalid_input`);
		}
	});

	test('unknown fields are 400 and named', async () => {
		const answer = await refuse(400, 'invalid_input', method, at(path), {
			json: { nosuchfield: 1, __proto: 2, constructor: 3 }, token: await token(),
		});
		const named = answer.json.errors.map((entry) => entry.field);
		for (const name of ['nosuchfield', '__proto', 'constructor'])
			assert.ok(named.includes(name), `${name} in ${answer.text}`);
	});

	test('a body over 1 MiB is 413', async () => {
		await refuse(413, 'body_too_large', method, at(path), {
			body: JSON.stringify({ x: 'a'.repeat(1024 * 1024) }), token: await token(),
		});
	});
}

/* Missing, malformed, forged, expired and misdirected tokens: 401. */
export function refusesBadTokens(method, path, person, { json } = {}) {
	const ask = (headers) => refuse(401, 'unauthenticated', method, at(path), { json, headers });

	test('no token, or something else in its place, is 401', async () => {
		const { token } = await person();
		await ask({});
		for (const value of ['Bearer', 'Bearer ', `Basic ${Buffer.from('a:b').toString('base64')}`,
		    token, `Token ${token}`, `Bearer ${token} x`, `Bearer ${'a'.repeat(6000)}`])
			await ask({ Authorization: value });
	});

	test('forged, expired and misdirected tokens are 401', async () => {
		const { token } = await person();
		const { kid } = signingKey();
		const publicPem = readFileSync(join(need('SOUK_RUN'), 'keys', 'public', `${kid}.pem`), 'utf8');

		for (const [name, forged] of Object.entries(forgeries(token, publicPem))) {
			const answer = await call(method, at(path), { json, token: forged });
			assert.equal(`${name}: ${answer.status} ${answer.json?.code}`, `${name}: 401 unauthenticated`);
		}
	});
}
