/*
 * The dashboards, which no Grafana has drawn here, by the types that Grafana makes
 * of its own schema; and by what those do not know: what refers to what.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import YAML from 'yaml';
import { monitoring, read } from '../lib/monitoring.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const folder = join(monitoring, 'grafana', 'dashboards');
const boards = Object.fromEntries(readdirSync(folder).map((file) => [file.replace('.json', ''), JSON.parse(readFileSync(join(folder, file), 'utf8'))]));
const panelsOf = ({ panels }) => panels.map((panel) => ({ ...panel, toString: () => panel.title }));

const stat = (board) => board.panels.find(({ type }) => type === 'stat');
const graph = (board) => board.panels.find(({ type }) => type === 'timeseries');
const SPOILT = {
	'a field of the dashboard is misspelt': [(b) => { b.refrehs = '30s'; }, /refrehs/],
	'a field of a panel is misspelt': [(b) => { graph(b).descripton = 'x'; }, /descripton/],
	'a panel has no description': [(b) => { delete graph(b).description; }, /'description' is missing/],
	'a panel has no unit': [(b) => { delete graph(b).fieldConfig.defaults.unit; }, /'unit' is missing/],
	'a panel is of no kind': [(b) => { graph(b).type = 'timeserie'; }, /timeserie/],
	'an option is misspelt': [(b) => { graph(b).options.tooltips = {}; }, /tooltips/],
	'an option is another kind\'s': [(b) => { graph(b).options.colorMode = 'value'; }, /colorMode/],
	'an option has no such value': [(b) => { graph(b).options.legend.displayMode = 'tabel'; }, /tabel/],
	'part of an option is missing': [(b) => { delete graph(b).options.legend.showLegend; }, /showLegend/],
	'how a line is drawn is misspelt': [(b) => { graph(b).fieldConfig.defaults.custom.fillOpactiy = 1; }, /fillOpactiy/],
	'a number is text': [(b) => { graph(b).fieldConfig.defaults.custom.lineWidth = '1'; }, /'string' is not assignable to type 'number'/],
	'a place is misspelt': [(b) => { stat(b).gridPos.width = 4; }, /width/],
	'a target is misspelt': [(b) => { stat(b).targets[0].legend = 'x'; }, /legend/],
	'a limit has no colour': [(b) => { delete b.panels.find(({ fieldConfig }) => fieldConfig.defaults.thresholds)
	    .fieldConfig.defaults.thresholds.steps[0].color; }, /color/],
	'a figure turns red at 80': [(b) => { delete stat(b).fieldConfig.defaults.color; delete stat(b).fieldConfig.defaults.thresholds; }, /'\{ unit: string; min: number; \}' is not assignable/],
	'a variable is of no type': [(b) => { b.templating.list[0].type = 'datasources'; }, /datasources/],
	'a link lacks what it needs': [(b) => { delete b.links[0].tooltip; }, /tooltip/],
};

/* What the compiler says of each, which is one file to it. */
function compiled(literals) {
	const files = new Map(Object.entries(literals).map(([name, board], i) => [join(here, `board-${i}.mts`),
		{ name, text: `import type { Dashboard } from './dashboard.mjs';\nexport const board: Dashboard = ${JSON.stringify(board)};\n` }]));
	const options = { strict: true, noEmit: true, module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext };
	const host = ts.createCompilerHost(options);
	const { fileExists, readFile, getSourceFile } = host;
	Object.assign(host, {
		fileExists: (file) => files.has(file) || fileExists(file),
		readFile: (file) => files.get(file)?.text ?? readFile(file),
		getSourceFile: (file, target) => (files.has(file) ? ts.createSourceFile(file, files.get(file).text, target)
			: getSourceFile(file, target)),
	});
	const types = join(here, 'dashboard.mts');
	const program = ts.createProgram([types, ...files.keys()], options, host);
	const said = (file) => ts.getPreEmitDiagnostics(program, program.getSourceFile(file))
	    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
	assert.deepEqual(said(types), []);
	return Object.fromEntries([...files].map(([file, { name }]) => [name, said(file)]));
}

