/*
 * The database as its superuser sees it: one psql, kept, so that a query costs
 * about a millisecond.  It is started anew after Postgres was.
 *
 * What a statement leaves to be done is published as the runtime would do it, so
 * that nobody waits for a poll.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { need } from './env.mjs';
import { redis } from './stack.mjs';

let psql = null;
let tail = Promise.resolve();

function start() {
	/* Errors go the way of the rows, so that they arrive in order. */
	const child = spawn('sh', ['-c', 'exec psql -XqAt "$0" 2>&1', need('ADMIN_DATABASE_URL')],
	    { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, PGOPTIONS: '-c client_min_messages=notice' } });
	const self = { child, text: '', waiting: null };

	child.stdout.setEncoding('utf8');
	child.stdout.on('data', (chunk) => {
		self.text += chunk;
		self.waiting?.look();
	});
	child.stdin.on('error', () => { /* told by 'close' */ });
	child.on('close', () => {
		if (psql === self)
			psql = null;
		self.waiting?.fail(new Error(`psql: connection lost: ${self.text.trim()}`));
	});
	quiet(self, true);
	return self;
}

/* ops.wake() in SQL; any other notice is nobody's business. */
const NOTICE = /^(?:NOTICE|WARNING): {2}(.*)\n/gm;

function wake(line, topic) {
	if (['jobs', 'events', 'sagas'].includes(topic))
		redis(`PUBLISH souk:wake ${topic}`).catch(() => { /* then they will see by themselves */ });
	return '';
}

/* An idle psql must not keep the test process alive. */
function quiet(self, idle) {
	for (const handle of [self.child, self.child.stdin, self.child.stdout])
		idle ? handle.unref() : handle.ref();
}

function ask(text) {
	const self = psql ??= start();
	const mark = `end-${randomUUID()}`;

	return new Promise((resolve, reject) => {
		const done = (settle, value) => {
			self.waiting = null;
			quiet(self, true);
			settle(value);
		};
		self.waiting = {
			look() {
				const at = self.text.indexOf(mark);
				const end = self.text.indexOf('\n', at);
				if (at < 0 || end < 0)
					return;
				const rows = self.text.slice(0, at).replaceAll(NOTICE, wake).trimEnd();
				const failed = self.text.slice(at + mark.length, end).trim() === 'true';
				self.text = self.text.slice(end + 1);
				if (failed)
					done(reject, new Error(`psql: ${rows}\n${text}`));
				else
					done(resolve, rows);
			},
			fail: (error) => done(reject, error),
		};
		quiet(self, false);
		self.child.stdin.write(`${text}\n;\n\\echo ${mark} :ERROR\n`);
	});
}

/* One statement after another: psql has one conversation. */
function queued(text) {
	const answer = tail.then(() => ask(text));
	tail = answer.catch(() => {});
	return answer;
}

/* `${value}` in a statement becomes a quoted literal, null becomes NULL. */
function statement(strings, values) {
	return String.raw({ raw: strings }, ...values.map((value) => value === null ? 'NULL'
	    : value?.sql ?? `'${String(value).replaceAll("'", "''")}'`)).trim().replace(/;$/, '');
}

/* SQL text to be put in as it is: sql`SELECT ${raw('count(*)')}`. */
export const raw = (sql) => ({ sql });

/* A statement without a result of interest. */
export const run = (strings, ...values) => queued(statement(strings, values));

/* The rows of a SELECT, as objects; bigints arrive as numbers. */
export async function rows(strings, ...values) {
	const text = await queued('SELECT coalesce(json_agg(row_to_json(answer)), \'[]\') FROM ('
	    + statement(strings, values) + ') answer');
	return JSON.parse(text);
}

export async function one(strings, ...values) {
	return (await rows(strings, ...values))[0];
}

/* The first column of the first row. */
export async function value(strings, ...values) {
	const row = await one(strings, ...values);
	return row === undefined ? undefined : Object.values(row)[0];
}
