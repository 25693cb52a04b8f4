/*
 * What containers cost, as a table: beside a stack (deploy/local/with-stack), by
 * node tests/container/measure.mjs.  Figures of this machine, not promises.
 */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { until } from '../lib/wait.mjs';
import { built, imageOf, podman, start, startFunction } from './podman.mjs';
import { close, reachStack, startNames } from './reached.mjs';

const ROUNDS = 10;
const IMAGES = ['catalog-list', 'orders-place', 'cron-saga_recover', 'catalog-upload_image', 'gateway', 'functions', 'simulator', 'tools'];
const MEASURED = ['catalog-list', 'orders-place', 'cron-saga_recover'];
/* Whatever else the machine is at makes it slower, never faster. */
const spread = (list) => `${Math.min(...list).toFixed(0)} (${list.sort((a, b) => a - b)[Math.floor(list.length / 2)].toFixed(0)}) ms`;
const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

async function memory(container) {
	let pss = 0;
	for (const { pid } of await container.processes())
		pss += Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]) * 1024;
	return pss;
}

const answers = (container, target) => until(`${target} answers`, async () =>
	(await container.get(target)).status === 200, { every: 2 });

await built(...IMAGES);
await startNames();
const reached = await reachStack();

console.log('| image | size |\n|---|---|');
for (const name of IMAGES)
	console.log(`| \`${imageOf(name).replace('localhost/', '')}\` | ${mb(Number(await podman('image', 'inspect', '--format', '{{.Size}}', imageOf(name))))} |`);

console.log('\n| function | start to first 200 | to first 200 from Postgres | memory, idle | after 200 requests |\n|---|---|---|---|---|');
for (const binary of MEASURED) {
	const first = [];
	const ready = [];
	let last;
	for (let round = 0; round < ROUNDS; round++) {
		const began = performance.now();
		last = await startFunction(binary, reached);
		await answers(last, '/health');
		first.push(performance.now() - began);
		await answers(last, '/ready');
		ready.push(performance.now() - began);
		if (round < ROUNDS - 1)
			await podman('rm', '--force', '--time', '0', last.id);
	}
	const idle = await memory(last);
	for (let i = 0; i < 200; i++)
		await last.get(binary === 'catalog-list' ? `/api/products?limit=20&page=${1 + i % 3}` : '/ready');
	console.log(`| \`${binary}\` | ${spread(first)} | ${spread(ready)} | ${mb(idle)} | ${mb(await memory(last))} |`);
	await podman('rm', '--force', '--time', '0', last.id);
}

/* What of it is podman's: a container whose program ends at once. */
const empty = [];
for (let round = 0; round < ROUNDS; round++) {
	const began = performance.now();
	await start('gateway', { entrypoint: '/bin/busybox', command: ['true'] });
	empty.push(performance.now() - began);
}
console.log(`\npodman alone, for a program that does nothing: ${spread(empty)}`);
close();
