/*
 * product_claim.h -- a product that its seller, or an admin, is about to
 * change.
 */
#ifndef PRODUCT_CLAIM_H
#define PRODUCT_CLAIM_H

#include "fn.h"

/*
 * Locks the product until the transaction ends.  Refuses when there is none or
 * it is another seller's, which are told alike, and when If-Match names
 * another version.  An admin's claim to a seller's goes to the audit log as that
 * action.
 */
void		 product_claim(struct req *, const char *id, const char *action);
/* Answers with the product as its seller now sees it. */
struct status	 product_reply(struct req *, int http_status, const char *id);

#endif
