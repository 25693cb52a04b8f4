/*
 * Functions are for those they declare.  matrix.test.mjs asks every endpoint;
 * here are the ways around a gateway's rules.
 */
import assert from 'node:assert/strict';
import { before } from 'node:test';
import { ask } from '../gateway/wire.mjs';
import { call, outside, refuse } from '../lib/client.mjs';
import { endpoints } from '../lib/described.mjs';
import { need } from '../lib/env.mjs';
import { customer, product, seller } from '../lib/shop.mjs';
import { run, value } from '../lib/sql.mjs';
import { everybody } from './people.mjs';
import { risk } from './risk.mjs';

const case_ = risk(5);
const internal = endpoints.filter(({ access }) => access === 'service').map(({ path }) => path);
let buyer;
let boss;

before(async () => {
	({ buyer, boss } = await everybody());
});

case_('internal functions want the service token, of everybody', async () => {
	assert.ok(internal.length >= 2);
	const token = need('SERVICE_TOKEN');
	for (const path of internal) {
		for (const wrong of [undefined, buyer.token, boss.token, '', 'Bearer', token.slice(0, -1), `${token}x`, token.toUpperCase(), `${token} `.repeat(2).trim(), token.replace(/.$/, '\u0000')])
			if (!/\0/.test(wrong ?? ''))
				await refuse(401, 'unauthenticated', 'POST', path, { token: wrong });
		for (const headers of [{ 'X-Service-Token': token }, { Cookie: `token=${token}` }, { Authorization: token }, { Authorization: `bearer ${token}x` }, { Authorization: `Basic ${token}` }])
			await refuse(401, 'unauthenticated', 'POST', path, { headers });
		await refuse(401, 'unauthenticated', 'POST', `${path}?token=${token}&access_token=${token}`);
	}
});

case_('no spelling of an internal path goes around that', async () => {
	for (const path of internal)
		for (const spelling of [`/${path}`, `/.${path}`, `/x/..${path}`, `/api/..${path}`, `/api/%2e%2e${path}`, path.replace('internal', '%69nternal'), path.replaceAll('/', '//'),
		    `${path}/`, `${path}/.`, `${path}?`, `${path}#x`, `${path};x=1`, path.replace('/internal', '/INTERNAL'), path.replace('/internal', '/Internal'),
		    path.replace('/', '\\'), `${path}%20`, `${path}%00`, `${path}.json`, `/media/..${path}`, `/docs/..${path}`, `http://localhost${path}`, `http://127.0.0.1:1${path}`]) {
			const { status } = await ask(need('SOUK_URL'), 'POST', spelling, { 'Content-Length': '0' });
			assert.ok([400, 401, 404, 405].includes(status), `${spelling}: ${status}`);
		}
});

case_('headers that name another path, method or caller do nothing', async () => {
	for (const [name, path] of [['X-Original-URL', internal[0]], ['X-Rewrite-URL', internal[0]], ['X-Forwarded-Path', internal[0]], ['X-Forwarded-Prefix', '/internal'], ['X-HTTP-Method-Override', 'DELETE'],
	    ['X-HTTP-Method', 'DELETE'], ['X-Method-Override', 'POST'], ['X-Custom-IP-Authorization', '127.0.0.1'], ['X-Internal', 'true'], ['X-Service-Name', 'orders']]) {
		const plain = await call('GET', '/api/categories', { expect: 200 });
		const answer = await call('GET', '/api/categories', { headers: { [name]: path }, expect: 200 });
		assert.deepEqual(answer.json, plain.json, name);
		await refuse(401, 'unauthenticated', 'POST', internal[0], { headers: { [name]: path } });
	}
	const { id } = await product(await seller());
	await call('GET', `/api/products/${id}?_method=DELETE`, { headers: { 'X-HTTP-Method-Override': 'DELETE' }, expect: 200 });
	await call('GET', `/api/products/${id}`, { expect: 200 });
});

