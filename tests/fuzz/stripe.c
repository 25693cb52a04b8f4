/*
 * What comes from Stripe: signed webhooks, and answers to our calls.
 *
 * The first line is a Stripe-Signature, with the right signature put in place
 * of each "@"; the second a status; the third a header of the answer; the rest
 * the webhook's or answer's body.  Only what the secret has signed is good, and
 * whatever is answered has one outcome, told in text that can be stored.
 */
#include "fuzz.h"

#include "../../shared/stripe.c"

#include <openssl/hmac.h>

#define SECRETS	"whsec_old,whsec_new"

enum { NOW = 2000000000 };

struct input { const char *none; };

ENDPOINT(nothing) = {
	.method = HTTP_GET, .path = "/", .access = ACCESS_PUBLIC, .rate = RATE_NONE,
};

static struct status nothing(struct req *rq) { return reply_json(rq, 200, "{}"); }

static const char *
right_signature(struct rest time, struct rest body)
{
	char *message = mem(&it, time.n + 1 + body.n), *hex = mem(&it, 65);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	memcpy(message, time.at, time.n);
	message[time.n] = '.';
	memcpy(message + time.n + 1, body.at, body.n);
	HMAC(EVP_sha256(), "whsec_new", 9, (unsigned char *)message, time.n + 1 + body.n,
	    digest, &n);
	for (unsigned i = 0; i < 32; i++)
		sprintf(hex + 2 * i, "%02x", digest[i]);
	return hex;
}

static void
check_signature(const char *line, struct rest body)
{
	const char *at = strstr(line, "t=");
	struct rest time = { at == NULL ? "" : at + 2, at == NULL ? 0 : strcspn(at + 2, ",") };
	const char *right = right_signature(time, body);
	char *header = mem(&it, strlen(line) * 64 + 1), *to = header;
	bool good;

	for (at = line; *at != '\0'; at++) {
		if (*at == '@')
			to = stpcpy(to, right);
		else
			*to++ = *at;
	}
	good = stripe_signature_is_good(header, body.at, body.n, SECRETS, NOW);
	if (!good)
		return;
	MUST(strstr(header, right) != NULL);
	MUST(is_number(fmt(&it, "%.*s", (int)time.n, time.at), NOW - 300, NOW + 300));
	/* Nor a second later, a byte shorter, or with another secret. */
	MUST(!stripe_signature_is_good(header, body.at, body.n, SECRETS, NOW + 1000));
	MUST(!stripe_signature_is_good(header, body.at, body.n, "whsec_other", NOW));
	MUST(body.n == 0 ||
	    !stripe_signature_is_good(header, body.at, body.n - 1, SECRETS, NOW));
}

/* As curl hands it over: in pieces. */
static void
check_reply(long status, char *header, size_t header_length, const char *body, size_t n)
{
	struct answer a = { .rq = &it, .status = status };
	size_t half = n / 2;
	struct stripe_reply r;
	const char *text;

	MUST(take_header(header, 1, header_length, &a) == header_length);
	MUST(take_bytes((char *)(uintptr_t)body, 1, half, &a) == half);
	MUST(take_bytes((char *)(uintptr_t)body + half, 1, n - half, &a) == n - half);
	MUST(a.length == n && (n == 0 || memcmp(a.bytes, body, n) == 0));
	worth_another_try(CURLE_OK, &a);
	r = judge(&it, CURLE_OK, &a);
	MUST(r.status == (int)status);
	MUST((r.outcome == STRIPE_OK) == (r.body != NULL));
	MUST(r.outcome != STRIPE_OK || (status >= 200 && status < 300 && r.problem == NULL));
	MUST(r.outcome == STRIPE_OK || utf8_is_valid(r.problem));
	text = stripe_text(r.body, "id");
	MUST(text == NULL || utf8_is_valid(text));
	text = stripe_text(r.error, "code");
	MUST(text == NULL || utf8_is_valid(text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rest rest = { (const char *)data, n };
	struct rest signature = cut_line(&rest), status = cut_line(&rest), line = cut_line(&rest);
	char *body = exactly(rest), *header = exactly(line);

	BEGIN(.body = "");
	check_signature(text_of(signature), (struct rest){ body, rest.n });
	check_reply(strtol(text_of(status), NULL, 10) % 1000, header, line.n, body, rest.n);
	free(body);
	free(header);
	return 0;
}

static void
set_up(void)
{
	setenv("STRIPE_SECRET_KEY", "sk_test", 1);
	start_up();
}
