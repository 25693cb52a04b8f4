/*
 * The stack as it is set up: what it shows, and to whom.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { before } from 'node:test';
import { ask } from '../gateway/wire.mjs';
import { call, exchange, newAddress, outside, refuse } from '../lib/client.mjs';
import { endpoints } from '../lib/described.mjs';
import { need } from '../lib/env.mjs';
import { product, seller, unique } from '../lib/shop.mjs';
import { rows } from '../lib/sql.mjs';
import { everybody, fill } from './people.mjs';
import { risk } from './risk.mjs';

const case_ = risk(8);
const get = (path, headers = {}) => exchange(need('SOUK_URL'), 'GET', path, { headers, address: newAddress() });
let people;

before(async () => {
	people = await everybody();
});

case_('every answer tells browsers what not to do, and not who made it', async () => {
	const kinds = { fine: ['GET', '/api/categories'], created: ['GET', '/'], none: ['GET', '/nothing'], unsigned: ['GET', '/api/orders'], method: ['DELETE', '/api/categories'],
	    broken: ['POST', '/api/auth/login'], file: ['GET', '/openapi.json'], page: ['GET', '/docs'], options: ['OPTIONS', '/api/orders'], head: ['HEAD', '/api/products'] };

	for (const [kind, [method, path]] of Object.entries(kinds)) {
		const { headers } = await exchange(need('SOUK_URL'), method, path, { address: newAddress() });
		assert.equal(headers['x-content-type-options'], 'nosniff', kind);
		assert.match(headers['content-security-policy'] ?? '', /default-src 'none'/, kind);
		for (const directive of ['base-uri', 'form-action', 'frame-ancestors'])
			assert.match(headers['content-security-policy'], new RegExp(`${directive} 'none'`), kind);
		assert.ok(headers['referrer-policy'], kind);
		for (const name of ['x-powered-by', 'via', 'x-aspnet-version', 'x-runtime', 'set-cookie'])
			assert.equal(headers[name], undefined, `${kind}: ${name}`);
		assert.doesNotMatch(headers.server ?? '', /\d|lighttpd/, kind);
	}
});

case_('behind TLS, browsers are told to stay there', async () => {
	for (const path of ['/', '/api/products', '/nothing', '/openapi.json', '/docs'])
		assert.match((await get(path, { 'X-Forwarded-Proto': 'https' })).headers['strict-transport-security'] ?? '', /max-age=31536000; includeSubDomains/, path);
});

case_('no other origin is let in, by whatever name', async () => {
	const { host } = new URL(need('SOUK_URL'));
	for (const origin of ['https://evil.example', 'null', `http://${host}.evil.example`, 'http://localhost', 'file://', '*', '', ' ', ',', 'http', `http://${host}`.slice(0, -1)])
		for (const [method, path] of [['GET', '/api/products'], ['GET', '/api/users/profile'], ['OPTIONS', '/api/orders'], ['GET', '/nothing']]) {
			const { headers, status } = await exchange(need('SOUK_URL'), method, path, {
				headers: { Origin: origin, 'Access-Control-Request-Method': 'PUT', 'Access-Control-Request-Headers': 'authorization' }, address: newAddress() });
			assert.ok(status < 500);
			assert.equal(headers['access-control-allow-origin'], undefined, `${origin} ${path}`);
			assert.equal(headers['access-control-allow-credentials'], undefined, `${origin} ${path}`);
		}
});

case_('what has a user in it is kept by no cache', async () => {
	for (const endpoint of endpoints.filter(({ access }) => !['public', 'operator', 'signed'].includes(access))) {
		const token = endpoint.access === 'service' ? need('SERVICE_TOKEN') : people.boss.token;
		const answer = await call(endpoint.method, fill(endpoint.path, 1), { token, json: endpoint.method === 'GET' ? undefined : {} });
		assert.match(answer.headers['cache-control'] ?? '', /no-store/, `${endpoint.method} ${endpoint.path}`);
	}
	for (const path of ['/api/auth/login', '/api/auth/register', '/api/auth/refresh'])
		assert.match((await call('POST', path, { json: {} })).headers['cache-control'] ?? '', /no-store/, path);
});

case_('no request leaves another one\'s answer in the cache', async () => {
	const vendor = await seller();
	const word = `word${unique()}`;
	const tag = `tag${unique()}`;
	await product(vendor, { name: `${word} lamp`, tags: [tag] });
	const honest = `/api/products?search=${word}&tags=${tag}`;

	/* One value that is written like two. */
	for (const forged of [`search=${word}%26tags%3D${tag}`, `search=${word}%26tags%3D${tag.length}:${tag}`, `search=${word}&category=x%26tags%3D${tag}`])
		await call('GET', `/api/products?${forged}`, { expect: 200 });
	assert.equal((await call('GET', honest, { expect: 200 })).json.products.length, 1);

	/* Nor does a header that the answer does not depend on. */
	const path = `/api/products?search=${word}`;
	for (const headers of [{ 'X-Forwarded-Host': 'evil.example' }, { 'Accept-Language': 'xx' }, { Cookie: 'a=b' }, { Authorization: 'Bearer x' }, { Range: 'bytes=0-1' }, { Accept: 'text/html' }]) {
		const answer = await call('GET', path, { headers, expect: 200 });
		assert.equal(answer.json.products.length, 1, JSON.stringify(headers));
	}
	const { cost_per_item: _, ...plain } = (await call('GET', path, { token: vendor.token, expect: 200 })).json.products[0];
	assert.deepEqual((await call('GET', path, { expect: 200 })).json.products[0], plain);
	/* A path with something behind it is not the path. */
	for (const deceiving of ['/api/users/profile/x.css', '/api/users/profile%2fx.css', '/api/users/profile;x.css', '/api/orders/x.jpg'])
		assert.ok([400, 404, 405].includes((await call('GET', deceiving, { token: people.buyer.token })).status), deceiving);
});

