/*
 * The OpenAPI document by itself: sound, complete, and true to its own
 * examples; and the harness that holds all answers against it, held against
 * answers that are wrong.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { complaints, conforms, document, validator } from '../lib/contract.mjs';
import { endpoints } from '../lib/described.mjs';

const here = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const isJson = (type) => /[/+]json$/.test(type);
const resolve = (node) => node?.$ref ? node.$ref.slice(2).split('/').reduce((at, name) => at[name], document) : node;
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
	Object.entries(item).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, path, method, operation })));

/* Every node of the document that is one of these, with its place. */
function* walk(node, where = []) {
	if (node === null || typeof node !== 'object')
		return;
	yield { node, where };
	for (const [name, child] of Object.entries(node))
		if (!['example', 'examples', 'value'].includes(name))
			yield* walk(child, [...where, name]);
}
const nodes = [...walk(document)];

test('it passes the linter with every recommended rule', async () => {
	const { stdout, stderr } = await promisify(execFile)(process.execPath, [here('node_modules/@redocly/cli/bin/cli.js'), 'lint',
		'--config', here('redocly.yaml'), here('../gateway-conf/www/openapi.json')],
	{ env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' } });
	assert.match(stdout + stderr, /Your API description is valid/);
	assert.doesNotMatch(stdout + stderr, /warning/i);
});

test('every operation tells what it is, who may call it and how it may refuse', () => {
	const tags = new Set(document.tags.map(({ name }) => name));
	const schemes = document.components.securitySchemes;

	for (const { name, operation } of operations) {
		assert.ok(operation.operationId && operation.summary && operation.description, name);
		assert.ok(operation.tags.length === 1 && tags.has(operation.tags[0]), name);
		for (const requirement of operation.security)
			for (const scheme of Object.keys(requirement))
				assert.ok(schemes[scheme], `${name}: ${scheme}`);
		for (const status of ['4XX', '5XX'])
			assert.ok(operation.responses[status], `${name}: ${status}`);
		for (const parameter of (operation.parameters ?? []).map(resolve))
			assert.ok(parameter.description && parameter.schema && parameter.example !== undefined, `${name}: ${parameter.name}`);
	}
	for (const tag of document.tags)
		assert.ok(tag.description, tag.name);
	for (const [name, header] of Object.entries(document.components.headers))
		assert.ok(header.description && header.schema && header.example !== undefined, name);
});

test('every JSON body that is sent or answered has an example', () => {
	for (const { node, where } of nodes.filter(({ node }) => node.content))
		for (const [type, media] of Object.entries(node.content).filter(([type]) => isJson(type))) {
			assert.ok(media.schema, `${where.join('/')}: ${type} has no schema`);
			const examples = media.examples ? Object.values(media.examples) : [media.example];
			assert.ok(examples.length > 0 && !examples.includes(undefined), `${where.join('/')}: ${type} has no example`);
		}
});

test('every example is what its schema asks for', () => {
	let seen = 0;
	const check = (value, ...where) => {
		seen++;
		assert.deepEqual(complaints(validator(...where), value), [], `${where.join('/')}: ${JSON.stringify(value)}`);
	};

	for (const { node, where } of nodes) {
		for (const value of Object.values(node.examples ?? {}).map((example) => example?.value ?? example))
			check(value, ...where, ...node.schema ? ['schema'] : []);
		if (node.example !== undefined && node.schema)
			check(node.example, ...where, 'schema');
	}
	assert.ok(seen > 200, `only ${seen} examples`);
});

test('what the functions declare is described, and nothing else but files', () => {
	const declared = endpoints.filter(({ path }) => path !== '/*').map(({ method, path }) => `${method} ${path}`);
	const files = operations.filter(({ operation }) => !endpoints.some(({ name }) => name === operation.operationId));

	assert.deepEqual(operations.map(({ name }) => name).sort(), [...declared, ...files.map(({ name }) => name)].sort());
	for (const { name, method, operation } of files)
		assert.ok(method === 'get' && !operation.requestBody && operation.responses['304'], `${name} is no file`);
});

test('every refusal that is declared is described, with its example', () => {
	for (const endpoint of endpoints.filter(({ path }) => path !== '/*')) {
		const { responses } = document.paths[endpoint.path][endpoint.method.toLowerCase()];
		for (const { status, code } of endpoint.errors) {
			const { examples, schema } = resolve(responses[status]).content['application/problem+json'];
			assert.equal(examples[code]?.value.code, code, `${endpoint.name}: ${code}`);
			assert.equal(examples[code].value.status, status);
			assert.ok(schema.properties.code.enum.includes(code), `${endpoint.name}: ${code}`);
		}
	}
});

/* An answer as the document has it, and as it must not be. */
function told() {
	const { value } = resolve(document.paths['/api/orders'].post.responses[404]).content['application/problem+json'].examples.product_not_found;
	const headers = Object.fromEntries(Object.entries(document.components.headers)
	    .map(([name, { example }]) => [name.toLowerCase(), String(example)]));
	const answer = (status, type, json) => ({
		status, json: structuredClone(json), text: JSON.stringify(json), headers: { ...headers, 'content-type': type },
	});
	const of = (path, method, status) => document.paths[path][method].responses[status].content['application/json'].example;

	return {
		order: () => ['POST', '/api/orders', answer(201, 'application/json', of('/api/orders', 'post', 201))],
		products: () => ['GET', '/api/products?page=1', answer(200, 'application/json', of('/api/products', 'get', 200))],
		problem: () => ['POST', '/api/orders', answer(404, 'application/problem+json', value)],
	};
}

test('the harness accepts the examples', () => {
	for (const make of Object.values(told()))
		conforms(...make());
});

test('the harness refuses answers that are not as described', () => {
	const wrong = [
		['order', 'a member nobody knows', (answer) => { answer.json.secret = 1; }],
		['order', 'a member that is missing', (answer) => { delete answer.json.total_amount; }],
		['order', 'money as a number', (answer) => { answer.json.total_amount = 53.98; }],
		['order', 'null where there must be something', (answer) => { answer.json.id = null; }],
		['order', 'a state there is not', (answer) => { answer.json.status = 'lost'; }],
		['order', 'a member nobody knows, further in', (answer) => { answer.json.items[0].cost = '1.00'; }],
		['order', 'a time that is none', (answer) => { answer.json.created_at = 'today'; }],
		['order', 'another status', (answer) => { answer.status = 200; }],
		['order', 'another content type', (answer) => { answer.headers['content-type'] = 'text/plain'; }],
		['order', 'no request id', (answer) => { delete answer.headers['x-request-id']; }],
		['products', 'no ETag', (answer) => { delete answer.headers.etag; }],
		['products', 'a header that is wrong', (answer) => { answer.headers['ratelimit-limit'] = 'many'; }],
		['products', 'a page that is none', (answer) => { answer.json.pagination = {}; }],
		['problem', 'a code of something else', (answer) => { answer.json.code = 'email_taken'; }],
		['problem', 'what only another refusal tells', (answer) => { answer.json.products = []; }],
		['problem', 'a bad field without its message', (answer) => { answer.json.errors = [{ field: 'x', code: 'y' }]; }],
	];
	for (const [which, what, spoil] of wrong) {
		const [method, path, answer] = told()[which]();
		spoil(answer);
		assert.throws(() => conforms(method, path, answer), assert.AssertionError, what);
	}
	const [, , answer] = told().order();
	assert.throws(() => conforms('POST', '/api/nowhere', answer), assert.AssertionError, 'a path that is not described');
	assert.throws(() => conforms('PUT', '/api/orders', answer), assert.AssertionError, 'a method that is not described');
	assert.throws(() => conforms('POST', '/api/orders', answer, { items: 'all' }), assert.AssertionError, 'a body that should not have been accepted');
});
