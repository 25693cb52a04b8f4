/*
 * Small values with one spelling each: amounts, base64url, percent-encoding,
 * UTF-8 and e-mail addresses.
 *
 * The bytes are all of them.  What is accepted can be written again, and is
 * then the text it came from; UTF-8 is what the C library takes for it.
 */
#include "fuzz.h"

#include "base64url.h"
#include "money.h"

#include <locale.h>
#include <wchar.h>

struct input { const char *email; };

ENDPOINT(take_email) = {
	.method = HTTP_POST, .path = "/email", .access = ACCESS_PUBLIC, .rate = RATE_NONE,
	.input = FIELDS(BODY(email, EMAIL, "Address")),
};

static struct status take_email(struct req *rq) { return reply_json(rq, 200, "{}"); }

static void
check_money(const char *s, const char *currency)
{
	int places = currency_digits(currency);
	int64_t minor = -1, again = -1, scale = 1;
	const char *text;
	size_t n = strlen(s);

	if (!money_parse(s, currency, &minor))
		return;
	MUST(minor >= 0 && minor <= MONEY_MAX);
	for (int i = 0; i < places; i++)
		scale *= 10;
	text = places == 0 ? fmt(&it, "%lld", (long long)minor)
	    : fmt(&it, "%lld.%0*lld", (long long)(minor / scale), places,
	    (long long)(minor % scale));
	MUST(money_parse(text, currency, &again) && again == minor);
	/* But for zeros at its end it is the text that was sent. */
	MUST(strncmp(text, s, n) == 0);
	MUST(strspn(text + n, ".0") == strlen(text + n));
}

static void
check_base64url(const char *bytes, size_t n)
{
	unsigned char *decoded = malloc(n * 3 / 4 + 1), *again = malloc(n + 1);
	char *encoded = malloc((n + 2) / 3 * 4 + 1);
	size_t length, length_again;

	MUST(decoded != NULL && again != NULL && encoded != NULL);
	if (base64url_decode(bytes, n, decoded, &length)) {
		MUST(length == n * 3 / 4);
		base64url_encode(decoded, length, encoded);
		MUST(strlen(encoded) == n && memcmp(encoded, bytes, n) == 0);
	}
	base64url_encode((const unsigned char *)bytes, n, encoded);
	MUST(base64url_decode(encoded, strlen(encoded), again, &length_again));
	MUST(length_again == n && memcmp(again, bytes, n) == 0);
	free(decoded);
	free(again);
	free(encoded);
}

static void
check_percent(const char *bytes, size_t n)
{
	const char *decoded = url_decode(&it, bytes, n, false), *again;
	char *encoded, *at;

	if (decoded == NULL)
		return;
	MUST(strlen(decoded) <= n);
	encoded = at = mem(&it, 3 * strlen(decoded) + 1);
	for (const char *c = decoded; *c != '\0'; c++)
		at += sprintf(at, "%%%02x", (unsigned char)*c);
	again = url_decode(&it, encoded, strlen(encoded), true);
	MUST(again != NULL && strcmp(again, decoded) == 0);
}

/* The C library goes on past U+10FFFF. */
static void
check_utf8(const char *s)
{
	wchar_t *wide = calloc(strlen(s) + 1, sizeof(*wide));
	size_t n = mbstowcs(wide, s, strlen(s) + 1);
	bool valid = n != (size_t)-1;

	MUST(wide != NULL);
	for (size_t i = 0; valid && i < n; i++)
		valid = wide[i] <= 0x10ffff;
	MUST(utf8_is_valid(s) == valid);
	free(wide);
}

static void
check_email(const char *s)
{
	const struct field *f = take_email_endpoint.input;
	const char *email = check_value(&it, f, f->name, (struct value){ .text = s }), *again;
	const struct { const char *email; } input = { email };

	if (email == NULL) {
		check_refusal();
		return;
	}
	check_field(f, &input);
	again = check_value(&it, f, f->name, (struct value){ .text = email });
	MUST(again != NULL && strcmp(again, email) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rest rest = { (const char *)data, n };
	char *bytes = exactly(rest), *text = strndup(bytes, n);

	BEGIN(.body = "");
	check_money(text, "USD");
	check_money(text, "JPY");
	check_money(text, "KWD");
	check_base64url(bytes, n);
	check_percent(bytes, n);
	check_utf8(text);
	check_email(text);
	free(bytes);
	free(text);
	return 0;
}

static void
set_up(void)
{
	MUST(setlocale(LC_CTYPE, "C.UTF-8") != NULL);
	start_up();
}
