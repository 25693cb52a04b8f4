/*
 * The files of deploy/compose, by what Debian has of Compose itself: its schema,
 * its merging of files, what they refer to; and by what ours have to be besides.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import YAML from 'yaml';
import { need } from '../lib/env.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const functions = JSON.parse(readFileSync(need('API_JSON'), 'utf8')).flat();
const scratch = mkdtempSync(path.join(tmpdir(), 'souk-compose-'));
const folder = path.join(scratch, 'deploy/compose');
const BASE = ['compose.yaml', 'functions.yaml'];
const ALL = [...BASE, 'monitoring.yaml'];
const OURS = /^souk\/([a-z-]+):latest$/;
let shop;
let monitored;

after(() => rmSync(scratch, { recursive: true }));

/* Each test's own copy of the folder may be spoilt. */
function config(files, spoil = {}) {
	const copies = files.map((file) => {
		const before = readFileSync(path.join(root, 'deploy/compose', file), 'utf8');
		const text = spoil[file] ? spoil[file](before) : before;
		if (spoil[file])
			assert.notEqual(text, before, `nothing of ${file} was spoilt`);
		const copy = `of-test-${file}`;
		writeFileSync(path.join(folder, copy), text);
		return copy;
	});
	return spawnSync('docker-compose', [...copies.flatMap((file) => ['--file', file]), 'config'],
	    { cwd: folder, encoding: 'utf8', env: { PATH: process.env.PATH, HOME: scratch, ...spoil.env } });
}

/* What this Compose does not look at, and a newer one refuses. */
function wrong({ services, networks, secrets }) {
	return Object.entries(services).flatMap(([name, service]) => [
		...networksOf(service).filter((network) => !(network in networks)).map((network) => `${name}: no network ${network}`),
		...(service.secrets ?? []).map((secret) => secret.source ?? secret)
		    .filter((secret) => !(secret in secrets)).map((secret) => `${name}: no secret ${secret}`),
		...(service.ports ?? []).filter((port) => String(port).match(/\d+/g).some((number) => Number(number) > 65535))
		    .map((port) => `${name}: no port ${port}`),
	]);
}

const networksOf = ({ networks }) => (Array.isArray(networks) ? networks : Object.keys(networks ?? {})).sort();

function accepted(files) {
	const { status, stdout, stderr } = config(files);
	assert.equal(status, 0, stderr);
	assert.equal(stderr, '');
	const document = YAML.parse(stdout);
	assert.deepEqual(wrong(document), []);
	return document;
}

const prepare = (env = {}) => execFileSync(path.join(folder, 'prepare'), { encoding: 'utf8', env: { PATH: process.env.PATH, ...env } });

before(() => {
	assert.equal(spawnSync('docker-compose', ['--version']).status, 0, 'docker-compose is not installed: run deploy/local/install containers');
	for (const part of ['compose', 'monitoring'])
		cpSync(path.join(root, 'deploy', part), path.join(scratch, 'deploy', part), {
			recursive: true, filter: (file) => !/\/(secret|\.env)$/.test(file),
		});
	prepare();
	shop = accepted(BASE);
	monitored = accepted(ALL);
});

const ours = () => Object.entries(shop.services).filter(([, { image }]) => image.startsWith('souk/'));

test('every function has a service, of its own image, and none has a port', () => {
	for (const { binary, context } of functions) {
		const name = binary.replaceAll('_', '-');
		if (context === 'gateway' || context.endsWith('-sim')) {
			continue;
		}
		const service = shop.services[name];
		assert.ok(service, `${binary} has no service`);
		assert.equal(service.image, `souk/${name}:latest`);
		assert.equal(service.build.args.FUNCTION, binary);
		assert.equal(service.ports, undefined, name);
		assert.ok(service.volumes.some((volume) => String(volume).startsWith('sockets:/run/souk/fn')), name);
	}
	const known = new Set([...functions.map(({ binary }) => binary.replaceAll('_', '-')), 'gateway', 'stripe-sim', 'tools']);
	for (const [name, { image }] of ours())
		assert.ok(known.has(name) || /^souk\/tools:/.test(image), `${name} is no function`);
});

