/*
 * Spans, as a collector is sent them: of a whole order, whoever has a part in it;
 * and what happens when the collector is not what it should be.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { authority } from '../lib/authority.mjs';
import { call } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { execute } from '../lib/execute.mjs';
import { clearFaults, fault } from '../lib/faults.mjs';
import { program } from '../lib/monitoring.mjs';
import { mailsAreOut } from '../lib/mail.mjs';
import { ADDRESS, freshEmail, lines, newKey, PASSWORD } from '../lib/shop.mjs';
import { confirm } from '../lib/simulator.mjs';
import { eventSink, relay } from '../lib/sink.mjs';
import { no, runJobsWith, smtpServer } from '../lib/smtp.mjs';
import { run, value } from '../lib/sql.mjs';
import { processes, signal } from '../lib/stack.mjs';
import { Story } from '../lib/story.mjs';
import { until } from '../lib/wait.mjs';
import { Collector } from './collector.mjs';

let collector, story;

const hex = (bytes) => randomBytes(bytes).toString('hex');
/* What a client sends, and is the parent of. */
function client(flags = '01') {
	const trace = hex(16);
	const span = hex(8);
	return { trace, span, headers: { traceparent: `00-${trace}-${span}-${flags}` } };
}

/* The stack's functions as they are, told of a collector or not. */
const up = (env) => program('deploy/local/up', ['--run', need('SOUK_RUN'), '--free-ports', '--profile', 'test',
    '--bin', need('SOUK_BIN'), '--tools', need('SOUK_TOOLS')], { env: { ...process.env, ...env } });

async function counted(outcome) {
	const metrics = await fetch(`${need('SOUK_URL')}/metrics`).then((answer) => answer.text());
	return Number(new RegExp(`^otel_spans_total\\{outcome="${outcome}"\\} (\\d+)$`, 'm').exec(metrics)[1]);
}

const place = (from, more = {}) => story.buyer.call('POST', '/api/orders', {
	json: { items: lines([story.goods.id, 1]), ...ADDRESS }, key: newKey(), headers: from.headers, expect: 201, ...more,
}).then(({ json }) => json);

/* A request that leaves a span by itself. */
const browse = (from) => call('GET', `/api/products/${story.goods.id}`, { headers: from.headers, expect: 200 });
const isServer = (route) => (span) => span.kind === 2 && span.attributes['http.route'] === route;

function assertWithin(child, parent) {
	assert.equal(child.traceId, parent.traceId, `${child.name} is of the trace of ${parent.name}`);
	assert.equal(child.parentSpanId, parent.spanId, `${child.name} is a child of ${parent.name}`);
}

/* Its parent waited for it: one clock, but for what rounding makes of it. */
function assertDuring(child, parent) {
	const SLACK = 50_000_000n;
	assertWithin(child, parent);
	assert.ok(child.start >= parent.start - SLACK && child.end <= parent.end + SLACK, `${child.name} is while ${parent.name} is`);
}

/* The client's span is its root, and nobody is without a parent. */
function assertTree({ trace, span: root }) {
	const all = collector.of(trace);
	const ids = new Set(all.map(({ spanId }) => spanId));

	assert.equal(all.filter(({ parentSpanId }) => parentSpanId === root).length, 1);
	for (const { name, parentSpanId } of all)
		assert.ok(parentSpanId === root || ids.has(parentSpanId), `${name} has no parent`);
}

test.before(async () => {
	story = await Story.begin({ stock: 100 });
	collector = await Collector.start();
});

test.after(async () => {
	collector.stop();
	await up({});
});

