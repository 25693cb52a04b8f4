/*
 * A bare machine, from `make install` to a shop that sells, is upgraded, loses
 * processes and gets new certificates while customers are there.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { authority } from '../lib/authority.mjs';
import { form } from '../lib/form.mjs';
import { unlike } from '../lib/pictures.mjs';
import { until } from '../lib/wait.mjs';
import { boot, build, root, run, show } from './machine.mjs';
import { client, HOST, underLoad } from './shop.mjs';

const HTTP = 80, HTTPS = 443, STRIPE = 12111;
const SECRETS = { STRIPE_SECRET_KEY: 'sk_test_of_a_machine', STRIPE_WEBHOOK_SECRET: 'whsec_of_a_machine' };
const SETTINGS = `SOUK_HOST=${HOST}
STRIPE_API_BASE=http://127.0.0.1:${STRIPE}
VERIFY_EMAIL_URL=https://${HOST}/verify#{token}
RESET_PASSWORD_URL=https://${HOST}/reset#{token}
RATE_LIMIT_GENERAL=0
`;
const functions = JSON.parse(readFileSync(process.env.API_JSON, 'utf8'))
	.filter(({ context }) => !context.endsWith('-sim'));
const scheduled = functions.filter(({ endpoints }) => endpoints.some(({ every_s }) => every_s > 0));

let machine;
let shop;
let ca;
let product;
const at = (port) => machine.published[port];

let certify;

const takeCertificate = (name, key = name) =>
	machine.sh(`cp /files/ca/${name}.pem /etc/souk/tls/certificate.pem; cp /files/ca/${key}.key /etc/souk/tls/key.pem`);

function shownCertificate(options = {}) {
	return new Promise((done, failed) => {
		const socket = tls.connect({ host: '127.0.0.1', port: at(HTTPS), servername: HOST, ca, ...options }, () => {
			done({ name: socket.getPeerCertificate().subject.CN, protocol: socket.getProtocol(), cipher: socket.getCipher().name });
			socket.end();
		});
		socket.on('error', failed);
	});
}

const plain = (method, path) => new Promise((done, failed) => {
	plainRequest({ host: '127.0.0.1', port: at(HTTP), method, path, headers: { Host: HOST } }, (response) => {
		let text = '';
		response.on('data', (chunk) => { text += chunk; });
		response.on('end', () => done({ status: response.statusCode, headers: response.headers, text }));
	}).on('error', failed).end();
});

/* Its role is made with the others, and nobody knows its password. */
const letStripeIn = () => machine.sh(`runuser -u postgres -- psql -qc "ALTER ROLE souk_stripe_sim PASSWORD 'of-the-tests'"`);

/* Stripe, as far as the shop can tell: the simulator is no part of what is installed. */
async function startStripe() {
	const files = join(machine.files, 'stripe');
	mkdirSync(join(files, 'bin'), { recursive: true });
	cpSync(join(build, 'bin/stripe-sim'), join(files, 'bin/stripe-sim'));
	cpSync(join(build, 'tools/supervisor'), join(files, 'supervisor'));
	writeFileSync(join(files, 'lighttpd.conf'), `server.modules = ( "mod_fastcgi" )
server.port = ${STRIPE}
server.document-root = "/run/stripe"
server.upload-dirs = ( "/run/stripe" )
fastcgi.server = ( "/" => (( "socket" => "/run/stripe/fn/stripe-sim.sock", "check-local" => "disable" )) )
`);
	writeFileSync(join(files, 'stripe.service'), `[Service]
RuntimeDirectory=stripe
StandardOutput=file:/var/log/stripe
StandardError=inherit
Environment=FN_SCHEDULE=1 DATABASE_URL=postgresql://souk_stripe_sim:of-the-tests@127.0.0.1/souk?sslmode=disable
Environment=SIM_SECRET_KEY=${SECRETS.STRIPE_SECRET_KEY}
ExecStart=/files/stripe/supervisor --run /run/stripe --bin /files/stripe/bin -- /usr/sbin/lighttpd -D -f /files/stripe/lighttpd.conf
`);
	await letStripeIn();
	await machine.sh(`runuser -u postgres -- psql -q -d souk -c "SELECT
		stripe_sim.ensure_endpoint('https://${HOST}/api/payments/webhook', '${SECRETS.STRIPE_WEBHOOK_SECRET}')" >/dev/null
		cp /files/stripe/stripe.service /etc/systemd/system/; systemctl daemon-reload; systemctl start stripe`);
}

