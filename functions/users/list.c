/*
 * GET /api/users
 *
 * Every account but the erased, the newest first, for admins.
 */
#include "fn.h"

#include "paging.h"
#include "user_shape.h"

struct input {
	PAGING_MEMBERS;
	const char *role, *email;
};

QUERY(page_of_users, PAGED_QUERY("users",
	" SELECT a.id FROM users.account a"
	"  WHERE a.erased_at IS NULL AND ($5::text IS NULL OR a.role = $5)"
	"    AND ($6::text IS NULL OR lower(a.email) LIKE '%' || replace(replace(replace("
	"         lower($6), '\\', '\\\\'), '%', '\\%'), '_', '\\_') || '%')"
	"    AND EXISTS (SELECT FROM users.account me WHERE me.id = $7 AND me.role = 'admin')",
	"(SELECT users.user_json(a) FROM users.account a WHERE a.id = g.id)"));

ENDPOINT(list_users) = {
	.method  = HTTP_GET,
	.path    = "/api/users",
	.summary = "Accounts, newest first",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		PAGING_FIELDS,
		PARAM(role,   CHOICE, "Only those with this role",
		    .choices = CHOICES("customer", "seller", "admin")),
		PARAM(email,  STR,    "Only those with this in their e-mail", .min = 1, .max = 254,
		    .example = "\"@souk.example\"")),
	.output  = FIELDS(
		OUT_OBJECT(users, user_shape, "This page", .many = true),
		OUT_OBJECT(pagination, pagination_shape, "Where it stands")),
};

static struct status
list_users(struct req *rq)
{
	const struct input *in = req_input(rq);

	return reply_row(rq, 200, db_one(rq, &page_of_users, PAGING_ARGUMENTS(rq, in),
	    in->role, in->email, req_user(rq)));
}
