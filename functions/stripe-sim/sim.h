/*
 * sim.h -- what the simulator's endpoints share.
 *
 * An endpoint is a table of the parameters Stripe takes there and the name of
 * the transition in schema/090_stripe_sim.sql that does the work.  Errors are
 * Stripe's own, not the shop's problem documents, which is why these endpoints
 * read their bodies and check their keys themselves.
 */
#ifndef SIM_H
#define SIM_H

#include "fn.h"

/*
 * A parameter, by its whole name: "shipping[address][city]".  An empty value
 * unsets it where .unset allows that.
 */
enum sim_kind {
	SIM_TEXT,		/* at most .max characters */
	SIM_INTEGER,
	SIM_BOOLEAN,
	SIM_CHOICE,		/* one of .choices */
	SIM_TEXTS,		/* name[]=a&name[0]=b */
	SIM_MAP,		/* name[key]=value */
	SIM_UNSET		/* name=, which unsets all name[...] */
};
struct sim_param {
	const char	*name;
	enum sim_kind	 kind;
	bool		 required;
	bool		 unset;
	size_t		 max;
	const char *const *choices;
};

#define SIM_PARAM(n, ...) { .name = n, .kind = __VA_ARGS__ }
#define SIM_END		{ .name = NULL }
#define SIM_EXPAND	SIM_PARAM("expand", SIM_TEXTS, .max = 200)
#define SIM_METADATA	SIM_PARAM("metadata", SIM_MAP, .unset = true, .max = 500)
#define SIM_PAGE								\
	SIM_PARAM("limit", SIM_INTEGER),					\
	SIM_PARAM("starting_after", SIM_TEXT, .max = 255),			\
	SIM_PARAM("ending_before", SIM_TEXT, .max = 255),			\
	SIM_PARAM("created", SIM_INTEGER),					\
	SIM_PARAM("created[gt]", SIM_INTEGER), SIM_PARAM("created[gte]", SIM_INTEGER), \
	SIM_PARAM("created[lt]", SIM_INTEGER), SIM_PARAM("created[lte]", SIM_INTEGER), \
	SIM_EXPAND
/* What a payment intent may be given whenever it is written. */
#define SIM_INTENT_FIELDS							\
	SIM_PARAM("payment_method", SIM_TEXT, .max = 255, .unset = true),	\
	SIM_PARAM("payment_method_types", SIM_TEXTS, .max = 64),		\
	SIM_PARAM("capture_method", SIM_CHOICE,					\
	    .choices = CHOICES("automatic", "automatic_async", "manual")),	\
	SIM_PARAM("setup_future_usage", SIM_CHOICE, .unset = true,		\
	    .choices = CHOICES("off_session", "on_session")),			\
	SIM_PARAM("receipt_email", SIM_TEXT, .max = 800, .unset = true),	\
	SIM_PARAM("shipping", SIM_UNSET),					\
	SIM_PARAM("shipping[name]", SIM_TEXT, .max = 5000),			\
	SIM_PARAM("shipping[phone]", SIM_TEXT, .max = 5000, .unset = true),	\
	SIM_PARAM("shipping[carrier]", SIM_TEXT, .max = 5000, .unset = true),	\
	SIM_PARAM("shipping[tracking_number]", SIM_TEXT, .max = 5000, .unset = true), \
	SIM_PARAM("shipping[address][line1]", SIM_TEXT, .max = 5000),		\
	SIM_PARAM("shipping[address][line2]", SIM_TEXT, .max = 5000, .unset = true), \
	SIM_PARAM("shipping[address][city]", SIM_TEXT, .max = 5000, .unset = true), \
	SIM_PARAM("shipping[address][state]", SIM_TEXT, .max = 5000, .unset = true), \
	SIM_PARAM("shipping[address][postal_code]", SIM_TEXT, .max = 5000, .unset = true), \
	SIM_PARAM("shipping[address][country]", SIM_TEXT, .max = 5000, .unset = true)
#define SIM_INTENT_TEXTS							\
	SIM_PARAM("customer", SIM_TEXT, .max = 255, .unset = true),		\
	SIM_PARAM("description", SIM_TEXT, .max = 1000, .unset = true),		\
	SIM_PARAM("statement_descriptor", SIM_TEXT, .max = 22, .unset = true),	\
	SIM_PARAM("statement_descriptor_suffix", SIM_TEXT, .max = 22, .unset = true), \
	SIM_METADATA