case_('errors say nothing of the inside', async () => {
	/* The client of the suite looks for SQL and sources in each; here are those that might. */
	for (const [method, path, body] of [['GET', "/api/products?search='", undefined], ['GET', '/api/products?cursor=1_1', undefined], ['GET', '/api/products/9223372036854775807', undefined], ['POST', '/api/auth/login', '{"email":1}'],
	    ['POST', '/api/auth/login', '['], ['POST', '/api/payments/webhook', '{}'], ['GET', '/api/orders', undefined], ['GET', '/%ff%fe', undefined], ['GET', `/${'a'.repeat(7000)}`, undefined]]) {
		const { text } = await call(method, path, { body });
		assert.doesNotMatch(text, /postgres|lighttpd|redis|fastcgi|\/tmp\/|\/home\/|\/work\/|\/usr\/|socket|stack|libc|column|relation|syntax|souk_|errno/i, `${method} ${path.slice(0, 60)}`);
	}
});

case_('TRACE and methods that nobody asked for are refused', async () => {
	for (const method of ['TRACE', 'TRACK', 'CONNECT', 'PROPFIND', 'PROPPATCH', 'MKCOL', 'COPY', 'MOVE', 'LOCK', 'SEARCH', 'DEBUG', 'LINK', 'PURGE', 'PATCH'])
		for (const path of ['/', '/api/products', '/docs', '/openapi.json']) {
			const { status, body } = await ask(need('SOUK_URL'), method, path, { 'X-Echo': 'echoed-secret', 'Content-Length': '0' });
			assert.ok([400, 405, 501].includes(status), `${method} ${path}: ${status}`);
			assert.ok(!body.includes('echoed-secret'), method);
		}
});

case_('no directory is listed, no file served that is not meant to be', async () => {
	for (const path of ['/media', '/media/', '/docs/', '/fn/', '/log/', '/errors/', '/errors/404.html', '/api/', '/.git/HEAD', '/.git/config', '/.gitignore', '/.env', '/env/secrets', '/.run/env/secrets', '/.svn/entries', '/.htaccess', '/.well-known/', '/server-status', '/server-info',
	    '/docs.html', '/openapi.json.bak', '/openapi.json~', '/Makefile', '/README.md', '/schema/roles.sql', '/lighttpd.conf', '/routes.conf', '/stack.env', '/keys/private/', '/backup.sql', '/dump.rdb', '/core', '/phpinfo.php', '/wp-login.php', '/actuator/env', '/favicon.ico/../../stack.env',
	    '/media/../stack.env', '/media/..%2f..%2fstack.env', '/media/%2e%2e/stack.env', '/media/....//stack.env', '/media/..\\stack.env', '/media/.hidden.jpg', '/media/x.jpg/../../stack.env', '/docs.css/../../lighttpd.conf', '/media//etc/passwd', '/media/%00.jpg', '/media/x.php', '/media/x.html', '/media/x.svg']) {
		const answer = await get(path);
		assert.ok([400, 404].includes(answer.status), `${path}: ${answer.status}`);
		assert.doesNotMatch(answer.bytes.toString(), /PASSWORD=|Index of|root:|BEGIN|\[core\]/, path);
	}
});

