/*
 * Mutants: the saga with one thing wrong each.  A run of chaos has to fail on it,
 * or the tests `by` whose names fit `only`; who does not notice has tested
 * nothing.
 *
 *   node mutants.mjs [NAME...]      all of them, beside one stack
 *
 * `from` is what the mutant lacks, `to` what it has instead: in a file, of which
 * a copy is built, or in a SQL function, as the stack's database has it.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(import.meta.url), '..', '..', '..');
const ORDER = 'shared/saga_order.c';
const REFUND = 'shared/saga_refund.c';
const LEASES = 'tests/saga/leases.test.mjs';
const FENCES = 'epoch|fences off';
const STRIPE = 'tests/saga/stripe.test.mjs';
const CRASH = 'tests/saga/crash.test.mjs';
const CANCEL = 'tests/saga/cancel.test.mjs';
const RELAY = 'tests/events/relay.test.mjs';
const REFUNDS = 'tests/saga/refund.test.mjs';
const WEBHOOKS = 'tests/api/payments/webhook.test.mjs';

export const MUTANTS = [
	/* Leases and epochs. */
	{ name: 'no fencing', sql: 'orders.saga_lock', from: 's.epoch = p_epoch AND ', to: '', by: LEASES, only: FENCES },
	{ name: 'no fencing of one who waits', sql: 'orders.saga_wait_v1', from: 'AND epoch = p_epoch ', to: '', by: LEASES, only: FENCES },
	{ name: 'a claim raises no epoch', sql: 'orders.saga_claim_order', from: 'epoch = epoch + 1', to: 'epoch = epoch', by: LEASES, only: FENCES },
	{ name: 'a sweep raises no epoch', sql: 'orders.saga_claim', from: 'epoch = epoch + 1', to: 'epoch = epoch', by: LEASES, only: FENCES },
	{ name: 'a refund is claimed without an epoch', sql: 'orders.saga_claim_refund', from: 'epoch = epoch + 1', to: 'epoch = epoch', by: LEASES, only: FENCES },
	{ name: 'cancelling fences nobody off', sql: 'orders.cancel_v1', from: 'epoch = epoch + 1', to: 'epoch = epoch', by: LEASES, only: FENCES },
	{ name: 'no alarm at the start', sql: 'orders.place_v1', from: 'now() + make_interval(secs => p_lease_s)', to: "'infinity'",
		by: CRASH, only: 'nobody asks again' },
	{ name: 'no alarm while it waits', sql: 'orders.saga_intent_created_v1',
		from: 'least(deadline, now() + make_interval(secs => p_wake_s))', to: "'infinity'",
		by: CRASH, only: 'the webhook dies at webhook_before_commit' },
	{ name: 'no alarm while it is undone', sql: 'orders.saga_compensate_v1',
		from: 'now() + make_interval(secs => p_lease_s)', to: "'infinity'",
		by: CRASH, only: 'undoing dies at compensate_before_cancel' },
	{ name: 'no alarm of a refund', sql: 'payments.refund_add', from: "'refund_payment', now()", to: "'refund_payment', 'infinity'" },

	/* What comes first. */
	{ name: 'stock is released before the intent is cancelled', sql: 'orders.saga_compensate_v1',
		from: "RETURN 'compensating'", to: "PERFORM orders.move_lines(s.order_id, 'released');\n\tRETURN 'compensating'" },
	{ name: 'undone without cancelling', file: ORDER,
		from: 'fault_point("compensate_before_cancel");', to: 'return compensated(rq, s);',
		by: STRIPE, only: 'not paid in time|time to pay runs out' },
	{ name: 'a cancellation without an answer counts', file: ORDER,
		from: 'if (one_of(status, "canceled") ||', to: 'if (r.outcome == STRIPE_AWAY || one_of(status, "canceled") ||' },
	{ name: 'a cancellation refused counts', file: ORDER,
		from: 'if (one_of(status, "canceled") ||', to: 'if (one_of(status, "canceled", "succeeded") ||',
		by: CRASH, only: 'no webhook comes: paid' },
	{ name: 'a step in doubt is not resolved', file: ORDER,
		from: 'if (s->intent == NULL) {\n', to: 'if (s->intent == NULL) {\n\t\treturn compensated(rq, s);\n',
		by: CANCEL, only: 'while its intent is being made' },
	{ name: 'a refund counts before Stripe has made it', sql: 'payments.refund_add', from: 'RETURN p_id', to: `
		PERFORM orders.refund_seen_v1(p_intent, 're_' || p_id, p_amount, p_currency, 'succeeded', NULL, p_id::text, NULL);
		RETURN p_id` },

	/* Keys. */
	{ name: 'a fresh key for each try of an intent', file: ORDER,
		from: 'fmt(rq, "intent-%s", s->generation)', to: 'fmt(rq, "intent-%llu", (unsigned long long)now_us())' },
	{ name: 'a new key without looking what the old one made', file: ORDER,
		from: '!find_intent(rq, s, &found))\n\t\treturn saga_retry(rq, s, &r, false);',
		to: '(found = NULL) != NULL)\n\t\treturn saga_retry(rq, s, &r, false);',
		by: STRIPE, only: 'says 500 for ever' },
	{ name: 'a fresh key for each try of a refund', file: REFUND,
		from: 'fmt(rq, "refund-%s-%s", s->subject, s->generation)', to: 'fmt(rq, "refund-%llu", (unsigned long long)now_us())',
		by: REFUNDS, only: 'by the same key, it is one' },
	{ name: 'a new refund without looking for the old one', file: REFUND,
		from: 'if (ours != NULL)\n\t\treturn take_answer(rq, s, ours);', to: '',
		by: REFUNDS, only: 'forgotten the key' },
	{ name: 'an order without its key', sql: 'orders.place_v1', from: 'IF p_key IS NOT NULL THEN', to: 'IF false THEN',
		by: 'tests/api/orders/place.test.mjs', only: 'with one key' },
	{ name: 'a refund without its key', sql: 'payments.refund_request_v1', from: 'IF p_key IS NOT NULL THEN', to: 'IF false THEN',
		by: 'tests/api/payments/refund.test.mjs', only: 'with one key' },
	{ name: 'what a key began is begun again', file: 'functions/orders/place.c',
		from: 'if (order != NULL) {', to: 'if (order == NULL) {',
		by: CRASH, only: 'placing dies at place_after_commit' },

	/* Events. */
	{ name: 'a webhook is not deduplicated', sql: 'payments.webhook_ingest', from: "RETURN 'duplicate'", to: 'NULL',
		by: WEBHOOKS, only: 'not looked at again' },
	{ name: 'a webhook is answered though it was not stored', file: 'functions/payments/webhook.c',
		from: 'outcome = row_text(db_one(rq, &ingest, id, type, fmt(rq, "%.*s", (int)n, body)),\n\t    "outcome");',
		to: 'outcome = "stored";', by: WEBHOOKS, only: 'event is stored' },
	{ name: 'a payment counts each time it is told', sql: 'orders.payment_succeeded_checked',
		from: "IF EXISTS (SELECT FROM payments.ledger WHERE stripe_id = p_intent AND kind = 'capture') THEN", to: 'IF false THEN',
		by: WEBHOOKS, only: 'exactly once' },
	{ name: 'nobody looks for a payment', file: ORDER,
		from: 'struct stripe_reply r = look_up(rq, s->intent);\n\tconst char *status;',
		to: 'struct stripe_reply r = { .outcome = STRIPE_AWAY, .problem = "" };\n\tconst char *status;',
		by: STRIPE, only: 'no webhook' },
	{ name: 'a refund counts each time it is told', sql: 'orders.refund_seen_v1', from: 'WHERE stripe_refund_id = p_id FOR', to: 'WHERE false FOR',
		by: 'tests/api/payments/refund.test.mjs', only: 'late, twice' },

	/* The outbox. */
	{ name: 'who lost the lease of an event reports on it', sql: 'ops.event_end', from: ' AND epoch = p_epoch', to: '',
		by: RELAY, only: 'lost the lease' },
	{ name: 'an event overtakes the one before it', sql: 'ops.event_add', from: 'IF FOUND THEN', to: 'IF false THEN',
		by: RELAY, only: 'in order' },
	{ name: 'an order that is paid is not told', sql: 'orders.history_told', from: "IF template IS NOT NULL THEN", to: "IF template <> 'order_confirmation' THEN" },

	/* Money and goods. */
	{ name: 'the capture is not in the ledger', sql: 'payments.ledger_post', from: 'ON CONFLICT', to: "WHERE p_kind <> 'capture' ON CONFLICT",
		by: STRIPE, only: 'declined, paid' },
	{ name: 'the refund is not in the ledger', sql: 'payments.ledger_post', from: 'ON CONFLICT', to: "WHERE p_kind <> 'refund' ON CONFLICT",
		by: 'tests/api/payments/refund.test.mjs', only: 'without an amount' },
	{ name: 'a late payment is kept', sql: 'orders.payment_succeeded_checked',
		from: "IF s.state = 'compensated' THEN", to: "IF s.state = 'compensated' THEN RETURN 'already';",
		by: STRIPE, only: 'money that comes late' },
	{ name: 'a late payment takes no stock again', sql: 'orders.hold_again',
		from: 'PERFORM catalog.hold(array_agg(product_id), array_agg(quantity), p_order)', to: 'PERFORM count(*)',
		by: STRIPE, only: 'money that comes late' },
	{ name: 'the payment of a stranger is the order\'s', sql: 'orders.payment_succeeded_checked',
		from: 'IF p_intent <> coalesce(p.stripe_payment_intent_id, p_intent) THEN', to: 'IF false THEN',
		by: CRASH, only: 'goes back once' },
	{ name: 'money that was faster than the cancelling is kept', sql: 'orders.payment_succeeded_checked',
		from: 'IF o.cancel_by IS NOT NULL THEN', to: 'IF false THEN',
		by: CANCEL, only: 'money was faster' },
	{ name: 'cancelled, paid and not refunded', sql: 'orders.cancel_paid', from: 'IF remaining > 0 THEN', to: 'IF false THEN',
		by: 'tests/api/orders/cancel.test.mjs', only: 'all of the money' },
	{ name: 'two refunds may be more than was paid', sql: 'payments.refundable', from: "p.amount - coalesce(sum(r.amount), 0)", to: 'p.amount',
		by: 'tests/api/payments/refund.test.mjs', only: 'twenty at once' },
	{ name: 'an order is undone and its stock is not', sql: 'orders.saga_compensated_v1',
		from: "PERFORM orders.move_lines(s.order_id, 'released');", to: '',
		by: STRIPE, only: 'not paid in time' },
	{ name: 'goods of a cancelled order do not come back', sql: 'orders.cancel_paid',
		from: "PERFORM orders.move_lines(o.id, 'returned');", to: '',
		by: 'tests/api/orders/cancel.test.mjs', only: 'all of the money' },
	{ name: 'stock comes back twice', sql: 'orders.move_lines',
		from: "AND reservation = CASE p_to WHEN 'returned' THEN 'sold' ELSE 'held' END",
		to: "AND reservation <> CASE p_to WHEN 'returned' THEN 'held' ELSE '' END" },
];

export function mutate(text, { name, from, to }) {
	if (text.split(from).length !== 2)
		throw new Error(`the mutant "${name}" does not apply: what it changes is there ${text.split(from).length - 1} times`);
	return text.replace(from, () => to);
}

/* The sources as they are, and what was built of them. */
function copy() {
	const where = mkdtempSync(join(tmpdir(), 'mutants.'));
	for (const file of execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 }).split('\0').filter(Boolean))
		cpSync(join(root, file), join(where, file), { preserveTimestamps: true });
	cpSync(join(root, 'build', 'faults'), join(where, 'build', 'faults'), { recursive: true, preserveTimestamps: true });
	return where;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const where = copy();
	try {
		process.exitCode = spawnSync(join(root, 'tests/chaos/run'),
		    [process.execPath, join(root, 'tests/chaos/hunt.mjs'), ...process.argv.slice(2)],
		    { cwd: root, stdio: 'inherit', env: { ...process.env, B: join(where, 'build', 'faults'), MUTANTS: where } }).status ?? 1;
	} finally {
		rmSync(where, { recursive: true, force: true });
	}
}
