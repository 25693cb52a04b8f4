/*
 * GET /api/users/export
 *
 * All that is held on the caller, one document.  Each context gives its own
 * part (schema/070_identity.sql), so this one can read no other's tables.
 */
#include "fn.h"

#include "order_shape.h"
#include "user_shape.h"

QUERY(export,
	"SELECT users.account_export($1)");

ENDPOINT(export_account) = {
	.method  = HTTP_GET,
	.path    = "/api/users/export",
	.summary = "All that is held on oneself",
	.access  = ACCESS_USER,
	.rate    = RATE_GENERAL,
	.output  = FIELDS(
		OUT(exported_at, TIME, "When this was put together"),
		OUT_OBJECT(account, user_shape, "The account"),
		OUT(sessions, JSON, "Every sign-in that is still known", .many = true),
		OUT_OBJECT(orders, order_shape, "Every order", .many = true),
		OUT_OBJECT(order_history, order_change_shape, "What they have been through", .many = true),
		OUT_OBJECT(payments, payment_shape, "Every payment", .many = true),
		OUT(catalog,  JSON, "What they sell, and what they think of what others do"),
		OUT(audit,    JSON, "What was done by them and to them, of note", .many = true)),
};

static struct status
export_account(struct req *rq)
{
	reply_header(rq, "Content-Disposition", "attachment; filename=\"souk-export.json\"");
	return reply_row(rq, 200, db_one(rq, &export, req_user(rq)));
}
