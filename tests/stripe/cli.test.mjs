/*
 * The official CLI against the simulator, as `stripe --api-base` does it.  Its
 * fixtures are Stripe's own idea of how each event comes about.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { base, createIntent, key, receiver, uniqueKey } from './stripe.mjs';
import { stripe, told } from './sdk.mjs';

const home = mkdtempSync(join(tmpdir(), 'souk-stripe-cli-'));
after(() => rmSync(home, { recursive: true, force: true }));

/* The program comes in a package for its kind of machine, and needs no script of
 * npm's; it is there for x64, where the tests run. */
function program() {
	const name = `@stripe/cli-${process.platform}-${process.arch}`;
	try {
		return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'bin', 'stripe');
	} catch {
		throw new Error(`${name} is not among what tests/package-lock.json brings: these tests cannot run on this machine`);
	}
}

async function cli(...args) {
	const { stdout } = await promisify(execFile)(program(), [...args, '--api-base', base], { timeout: 60000, env: {
		PATH: process.env.PATH, HOME: home, STRIPE_API_KEY: key, STRIPE_CLI_TELEMETRY_OPTOUT: '1',
	} });
	return stdout;
}
const ask = async (...args) => JSON.parse(await cli(...args));
const refused = (promise) => promise.then((out) => out, ({ stdout, stderr }) => stdout + stderr);

for (const [type, ...before] of [
	['payment_intent.created'],
	['payment_intent.succeeded', 'payment_intent.created', 'charge.succeeded'],
	['payment_intent.payment_failed', 'payment_intent.created', 'charge.failed'],
	['payment_intent.requires_action', 'payment_intent.created'],
	['payment_intent.processing', 'payment_intent.created'],
	['payment_intent.canceled', 'payment_intent.created'],
	['payment_intent.amount_capturable_updated', 'payment_intent.created', 'charge.succeeded'],
	['charge.succeeded', 'payment_intent.created'],
	['charge.failed', 'payment_intent.created'],
	['charge.captured', 'payment_intent.created', 'charge.succeeded', 'payment_intent.amount_capturable_updated'],
	['charge.refunded', 'payment_intent.created', 'charge.succeeded', 'payment_intent.succeeded', 'refund.created'],
	['charge.dispute.created', 'payment_intent.created', 'charge.succeeded', 'payment_intent.succeeded'],
	['charge.dispute.updated', 'payment_intent.created', 'charge.succeeded', 'payment_intent.succeeded', 'charge.dispute.created'],
	['charge.dispute.closed', 'payment_intent.created', 'charge.succeeded', 'payment_intent.succeeded', 'charge.dispute.created'],
])
	test(`stripe trigger ${type}`, async () => {
		/* Metadata tells it from what other tests do meanwhile. */
		const mark = uniqueKey();
		assert.match(await cli('trigger', type, '--add', `payment_intent:metadata.mark=${mark}`), /Trigger succeeded!/);
		const { data } = await stripe.paymentIntents.list({ limit: 100 });
		const made = data.find(({ metadata }) => metadata.mark === mark);
		assert.ok(made, 'its intent is there');
		const types = (await told(made.id)).map((event) => event.type);
		assert.deepEqual(types.slice(0, before.length), before);
		assert.ok(types.includes(type), types.join(' '));
	});

test('charge.refund.updated: the refund\'s metadata is written', async () => {
	assert.match(await cli('trigger', 'charge.refund.updated'), /Trigger succeeded!/);
	const { data } = await stripe.refunds.list({ limit: 100 });
	assert.ok(data.some(({ metadata }) => metadata.order_id === '6735'));
});

test('resource commands: an intent from its birth to its refund', async () => {
	const made = await ask('payment_intents', 'create', '--amount', '2000', '--currency', 'usd',
	    '-d', 'metadata[order_id]=7', '-d', 'shipping[name]=A B', '-d', 'shipping[address][line1]=x');
	assert.deepEqual([made.status, made.metadata, made.shipping.name], ['requires_payment_method', { order_id: '7' }, 'A B']);
	const paid = await ask('payment_intents', 'confirm', made.id, '--payment-method', 'pm_card_visa', '-e', 'latest_charge');
	assert.deepEqual([paid.status, paid.latest_charge.amount], ['succeeded', 2000]);
	const refund = await ask('refunds', 'create', '--payment-intent', made.id, '--amount', '500');
	assert.equal(refund.status, 'succeeded');
	assert.deepEqual((await ask('get', '/v1/refunds', '-d', `payment_intent=${made.id}`)).data.map(({ id }) => id), [refund.id]);
	assert.equal((await ask('get', made.id)).id, made.id);
	assert.match(await refused(cli('payment_intents', 'cancel', made.id)), /status of succeeded/);
	assert.match(await refused(cli('get', '/v1/payment_intents/pi_x')), /No such payment_intent: 'pi_x'/);
});

test('an idempotency key of the CLI', async () => {
	const mine = uniqueKey();
	const send = (amount) => cli('post', '/v1/payment_intents', '-d', `amount=${amount}`, '-d', 'currency=eur', '-i', mine);

	assert.equal(JSON.parse(await send(700)).id, JSON.parse(await send(700)).id);
	assert.match(await refused(send(701)), /Keys for idempotent requests can only be used/);
});

test('disputes are listed and answered', async () => {
	const { id } = await createIntent({ confirm: true, payment_method: 'pm_card_createDispute' });
	const [dispute] = (await ask('disputes', 'list', '-d', `payment_intent=${id}`)).data;

	assert.equal((await ask('disputes', 'update', dispute.id, '-d', 'evidence[uncategorized_text]=winning_evidence')).status, 'won');
	assert.equal((await ask('disputes', 'retrieve', dispute.id)).status, 'won');
});

test('an event is sent again', async (t) => {
	const { endpoint, next } = await receiver(t, ['payment_intent.canceled']);
	const { id } = await createIntent();

	await stripe.paymentIntents.cancel(id);
	const [{ event }] = await next(1, (delivery) => delivery.event.data.object.id === id);
	assert.equal((await ask('events', 'resend', event.id, '--webhook-endpoint', endpoint.id)).id, event.id);
	await next(2, (delivery) => delivery.event.id === event.id);
});
