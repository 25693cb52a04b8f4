/*
 * Those who buy, while everything around them dies.  Each has an intention and
 * repeats every request, under one Idempotency-Key, until it is answered; what
 * it was promised is remembered, for the reckoning.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { exchange, newAddress } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { ADDRESS, customer, lines, newAdmin, product, seller, unique } from '../lib/shop.mjs';
import { run } from '../lib/sql.mjs';
import { lasting } from '../lib/token.mjs';
import { Tally } from './random.mjs';

const TENACITY_MS = 240000;
const DECLINED = ['pm_card_chargeDeclined', 'pm_card_chargeDeclinedInsufficientFunds', 'pm_card_chargeDeclinedExpiredCard'];
const CHALLENGED = 'pm_card_threeDSecure2Required';

const asStripesClient = () => ({
	Authorization: `Bearer ${need('SIM_KEY')}`,
	'Content-Type': 'application/x-www-form-urlencoded',
});

/* Does it over until it works: the statement, or the call, bears that. */
export async function tenaciously(what, act) {
	const deadline = Date.now() + TENACITY_MS;
	for (;;) {
		try {
			return await act();
		} catch (error) {
			if (error.code === 'ERR_ASSERTION' || Date.now() > deadline)
				throw new Error(`${what}: ${error.message}`, { cause: error });
			await pause(50);
		}
	}
}

export class Shoppers {
	/* patience: a request that has no answer for so many seconds is a violation.
	 * strangers: order -> intents made besides its own. */
	constructor(chance, { patience, strangers = new Map(), buyers = 32, scarce = 12 }) {
		Object.assign(this, { chance, patience, strangers, buyers, scarce });
		this.orders = new Map();	/* id -> { key, user, plan, ends } */
		this.plans = new Tally();
		this.answers = new Tally();
		this.violations = [];
		this.serial = 0;
		this.name = `chaos-${unique()}`;	/* of its keys: Stripe may know others */
	}

	async open() {
		const owner = await seller();
		const { chance } = this;
		this.owner = { token: lasting(owner.token) };
		this.boss = { token: lasting((await newAdmin()).token) };
		this.goods = [];
		for (const stock_quantity of [1000000, 1000000, ...Array(3).fill(this.scarce)])
			this.goods.push(await product(owner, { price: `${chance.between(1, 60)}.${chance.between(10, 99)}`, stock_quantity }));
		this.people = [];
		for (let i = 0; i < this.buyers; i++) {
			const buyer = await customer();
			this.people.push({ id: buyer.id, email: buyer.email, token: lasting(buyer.token) });
		}
	}

	violation(what) {
		this.violations.push(what);
		console.error(`VIOLATION ${what}`);
	}

	/* One request until it is answered for good. */
	async ask(who, method, path, { json, key } = {}) {
		const deadline = Date.now() + this.patience * 1000;
		for (;;) {
			const answer = await this.try(need('SOUK_URL'), method, path, {
				body: json === undefined ? undefined : JSON.stringify(json),
				headers: {
					...(json === undefined ? {} : { 'Content-Type': 'application/json' }),
					...(who === null ? {} : { Authorization: `Bearer ${who.token}` }),
					...(key === undefined ? {} : { 'Idempotency-Key': key }),
				},
			});
			const { status, json: told } = answer;
			if (told?.code === 'internal_error' && told.request_id !== null)
				this.violation(`${method} ${path} is a 500: ${answer.text}`);
			if (status > 0 && status < 500 && !['request_in_progress', 'rate_limited'].includes(told?.code))
				return answer;
			if (Date.now() > deadline)
				throw new Error(`${method} ${path} has no answer for ${this.patience} s; the last: ${status} ${answer.text}`);
			await pause(this.chance.between(20, 200));
		}
	}

	async try(origin, method, path, options) {
		let answer;
		try {
			answer = await exchange(origin, method, path, { address: newAddress(), timeout: 15000, ...options });
			answer.text = answer.bytes.toString();
		} catch (error) {
			answer = { status: 0, text: error.message };
		}
		this.answers.add(answer.status || 'none');
		try {
			answer.json = JSON.parse(answer.text);
		} catch {
			/* A proxy's page, or nothing. */
		}
		return answer;
	}

	/* The buyer's browser speaks to Stripe.  Its refusals are answers too. */
	async stripe(path, form) {
		const deadline = Date.now() + this.patience * 1000;
		for (;;) {
			const { status, json } = await this.try(need('SIM_URL'), 'POST', path, {
				body: new URLSearchParams(form).toString(),
				headers: asStripesClient(),
			});
			if (json !== undefined && status > 0 && status < 500 && status !== 429 && status !== 409)
				return { status, json, intent: json.error?.payment_intent?.status ?? json.status };
			if (Date.now() > deadline)
				throw new Error(`Stripe does not answer ${path}`);
			await pause(this.chance.between(20, 100));
		}
	}

