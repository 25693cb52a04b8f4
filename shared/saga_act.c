#include "json.h"
#include "lease.h"
#include "saga_shape.h"

QUERY(find_saga,
	"SELECT orders.saga_json(s) AS saga FROM orders.saga s WHERE id = $1");

struct status
saga_act_reply(struct req *rq, const char *saga, const char *outcome)
{
	const struct row *row = db_one(rq, &find_saga, saga);
	struct json *answer = json_new(rq);

	if (row == NULL)
		return fail(rq, ERR_NOT_FOUND);
	json_open(answer, '{');
	json_member(answer, "outcome", outcome);
	json_key(answer, "saga");
	json_raw(answer, row_text(row, "saga"));
	return reply_json(rq, 200, json_text(answer));
}

struct status
saga_act(struct req *rq, const struct query *take, const char *id, const char *reason)
{
	struct saga *saga;

	/* An earlier try took it and died: it goes on by itself. */
	if (req_reference(rq) != NULL)
		return saga_act_reply(rq, id, "retry");
	saga = saga_of(rq, db_one(rq, take, id, reason, req_user(rq), req_address(rq),
	    req_id(rq), lease_owner(rq), text(rq, SAGA_LEASE_S), req_idempotency_key(rq),
	    req_fingerprint(rq)));
	fault_point("operator_after_commit");
	if (saga == NULL)
		return fail(rq, ERR_NOT_FOUND);
	return saga_act_reply(rq, id, saga_drive(rq, saga));
}
