/*
 * fn.h -- all an endpoint may use, and the only runtime header it includes.
 *
 * A request has one arena, one buffered reply and at most one transaction.
 * The runtime has already routed, authenticated, rate-limited and validated
 * when the handler runs.  It commits only if the handler replies 2xx, and
 * answers only after the commit.
 *
 * The first error wins.  After fail() or a database failure every call here
 * does nothing and returns NULL, false or the status already decided, so a
 * handler tests only the results it has a decision to make about.
 *
 * A handler may run more than once for one request: the runtime reruns it
 * after a serialization failure or a deadlock.  So it does nothing outside the
 * database that cannot be undone.  An endpoint that calls the outside world
 * is COMMIT_EACH: no transaction is ever open during such a call, every
 * statement is one by itself, and the handler runs once.
 *
 * Whatever these functions return lives until the reply is sent: never free.
 */
#ifndef FN_H
#define FN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct req;		/* one request */
struct rows;		/* the result of a query */
struct row;		/* one row of it */
struct json;		/* JSON text being written */

enum method { HTTP_UNSET, HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_DELETE };

/* Zero is not a choice: an endpoint that forgets one does not build. */
enum access {
	ACCESS_UNSET,
	ACCESS_PUBLIC,		/* anyone; a valid token is still recognised */
	ACCESS_USER,		/* any signed-in user */
	ACCESS_SELLER,		/* seller or admin */
	ACCESS_ADMIN,
	ACCESS_SERVICE,		/* the service token: cron and events */
	ACCESS_OPERATOR,	/* an address in OPS_ALLOW */
	ACCESS_SIGNED		/* the handler checks a signature or key itself */
};
enum rate { RATE_UNSET, RATE_NONE, RATE_GENERAL, RATE_AUTH, RATE_PAYMENT };

/* How the handler's statements are committed. */
enum commit {
	COMMIT_DEFAULT,		/* GET: each statement alone; else all at the end */
	COMMIT_EACH		/* every statement is its own transaction */
};

enum err {
	ERR_NONE,
#define ERR(name, status, code, text) ERR_##name,
#include "errors.def"
#undef ERR
	ERR_COUNT
};

/* Only reply_*() and fail() make one, so no handler forgets to answer. */
struct status { short code; };

/*
 * Fields: what goes in and out, checked at run time and documented for free.
 *
 * The members of an endpoint's struct input are `const char *`, ready to be
 * SQL arguments, except INT (int64_t) and FILE (const struct file *).  An absent
 * field is NULL, an absent INT its preset.
 *
 *   STR     text as sent; min and max count characters (bytes with .bytes)
 *   EMAIL   an address, trimmed and lower-cased
 *   CHOICE  one of .choices
 *   INT     a whole number within min..max
 *   ID      a positive 64-bit integer; in a path anything else is 404
 *   BOOL    "true" or "false"
 *   MONEY   minor units of the shop's currency, from "19.99" or 19.99
 *   NUMBER  a plain decimal with at most 3 digits after the point
 *   STRS    a JSON array of strings
 *   IDS     a JSON array of IDs
 *   LIST    a JSON array of objects, each checked against .item; numbers in it
 *           arrive as JSON strings, so that no digit is lost
 *   FILE    a file of a .multipart form; max counts bytes, more is 413
 *   TIME, OBJECT         outputs only
 *   MAP     an output: texts by names that are not known beforehand
 *   JSON    an output: whatever it is; a last resort, for nobody can rely on it
 */
enum where { F_END, F_PATH, F_QUERY, F_BODY, F_OUT };
enum type {
	T_STR, T_EMAIL, T_CHOICE, T_INT, T_ID, T_BOOL, T_MONEY, T_NUMBER,
	T_STRS, T_IDS, T_LIST, T_FILE, T_TIME, T_JSON, T_OBJECT, T_MAP
};

/* A file as it was sent: its bytes stay where they came, and its name is only
 * what the client calls it. */
struct file { const char *bytes; size_t length; const char *name; };

struct shape;