test('without an endpoint nobody exports, nor asks for what began an order', async () => {
	assert.equal(await counted('sent') + await counted('dropped') + await counted('lost'), 0);
	const { id } = await place(client());
	assert.equal(await value`SELECT traceparent FROM orders.saga WHERE order_id = ${id}`, null);
	await up({ OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`, OTEL_EXPORTER_OTLP_HEADERS: 'x-team=spice%20road, x-key=1',
		OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test,service.name=other', OTEL_SERVICE_NAME: 'souk-test' });
});

test('an order is one trace: request, statements, cache, saga, Stripe and its webhook', async () => {
	const from = client();
	const order = await place(from);
	const route = '/api/orders';
	const server = await collector.find(from.trace, 'the request', isServer(route));
	const of = () => collector.of(from.trace);

	assert.equal(server.parentSpanId, from.span, 'the client is its parent');
	assert.equal(server.name, 'POST /api/orders');
	assert.equal(server.attributes['http.request.method'], 'POST');
	assert.equal(server.attributes['http.response.status_code'], 201);
	assert.deepEqual(server.status, {});
	assert.deepEqual(server.resource, { 'faas.name': 'orders-place', 'deployment.environment.name': 'test', 'service.name': 'souk-test' });
	assert.equal(collector.headers['x-team'], 'spice road');
	assert.equal(collector.headers['x-key'], '1');

	/* All of one request arrives together. */
	const placed = of().find(({ name }) => name === 'place');
	assert.equal(placed.kind, 3);
	assert.equal(placed.attributes['db.system.name'], 'postgresql');
	assertDuring(placed, server);
	const cache = of().find(({ attributes }) => attributes['db.system.name'] === 'redis');
	assertDuring(cache, server);
	const step = of().find(({ name }) => name === 'saga order create_intent');
	assert.equal(step.kind, 1);
	assert.equal(step.attributes['souk.order.id'], order.id);
	assert.equal(step.attributes['souk.saga.outcome'], 'waiting');
	assertDuring(step, server);
	assertDuring(of().find(({ name }) => name === 'checkpoint'), step);
	const asked = of().find(({ name, kind }) => name === 'POST /v1/payment_intents' && kind === 3);
	assert.equal(asked.attributes['http.response.status_code'], 200);
	assertDuring(asked, step);
	/* The simulator was told whose child its work is. */
	const answered = await collector.find(from.trace, 'the simulator', isServer('/v1/payment_intents'));
	assert.equal(answered.resource['faas.name'], 'stripe-sim');
	assertDuring(answered, asked);

	/* Stripe knows no traces: the event is known by its order. */
	await confirm(order.payment.paymentIntentId);
	const webhook = await collector.find(from.trace, 'the webhook', isServer('/api/payments/webhook'));
	assertWithin(webhook, server);
	assertDuring(of().find(({ name, parentSpanId }) => name === 'ingest' && parentSpanId === webhook.spanId), webhook);
	assert.notEqual(webhook.resource['faas.name'], server.resource['faas.name']);

	assertTree(from);

	/* And what others are told of it. */
	const sink = await eventSink();
	try {
		await until('its events are told', async () => {
			await relay(sink);
			return sink.taken.some(({ subject, type }) => subject === `orders/${order.id}` && type.endsWith('.order.paid'));
		});
		for (const event of sink.taken.filter(({ subject }) => subject === `orders/${order.id}`)) {
			const teller = event.type.endsWith('.placed') ? server : webhook;
			assert.equal(event.traceparent, `00-${from.trace}-${teller.spanId}-01`, event.type);
			/* Who takes it is the child of its sending, which is the child of what it tells of. */
			const sent = await collector.find(from.trace, 'the sending', ({ attributes }) => attributes['cloudevents.event_id'] === event.id);
			assert.equal(event.headers.traceparent, `00-${from.trace}-${sent.spanId}-01`);
			assertWithin(sent, teller);
			assert.deepEqual([sent.kind, sent.name], [3, `send ${event.type.replace('example.souk.', '')}`]);
			assert.deepEqual([sent.attributes['http.response.status_code'], sent.attributes['server.address']], [202, '127.0.0.1']);
			assert.equal(sent.links.length, 1, 'it is linked to the run');
		}
		/* Of a relay that exports none the two are the same. */
		await run`UPDATE ops.event SET state = 'waiting', ended_at = NULL, due_at = now()
		           WHERE subject = ${`orders/${order.id}`} AND type = 'order.paid'`;
		const { length } = sink.taken;
		await relay(sink, { OTEL_SDK_DISABLED: 'true' });
		const [event] = sink.taken.slice(length).filter(({ subject }) => subject === `orders/${order.id}`);
		assert.equal(event.traceparent, `00-${from.trace}-${webhook.spanId}-01`);
		assert.equal(event.headers.traceparent, event.traceparent);
	} finally {
		await sink.stop();
	}
	const line = readFileSync(join(need('SOUK_RUN'), 'log', 'functions.log'), 'utf8').split('\n')
	    .find((each) => each.includes(webhook.spanId));
	assert.equal(JSON.parse(line).trace_id, from.trace, 'the log has the trace, too');
});

test('a saga that is taken up later goes on in the trace it began in', async () => {
	const from = client();
	await fault('error_before', { path: '/v1/payment_intents' });
	const order = await place(from);
	const server = await collector.find(from.trace, 'the request', isServer('/api/orders'));
	const failed = await collector.find(from.trace, 'the first try', ({ name, attributes }) =>
		name === 'saga order create_intent' && attributes['souk.saga.outcome'] === 'retry');
	assertDuring(failed, server);
	const asked = collector.of(from.trace).find(({ name, parentSpanId }) =>
		name === 'POST /v1/payment_intents' && parentSpanId === failed.spanId);
	assert.equal(asked.status.code, 2);
	assert.match(asked.status.message, /^500/);
	assert.ok(asked.attributes['http.request.resend_count'] >= 1);

	await clearFaults();
	await story.payable(order.id);
	const step = await collector.find(from.trace, 'a later try', ({ name, attributes, resource }) =>
		name === 'saga order create_intent' && attributes['souk.saga.outcome'] === 'waiting' && resource['faas.name'].startsWith('cron-'));
	assertWithin(step, server);
	assert.ok(step.attributes['souk.saga.attempt'] > failed.attributes['souk.saga.attempt']);
	const again = await collector.find(from.trace, 'its call', ({ name, parentSpanId }) =>
		name === 'POST /v1/payment_intents' && parentSpanId === step.spanId);
	assertDuring(again, step);
	assertDuring(await collector.find(from.trace, 'the simulator', (span) => isServer('/v1/payment_intents')(span) && span.parentSpanId === again.spanId), again);

	/* A request that drives it is in a trace of its own; the two are linked. */
	const [linked, run] = await until('a run that is faster than the schedule', async () => {
		const operator = client();
		await story.alarm();
		await call('POST', '/internal/cron/saga-recover', { token: need('SERVICE_TOKEN'), headers: operator.headers, expect: 200 });
		const found = await collector.find(operator.trace, 'the run', isServer('/internal/cron/saga-recover'));
		assertTree(operator);
		const driven = collector.of(from.trace).find(({ links }) => links.some(({ spanId }) => spanId === found.spanId));
		return driven !== undefined && [driven, found];
	}, { seconds: 60 });
	assert.equal(linked.name, 'saga order await_payment');
	assert.deepEqual(linked.links, [{ flags: 1, traceId: run.traceId, spanId: run.spanId }]);
	assertWithin(linked, server);
	assertTree(from);
});

test('a mail is in the trace of the request that asked for it, whoever sends it', async () => {
	const route = '/api/auth/register';
	const register = async () => {
		const from = client();
		const email = freshEmail('traced');
		const { json } = await call('POST', route, { json: { email, password: PASSWORD }, headers: from.headers, expect: 201 });
		return { from, email, id: await value`SELECT id FROM ops.job WHERE (payload ->> 'user')::bigint = ${json.user.id}` };
	};
	const { from, id } = await register();
	const server = await collector.find(from.trace, 'the request', isServer(route));
	const job = await collector.find(from.trace, 'its mail', ({ name }) => name === 'job mail');

	assertWithin(job, server);
	assert.equal(job.kind, 5);
	assert.equal(job.resource['faas.name'], 'cron-jobs_run');
	assert.deepEqual([job.attributes['souk.job.id'], job.attributes['souk.job.attempt'], job.attributes['souk.job.outcome']], [Number(id), 1, 'done']);
	const within = collector.of(from.trace).filter(({ parentSpanId }) => parentSpanId === job.spanId).map(({ name }) => name);
	for (const name of ['compose', 'done_and_next'])
		assert.ok(within.includes(name), `${name}: ${within}`);
	assertTree(from);
	/* The run that took it has a trace of its own, and is linked. */
	assert.equal(job.links.length, 1);
	const [link] = job.links;
	const timed = await collector.find(link.traceId, 'the run', ({ spanId }) => spanId === link.spanId);
	assert.equal(timed.attributes['faas.trigger'], 'timer');
	assert.equal(timed.attributes['http.route'], '/internal/cron/jobs-run');
	assert.equal(timed.parentSpanId, undefined);

	/* By SMTP, good and bad, which the stack's own runner does not know. */
	const stack = processes('cron-jobs_run').map(({ pid }) => pid);
	await mailsAreOut();
	signal(stack, 'SIGSTOP');
	try {
		for (const [options, problem] of [[{}, undefined], [{ onRcptTo: (to, session, done) => done(no(550, 'nobody here')) }, /550 nobody here/]]) {
			const smtp = await smtpServer(options);
			const one = await register();
			const { status } = await runJobsWith({ SMTP_URL: smtp.url, SMTP_CA_FILE: smtp.ca, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
			await smtp.stop();
			assert.equal(status, 0);
			const tried = await collector.find(one.from.trace, 'its mail', ({ name }) => name === 'job mail');
			const sent = await collector.find(one.from.trace, 'the sending', ({ name }) => name === 'SMTP');
			assertDuring(sent, tried);
			assert.equal(sent.kind, 3);
			assert.equal(sent.attributes['server.address'], '127.0.0.1');
			if (problem === undefined)
				assert.deepEqual([sent.status, tried.attributes['souk.job.outcome']], [{}, 'done']);
			else
				assert.match(`${sent.status.message} ${tried.status.message} ${tried.attributes['souk.job.outcome']}`, new RegExp(`${problem.source}.*${problem.source} dead`));
			assert.ok(collector.of(one.from.trace).every(({ attributes }) => !JSON.stringify(attributes).includes(one.email)), 'nobody\'s address is in it');
		}
	} finally {
		signal(stack, 'SIGCONT');
	}
});

test('who only looks whether there is anything to do has no trace; who takes long or fails has', async () => {
	const idle = () => collector.spans.filter(({ attributes }) => attributes['faas.trigger'] === 'timer' && attributes['http.route'] === '/internal/cron/jobs-run');
	const timed = (more) => execute('cron-jobs_run', ['--for', '2'], { env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...more } });
	await mailsAreOut();
	const before = idle().length;
	assert.equal((await timed({})).code, 0);
	assert.deepEqual(idle().slice(before).filter(({ end, start }) => end - start < 100_000_000n), []);
	await timed({ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing' });
	const failed = await until('the failure', () => idle().find(({ attributes }) => attributes['http.response.status_code'] === 503));
	assert.equal(failed.status.code, 2);
});

test('a call to a store of pictures is in the trace, too', async () => {
	const store = createServer((request, response) => response.writeHead(404).end());
	await new Promise((done) => store.listen(0, '127.0.0.1', done));
	const from = client();
	const key = `${'0'.repeat(32)}-1-1200.jpg`;
	const { stdout } = await execute('catalog-media', ['--once', 'GET', `/media/${key}`], { env: {
		S3_ENDPOINT: `http://user:secret@127.0.0.1:${store.address().port}`, S3_ACCESS_KEY: 'a', S3_SECRET_KEY: 'b', MEDIA_CACHE_DIR: null,
		OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, HTTP_TRACEPARENT: from.headers.traceparent } });
	store.close();
	assert.match(stdout, /not_found/);
	const server = await collector.find(from.trace, 'the request', isServer('/media/{key}'));
	const asked = await collector.find(from.trace, 'the call', ({ name }) => name === 'GET /{bucket}/{key}');
	assertDuring(asked, server);
	assert.deepEqual([asked.kind, asked.attributes['http.response.status_code'], asked.attributes['server.address']], [3, 404, '127.0.0.1']);
});

