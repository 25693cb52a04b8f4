#include "audit.h"
#include "product_claim.h"

/* With the stock, which is a part of what is read and compared.  It is locked
 * first, as by an order. */
QUERY(claim,
	"SELECT p.seller_id <> $2 AS is_others FROM catalog.stock s JOIN catalog.product p ON p.id = s.product_id"
	" WHERE p.id = $1 AND p.deleted_at IS NULL AND ($3::boolean OR p.seller_id = $2)"
	"   FOR NO KEY UPDATE");

/* By a statement of its own: it sees what the lock has waited for. */
QUERY(versions,
	"SELECT row_to_json(w) AS for_seller, (SELECT row_to_json(a)"
	"         FROM catalog.product_wire a WHERE a.id = w.id) AS for_anyone"
	"  FROM catalog.product_wire_seller w WHERE w.id = $1");

QUERY(find,
	"SELECT row_to_json(w) FROM catalog.product_wire_seller w WHERE id = $1");

void
product_claim(struct req *rq, const char *id, const char *action)
{
	const struct row *claimed = db_one(rq, &claim, id, req_user(rq),
	    req_is(rq, ACCESS_ADMIN) ? "true" : "false"), *now;

	if (claimed == NULL)
		fail(rq, ERR_NOT_FOUND);
	if (row_bool(claimed, "is_others"))
		audit(rq, action, fmt(rq, "product:%s", id), NULL, NULL);
	if (!req_is_conditional(rq))
		return;
	now = db_one(rq, &versions, id);
	if (!req_matches(rq, row_text(now, "for_seller")) &&
	    !req_matches(rq, row_text(now, "for_anyone")))
		fail(rq, ERR_PRECONDITION_FAILED);
}

struct status
product_reply(struct req *rq, int http_status, const char *id)
{
	return reply_row(rq, http_status, db_one(rq, &find, id));
}