	confirm(intent, card) {
		return this.stripe(`/v1/payment_intents/${intent}/confirm`,
		    { payment_method: card, return_url: 'https://shop.example/done' });
	}

	/* An order, or null when there was not enough. */
	async place(plan) {
		const { chance } = this;
		const who = chance.one(this.people);
		const key = `${this.name}-${++this.serial}`;
		const wanted = new Map();
		for (let i = chance.between(1, 3); i > 0; i--)
			wanted.set(chance.is(0.25) ? chance.one(this.goods.slice(2)) : chance.one(this.goods.slice(0, 2)), chance.between(1, 3));
		const json = { items: lines(...[...wanted].map(([{ id }, quantity]) => [id, quantity])), ...ADDRESS };
		const ask = () => this.ask(who, 'POST', '/api/orders', { json, key });
		/* Some are impatient and press twice. */
		const answers = await Promise.all(chance.is(0.1) ? [ask(), ask()] : [ask()]);
		if (chance.is(0.1))
			answers.push(await ask());
		for (const { status, json: told, text } of answers)
			if (status !== 201 && told?.code !== 'insufficient_stock')
				this.violation(`POST /api/orders: ${status} ${text}`);
		const ids = new Set(answers.filter(({ status }) => status === 201).map(({ json: told }) => told.id));
		if (ids.size > 1)
			this.violation(`V6 one key, orders ${[...ids]}`);
		const [id] = ids;
		if (id === undefined) {
			await this.restock(answers[0].json.products[0].product_id);
			return null;
		}
		const order = { id, who, key, plan, ends: ['paid', 'cancelled'] };
		this.orders.set(id, order);
		return order;
	}

	/* Enough for some of those who ask next. */
	async restock(id) {
		const { status, text } = await this.ask(this.owner, 'POST', `/api/products/${id}/stock`,
		    { json: { change: this.scarce, reason: 'More of it' }, key: `${this.name}-${++this.serial}` });
		if (status !== 200)
			this.violation(`restocking: ${status} ${text}`);
	}

	/* The intent to pay by; null when the order is being undone already. */
	async payable({ id, who }) {
		const deadline = Date.now() + this.patience * 1000;
		for (;;) {
			const { status, json, text } = await this.ask(who, 'POST', '/api/payments/create-intent', { json: { orderId: id } });
			if (status === 200)
				return json.paymentIntentId;
			if (json?.code === 'order_cancelled' || json?.code === 'order_already_paid')
				return null;
			this.violation(`create-intent of order ${id}: ${status} ${text}`);
			if (Date.now() > deadline)
				throw new Error(`order ${id} cannot be paid`);
			await pause(100);
		}
	}

	/* Its time to pay is over, or will be in an instant. */
	expire({ id }) {
		return tenaciously('the deadline', () => run`
			UPDATE orders.saga SET deadline = now(), wake_at = now()
			 WHERE order_id = ${id} AND kind = 'order' AND wake_at IS NOT NULL`);
	}

	/* Waits for a status; the state of the order as its owner sees it. */
	async until(order, ...statuses) {
		const deadline = Date.now() + this.patience * 1000;
		for (;;) {
			const { json } = await this.ask(order.who, 'GET', `/api/orders/${order.id}`);
			if (statuses.includes(json?.status))
				return json.status;
			if (Date.now() > deadline)
				throw new Error(`order ${order.id} is ${json?.status}, not ${statuses} (${order.plan})`);
			await pause(this.chance.between(200, 500));
		}
	}

	async pay(order, ...cards) {
		const intent = await this.payable(order);
		for (const card of intent === null ? [] : cards) {
			let paid = await this.confirm(intent, card);
			if (paid.intent === 'requires_action' && card === CHALLENGED)
				paid = await this.stripe(`/simulator/authenticate/${intent}`, { outcome: this.chance.is(0.8) ? 'succeed' : 'fail' });
			if (paid.intent === 'succeeded' || paid.intent === 'canceled')
				return paid.intent;
		}
		return 'unpaid';
	}

