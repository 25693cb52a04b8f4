/*
 * What goes wrong at Stripe, on purpose: the simulator's fault switches, set
 * where it keeps them, so that a switch also works while it does not answer.
 */
import { run } from './sql.mjs';

/*
 * kind: rate_limit, error_before, error_after, stall, drop, webhook_drop,
 * webhook_duplicate, webhook_reorder, webhook_delay; event_twice, settle_delay
 * (the path is then that of the payment intent).  Until it is cleared.
 */
export function fault(kind, { method = null, path = null, event = null, ms = 0 } = {}) {
	return run`INSERT INTO stripe_sim.fault (kind, method, path, event_type, ms)
	           VALUES (${kind}, ${method}, ${path}, ${event}, ${ms})`;
}

export const clearFaults = () => run`DELETE FROM stripe_sim.fault`;

/* An intent that was cancelled, as if it never had been. */
export function reopen(intent) {
	return run`UPDATE stripe_sim.payment_intent
	              SET status = 'requires_payment_method', canceled_at = NULL, cancellation_reason = NULL
	            WHERE id = ${intent}`;
}
