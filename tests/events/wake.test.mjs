/*
 * Who waits for work is woken when there is some, and otherwise leaves Postgres
 * alone.  What is not heard costs the time of a poll, and nothing else.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { call, refuse } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { mailsTo, SUBJECTS } from '../lib/mail.mjs';
import { customer, lines, place, product, seller } from '../lib/shop.mjs';
import { run, value } from '../lib/sql.mjs';
import { redis, startRedis, stopRedis } from '../lib/stack.mjs';
import { cron } from '../lib/story.mjs';
import { until } from '../lib/wait.mjs';

const POLL_S = 30;
const FUNCTIONS = ['jobs-run', 'events-relay', 'saga-recover', 'reservations-expire'];

/* How often each has run, by its schedule or called. */
async function runs() {
	const text = (await call('GET', '/metrics', { expect: 200 })).text;
	const of = (name) => [...text.matchAll(new RegExp(`^http_requests_total\\{[^}]*route="/internal/cron/${name}"[^}]*\\} (\\d+)$`, 'gm'))]
	    .reduce((sum, [, n]) => sum + Number(n), 0);
	return Object.fromEntries(FUNCTIONS.map((name) => [name, of(name)]));
}

/* What is published, from now on. */
async function listen() {
	const socket = net.connect(need('REDIS_SOCKET'));
	const ear = { heard: [], stop: () => socket.destroy() };
	await new Promise((done, failed) => {
		socket.on('error', failed);
		socket.on('data', (bytes) => {
			const text = bytes.toString();
			done();
			ear.heard.push(...[...text.matchAll(/message\r\n\$9\r\nsouk:wake\r\n\$\d+\r\n(\w+)/g)].map(([, topic]) => topic));
		});
		socket.write('SUBSCRIBE souk:wake\r\n');
	});
	return ear;
}

const listeners = async () => Number(/:(\d+)\r\n$/.exec(await redis('PUBSUB NUMSUB souk:wake'))[1]);
const asksForMail = (person) => call('POST', '/api/auth/forgot-password', { json: { email: person.email }, expect: 202 });
/* Without anybody calling jobs-run. */
const arrives = (person, count) => until(`${person.email} has ${count} mails`,
    async () => (await mailsTo(person.email, SUBJECTS.reset)).length >= count, { seconds: POLL_S + 15 });

/* No job is left by other tests, and what they left of sagas is for later. */
async function becomeIdle() {
	await run`DELETE FROM ops.job WHERE run_at IS NOT NULL`;
	await run`UPDATE orders.saga SET wake_at = now() + interval '1 hour' WHERE wake_at IS NOT NULL`;
}

after(async () => {
	await startRedis();
	await run`UPDATE orders.saga SET wake_at = now() WHERE wake_at IS NOT NULL`;
});

test('whoever is to be woken listens', async () => {
	await until('all listen', async () => await listeners() === FUNCTIONS.length);
});

test('what a request has left to do is published once it is committed', async () => {
	const [buyer, owner] = [await customer(), await seller()];
	const ear = await listen();
	const hears = async (topics, work) => {
		ear.heard.length = 0;
		await work();
		await until(`${topics} are heard`, () => topics.every((topic) => ear.heard.includes(topic)));
	};
	let goods;
	await hears(['jobs'], () => asksForMail(buyer));
	await hears(['events'], async () => { goods = await product(owner); });
	await hears(['events', 'sagas'], () => place(buyer, lines([goods.id, 1])));

	/* Nothing to do, nothing said: the next that is heard is of what comes after. */
	ear.heard.length = 0;
	await buyer.get('/api/orders');
	await refuse(401, 'invalid_credentials', 'POST', '/api/auth/login', { json: { email: buyer.email, password: 'wrong password' } });
	await hears(['jobs'], async () => {
		assert.deepEqual(ear.heard, []);
		await asksForMail(buyer);
	});
	ear.stop();
});

test('a transaction that leaves much to do says so once', async () => {
	const add = `SELECT count(ops.job_add('nobody''s', '{}')) FROM generate_series(1, 100)`;
	const said = await new Promise((done, failed) => {
		execFile('psql', ['-XqAt', need('ADMIN_DATABASE_URL'), '-c', `BEGIN; ${add}; ${add}; COMMIT`, '-c', add, '-c',
		    `BEGIN; ${add}; ROLLBACK`, '-c', `DELETE FROM ops.job WHERE kind = 'nobody''s'`],
		    (error, out, told) => error ? failed(error) : done(told));
	});
	assert.deepEqual(said.match(/NOTICE: .*/g), ['NOTICE:  jobs', 'NOTICE:  jobs', 'NOTICE:  jobs']);
});