case_('nobody outside becomes an operator by saying so', async () => {
	for (const claimed of ['127.0.0.1', '::1', 'localhost', '127.0.0.1, 127.0.0.1', '::ffff:127.0.0.1', '0.0.0.0']) {
		const { address, headers } = outside('198.51.100.7');
		/* What the proxy adds stands at the end. */
		for (const more of [{ 'X-Forwarded-For': `${claimed}, ${headers['X-Forwarded-For']}` }, { ...headers, 'X-Real-IP': claimed, Forwarded: `for=${claimed}`, 'X-Client-IP': claimed, 'CF-Connecting-IP': claimed }]) {
			await refuse(403, 'forbidden', 'GET', '/metrics', { address, headers: more });
			const { json } = await call('GET', '/health/all', { address, headers: more });
			assert.deepEqual([json.dependencies, json.functions], [null, null]);
		}
	}
});

case_('customers do not sell, sellers do not administer', async () => {
	const vendor = await seller();
	for (const { method, path, access } of endpoints.filter((each) => ['seller', 'admin'].includes(each.access))) {
		const concrete = path.replace(/\{[^}]+\}/, '1');
		await buyer.refuse(403, 'forbidden', method, concrete, method === 'GET' ? {} : { json: {} });
		if (access === 'admin')
			await vendor.refuse(403, 'forbidden', method, concrete, method === 'GET' ? {} : { json: {} });
	}
});

case_('a role is the account\'s, not the sign-up\'s', async () => {
	for (const role of ['admin', 'Admin', 'service', 'operator'])
		assert.ok([400, 403].includes((await call('POST', '/api/auth/register', {
			json: { email: `x${Date.now()}@example.com`, password: 'Password123!', role } })).status), role);
	assert.equal(await value`SELECT count(*) FROM users.account WHERE role = 'admin' AND email LIKE 'x%@example.com'`, 0);
});

case_('an account that is closed can do nothing more', async () => {
	const gone = await seller();
	await gone.get('/api/users/profile');
	await run`UPDATE users.account SET is_active = false WHERE id = ${gone.id}`;
	await run`UPDATE users.session SET revoked_at = now() WHERE user_id = ${gone.id}`;
	const { redis } = await import('../lib/stack.mjs');
	const { decode } = await import('../lib/token.mjs');
	await redis(`DEL session:${decode(gone.token).claims.sid}`);
	for (const { method, path } of endpoints.filter(({ access }) => ['user', 'seller', 'admin'].includes(access)))
		await refuse(401, 'unauthenticated', method, path.replace(/\{[^}]+\}/, '1'), { token: gone.token, json: method === 'GET' ? undefined : {} });
});

/* What the contract says of whole families, whatever an endpoint declares. */
const LEAST = [
	[/^(POST|PUT|DELETE) \/api\/products(?!.*\/reviews)/, 'seller'],
	[/^GET \/api\/products\/\{id\}\/stock/, 'seller'],
	[/^PUT \/api\/orders\/\{id\}\/(status|tracking)$/, 'seller'],
	[/^(POST|PUT|DELETE) \/api\/categories/, 'admin'],
	[/^(GET \/api\/users|PUT \/api\/users\/\{id\})$/, 'admin'],
	[/^\w+ \/api\/admin\//, 'admin'],
	[/^POST \/api\/payments\/refund$/, 'admin'],
	[/^\w+ \/internal\//, 'service'],
	[/^GET \/metrics$/, 'operator'],
	[/^\w+ \/api\/orders/, 'user'],
	[/^\w+ \/api\/users/, 'user'],
	[/^(?!POST \/api\/payments\/webhook$)\w+ \/api\/payments/, 'user'],
];

case_('no endpoint declares less than the contract asks of its like', () => {
	for (const { method, path, access } of endpoints) {
		const name = `${method} ${path}`;
		const rule = LEAST.find(([pattern]) => pattern.test(name));
		if (rule)
			assert.equal(`${name} is for ${access}`, `${name} is for ${rule[1]}`);
	}
	for (const [pattern] of LEAST.filter(([, least]) => ['service', 'operator', 'user'].includes(least)))
		assert.ok(endpoints.some(({ method, path }) => pattern.test(`${method} ${path}`)), String(pattern));
});
