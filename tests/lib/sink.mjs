/*
 * Where events go, in tests: a server that keeps what it is sent, and the relay
 * as a process of its own that is told about it.  The stack's own relay has no
 * sink.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { execute } from './execute.mjs';
import { run } from './sql.mjs';

/*
 * `taken` has every event that was answered 2xx, as a consumer reads it.  answer:
 * a status for an event, or null for none at all.
 */
export async function eventSink(answer = () => 202) {
	const taken = [];
	const sink = { taken, tries: [], answer };
	const server = http.createServer(async (request, response) => {
		const chunks = [];
		for await (const chunk of request)
			chunks.push(chunk);
		const event = { method: request.method, path: request.url, headers: request.headers,
			raw: request.rawHeaders, ...attributes(request.headers), data: JSON.parse(Buffer.concat(chunks)) };
		sink.tries.push(event);
		const status = await sink.answer(event);
		if (status === null)
			return request.socket.destroy();
		if (status >= 200 && status < 300)
			taken.push(event);
		response.writeHead(status).end();
	});
	await new Promise((done) => server.listen(0, '127.0.0.1', done));
	sink.url = `http://127.0.0.1:${server.address().port}/events?to=broker`;
	sink.stop = () => new Promise((done) => {
		server.close(done);
		server.closeAllConnections?.();
	});
	return sink;
}

/* HTTP binding 3.1.3: header values decoded once. */
function attributes(headers) {
	return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('ce-'))
	    .map(([name, value]) => [name.slice(3), decodeURIComponent(value)]));
}

/* One run of the relay, however it ends. */
export const relayProcess = (sink, env = {}) => execute('cron-events_relay',
    ['--once', 'POST', '/internal/cron/events-relay'], { env: { K_SINK: sink?.url ?? null, ...env } });

/* One that ends well; its answer. */
export async function relay(sink, env) {
	const { code, stdout } = await relayProcess(sink, env);
	assert.equal(code, 0, stdout);
	return JSON.parse(stdout);
}

/* Events as a trigger adds them, each in a transaction of its own. */
export async function addEvents(subject, ...names) {
	for (const n of names)
		await run`SELECT ops.event_add('test.happened', ${subject}, json_build_object('n', ${n}::text))`;
}

/* What the sink was told of a subject, in order. */
export const told = (sink, subject) => sink.taken.filter((event) => event.subject === subject).map(({ data }) => data.n);

/* A test with a clean outbox and a sink. */
export function trial(name, body) {
	test(name, async () => {
		await forgetEvents();
		const sink = await eventSink();
		try {
			await body(sink);
		} finally {
			await sink.stop();
			await forgetEvents();
		}
	});
}

const forgetEvents = () => run`DELETE FROM ops.event`;
/* Every event that is put off is due. */
export const hurry = () => run`UPDATE ops.event SET due_at = now() WHERE due_at IS NOT NULL`;