	/* What somebody may want.  An intention says how its order must end. */
	intentions = {
		pays: { weight: 30, act: async (order) => {
			await pause(this.chance.is(0.2) ? this.chance.between(1000, 4000) : 0);	/* somebody at the door */
			if (await this.pay(order, 'pm_card_visa') === 'succeeded')
				order.ends = ['paid'];
		} },
		'pays at the second try': { weight: 8, act: async (order) => {
			if (await this.pay(order, this.chance.one(DECLINED), 'pm_card_mastercard') === 'succeeded')
				order.ends = ['paid'];
		} },
		'pays twice at once': { weight: 6, act: async (order) => {
			const paid = await Promise.all([this.pay(order, 'pm_card_visa'), this.pay(order, 'pm_card_visa')]);
			if (paid.includes('succeeded'))
				order.ends = ['paid'];
		} },
		'is challenged': { weight: 8, act: async (order) => {
			if (await this.pay(order, CHALLENGED) === 'succeeded')
				order.ends = ['paid'];
			else
				await this.expire(order);
		} },
		'is declined': { weight: 6, act: async (order) => {
			await this.pay(order, ...DECLINED.slice(0, this.chance.between(1, 3)));
			await this.ask(order.who, 'GET', `/api/payments/order/${order.id}`);
			await this.expire(order);
			order.ends = ['cancelled'];
		} },
		'walks away': { weight: 8, act: async (order) => {
			await this.expire(order);
			order.ends = ['cancelled'];
		} },
		'pays as time runs out': { weight: 12, act: async (order) => {
			const [paid] = await Promise.all([this.pay(order, 'pm_card_visa'), this.expire(order)]);
			if (paid === 'succeeded')
				order.ends = ['paid'];
			else
				await this.expire(order);
		} },
		'pays too late': { weight: 8, act: async (order) => {
			await this.expire(order);
			await this.until(order, 'cancelled');
			await this.reopened(order);
		} },
		'pays a stranger': { weight: 6, act: async (order) => {
			if (await this.pay(order, 'pm_card_visa') === 'succeeded')
				order.ends = ['paid'];
			await this.twin(order);
		} },
		cancels: { weight: 6, act: async (order) => {
			await this.cancel(order);
			order.ends = ['cancelled'];
		} },
		'cancels, and once more': { weight: 4, act: async (order) => {
			await Promise.all([this.cancel(order), this.cancel(order)]);
			order.ends = ['cancelled'];
		} },
		'cancels what is paid': { weight: 6, act: async (order) => {
			if (await this.pay(order, this.chance.one(['pm_card_visa', 'pm_card_visa', 'pm_card_pendingRefund'])) === 'succeeded'
			    && this.chance.is(0.6))
				await this.until(order, 'paid');
			await this.cancel(order);
			order.ends = ['cancelled'];
		} },
		'cancels while paying': { weight: 6, act: async (order) => {
			await Promise.all([this.pay(order, 'pm_card_visa'), this.cancel(order)]);
			order.ends = ['cancelled'];
		} },
		'gets some of it back': { weight: 6, act: async (order) => {
			if (await this.pay(order, 'pm_card_visa') !== 'succeeded')
				return;
			order.ends = ['paid'];
			await this.until(order, 'paid');
			await Promise.all(['0.50', '1.25'].slice(this.chance.below(2)).map((amount) => this.refund(order, amount)));
		} },
		'gets all of it back': { weight: 5, act: async (order) => {
			if (await this.pay(order, this.chance.one(['pm_card_visa', 'pm_card_visa', 'pm_card_pendingRefund'])) !== 'succeeded')
				return;
			await this.until(order, 'paid');
			if (this.chance.is(0.4))
				await this.refund(order, '0.75');
			/* Two who work in the same office. */
			await Promise.all([this.refund(order), ...this.chance.is(0.3) ? [this.refund(order)] : []]);
			order.ends = ['refunded'];
		} },
		'gets it back twice': { weight: 4, act: async (order) => {
			if (await this.pay(order, 'pm_card_visa') !== 'succeeded')
				return;
			order.ends = ['refunded'];
			await this.until(order, 'paid');
			/* Somebody at Stripe's dashboard, and somebody here. */
			const intent = await this.intentOf(order);
			await Promise.all([this.stripe('/v1/refunds', { payment_intent: intent.id }), this.refund(order)]);
		} },
		'gets the goods': { weight: 5, act: async (order) => {
			if (await this.pay(order, 'pm_card_visa') !== 'succeeded')
				return;
			await this.until(order, 'paid');
			for (const status of ['processing', 'shipped', 'delivered']) {
				await this.move(order, status);
				if (status === 'shipped')
					await this.track(order);
			}
			if (this.chance.is(0.5))
				await this.cancel(order, 'order_shipped');
			order.ends = ['delivered'];
		} },
		'is let down by the seller': { weight: 5, act: async (order) => {
			if (await this.pay(order, 'pm_card_visa') !== 'succeeded')
				return;
			await this.until(order, 'paid');
			const status = this.chance.one(['cancelled', 'refunded']);
			await this.move(order, status);
			order.ends = [status];
		} },
		'forgets their password': { weight: 9, alone: true, act: () =>
			this.ask(null, 'POST', '/api/auth/forgot-password', { json: { email: this.chance.one(this.people).email } }) },
	};

