/* The workflows, as far as they can be looked at without running them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { documents, root } from './kubectl.mjs';

const folder = path.join(root, '.github/workflows');
const workflows = readdirSync(folder).map((file) => ({ file, ...documents(readFileSync(path.join(folder, file), 'utf8'))[0] }));
const { jobs } = workflows.find(({ file }) => file === 'ci.yml');
const stepsOf = (job) => job.steps.filter(({ run }) => run);
const scripts = workflows.flatMap((workflow) => Object.values(workflow.jobs)).flatMap(stepsOf).map(({ run }) => run);
const read = (file) => readFileSync(path.join(root, file), 'utf8');

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
	for (const [image, tag] of scripts.join('\n').matchAll(/docker\.io\/[a-z/]+(?::(\S+))?/g))
		assert.match(tag ?? '', /^\d+\.\d+\.\d+$/, image);
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
