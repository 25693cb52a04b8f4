/*
 * The trial of knative/, from nothing to a paid order, but for the cluster: its
 * manifests as Kustomize builds them and the Secrets that knative/secrets prints,
 * containers as they say, and every name they use, at an address of its own.  What
 * stands for Knative's local gateway looks at the host name alone and starts a
 * function when it is first asked for.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { documents, kustomize } from '../deploy/kubectl.mjs';
import { template } from '../deploy/whole.mjs';
import { customer, lines, login, pay, place } from '../lib/shop.mjs';
import { until } from '../lib/wait.mjs';
import { Cluster } from './kubelet.mjs';
import { built, root, scratch } from './podman.mjs';

const FLOW = ['auth-register', 'auth-login', 'catalog-list', 'orders-place', 'orders-get', 'payments-webhook'];
const CRON = 'cron-payments_reconcile';
/* Every name in the manifests that a pod looks up; addresses that no other run has. */
const address = (last) => `127.${64 + process.pid % 64}.${(process.pid >> 6) % 256}.${last}`;
const KOURIER = 'kourier-internal.kourier-system.svc.cluster.local';
const HOSTS = Object.fromEntries(['souk-postgres-rw', 'souk-valkey', 'stripe-sim', 'gateway', KOURIER].map((name, i) => [name, address(i + 1)]));
const PORT = 80;
const ending = [];
const started = new Map();
let cluster;
let gateway;

const connects = (port, host) => new Promise((resolve) => {
	const socket = net.connect(port, host, () => socket.end(() => resolve(true)));
	socket.on('error', () => resolve(false));
});

/* By a StatefulSet's arguments, the server that its image is of. */
async function data(host, port, command) {
	const log = path.join(scratch, `${host}.log`);
	const child = spawn(command[0], command.slice(1), { stdio: ['ignore', ...Array(2).fill(openSync(log, 'a'))] });
	ending.push(async () => {
		const gone = once(child, 'exit');
		child.kill('SIGQUIT');	/* its files have gone */
		await gone;
	});
	await until(`${host} listens`, async () => child.exitCode !== null || connects(port, HOSTS[host]), { every: 50 });
	assert.equal(child.exitCode, null, readFileSync(log, 'utf8'));
}

const argumentsOf = (name) => template(cluster.find('StatefulSet', name)).spec.containers[0].args;

async function startPostgres() {
	const bin = execFileSync('bash', ['-c', '. deploy/local/lib.sh; . deploy/local/services.sh; find_postgres; echo "$PG_BIN"'],
	    { cwd: root, encoding: 'utf8' }).trim();
	const folder = path.join(scratch, 'postgres');
	const password = path.join(scratch, 'password');
	const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'postgres'])));
	mkdirSync(folder);
	chownSync(folder, uid, gid);
	writeFileSync(password, cluster.data('Secret', 'souk-postgres-superuser').password);
	chownSync(password, uid, gid);
	const as = ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
	execFileSync(as[0], [...as.slice(1), `${bin}/initdb`, '-D', folder, '-U', 'postgres', '--pwfile', password, '-A', 'scram-sha-256',
		'-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'], { stdio: 'ignore', cwd: '/' });
	await data('souk-postgres-rw', 5432, [...as, `${bin}/postgres`, '-D', folder, '-h', HOSTS['souk-postgres-rw'], '-k', '',
		'-c', 'fsync=off', ...argumentsOf('souk-postgres')]);
}

/* What a name of the cluster's leads to, `to` says: of a request by its host. */
async function serves(host, to) {
	const server = http.createServer(async (incoming, outgoing) => {
		const port = await to(incoming.headers.host);
		const headers = { ...incoming.headers, 'x-forwarded-for': [incoming.headers['x-forwarded-for'], HOSTS[KOURIER]].filter(Boolean).join(', ') };
		const upstream = http.request({ port, method: incoming.method, path: incoming.url, headers, agent: false }, (answer) => {
			outgoing.writeHead(answer.statusCode, answer.headers);
			answer.pipe(outgoing);
		});
		upstream.on('error', () => outgoing.destroy());
		incoming.pipe(upstream);
	});
	await new Promise((done, failed) => {
		server.on('error', failed);
		server.listen(PORT, HOSTS[host], done);
	});
	ending.push(() => {
		server.closeAllConnections();
		server.close();
	});
}