	async cancel({ id, who, plan }, refusal) {
		const { status, json, text } = await this.ask(who, 'POST', `/api/orders/${id}/cancel`, { json: { reason: plan } });
		if (refusal === undefined ? status !== 200 : json?.code !== refusal)
			this.violation(`cancelling order ${id} (${plan}): ${status} ${text}`);
	}

	/* Once more under the same key is the same refund; under another, another. */
	async refund({ id, plan }, amount) {
		const { status, json, text } = await this.ask(this.boss, 'POST', '/api/payments/refund',
		    { json: { orderId: id, amount, reason: 'requested_by_customer' }, key: `${this.name}-${++this.serial}` });
		if (status !== 200 && json?.code !== 'already_refunded')
			this.violation(`refunding order ${id} (${plan}): ${status} ${text}`);
	}

	/* A step already taken, by a try whose answer was lost, cannot be taken again. */
	async move({ id }, to) {
		const { status, json, text } = await this.ask(this.owner, 'PUT', `/api/orders/${id}/status`, { json: { status: to } });
		if (status !== 200 && !(json?.code === 'invalid_transition' && json.status === 409))
			this.violation(`order ${id} to ${to}: ${status} ${text}`);
	}

	async track({ id }) {
		const { status, text } = await this.ask(this.owner, 'PUT', `/api/orders/${id}/tracking`,
		    { json: { trackingNumber: `T${id}`, carrier: 'Atlas' } });
		if (status !== 200)
			this.violation(`tracking of order ${id}: ${status} ${text}`);
	}

	/* Money for an order that was cancelled, as if the intent never had been. */
	async reopened(order) {
		const intent = await tenaciously('the order\'s intent', async () => {
			const { json } = await this.ask(order.who, 'GET', `/api/orders/${order.id}`);
			return json.payment?.paymentIntentId ?? null;
		});
		if (intent === null)
			return;
		await tenaciously('the intent is open again', () => run`
			UPDATE stripe_sim.payment_intent
			   SET status = 'requires_payment_method', canceled_at = NULL, cancellation_reason = NULL
			 WHERE id = ${intent} AND status = 'canceled'`);
		await this.confirm(intent, 'pm_card_visa');
	}

	/* Another intent that says it is the order's, paid at once: an orphan. */
	async twin(order) {
		const intent = await this.intentOf(order);
		if (intent === null)
			return;
		const form = { amount: intent.amount, currency: intent.currency, confirm: 'true',
			payment_method: 'pm_card_visa', return_url: 'https://shop.example/done' };
		for (const [name, value] of Object.entries(intent.metadata))
			form[`metadata[${name}]`] = value;
		/* One key; another where Stripe may have kept a fault of its own. */
		for (let key = 1; ; await pause(50)) {
			this.strangers.set(order.id, key);
			const { status, text } = await this.try(need('SIM_URL'), 'POST', '/v1/payment_intents', {
				body: new URLSearchParams(form).toString(),
				headers: { ...asStripesClient(), 'Idempotency-Key': `twin-${order.key}-${key}` },
			});
			if (status === 200)
				return;
			if (status >= 400 && status < 500 && status !== 409 && status !== 429)
				throw new Error(`an intent is refused: ${text}`);
			if (status === 500)
				key++;
		}
	}

	async intentOf(order) {
		const { json } = await this.ask(order.who, 'GET', `/api/orders/${order.id}`);
		if (json.payment === null)
			return null;
		for (;;) {
			const { status, json: intent } = await this.try(need('SIM_URL'), 'GET',
			    `/v1/payment_intents/${json.payment.paymentIntentId}`, { headers: asStripesClient() });
			if (status === 200)
				return intent;
			await pause(50);
		}
	}

	/* One visit to the shop. */
	async visit() {
		const weights = Object.fromEntries(Object.entries(this.intentions).map(([name, { weight }]) => [name, weight]));
		const plan = this.chance.weighted(weights);
		const { act, alone } = this.intentions[plan];
		this.plans.add(plan);
		if (alone)
			return act();
		const order = await this.place(plan);
		if (order === null)
			return this.plans.add('(there was not enough)');
		await act(order);
		if (this.chance.is(0.2))
			await this.ask(order.who, 'GET', `/api/payments/order/${order.id}`);
	}

	/* Until `done()`; what goes wrong in a visit ends it, and is told. */
	async throng(width, done) {
		await Promise.all(Array.from({ length: width }, async () => {
			while (!done())
				try {
					await this.visit();
				} catch (error) {
					this.violation(error.message);
				}
		}));
	}
}
