/*
 * Mails through SMTP, to servers that take them, refuse them, hang and die.
 * The stack's own runner of jobs is stopped meanwhile.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { call } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { assertSound, mailsAreOut, SUBJECTS } from '../lib/mail.mjs';
import { freshEmail, PASSWORD } from '../lib/shop.mjs';
import { certificate, listener, no, runJobsWith, smtpServer } from '../lib/smtp.mjs';
import { one, run, value } from '../lib/sql.mjs';
import { processes, signal } from '../lib/stack.mjs';
import { until } from '../lib/wait.mjs';

const USER = 'shop:p%40ss%20word';
const tls = certificate();
const stack = () => processes('cron-jobs_run').map(({ pid }) => pid);

before(async () => {
	await mailsAreOut();
	signal(stack(), 'SIGSTOP');
});
after(() => signal(stack(), 'SIGCONT'));

/* Somebody registers: the mail waits. */
async function newcomer() {
	const email = freshEmail('smtp');
	const { json } = await call('POST', '/api/auth/register', { json: { email, password: PASSWORD }, expect: 201 });
	const job = await value`SELECT id FROM ops.job WHERE kind = 'mail' AND (payload ->> 'user')::bigint = ${json.user.id}`;
	return { email, job, id: json.user.id };
}

const jobOf = ({ job }) => one`SELECT state, attempt, last_error, payload,
    round(extract(epoch FROM run_at - now())) AS seconds FROM ops.job WHERE id = ${job}`;
const again = ({ job }) => run`UPDATE ops.job SET run_at = now() WHERE id = ${job} AND state = 'waiting'`;
const verify = (token) => call('POST', '/api/auth/verify-email', { json: { token }, expect: 200 });

/* A server, for the time of a test. */
async function withServer(options, body) {
	const server = await smtpServer(options);
	try {
		await body(server);
	} finally {
		await server.stop();
	}
}

async function delivered(server, { json, person }) {
	assert.equal(json.done, 1, JSON.stringify(json));
	assert.equal((await jobOf(person)).state, 'done');
	const [mail] = server.mails.filter(({ to }) => to === person.email);
	assert.equal(mail.envelope.mailFrom.address, 'no-reply@souk.example');
	assert.deepEqual(mail.envelope.rcptTo.map(({ address }) => address), [person.email]);
	assertSound(mail, person.email);
	return mail;
}

async function send(server, settings = {}) {
	const person = await newcomer();
	const result = await runJobsWith({ SMTP_URL: server.url, ...settings });
	return { ...result, person };
}

test('a server takes the mail, and its token is good', () => withServer({}, async (server) => {
	const mail = await delivered(server, await send(server));

	assert.equal(mail.subject, SUBJECTS.verify);
	assert.equal(mail.secure, false);
	assert.equal(server.passwords.length, 0);
	assert.doesNotMatch(mail.raw.replaceAll('\r\n', ''), /[\r\n]/, 'every line ends in CRLF');
	await verify(mail.token);
}));

test('with a password: only behind STARTTLS', () => withServer({
	disabledCommands: [], key: tls.key, cert: tls.cert, authOptional: false,
}, async (server) => {
	const mail = await delivered(server, await send(server, { SMTP_URL: server.urlAs(USER), SMTP_CA_FILE: tls.file }));
	assert.equal(mail.secure, true);
	assert.equal(mail.user, 'shop');
	assert.deepEqual(server.passwords, ['shop:p@ss word']);
}));

test('smtps:// is TLS from the start', () => withServer({
	secure: true, key: tls.key, cert: tls.cert, authOptional: false,
}, async (server) => {
	const mail = await delivered(server, await send(server, { SMTP_URL: server.urlAs(USER), SMTP_CA_FILE: tls.file }));
	assert.equal(mail.secure, true);
}));

test('TLS is taken where it is offered, without a password too', () => withServer({
	disabledCommands: [], key: tls.key, cert: tls.cert,
}, async (server) => {
	const mail = await delivered(server, await send(server, { SMTP_CA_FILE: tls.file }));
	assert.equal(mail.secure, true);
}));

