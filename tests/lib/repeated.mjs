/*
 * For every endpoint that takes an Idempotency-Key, requests to try it with.
 * An endpoint that is not here fails the tests that go through this table.
 *
 * Each function makes the people and things a request needs, and returns
 *
 *   who       who asks; null: nobody who is signed in
 *   path      where
 *   sent      what is sent, as options of call(): { json } or { body, type }
 *   other     the same with another body that would be accepted too
 *   refused   a body, and where it depends on that a path, that passes as input
 *             but is refused all the same; none where nothing is
 *   effects   counts what the request has made
 */
import assert from 'node:assert/strict';
import { call, newAddress } from './client.mjs';
import { endpoints } from './described.mjs';
import { form } from './form.mjs';
import { mailsAreOut, mailsTo, SUBJECTS } from './mail.mjs';
import { deadEvent, deadJob, EVENTS, JOBS, kindOfOurs, newOperator, REASON, refundByHand, SAGAS, stuckRefund, typeOfOurs, waiting } from './operator.mjs';
import { unlike } from './pictures.mjs';
import { ADDRESS, customer, freshEmail, lines, newAdmin, PASSWORD, pay, place, product, seller, unique } from './shop.mjs';
import { value } from './sql.mjs';

async function mails(email, subject) {
	await mailsAreOut();
	return (await mailsTo(email, subject)).length;
}

/* An act of an operator's on one of two, which are alike but for their ids; the
 * third lets nobody act on it any more. */
const operated = async (path, what, [id, ended], sent, other, { action, target }) => ({
	who: await newOperator(),
	path: `${path}/${id}/${what}`,
	sent: { json: sent },
	other: { json: other },
	refused: { json: sent, path: `${path}/${ended}/${what}` },
	effects: () => value`SELECT count(*) FROM ops.audit WHERE action = ${action} AND target = ${`${target}:${id}`}`,
});

async function aSagaThatEnded() {
	const { saga } = await waiting();
	const who = await newOperator();
	await who.call('POST', `${SAGAS}/${saga.id}/compensate`, { json: REASON, expect: 200 });
	return saga.id;
}

async function aJobThatEnded() {
	const id = await deadJob();
	const who = await newOperator();
	await who.call('POST', `${JOBS}/${id}/cancel`, { json: REASON, expect: 200 });
	return id;
}

async function anEventThatEnded() {
	const id = await deadEvent();
	const who = await newOperator();
	await who.call('POST', `${EVENTS}/${id}/drop`, { json: REASON, expect: 200 });
	return id;
}

const OTHERWISE = { reason: 'It was high time' };
const onSaga = async (what) => operated(SAGAS, what, [(await waiting()).saga.id, await aSagaThatEnded()],
    REASON, OTHERWISE, { action: `saga.${what}`, target: 'saga' });
const onJob = async (what) => operated(JOBS, what, [await deadJob(), await aJobThatEnded()],
    REASON, OTHERWISE, { action: `job.${what}`, target: 'job' });
const onEvent = async (what) => operated(EVENTS, what, [await deadEvent(), await anEventThatEnded()],
    REASON, OTHERWISE, { action: `event.${what}`, target: 'event' });

/* All dead ones of a kind of ours. */
const requeued = async (path, name, those) => ({
	who: await newOperator(),
	path: `${path}/requeue`,
	sent: { json: { [name]: those, ...REASON } },
	other: { json: { [name]: those, ...OTHERWISE } },
	effects: () => value`SELECT count(*) FROM ops.audit WHERE action LIKE '%.requeue' AND after ->> ${name} = ${those}`,
});