const json = async (answer) => JSON.parse((await answer).bytes);
const confirm = async (payment) => {
	const answer = await fetch(`http://127.0.0.1:${at(STRIPE)}/v1/payment_intents/${payment.paymentIntentId}/confirm`, { method: 'POST',
		headers: { Authorization: `Basic ${Buffer.from('pk_test_demo:').toString('base64')}`, 'Content-Type': 'application/x-www-form-urlencoded' },
		body: new URLSearchParams({ payment_method: 'pm_card_visa', client_secret: payment.clientSecret }) });
	assert.equal(answer.status, 200, await answer.text());
};

async function account(email) {
	await shop.call('POST', '/api/auth/register', { json: { email, password: 'saffron and mint' }, expect: 201 });
	return signIn(email);
}
const signIn = async (email) => (await shop.call('POST', '/api/auth/login', { json: { email, password: 'saffron and mint' } })).accessToken;

/* From an account to a paid order and the mail about it. */
async function buy(email) {
	const token = await account(email);
	const order = await shop.call('POST', '/api/orders', { token, expect: 201, headers: { 'Idempotency-Key': `of-${email}` },
		json: { items: [{ productId: product.id, quantity: 2 }], shippingAddress: '12 Rue des Epices, Fes' } });

	await confirm(order.payment);
	await until('the order is paid', async () => (await shop.call('GET', `/api/orders/${order.id}`, { token })).status === 'paid');
	await until('the mail is there', async () => (await machine.sh('cat /var/lib/souk/mail/*')).includes(email));
}

before(async () => {
	machine = await boot([HTTP, HTTPS, STRIPE]);
	certify = await authority(join(machine.files, 'ca'));
	ca = certify.ca;
	await Promise.all(['first', 'second', 'stranger'].map((name) => certify(name, HOST)));
	await certify('expired', HOST, { days: 0 });
	await Promise.all(['db.test', 'redis.test', 's3.test', 'another.test'].map((name) => certify(name, name)));
}, { timeout: 600_000 });
after(() => machine?.stop(), { timeout: 60_000 });

test('make install puts all of it under DESTDIR, and make uninstall takes it away', async () => {
	const make = (target, destination) => run('make', ['-s', target, 'PREFIX=/usr', `DESTDIR=${destination}`,
		`B=${process.env.B ?? 'build'}`, '-o', 'all']);
	const scratch = mkdtempSync(join(machine.files, 'try-'));

	writeFileSync(join(scratch, 'somebody-elses'), '');
	await make('install', scratch);
	await make('install', scratch);			/* again it is the same */
	assert.ok(existsSync(join(scratch, 'usr/lib/souk/bin/orders-place')));
	assert.ok(!existsSync(join(scratch, 'usr/lib/souk/bin/stripe-sim')), 'the simulator is no part of a shop');
	await make('uninstall', scratch);
	assert.deepEqual(readdirSync(scratch), ['somebody-elses']);
	rmSync(scratch, { recursive: true });

	await make('install', join(machine.files, 'installed'));
	assert.doesNotMatch(await run('grep', ['-rlE', '@[A-Z]+@', join(machine.files, 'installed')]).catch(() => ''), /./);
});

test('from a bare machine to a shop, as deploy/systemd/README.md has it', async () => {
	await machine.sh('cp -a /files/installed/. /; systemctl disable -q --now lighttpd; souk-setup init');
	await assert.rejects(machine.sh('souk-setup check'), /missing: DATABASE_URL.auth .*STRIPE_SECRET_KEY STRIPE_WEBHOOK_SECRET/);
	for (const [name, value] of Object.entries(SECRETS))
		await machine.sh(`souk-setup secret ${name}`, value);
	await machine.sh(`runuser -u postgres -- psql -qc 'ALTER SYSTEM SET max_connections = 500'; systemctl restart postgresql
		cat >>/etc/souk/settings.env; souk-setup database; souk-setup check
		cp /files/ca/ca.pem /usr/local/share/ca-certificates/tests.crt; update-ca-certificates >/dev/null 2>&1
		echo 127.0.0.1 ${HOST} >>/etc/hosts`, SETTINGS);
	await machine.sh('systemctl enable -q --now souk.target');
	await until('the shop is healthy', async () => (await plain('GET', '/health')).status === 200);
	assert.equal((await plain('GET', '/.well-known/acme-challenge/none')).status, 404);
	await startStripe();
	await takeCertificate('first');
	await machine.sh('systemctl restart souk-gateway');
	shop = client(at(HTTPS), ca);
	await until('the shop is healthy', async () => (await shop.ask('GET', '/health')).status === 200);
	assert.equal(await machine.sh('systemctl --failed --no-legend'), '');
	/* One that is tried again has not failed for good. */
	assert.equal(await show(machine, 'souk-migrate.service', 'ActiveState'), 'active',
		await machine.sh('journalctl -u souk-migrate -o cat --no-pager -n 20'));
});

