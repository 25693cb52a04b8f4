/*
 * The OpenAPI document, held against what is said: every answer that passes
 * through the client must be described, in full and in every detail, and what
 * the shop accepts must be what the document says may be sent.
 *
 * Objects are closed here, not in the document: a client has to put up with
 * members that come later, the tests have not.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const FILE = new URL('../../gateway-conf/www/openapi.json', import.meta.url);
/* What lighttpd refuses by itself, before any function hears of it. */
const GATEWAYS_OWN = [400, 404, 408, 411, 413, 414, 416, 417, 431, 500, 501, 502, 503, 504, 505];

export const document = JSON.parse(readFileSync(FILE, 'utf8'));

/*
 * Closes every object that lists its members, but for Problem itself, which
 * others are made of; those are closed where they are made.
 */
function close(schema) {
	if (Array.isArray(schema))
		schema.forEach(close);
	else if (schema !== null && typeof schema === 'object') {
		if (schema.properties && schema.additionalProperties === undefined && schema !== closed.components.schemas.Problem)
			schema.unevaluatedProperties = false;
		Object.values(schema).forEach(close);
	}
}

const closed = structuredClone(document);
for (const part of [closed.components.schemas, closed.components.responses, closed.paths])
	close(part);

const ajv = new Ajv2020.default({ strict: true, allowUnionTypes: true, allErrors: true });
addFormats.default(ajv);
/* int64 is only a promise to be exact; in JavaScript nothing can be said of it. */
ajv.addFormat('int64', true);
/* Bytes are not in JSON. */
ajv.addFormat('binary', true);
/* As the runtime has it: spaces around it are dropped, what is before the @ is
 * not looked at closely. */
ajv.addFormat('email', /^\s*[^\s@]{1,64}@[^\s@]+\.[^\s@]+\s*$/);
ajv.addVocabulary(['openapi', 'info', 'servers', 'tags', 'paths', 'components', 'example']);
ajv.addSchema(closed, 'openapi');

const pointer = (...names) => names.map((name) => `/${encodeURIComponent(String(name).replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('');
const compiled = new Map();

/* The validator of a schema of the document, by where it is. */
export function validator(...where) {
	const at = pointer(...where);
	if (!compiled.has(at))
		compiled.set(at, ajv.compile({ $ref: `openapi#${at}` }));
	return compiled.get(at);
}

export function complaints(validate, value) {
	return validate(value) ? [] : validate.errors.map(({ instancePath, message, params }) =>
		`${instancePath || '/'} ${message} ${JSON.stringify(params)}`);
}

/* Literal paths before those with parameters. */
const templates = Object.keys(document.paths).map((template) => ({
	template,
	matches: new RegExp(`^${template.replace(/[.*+?^$()|[\]\\]/g, '\\$&')
	    .replace('{key}', '.+').replace(/\{[^}]+\}/g, '[^/]+')}$`),
})).sort((a, b) => a.template.split('{').length - b.template.split('{').length);

/* Follows one reference, and says where it led. */
function resolve(node, where) {
	if (node?.$ref === undefined)
		return [node, where];
	const names = node.$ref.slice(2).split('/');
	return [names.reduce((at, name) => at[name], document), names];
}

/* The operation a request is meant for: its template and method, or nothing. */
export function operationOf(method, path) {
	const bare = path.split('?')[0];
	const name = (method === 'HEAD' ? 'GET' : method).toLowerCase();
	const found = templates.find(({ matches }) => matches.test(bare));

	return { template: found?.template, name, operation: found && document.paths[found.template][name] };
}

function checkHeaders(declared, headers, told) {
	for (const [name, reference] of Object.entries(declared ?? {})) {
		const [header, where] = resolve(reference);
		const value = headers[name.toLowerCase()];
		if (value === undefined) {
			assert.ok(!header.required, `${told}: the header ${name} is missing`);
			continue;
		}
		const given = header.schema.type === 'integer' && /^-?\d+$/.test(value) ? Number(value) : value;
		assert.deepEqual(complaints(validator(...where, 'schema'), given), [], `${told}: the header ${name}: ${value}`);
	}
}

function checkAnswer(method, where, response, answer, told) {
	checkHeaders(response.headers, answer.headers, told);
	if (method === 'HEAD' || [204, 304].includes(answer.status))
		return;
	const type = (answer.headers['content-type'] ?? '').split(';')[0];
	const types = Object.keys(response.content ?? {});
	assert.ok(types.includes(type), `${told}: is ${type}, described as ${types}`);
	if (/[/+]json$/.test(type))
		assert.deepEqual(complaints(validator(...where, 'content', type, 'schema'), answer.json), [],
		    `${told}: ${answer.text.slice(0, 600)}`);
}

/*
 * Asserts that an answer is as described.  `answer` has status, headers, text
 * and json; `sent` is the JSON that was sent, if it was.
 */
export function conforms(method, path, answer, sent) {
	const { template, name, operation } = operationOf(method, path);
	const told = `${method} ${path.slice(0, 120)}: ${answer.status}, in the OpenAPI document`;

	if (method === 'OPTIONS')
		return;
	if (!operation) {
		const expected = template ? [405] : [404, 405];
		assert.ok([...expected, ...GATEWAYS_OWN, 429].includes(answer.status), `${told}: no such operation`);
		return;
	}
	const listed = operation.responses[answer.status];
	const gateways = answer.json?.request_id === null && GATEWAYS_OWN.includes(answer.status);
	/* Of a refusal that the endpoint does not list, this much is known. */
	const range = gateways || answer.status === 503 ? `${Math.floor(answer.status / 100)}XX` : undefined;
	assert.ok((listed && !gateways) || range, `${told}: not described`);
	const key = listed && !gateways ? String(answer.status) : range;
	const [response, where] = resolve(operation.responses[key], ['paths', template, name, 'responses', key]);
	checkAnswer(method, where, response, answer, told);
	if (answer.status < 300 && sent !== undefined && operation.requestBody?.content['application/json'])
		assert.deepEqual(complaints(validator('paths', template, name, 'requestBody', 'content', 'application/json', 'schema'), sent), [],
		    `${told}: it was accepted, so it should be described: ${JSON.stringify(sent).slice(0, 600)}`);
}
