#include "operator_act.h"
#include "audit.h"
#include "json.h"

struct status
operator_act_reply(struct req *rq, const char *object, const char *act, const char *id,
    const char *reason, const struct row *changed)
{
	struct json *after = json_new(rq);

	if (changed == NULL)
		return fail(rq, ERR_NOT_FOUND);
	json_open(after, '{');
	json_key(after, object);
	json_raw(after, row_text(changed, "after"));
	json_member(after, "reason", reason);
	audit(rq, fmt(rq, "%s.%s", object, act), fmt(rq, "%s:%s", object, id),
	    row_text(changed, "before"), json_text(after));
	return reply_row(rq, 200, changed);
}

struct status
operator_requeue_reply(struct req *rq, const char *objects, const char *by, const char *those,
    const char *reason, int64_t requeued)
{
	struct json *answer = json_new(rq), *after = json_new(rq);

	json_open(after, '{');
	json_member(after, by, those);
	json_key(after, "requeued");
	json_int(after, requeued);
	json_member(after, "reason", reason);
	audit(rq, fmt(rq, "%s.requeue", objects), objects, NULL, json_text(after));

	json_open(answer, '{');
	json_key(answer, "requeued");
	json_int(answer, requeued);
	json_key(answer, "more");
	json_bool(answer, requeued == REQUEUE_MOST);
	return reply_json(rq, 200, json_text(answer));
}
