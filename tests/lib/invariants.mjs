/*
 * What must hold whatever dies, numbered as in the design of the saga.
 *
 * ALWAYS holds at every instant, also while things are dying.  SETTLED holds
 * of orders whose sagas have come to rest.  Each statement selects violations.
 */
import assert from 'node:assert/strict';
import { raw, rows, value } from './sql.mjs';
import { stripe } from './simulator.mjs';
import { until } from './wait.mjs';

const ALWAYS = {
	'V1 every unit received is available, reserved or sold': `
		SELECT * FROM catalog.stock
		 WHERE available + reserved + sold <> received
		    OR available < 0 OR reserved < 0 OR sold < 0`,
	'V1 reserved and sold are what the lines say': `
		SELECT s.*, l.held, l.gone FROM catalog.stock s
		  LEFT JOIN (SELECT product_id,
		                    coalesce(sum(quantity) FILTER (WHERE reservation = 'held'), 0) AS held,
		                    coalesce(sum(quantity) FILTER (WHERE reservation = 'sold'), 0) AS gone
		               FROM orders.item GROUP BY product_id) l USING (product_id)
		 WHERE s.reserved <> coalesce(l.held, 0) OR s.sold <> coalesce(l.gone, 0)`,
	'V1 the inventory log adds up to the stock': `
		SELECT s.* FROM catalog.stock s
		  LEFT JOIN (SELECT product_id, sum(change) AS available,
		                    coalesce(sum(quantity) FILTER (WHERE kind = 'sold'), 0)
		                  - coalesce(sum(quantity) FILTER (WHERE kind = 'returned'), 0) AS sold,
		                    coalesce(sum(quantity) FILTER (WHERE kind = 'reserved'), 0)
		                  - coalesce(sum(quantity) FILTER (WHERE kind IN ('released', 'sold')), 0) AS reserved
		               FROM catalog.inventory_log GROUP BY product_id) l USING (product_id)
		 WHERE s.available <> coalesce(l.available, 0) OR s.reserved <> coalesce(l.reserved, 0)
		    OR s.sold <> coalesce(l.sold, 0)`,
	'a product\'s rating is that of its reviews': `
		SELECT p.id, p.rating_sum, p.rating_count, p.rating_average, r.* FROM catalog.product p
		  LEFT JOIN (SELECT product_id, count(*) AS n, sum(rating) AS total, round(avg(rating), 2) AS mean
		               FROM catalog.review WHERE hidden_at IS NULL GROUP BY product_id) r ON r.product_id = p.id
		 WHERE p.rating_count <> coalesce(r.n, 0) OR p.rating_sum <> coalesce(r.total, 0)
		    OR p.rating_average <> coalesce(r.mean, 0)`,
	'no category is below itself': `
		WITH RECURSIVE above AS (
			SELECT id, parent_id FROM catalog.category WHERE parent_id IS NOT NULL
			UNION
			SELECT a.id, c.parent_id FROM above a JOIN catalog.category c ON c.id = a.parent_id
			 WHERE c.parent_id IS NOT NULL)
		SELECT * FROM above WHERE id = parent_id`,
	'V3 sold lines are of orders that were paid': `
		SELECT i.* FROM orders.item i JOIN orders.orders o ON o.id = i.order_id
		 WHERE (i.reservation = 'sold') <> (o.status IN ('paid', 'processing', 'shipped', 'delivered')
		    OR (o.status = 'refunded' AND o.shipped_at IS NOT NULL))`,
	'V3 returned lines are of orders that were paid, and given up before they were sent': `
		SELECT i.* FROM orders.item i JOIN orders.orders o ON o.id = i.order_id
		 WHERE i.reservation = 'returned'
		   AND (o.status NOT IN ('cancelled', 'refunded') OR o.paid_at IS NULL OR o.shipped_at IS NOT NULL)`,
	'V4 a live saga has an alarm that will ring, one at rest has none': `
		SELECT * FROM orders.saga
		 WHERE (state IN ('running', 'waiting', 'compensating')) <> (wake_at IS NOT NULL)
		    OR wake_at > now() + interval '3 days'`,
	'V5 every order has its saga and its payment': `
		SELECT o.id FROM orders.orders o
		 WHERE NOT EXISTS (SELECT FROM orders.saga s WHERE s.order_id = o.id AND s.kind = 'order')
		    OR NOT EXISTS (SELECT FROM payments.payment p WHERE p.order_id = o.id)`,
	'V6 a key names one order, an order one key': `
		SELECT reference FROM ops.idempotency WHERE reference <> 'event'	-- not a CloudEvent's id
		 GROUP BY reference HAVING count(*) > 1`,
	'V7 a key\'s order is its user\'s': `
		SELECT k.* FROM ops.idempotency k JOIN orders.orders o ON o.id::text = k.reference
		 WHERE o.user_id <> k.user_id`,
	'V8 the ledger sums to zero, in every currency': `
		SELECT currency, sum(amount) FROM payments.posting GROUP BY currency HAVING sum(amount) <> 0`,
	'V9 each order\'s ledger sums to zero': `
		SELECT order_id, sum(amount) FROM payments.posting GROUP BY order_id HAVING sum(amount) <> 0`,
	'V9 no more goes back than came': `
		SELECT order_id FROM payments.ledger GROUP BY order_id
		HAVING sum(CASE kind WHEN 'refund' THEN amount WHEN 'refund_reversal' THEN -amount ELSE 0 END)
		     > sum(amount) FILTER (WHERE kind = 'capture')`,
	/* What somebody gives back at Stripe meanwhile, Stripe will say. */
	'V9 no more is asked back of a payment here than came': `
		SELECT r.order_id, r.intent FROM payments.refund r
		  JOIN orders.saga s ON s.kind = 'refund' AND s.order_id = r.order_id AND s.subject = r.id::text
		  LEFT JOIN payments.ledger l ON l.stripe_id = r.intent AND l.kind = 'capture'
		 WHERE r.status IN ('pending', 'succeeded')
		 GROUP BY r.order_id, r.intent, l.amount
		HAVING sum(r.amount) > coalesce(l.amount, 0)`,
	'V9 the ledger has every refund that succeeded, and no other': `
		SELECT r.id, r.status, l.* FROM payments.refund r
		  FULL JOIN (SELECT stripe_id, sum(CASE kind WHEN 'refund' THEN amount ELSE -amount END) AS amount
		               FROM payments.ledger WHERE kind IN ('refund', 'refund_reversal')
		              GROUP BY stripe_id) l ON l.stripe_id = r.stripe_refund_id
		 WHERE coalesce(l.amount, 0) <> CASE r.status WHEN 'succeeded' THEN r.amount ELSE 0 END`,
	'V9 payment and order say how much has gone back': `
		SELECT p.order_id, p.status, o.payment_status, p.refund_amount, r.back
		  FROM payments.payment p JOIN orders.orders o ON o.id = p.order_id,
		       LATERAL (SELECT coalesce(sum(amount), 0) AS back FROM payments.refund
		                 WHERE order_id = p.order_id AND intent = p.stripe_payment_intent_id
		                   AND status = 'succeeded') r
		 WHERE p.refund_amount <> r.back OR (p.captured_at IS NOT NULL AND (p.status <> o.payment_status
		    OR p.status <> CASE r.back WHEN 0 THEN 'succeeded' WHEN p.amount THEN 'refunded' ELSE 'partially_refunded' END))
		    OR (o.status = 'refunded' AND p.status <> 'refunded')`,
	'every refund asked for here has its saga, and that its refund': `
		SELECT r.id, s.id FROM (SELECT * FROM payments.refund WHERE stripe_refund_id IS NULL) r
		  FULL JOIN (SELECT id, subject FROM orders.saga WHERE kind = 'refund') s ON s.subject = r.id::text
		 WHERE (r.id IS NOT NULL AND s.id IS NULL AND r.status = 'pending')
		    OR (s.id IS NOT NULL AND NOT EXISTS (SELECT FROM payments.refund f WHERE f.id::text = s.subject))`,
	'V9 a dispute takes its money once, and gives back what it took': `
		SELECT d.*, o.amount AS taken, b.amount AS back FROM payments.dispute d
		  FULL JOIN (SELECT * FROM payments.ledger WHERE kind = 'dispute') o ON o.stripe_id = d.stripe_dispute_id
		  FULL JOIN (SELECT * FROM payments.ledger WHERE kind = 'dispute_reversal') b USING (stripe_id)
		 WHERE d.id IS NULL AND (o.id IS NOT NULL OR b.id IS NOT NULL)
		    OR o.order_id <> d.order_id OR (d.status = 'lost' AND (o.id IS NULL OR b.id IS NOT NULL))
		    OR (b.id IS NOT NULL AND (o.amount, o.currency) IS DISTINCT FROM (b.amount, b.currency))`,
	'V10 an order is paid once': `
		SELECT order_id FROM orders.history h WHERE new_status = 'paid' AND old_status <> 'refunded'
		 GROUP BY order_id HAVING count(*) > 1`,
	'V11 every paid order was confirmed, in its history and its saga': `
		SELECT o.id FROM orders.orders o
		 WHERE o.status = 'paid' AND (NOT EXISTS (
			SELECT FROM orders.history h WHERE h.order_id = o.id AND h.new_status = 'paid')
		    OR NOT EXISTS (
			SELECT FROM orders.saga s WHERE s.order_id = o.id AND s.kind = 'order' AND s.state = 'done'))`,
	'V13 a paid order\'s money is in the ledger, all of it': `
		SELECT o.id FROM orders.orders o
		 WHERE o.status IN ('paid', 'processing', 'shipped', 'delivered') AND o.total_amount IS DISTINCT FROM (
			SELECT sum(l.amount) FROM payments.ledger l
			  JOIN payments.payment p ON p.order_id = l.order_id AND p.stripe_payment_intent_id = l.stripe_id
			 WHERE l.order_id = o.id AND l.kind = 'capture')`,
	'V16 what is asked for is what the order costs, and the order its lines': `
		SELECT o.id FROM orders.orders o JOIN payments.payment p ON p.order_id = o.id
		 WHERE p.amount <> o.total_amount OR p.currency <> o.currency
		    OR o.total_amount <> o.subtotal + o.tax_amount + o.shipping_cost - o.discount_amount
		    OR o.subtotal <> (SELECT sum(i.quantity * i.unit_price) FROM orders.item i WHERE i.order_id = o.id)`,
	'an order comes to the same, computed again from its own columns': `
		SELECT o.id, o.totals_rule, o.subtotal, o.tax_amount, o.total_amount, t.* FROM orders.orders o
		 CROSS JOIN LATERAL (
			SELECT array_agg(quantity) AS quantities, array_agg(unit_price) AS prices
			  FROM orders.item i WHERE i.order_id = o.id) l
		 CROSS JOIN LATERAL orders.totals_of(o.totals_rule, l.quantities, l.prices,
			o.tax_rate_bps, o.shipping_cost, o.discount_amount) t
		 WHERE (o.subtotal, o.tax_amount, o.total_amount)
		       IS DISTINCT FROM (t.subtotal, t.tax_amount, t.total_amount)`,
	'a history is a walk through the states': `
		SELECT * FROM (
			SELECT h.*, lag(new_status) OVER (PARTITION BY order_id ORDER BY id) AS before
			  FROM orders.history h) w
		 WHERE old_status IS DISTINCT FROM before`,
	'an order is where its history ends': `
		SELECT o.id, o.status FROM orders.orders o
		 WHERE o.status <> (SELECT h.new_status FROM orders.history h
		                     WHERE h.order_id = o.id ORDER BY h.id DESC LIMIT 1)`,
	'a timeline has no holes': `
		SELECT saga_id FROM orders.saga_event GROUP BY saga_id
		HAVING count(*) <> max(seq) - min(seq) + 1`,
};