const spoilt = Object.fromEntries(Object.entries(SPOILT).map(([what, [spoil]]) => {
	const board = structuredClone(boards.database);
	spoil(board);
	return [what, board];
}));
const said = compiled({ ...boards, ...spoilt });

test('every dashboard is one, to Grafana\'s own types', () => {
	assert.equal(Object.keys(boards).length, 9);
	for (const name of Object.keys(boards))
		assert.deepEqual(said[name], [], name);
});

for (const [what, [, expected]] of Object.entries(SPOILT))
	test(`it is seen that ${what}`, () => assert.match(said[what].join('\n'), expected));

test('the types are those of the Grafana that deploy/compose runs', () => {
	const { dependencies } = JSON.parse(read('tests/package.json'));
	const { services: { grafana } } = YAML.parse(read('deploy/compose/monitoring.yaml'), { merge: true });
	assert.equal(grafana.image, `docker.io/grafana/grafana:${dependencies['@grafana/schema']}`);
});

test('what a panel asks, it asks of the source that is provisioned', () => {
	const { datasources } = YAML.parse(read('deploy/monitoring/grafana/provisioning/datasources/prometheus.yml'));
	for (const [name, board] of Object.entries(boards)) {
		const [variable, ...others] = board.templating.list;
		assert.equal(others.length, 0);
		assert.deepEqual([variable.type, datasources.map(({ type }) => type)], ['datasource', [variable.query]], name);
		for (const panel of panelsOf(board))
			assert.deepEqual(panel.datasource, { type: variable.query, uid: `\${${variable.name}}` }, `${name}: ${panel}`);
		const used = [...JSON.stringify(board).matchAll(/\$\{?(\w+)/g)].map(([, each]) => each);
		assert.deepEqual(used.filter((each) => ![variable.name, '__rate_interval', '__range'].includes(each)), [], name);
	}
});

test('within a dashboard each is told apart, and says what its lines are', () => {
	const UNITS = ['short', 's', 'bytes', 'percentunit', 'reqps', 'ops'];
	const different = (values, what) => assert.equal(new Set(values).size, values.length, what);
	for (const [name, board] of Object.entries(boards)) {
		const panels = panelsOf(board);
		different(panels.map(({ id }) => id), name);
		different(panels.map(({ title }) => title), name);
		for (const panel of panels) {
			different(panel.targets.map(({ refId }) => refId), `${name}: ${panel}`);
			assert.ok(panel.description.length > 2, `${name}: ${panel} is not explained`);
			assert.ok(UNITS.includes(panel.fieldConfig.defaults.unit), `${name}: ${panel}`);
			if (panel.type === 'timeseries') {
				const legends = panel.targets.map(({ legendFormat }) => legendFormat);
				assert.ok(legends.every((legend) => legend.length > 0), `${name}: ${panel} has a line without a name`);
				different(legends, `${name}: ${panel}`);
			}
		}
	}
});

/* A figure is red when its alert would fire. */
test('limits rise, and are those of the alerts that the panel names', () => {
	const rules = read('deploy/monitoring/rules/alerts.yml');
	for (const [name, board] of Object.entries(boards)) {
		for (const panel of panelsOf(board).filter(({ fieldConfig }) => fieldConfig.defaults.thresholds)) {
			const [{ value: first }, ...steps] = panel.fieldConfig.defaults.thresholds.steps;
			assert.equal(first, null, `${name}: ${panel}`);
			assert.ok(steps.length > 0 && steps.every(({ value }, i) => i === 0 || value > steps[i - 1].value), `${name}: ${panel}`);
			const [, alert] = /(\w+) in the runbook/.exec(panel.description) ?? [];
			const limit = steps.at(-1).value;
			if (alert === undefined || limit === 1)
				continue;
			const rule = rules.split('- alert: ').find((each) => each.startsWith(`${alert}\n`));
			const compared = [...rule.matchAll(/> ([\d.]+(?: \* [\d.]+)*)/g)].map(([, product]) => product.split(' * ').reduce((a, b) => a * b, 1));
			assert.ok(compared.includes(limit), `${name}: ${panel}: ${alert}`);
		}
	}
});