/* From zero, once. */
function functionAt(host) {
	if (!started.has(host)) {
		const [, name] = /^([a-z-]+)\.souk\.svc\.cluster\.local$/.exec(host);
		started.set(host, cluster.serve(cluster.find('Service', name, 'serving.')));
	}
	return started.get(host).then(({ port }) => port);
}

before(async () => {
	await built('tools', 'simulator', 'knative-gateway', CRON, ...FLOW);
	const secrets = execFileSync(path.join(root, 'knative/secrets'), ['--trial', 'souk-postgres-rw', 'souk-postgres-rw'], { encoding: 'utf8' });
	cluster = new Cluster([...documents(secrets), ...kustomize(path.join(root, 'knative/overlays/dev'))], HOSTS);
	await startPostgres();
	await data('souk-valkey', 6379, ['redis-server', '--bind', HOSTS['souk-valkey'], '--protected-mode', 'no',
		'--dir', scratch, ...argumentsOf('souk-valkey')]);
});
after(async () => {
	for (const end of ending.reverse())
		await end();
});

test('the Job makes roles and schema, and registers the webhook', () => cluster.job(cluster.find('Job', 'migrate')));

test('the gateway has goods, and everything that serves answers its probes', async () => {
	const simulator = await cluster.serve(cluster.find('Deployment', 'stripe-sim'));
	await serves('stripe-sim', () => simulator.port);
	await serves(KOURIER, functionAt);
	gateway = await cluster.serve(cluster.find('Deployment', 'gateway'));
	await serves('gateway', () => gateway.port);
	Object.assign(process.env, { SOUK_URL: gateway.base, SIM_URL: simulator.base,
		SIM_KEY: cluster.data('Secret', 'souk-stripe')['secret-key'] });
	const { products: [{ image_url: picture }] } = (await gateway.get('/api/products?limit=1')).json();
	assert.equal((await gateway.get(picture)).status, 200, picture);
});

test('the accounts of the demo shop have the passwords of their Secret', async () => {
	const { user } = await login('customer@souk.example', cluster.data('Secret', 'souk-demo').customer);
	assert.equal(user.role, 'customer');
});

test('an order is placed, and paid when the simulator calls the webhook', async () => {
	const buyer = await customer();
	const [goods] = (await buyer.get('/api/products?limit=1&inStock=true')).products;
	const placed = await place(buyer, lines([goods.id, 1]));
	const paid = await pay(buyer, placed);
	assert.equal(paid.payment_status, 'succeeded');
	/* No job has run that could have asked instead. */
	assert.ok(started.has('payments-webhook.souk.svc.cluster.local'));
	assert.deepEqual([...started.keys()].map((host) => host.split('.')[0]).sort(), [...FLOW].sort());
});

test('a scheduled function is run to its end', () => cluster.job(cluster.find('CronJob', CRON.replace('_', '-'))));

test('who lacks a Secret, or a key of one, is not started', async () => {
	const document = structuredClone(cluster.find('Service', 'orders-place', 'serving.'));
	const { valueFrom } = template(document).spec.containers[0].env.find(({ name }) => name === 'DATABASE_URL');
	valueFrom.secretKeyRef.key = 'order-url';
	await assert.rejects(cluster.serve(document), /no order-url in souk-database/);
	valueFrom.secretKeyRef.name = 'souk-databases';
	await assert.rejects(cluster.serve(document), /no Secret souk-databases/);
});

test('images are archived by the names that the trial has for them', async () => {
	const archive = path.join(scratch, 'souk.tar');
	writeFileSync(archive, 'of another time');
	await promisify(execFile)(path.join(root, 'deploy/container/build'), ['--archive', archive, 'orders-place']);
	const { image } = template(cluster.find('Service', 'orders-place', 'serving.')).spec.containers[0];
	assert.deepEqual(JSON.parse(execFileSync('tar', ['-xOf', archive, 'manifest.json'])).flatMap(({ RepoTags }) => RepoTags), [image]);
});
