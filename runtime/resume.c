/*
 * For endpoints that commit step by step and take an Idempotency-Key: they
 * claim it themselves, with the effect it protects, and go on from there when
 * an earlier try has died.  In a file of its own so that describe.c can tell
 * which never do.
 */
#include "request.h"

const char *req_idempotency_key(struct req *rq) { return rq->idempotency_key; }
const char *req_reference(struct req *rq) { return rq->reference; }
