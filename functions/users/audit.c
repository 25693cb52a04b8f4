/*
 * GET /api/admin/audit
 *
 * Who did what to whom with the privileges they have, the latest first.  A log
 * that only grows; schema/070_identity.sql holds it to that.
 */
#include "fn.h"

#include "paging.h"

struct input {
	PAGING_MEMBERS;
	const char *actor, *action, *target;
};

QUERY(page_of_audit, PAGED_QUERY("entries",
	" SELECT a.id FROM ops.audit a"
	"  WHERE ($5::bigint IS NULL OR a.actor_id = $5)"
	"    AND ($6::text IS NULL OR a.action = $6)"
	"    AND ($7::text IS NULL OR a.target = $7)"
	"    AND EXISTS (SELECT FROM users.account me WHERE me.id = $8 AND me.role = 'admin')",
	"(SELECT ops.audit_json(a) FROM ops.audit a WHERE a.id = g.id)"));

static const struct shape entry_shape = {
	.name = "AuditEntry",
	.doc = "One privileged act",
	.fields = FIELDS(
		OUT(id,         ID,   "The entry", .example = "1"),
		OUT(actor_id,   ID,   "Who did it; null: nobody signed in, or an operator",
		    .nullable = true, .example = "1"),
		OUT(action,     STR,  "What was done", .example = "\"user.role_changed\""),
		OUT(target,     STR,  "To what", .example = "\"user:7\""),
		OUT(address,    STR,  "From which address", .nullable = true,
		    .example = "\"203.0.113.7\""),
		OUT(request_id, STR,  "In which request", .nullable = true,
		    .example = "\"0195f1c6-7c1e-7000-8000-3f2a9c5e1d04\""),
		OUT(before,     JSON, "What it was", .nullable = true),
		OUT(after,      JSON, "What it became", .nullable = true),
		OUT(created_at, TIME, "When")),
};

ENDPOINT(read_audit) = {
	.method  = HTTP_GET,
	.path    = "/api/admin/audit",
	.summary = "Privileged acts, latest first",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		PAGING_FIELDS,
		PARAM(actor,  ID,  "Only by this user"),
		PARAM(action, STR, "Only this", .min = 1, .max = 100,
		    .example = "\"user.role_changed\""),
		PARAM(target, STR, "Only to this", .min = 1, .max = 100, .example = "\"user:7\"")),
	.output  = FIELDS(
		OUT_OBJECT(entries, entry_shape, "This page", .many = true),
		OUT_OBJECT(pagination, pagination_shape, "Where it stands")),
};

static struct status
read_audit(struct req *rq)
{
	const struct input *in = req_input(rq);

	return reply_row(rq, 200, db_one(rq, &page_of_audit, PAGING_ARGUMENTS(rq, in),
	    in->actor, in->action, in->target, req_user(rq)));
}
