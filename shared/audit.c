#include "audit.h"

QUERY(add_entry,
	"SELECT ops.audit_add(ROW($1, $2, $3)::ops.caller, $4, $5, $6, $7)");

void
audit(struct req *rq, const char *action, const char *target, const char *before,
    const char *after)
{
	db_run(rq, &add_entry, req_user(rq), req_address(rq), req_id(rq), action, target,
	    before, after);
}