test('each is told what it declares, secrets by file, and nothing more', () => {
	const anywhere = ['FN_STATE_DIR', 'FN_SLEEP_S', 'FN_SCHEDULE', 'LOG_LEVEL', 'SHOP_CURRENCY', 'FN_IDLE_S'];
	for (const { binary, context, settings } of functions) {
		const service = shop.services[binary.replaceAll('_', '-')];
		if (context === 'gateway' || context.endsWith('-sim'))
			continue;
		const declared = new Map(settings.map((setting) => [setting.name, setting]));
		for (const [name, value] of Object.entries(service.environment)) {
			const [, of] = /^(.*?)(?:_FILE)?$/.exec(name);
			assert.ok(declared.has(name) || declared.has(of) || anywhere.includes(name), `${binary}: ${name}`);
			if (declared.get(of)?.type === 'secret' && name !== 'REDIS_URL' && value !== '')
				assert.equal(name, `${of}_FILE`, `${binary} is told ${name} itself`);
		}
		for (const { name, required } of settings)
			if (required)
				assert.ok(service.environment[name] ?? service.environment[`${name}_FILE`], `${binary} needs ${name}`);
		const files = Object.entries(service.environment).filter(([name]) => name.endsWith('_FILE') && !declared.has(name))
		    .map(([, file]) => path.basename(file)).sort();
		const mounted = (service.secrets ?? []).map((secret) => secret.source ?? secret).sort();
		assert.deepEqual([...new Set(files)], mounted, binary);
	}
});

test('ours have a read-only root, no capability, a user, a bound to their memory', () => {
	assert.ok(ours().length > 70);
	for (const [name, service] of ours()) {
		assert.equal(service.read_only, true, name);
		assert.deepEqual(service.cap_drop, ['ALL'], name);
		assert.deepEqual(service.security_opt, ['no-new-privileges:true'], name);
		assert.equal(service.user, name === 'volumes' ? '0:0' : '65532:65532', name);
		assert.ok(service.mem_limit, name);
		assert.ok(!service.privileged && !service.cap_add && !service.network_mode && !service.pid, name);
	}
	for (const [name, { security_opt: options, privileged }] of Object.entries(monitored.services)) {
		assert.deepEqual(options, ['no-new-privileges:true'], name);
		assert.ok(!privileged, name);
	}
});

test('only loopback is listened on, unless .env says otherwise', () => {
	const published = [];
	for (const [name, { ports = [] }] of Object.entries(monitored.services))
		for (const port of ports) {
			assert.match(String(port), /^127\.0\.0\.1:\d+:\d+/, name);
			published.push(name);
		}
	assert.deepEqual(published.sort(), ['alertmanager', 'gateway', 'grafana', 'prometheus', 'stripe-sim']);
	assert.equal(shop.networks.data.internal, true);
	for (const name of ['postgres', 'valkey', 'minio'])
		assert.deepEqual(networksOf(shop.services[name]), ['data'], name);
});

test('every image is built here, or of a version that does not move', () => {
	const dockerfile = readFileSync(path.join(root, 'deploy/container/Dockerfile'), 'utf8');
	for (const [name, { image, build }] of Object.entries(monitored.services)) {
		if (!OURS.test(image)) {
			assert.match(image, /^docker\.io\/[a-z0-9._/-]+:(v?\d+\.\d+(\.\d+)?(-[a-z]+)?|RELEASE\.[0-9TZ-]+)$/, name);
			continue;
		}
		assert.match(dockerfile, new RegExp(`^FROM \\S+ AS ${build.target}$`, 'm'), name);
		assert.ok(existsSync(path.join(root, 'deploy/container', path.basename(build.dockerfile))));
		if (build.target === 'function')
			assert.ok(existsSync(path.join(root, 'functions', `${build.args.FUNCTION.replace('-', '/')}.c`)), name);
	}
});

