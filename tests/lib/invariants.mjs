/*
 * What must hold whatever dies, numbered as in the design of the saga.
 *
 * ALWAYS holds at every instant, also while things are dying.  SETTLED holds
 * of orders whose sagas have come to rest.  Each statement selects violations.
 */
import assert from 'node:assert/strict';
import { raw, rows } from './sql.mjs';
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
	'V4 a live saga has an alarm, one at rest has none': `
		SELECT * FROM orders.saga
		 WHERE (state IN ('running', 'waiting', 'compensating')) <> (wake_at IS NOT NULL)`,
	'V5 every order has its saga and its payment': `
		SELECT o.id FROM orders.orders o
		 WHERE NOT EXISTS (SELECT FROM orders.saga s WHERE s.order_id = o.id AND s.kind = 'order')
		    OR NOT EXISTS (SELECT FROM payments.payment p WHERE p.order_id = o.id)`,
	'V6 a key names one order, an order one key': `
		SELECT reference FROM ops.idempotency WHERE reference IS NOT NULL
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
	'V9 no more is asked back of a payment than came': `
		SELECT r.order_id, r.intent FROM payments.refund r
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
const SETTLED = {
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
			SELECT coalesce(sum(CASE l.kind WHEN 'refund' THEN -l.amount ELSE l.amount END), 0)
			  FROM payments.ledger l WHERE l.order_id = o.id)`,
	'V19 every event about the orders has had its effect': `
		SELECT e.id, e.type, e.outcome FROM payments.webhook_event e JOIN chosen USING (order_id)
		 WHERE e.outcome IS NULL OR e.outcome IN ('early', 'mismatch')
		    OR (e.type = 'payment_intent.succeeded' AND e.outcome NOT IN ('paid', 'already', 'retaken', 'refunding'))`,
};

async function hold(statements) {
	for (const [name, sql] of Object.entries(statements)) {
		const violations = await rows`${raw(sql)}`;
		assert.deepEqual(violations.slice(0, 5), [], name);
	}
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

/* Stripe's books on these orders against ours. */
async function books(orders) {
	const ours = await rows`
		SELECT o.id, o.status, o.total_amount, p.stripe_payment_intent_id AS intent,
		       coalesce((SELECT sum(amount) FROM payments.ledger l
		                  WHERE l.order_id = o.id AND kind = 'capture'), 0) AS captured,
		       coalesce((SELECT sum(CASE kind WHEN 'refund' THEN amount ELSE -amount END)
		                   FROM payments.ledger l WHERE l.order_id = o.id
		                    AND kind IN ('refund', 'refund_reversal')), 0) AS refunded,
		       coalesce((SELECT json_object_agg(stripe_refund_id, amount || ' ' || r.status)
		                   FROM payments.refund r
		                  WHERE r.order_id = o.id AND stripe_refund_id IS NOT NULL), '{}') AS refunds
		  FROM orders.orders o JOIN payments.payment p ON p.order_id = o.id
		 WHERE o.id = ANY (${`{${orders}}`})`;

	for (const order of ours) {
		const intents = await intentsOf(order.id);
		const told = `order ${JSON.stringify(order)}: ${JSON.stringify(intents)}`;
		const sum = (of) => intents.reduce((total, intent) => total + of(intent), 0);

		/* V14, V15 */
		const payable = intents.filter(({ status }) => !['succeeded', 'canceled'].includes(status));
		assert.equal(payable.length, 0, `V15 nothing at rest can be paid: ${told}`);
		if (order.intent !== null)
			assert.ok(intents.some(({ id }) => id === order.intent), `V14 the order's intent exists: ${told}`);
		/* V12, V13 */
		assert.equal(sum((intent) => intent.amount_received), order.captured, `V12 captured is in our ledger: ${told}`);
		assert.equal(sum((intent) => intent.refunded), order.refunded, `V12 refunded is in our ledger: ${told}`);
		assert.deepEqual(Object.assign({}, ...intents.map(({ refunds }) => refunds)), order.refunds,
		    `V12 Stripe's refunds, one by one, are ours: ${told}`);
		const kept = order.captured - order.refunded;
		if (['cancelled', 'refunded'].includes(order.status))
			assert.equal(kept, 0, `V12 what was given up has gone back: ${told}`);
		else
			assert.ok(kept > 0 && kept <= order.total_amount, `V12 captured means paid or refunded, never both or neither: ${told}`);
		/* V16 */
		for (const intent of intents)
			assert.equal(intent.amount, order.total_amount, `V16 amounts agree: ${told}`);
	}
	return ours;
}

/* Every intent that Stripe has for an order, with what went back of it. */
export async function intentsOf(order) {
	const found = [];
	let after = '';

	for (;;) {
		const page = (await stripe('GET', `/v1/payment_intents?limit=100${after}`)).json;
		found.push(...page.data.filter(({ metadata }) => metadata.order_id === String(order)));
		/* Newest first: an intent older than the order's is not its. */
		if (!page.has_more || (found.length > 0 && !page.data.some(({ metadata }) => metadata.order_id === String(order))))
			break;
		after = `&starting_after=${page.data.at(-1).id}`;
	}
	for (const intent of found) {
		const refunds = (await stripe('GET', `/v1/refunds?limit=100&payment_intent=${intent.id}`)).json.data;
		intent.refunded = refunds.filter(({ status }) => status === 'succeeded').reduce((sum, refund) => sum + refund.amount, 0);
		intent.refunds = Object.fromEntries(refunds.map(({ id, amount, status }) =>
		    [id, `${amount} ${status === 'canceled' ? 'cancelled' : status}`]));
	}
	return found;
}

/*
 * Everything, of orders that shall have come to rest.  `once`: Stripe may have
 * only one intent for each.
 */
export async function settled(orders, { once = true } = {}) {
	await rest(orders);
	await always();
	await hold(Object.fromEntries(Object.entries(SETTLED).map(([name, sql]) => [name,
	    `WITH chosen AS (SELECT unnest('{${orders}}'::bigint[]) AS order_id) SELECT * FROM (${sql}) v`])));
	await books(orders);
	if (once)
		for (const order of orders)
			assert.ok((await intentsOf(order)).length <= 1, `V14 one intent for order ${order}`);
}
