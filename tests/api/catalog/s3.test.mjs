/*
 * Pictures in a store that speaks S3: s3rver, behind a door at which AWS's own
 * signer must come to the same signature for what has arrived.  The functions
 * run one by one as CGI programs that are told where it is.
 */
import { SignatureV4 } from '@smithy/signature-v4';
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import S3rver from 's3rver';
import { call } from '../../lib/client.mjs';
import { cgi } from '../../lib/execute.mjs';
import { need } from '../../lib/env.mjs';
import { form } from '../../lib/form.mjs';
import { look, unlike } from '../../lib/pictures.mjs';
import { product, seller } from '../../lib/shop.mjs';
import { run, value } from '../../lib/sql.mjs';
import { until } from '../../lib/wait.mjs';

const KEY = 'S3RVER';		/* both halves of s3rver's own account */
const REGION = 'eu-central-1';
let owner, mine, directory, store, front, requests, env;
let mood = null;		/* what the store answers instead, while it is not null */

class Sha256 {
	constructor(key) {
		this.hash = key ? createHmac('sha256', key) : createHash('sha256');
	}

	update(bytes) {
		this.hash.update(bytes);
	}

	async digest() {
		return new Uint8Array(this.hash.digest());
	}
}
const signer = new SignatureV4({ credentials: { accessKeyId: KEY, secretAccessKey: KEY }, region: REGION, service: 's3',
	sha256: Sha256, uriEscapePath: false });

/* Is it signed, all of it, now, with our secret? */
async function isSigned({ method, url, headers }, body) {
	const names = /SignedHeaders=([^,]+)/.exec(headers.authorization)?.[1].split(';') ?? [];
	const time = headers['x-amz-date']?.replace(/^(....)(..)(..T..)(..)/, '$1-$2-$3:$4:');
	const signed = await signer.sign({ method, protocol: 'http:', hostname: '127.0.0.1', path: url, query: {},
		headers: Object.fromEntries(names.map((name) => [name, headers[name]])) }, { signingDate: new Date(time) });

	assert.ok(['host', 'x-amz-content-sha256', 'x-amz-date'].every((name) => names.includes(name)), headers.authorization);
	return Math.abs(Date.now() - new Date(time)) < 300000 &&
		headers['x-amz-content-sha256'] === createHash('sha256').update(body).digest('hex') &&
		headers.authorization.replaceAll(' ', '') === signed.headers.authorization.replaceAll(' ', '');
}

/* Notes what is asked, and can be in a bad mood. */
function listen() {
	const server = http.createServer(async (request, response) => {
		const chunks = [];
		for await (const chunk of request)
			chunks.push(chunk);
		const body = Buffer.concat(chunks);
		requests.push(`${request.method} ${request.url}`);
		let answer = mood?.(requests.length);
		if (!answer && request.url !== '/' && !await isSigned(request, body))
			answer = 403;
		if (!answer)
			return store(Object.assign(Readable.from([body]), {
				method: request.method, url: request.url, headers: request.headers, rawHeaders: request.rawHeaders,
				httpVersion: request.httpVersion, socket: request.socket, connection: request.socket }), response);
		if (answer === 'hang')
			return undefined;
		if (answer === 'drop')
			return request.socket.destroy();
		response.writeHead(answer, { 'Content-Type': 'application/xml' });
		return response.end('<Error><Code>SlowDown</Code></Error>');
	});
	return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}

before(async () => {
	owner = await seller();
	mine = await product(owner);
	directory = mkdtempSync(join(tmpdir(), 'souk-s3-'));
	const s3 = new S3rver({ directory, silent: true, configureBuckets: [{ name: 'pictures' }] });
	await s3.configureBuckets();
	store = s3.callback();
	requests = [];
	front = await listen();
	env = {
		S3_ENDPOINT: `http://127.0.0.1:${front.address().port}`, S3_BUCKET: 'pictures', S3_REGION: REGION,
		S3_ACCESS_KEY: KEY, S3_SECRET_KEY: KEY, S3_TIMEOUT_MS: '2000', MEDIA_CACHE_DIR: null,
	};
});
after(() => {
	front.close();
	front.closeAllConnections();
	rmSync(directory, { recursive: true });
});
test.beforeEach(() => {
	requests.length = 0;
	mood = null;
});

const upload = (more = {}, bytes = unlike()) => cgi('catalog-upload_image', 'POST', `/api/products/${mine.id}/upload-image`,
    { ...form(['image', bytes]), token: owner.token, env: { ...env, ...more } });
const get = (url, headers, more = {}) => cgi('catalog-media', 'GET', url, { headers, env: { ...env, ...more } });
const inPostgres = ({ imageUrl }) => value`SELECT count(*) FROM media.object WHERE key LIKE ${`${imageUrl.slice(7, -8)}%`}`;
const images = () => value`SELECT count(*) FROM catalog.product_image WHERE product_id = ${mine.id}`;

