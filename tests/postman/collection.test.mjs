/*
 * The Postman collection, run by newman as Postman would: the flow from sign-up
 * to sign-out, then every endpoint's example.  Each assertion of the
 * collection's scripts is a test here.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { test } from 'node:test';
import newman from 'newman';
import { newAddress } from '../lib/client.mjs';
import { operationOf } from '../lib/contract.mjs';
import { endpoints } from '../lib/described.mjs';
import { need } from '../lib/env.mjs';
import { login } from '../lib/shop.mjs';

const read = (name) => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'));
const collection = read('souk.postman_collection.json');
const environment = read('souk.postman_environment.json');
const [flow, ...subjects] = collection.item;
const described = endpoints.filter(({ path }) => path !== '/*');
/* "{{baseUrl}}/api/orders/:id?x=y" as it is declared. */
const operation = ({ method, url }) => `${method} /${url.path.join('/').replace(/:(\w+)/g, '{$1}')}`;

test('every endpoint is in it once, by its subject', () => {
	const found = subjects.flatMap(({ item }) => item).map(({ request }) => operation(request));
	assert.deepEqual(found.sort(), described.map(({ method, path }) => `${method} ${path}`).sort());
});

test('every request is complete', () => {
	for (const { name, request, event } of collection.item.flatMap(({ item }) => item)) {
		assert.ok(request.auth?.type, `${name}: auth`);
		assert.ok(event.some(({ listen, script }) => listen === 'test' && script.exec.join('').includes('pm.test(')), `${name}: nothing is tested`);
		if (request.url.host[0] === '{{baseUrl}}') {
			const body = operationOf(request.method, `/${request.url.path.join('/')}`).operation.requestBody;
			/* A person starts a cron function without an event. */
			const isSent = body !== undefined && body.content['application/cloudevents+json'] === undefined;
			assert.equal(request.body !== undefined, isSent, `${name}: body`);
		}
	}
});

/* Runs it all; the outcome of each request. */
function run() {
	const agent = new http.Agent({ keepAlive: true, localAddress: newAddress() });
	const local = { baseUrl: need('SOUK_URL'), simulatorUrl: need('SIM_URL'), serviceToken: need('SERVICE_TOKEN') };

	return login(need('ADMIN_EMAIL'), need('ADMIN_PASSWORD')).then(({ accessToken }) => new Promise((done, failed) => newman.run({
		collection,
		environment,
		envVar: Object.entries({ ...local, adminToken: accessToken }).map(([key, value]) => ({ key, value })),
		requestAgents: { http: agent },
		timeoutRequest: 20000,
	}, (error, summary) => {
		agent.destroy();
		return error ? failed(error) : done(summary.run.executions);
	})));
}

const executions = await run();
const total = collection.item.reduce((sum, { item }) => sum + item.length, 0);

test('every request was made', () => {
	assert.equal(executions.length, total);
	assert.ok(flow.item.length > 20);
});

for (const [i, { item, response, assertions, requestError }] of executions.entries())
	test(`${i + 1}. ${item.name}`, () => {
		assert.equal(requestError, undefined);
		assert.ok(assertions?.length > 0, 'nothing was asserted');
		for (const { assertion, error } of assertions)
			assert.equal(error, undefined, `${assertion}: ${error?.message} in ${response.code} ${response.text().slice(0, 400)}`);
	});
