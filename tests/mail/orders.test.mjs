/*
 * What a buyer is told of an order: each fact once, in numbers that fit the
 * currency, and nothing to whom it does not concern.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { mailsAreOut, mailsTo, mailTo, runJobs } from '../lib/mail.mjs';
import { customer, lines, move, newAdmin, pay, PASSWORD, place, product, refund, seller, track } from '../lib/shop.mjs';
import { one, run, value } from '../lib/sql.mjs';

let boss;
before(async () => { boss = await newAdmin(); });

async function bought({ verified = false, quantity = 2 } = {}) {
	const [buyer, owner] = [await customer(), await seller()];
	await run`UPDATE users.account SET email_verified = ${verified} WHERE id = ${buyer.id}`;
	const goods = await product(owner, { name: 'Lamp <b>of</b> brass' });
	const placed = await place(buyer, lines([goods.id, quantity]));
	await pay(buyer, placed);
	return { buyer, owner, placed };
}

const about = async (buyer, placed) => (await mailsTo(buyer.email))
    .filter(({ subject }) => subject.includes(`order ${placed.id}`)).map(({ subject }) => subject);

test('an order that is placed is told of when it is paid, once', async () => {
	const { buyer, placed } = await bought();
	await mailTo(buyer.email, `Your order ${placed.id}`);
	/* Stripe says it again. */
	const { stripe_payment_intent_id: intent, nonce, amount } = await one`SELECT * FROM payments.payment WHERE order_id = ${placed.id}`;
	assert.equal(await value`SELECT orders.payment_succeeded_v1(${placed.id}, ${intent}, ${nonce}, ${amount}, 'usd', 'pm')`, 'already');
	await mailsAreOut();
	assert.deepEqual(await about(buyer, placed), [`Your order ${placed.id}`]);
});

test('a confirmed address reads what the goods are called; any other, numbers', async () => {
	for (const verified of [true, false]) {
		const { buyer, placed } = await bought({ verified });
		const { text, html } = await mailTo(buyer.email, `Your order ${placed.id}`);
		if (verified) {
			assert.match(text, /^2 x Lamp <b>of<\/b> brass: 39\.98 USD$/m);
			assert.match(html, /2 x Lamp &lt;b&gt;of&lt;\/b&gt; brass: 39\.98 USD/);
		} else {
			assert.match(text, /^2 articles$/m);
			assert.doesNotMatch(text + html, /Lamp|brass/);
		}
		for (const [label, amount] of [['Goods', placed.subtotal], ['Tax', placed.tax_amount],
		    ['Shipping', placed.shipping_cost], ['Discount', placed.discount_amount], ['Total', `${placed.total_amount} USD`]])
			assert.match(text, new RegExp(`^${label} +${amount.replace('.', '\\.')}$`, 'm'));
	}
});

test('refunds: each by its amount, a part or all', async () => {
	const { buyer, placed } = await bought();
	await refund(boss, placed, '1.00');
	await refund(boss, placed, '20.50');
	const part = await mailTo(buyer.email, `1.00 USD of your order ${placed.id} go back to you`);
	assert.match(part.text, /1\.00 USD, a part of what you paid/);
	await mailTo(buyer.email, `20.50 USD of your order ${placed.id} go back to you`);

	const whole = await bought();
	await refund(boss, whole.placed);
	const mail = await mailTo(whole.buyer.email, `${whole.placed.total_amount} USD of your order ${whole.placed.id} go back to you`);
	assert.match(mail.text.replaceAll('\n', ' '), /, all of what you paid/);
});

test('the same movement, reported again, is no other mail', async () => {
	const { buyer, placed } = await bought();
	const made = await refund(boss, placed, '1.00');
	for (let i = 0; i < 3; i++)
		await run`SELECT payments.ledger_post(${placed.id}, 'refund', ${made.stripe_refund_id}, 100, 'USD')`;
	await mailTo(buyer.email, `1.00 USD of your order ${placed.id} go back to you`);
	await mailsAreOut();
	assert.equal((await about(buyer, placed)).filter((subject) => subject.startsWith('1.00')).length, 1);
});

