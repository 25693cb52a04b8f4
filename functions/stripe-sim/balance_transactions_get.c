/*
 * GET /v1/balance_transactions/{id}
 */
#include "sim.h"

struct input { const char *id; };

static const struct sim_param params[] = {
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(get_balance_transaction) = {
	.method  = HTTP_GET,
	.path    = "/v1/balance_transactions/{id}",
	.summary = "What moved, and its fee",
	SIM_ENDPOINT,
	SIM_ID("The balance transaction")
};

static struct status
get_balance_transaction(struct req *rq)
{
	const struct input *in = req_input(rq);

	return sim_call(rq, SIM_SHOP, "retrieve_balance_transaction", in->id, params);
}