/* Of the orders in chosen(id). */
export const SETTLED = {
	'V2 nothing is reserved any more': `
		SELECT i.* FROM orders.item i JOIN chosen USING (order_id) WHERE i.reservation = 'held'`,
	'V4 every saga is at its end': `
		SELECT s.* FROM orders.saga s JOIN chosen USING (order_id) WHERE s.state NOT IN ('done', 'compensated')`,
	'V4 every refund is at its end': `
		SELECT r.* FROM payments.refund r JOIN chosen USING (order_id) WHERE r.status = 'pending'`,
	'V5 every order is at its end': `
		SELECT o.id, o.status FROM orders.orders o JOIN chosen ON o.id = order_id
		 WHERE o.status NOT IN ('paid', 'processing', 'shipped', 'delivered', 'cancelled', 'refunded')`,
	'V15 a cancelled order holds no money': `
		SELECT o.id FROM orders.orders o JOIN chosen ON o.id = order_id
		 WHERE o.status = 'cancelled' AND 0 <> (
			SELECT coalesce(sum(CASE WHEN l.kind = 'refund' THEN -l.amount
			                         WHEN l.kind LIKE 'dispute%' THEN 0 ELSE l.amount END), 0)
			  FROM payments.ledger l WHERE l.order_id = o.id)`,
	'V19 every event about the orders has had its effect': `
		SELECT e.id, e.type, e.outcome FROM payments.webhook_event e JOIN chosen USING (order_id)
		 WHERE e.outcome IS NULL OR e.outcome IN ('early', 'mismatch')
		    OR (e.type = 'payment_intent.succeeded' AND e.outcome NOT IN ('paid', 'already', 'retaken', 'refunding'))`,
};