/* Nothing was sent, and it will be tried again. */
async function putOff(server, settings, error) {
	const { json, person } = await send(server, settings);
	assert.deepEqual([json.done, json.retried, json.dead], [0, 1, 0]);
	const job = await jobOf(person);
	assert.equal(job.state, 'waiting');
	assert.match(job.last_error, error);
	assert.ok(job.seconds <= 5, `tried again in ${job.seconds} s`);
	await run`DELETE FROM ops.job WHERE id = ${person.job}`;
	return person;
}

test('no password goes to a server without TLS', () => withServer({
	authMethods: ['PLAIN', 'LOGIN'], allowInsecureAuth: true,
}, async (server) => {
	await putOff(server, { SMTP_URL: server.urlAs(USER) }, /STARTTLS|SSL/i);
	assert.deepEqual(server.passwords, []);
	assert.deepEqual(server.mails, []);
}));

test('no mail goes to a server whose certificate nobody vouches for', async () => {
	for (const secure of [false, true])
		await withServer({ secure, disabledCommands: [], key: tls.key, cert: tls.cert }, async (server) => {
			await putOff(server, { SMTP_URL: server.urlAs(USER) }, /certificate/i);
			assert.deepEqual(server.passwords, []);
			assert.deepEqual(server.mails, []);
		});
});

test('a password that is wrong is mended by people: mails wait', () => withServer({
	disabledCommands: [], key: tls.key, cert: tls.cert,
}, async (server) => {
	await putOff(server, { SMTP_URL: server.urlAs('shop:wrong'), SMTP_CA_FILE: tls.file }, /535|denied/i);
	assert.deepEqual(server.mails, []);
}));

test('a server that wants a password and gets none: mails wait', () => withServer({
	authOptional: false, allowInsecureAuth: true,
}, (server) => putOff(server, {}, /530/)));

/* Hooks that refuse at each stage. */
const REFUSALS = {
	'the sender': (code) => ({ onMailFrom: (address, session, done) => done(no(code, 'not you, sender')) }),
	'the reader': (code) => ({ onRcptTo: (address, session, done) => done(no(code, 'not them, reader')) }),
	'the message': (code) => ({ afterData: (mail, done) => done(no(code, 'not that, message')) }),
};

for (const [what, hooks] of Object.entries(REFUSALS)) {
	test(`a temporary refusal of ${what}: again later, and then it arrives`, async () => {
		let person;
		await withServer(hooks(451), async (server) => {
			const result = await send(server);
			person = result.person;
			assert.equal(result.json.retried, 1);
			const job = await jobOf(person);
			assert.equal(job.state, 'waiting');
			assert.match(job.last_error, new RegExp(`451.*${what.split(' ')[1]}`));
		});
		await withServer({}, async (server) => {
			await again(person);
			const { json } = await runJobsWith({ SMTP_URL: server.url });
			await verify((await delivered(server, { json, person })).token);
		});
	});

	test(`a permanent refusal of ${what}: given up, and kept for an operator`, () => withServer(hooks(550), async (server) => {
		const { json, person } = await send(server);
		assert.equal(json.dead, 1, JSON.stringify(json));
		const job = await jobOf(person);
		assert.equal(job.state, 'dead');
		assert.match(job.last_error, new RegExp(`550.*${what.split(' ')[1]}`));
		assert.deepEqual(job.payload, { template: 'verify_email', user: person.id });
	}));
}

test('one mail refused does not stop the next', () => withServer({
	onRcptTo: ({ address }, session, done) => done(/^smtp-bad/.test(address) ? no(550, 'no such user') : undefined),
}, async (server) => {
	const bad = await newcomer();
	await run`UPDATE users.account SET email = ${`smtp-bad-${bad.email}`} WHERE id = ${bad.id}`;
	const good = await newcomer();
	const { json } = await runJobsWith({ SMTP_URL: server.url });
	assert.deepEqual([json.done, json.dead], [1, 1]);
	assert.deepEqual(server.mails.map(({ to }) => to), [good.email]);
}));

