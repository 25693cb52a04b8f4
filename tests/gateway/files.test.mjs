/* What lighttpd serves by itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, assertSafeHeaders } from './problem.mjs';
import { base, picture } from './stack.mjs';
import { ask } from './wire.mjs';

const FILES = {
	'/openapi.json': 'application/json',
	'/docs': 'text/html; charset=utf-8',
	'/docs.css': 'text/css; charset=utf-8',
};

for (const [target, type] of Object.entries(FILES)) {
	test(`${target} is served as what it is, and not again to who has it`, async () => {
		const first = await ask(base, 'GET', target, {});
		assert.equal(first.status, 200);
		assert.equal(first.headers['content-type'], type);
		assert.ok(first.headers.etag);
		assertSafeHeaders(first.headers);

		const again = await ask(base, 'GET', target, { 'If-None-Match': first.headers.etag });
		assert.equal(again.status, 304);
		assert.equal(again.body, '');
		const other = await ask(base, 'GET', target, { 'If-None-Match': '"another"' });
		assert.equal(other.status, 200);
	});

	test(`${target} is only for reading`, async () => {
		const response = await ask(base, 'POST', target, { 'Content-Length': '0' });
		assertProblem(response, 405, 'method_not_allowed');
		assert.equal(response.headers.allow, 'GET, HEAD, OPTIONS');
	});
}

test('openapi.json is OpenAPI 3.1', async () => {
	const api = JSON.parse((await ask(base, 'GET', '/openapi.json', {})).body);
	assert.match(api.openapi, /^3\.1\./);
	assert.ok(Object.keys(api.paths).length > 0);
});

test('the docs page needs nothing that its policy forbids', async () => {
	const page = await ask(base, 'GET', '/docs', {});
	assert.match(page.headers['content-security-policy'], /style-src 'self'/);
	assert.doesNotMatch(page.body, /<script|<style|\sstyle=|\son\w+=|https?:\/\/(?!127\.0\.0\.1)/);
	for (const [, link] of page.body.matchAll(/href="(\/[^"]*)"/g))
		assert.equal((await ask(base, 'GET', link, {})).status, 200, link);
	for (const [, anchor] of page.body.matchAll(/href="#([^"]*)"/g))
		assert.ok(page.body.includes(`id="${anchor}"`), anchor);
});

test('a picture of the catalog comes in whole, in part, or not at all when it is known', async (t) => {
	const pathname = await picture();

	await t.test('whole', async () => {
		const whole = await ask(base, 'HEAD', pathname, {});
		assert.equal(whole.status, 200);
		assert.match(whole.headers['content-type'], /^image\/(jpeg|png|webp)$/);
		assert.match(whole.headers['cache-control'], /immutable/);
		assertSafeHeaders(whole.headers);
	});
	await t.test('in part', async () => {
		const { status, headers } = await ask(base, 'GET', pathname, { Range: 'bytes=0-9' });
		assert.equal(status, 206);
		assert.match(headers['content-range'], /^bytes 0-9\/\d+$/);
	});
	await t.test('known', async () => {
		const { headers } = await ask(base, 'HEAD', pathname, {});
		assert.equal((await ask(base, 'GET', pathname, { 'If-None-Match': headers.etag })).status, 304);
	});
});

test('a picture that is not there is a 404 that nobody keeps', async () => {
	const response = await ask(base, 'GET', '/media/none.jpg', {});
	assertProblem(response, 404, 'not_found');
	assert.doesNotMatch(response.headers['cache-control'] ?? '', /immutable|max-age=[1-9]/);
});