test('on its way: packed, shipped with its number, delivered', async () => {
	const { buyer, owner, placed } = await bought();
	await move(owner, placed, 'processing');
	await track(owner, placed, 'JD0146', 'DHL');
	await move(owner, placed, 'shipped');
	await move(owner, placed, 'delivered');
	const shipped = await mailTo(buyer.email, `Your order ${placed.id} is on its way`);
	assert.match(shipped.text, /^Carrier +DHL$/m);
	assert.match(shipped.text, /^Tracking number +JD0146$/m);
	await mailTo(buyer.email, `Your order ${placed.id} has been delivered`);
	await mailsAreOut();
	assert.deepEqual((await about(buyer, placed)).sort(), [`Your order ${placed.id}`, `Your order ${placed.id} has been delivered`,
	    `Your order ${placed.id} is being packed`, `Your order ${placed.id} is on its way`]);
});

test('an order that is cancelled when it is paid: that it is, and the money', async () => {
	const { buyer, placed } = await bought();
	await mailsAreOut();
	await buyer.call('POST', `/api/orders/${placed.id}/cancel`, { expect: 200 });
	await mailTo(buyer.email, `Your order ${placed.id} is cancelled`);
	await mailTo(buyer.email, `${placed.total_amount} USD of your order ${placed.id} go back to you`);
	await mailsAreOut();
	assert.equal((await about(buyer, placed)).length, 3);
});

test('amounts have as many digits as their currency', async () => {
	const { buyer, placed } = await bought();
	for (const [currency, written] of [['JPY', '1999 JPY'], ['KWD', '1.999 KWD'], ['EUR', '19.99 EUR']]) {
		/* It never was, but for who looks meanwhile. */
		await run`BEGIN; UPDATE orders.orders SET currency = ${currency} WHERE id = ${placed.id};
			SELECT payments.ledger_post(${placed.id}, 'refund', 're_never', 1999, ${currency})`;
		const said = await value`SELECT mail.order_refund(jsonb_build_object('order', ${placed.id}, 'user', ${buyer.id},
			'ledger', (SELECT id FROM payments.ledger WHERE stripe_id = 're_never')))`;
		await run`ROLLBACK`;
		assert.equal(said.amount, written);
		assert.ok(said.total.endsWith(` ${currency}`), said.total);
	}
});

test('who has left, or may not come in, is told nothing', async () => {
	const erased = await bought();
	await erased.buyer.call('DELETE', '/api/users/profile', { json: { password: PASSWORD }, expect: 200 });
	const barred = await bought();
	await run`UPDATE users.account SET is_active = false WHERE id = ${barred.buyer.id}`;
	await mailsAreOut();
	for (const { buyer, placed } of [erased, barred]) {
		const before = (await about(buyer, placed)).length;
		await refund(boss, placed, '1.00');
		await mailsAreOut();
		assert.equal((await about(buyer, placed)).length, before);
		assert.equal(await value`SELECT count(*) FROM ops.job WHERE kind = 'mail' AND state <> 'done'
		                          AND payload ->> 'order' = ${placed.id}`, 0);
	}
});

test('it goes where its reader is now', async () => {
	const { buyer, placed } = await bought();
	await mailsAreOut();
	const email = `moved-${buyer.email}`;
	await run`UPDATE users.account SET email = ${email} WHERE id = ${buyer.id}`;
	await refund(boss, placed, '1.00');
	await mailTo(email, `1.00 USD of your order ${placed.id} go back to you`);
});

test('a change that is rolled back is told to nobody', async () => {
	const { buyer, placed } = await bought();
	await mailsAreOut();
	const before = await value`SELECT count(*) FROM ops.event WHERE subject = ${`orders/${placed.id}`}`;
	await run`BEGIN;
		INSERT INTO orders.history (order_id, old_status, new_status) VALUES (${placed.id}, 'paid', 'processing');
		ROLLBACK`;
	await mailsAreOut();
	assert.deepEqual(await about(buyer, placed), [`Your order ${placed.id}`]);
	assert.equal(await value`SELECT count(*) FROM ops.event WHERE subject = ${`orders/${placed.id}`}`, before);
});

test('no more mails at once than a mail server likes', async () => {
	await mailsAreOut();
	/* Four runners hold one each. */
	await run`INSERT INTO ops.job (kind, state, run_at, payload, owner)
	          SELECT 'mail', 'running', now() + interval '1 hour', '{"held": true}', 'a test' FROM generate_series(1, 4)`;
	const id = await value`SELECT ops.job_add('mail', '{"template": "verify_email", "user": 0}')`;
	assert.deepEqual((await runJobs()).json.jobs, []);
	assert.equal(await value`SELECT attempt FROM ops.job WHERE id = ${id}`, 0);
	await run`DELETE FROM ops.job WHERE payload ->> 'held' = 'true'`;
	await mailsAreOut();
	assert.equal(await value`SELECT state FROM ops.job WHERE id = ${id}`, 'done');
});