case_('metrics and the details of health are for operators', async () => {
	await refuse(403, 'forbidden', 'GET', '/metrics', outside());
	for (const token of [undefined, people.boss.token, need('SERVICE_TOKEN')]) {
		const { json } = await call('GET', '/health/all', { token, ...outside() });
		assert.deepEqual([json.dependencies, json.functions], [null, null]);
		assert.equal((await call('GET', '/metrics', { token, ...outside() })).status, 403);
	}
	const { text } = await call('GET', '/health', outside());
	assert.doesNotMatch(text, /souk-|\.sock|pid|version/i);
});

case_('no account has a password that everybody knows', async () => {
	for (const [email, password] of [['admin', 'admin'], ['admin@example.com', 'admin'], ['admin@souk.example', 'admin'], ['admin@souk.example', 'password'], ['admin@souk.example', 'Admin123!'], ['admin@souk.example', 'Password123!'],
	    ['admin@souk.example', 'souk-admin'], ['root@souk.example', 'root'], ['test@example.com', 'test1234'], ['admin@example.com', 'Password123!']])
		assert.ok([400, 401].includes((await call('POST', '/api/auth/login', { json: { email, password } })).status), `${email} ${password}`);
	/* The secrets are this stack's own, long and unlike each other. */
	const secrets = readFileSync(join(need('SOUK_RUN'), 'env', 'secrets'), 'utf8').split('\n').filter(Boolean).map((line) => line.split('=')[1]);
	assert.ok(secrets.length >= 10);
	assert.equal(new Set(secrets).size, secrets.length);
	for (const secret of secrets)
		assert.match(secret, /[0-9a-f]{48}$/);
});

case_('secrets lie in files that are their owner\'s alone', () => {
	const run = need('SOUK_RUN');
	const mode = (path) => statSync(path).mode & 0o077;

	for (const directory of ['env', 'keys/private'])
		for (const name of readdirSync(join(run, directory)))
			assert.equal(mode(join(run, directory, name)), 0, `${directory}/${name}`);
});

case_('each context logs in to Postgres as itself, and may do little', async () => {
	const roles = await rows`SELECT rolname, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS mighty
	                           FROM pg_roles WHERE rolname LIKE 'souk\_%' AND rolname <> 'souk_super'`;
	for (const { rolname, mighty } of roles)
		assert.equal(mighty, false, rolname);
	const readers = await rows`
		SELECT r.rolname FROM pg_roles r WHERE r.rolname LIKE 'souk\_%' AND r.rolname NOT IN ('souk_super', 'souk_owner', 'souk_users')
		   AND has_table_privilege(r.rolname, 'users.account', 'SELECT')`;
	assert.deepEqual(readers, [], 'a hole in another context cannot read a password hash');
	const writers = await rows`
		SELECT r.rolname, c.oid::regclass::text AS name FROM pg_roles r, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		 WHERE r.rolname LIKE 'souk\_%' AND r.rolname NOT IN ('souk_super', 'souk_owner') AND c.relkind = 'r'
		   AND n.nspname IN ('orders', 'payments') AND r.rolname NOT IN ('souk_orders', 'souk_payments', 'souk_cron')
		   AND has_table_privilege(r.rolname, c.oid, 'INSERT, UPDATE, DELETE')`;
	assert.deepEqual(writers, []);
	const owners = await rows`SELECT DISTINCT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
		WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')
		  AND NOT coalesce(p.proconfig::text LIKE '%search_path=%', false)`;
	assert.deepEqual(owners, [], 'every SECURITY DEFINER function has a search_path of its own');
	const open = await rows`SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
		WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND has_function_privilege('public', p.oid, 'EXECUTE')`;
	assert.deepEqual(open, [], 'and none is everybody\'s to call');
});
