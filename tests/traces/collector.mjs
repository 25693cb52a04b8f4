/*
 * A collector of traces that believes nothing: every batch is held against OTLP's
 * JSON, to the letter, and every span against those before it.
 */
import Ajv from 'ajv';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { until } from '../lib/wait.mjs';

const object = (properties, required = Object.keys(properties)) => ({ type: 'object', additionalProperties: false, properties, required });
const array = (items, more = {}) => ({ type: 'array', items, ...more });
const text = { type: 'string', minLength: 1 };
const id = (digits) => ({ type: 'string', pattern: `^(?!0+$)[0-9a-f]{${digits}}$` });
const nanos = { type: 'string', pattern: '^1[0-9]{18}$' };	/* of this century */
const attribute = object({ key: text, value: { oneOf: [object({ stringValue: { type: 'string' } }),
	object({ intValue: { type: 'string', pattern: '^-?[0-9]+$' } })] } });
const span = object({
	traceId: id(32), spanId: id(16), parentSpanId: id(16), name: text, kind: { enum: [1, 2, 3, 5] }, flags: { type: 'integer' },
	startTimeUnixNano: nanos, endTimeUnixNano: nanos, attributes: array(attribute),
	links: array(object({ traceId: id(32), spanId: id(16), flags: { type: 'integer' } }), { minItems: 1 }),
	status: object({ code: { const: 2 }, message: text }, []),
}, ['traceId', 'spanId', 'name', 'kind', 'startTimeUnixNano', 'endTimeUnixNano', 'attributes', 'status']);
const conforms = new Ajv({ strict: true, allErrors: true }).compile(object({
	resourceSpans: array(object({
		resource: object({ attributes: array(attribute, { minItems: 1 }) }),
		scopeSpans: array(object({ scope: object({ name: text }), spans: array(span, { minItems: 1 }) }), { minItems: 1 }),
	}), { minItems: 1 }),
}));

/* { key: value }, and each key once. */
function plain(attributes) {
	const pairs = attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]);
	assert.equal(new Set(pairs.map(([key]) => key)).size, pairs.length, `a key twice: ${JSON.stringify(attributes)}`);
	return Object.fromEntries(pairs);
}

export class Collector {
	spans = [];
	wrong = [];
	requests = 0;
	sockets = new Set();
	/* What it answers: { status, headers, body }, or null for nothing at all. */
	answer = () => ({ status: 200, body: '{"partialSuccess":{}}' });

	/* With { key, cert } it speaks TLS. */
	static async start(secrets) {
		const self = new Collector();
		const take = (request, response) => self.take(request, response);
		self.server = secrets === undefined ? createServer(take) : createSecureServer(secrets, take);
		await new Promise((done) => self.server.listen(0, '127.0.0.1', done));
		self.url = `${secrets === undefined ? 'http' : 'https'}://127.0.0.1:${self.server.address().port}`;
		return self;
	}

	stop() {
		this.server.closeAllConnections();
		this.server.close();
	}

	take(request, response) {
		const chunks = [];
		request.on('data', (chunk) => chunks.push(chunk));
		request.on('end', () => {
			const answer = this.answer();
			this.requests++;
			this.headers = request.headers;
			this.sockets.add(request.socket);
			try {
				assert.equal(`${request.method} ${request.url}`, 'POST /v1/traces');
				assert.equal(request.headers['content-type'], 'application/json');
				this.read(JSON.parse(Buffer.concat(chunks)), answer?.status === 200);
			} catch (error) {
				this.wrong.push(error.message);
			}
			if (answer !== null)
				response.writeHead(answer.status, { 'Content-Type': 'application/json', ...answer.headers }).end(answer.body ?? '{}');
		});
	}

	read(batch, keep) {
		assert.ok(conforms(batch), JSON.stringify(conforms.errors));
		for (const { resource, scopeSpans } of batch.resourceSpans)
			for (const found of scopeSpans.flatMap(({ spans }) => spans)) {
				const { attributes, links = [], ...rest } = found;
				const one = { ...rest, links, attributes: plain(attributes), resource: plain(resource.attributes),
					start: BigInt(found.startTimeUnixNano), end: BigInt(found.endTimeUnixNano) };
				assert.ok(one.start <= one.end, `${one.name} ends before it begins`);
				assert.ok(!this.spans.some(({ spanId }) => spanId === one.spanId), `${one.name} came twice`);
				if (keep)
					this.spans.push(one);
			}
	}

	of = (traceId) => this.spans.filter((each) => each.traceId === traceId);

	/* Waits for a span of a trace. */
	find(traceId, what, matches) {
		return until(what, () => {
			assert.deepEqual(this.wrong, []);
			const found = this.of(traceId).find(matches);
			if (found === undefined)
				throw new Error(this.of(traceId).map(({ name, resource }) => `${resource['faas.name']}: ${name}`).join(', '));
			return found;
		});
	}
}
