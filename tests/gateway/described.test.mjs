/*
 * Routes served are routes described, both ways: what the document has is
 * answered by the function that declares it, and nothing else is answered.
 */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { endpoints } from '../lib/described.mjs';
import { need } from '../lib/env.mjs';
import { until } from '../lib/wait.mjs';
import { assertProblem } from './problem.mjs';
import { api, base, paths } from './stack.mjs';
import { ask } from './wire.mjs';

const conf = fileURLToPath(new URL('../../gateway-conf', import.meta.url));
const described = paths.flatMap(({ template, path, methods }) => methods.map((method) => ({ method, template, path })));
const length = (method) => method === 'GET' ? {} : { 'Content-Length': '0' };
const isFile = ({ template }) => !endpoints.some(({ path }) => path === template);

test('every operation is answered by the function that declares it', async () => {
	const asked = new Map();
	for (const [i, operation] of described.filter((operation) => !isFile(operation)).entries()) {
		const id = `described-${process.pid}-${i}`;
		asked.set(id, operation);
		const { status } = await ask(base, operation.method, operation.path, { ...length(operation.method), 'X-Request-ID': id });
		assert.notEqual(status, 405, `${operation.method} ${operation.template}`);
	}
	const log = join(need('SOUK_RUN'), 'log', 'functions.log');
	const lines = await until('every request is in the log', () => {
		const found = readFileSync(log, 'utf8').split('\n').filter((line) => line.includes(`"request_id":"described-${process.pid}-`))
		    .map((line) => JSON.parse(line)).filter(({ route }) => route !== undefined);
		return found.length >= asked.size && found;
	});
	for (const { request_id: id, function: name, route } of lines) {
		const { method, template } = asked.get(id);
		const { binary } = endpoints.find((endpoint) => endpoint.method === method && endpoint.path === template);
		assert.deepEqual([name, route], [binary, template], `${method} ${template}`);
	}
});

test('every file that is described is there', async () => {
	for (const { method, template, path } of described.filter((operation) => isFile(operation) && !operation.template.includes('{')))
		assert.equal((await ask(base, method, path, {})).status, 200, template);
});

/* The paths of routes.conf with their methods, as lighttpd reads them. */
function routed() {
	const found = [];
	let path;
	for (const line of readFileSync(join(conf, 'routes.conf'), 'utf8').split('\n')) {
		const [, equal, match] = /\$HTTP\["url"\] (?:== "([^"]+)"|=~ "([^"]+)")/.exec(line) ?? [];
		const [, method, methods] = /\$HTTP\["request-method"\] (?:== "([A-Z]+)"|=~ "\^\(\?:([A-Z|]+)\)\$")/.exec(line) ?? [];
		path = equal ?? match ?? path;
		for (const name of (method ?? methods ?? '').split('|').filter(Boolean))
			found.push(`${name} ${path}`);
	}
	return found;
}

test('every route is described, once', () => {
	const pattern = ({ template }) => template.includes('{')
	    ? `^${template.replaceAll('.', '\\.').replace(/\{[^}]+\}/g, '[^/]+')}$` : template;
	const expected = described.filter((operation) => !isFile(operation)).flatMap((operation) =>
		(operation.method === 'GET' ? ['GET', 'HEAD'] : [operation.method]).map((method) => `${method} ${pattern(operation)}`));
	assert.deepEqual(routed().sort(), expected.sort());
});

test('of the files beside the document, those are served that are described', async () => {
	const names = readdirSync(join(conf, 'www'), { recursive: true });
	assert.ok(names.includes('openapi.json'));
	for (const target of [...names, ...names.map((name) => name.replace(/\.[^.]+$/, ''))].map((name) => `/${name}`)) {
		const response = await ask(base, 'GET', target, {});
		if (api.paths[target])
			assert.equal(response.status, 200, target);
		else
			assertProblem(response, 404, 'not_found');
	}
});

test('nothing beside a described path is answered', async () => {
	const beside = paths.flatMap(({ path }) => path === '/' ? [] : [`${path}/`, `${path}/x/y/z`, `${path}.json`, `/v1${path}`, `/x${path}`, path.toUpperCase()]);
	const parents = paths.flatMap(({ path }) => path.split('/').slice(1, -1).map((_, i, names) => `/${names.slice(0, i + 1).join('/')}`));
	const known = paths.map(({ template }) => new RegExp(`^${template.replaceAll('.', '\\.').replace('{key}', '.+').replace(/\{[^}]+\}/g, '[^/]+')}$`));
	const targets = [...new Set([...beside, ...parents])].filter((target) => !known.some((template) => template.test(target)));

	assert.ok(targets.length > paths.length);
	for (const target of targets) {
		const response = await ask(base, 'GET', target, {});
		assert.equal(response.status, 404, target);
		assertProblem(response, 404, 'not_found');
	}
});

test('the simulator\'s endpoints are not the shop\'s', async () => {
	const theirs = JSON.parse(readFileSync(need('API_JSON'), 'utf8')).find(({ binary }) => binary === 'stripe-sim').endpoints;
	assert.ok(theirs.length > 10);
	for (const { method, path } of theirs.filter(({ path }) => path !== '/*'))
		assertProblem(await ask(base, method, path.replace(/\{[^}]+\}/g, '1'), length(method)), 404, 'not_found');
});

test('methods that nothing has are 405 wherever something is', async () => {
	for (const method of ['PATCH', 'TRACE', 'PROPFIND', 'MKCOL', 'LOCK', 'REPORT'])
		for (const { path, template } of paths) {
			const response = await ask(base, method, path, { 'Content-Length': '0' });
			assert.equal(response.status, 405, `${method} ${template}`);
			assert.ok(response.headers.allow, `${method} ${template}`);
		}
});