test('no unit has anything in it that systemd does not know', async () => {
	assert.equal(await machine.sh('systemd-analyze verify souk.target souk-migrate.service $(systemctl list-units --all --plain --no-legend "souk-fn@*.service" "souk-cron@*.service" | cut -d " " -f 1) 2>&1'), '');
});

test('every function has a socket, and a schedule where it declares one', async () => {
	const sockets = (await machine.sh('ls /run/souk/fn')).split('\n').filter((name) => name.endsWith('.sock'));
	assert.deepEqual(sockets.sort(), functions.map(({ binary }) => `${binary}.sock`).sort());
	for (const { binary, endpoints } of scheduled) {
		const every = Math.min(...endpoints.map(({ every_s }) => every_s).filter((s) => s > 0));
		if (every < 60)
			assert.equal(await show(machine, `souk-fn@${binary}.service`, 'SubState'), 'running', binary);
		else
			assert.match(await show(machine, `souk-cron@${binary}.timer`, 'TimersMonotonic'), new RegExp(`OnUnitActiveUSec=${every >= 600 ? `${every / 60}min` : every === 60 ? '1min' : `${every / 60}min`} `));
	}
});

test('an order, from an account to a paid order and the mail about it', async () => {
	await account('amina@souk.example');
	await machine.sh('souk-setup admin amina@souk.example');
	await assert.rejects(machine.sh('souk-setup admin nobody@souk.example'), /register it first/);
	const admin = await signIn('amina@souk.example');
	product = await shop.call('POST', '/api/products', { token: admin, expect: 201,
		headers: { 'Idempotency-Key': 'a-product' }, json: { name: 'Lantern', price: '12.50', stock_quantity: 100000 } });
	product = product.product ?? product;
	const { type, body } = form(['image', unlike()]);
	const { imageUrl } = await shop.call('POST', `/api/products/${product.id}/upload-image`,
		{ token: admin, headers: { 'Content-Type': type }, body });
	const shown = await shop.ask('GET', new URL(imageUrl, `https://${HOST}`).pathname);
	assert.equal(shown.status, 200);
	assert.match(shown.headers['content-type'], /^image\//);

	await buy('idris@souk.example');
});

test('each function is its context\'s user, confined, and has its own secrets only', async () => {
	await shop.ask('GET', '/api/products');
	const pid = await show(machine, 'souk-fn@catalog-list.service', 'MainPID');
	const status = await machine.sh(`cat /proc/${pid}/status; id -u souk-catalog`);
	const uid = status.trim().split('\n').at(-1);
	assert.match(status, new RegExp(`^Uid:\t${uid}\t${uid}\t${uid}\t${uid}$`, 'm'));
	for (const line of ['CapEff:\t0000000000000000', 'CapBnd:\t0000000000000000', 'NoNewPrivs:\t1', 'Seccomp:\t2'])
		assert.match(status, new RegExp(`^${line}$`, 'm'));
	/* As it sees the machine. */
	const inside = (script) => machine.sh(`nsenter --target ${pid} --mount --setuid ${uid} --setgid $(getent group souk | cut -d: -f3) sh -c '${script}'`);
	assert.equal((await inside('ls /run/credentials')).trim(), 'souk-fn@catalog-list.service');
	assert.deepEqual((await inside('ls /run/credentials/*')).trim().split('\n').sort(),
		functions.find(({ binary }) => binary === 'catalog-list').settings.filter(({ type }) => type === 'secret').map(({ name }) => name).sort());
	await assert.rejects(inside('cat /etc/souk/credentials/STRIPE_SECRET_KEY'), /Permission denied/);
	await assert.rejects(inside('touch /usr/lib/souk/mine /run/souk/mine'), /Read-only file system/);
	await assert.rejects(inside('ls /run/souk/fn'), /Permission denied/);
	const secrets = (await machine.sh('cat /etc/souk/credentials/*')).split('\n').filter((line) => /^[^-]{10}/.test(line));
	const told = await machine.sh(`tr '\\0' '\\n' </proc/${pid}/environ`);
	for (const secret of secrets)
		assert.ok(!told.includes(secret), 'a secret is in the environment');
});

test('systemd finds little to object to', async () => {
	const units = (await machine.sh('systemctl list-units --all --plain --no-legend "souk-*.service" | cut -d " " -f 1')).trim().split('\n');
	assert.ok(units.length > functions.length);
	const report = await machine.sh('systemd-analyze security --no-pager "souk-*.service" 2>/dev/null || systemd-analyze security --no-pager');
	const scores = new Map([...report.matchAll(/^(souk-\S+\.service)\s+(\d+\.\d)/gm)].map(([, unit, score]) => [unit, Number(score)]));
	for (const unit of units.filter((name) => scores.has(name)))
		assert.ok(scores.get(unit) <= 1.5, `${unit}: ${scores.get(unit)}`);
	assert.ok(scores.size > 5, report);
});

test('TLS 1.2 and 1.3 and nothing older, HSTS with it, and only people are sent there', async () => {
	assert.equal((await shownCertificate({ minVersion: 'TLSv1.3' })).protocol, 'TLSv1.3');
	const older = await shownCertificate({ maxVersion: 'TLSv1.2' });
	assert.equal(older.protocol, 'TLSv1.2');
	assert.match(older.cipher, /^ECDHE-.*(GCM|CHACHA20)/);
	await assert.rejects(shownCertificate({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }), /protocol|alert/i);
	await assert.rejects(shownCertificate({ maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA:AES256-SHA256:@SECLEVEL=0' }), /handshake|alert/i);
	assert.match((await shop.ask('GET', '/health')).headers['strict-transport-security'], /max-age=31536000/);
	for (const [method, path, status] of [['GET', '/docs', 308], ['GET', '/', 308], ['GET', '/api/products', 403], ['POST', '/api/auth/login', 403]]) {
		const answer = await plain(method, path);
		assert.equal(answer.status, status, `${method} ${path}`);
		assert.equal(answer.headers['strict-transport-security'], undefined);
		assert.equal(answer.headers.location, status === 308 ? `https://${HOST}${path}` : undefined);
		if (status === 403)
			assert.match(JSON.parse(answer.text).detail, /HTTPS/);
	}
	await machine.sh('mkdir -p /var/lib/souk/acme/.well-known/acme-challenge; echo token.thumb >/var/lib/souk/acme/.well-known/acme-challenge/token');
	const challenge = await plain('GET', '/.well-known/acme-challenge/token');
	assert.deepEqual([challenge.status, challenge.text], [200, 'token.thumb\n']);
	assert.equal((await plain('GET', '/.well-known/acme-challenge/none')).status, 404);
});

const listing = () => ['/api/products', `/api/products/${product.id}`];
const more = (count, n) => {
	const from = count();
	return until(`${n} more requests`, () => count() >= from + n);
};

test('functions are restarted and killed under load, and no request is lost', async () => {
	await underLoad(at(HTTPS), ca, listing(), async (count) => {
		await more(count, 50);
		for (let i = 0; i < 2; i++) {
			await machine.sh("systemctl restart 'souk-fn@catalog-*.service'");
			await more(count, 50);
			const before = await show(machine, 'souk-fn@catalog-list.service', 'MainPID');
			await machine.sh(`kill -9 ${before}`);
			await until('there is another', async () => ![before, '0'].includes(await show(machine, 'souk-fn@catalog-list.service', 'MainPID')));
			await more(count, 50);
		}
	});
});

test('a worker that is killed takes one request with it at the most', async () => {
	const master = await show(machine, 'souk-fn@catalog-list.service', 'MainPID');
	const workers = async () => (await machine.sh(`cat /proc/${master}/task/${master}/children`)).trim().split(' ');

	await underLoad(at(HTTPS), ca, listing(), async (count) => {
		await more(count, 50);
		const [worker] = await workers();
		await machine.sh(`kill -9 ${worker}`);
		await until('it has another', async () => (await workers()).filter((one) => one !== worker).length === 2);
		await more(count, 50);
	}, { lost: 1 });
	assert.equal(await show(machine, 'souk-fn@catalog-list.service', 'MainPID'), master);
});

test('a certificate is renewed under load, and no request is lost', async () => {
	assert.equal((await shownCertificate()).name, 'first');
	await underLoad(at(HTTPS), ca, listing(), async (count) => {
		await more(count, 50);
		await takeCertificate('second');
		await machine.sh('systemctl reload souk-gateway');
		await until('the new one is shown', async () => (await shownCertificate()).name === 'second');
		await more(count, 50);
		/* Another lighttpd, after an upgrade of its package. */
		await machine.sh('systemctl restart souk-gateway');
		await more(count, 50);
	});
	assert.equal(await show(machine, 'souk-gateway.service', 'ActiveState'), 'active');
});

test('a certificate that is not good is refused, and the old one stays', async () => {
	await takeCertificate('second', 'stranger');
	await assert.rejects(machine.sh('systemctl reload souk-gateway'));
	assert.equal((await shownCertificate()).name, 'second');
	assert.match(await machine.sh('journalctl -u souk-gateway -o cat --no-pager'), /key\.pem is not the key of/);
	await takeCertificate('expired');
	await assert.rejects(machine.sh('systemctl reload souk-gateway'));
	assert.equal((await shownCertificate()).name, 'second');
	assert.match(await machine.sh('journalctl -u souk-gateway -o cat --no-pager'), /or has expired/);
	await takeCertificate('second');
});

test('keys are rotated and nobody is signed out', async () => {
	const old = await signIn('idris@souk.example');
	const keys = (await json(shop.ask('GET', '/.well-known/jwks.json'))).keys.length;
	await machine.sh('souk-setup rotate-keys');
	await shop.call('GET', '/api/orders', { token: await signIn('idris@souk.example') });
	await shop.call('GET', '/api/orders', { token: old });
	await until('both are known', async () => (await json(shop.ask('GET', '/.well-known/jwks.json'))).keys.length === keys + 1);
});

test('a function that nobody asks sleeps, is well, and wakes', async () => {
	await machine.sh(`mkdir -p /etc/systemd/system/souk-fn@catalog-suggest.service.d
		printf '[Service]\\nEnvironment=FN_SLEEP_S=1\\n' >/etc/systemd/system/souk-fn@catalog-suggest.service.d/sleep.conf
		systemctl daemon-reload`);
	const asks = async () => (await shop.ask('GET', '/api/products/suggest?q=lantern')).status;
	assert.equal(await asks(), 200);
	await until('it sleeps', async () => await show(machine, 'souk-fn@catalog-suggest.service', 'SubState') === 'dead');
	await until('everything is healthy', async () => (await shop.ask('GET', '/health/all')).status === 200);
	assert.equal(await show(machine, 'souk-fn@catalog-suggest.service', 'SubState'), 'dead', 'asking how it is has not woken it');
	assert.equal(await asks(), 200);
});

test('one that cannot start is seen, and is there again when it can', async () => {
	const settings = '/etc/systemd/system/souk-fn@catalog-suggest.service.d/broken.conf';
	await machine.sh(`printf '[Service]\\nEnvironment=RATE_LIMIT_AUTH=many\\n' >${settings}; systemctl daemon-reload
		systemctl restart souk-fn@catalog-suggest.service`);
	const waiting = shop.ask('GET', '/api/products/suggest?q=lantern');
	await until('it is seen', async () => (await shop.ask('GET', '/health/all')).status === 503);
	await until('it has been tried again', async () => Number(await show(machine, 'souk-fn@catalog-suggest.service', 'NRestarts')) > 6);
	await machine.sh(`rm ${settings}; systemctl daemon-reload`);
	assert.equal((await waiting).status, 200, 'who asked meanwhile has waited');
	await until('everything is healthy', async () => (await shop.ask('GET', '/health/all')).status === 200);
});

test('timers have run what is scheduled, and what it has found is counted', async () => {
	for (const { binary } of scheduled.filter(({ endpoints }) => endpoints.every(({ every_s }) => every_s >= 60))) {
		const unit = `souk-cron@${binary}`;
		await until(`${binary} has run`, async () => await show(machine, `${unit}.timer`, 'LastTriggerUSec') !== '');
		await until(`${binary} has ended`, async () => await show(machine, `${unit}.service`, 'SubState') === 'dead');
		assert.equal(await show(machine, `${unit}.service`, 'Result'), 'success', await machine.sh(`journalctl -u ${unit}.service -o cat --no-pager`));
		assert.notEqual(await show(machine, `${unit}.timer`, 'NextElapseUSecMonotonic'), 'infinity');
	}
	const metrics = await machine.sh(`openssl s_client -quiet -connect 127.0.0.1:443 -servername ${HOST} 2>/dev/null <<<$'GET /metrics HTTP/1.0\\r\\nHost: ${HOST}\\r\\n\\r\\n'`);
	for (const name of ['books_measured_timestamp_seconds', 'sagas_stopped'])
		assert.match(metrics, new RegExp(`^${name}`, 'm'));
});

/* A store that speaks S3 as far as it must, out there on another machine. */
async function startStore(name) {
	const kept = new Map();
	const read = (file) => readFileSync(join(machine.files, 'ca', file));
	const server = https.createServer({ cert: read(`${name}.pem`), key: read(`${name}.key`) }, (incoming, outgoing) => {
		const chunks = [];
		incoming.on('data', (chunk) => chunks.push(chunk));
		incoming.on('end', () => {
			if (incoming.method === 'PUT')
				kept.set(incoming.url, Buffer.concat(chunks));
			outgoing.writeHead(incoming.method === 'GET' && !kept.has(incoming.url) ? 404 : 200);
			outgoing.end(incoming.method === 'GET' ? kept.get(incoming.url) : undefined);
		});
	});
	await new Promise((listening) => server.listen(0, '0.0.0.0', listening));
	server.unref();
	return { kept, server, url: `https://s3.test:${server.address().port}` };
}

/* Everything that is asked from now on is asked by a process that has read them. */
const sayAnew = (script, input) => machine.sh(`${script}; systemctl try-restart 'souk-fn@*.service'`, input);
const lastOf = (unit) => machine.sh(`journalctl -u '${unit}' -o cat --no-pager -n 30`);

test('Postgres, Redis and pictures elsewhere are spoken to by verified TLS', async () => {
	await machine.sh(`echo 127.0.0.1 db.test redis.test >>/etc/hosts
		echo "$(awk '/host.containers.internal/ { print $1; exit }' /etc/hosts) s3.test" >>/etc/hosts
		install -o postgres -m 600 /files/ca/db.test.key /etc/postgresql/tls.key; install -o postgres /files/ca/db.test.pem /etc/postgresql/tls.pem
		runuser -u postgres -- psql -qc "ALTER SYSTEM SET ssl_cert_file = '/etc/postgresql/tls.pem'" \\
			-c "ALTER SYSTEM SET ssl_key_file = '/etc/postgresql/tls.key'" -c 'ALTER SYSTEM SET ssl = on' -c "ALTER ROLE postgres PASSWORD 'of-the-tests'"
		systemctl restart postgresql
		install -o redis -m 600 /files/ca/redis.test.key /etc/redis/tls.key; install -o redis /files/ca/redis.test.pem /etc/redis/tls.pem
		cat >>/etc/redis/redis.conf; systemctl restart redis-server`, `
tls-port 6380
tls-cert-file /etc/redis/tls.pem
tls-key-file /etc/redis/tls.key
tls-ca-cert-file /files/ca/ca.pem
tls-auth-clients no
port 0
user souk on >of-the-tests ~* &* +@all
`);
	await machine.sh("PGPASSWORD=of-the-tests souk-setup database 'postgresql://postgres@db.test:5432/postgres'");
	await letStripeIn();
	await sayAnew('souk-setup secret REDIS_URL', 'rediss://souk:of-the-tests@redis.test:6380/1');
	await until('Redis is up', async () => (await shop.call('GET', '/health')).redis === 'up');
	await until('everything is healthy', async () => (await shop.ask('GET', '/health/all')).status === 200);

	await buy('layla@souk.example');
	await underLoad(at(HTTPS), ca, listing(), (count) => more(count, 200));
	assert.equal(await machine.sh(`runuser -u postgres -- psql -At -c "SELECT DISTINCT ssl, version FROM pg_stat_ssl
		JOIN pg_stat_activity USING (pid) WHERE usename LIKE 'souk_%' AND usename <> 'souk_stripe_sim'"`), 't|TLSv1.3\n');
	assert.match(await machine.sh('runuser -u redis -- openssl version >/dev/null; redis-cli --tls --cacert /files/ca/ca.pem -h redis.test -p 6380 client list'), /user=souk .*/);
});

test('a server with a certificate for another name gets no word from us', async () => {
	await sayAnew('cp /files/ca/another.test.pem /etc/redis/tls.pem; cp /files/ca/another.test.key /etc/redis/tls.key; systemctl restart redis-server');
	await until('Redis is away', async () => (await shop.call('GET', '/health')).redis === 'down');
	assert.match(await lastOf('souk-fn@gateway-health.service'), /redis is away.*TLS: hostname mismatch/);
	assert.equal((await shop.ask('GET', '/api/products')).status, 200, 'the shop goes on without');
	await sayAnew('cp /files/ca/redis.test.pem /etc/redis/tls.pem; cp /files/ca/redis.test.key /etc/redis/tls.key; systemctl restart redis-server');
	await until('Redis is up', async () => (await shop.call('GET', '/health')).redis === 'up');

	await sayAnew('cp /files/ca/another.test.pem /etc/postgresql/tls.pem; cp /files/ca/another.test.key /etc/postgresql/tls.key; systemctl restart postgresql');
	assert.equal((await shop.ask('GET', '/api/products?search=nothing-kept')).status, 503);
	assert.match(await lastOf('souk-fn@catalog-list.service'), /does not match host name/);
	await sayAnew('cp /files/ca/db.test.pem /etc/postgresql/tls.pem; cp /files/ca/db.test.key /etc/postgresql/tls.key; systemctl restart postgresql');
	await until('the shop sells', async () => (await shop.ask('GET', '/api/products?search=nothing-kept')).status === 200);
	/* A timer may have had its turn meanwhile. */
	await machine.sh("systemctl reset-failed 'souk-cron@*'");
});

test('pictures go to a store of https:// that is who it says it is', async () => {
	const token = await signIn('amina@souk.example');
	const upload = async (expect) => {
		const { type, body } = form(['image', unlike()]);
		return shop.call('POST', `/api/products/${product.id}/upload-image`, { token, expect, headers: { 'Content-Type': type }, body });
	};
	const store = await startStore('s3.test');
	const impostor = await startStore('another.test');
	const endpoint = (url) => sayAnew(`sed -i '/^S3_/d' /etc/souk/settings.env; cat >>/etc/souk/settings.env
		printf secret | souk-setup secret S3_SECRET_KEY`, `S3_ENDPOINT=${url}\nS3_ACCESS_KEY=key\nS3_TIMEOUT_MS=2000\n`);
	try {
		await endpoint(impostor.url);
		await upload(503);
		assert.equal(impostor.kept.size, 0);
		assert.match(await lastOf('souk-fn@catalog-upload_image.service'), /the object store does not do as asked.*(SSL|certificate)/);
		await endpoint(store.url);
		const { imageUrl } = await upload(200);
		assert.ok(store.kept.size >= 6);
		await machine.sh('rm -rf /var/cache/souk/media/*');
		assert.equal((await shop.ask('GET', new URL(imageUrl, `https://${HOST}`).pathname)).status, 200);
	} finally {
		store.server.close();
		impostor.server.close();
		store.server.closeAllConnections();
		impostor.server.closeAllConnections();
		await sayAnew("sed -i '/^S3_/d' /etc/souk/settings.env");
	}
});

test('stopped and started, and switched off and on, it is as it was', async () => {
	const isAsItWas = async () => {
		await until('the shop is healthy', async () => (await shop.ask('GET', '/health/all').catch(() => ({}))).status === 200);
		assert.equal((await shop.call('GET', `/api/products/${product.id}`)).id, product.id);
		assert.equal(await machine.sh('systemctl --failed --no-legend'), '');
	};
	const names = await machine.sh('grep "\\.test$" /etc/hosts');

	await machine.sh('systemctl stop souk.target; systemctl start souk.target');
	await isAsItWas();
	await machine.reboot();
	/* podman writes these anew; Stripe is not ours to start. */
	await machine.sh('cat >>/etc/hosts; systemctl start stripe', names);
	await isAsItWas();
});