const REPEATED = {
	async register_account() {
		const email = freshEmail('twice');
		const { email: taken } = await customer();
		return {
			who: null,
			path: '/api/auth/register',
			sent: { json: { email, password: PASSWORD, first_name: 'Ada' } },
			other: { json: { email, password: PASSWORD, first_name: 'Eve' } },
			refused: { json: { email: taken, password: PASSWORD } },
			effects: () => value`SELECT count(*) FROM users.account WHERE email = ${email}`,
		};
	},

	async forgot_password() {
		const { email } = await customer();
		return {
			who: null,
			path: '/api/auth/forgot-password',
			sent: { json: { email } },
			other: { json: { email: freshEmail('other') } },
			effects: () => mails(email, SUBJECTS.reset),
		};
	},

	async resend_verification() {
		const who = await customer();
		return {
			who,
			path: '/api/auth/resend-verification',
			sent: {},
			other: { json: {} },
			effects: () => mails(who.email, SUBJECTS.verify),
		};
	},

	async create_product() {
		const who = await seller();
		const { sku } = await product(who, { sku: unique() });
		return {
			who,
			path: '/api/products',
			sent: { json: { name: 'Lamp', price: '19.99', stock_quantity: 3 } },
			other: { json: { name: 'Lamp', price: '20.00', stock_quantity: 3 } },
			refused: { json: { name: 'Lamp', price: '19.99', sku } },
			effects: () => value`SELECT count(*) FROM catalog.product WHERE seller_id = ${who.id} AND name = 'Lamp'`,
		};
	},

	async upload_image() {
		const who = await seller();
		const { id } = await product(who);
		const picture = () => form(['image', unlike()]);
		return {
			who,
			path: `/api/products/${id}/upload-image`,
			sent: picture(),
			other: picture(),
			refused: form(['image', Buffer.alloc((5 << 20) + 1)]),
			effects: () => value`SELECT count(*) FROM catalog.product_image WHERE product_id = ${id}`,
		};
	},

	async create_category() {
		const who = await newAdmin();
		const name = `Shelf ${unique()}`;
		return {
			who,
			path: '/api/categories',
			sent: { json: { name } },
			other: { json: { name, description: 'Another' } },
			effects: () => value`SELECT count(*) FROM catalog.category WHERE name = ${name}`,
		};
	},

	async adjust_stock() {
		const who = await seller();
		const { id } = await product(who, { stock_quantity: 10 });
		const adjust = (change) => ({ json: { change, reason: 'count' } });
		return {
			who,
			path: `/api/products/${id}/stock`,
			sent: adjust(3),
			other: adjust(4),
			refused: adjust(-1000),
			effects: () => value`SELECT count(*) FROM catalog.inventory_log WHERE product_id = ${id} AND reason = 'count'`,
		};
	},

	async create_review() {
		const who = await customer();
		const { id } = await product(await seller());
		return {
			who,
			path: `/api/products/${id}/reviews`,
			sent: { json: { rating: 5 } },
			other: { json: { rating: 4 } },
			refused: { json: { rating: 5 }, path: '/api/products/999999999999/reviews' },
			effects: () => value`SELECT count(*) FROM catalog.review WHERE product_id = ${id} AND user_id = ${who.id}`,
		};
	},

	async place_order() {
		const who = await customer();
		const { id } = await product(await seller(), { stock_quantity: 1000 });
		const order = (quantity) => ({ json: { items: lines([id, quantity]), ...ADDRESS } });
		return {
			who,
			path: '/api/orders',
			sent: order(1),
			other: order(2),
			refused: order(1001),
			effects: () => value`SELECT count(*) FROM orders.orders WHERE user_id = ${who.id}`,
		};
	},

	async refund_payment() {
		const who = await newAdmin();
		const buyer = await customer();
		const { id } = await pay(buyer, await place(buyer, lines([(await product(await seller())).id, 1])));
		const refund = (amount) => ({ json: { orderId: id, amount } });
		return {
			who,
			path: '/api/payments/refund',
			sent: refund('1.00'),
			other: refund('2.00'),
			refused: refund('1000.00'),
			effects: () => value`SELECT count(*) FROM payments.refund WHERE order_id = ${id}`,
		};
	},

	retry_saga: () => onSaga('retry'),
	compensate_saga: () => onSaga('compensate'),
	async skip_step() {
		const { saga, intent } = await stuckRefund();
		const refundId = (await refundByHand(intent)).id;
		return operated(SAGAS, 'skip', [saga.id, await aSagaThatEnded()], { ...REASON, refundId },
		    { ...OTHERWISE, refundId }, { action: 'saga.skip', target: 'saga' });
	},
	retry_job: () => onJob('retry'),
	cancel_job: () => onJob('cancel'),
	async requeue_jobs() {
		const kind = kindOfOurs();
		await deadJob(kind);
		return requeued(JOBS, 'kind', kind);
	},
	retry_event: () => onEvent('retry'),
	drop_event: () => onEvent('drop'),
	async requeue_events() {
		const type = typeOfOurs();
		await deadEvent({ type });
		return requeued(EVENTS, 'type', type);
	},
};

/* Sends it, or something in its place, under a key; from anywhere. */
export function send(endpoint, request, key, what = request.sent) {
	const ask = request.who ?? { call };
	return ask.call(endpoint.method, what.path ?? request.path, { ...what, key, address: newAddress() });
}

/* The endpoints that take a key, each with its maker of requests. */
export const repeated = endpoints.filter(({ idempotent }) => idempotent).map((endpoint) => ({
	endpoint,
	name: `${endpoint.method} ${endpoint.path}`,
	make() {
		assert.ok(REPEATED[endpoint.name], `${endpoint.file} takes an Idempotency-Key: tests/lib/repeated.mjs has no request for ${endpoint.name}`);
		return REPEATED[endpoint.name]();
	},
}));
