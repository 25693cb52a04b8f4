/*
 * The loop between contract and tests: every endpoint that a function declares
 * was called, and every refusal it declares was met, by the suites before.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { endpointOf, endpoints } from '../lib/described.mjs';
import { need } from '../lib/env.mjs';
import { always } from '../lib/invariants.mjs';
import { functionLines, noSecrets } from '../lib/leaks.mjs';

/*
 * Refusals that cannot be provoked from outside while the shop is whole, and
 * who provokes them instead.  "*" is every endpoint.
 */
const ELSEWHERE = [
	['*', 'unavailable', 'tests/saga/outages.test.mjs stops Postgres'],
	['create_intent', 'payments_unavailable', 'tests/saga/stripe.test.mjs stops the simulator'],
	['skip_step', 'payments_unavailable', 'tests/saga/operator.test.mjs has Stripe fail'],
	['*', 'internal_error', 'a 500 is a bug: the client of the suite fails on each'],
	['*', 'rate_limited', 'one limiter serves all endpoints of a rate class: register, login and products meet it'],
];

/* Postgres away: the runtime's answer, for every endpoint. */
const ALWAYS_POSSIBLE = '503 unavailable';

function seen() {
	const directory = join(need('SOUK_RUN'), 'seen');
	const met = new Map();

	for (const file of readdirSync(directory))
		for (const line of readFileSync(join(directory, file), 'utf8').split('\n').filter(Boolean)) {
			const { method, path, status, code } = JSON.parse(line);
			const endpoint = endpointOf(method, path);
			if (!endpoint)
				continue;
			const name = `${endpoint.method} ${endpoint.path}`;
			if (!met.has(name))
				met.set(name, new Set());
			met.get(name).add(`${status} ${code}`);
			met.get(name).add(String(status));
		}
	return met;
}

const excused = (endpoint, code) => ELSEWHERE.some(([name, refusal]) =>
	refusal === code && (name === '*' || name === endpoint.name));

test('there are endpoints', () => {
	assert.ok(endpoints.length >= 20, `only ${endpoints.length}`);
});

const met = seen();

for (const endpoint of endpoints) {
	const name = `${endpoint.method} ${endpoint.path}`;

	test(`${name} was called and answered as it promises`, () => {
		/* What answers all that no other does, only ever refuses. */
		const promised = endpoint.path === '/*' ? '404' : String(endpoint.success);
		assert.ok(met.get(name)?.has(promised), `met only: ${[...met.get(name) ?? []].join(', ')}`);
	});

	test(`${name} was made to refuse in every way it declares`, () => {
		const missing = endpoint.errors.filter(({ status, code }) =>
			!excused(endpoint, code) && !met.get(name)?.has(`${status} ${code}`));
		assert.deepEqual(missing.map(({ status, code }) => `${status} ${code}`), []);
	});

	test(`${name} refused only in ways it declares`, () => {
		const declared = new Set(endpoint.errors.map(({ status, code }) => `${status} ${code}`));
		const undeclared = [...met.get(name) ?? []].filter((answer) =>
			/ (?!null)/.test(answer) && answer !== ALWAYS_POSSIBLE && !declared.has(answer));
		assert.deepEqual(undeclared, []);
	});
}

test('after all that was done to it, the shop\'s books are right', always);

test('after all that was logged, every line is one object and no secret is in any', () => {
	assert.ok(functionLines().length > 100);
	noSecrets();
});
