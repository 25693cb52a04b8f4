import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, refuseFields } from '../../lib/client.mjs';
import { refusesBadTokens } from '../../lib/bad.mjs';
import { mailsAreOut, mailsTo, mailTo, SUBJECTS } from '../../lib/mail.mjs';
import { admin, assertMembers, customer, newKey, seller, unanswered } from '../../lib/shop.mjs';
import { run, value } from '../../lib/sql.mjs';

const PATH = '/api/auth/resend-verification';
const resend = (person, options) => person.call('POST', PATH, { expect: 202, ...options });
const verify = (token) => call('POST', '/api/auth/verify-email', { json: { token }, expect: 200 });
const queued = (person) => value`SELECT count(*) FROM ops.job
    WHERE payload @> jsonb_build_object('template', 'verify_email', 'user', ${person.id}::bigint)`;

test('another mail comes, and either token confirms', async () => {
	for (const which of [0, 1]) {
		const person = await customer();
		const first = await mailTo(person.email, SUBJECTS.verify);
		const { json } = await resend(person);
		assertMembers(json, ['message']);
		const second = await mailTo(person.email, SUBJECTS.verify, 2);

		assert.notEqual(first.token, second.token);
		assert.notEqual(first.messageId, second.messageId);
		await verify([first, second][which].token);
		assert.equal((await person.get('/api/users/profile')).email_verified, true);
	}
});

test('sellers and admins may ask too', async () => {
	for (const person of [await seller(), await admin()])
		await resend(person);
});

test('who is confirmed gets no more mail', async () => {
	const person = await customer();
	const { token } = await mailTo(person.email, SUBJECTS.verify);

	await verify(token);
	await resend(person);
	await mailsAreOut();
	assert.equal((await mailsTo(person.email)).length, 1);
});

test('a mailbox cannot be flooded: three an hour', async () => {
	const person = await customer();
	for (let i = 0; i < 8; i++)
		await resend(person);
	await mailsAreOut();
	assert.equal((await mailsTo(person.email, SUBJECTS.verify)).length, 3);

	await run`UPDATE users.email_token SET created_at = created_at - interval '61 minutes' WHERE user_id = ${person.id}`;
	await resend(person);
	await mailTo(person.email, SUBJECTS.verify, 4);
});

test('with an Idempotency-Key it is asked once', async () => {
	const person = await customer();
	await mailTo(person.email, SUBJECTS.verify);
	const key = newKey();
	const first = await resend(person, { key });
	const again = await resend(person, { key });

	assert.equal(again.text, first.text);
	assert.equal(again.headers['idempotent-replayed'], 'true');
	await mailTo(person.email, SUBJECTS.verify, 2);
	await mailsAreOut();
	assert.equal((await mailsTo(person.email, SUBJECTS.verify)).length, 2);

	await person.refuse(422, 'idempotency_key_reused', 'POST', PATH, { key, json: {} });
	await unanswered(key);
	await person.refuse(409, 'request_in_progress', 'POST', PATH, { key });
	assert.equal(await queued(person), 0);
});

test('fields that are none are 400', async () => {
	const person = await customer();
	await person.refuseFields(['email'], 'POST', PATH, { json: { email: 'other@example.com' } });
	await refuseFields(['user'], 'POST', PATH, { json: { user: 1 }, token: person.token });
});

refusesBadTokens('POST', PATH, customer);