/* Of a statement that finds much, five are enough. */
export async function hold(statements) {
	for (const [name, sql] of Object.entries(statements))
		assert.deepEqual(await rows`SELECT * FROM (${raw(sql)}) v LIMIT 5`, [], name);
}

export const always = () => hold(ALWAYS);

/* Waits for the orders' sagas to come to rest. */
export function rest(orders, options = { seconds: 40 }) {
	return until(`the sagas of orders ${orders} rest`, async () => {
		const live = await rows`
			SELECT order_id, kind, state, step, attempt, last_error FROM orders.saga
			 WHERE order_id = ANY (${`{${orders}}`}) AND wake_at IS NOT NULL`;
		if (live.length > 0)
			throw new Error(JSON.stringify(live));
		return true;
	}, options);
}

/* A list of Stripe's, newest first, as far back as a time. */
async function list(path, since) {
	const found = [];

	for (let after = ''; ;) {
		const { data, has_more: more } = (await stripe('GET', `${path}?limit=100${after}`)).json;
		found.push(...data);
		if (!more || data.at(-1).created < since)
			return found;
		after = `&starting_after=${data.at(-1).id}`;
	}
}

/* Stripe's own books since a time (in seconds): each order's intents, with what
 * went back of each. */
export async function stripeBooks(since = 0) {
	const back = new Map();
	const books = new Map();
	const add = (map, key, what) => map.set(key, [...(map.get(key) ?? []), what]);

	for (const refund of await list('/v1/refunds', since))
		add(back, refund.payment_intent, refund);
	for (const intent of await list('/v1/payment_intents', since)) {
		const refunds = back.get(intent.id) ?? [];
		intent.refunded = refunds.filter(({ status }) => status === 'succeeded').reduce((sum, refund) => sum + refund.amount, 0);
		intent.refunds = Object.fromEntries(refunds.map(({ id, amount, status }) =>
		    [id, `${amount} ${status === 'canceled' ? 'cancelled' : status}`]));
		add(books, Number(intent.metadata.order_id), intent);
	}
	return books;
}