test('what Prometheus is to scrape is there, and may ask the gateway', () => {
	const targets = path.join(root, 'deploy/compose/targets');
	const jobs = [...readFileSync(path.join(root, 'deploy/monitoring/prometheus.yml'), 'utf8').matchAll(/targets\/(\w+)\.json/g)].map(([, job]) => job);
	assert.deepEqual(readdirSync(targets).sort(), [...new Set(jobs)].map((job) => `${job}.json`).sort());
	for (const file of readdirSync(targets))
		for (const { targets: addresses, labels } of JSON.parse(readFileSync(path.join(targets, file), 'utf8')))
			for (const address of [...addresses, ...(labels ? [labels.__blackbox] : [])])
				assert.ok(networksOf(monitored.services[address.split(':')[0]]).includes('monitoring'), address);
	const { ipv4_address: address } = monitored.services.prometheus.networks.monitoring;
	assert.deepEqual(monitored.services.gateway.environment.OPS_ALLOW.split(','), ['127.0.0.0/8', '::1', address]);
	for (const service of Object.values(monitored.services))
		for (const volume of service.volumes ?? []) {
			const [from] = String(volume).split(':');
			if (from.startsWith(scratch) && !from.includes('/secret/'))
				assert.ok(existsSync(from), from);
		}
});

test('what is prepared is private, and stays what it is', () => {
	const secret = path.join(folder, 'secret');
	assert.equal(statSync(secret).mode & 0o777, 0o700);
	const look = () => execFileSync('sh', ['-c', 'find secret .env -type f | sort | xargs sha256sum'], { cwd: folder, encoding: 'utf8' });
	const before = look();
	for (const file of Object.values(monitored.secrets).map(({ file: name }) => name))
		assert.ok(readFileSync(path.isAbsolute(file) ? file : path.join(folder, file), 'utf8').length >= 20, file);
	assert.match(prepare({ STRIPE_SECRET_KEY: 'sk_live_another' }), /^prepared/);
	assert.equal(look(), before);
	const roles = readFileSync(path.join(root, 'schema/roles.sql'), 'utf8');
	const passwords = [...roles.matchAll(/^\\getenv \w+ (\w+)$/gm)].map(([, name]) => name).sort();
	const told = readFileSync(path.join(secret, 'roles.env'), 'utf8');
	assert.deepEqual([...told.matchAll(/^(SOUK_\w+_PASSWORD)=/gm)].map(([, name]) => name).sort(), passwords);
	chmodSync(secret, 0o700);
});

/* Each is a mistake that somebody makes; none may pass. */
const replace = (from, to) => (text) => text.replace(from, to);
const MISTAKES = {
	'a misspelt key': { 'functions.yaml': replace('    environment:', '    enviroment:') },
	'a key of no meaning at the top': { 'compose.yaml': replace('\nnetworks:', '\nnetwork: {}\n\nnetworks:') },
	'a network that is not there': { 'functions.yaml': replace('networks: [data]', 'networks: [date]') },
	'a secret that is not there': { 'functions.yaml': replace('secrets: [database-auth, fingerprint]', 'secrets: [database-auht, fingerprint]') },
	'a volume that is not there': { 'functions.yaml': replace('- sockets:/run', '- socket:/run') },
	'a service to wait for that is not there': { 'compose.yaml': replace('roles: {condition: service_completed', 'role: {condition: service_completed') },
	'a condition that is none': { 'compose.yaml': replace('condition: service_healthy', 'condition: service_healty') },
	'a list that is a text': { 'compose.yaml': replace('cap_drop: [ALL]', 'cap_drop: ALL') },
	'a port out of range': { 'compose.yaml': replace('127.0.0.1:12111:8080', '127.0.0.1:121111:8080') },
	'a duration that is none': { 'compose.yaml': replace('interval: 5s', 'interval: 5 often') },
	'monitoring: a key of a network that is none': { 'monitoring.yaml': replace('ipv4_address', 'ipv4_adress') },
};
for (const [mistake, spoil] of Object.entries(MISTAKES))
	test(`refused: ${mistake}`, () => {
		const { status, stdout, stderr } = config(ALL, spoil);
		assert.match(status === 0 ? wrong(YAML.parse(stdout)).join() : stderr, /./);
	});

test('refused: no key that signs', () => {
	const env = path.join(folder, '.env');
	const before = readFileSync(env, 'utf8');
	try {
		writeFileSync(env, before.replace(/^SIGNING_KEY_ID=.*$/m, ''));
		const { status, stderr } = config(BASE);
		assert.notEqual(status, 0);
		assert.match(stderr, /deploy\/compose\/prepare/);
	} finally {
		writeFileSync(env, before);
	}
});
