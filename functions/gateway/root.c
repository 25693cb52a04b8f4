/*
 * GET /
 *
 * What this is and where to go from here: the first thing a newcomer asks.
 */
#include "fn.h"

ENDPOINT(show_root) = {
	.method  = HTTP_GET,
	.path    = "/",
	.summary = "What this service is and where its parts are",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_GENERAL,
	.output  = FIELDS(
		OUT(service,   STR,  "The service's name", .example = "\"souk\""),
		OUT(version,   STR,  "Its version", .example = "\"1.0.0\""),
		OUT(status,    STR,  "Always \"running\"", .example = "\"running\""),
		OUT(endpoints, MAP, "Paths by what is found there",
		    .example = "{\"products\": \"/api/products\"}")),
};

static struct status
show_root(struct req *rq)
{
	static const char *const endpoints[][2] = {
		{ "auth",       "/api/auth" },
		{ "users",      "/api/users" },
		{ "products",   "/api/products" },
		{ "categories", "/api/categories" },
		{ "orders",     "/api/orders" },
		{ "payments",   "/api/payments" },
		{ "health",     "/health" },
		{ "openapi",    "/openapi.json" },
		{ "docs",       "/docs" },
	};
	struct json *j = json_new(rq);

	json_open(j, '{');
	json_key(j, "service");
	json_string(j, "souk");
	json_key(j, "version");
	json_string(j, "1.0.0");
	json_key(j, "status");
	json_string(j, "running");
	json_key(j, "endpoints");
	json_open(j, '{');
	for (size_t i = 0; i < sizeof(endpoints) / sizeof(*endpoints); i++) {
		json_key(j, endpoints[i][0]);
		json_string(j, endpoints[i][1]);
	}
	return reply_json(rq, 200, json_text(j));
}