/* Every intent that Stripe has for an order, with what went back of it. */
export async function intentsOf(order) {
	const since = await value`SELECT floor(extract(epoch FROM created_at)) - 5 FROM orders.orders WHERE id = ${order}`;
	return (await stripeBooks(since)).get(order) ?? [];
}

/* Stripe's books on the chosen orders against ours. */
async function agree(chosen, most) {
	const ours = await rows`
		SELECT o.id, o.status, o.total_amount, p.stripe_payment_intent_id AS intent, p.key_generation,
		       p.refund_amount, floor(extract(epoch FROM o.created_at)) - 5 AS since,
		       coalesce(l.captured, 0) AS captured, coalesce(l.refunded, 0) AS refunded,
		       coalesce(r.refunds, '{}') AS refunds
		  FROM orders.orders o JOIN payments.payment p ON p.order_id = o.id
		  LEFT JOIN (SELECT order_id, sum(amount) FILTER (WHERE kind = 'capture') AS captured,
		                    sum(CASE kind WHEN 'refund' THEN amount WHEN 'refund_reversal' THEN -amount END) AS refunded
		               FROM payments.ledger GROUP BY 1) l ON l.order_id = o.id
		  LEFT JOIN (SELECT order_id, json_object_agg(stripe_refund_id, amount || ' ' || status) AS refunds
		               FROM payments.refund WHERE stripe_refund_id IS NOT NULL GROUP BY 1) r ON r.order_id = o.id
		 WHERE o.id IN (${raw(chosen)})`;
	const stripes = await stripeBooks(Math.min(...ours.map(({ since }) => since)));

	for (const order of ours) {
		const intents = stripes.get(order.id) ?? [];
		const told = `order ${JSON.stringify(order)}: ${JSON.stringify(intents)}`;
		const sum = (of) => intents.reduce((total, intent) => total + of(intent), 0);

		/* V14, V15 */
		const payable = intents.filter(({ status }) => !['succeeded', 'canceled'].includes(status));
		assert.equal(payable.length, 0, `V15 nothing at rest can be paid: ${told}`);
		if (order.intent !== null)
			assert.ok(intents.some(({ id }) => id === order.intent), `V14 the order's intent exists: ${told}`);
		assert.ok(intents.length <= most(order), `V14 one intent for an order: ${told}`);
		/* V12, V13 */
		assert.equal(sum((intent) => intent.amount_received), order.captured, `V12 captured is in our ledger: ${told}`);
		assert.equal(sum((intent) => intent.refunded), order.refunded, `V12 refunded is in our ledger: ${told}`);
		assert.deepEqual(Object.assign({}, ...intents.map(({ refunds }) => refunds)), order.refunds,
		    `V12 Stripe's refunds, one by one, are ours: ${told}`);
		const kept = order.captured - order.refunded;
		if (['cancelled', 'refunded'].includes(order.status))
			assert.equal(kept, 0, `V12 what was given up has gone back: ${told}`);
		else
			assert.equal(kept, order.total_amount - order.refund_amount,
			    `V12 captured means paid or refunded, never both or neither: ${told}`);
		/* V16 */
		for (const intent of intents)
			assert.equal(intent.amount, order.total_amount, `V16 amounts agree: ${told}`);
	}
}

/*
 * Everything, of orders that shall have come to rest.  `once`: Stripe may have
 * only one intent for each.
 */
export async function settled(orders, { once = true } = {}) {
	await rest(orders);
	await hold(ALWAYS);
	await ended(`SELECT unnest('{${orders}}'::bigint[])`, () => once ? 1 : Infinity);
}

/*
 * The same of every order there is, whose sagas do rest.  A new key after a
 * fault that Stripe keeps under the old one may make a second intent; besides,
 * an order has those that `strangers` (a Map) says.
 */
export async function allSettled(strangers) {
	await hold(ALWAYS);
	await ended('SELECT id FROM orders.orders',
	    ({ id, key_generation: keys }) => 1 + keys + (strangers.get(id) ?? 0));
}

async function ended(chosen, most) {
	await hold(Object.fromEntries(Object.entries(SETTLED).map(([name, sql]) => [name,
	    `WITH chosen (order_id) AS (${chosen}) SELECT * FROM (${sql}) v`])));
	await agree(chosen, most);
}
