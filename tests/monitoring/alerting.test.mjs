/*
 * Prometheus, Alertmanager and exporters beside the stack under test, as `make
 * monitoring` starts them, but for their pace.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { test } from 'node:test';
import { call, exchange } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { commands, monitoring, panels, program, read, repository, runbook, selectors } from '../lib/monitoring.mjs';
import { deadEvent, deadJob, operator, stop, waiting } from '../lib/operator.mjs';
import { pay } from '../lib/shop.mjs';
import { startRedis, stopRedis } from '../lib/stack.mjs';
import { Story } from '../lib/story.mjs';
import { until } from '../lib/wait.mjs';

const scratch = mkdtempSync(join(tmpdir(), 'souk-monitoring-'));
const told = [];		/* what Alertmanager has posted */
const PATIENT = { seconds: 90, every: 250 };
let ports, hook, secure;

async function get(name, path, options = {}) {
	const answer = await fetch(`http://127.0.0.1:${ports[name]}${path}`, options);
	assert.ok(answer.ok, `${path}: ${answer.status} ${answer.ok ? '' : await answer.text()}`);
	return answer.headers.get('content-type')?.includes('json') ? answer.json() : answer.text();
}
const prometheus = async (path) => (await get('prometheus', `/api/v1/${path}`)).data;
const query = async (expr) => (await prometheus(`query?query=${encodeURIComponent(expr)}`)).result;
const active = async (name) => (await get('prometheus-alertmanager', '/api/v2/alerts')).find(({ labels }) => labels.alertname === name);

const up = () => program(join(monitoring, 'up'), ['--run', need('SOUK_RUN'), '--free-ports', '--interval', '1s', '--rules', join(scratch, 'rules')], {
	env: { ...process.env, ALERT_WEBHOOK: `http://127.0.0.1:${hook.address().port}/`, CERTIFICATES: `127.0.0.1:${secure.address().port}` },
});
const listen = (server) => new Promise((done) => server.listen(0, '127.0.0.1', done));

/* The rules of the shop, which wait a second where they wait minutes. */
async function hurriedRules() {
	await program('mkdir', [join(scratch, 'rules')]);
	for (const name of readdirSync(join(monitoring, 'rules')))
		writeFileSync(join(scratch, 'rules', name),
		    read('deploy/monitoring/rules', name).replace(/^( +for:) .*$/gm, '$1 1s'));
}

test.before(async () => {
	await hurriedRules();
	hook = createServer((request, response) => {
		let text = '';
		request.on('data', (chunk) => { text += chunk; });
		request.on('end', () => {
			told.push(JSON.parse(text));
			response.end();
		});
	});
	await listen(hook);
	const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(scratch, name));
	await program('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
	    '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=shop.test']);
	secure = tls.createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => socket.on('error', () => {}).end());
	await listen(secure);

	await up();
	ports = Object.fromEntries(readFileSync(join(need('SOUK_RUN'), 'monitoring', 'ports.env'), 'utf8').trim().split('\n')
	    .map((line) => line.split('=')));
});

test.after(() => {
	hook.close();
	secure.close();
	rmSync(scratch, { recursive: true });
});

test('run again, it leaves what runs alone', async () => {
	const pids = () => readdirSync(join(need('SOUK_RUN'), 'pid')).map((name) => `${name} ${readFileSync(join(need('SOUK_RUN'), 'pid', name))}`);
	const before = pids();
	await up();
	assert.deepEqual(pids(), before);
});

test('every job has a target that is up', () => until('all are up', async () => {
	const jobs = (await prometheus('targets')).activeTargets;
	const wrong = jobs.filter(({ health }) => health !== 'up').map(({ labels, lastError }) => `${labels.job}: ${lastError}`);
	assert.deepEqual(wrong, []);
	assert.deepEqual([...new Set(jobs.map(({ labels }) => labels.job))].sort(),
	    [...read('deploy/monitoring/prometheus.yml').matchAll(/job_name: (\w+)/g)].map(([, name]) => name).sort());
	return true;
}, PATIENT));

test('every series that a rule or a dashboard reads is there', async () => {
	const rules = (await prometheus('rules')).groups.flatMap((group) => group.rules);
	const asked = [...rules.map(({ name, query: expr }) => ({ from: `rule ${name}`, expr })),
	    ...panels().map(({ file, title, expr }) => ({ from: `${file}, ${title}`, expr }))];
	const recorded = new Set(rules.filter(({ type }) => type === 'recording').map(({ name }) => name));

	assert.ok(rules.length > 50 && asked.length > 150, 'rules and dashboards were read');
	const story = await Story.begin();
	await pay(story.buyer, await story.place());
	await call('GET', '/api/products', { expect: 200 });
	await program(join(repository, 'deploy/backup/backup'), ['--run', need('SOUK_RUN'), '--to', join(scratch, 'backup'), '--without-keys']);
	for (const name of ['books-measure', 'backlog-measure'])
		await call('POST', `/internal/cron/${name}`, { token: need('SERVICE_TOKEN'), expect: 200 });

	const wanted = new Map();
	for (const { from, expr } of asked)
		for (const { name, matchers } of selectors(expr))
			if (name.includes(':'))
				assert.ok(recorded.has(name), `${from}: no rule records ${name}`);
			else if (name !== 'ALERTS')
				wanted.set(`${name}{${matchers}}`, from);
	const gateway = (await exchange(need('SOUK_URL'), 'GET', '/metrics', {})).bytes.toString();
	await until('all have been scraped', async () => {
		const missing = [];
		for (const [selector, from] of wanted)
			if ((await query(`count(${selector})`)).length === 0)
				missing.push(`${selector} (${from})`);
		assert.deepEqual(missing, []);
		return true;
	}, { ...PATIENT, every: 1000 });
	/* Of the shop's own: by a look at what it says, not at what was kept. */
	for (const selector of wanted.keys()) {
		const name = selector.slice(0, selector.indexOf('{'));
		const of = await query(`count by (job) (${name})`);
		if (of.some(({ metric }) => metric.job === 'souk') && name !== 'up')
			assert.match(gateway, new RegExp(`^${name}[{ ]`, 'm'));
	}
});

