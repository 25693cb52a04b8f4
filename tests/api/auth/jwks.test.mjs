import assert from 'node:assert/strict';
import { createPublicKey, createVerify } from 'node:crypto';
import { test } from 'node:test';
import { call } from '../../lib/client.mjs';
import { signingKey } from '../../lib/env.mjs';
import { customer } from '../../lib/shop.mjs';
import { decode } from '../../lib/token.mjs';

const PATH = '/.well-known/jwks.json';

test('the public keys, and nothing else of them', async () => {
	const { json } = await call('GET', PATH, { expect: 200 });

	assert.deepEqual(Object.keys(json), ['keys']);
	for (const key of json.keys) {
		assert.deepEqual(Object.keys(key).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
		assert.equal(key.alg, 'ES256');
		assert.equal(key.use, 'sig');
	}
	assert.ok(json.keys.some(({ kid }) => kid === signingKey().kid));
});

test('anyone can verify an access token with them', async () => {
	const { token } = await customer();
	const { json } = await call('GET', PATH, { expect: 200 });
	const { header } = decode(token);
	const key = createPublicKey({ key: json.keys.find(({ kid }) => kid === header.kid), format: 'jwk' });
	const [head, body, signature] = token.split('.');

	assert.ok(createVerify('SHA256').update(`${head}.${body}`)
	    .verify({ key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')));
});
