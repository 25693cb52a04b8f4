/*
 * Bearer tokens: ES256 JSON Web Tokens (RFC 7519, RFC 7518 3.4).
 *
 * The algorithm is fixed: "alg" is compared, never obeyed.  Public keys are
 * parsed once, and a token verified once is remembered until it expires,
 * because an ES256 verification costs as much as a small request.
 */
#include "access.h"
#include "base64url.h"
#include "body.h"
#include "db.h"
#include "keys.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

SETTING_TEXT(issuer, "JWT_ISSUER", "souk", "The iss of access tokens");
SETTING_TEXT(audience, "JWT_AUDIENCE", "souk", "The aud of access tokens");

enum { MAX_TOKEN = 2048, REMEMBERED = 64 };

struct identity { char user[24], session[40], role[12]; int64_t expires; };
/* keys: those of the time it was verified. */
struct remembered { char token[MAX_TOKEN]; struct identity who; unsigned keys; };

QUERY(session_is_live, "SELECT users.session_is_live($1, $2, $3)");

static cJSON *
decode_json(struct req *rq, const char *s, size_t n)
{
	const char *problem;
	size_t length;
	unsigned char *bytes = mem(rq, n + 1);
	cJSON *root;

	if (!base64url_decode(s, n, bytes, &length))
		return NULL;
	root = body_parse(rq, (const char *)bytes, length, &problem);
	return root != NULL && cJSON_IsObject(root) ? root : NULL;
}

static const char *
claim(const cJSON *claims, const char *name)
{
	const cJSON *c = cJSON_GetObjectItemCaseSensitive(claims, name);

	return cJSON_IsString(c) ? c->valuestring : "";
}

static int64_t
claim_time(const cJSON *claims, const char *name)
{
	const cJSON *c = cJSON_GetObjectItemCaseSensitive(claims, name);

	return cJSON_IsNumber(c) ? strtoll(c->valuestring, NULL, 10) : 0;
}

static bool
copy(char *to, size_t room, const char *from)
{
	size_t n = strlen(from);

	if (n == 0 || n >= room)
		return false;
	memcpy(to, from, n + 1);
	return true;
}

static bool
read_claims(struct req *rq, const char *payload, size_t n, struct identity *who)
{
	const cJSON *claims = decode_json(rq, payload, n);
	int64_t now = time(NULL);

	if (claims == NULL || strcmp(claim(claims, "iss"), issuer.text) != 0 ||
	    strcmp(claim(claims, "aud"), audience.text) != 0)
		return false;
	who->expires = claim_time(claims, "exp");
	if (who->expires <= now || claim_time(claims, "nbf") > now)
		return false;
	return copy(who->user, sizeof(who->user), claim(claims, "sub")) &&
	    strspn(who->user, "0123456789") == strlen(who->user) &&
	    copy(who->session, sizeof(who->session), claim(claims, "sid")) &&
	    strlen(who->session) == 36 &&
	    strspn(who->session, "0123456789abcdef-") == 36 &&
	    copy(who->role, sizeof(who->role), claim(claims, "role")) &&
	    one_of(who->role, "customer", "seller", "admin");
}

static bool
verify(struct req *rq, const char *token, struct identity *who)
{
	const char *first = strchr(token, '.');
	const char *second = first == NULL ? NULL : strchr(first + 1, '.');
	unsigned char signature[64 + 2];
	const cJSON *header;
	size_t n;

	if (second == NULL || strchr(second + 1, '.') != NULL)
		return false;
	header = decode_json(rq, token, (size_t)(first - token));
	if (header == NULL || strcmp(claim(header, "alg"), "ES256") != 0 ||
	    cJSON_GetObjectItemCaseSensitive(header, "crit") != NULL)
		return false;
	if (strlen(second + 1) != 86 ||
	    !base64url_decode(second + 1, 86, signature, &n) || n != 64)
		return false;
	return keys_verify(claim(header, "kid"), token, (size_t)(second - token), signature) &&
	    read_claims(rq, first + 1, (size_t)(second - first) - 1, who);
}

void
auth_read_token(struct req *rq)
{
	static struct remembered *table;
	const char *token = rq->authorization;
	struct remembered *slot;
	uint32_t hash = 2166136261u;
	unsigned keys;
	size_t n;

	if (token == NULL || strncmp(token, "Bearer ", 7) != 0)
		return;
	token += 7;
	n = strlen(token);
	if (n >= MAX_TOKEN)
		return;
	if (table == NULL && (table = calloc(REMEMBERED, sizeof(*table))) == NULL)
		return;
	for (size_t i = n < 64 ? 0 : n - 64; i < n; i++)
		hash = (hash ^ (unsigned char)token[i]) * 16777619u;
	slot = &table[hash % REMEMBERED];
	keys = keys_generation();
	if (slot->keys != keys || slot->who.expires <= time(NULL) ||
	    strcmp(slot->token, token) != 0) {
		struct identity who = { .expires = 0 };

		if (!verify(rq, token, &who))
			return;
		slot->keys = keys;
		memcpy(slot->token, token, n + 1);
		slot->who = who;
	}
	rq->user = fmt(rq, "%s", slot->who.user);
	rq->session = fmt(rq, "%s", slot->who.session);
	rq->role = fmt(rq, "%s", slot->who.role);
}

bool
auth_session_is_live(struct req *rq)
{
	db_begin(rq, true);
	return row_bool(db_one(rq, &session_is_live, rq->session, rq->user, rq->role),
	    "session_is_live");
}

const char *req_user(struct req *rq) { return rq->user; }
const char *req_session(struct req *rq) { return rq->session; }
const char *req_role(struct req *rq) { return rq->role; }
