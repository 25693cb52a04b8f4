import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call } from '../../lib/client.mjs';
import { assertTimes } from '../../lib/shop.mjs';
import { rows } from '../../lib/sql.mjs';

const PATH = '/api/categories';

test('every category is listed', async () => {
	const { json } = await call('GET', PATH, { expect: 200 });

	assert.ok(Array.isArray(json));
	assert.ok(json.length >= 10);
	for (const category of json) {
		for (const name of ['id', 'name', 'slug', 'description', 'parent_id', 'created_at', 'updated_at'])
			assert.ok(category[name] !== undefined, name);
		assertTimes(category, ['created_at', 'updated_at']);
		assert.ok(Number.isSafeInteger(category.id));
	}
	const stored = await rows`SELECT id FROM catalog.category`;
	assert.deepEqual(json.map((category) => category.id).sort((a, b) => a - b),
	    stored.map((category) => category.id).sort((a, b) => a - b));
});

test('the list is cached and answers 304', async () => {
	const first = await call('GET', PATH, { expect: 200 });
	const second = await call('GET', PATH, { expect: 200 });

	assert.equal(second.headers['x-cache'], 'HIT');
	assert.equal(second.text, first.text);
	assert.match(first.headers['cache-control'], /\bpublic\b.*\bmax-age=\d+/);
	assert.ok(first.headers.vary);
	await call('GET', PATH, { headers: { 'If-None-Match': first.headers.etag }, expect: 304 });
});