test('many mails go through one connection', () => withServer({}, async (server) => {
	const people = [];
	for (let i = 0; i < 20; i++)
		people.push(await newcomer());
	const { json } = await runJobsWith({ SMTP_URL: server.url });
	assert.equal(json.done, 20);
	assert.deepEqual(server.mails.map(({ to }) => to), people.map(({ email }) => email));
	assert.equal(server.connections(), 1);
}));

test('eight runs at once share the mails, and send each once', () => withServer({}, async (server) => {
	const people = [];
	for (let i = 0; i < 60; i++)
		people.push(await newcomer());
	const runs = await Promise.all(Array.from({ length: 8 }, () => runJobsWith({ SMTP_URL: server.url })));
	assert.equal(runs.reduce((sum, { json }) => sum + json.done, 0), 60);
	assert.deepEqual(server.mails.map(({ to }) => to).sort(), people.map(({ email }) => email).sort());
}));

test('nobody listens: the mails wait, and only one was tried', async () => {
	const gone = await listener(() => {});
	await gone.stop();
	const people = [await newcomer(), await newcomer()];
	const { json } = await runJobsWith({ SMTP_URL: gone.url });

	assert.equal(json.jobs.length, 1, 'the others would fare alike');
	assert.equal(json.retried, 1);
	assert.ok(json.oldest_due_ms >= 0);
	assert.match((await jobOf(people[0])).last_error, /connect/i);
	assert.equal((await jobOf(people[1])).attempt, 0);
	for (const { job } of people)
		await run`DELETE FROM ops.job WHERE id = ${job}`;
});

/* How a conversation goes up to some word, and then no further. */
const upTo = (word, end) => (socket) => {
	if (word === 'greeting')
		return end(socket);
	let said = '';
	socket.write('220 mail\r\n');
	socket.on('data', (chunk) => {
		said += chunk;
		if (said.startsWith(word) || (word === 'the dot' && said.endsWith('\r\n.\r\n'))) {
			end(socket);
		} else if (/^(EHLO|HELO|MAIL|RCPT|DATA)/.test(said)) {
			socket.write(said.startsWith('DATA') ? '354 go on\r\n' : '250 ok\r\n');
			said = '';
		}
	});
};

for (const word of ['greeting', 'EHLO', 'MAIL', 'RCPT', 'DATA', 'the dot']) {
	test(`a server that hangs at ${word} is left in time`, async () => {
		const server = await listener(upTo(word, () => {}));
		const began = Date.now();
		try {
			await putOff(server, { SMTP_TIMEOUT_MS: '300' }, /time/i);
			assert.ok(Date.now() - began < 15000);
		} finally {
			await server.stop();
		}
	});

	test(`a server that dies at ${word}: again later`, async () => {
		const server = await listener(upTo(word, (socket) => socket.destroy()));
		try {
			await putOff(server, {}, /./);
		} finally {
			await server.stop();
		}
	});
}

test('a server that turns the shop away at its door refuses no mail', async () => {
	const server = await listener((socket) => socket.end('554 no service for you\r\n'));
	try {
		await putOff(server, {}, /554/);
	} finally {
		await server.stop();
	}
});

test('taken, but the answer was lost: it comes twice, as the same message, and both tokens are good', async () => {
	let person;
	let first;
	const server = await smtpServer({ afterData: () => server.cut() });
	const result = await send(server);
	person = result.person;
	assert.equal(result.json.retried, 1);
	[first] = server.mails;
	await server.stop();

	await withServer({}, async (next) => {
		await again(person);
		const { json } = await runJobsWith({ SMTP_URL: next.url });
		const second = await delivered(next, { json, person });
		assert.equal(second.messageId, first.messageId);
		assert.notEqual(second.token, first.token);
		assert.equal(await value`SELECT count(*) FROM users.email_token WHERE user_id = ${person.id} AND expires_at > now()`, 2);
		await verify(first.token);
		await verify(second.token).catch(() => {});
		assert.equal(await value`SELECT email_verified FROM users.account WHERE id = ${person.id}`, true);
	});
});

