/*
 * Everything Stripe looks at before it executes a call, in its order.
 */
#include "sim.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

enum { MAX_KEY = 255 };

const char *
sim_new_request_id(struct req *rq)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	unsigned char bytes[14];
	char *id = fmt(rq, "req_%.*s", (int)sizeof(bytes), letters);

	while (getrandom(bytes, sizeof(bytes), 0) < 0 && errno == EINTR)
		;
	for (size_t i = 0; i < sizeof(bytes); i++)
		id[4 + i] = letters[bytes[i] % 62];
	return id;
}

static void
read_target(struct req *rq, struct sim_call *c)
{
	const char *uri = req_header(rq, "REQUEST_URI");
	const char *method = req_header(rq, "REQUEST_METHOD");
	const char *query;

	uri = uri == NULL ? "" : uri;
	query = strchr(uri, '?');
	c->path = query == NULL ? uri : fmt(rq, "%.*s", (int)(query - uri), uri);
	c->query = query == NULL ? "" : query + 1;
	c->method = method == NULL ? "POST" : method;
}

/* "2026-08-26.dahlia" */
static bool
is_version(const char *s)
{
	static const char form[] = "dddd-dd-dd";

	for (const char *f = form; *f != '\0'; f++, s++)
		if (*f == 'd' ? *s < '0' || *s > '9' : *s != *f)
			return false;
	return *s == '\0' || (*s == '.' && s[1] != '\0' &&
	    strspn(s + 1, "abcdefghijklmnopqrstuvwxyz") == strlen(s + 1));
}

static bool
refuse(struct req *rq, struct sim_call *c, const struct sim_error *error)
{
	c->refusal = sim_fail(rq, c->request_id, error);
	if (c->key != NULL) {
		reply_header(rq, "Original-Request", c->request_id);
		reply_header(rq, "Stripe-Should-Retry", "false");
	}
	return false;
}

static bool
refuse_plainly(struct req *rq, struct sim_call *c, int status, const char *message)
{
	return refuse(rq, c, &(struct sim_error){ .status = status, .message = message });
}

static bool
version_is_sound(struct req *rq, struct sim_call *c)
{
	const char *version = req_header(rq, "HTTP_STRIPE_VERSION");

	if (version != NULL && !is_version(version))
		return refuse_plainly(rq, c, 400, fmt(rq, "Invalid Stripe API version: %s", version));
	reply_header(rq, "Stripe-Version", version == NULL ? "2026-08-26.dahlia" : version);
	return true;
}

/* "sk_test_****0000" */
static const char *
masked(struct req *rq, const char *key)
{
	size_t n = strlen(key);

	for (const char *c = key; *c != '\0'; c++)
		n = *c <= ' ' || *c > '~' ? 0 : n;
	if (n < 13)
		return "****";
	return fmt(rq, "%.*s****%s", strncmp(key + 2, "_test_", 6) == 0 ? 8 : 0, key, key + n - 4);
}

static bool
key_is_good(struct req *rq, struct sim_call *c, enum sim_caller caller)
{
	const char *given;
	enum sim_key whose = sim_key(rq, &given);

	if (whose == SIM_KEY_SECRET || caller == SIM_ANYONE)
		return true;
	c->publishable = whose == SIM_KEY_PUBLISHABLE;
	if (c->publishable && caller == SIM_BUYER)
		return true;
	if (c->publishable) {
		return refuse(rq, c, &(struct sim_error){ 403, NULL, "secret_key_required",
		    NULL, "This API call cannot be made with a publishable API key. Please use a"
		    " secret API key. You can find a list of your API keys at"
		    " https://dashboard.stripe.com/account/apikeys." });
	}
	reply_header(rq, "WWW-Authenticate", "Bearer realm=\"Stripe\"");
	return refuse_plainly(rq, c, 401, whose == SIM_KEY_WRONG
	    ? fmt(rq, "Invalid API Key provided: %s", masked(rq, given))
	    : "You did not provide an API key. You need to provide your API key in the"
	    " Authorization header, using Bearer auth (e.g. 'Authorization: Bearer"
	    " YOUR_SECRET_KEY').");
}

static bool
idempotency_key_is_sound(struct req *rq, struct sim_call *c)
{
	const char *key = req_header(rq, "HTTP_IDEMPOTENCY_KEY");

	if (strcmp(c->method, "POST") != 0 || key == NULL || *key == '\0')
		return true;
	for (const char *at = key; *at != '\0'; at++)
		if (*at < ' ' || *at > '~' || at - key == MAX_KEY)
			return refuse_plainly(rq, c, 400, "Idempotency keys are at most 255 visible"
			    " characters long.");
	c->key = key;
	reply_header(rq, "Idempotency-Key", key);
	return true;
}

static bool
is_form(const char *content_type)
{
	static const char form[] = "application/x-www-form-urlencoded";

	return content_type == NULL || strncasecmp(content_type, form, sizeof(form) - 1) == 0;
}

static bool
params_are_good(struct req *rq, struct sim_call *c, const struct sim_param *params)
{
	struct sim_form form = { 0 };
	struct sim_error error;
	size_t n;
	const char *body = req_body(rq, &n);

	if (strcmp(c->method, "POST") != 0)
		n = 0;
	if (n > 0 && !is_form(req_header(rq, "CONTENT_TYPE")))
		return refuse_plainly(rq, c, 400, "Invalid request (check that your POST content type is"
		    " application/x-www-form-urlencoded).");
	if (!sim_read_form(rq, &form, c->query, strlen(c->query)) ||
	    !sim_read_form(rq, &form, body, n))
		return refuse_plainly(rq, c, 400, "Invalid request: the parameters are not encoded well.");
	c->params = sim_read_params(rq, &form, params, &error);
	return c->params != NULL || refuse(rq, c, &error);
}

bool
sim_begin_call(struct req *rq, struct sim_call *c, enum sim_caller caller)
{
	*c = (struct sim_call){ .request_id = sim_new_request_id(rq) };
	reply_header(rq, "Request-Id", c->request_id);
	read_target(rq, c);
	return version_is_sound(rq, c) && key_is_good(rq, c, caller);
}

bool
sim_read_call(struct req *rq, struct sim_call *c, enum sim_caller caller,
    const struct sim_param *params)
{
	return sim_begin_call(rq, c, caller) && idempotency_key_is_sound(rq, c) &&
	    params_are_good(rq, c, params);
}
