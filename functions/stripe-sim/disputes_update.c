/*
 * POST /v1/disputes/{id}
 *
 * Evidence is handed in at once unless submit=false.  As in Stripe's test mode
 * uncategorized_text may be winning_evidence, losing_evidence or, for an
 * inquiry, escalate_inquiry_evidence.
 */
#include "sim.h"

#define EVIDENCE(name)	SIM_PARAM("evidence[" name "]", SIM_TEXT, .max = 20000, .unset = true)

struct input { const char *id; };

static const struct sim_param params[] = {
	SIM_PARAM("evidence", SIM_UNSET),
	EVIDENCE("cancellation_policy"),
	EVIDENCE("customer_communication"),
	EVIDENCE("customer_signature"),
	EVIDENCE("duplicate_charge_documentation"),
	EVIDENCE("receipt"),
	EVIDENCE("refund_policy"),
	EVIDENCE("service_documentation"),
	EVIDENCE("shipping_documentation"),
	EVIDENCE("uncategorized_file"),
	EVIDENCE("access_activity_log"),
	EVIDENCE("billing_address"),
	EVIDENCE("cancellation_policy_disclosure"),
	EVIDENCE("cancellation_rebuttal"),
	EVIDENCE("customer_email_address"),
	EVIDENCE("customer_name"),
	EVIDENCE("customer_purchase_ip"),
	EVIDENCE("duplicate_charge_explanation"),
	EVIDENCE("duplicate_charge_id"),
	EVIDENCE("product_description"),
	EVIDENCE("refund_policy_disclosure"),
	EVIDENCE("refund_refusal_explanation"),
	EVIDENCE("service_date"),
	EVIDENCE("shipping_address"),
	EVIDENCE("shipping_carrier"),
	EVIDENCE("shipping_date"),
	EVIDENCE("shipping_tracking_number"),
	EVIDENCE("uncategorized_text"),
	SIM_PARAM("submit", SIM_BOOLEAN),
	SIM_METADATA,
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(update_dispute) = {
	.method  = HTTP_POST,
	.path    = "/v1/disputes/{id}",
	.summary = "Answer a dispute",
	SIM_ENDPOINT,
	SIM_ID("The dispute")
};

static struct status
update_dispute(struct req *rq)
{
	const struct input *in = req_input(rq);

	return sim_call(rq, SIM_SHOP, "update_dispute", in->id, params);
}
