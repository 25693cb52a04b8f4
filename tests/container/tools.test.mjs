/* An empty database becomes a shop by the image of the tools. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { need } from '../lib/env.mjs';
import { built, HARDENED, shared, start, startFunction } from './podman.mjs';
import { close, reachStack, startNames } from './reached.mjs';

const DATABASE = 'souk_of_tools';
const BIG = HARDENED.map((flag) => flag.replace(/=96m$/, '=256m'));
let reached;
let superuser;
let secrets;

before(async () => {
	await built('tools', 'catalog-list');
	await startNames();
	reached = await reachStack();
	superuser = reached.postgres('postgresql://souk_super@').replace('/souk?', '/postgres?');
	secrets = Object.fromEntries(readFileSync(path.join(need('SOUK_RUN'), 'env/secrets'), 'utf8').split('\n')
	    .filter((line) => /^SOUK_\w+_PASSWORD=/.test(line)).map((line) => line.split('=')));
});
after(close);

const of = (role) => reached.postgres(`postgresql://souk_${role}:${secrets[`SOUK_${role.toUpperCase()}_PASSWORD`]}@`)
    .replace('/souk?', `/${DATABASE}?`);

async function tool(args, env, mounts = {}) {
	const container = await start('tools', { env, mounts, command: args, hardened: BIG, flags: reached.flags, runDir: [] });
	const code = await container.ended();
	return { code, logs: await container.logs() };
}

async function done(...args) {
	const { code, logs } = await tool(...args);
	assert.equal(code, 0, logs);
	return logs;
}

test('roles, schema and webhook, twice as well as once; then goods', async () => {
	const media = shared('media');
	const secret = path.join(shared('owner'), 'url');
	writeFileSync(secret, of('owner'), { mode: 0o644 });
	for (let round = 0; round < 2; round++) {
		await done(['roles'], { SOUK_SUPERUSER_URL: superuser, SOUK_DATABASE: DATABASE, ...secrets });
		await done(['migrate'], { DATABASE_URL_FILE: '/url' }, { '/url:ro': secret });
		await done(['webhook', 'http://gateway:8080/api/payments/webhook'], { DATABASE_URL: of('owner'), STRIPE_WEBHOOK_SECRET: 'whsec_one,whsec_two' });
	}
	/* Once: the pictures take a while to be drawn. */
	await done(['demo'], { DATABASE_URL: of('owner'), MEDIA_DIR: '/media', BCRYPT_COST: '4', CUSTOMER_PASSWORD: 'a-customer-of-the-souk',
		SELLER_PASSWORD: 'a-seller-in-the-souk', ADMIN_PASSWORD: 'an-admin-of-the-souk' }, { '/media': media });
	const list = await startFunction('catalog-list', { ...reached, postgres: () => of('catalog') }, { env: { REDIS_URL: '' } });
	await list.answers('/ready');
	const { products, pagination } = (await list.get('/api/products?limit=20')).json();
	assert.equal(products.length, 20);
	assert.ok(pagination.total > 20);
	assert.ok(readFileSync(path.join(media, products[0].image_url.replace(/^\/media\//, ''))).length > 1000, products[0].image_url);
});

test('what is missing is said', async () => {
	const { code, logs } = await tool(['migrate'], {});
	assert.deepEqual([code, logs.trim()], [2, 'souk: set DATABASE_URL']);
	assert.equal((await tool(['no-such-thing'], {})).code, 2);
});