test('who says that a trace is not recorded has none; a broken traceparent begins one', async () => {
	const silent = client('00');
	const heard = client();
	await browse(silent);
	await browse(heard);
	await collector.find(heard.trace, 'the other', isServer('/api/products/{id}'));
	assert.deepEqual(collector.of(silent.trace), []);

	const before = collector.spans.length;
	await browse({ headers: { traceparent: `00-${'0'.repeat(32)}-${hex(8)}-01` } });
	await until('one of its own', () => collector.spans.slice(before).find((span) =>
		isServer('/api/products/{id}')(span) && span.parentSpanId === undefined));
});

test('what a function does by itself is exported, too, and sampled as it is told', async () => {
	const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
	const from = client();
	const once = (more, headers = {}) => execute('catalog-get', ['--once', 'GET', `/api/products/${story.goods.id}`],
	    { env: { ...env, ...more, ...headers } });
	const told = (headers) => ({ HTTP_TRACEPARENT: headers.headers.traceparent });

	assert.equal((await once({}, told(from))).code, 0);
	assert.equal(collector.of(from.trace).filter(isServer('/api/products/{id}')).length, 1, 'it is there when the process has ended');
	const requests = collector.requests;
	assert.equal((await once({ OTEL_TRACES_SAMPLER: 'parentbased_always_off' })).code, 0);
	assert.equal((await once({ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' })).code, 0);
	const parent = client();
	assert.equal((await once({ OTEL_TRACES_SAMPLER: 'parentbased_always_off' }, told(parent))).code, 0);
	assert.equal(collector.of(parent.trace).length > 0, true);
	assert.ok(collector.spans.every(({ traceId, resource }) => resource['service.name'] !== 'souk'
	    || [from.trace, parent.trace].includes(traceId)), `${requests}`);
	const heard = client();
	assert.equal((await once({ OTEL_TRACES_SAMPLER: 'always_on' }, told(client('00')))).code, 0);
	assert.equal((await once({ OTEL_TRACES_SAMPLER: 'always_off' }, told(heard))).code, 0);
	assert.equal((await once({ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }, told(heard))).code, 0);
	assert.deepEqual(collector.of(heard.trace), [], 'whatever its parent says');
	const many = collector.requests;
	assert.equal((await once({ OTEL_SDK_DISABLED: 'TRUE' })).code, 0);
	assert.equal((await once({ OTEL_TRACES_EXPORTER: 'none' })).code, 0);
	assert.equal(collector.requests, many);
	assert.equal((await once({ OTEL_EXPORTER_OTLP_HEADERS: 'x-key=all', OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x-key=traces' }, told(client()))).code, 0);
	assert.equal(collector.headers['x-key'], 'traces');
	for (const [name, wrong, pattern] of [
		['OTEL_EXPORTER_OTLP_ENDPOINT', 'grpc://collector', /must begin with http:\/\/ or https:\/\//],
		['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://[::1', /must be http:\/\/host:port/],
		['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://', /must be http:\/\/host:port/],
		['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://a:b', /must be http:\/\/host:port/],
		['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'ftp://a', /OTEL_EXPORTER_OTLP_TRACES_ENDPOINT must begin/],
		['OTEL_EXPORTER_OTLP_HEADERS', 'key', /OTEL_EXPORTER_OTLP_HEADERS must be key=value/],
		['OTEL_EXPORTER_OTLP_HEADERS', 'key=a%0d%0ab', /OTEL_EXPORTER_OTLP_HEADERS must be key=value/],
		['OTEL_TRACES_SAMPLER', 'sometimes', /OTEL_TRACES_SAMPLER must be/],
		['OTEL_EXPORTER_OTLP_TIMEOUT', '0', /must be a whole number/],
		['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc', /OTEL_EXPORTER_OTLP_PROTOCOL must be http\/json/],
		['OTEL_EXPORTER_OTLP_TRACES_COMPRESSION', 'gzip', /must be none/],
		['OTEL_EXPORTER_OTLP_CLIENT_KEY', '/key.pem', /OTEL_EXPORTER_OTLP_CLIENT_KEY must not be set/],
		['OTEL_EXPORTER_OTLP_CERTIFICATE', '/nowhere.pem', /OTEL_EXPORTER_OTLP_CERTIFICATE names a file that cannot be read/],
		['OTEL_TRACES_EXPORTER', 'zipkin', /must be otlp or none/],
		['OTEL_SDK_DISABLED', 'yes', /must be true or false/],
	]) {
		const { code, log } = await once({ [name]: wrong });
		assert.equal(code, 78, `${name}=${wrong}`);
		assert.match(log, pattern);
	}
});

test('a collector that does not answer holds nobody up', async () => {
	let held = false;
	collector.answer = () => {
		held = true;
		return null;
	};
	await browse(client());
	await until('somebody waits for the collector', async () => {
		await browse(client());
		return held;
	});
	for (let i = 0; i < 20; i++)
		await browse(client());
	const order = await place(client());
	await confirm(order.payment.paymentIntentId);
	await story.until(order.id, 'paid');
	collector.answer = () => ({ status: 200 });
	collector.server.closeAllConnections();
	const from = client();
	await browse(from);
	await collector.find(from.trace, 'it goes on', isServer('/api/products/{id}'));
});

test('what cannot be taken now is sent again; what is refused is counted', async () => {
	const busy = client();
	let refusals = 0;
	collector.answer = () => ({ status: refusals++ < 3 ? 503 : 200, headers: { 'Retry-After': '1' } });
	await browse(busy);
	await collector.find(busy.trace, 'it comes after all', isServer('/api/products/{id}'));
	assert.ok(refusals > 3);

	const before = await counted('dropped');
	collector.answer = () => ({ status: 400 });
	const lost = client();
	await browse(lost);
	await until('they are counted', async () => await counted('dropped') > before);
	collector.answer = () => ({ status: 200 });
	assert.deepEqual(collector.of(lost.trace), []);

	const some = await counted('dropped');
	collector.answer = () => ({ status: 200, body: '{"partialSuccess":{"rejectedSpans":"1","errorMessage":"one too many"}}' });
	await browse(client());
	await until('those not taken are counted', async () => await counted('dropped') > some);
	collector.answer = () => ({ status: 200 });
	assert.ok(await counted('sent') > 0);
});

test('a collector far away is spoken to by TLS, and believed by its certificate', async () => {
	const scratch = mkdtempSync(join(tmpdir(), 'souk-otlp-'));
	const ours = join(scratch, 'ours');
	const file = (name) => readFileSync(join(ours, name));
	const certify = await authority(ours);
	await certify('here', '127.0.0.1');
	await certify('elsewhere', 'collector.example');
	await authority(join(scratch, 'strange'));
	const far = await Collector.start({ key: file('here.key'), cert: file('here.pem') });
	const other = await Collector.start({ key: file('elsewhere.key'), cert: file('elsewhere.pem') });
	const env = { OTEL_EXPORTER_OTLP_ENDPOINT: far.url, OTEL_EXPORTER_OTLP_CERTIFICATE: join(ours, 'ca.pem'),
		OTEL_EXPORTER_OTLP_HEADERS: '', OTEL_EXPORTER_OTLP_HEADERS_FILE: join(scratch, 'headers') };
	const once = async (more) => {
		const from = client();
		const { code, log } = await execute('catalog-get', ['--once', 'GET', `/api/products/${story.goods.id}`],
		    { env: { ...env, ...more, HTTP_TRACEPARENT: from.headers.traceparent } });
		assert.equal(code, 0);
		return [from.trace, log];
	};
	writeFileSync(join(scratch, 'headers'), 'api-key=sesame');
	try {
		const [trace] = await once({});
		assert.equal(far.of(trace).filter(isServer('/api/products/{id}')).length, 1);
		assert.equal(far.headers['api-key'], 'sesame');
		assert.equal(far.of((await once({ OTEL_EXPORTER_OTLP_CERTIFICATE: '', SSL_CERT_FILE: join(ours, 'ca.pem') }))[0]).length > 0, true,
		    'as the system says, where nothing else is said');
		const { requests } = far;
		for (const [more, problem] of [
			[{ OTEL_EXPORTER_OTLP_CERTIFICATE: join(scratch, 'strange', 'ca.pem') }, /unable to get local issuer|self-signed/],
			[{ OTEL_EXPORTER_OTLP_CERTIFICATE: '' }, /unable to get local issuer|self-signed/],
			[{ OTEL_EXPORTER_OTLP_ENDPOINT: other.url }, /IP address mismatch/],
			[{ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url.replace('http', 'https') }, /wrong version number|packet length/],
			[{ OTEL_EXPORTER_OTLP_ENDPOINT: far.url.replace('https', 'http') }, /"problem":"(it does not answer|400)"|"status":"400"/],
		]) {
			const [, log] = await once(more);
			assert.match(log, problem, JSON.stringify(more));
			assert.ok(!log.includes('sesame'));
		}
		assert.equal(far.requests, requests, 'nobody was told anything');
		assert.equal(other.requests, 0);

		await up(env);
		const [before, sockets] = [far.requests, far.sockets.size];
		for (let i = 0; i < 3; i++) {
			const from = client();
			await browse(from);
			await far.find(from.trace, 'it comes by TLS', isServer('/api/products/{id}'));
		}
		const exporters = new Set(far.spans.slice(2).map(({ resource }) => resource['faas.name'])).size;
		assert.ok(far.requests - before >= 3);
		assert.ok(far.sockets.size - sockets <= exporters, 'a connection is kept');
	} finally {
		far.stop();
		other.stop();
		rmSync(scratch, { recursive: true });
	}
});

test('one exporter for each function, which ends with it', async () => {
	await up({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
	await browse(client());
	assert.ok(processes('catalog-get').length >= 4, 'master, two workers and the exporter');
	const last = client();
	await browse(last);
	await up({});
	await collector.find(last.trace, 'what was left was sent at the end', isServer('/api/products/{id}'));
	assert.deepEqual(collector.wrong, []);
	const quiet = client();
	await browse(quiet);
	const { id } = await place(quiet);
	assert.equal(await value`SELECT traceparent FROM orders.saga WHERE order_id = ${id}`, null);
	assert.deepEqual(collector.of(quiet.trace), []);
});