test('every expression of a dashboard can be evaluated', async () => {
	for (const { file, title, expr } of panels())
		await assert.doesNotReject(query(expr), `${file}, ${title}`);
});

test('the commands that the runbook looks with work', async () => {
	const [prelude] = commands(read('deploy/RUNBOOK.md').split(/^## /m)[0]);
	const here = { ...process.env, RUN: need('SOUK_RUN'), SHOP: need('SOUK_URL'), DB: need('ADMIN_DATABASE_URL') };
	const functions = prelude.split('\n').filter((line) => /^\w+\(\)/.test(line)).join('\n');

	const wrong = [];

	assert.match(prelude, /^RUN=.*\nSHOP=.*\nDB=/);
	for (const [name, section] of Object.entries(runbook()))
		for (const block of commands(section))
			for (const line of block.trim().split('\n'))
				await program('bash', ['-c', `set -euo pipefail\n${functions}\n${line}`], { cwd: repository, env: here })
				    .catch((error) => wrong.push(`${name}: ${error.message}`));
	assert.deepEqual(wrong, []);
});

test('the acts that the runbook advises are done', async () => {
	const text = read('deploy/RUNBOOK.md');
	const [, admin] = /^ {4}(admin\(\).*)$/m.exec(text);
	const acts = [...text.replaceAll(/\s+/g, ' ').matchAll(/admin ((jobs|events|sagas)\/[\w/]+ '[^']+'(?: '[^']+')?)/g)];
	const made = { jobs: () => deadJob('mail'), events: deadEvent, sagas: async () => {
		const { saga } = await waiting();
		await stop(saga.id);
		return saga.id;
	} };
	const here = { ...process.env, SHOP: need('SOUK_URL'), TOKEN: (await operator()).token };

	assert.ok(acts.length >= 9);
	for (const [, act, what] of acts) {
		const stdout = await program('bash', ['-c', `set -euo pipefail\n${admin}\nadmin ${act.replace('ID', await made[what]())}`], { env: here });
		const answer = JSON.parse(stdout);
		assert.ok(answer.requeued > 0 || answer.state !== undefined || answer.saga !== undefined, `${act}: ${stdout}`);
	}
});

test('Redis stops: an alert in Alertmanager, somebody told; it starts: over, and told so', async () => {
	const toldOf = (status) => told.find(({ receiver, alerts }) => receiver === 'page'
	    && alerts.some((alert) => alert.labels.alertname === 'RedisDown' && alert.status === status));

	await until('all is well before', async () => (await query('redis_up == 1')).length === 1 && !await active('RedisDown'), PATIENT);
	await stopRedis();
	try {
		const alert = await until('it fires', () => active('RedisDown'), PATIENT);
		assert.deepEqual(alert.receivers, [{ name: 'page' }]);
		assert.equal(alert.labels.severity, 'page');
		assert.match(alert.annotations.runbook, /RUNBOOK\.md#redisdown$/);
		await until('somebody is told', () => toldOf('firing'), PATIENT);
	} finally {
		await startRedis();
	}
	await until('it is over', async () => !await active('RedisDown'), PATIENT);
	await until('somebody is told so', () => toldOf('resolved'), PATIENT);
});

test('a certificate that ends in two days is seen', async () => {
	const alert = await until('it fires', () => active('CertificateExpiring'), PATIENT);
	assert.equal(alert.labels.severity, 'page');
	assert.equal(alert.labels.instance, `127.0.0.1:${secure.address().port}`);
});

test('what follows from something else is not told beside it', async () => {
	const post = (...names) => get('prometheus-alertmanager', '/api/v2/alerts', {
		method: 'POST', headers: { 'Content-Type': 'application/json' },
		body: JSON.stringify(names.map(([alertname, severity, more]) => ({ labels: { alertname, severity, made: 'up', ...more } }))),
	});
	const silent = async (name, severity) => (await get('prometheus-alertmanager', '/api/v2/alerts?filter=made%3Dup'))
	    .find(({ labels }) => labels.alertname === name && labels.severity === severity)?.status.inhibitedBy.length > 0;

	await post(['PostgresDown', 'page'], ['SagaStuck', 'page'], ['LedgerNotZero', 'page'],
	    ['FunctionDown', 'page', { function: 'a' }], ['FunctionCrashing', 'ticket', { function: 'a' }],
	    ['AvailabilityBudgetBurn', 'page', { slo: 'x' }], ['AvailabilityBudgetBurn', 'ticket', { slo: 'x' }]);
	await until('those are silent', async () => await silent('SagaStuck', 'page') && await silent('FunctionCrashing', 'ticket')
	    && await silent('AvailabilityBudgetBurn', 'ticket'), PATIENT);
	assert.equal(await silent('LedgerNotZero', 'page'), false);
	assert.equal(await silent('PostgresDown', 'page'), false);
});
