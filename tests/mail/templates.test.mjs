/*
 * Every template of shared/mail is two files and has a cause here that makes
 * the shop send it; what arrives has every placeholder filled.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { call } from '../lib/client.mjs';
import { assertSound, mailTo } from '../lib/mail.mjs';
import { lines, move, newAdmin, pay, place, product, refund, seller } from '../lib/shop.mjs';
import { rows, run } from '../lib/sql.mjs';

const directory = join(resolve(dirname(fileURLToPath(import.meta.url)), '..', '..'), 'shared', 'mail');
const read = (name) => readFileSync(join(directory, name), 'utf8');
const templates = [...new Set(readdirSync(directory).map((name) => name.replace(/\.(txt|html)$/, '')))];
const placeholders = (text) => [...new Set(text.match(/\{\{[^}]*\}\}/g) ?? [])].sort();

/* An order of theirs, paid for, and who sells it. */
async function bought(buyer) {
	const owner = await seller();
	const placed = await place(buyer, lines([(await product(owner)).id, 2]));
	await pay(buyer, placed);
	return { placed, owner };
}

/* What makes the shop send it to that person; the subject, where it has words of
 * its own. */
const CAUSES = {
	verify_email: async () => {},	/* seller() has registered */
	reset_password: (person) => call('POST', '/api/auth/forgot-password', { json: { email: person.email }, expect: 202 }),
	password_changed: (person) => run`SELECT ops.job_add('mail',
	    jsonb_build_object('template', 'password_changed', 'user', ${person.id}::bigint))`,
	low_stock: async (owner) => {
		await run`UPDATE users.account SET email_verified = true WHERE id = ${owner.id}`;
		const goods = await product(owner, { stock_quantity: 10, low_stock_threshold: 4 });
		await owner.call('POST', `/api/products/${goods.id}/stock`, { json: { change: -7, reason: 'broken' }, expect: 200 });
		return `${goods.name}: 3 left`;
	},
	order_confirmation: async (buyer) => `Your order ${(await bought(buyer)).placed.id}`,
	order_status: async (buyer) => {
		const { placed, owner } = await bought(buyer);
		await move(owner, placed, 'processing');
		return `Your order ${placed.id} is being packed`;
	},
	order_shipped: async (buyer) => {
		const { placed, owner } = await bought(buyer);
		await move(owner, placed, 'processing');
		await move(owner, placed, 'shipped');
		return `Your order ${placed.id} is on its way`;
	},
	order_cancelled: async (buyer) => {
		const placed = await place(buyer, lines([(await product(await seller())).id, 2]));
		await buyer.call('POST', `/api/orders/${placed.id}/cancel`, { expect: 200 });
		return `Your order ${placed.id} is cancelled`;
	},
	order_refund: async (buyer) => {
		const { placed } = await bought(buyer);
		await refund(await newAdmin(), placed);
		return `${placed.total_amount} USD of your order ${placed.id} go back to you`;
	},
};

test('each template has its function, and each function its template', async () => {
	const functions = await rows`SELECT proname AS name FROM pg_proc WHERE pronamespace = 'mail'::regnamespace
	                                AND pg_get_function_identity_arguments(oid) = 'p jsonb' ORDER BY 1`;
	assert.deepEqual(functions.map(({ name }) => name), [...templates].sort());
	assert.deepEqual(Object.keys(CAUSES).sort(), [...templates].sort(), 'a cause for each, in this test');
});

for (const name of templates)
	test(`${name} arrives, every placeholder filled`, async () => {
		const [text, html] = [read(`${name}.txt`), read(`${name}.html`)];
		const [, subject] = /^Subject: (.+)\n\n/.exec(text);
		assert.deepEqual(placeholders(html), placeholders(text), 'both parts say the same');
		for (const line of text.split('\n'))
			assert.ok(line.length <= 76 && line === line.trimEnd(), line);
		assert.doesNotMatch(html, /<(script|img|link|iframe)|\bsrc=|url\(/, 'nothing is fetched when it is read');

		const person = await seller();
		const said = await CAUSES[name](person);
		const mail = await mailTo(person.email, placeholders(subject).length ? said : subject);
		assertSound(mail, person.email);
		assert.equal(mail.token !== undefined, text.includes('{{token}}'));
	});