struct field {
	const char	*name;
	const char	*doc;
	enum where	 where;
	enum type	 type;
	bool		 required;
	bool		 bytes;		/* min and max count bytes */
	bool		 nullable;	/* an output that may be null */
	bool		 optional;	/* an output that some do not get to see */
	bool		 not_null;	/* an input: null is refused, not absent */
	bool		 many;		/* an output: an array of .shape */
	size_t		 offset;	/* in the file's struct input */
	int64_t		 min, max;	/* of an INT, a length, or a count */
	int64_t		 preset;	/* an absent INT */
	const char *const *choices;
	const struct field *item;	/* of a LIST */
	const struct shape *shape;	/* of an OBJECT */
	const char	*example;	/* JSON text, shown in the documentation */
};

/* A wire object that several endpoints answer with. */
struct shape { const char *name, *doc; const struct field *fields; };

#define FIELDS(...)	(const struct field[]){ __VA_ARGS__, { .where = F_END } }
#define PATH(m, t, ...)	 INPUT_(m, #m, t, F_PATH, .required = true, .doc = __VA_ARGS__)
#define PARAM(m, t, ...) INPUT_(m, #m, t, F_QUERY, .doc = __VA_ARGS__)
#define BODY(m, t, ...)	 INPUT_(m, #m, t, F_BODY, .doc = __VA_ARGS__)
/* The same where the wire name (camelCase) is not the member's. */
#define PARAM_AS(m, wire, t, ...) INPUT_(m, wire, t, F_QUERY, .doc = __VA_ARGS__)
#define BODY_AS(m, wire, t, ...)  INPUT_(m, wire, t, F_BODY, .doc = __VA_ARGS__)
#define ITEM(wire, t, ...) { .name = wire, .where = F_BODY, .type = T_##t, .doc = __VA_ARGS__ }
#define OUT(n, t, ...)	{ .name = #n, .where = F_OUT, .type = T_##t, .doc = __VA_ARGS__ }
#define OUT_OBJECT(n, s, ...) \
	{ .name = #n, .where = F_OUT, .type = T_OBJECT, .shape = &(s), .doc = __VA_ARGS__ }
#define CHOICES(...)	(const char *const[]){ __VA_ARGS__, NULL }
#define ERRORS(...)	(const enum err[]){ __VA_ARGS__, ERR_NONE }

/* What a refusal tells beside what every problem document has. */
struct detail { enum err error; const struct field *fields; };
#define DETAILS(...)	(const struct detail[]){ __VA_ARGS__, { ERR_NONE, NULL } }

/* Answers of public GETs may be kept in Redis and by clients. */
struct cache {
	int		 seconds;	/* 0: never */
	const char	*tag;		/* what .purges elsewhere names */
	enum access	 private_for;	/* callers with this access bypass it */
};

/* The endpoint: its whole public contract, beside its handler. */
struct endpoint {
	enum method		 method;
	const char		*path;		/* "/api/orders/{id}" */
	const char		*summary;
	enum access		 access;	/* the least that is admitted */
	enum rate		 rate;
	enum commit		 commit;
	struct cache		 cache;
	const char		*purges;	/* cache tags, with spaces, emptied after commit */
	bool			 if_match;	/* takes If-Match: see req_matches() */
	bool			 idempotent;	/* takes Idempotency-Key */
	const char		*repeatable;	/* a POST without: why twice does no harm */
	bool			 raw_body;	/* the handler reads req_body() itself */
	bool			 event;		/* takes a CloudEvent, or an empty body */
	const char		*raw_example;	/* JSON text: a raw body worth sending */
	bool			 form;		/* urlencoded fields, not JSON */
	bool			 multipart;	/* multipart/form-data: FILEs, and fields */
	int			 max_body;	/* bytes of a body; 0: 1 MiB */
	int			 success;	/* status of the documented answer; 0: 200 */
	int			 otherwise;	/* another that it may come with; 0: none */
	int			 timeout_s;	/* 0: 30 */
	bool			 waits;		/* for the outside world: more workers */
	int			 every_s;	/* a cron function's schedule */
	int			 helpers;	/* that join in: see req_call_help() */
	const char		*woken_by;	/* ... but rarer, for ops.wake() with this wakes it */
	int			 woken_after_s;	/* so long after that: many wake it once */
	const struct field	*input;
	const struct field	*output;	/* its members ... */
	const struct shape	*answer;	/* ... or the whole answer is one of these */
	bool			 many;		/* ... or an array of them */
	const char		*media_type;	/* of an answer that is not JSON */
	const enum err		*errors;	/* beyond the usual 400, 401, 403, 429, 503 */
	const struct detail	*details;	/* what those tell of their own */
};

#define ENDPOINT(fn)							\
	static struct status fn(struct req *);				\
	static const struct endpoint fn##_endpoint;			\
	static const struct entry fn##_entry =				\
	    { &fn##_endpoint, fn, #fn, __FILE__ };			\
	SECTION_("endpoints") static const struct entry *const		\
	    fn##_ref = &fn##_entry;					\
	static const struct endpoint fn##_endpoint

/*
 * SQL lives where it is used, named, and is prepared once per connection.
 * `make check-sql` prepares every one against schema/ before it ships.
 */
struct query { const char *name, *sql, *file; };

#define QUERY(name, sql)						\
	static const struct query name = { #name, sql, __FILE__ };	\
	SECTION_("queries") static const struct query *const		\
	    name##_query = &name

/* Arguments are text, or NULL for SQL NULL; text() makes text of a number. */
/* db_one(rq, &query, arg, ...): the first row or NULL. */
#define db_one(rq, ...)	db_one_(rq, ARGS_(__VA_ARGS__))
#define db_all(rq, ...)	db_all_(rq, ARGS_(__VA_ARGS__))
/* The number of rows written. */
#define db_run(rq, ...)	db_run_(rq, ARGS_(__VA_ARGS__))

/*
 * A SQL function refuses a request with
 *     RAISE EXCEPTION 'insufficient_stock'
 *       USING ERRCODE = 'SK000', DETAIL = '{"products": [...]}', HINT = '...';
 * The message is a code of errors.def; DETAIL, a JSON object, is added to the
 * problem's members; HINT, where given, is its detail text.
 */

/* In an endpoint that is COMMIT_EACH: what follows is one transaction after
 * all, committed with the answer.  For when the calling is over. */
void		 db_together(struct req *);
const char	*text(struct req *, int64_t);
size_t		 rows_count(const struct rows *);
const struct row *rows_at(const struct rows *, size_t);
const char	*row_text(const struct row *, const char *column);	/* NULL of NULL */
int64_t		 row_int(const struct row *, const char *column);	/* 0 of NULL */
bool		 row_bool(const struct row *, const char *column);	/* false of NULL */

/* The request. */
const void	*req_input(struct req *);	/* the file's struct input, valid */
const char	*req_user(struct req *);	/* the user's id; NULL when nobody is signed in */
const char	*req_session(struct req *);	/* the token's sid; NULL likewise */
/* For the log: whose account a request of nobody signed in is about. */
void		 req_is_about(struct req *, const char *user);
const char	*req_role(struct req *);	/* "customer", "seller", "admin" or NULL */
bool		 req_is(struct req *, enum access);	/* would that access be admitted? */
const char	*req_header(struct req *, const char *cgi_name);	/* "HTTP_STRIPE_SIGNATURE" */
const char	*req_body(struct req *, size_t *len);
const char	*req_id(struct req *);		/* the request id */
const char	*req_trace(struct req *);	/* traceparent for calls made on its behalf */
const char	*req_address(struct req *);	/* the client's, proxies looked through */
bool		 req_origin_is_allowed(struct req *);	/* may its page read the answer? */
const char	*req_idempotency_key(struct req *);	/* NULL when none was sent */
const char	*req_fingerprint(struct req *);	/* hex SHA-256 of method, path and body */
/* What an earlier try with the same Idempotency-Key committed before it died:
 * the reference its ops.idempotency_begin() gave.  NULL: nothing. */
const char	*req_reference(struct req *);
/* If-Match: what the client has read and means to change.  True without the
 * header; else when it names the JSON that a GET would answer now. */
bool		 req_is_conditional(struct req *);	/* was it sent? */
bool		 req_matches(struct req *, const char *json);
bool		 req_failed(struct req *);	/* is a refusal already decided? */
/* There is more to do than one run gets done: another joins in, as long as not
 * all of the endpoint's .helpers are at it.  They are processes of their own
 * that sleep, and hold nothing, until they are called. */
void		 req_call_help(struct req *);
/* Whether the client sent this field at all (null counts as sent). */
#define req_has(rq, in, m) req_has_(rq, (size_t)((const char *)&(in)->m - (const char *)(in)))

/* The reply. */
struct status	 reply_json(struct req *, int http_status, const char *json);
/* The row's first column is the JSON; NULL is 404. */
struct status	 reply_row(struct req *, int http_status, const struct row *);
struct status	 reply_message(struct req *, int http_status, const char *message);
struct status	 reply_bytes(struct req *, int http_status, const char *content_type,
		    const char *bytes, size_t len);
void		 reply_header(struct req *, const char *name, const char *value);
/* Empties cache tags once the answer stands: for what .purges cannot know. */
void		 cache_purge(struct req *, const char *tags);
struct status	 fail(struct req *, enum err);
struct status	 fail_text(struct req *, enum err, const char *fmt, ...)
		    __attribute__((format(printf, 3, 4)));
/* Adds one entry to a 400's list of bad fields. */
struct status	 fail_field(struct req *, const char *field, const char *code,
		    const char *message);

/* Runs after the answer has left; its failures are only logged. */
void		 after_reply(struct req *, void (*work)(struct req *));

/* Of a cron function: it should run again in so many milliseconds, if it would
 * not be sooner anyway.  The last word counts; negative: no matter when. */
void		 run_again(struct req *, int64_t ms);

/* Memory: from the request's arena, zeroed, never NULL. */
void		*mem(struct req *, size_t);
/*
 * A loop whose rounds may be many gives back what each has used: everything
 * that was returned since the mark is gone then, rows and JSON included.
 * Nothing in between may outlive it, so no cache_purge() either.  After a
 * failure nothing is given back.
 */
struct mark;
struct mark	*mem_mark(struct req *);
void		 mem_release(struct req *, const struct mark *);
uint64_t	 now_us(void);			/* monotonic */
char		*fmt(struct req *, const char *, ...) __attribute__((format(printf, 2, 3)));
bool		 one_of_(const char *, const char *const *);
#define one_of(s, ...)	one_of_(s, (const char *const[]){ __VA_ARGS__, NULL })

/* JSON for the few answers the database does not write. */
struct json	*json_new(struct req *);
void		 json_open(struct json *, char bracket);	/* '{' or '[' */
void		 json_close(struct json *);
void		 json_key(struct json *, const char *);
void		 json_string(struct json *, const char *);	/* NULL is null */
void		 json_int(struct json *, int64_t);
void		 json_bool(struct json *, bool);
void		 json_raw(struct json *, const char *);		/* JSON already; never a client's */
const char	*json_text(struct json *);			/* closes what is open */

/*
 * Small facts in Redis, never the only copy of anything: when Redis is away
 * a get answers NULL and the rest do nothing.
 */
const char	*redis_get(struct req *, const char *key);
void		 redis_set(struct req *, const char *key, const char *value, int seconds);
void		 redis_forget(struct req *, const char *key);
bool		 redis_is_up(struct req *);	/* asks it */

/*
 * Limits besides those of the rate class: so many in so many seconds for one
 * who.  One is taken before the work that it is for, so that many tries at once
 * are no more tries; where a success is to cost nothing, it clears the limit.
 *
 *     LIMIT(guesses, "guesses", 900, "RATE_LIMIT_GUESSES", 5, "Wrong codes ...");
 *     if (!limit_take(rq, &guesses, limit_here(rq, in->email)))
 *         return fail(rq, ERR_RATE_LIMITED);
 *
 * Of several, limit_take(rq, &one, who, &other, whom), either all are taken or
 * none; a NULL who leaves its limit out.  False: the request is refused, with
 * Retry-After.  While Redis is away each process counts by itself.
 */
struct limit { const char *name; int seconds; const struct setting *allowed; };
#define LIMIT(v, n, s, setting, preset, d)				\
	SETTING_INT(v##_allowed, setting, preset, 0, 1000000, d);	\
	static const struct limit v = { n, s, &v##_allowed }
#define limit_take(rq, ...) limit_take_(rq, ARGS_(__VA_ARGS__))
void		 limit_clear(struct req *, const struct limit *, const char *who);
/* A who: the client's address (of IPv6 the /64) and, unless NULL, what. */
const char	*limit_here(struct req *, const char *what);

/* Log: one JSON line; key/value pairs end with NULL. */
enum level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
void		 log_line(enum level, const char *message, ...) __attribute__((sentinel));

/*
 * Configuration: environment variables, read once at start.  A bad value
 * stops the process and names itself.  `--describe` lists those a binary reads.
 * A secret NAME may also come from the file that NAME_FILE names, or from
 * systemd's credential NAME.
 */
struct setting {
	const char	*name, *doc;
	enum { SETTING_IS_TEXT, SETTING_IS_INT, SETTING_IS_SECRET } kind;
	bool		 required;
	const char	*preset;	/* of a text; NULL: absent */
	int64_t		 min, max;
	/* Filled at start: */
	const char	*text;
	int64_t		 number;	/* of an INT; preset in .number before */
};
#define SETTING_TEXT(v, n, p, d)	SETTING_(v, .name = n, .doc = d, .kind = SETTING_IS_TEXT, .preset = p)
#define SETTING_INT(v, n, p, lo, hi, d)	SETTING_(v, .name = n, .doc = d, .kind = SETTING_IS_INT, .number = p, .min = lo, .max = hi)
#define SETTING_SECRET(v, n, d)		SETTING_(v, .name = n, .doc = d, .kind = SETTING_IS_SECRET, .required = true)
#define SETTING_SECRET_OPTIONAL(v, n, d) SETTING_(v, .name = n, .doc = d, .kind = SETTING_IS_SECRET)

/* Runs once before workers are forked; false stops the process. */
#define STARTUP(fn)							\
	static bool fn(void);						\
	SECTION_("startups") static bool (*const fn##_startup)(void) = fn; \
	static bool fn(void)

/*
 * Counters, added up over processes by /metrics.  labels is the fixed text
 * between the braces, without them, or "".
 */
struct metric { const char *name, *labels, *help; bool histogram, gauge; uint64_t *cells; };
#define COUNTER(v, n, labels, help)	METRIC_(v, n, labels, help, false, false)
#define HISTOGRAM(v, n, labels, help)	METRIC_(v, n, labels, help, true, false)	/* of seconds */
#define GAUGE(v, n, labels, help)	METRIC_(v, n, labels, help, false, true)	/* as last set */
void		 metric_add(struct metric *, uint64_t);
void		 metric_set(struct metric *, uint64_t);
void		 metric_observe_us(struct metric *, uint64_t microseconds);

/*
 * Where a test build may be told to stop or to die; nothing in other builds.
 * The file FAULT_DIR/<point> names the signal that the next process to pass
 * gets.  Every statement is such a point, before and after, by its QUERY
 * ("saga.claim_due.after"), and so is every call to Stripe.
 */
#ifdef FAULT_POINTS
void		 fault_point(const char *name);
#else
#define fault_point(name) ((void)0)
#endif

/* Nothing below is for endpoints. */
struct entry {
	const struct endpoint	*endpoint;
	struct status		(*handle)(struct req *);
	const char		*name, *file;
};

/* The first argument is the query. */
const struct row *db_one_(struct req *, const void *const *, int);
const struct rows *db_all_(struct req *, const void *const *, int);
int64_t		 db_run_(struct req *, const void *const *, int);
bool		 req_has_(struct req *, size_t offset);
bool		 limit_take_(struct req *, const void *const *, int);

#define SECTION_(sec)	__attribute__((used, section(sec)))
#define ARGS_(...)	(const void *const[]){ __VA_ARGS__ },		\
    (int)(sizeof((const void *const[]){ __VA_ARGS__ }) / sizeof(void *))
#define SETTING_(v, ...)						\
	static struct setting v = { __VA_ARGS__ };			\
	SECTION_("settings") static struct setting *const v##_setting = &v
#define METRIC_(v, n, l, h, is, at)					\
	static struct metric v = { .name = n, .labels = l, .help = h, .histogram = is, .gauge = at }; \
	SECTION_("metrics") static struct metric *const v##_metric = &v
#define C_STR_		const char *
#define C_EMAIL_	const char *
#define C_CHOICE_	const char *
#define C_ID_		const char *
#define C_BOOL_		const char *
#define C_MONEY_	const char *
#define C_NUMBER_	const char *
#define C_STRS_		const char *
#define C_IDS_		const char *
#define C_LIST_		const char *
#define C_FILE_		const struct file *
#define C_INT_		int64_t
#define INPUT_(m, wire, t, w, ...) {					\
	.name = wire, .where = w, .type = T_##t,			\
	.offset = offsetof(struct input, m) + 0 * sizeof(struct {	\
		_Static_assert(_Generic(((struct input *)0)->m,		\
		    C_##t##_: 1, default: 0), #m " is not a " #t);	\
		char c; }), __VA_ARGS__ }

#endif
