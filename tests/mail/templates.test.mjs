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
import { lines, pay, place, product, seller, untilOrder } from '../lib/shop.mjs';
import { one, rows, run } from '../lib/sql.mjs';

const directory = join(resolve(dirname(fileURLToPath(import.meta.url)), '..', '..'), 'shared', 'mail');
const read = (name) => readFileSync(join(directory, name), 'utf8');
const templates = [...new Set(readdirSync(directory).map((name) => name.replace(/\.(txt|html)$/, '')))];
const placeholders = (text) => [...new Set(text.match(/\{\{[^}]*\}\}/g) ?? [])].sort();

/* An order of theirs, paid for. */
async function bought(buyer) {
	const placed = await place(buyer, lines([(await product(await seller())).id, 2]));
	await pay(buyer, placed);
	return placed;
}

/* As the functions do that change an order's status. */
const becomes = (placed, status) => run`
	WITH was AS (SELECT status FROM orders.orders WHERE id = ${placed.id}),
	noted AS (INSERT INTO orders.history (order_id, old_status, new_status)
	          SELECT ${placed.id}, status, ${status} FROM was)
	UPDATE orders.orders SET status = ${status}, carrier = 'DHL', tracking_number = 'JD0146'
	 WHERE id = ${placed.id}`;

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
	order_confirmation: async (buyer) => `Your order ${(await bought(buyer)).id}`,
	order_status: async (buyer) => {
		const placed = await bought(buyer);
		await becomes(placed, 'processing');
		return `Your order ${placed.id} is being packed`;
	},
	order_shipped: async (buyer) => {
		const placed = await bought(buyer);
		await becomes(placed, 'shipped');
		return `Your order ${placed.id} is on its way`;
	},
	order_cancelled: async (buyer) => {
		const placed = await place(buyer, lines([(await product(await seller())).id, 2]));
		await run`UPDATE orders.saga SET deadline = now(), wake_at = now() WHERE order_id = ${placed.id}`;
		await untilOrder(buyer, placed.id, 'cancelled');
		return `Your order ${placed.id} is cancelled`;
	},
	order_refund: async (buyer) => {
		const placed = await bought(buyer);
		const { stripe_id: intent, amount } = await one`SELECT * FROM payments.ledger WHERE order_id = ${placed.id}`;
		await run`SELECT payments.ledger_post(${placed.id}, 'refund', ${`re_${intent}`}, ${amount}, 'USD')`;
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