test('six jobs are picked up in less time than one poll', async () => {
	const person = await customer();
	await becomeIdle();
	const begun = Date.now();
	for (let n = 1; n <= 6; n++) {
		await run`DELETE FROM users.email_token WHERE user_id = ${person.id}`;
		await asksForMail(person);
		await arrives(person, n);
	}
	assert.ok(Date.now() - begun < POLL_S * 1000, `${Date.now() - begun} ms`);
});

test('an idle shop asks for nothing, nor for what a newer one has left', async () => {
	const placed = await place(await customer(), lines([(await product(await seller())).id, 1]));
	const step = await value`SELECT step FROM orders.saga WHERE order_id = ${placed.id}`;
	const log = join(need('SOUK_RUN'), 'log', 'functions.log');
	const said = () => readFileSync(log, 'utf8').split('\n').filter((line) => / that this program does not have/.test(line)).length;
	const told = said();
	const unknown = async () => (await call('GET', '/metrics', { expect: 200 })).text.match(/^(jobs|sagas)_unknown \d+$/gm).sort();

	await becomeIdle();
	await run`INSERT INTO ops.job (kind, run_at) SELECT 'of a later release', now() FROM generate_series(1, 3)`;
	await run`UPDATE orders.saga SET step = 'wrap_gift', wake_at = now() WHERE order_id = ${placed.id}`;
	/* Each sees once that there is nothing, and lies down. */
	await pause(4000);
	const before = await runs();
	await pause(12000);
	const later = await runs();
	for (const name of FUNCTIONS)
		assert.ok(later[name] - before[name] <= 2, `${name} has run ${later[name] - before[name]} times in 12 s`);
	assert.deepEqual(await unknown(), ['jobs_unknown 3', 'sagas_unknown 1']);
	assert.equal(said(), told + 2, 'each is said once');
	assert.equal(await value`SELECT count(*) FROM ops.job WHERE kind = 'of a later release' AND state = 'waiting'`, 3);

	/* The newer one is back. */
	await run`DELETE FROM ops.job WHERE kind = 'of a later release'`;
	await run`UPDATE orders.saga SET step = ${step}, wake_at = now() + interval '1 hour' WHERE order_id = ${placed.id}`;
	for (const name of ['jobs-run', 'saga-recover'])
		await cron(name);
	assert.deepEqual(await unknown(), ['jobs_unknown 0', 'sagas_unknown 0']);
});

test('a job that is put off is run when its time comes', async () => {
	const person = await customer();
	await becomeIdle();
	const begun = Date.now();
	for (let n = 1; n <= 3; n++) {
		await run`DELETE FROM users.email_token WHERE user_id = ${person.id}`;
		await run`SELECT ops.job_add('mail', jsonb_build_object('template', 'reset_password', 'email', ${person.email}::text), NULL, 1)`;
		await arrives(person, n);
	}
	assert.ok(Date.now() - begun < POLL_S * 1000, `${Date.now() - begun} ms`);
});

test('what nobody has said is found by the next poll', async () => {
	const person = await customer();
	await becomeIdle();
	await run`BEGIN; SET LOCAL client_min_messages = warning;
		SELECT ops.job_add('mail', jsonb_build_object('template', 'reset_password', 'email', ${person.email}::text));
		COMMIT`;
	await arrives(person, 1);
});

test('without Redis there is a poll each second, and with it again none', async () => {
	const person = await customer();
	await stopRedis();
	const begun = Date.now();
	for (let n = 1; n <= 3; n++) {
		await run`DELETE FROM users.email_token WHERE user_id = ${person.id}`;
		await run`SELECT ops.job_add('mail', jsonb_build_object('template', 'reset_password', 'email', ${person.email}::text))`;
		await arrives(person, n);
	}
	assert.ok(Date.now() - begun < POLL_S * 1000, `${Date.now() - begun} ms`);
	await startRedis();
	await until('all listen again', async () => await listeners() === FUNCTIONS.length, { seconds: POLL_S + 15 });
});
