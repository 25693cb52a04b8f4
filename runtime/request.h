/*
 * request.h -- one request, as the parts of the runtime see it.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "arena.h"
#include "encoding.h"
#include "fn.h"

enum {
	MAX_BODY = 1 << 20,		/* bytes, where no .max_body says otherwise */
	MOST_MAX_BODY = 8 << 20,	/* what a .max_body may say */
	MAX_SEGMENTS = 16,		/* of a path */
	MAX_PARAMETERS = 64,		/* of a query */
	MAX_HEADERS = 100,
	MAX_FIELD_ERRORS = 100,
	MAX_TAKEN = 4			/* limits of a handler's own */
};

/* What arrived, before anything is decided about it. */
struct incoming {
	char *const	*variables;	/* "NAME=value", NULL-terminated */
	const char	*body;
	size_t		 body_length;
	bool		 too_large;	/* the body was longer than allowed */
	bool		 cut_short;	/* the body ended before Content-Length */
};

struct field_error {
	const char *field, *code, *message;
	struct field_error *next;
};

struct header { const char *name, *value; struct header *next; };

struct req {
	struct arena	 arena;
	struct incoming	 in;
	const struct entry *entry;

	/* Picked out of the variables in one pass. */
	const char	*method, *uri, *query_string, *remote_address;
	const char	*content_type, *authorization, *forwarded_for, *origin;
	const char	*request_id, *correlation_id, *traceparent;
	const char	*if_match, *if_none_match, *idempotency_key;
	unsigned	 header_count;

	char		*segments[MAX_SEGMENTS];	/* the path, decoded */
	size_t		 segment_count;
	const char	*path_values[MAX_SEGMENTS];	/* of {names}, in order */

	char		 id[129];
	char		 trace_id[33], span_id[17], parent_id[17];
	bool		 sampled;
	char		 inside_trace[33], inside_span[17];	/* the innermost open span, if any */
	const char	*address;
	bool		 trusted;		/* started by this machine's operator */
	bool		 scheduled;		/* nobody has asked: it was time to look */
	bool		 event;			/* a CloudEvent: its key is the idempotency key */

	/* The limit that leaves it least, and those that its handler took. */
	int64_t		 limit_allowed, limit_left, limit_reset_s;	/* 0: none */
	const struct limit *taken[MAX_TAKEN];
	size_t		 taken_count;

	/* Who asks; all NULL when nobody is signed in. */
	const char	*user, *session, *role;
	const char	*about;			/* whose account it is about, for the log */

	void		*input;
	uint64_t	 present;		/* bit i: field i was sent */
	const char	*cache_text;		/* the declared inputs, canonical */
	const char	*fingerprint;
	const char	*reference;		/* what an earlier, dead try had made */

	/* The reply. */
	bool		 decided;		/* the first error or reply wins */
	int		 status;
	enum err	 error;
	const char	*detail;
	const char	*problem_members;	/* a JSON object's inside, or NULL */
	struct field_error *field_errors, **last_field_error;
	size_t		 field_error_count;
	struct header	*headers, **last_header;
	const char	*content_type_out;
	const char	*body_out;
	size_t		 body_out_length;
	void		 (*later)(struct req *);
	const char	*purge;			/* the cache tags to empty */
	int64_t		 again_us;		/* when it wants to run again; -1: no matter */

	/* For the log line and the metrics. */
	uint64_t	 started_us, db_us, redis_us;
	unsigned	 statements;
	const char	*cache_state;		/* "HIT", "MISS" or NULL */
};

/* Every endpoint linked into this binary. */
extern const struct entry *const __start_endpoints[], *const __stop_endpoints[];

uint64_t	 now_us(void);			/* monotonic */

/* request.c */
void		 request_begin(struct req *, const struct incoming *);
void		 request_end(struct req *);	/* frees; the struct can begin again */
bool		 request_parse_target(struct req *);	/* false: malformed */
/* The entry for method and path; NULL with *allow filled when only the method
 * is wrong, NULL and *allow NULL when the path is. */
const struct entry *request_route(struct req *, const char **allow);
/* The longest body that an endpoint, and that any of this binary's, takes. */
size_t		 request_body_limit(const struct endpoint *);
size_t		 request_body_limit_of_all(void);

/* reply.c */
void		 reply_finish(struct req *);	/* makes problems, common headers */
void		 reply_clear(struct req *);	/* before a rerun */

/* input.c */
void		 input_read(struct req *);	/* all bad fields in one 400 */

/* fingerprint.c: a SHA-256 in hexadecimal. */
enum { DIGEST_BYTES = 32 };
const char	*digest_hex(struct req *, const unsigned char *);

/* The whole order of work; dispatch.c. */
void		 dispatch(struct req *);
void		 dispatch_after(struct req *);	/* once the reply has left */
/* Instead: too many ask for the endpoint at once, whatever it is. */
void		 dispatch_turn_away(struct req *);

#endif