#define SIM_CONFIRMATION							\
	SIM_PARAM("off_session", SIM_CHOICE,					\
	    .choices = CHOICES("true", "false", "one_off", "recurring")),	\
	SIM_PARAM("error_on_requires_action", SIM_BOOLEAN),			\
	SIM_PARAM("return_url", SIM_TEXT, .max = 5000),				\
	SIM_PARAM("use_stripe_sdk", SIM_BOOLEAN),				\
	/* A bank wants to know; the simulator takes it on trust. */		\
	SIM_PARAM("mandate_data[customer_acceptance][type]", SIM_CHOICE,	\
	    .choices = CHOICES("offline", "online")),				\
	SIM_PARAM("mandate_data[customer_acceptance][accepted_at]", SIM_INTEGER), \
	SIM_PARAM("mandate_data[customer_acceptance][online][ip_address]", SIM_TEXT, .max = 5000), \
	SIM_PARAM("mandate_data[customer_acceptance][online][user_agent]", SIM_TEXT, .max = 5000)

#define SIM_ENDPOINT								\
	.access = ACCESS_SIGNED, .rate = RATE_NONE, .raw_body = true,		\
	.commit = COMMIT_EACH, .timeout_s = 60,					\
	.repeatable = "The simulator keeps Idempotency-Keys as Stripe does"

/* The id in the path, the whole of the file's struct input. */
#define SIM_ID(doc)	.input = FIELDS(PATH(id, STR, doc, .max = 8192))

/* Who may make a call.  Anyone: on the bank's page, where the id is the key. */
enum sim_caller { SIM_SHOP, SIM_BUYER, SIM_ANYONE };

/* sim.c: performs a transition and answers with what Stripe would say. */
struct status	 sim_call(struct req *, enum sim_caller, const char *operation,
		    const char *id, const struct sim_param *);

/* call.c: one call, as far as it is understood before it is executed. */
struct sim_call {
	const char	*request_id, *method, *path, *query;
	const char	*key;		/* for idempotency; NULL when none was sent */
	const char	*params;	/* a JSON object */
	bool		 publishable;	/* made with a publishable key */
	struct status	 refusal;
};
/* Who calls, and with what headers; false when it was refused. */
bool		 sim_begin_call(struct req *, struct sim_call *, enum sim_caller);
/* The same, and the parameters. */
bool		 sim_read_call(struct req *, struct sim_call *, enum sim_caller,
		    const struct sim_param *);
/* sim.c, in two steps.  The row is stripe_sim.outcome. */
const struct row *sim_execute(struct req *, const struct sim_call *,
		    const char *operation, const char *id);
struct status	 sim_answer(struct req *, const struct sim_call *, const struct row *);

const char	*sim_new_request_id(struct req *);

/* origin.c: where the simulator is, as its caller knows it. */
const char	*sim_origin(struct req *);
/* No page of another origin has sent this. */
bool		 sim_is_of_own_page(struct req *);
/* May this request control the simulator?  With the secret key, or as its own
 * page; false when it was refused. */
bool		 sim_may_control(struct req *);

/* key.c: whose the API key of this request is. */
enum sim_key { SIM_KEY_NONE, SIM_KEY_WRONG, SIM_KEY_PUBLISHABLE, SIM_KEY_SECRET };
enum sim_key	 sim_key(struct req *, const char **given);

/* error.c: Stripe's error bodies.  Members that are NULL are left out. */
struct sim_error { int status; const char *type, *code, *param, *message; };
struct status	 sim_fail(struct req *, const char *request_id, const struct sim_error *);

/* form.c: adds to the form; false when the bytes are not one. */
struct sim_pair { const char *name, *value; };
struct sim_form { struct sim_pair *pairs; size_t count; };
bool		 sim_read_form(struct req *, struct sim_form *, const char *, size_t);
/* params.c: the parameters as a JSON object; NULL with *error filled when one
 * is bad. */
const char	*sim_read_params(struct req *, const struct sim_form *,
		    const struct sim_param *, struct sim_error *error);

/* value.c: writes one value; false with *error filled when it is bad. */
bool		 sim_write_value(struct req *, struct json *, const struct sim_param *,
		    const char *full_name, const char *value, struct sim_error *error);
void		 sim_complain(struct sim_error *, const char *code, const char *param,
		    const char *message);
size_t		 sim_characters(const char *utf8);

/* sim.c */
const char	*sim_hex(struct req *, const unsigned char *, size_t);

/* A file, linked into the binary as the text it is.  Its path is from the root
 * of the repository, where builds run. */
#define SIM_EMBED(symbol, path)							\
	__asm__(".pushsection .rodata\n.local " #symbol "\n" #symbol ":\n"	\
	    ".incbin \"" path "\"\n.byte 0\n.popsection\n");			\
	extern const char symbol[] __attribute__((visibility("hidden")))

/* page.c: a part of the control page, which needs nothing from elsewhere. */
struct status	 sim_page(struct req *, const char *media_type, const char *text);

/* send.c: sends the webhooks that are due, for about that long. */
void		 sim_send_due(struct req *, int64_t budget_ms);
/* What after_reply() takes: for a moment, and never waiting for an endpoint
 * that is known to hang. */
void		 sim_send_soon(struct req *);

#endif
