/*
 * The simulator outlives its own processes and its database's: what Stripe has
 * once answered it knows, and what it has to tell it tells.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { stripe } from '../lib/simulator.mjs';
import { gone, kill, processes, startPostgres, stopPostgres } from '../lib/stack.mjs';
import { until } from '../lib/wait.mjs';

async function listener(t) {
	const heard = [];
	let status = 500;
	const server = http.createServer((request, response) => {
		const chunks = [];
		request.on('data', (chunk) => chunks.push(chunk));
		request.on('end', () => {
			heard.push({ status, event: JSON.parse(Buffer.concat(chunks)) });
			response.writeHead(status).end();
		});
	});

	await new Promise((done) => server.listen(0, '127.0.0.1', done));
	t.after(() => {
		server.closeAllConnections();
		server.close();
	});
	const { json } = await stripe('POST', '/v1/webhook_endpoints', { 'enabled_events[]': 'charge.dispute.created',
		url: `http://127.0.0.1:${server.address().port}/` });
	t.after(() => stripe('DELETE', `/v1/webhook_endpoints/${json.id}`));
	return { heard, listen: () => { status = 200; } };
}

test('killed, with its database: nothing is forgotten, nothing is done twice', async (t) => {
	const { heard, listen } = await listener(t);
	const form = { amount: 2000, currency: 'usd', confirm: true, payment_method: 'pm_card_createDispute', 'metadata[a]': 'b' };
	const key = `restart-${process.pid}-${Date.now()}`;
	const { json: made } = await stripe('POST', '/v1/payment_intents', form, { key });
	await until('it was told, in vain', () => heard.some(({ event }) => event.data.object.payment_intent === made.id));

	const before = processes('stripe-sim').map(({ pid }) => pid);
	assert.ok(before.length > 0);
	kill(before);
	await Promise.all(before.map(gone));
	await stopPostgres();
	await startPostgres();
	listen();

	const answer = await until('it answers again', () => stripe('GET', `/v1/payment_intents/${made.id}`));
	assert.deepEqual(answer.json, made);
	/* By another process, perhaps, which has to find its database again too. */
	const { json: again } = await until('it is asked again', () => stripe('POST', '/v1/payment_intents', form, { key }));
	assert.deepEqual(again, made);
	assert.equal((await stripe('GET', `/v1/charges?payment_intent=${made.id}`)).json.data.length, 1);
	assert.equal((await stripe('GET', `/v1/disputes?payment_intent=${made.id}`)).json.data[0].status, 'needs_response');
	await until('it is told again', () => heard.some(({ status, event }) => status === 200
	    && event.data.object.payment_intent === made.id));
});