test('a picture is stored there, and comes from there', async () => {
	const { status, json, text, log } = await upload();
	assert.equal(status, 200, text + log);
	assert.deepEqual(requests, json.renditions.map(({ url }) => `PUT /pictures/${url.slice(7)}`));
	assert.equal(await inPostgres(json), 0);

	requests.length = 0;
	for (const { url, type, width, height } of json.renditions) {
		const answer = await get(url);
		assert.equal(answer.status, 200);
		assert.equal(answer.headers['content-type'], type);
		assert.deepEqual(look(answer.bytes), { type, width, height });
	}
	assert.equal(requests.length, 6);
	const part = await get(json.imageUrl, { Range: 'bytes=2-5' });
	assert.deepEqual([part.status, part.bytes.length], [206, 4]);
	const absent = await get(json.imageUrl.replace(/-\d+-/, '-999999999-'));
	assert.deepEqual([absent.status, absent.json.code], [404, 'not_found']);
});

test('the secret may lie in a file', async () => {
	const file = join(directory, 'secret');
	writeFileSync(file, `${KEY}\n`);
	const { status } = await upload({ S3_SECRET_KEY: null, S3_SECRET_KEY_FILE: file });
	assert.equal(status, 200);
});

test('a picture stored in Postgres before is still found', async () => {
	const { json } = await owner.call('POST', `/api/products/${mine.id}/upload-image`, { ...form(['image', unlike()]), expect: 200 });
	assert.equal(await inPostgres(json), 6);
	const answer = await get(json.imageUrl);
	assert.equal(answer.status, 200);
	assert.deepEqual(answer.bytes, (await call('GET', json.imageUrl, { expect: 200 })).bytes);
});

test('who signs with another secret, or for a bucket that is not there, is told to come again, and nothing is shown', async () => {
	const before = await images();
	for (const wrong of [{ S3_SECRET_KEY: 'another' }, { S3_ACCESS_KEY: 'another' }, { S3_REGION: 'another' }, { S3_BUCKET: 'another' }]) {
		const { status, json, headers, log } = await upload(wrong);
		assert.deepEqual([status, json.code], [503, 'unavailable']);
		assert.match(headers['retry-after'], /^\d+$/);
		assert.match(log, /the object store does not do as asked/);
		assert.doesNotMatch(log, /"another"|S3RVER:/);
	}
	assert.equal(await images(), before);
});

test('a store that stumbles is asked again', async () => {
	for (const answer of [500, 503, 429, 'drop']) {
		requests.length = 0;
		mood = (n) => n === 1 && answer;
		const { status } = await upload();
		assert.deepEqual([answer, status, requests.length], [answer, 200, 7]);
	}
});

test('a store that is away, or hangs, or stays in trouble is 503 in its time', async () => {
	const before = await images();
	const there = (await upload()).json.imageUrl;
	for (const answer of ['hang', 'drop', 500]) {
		mood = () => answer;
		for (const { status, json } of [await upload(), await get(there)])
			assert.deepEqual([answer, status, json.code], [answer, 503, 'unavailable']);
	}
	const nobody = { S3_ENDPOINT: 'http://127.0.0.1:1' };
	for (const { status } of [await upload(nobody), await get(there, {}, nobody)])
		assert.equal(status, 503);
	assert.equal(await images(), before + 1);
});

test('what is garbage is deleted there, once the store is well', async () => {
	const { json } = await upload();
	const files = json.renditions.map(({ url }) => url.slice(7));
	/* The stack's own run comes by now and then and knows no S3: what it takes is put back. */
	const discard = () => run`INSERT INTO media.garbage (key) SELECT unnest(${`{${files}}`}::text[])
	                          ON CONFLICT (key) DO UPDATE SET claimed_until = '-infinity'`;
	const collect = () => cgi('cron-media_collect', 'POST', '/internal/cron/media-collect', { token: need('SERVICE_TOKEN'), env });

	mood = () => 500;
	await until('a run fails with the store', async () => {
		await discard();
		return (await collect()).status === 503;
	});
	mood = null;
	await until('all are gone', async () => {
		await discard();
		await collect();
		return (await Promise.all(json.renditions.map(({ url }) => get(url)))).every(({ status }) => status === 404);
	});
	assert.ok(files.every((key) => requests.includes(`DELETE /pictures/${key}`)));
});

test('settings that do not fit each other stop the function, and say so', async () => {
	for (const [wrong, told] of [[{ S3_ACCESS_KEY: null }, /S3_ACCESS_KEY/], [{ S3_SECRET_KEY: null }, /S3_SECRET_KEY/],
	    [{ S3_ENDPOINT: 'ftp://x' }, /S3_ENDPOINT must begin with http/], [{ S3_TIMEOUT_MS: '0' }, /S3_TIMEOUT_MS/]]) {
		const { code, log } = await upload(wrong);
		assert.equal(code, 78);
		assert.match(log, told);
		assert.doesNotMatch(log, /S3RVER/);
	}
});

test('whether it is there is part of the shop\'s health', async () => {
	const health = async (more) => (await cgi('gateway-health_all', 'GET', '/health/all', { env: more })).json.dependencies.object_store;
	assert.equal(await health(env), 'up');
	assert.equal(await health({ ...env, S3_ENDPOINT: 'http://127.0.0.1:1' }), 'down');
	assert.equal(await health({}), 'up');
	assert.equal((await call('GET', '/health/all', { address: '127.0.0.1', expect: 200 })).json.dependencies.object_store, 'up');
});
