/*
 * Rules, routes, dashboards and the runbook by themselves: no stack is asked.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { alerts, commands, monitoring, panels, program, read, runbook, selectors, tests } from '../lib/monitoring.mjs';

const config = join(monitoring, 'alertmanager.yml');
const unique = (names) => [...new Set(names)].sort();

test('promtool and amtool find nothing wrong', async () => {
	await program('promtool', ['check', 'rules', ...['alerts', 'recording'].map((name) => join(monitoring, 'rules', `${name}.yml`))]);
	await program('promtool', ['check', 'config', join(monitoring, 'prometheus.yml')]);
	await program('amtool', ['check-config', config]);
	await program('prometheus-blackbox-exporter', ['--config.check', `--config.file=${join(monitoring, 'blackbox.yml')}`]);
});

for (const file of readdirSync(tests).filter((name) => name.endsWith('.rules.yml')))
	test(`promtool test rules ${file}`, () => program('promtool', ['test', 'rules', join(tests, file)]));

test('every alert fires in a test, in each severity, and each test ends in silence', () => {
	const text = readdirSync(tests).filter((name) => name.endsWith('.rules.yml'))
	    .map((name) => readFileSync(join(tests, name), 'utf8')).join('');
	const firing = unique([...text.matchAll(/ALERTS\{alertname="(\w+)",(?:alertstate="firing",)?severity="(\w+)"/g)]
	    .map(([, name, severity]) => `${name} ${severity}`));

	assert.deepEqual(firing, unique(alerts().map(({ name, severity }) => `${name} ${severity}`)));
	for (const story of text.split(/^  - name: /m).slice(1).filter((each) => !each.startsWith("'Watchdog")))
		assert.ok(!story.split('- eval_time').at(-1).includes('exp_samples'), `ends while it fires: ${story.split('\n')[0]}`);
});

test('every alert has its section in the runbook, and every section its alert', () => {
	const sections = runbook();

	assert.deepEqual(Object.keys(sections).sort(), unique(alerts().map(({ name }) => name)));
	for (const { name, runbook: link } of alerts()) {
		assert.equal(link, `deploy/RUNBOOK.md#${name.toLowerCase()}`);
		for (const part of ['**Look', '**Do', '**Over**'])
			assert.ok(sections[name].includes(part), `${name} has no ${part}`);
		assert.ok(commands(sections[name]).length > 0, `${name} has no command to look with`);
	}
});

test('the runbook leads nowhere that is not there', () => {
	const sections = Object.keys(runbook()).map((name) => name.toLowerCase());
	for (const [, to] of read('deploy/RUNBOOK.md').matchAll(/\]\(#([\w-]+)\)/g))
		assert.ok(sections.includes(to), to);
});

test('each alert is told to whom it concerns', async () => {
	const routed = async (...labels) => (await program('amtool', ['config', 'routes', 'test', '--config.file', config, ...labels]))
	    .split('\n').filter((line) => /^\w+$/.test(line));
	for (const { name, severity } of alerts())
		assert.deepEqual(await routed(`alertname=${name}`, `severity=${severity}`),
		    [name === 'Watchdog' ? 'watchdog' : severity], name);
	assert.deepEqual(await routed('alertname=SomebodyElses'), ['ticket'], 'what nobody knows is not lost');
});

test('what is inhibited, and by what, exists', () => {
	const names = alerts().map(({ name }) => name);
	for (const [, found] of read('deploy/monitoring/alertmanager.yml').matchAll(/alertname =~? "([^"]+)"/g))
		for (const name of found.split('|'))
			assert.ok(names.includes(name), name);
});

test('the dashboards are those that dashboards.jq describes', async () => {
	const scratch = mkdtempSync(join(tmpdir(), 'souk-dashboards-'));
	const kept = join(monitoring, 'grafana', 'dashboards');

	try {
		await program(join(monitoring, 'grafana', 'render'), [scratch]);
		assert.deepEqual(readdirSync(kept), readdirSync(scratch));
		for (const name of readdirSync(scratch))
			assert.equal(readFileSync(join(kept, name), 'utf8'), readFileSync(join(scratch, name), 'utf8'),
			    `${name}: run deploy/monitoring/grafana/render`);
	} finally {
		rmSync(scratch, { recursive: true });
	}
});

test('a dashboard for each theme, each panel with a title, a place and a question', () => {
	const kept = join(monitoring, 'grafana', 'dashboards');
	const ids = new Set();

	assert.deepEqual(readdirSync(kept), ['business', 'cache', 'database', 'errors', 'jobs', 'latency', 'saga', 'stripe', 'traffic']
	    .map((name) => `${name}.json`));
	for (const file of readdirSync(kept)) {
		const board = JSON.parse(readFileSync(join(kept, file), 'utf8'));
		const taken = new Set();
		assert.ok(board.uid && !ids.has(board.uid), `${file} has a uid of its own`);
		ids.add(board.uid);
		for (const { title, targets, gridPos: { x, y, w, h } } of board.panels) {
			assert.ok(title && targets.length > 0, `${file}: ${title}`);
			for (let i = x; i < x + w; i++)
				for (let j = y; j < y + h; j++) {
					assert.ok(i < 24 && !taken.has(`${i} ${j}`), `${file}: ${title} lies over another`);
					taken.add(`${i} ${j}`);
				}
		}
	}
});

test('what an expression reads is found in it', () => {
	assert.deepEqual(selectors('sum by (le, route) (rate(a_total{x="1",y!="2"}[5m])) / on (z) (b:c > 0 and "d" != e{f=~"g|{h"})'),
	    [{ name: 'a_total', matchers: 'x="1"' }, { name: 'b:c', matchers: '' }, { name: 'e', matchers: 'f=~"g|{h"' }]);
	assert.ok(panels().every(({ expr }) => selectors(expr).length > 0));
});