test('a run that has lost its lease meanwhile reports in vain', async () => {
	let answer;
	const slow = await smtpServer({ afterData: (mail, done) => { answer = done; } });
	const person = await newcomer();
	const first = runJobsWith({ SMTP_URL: slow.url });
	await until('the slow server has the message', () => answer);

	await run`UPDATE ops.job SET run_at = now() WHERE id = ${person.job} AND state = 'running'`;
	await withServer({}, async (server) => {
		const { json } = await runJobsWith({ SMTP_URL: server.url });
		await delivered(server, { json, person });
	});
	answer();
	const { json } = await first;
	assert.deepEqual([json.done, json.lost], [0, 1]);
	assert.equal((await jobOf(person)).attempt, 2);
	await slow.stop();
});

test('whatever is in a template arrives: dots, long lines, other scripts, HTML', () => withServer({}, async (server) => {
	const directory = join(need('SOUK_RUN'), 'templates');
	const text = `.\n..two dots\nFrom the start\n\n${'long '.repeat(300)}\n=3D ends in a space \nŻółć and سوق 🐪 ${'ż'.repeat(200)}\n{{token}}\n`;
	mkdirSync(directory, { recursive: true });
	writeFileSync(join(directory, 'verify_email.txt'), `Subject: Żółć: «{{valid_for}}», سوق 🐪 and ${'much '.repeat(30)}more\n\n${text}`);
	writeFileSync(join(directory, 'verify_email.html'), '<!DOCTYPE html>\n<p>Żółć {{token}}</p>\n.\n');

	const { json, person } = await send(server, { MAIL_TEMPLATES_DIR: directory });
	assert.equal(json.done, 1);
	const [mail] = server.mails;
	assert.equal(mail.subject, `Żółć: «24 hours», سوق 🐪 and ${'much '.repeat(30)}more`);
	assert.equal(mail.text, text.replace('{{token}}', mail.token));
	assert.match(mail.html, /^<!DOCTYPE html>\n<p>Żółć [A-Za-z0-9_-]{43}<\/p>\n\.\n/);
	assert.equal(mail.to, person.email);
	for (const line of mail.raw.split('\r\n'))
		assert.ok(line.length <= 76 || !/=/.test(line), line);
}));

test('a template with a placeholder nobody fills is not sent', () => withServer({}, async (server) => {
	const directory = join(need('SOUK_RUN'), 'templates-broken');
	mkdirSync(directory, { recursive: true });
	for (const [text, error] of [['Subject: x\n\n{{nobody}}\n', /placeholder.*\{\{nobody/], ['Subject: x\n\n{{token\n', /placeholder/],
	    ['No subject\n\nx\n', /subject/], ['Subject: {{link}} {{x}}\n\nx\n', /placeholder/]]) {
		writeFileSync(join(directory, 'verify_email.txt'), text);
		await putOff(server, { MAIL_TEMPLATES_DIR: directory }, error);
	}
	assert.deepEqual(server.mails, []);
}));

test('settings that cannot work stop the process and are named', async () => {
	for (const [settings, name] of [
		[{ SMTP_URL: 'http://127.0.0.1' }, /SMTP_URL/], [{ SMTP_URL: 'mail.example' }, /SMTP_URL/],
		[{ SMTP_URL: '', MAIL_DIR: '' }, /SMTP_URL.*MAIL_DIR/], [{ VERIFY_EMAIL_URL: 'http://shop/' }, /VERIFY_EMAIL_URL/],
		[{ RESET_PASSWORD_URL: 'x' }, /RESET_PASSWORD_URL/], [{ MAIL_FROM: 'a@b.c\r\nBcc: d@e.f' }, /MAIL_FROM/],
		[{ SMTP_TIMEOUT_MS: '0' }, /SMTP_TIMEOUT_MS/]]) {
		const { status, told } = await runJobsWith(settings);
		assert.equal(status, 78, JSON.stringify(settings));
		assert.match(told, name);
	}
});
