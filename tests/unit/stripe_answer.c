/*
 * Stripe's answers: what each comes down to.
 */
#include "fixture.h"

#include "../../shared/stripe.c"

static struct stripe_reply
judged(long status, const char *body)
{
	struct answer a = { .rq = &it, .status = status };

	BEGIN(.method = "GET", .uri = "/");
	assert_int_equal(take_bytes((char *)(uintptr_t)body, 1, strlen(body), &a), strlen(body));
	return judge(&it, CURLE_OK, &a);
}

static void
each_status_has_its_outcome(void **state)
{
	(void)state;
	assert_int_equal(judged(200, "{\"id\":\"pi_1\"}").outcome, STRIPE_OK);
	assert_string_equal(stripe_text(judged(200, "{\"id\":\"pi_1\"}").body, "id"), "pi_1");
	assert_int_equal(judged(402, "{\"error\":{}}").outcome, STRIPE_REFUSED);
	assert_int_equal(judged(404, "").outcome, STRIPE_REFUSED);
	assert_int_equal(judged(401, "{}").outcome, STRIPE_DENIED);
	assert_int_equal(judged(403, "{}").outcome, STRIPE_DENIED);
	assert_int_equal(judged(409, "{}").outcome, STRIPE_AWAY);
	assert_int_equal(judged(429, "{}").outcome, STRIPE_AWAY);
	assert_int_equal(judged(503, "<html>").outcome, STRIPE_AWAY);
	/* Nothing to work with. */
	assert_int_equal(judged(200, "[1]").outcome, STRIPE_AWAY);
	assert_int_equal(judged(200, "{").outcome, STRIPE_AWAY);
}

static void
a_kept_fault_is_neither_asked_for_again_nor_an_outage(void **state)
{
	struct answer fault = { .rq = &it, .status = 500 };
	struct answer kept = { .rq = &it, .status = 500, .replayed = true };
	struct stripe_reply r;

	(void)state;
	BEGIN(.method = "GET", .uri = "/");
	assert_true(worth_another_try(CURLE_OK, &fault));
	assert_false(worth_another_try(CURLE_OK, &kept));
	r = judge(&it, CURLE_OK, &fault);
	assert_false(is_there(&r));
	r = judge(&it, CURLE_OK, &kept);
	assert_int_equal(r.outcome, STRIPE_AWAY);
	assert_true(is_there(&r));
	r = judge(&it, CURLE_COULDNT_CONNECT, &kept);
	assert_false(is_there(&r));
}

static struct answer
with_header(const char *line)
{
	struct answer a = { .rq = &it };
	size_t n = strlen(line);
	char *exact = malloc(n + (n == 0));	/* without a NUL, as curl has it */

	assert_non_null(exact);
	memcpy(exact, line, n);
	assert_int_equal(take_header(exact, 1, n, &a), n);
	free(exact);
	return a;
}

static void
headers_are_read_to_their_end_and_no_further(void **state)
{
	(void)state;
	assert_true(with_header("Idempotent-Replayed: true\r\n").replayed);
	assert_false(with_header("Idempotent-Replayed: false\r\n").replayed);
	assert_false(with_header("Idempotent-Replayed: tru").replayed);
	assert_string_equal(with_header("stripe-should-retry: true\r\n").should_retry, "true");
	assert_string_equal(with_header("Stripe-Should-Retry: false\r\n").should_retry, "false");
	assert_string_equal(with_header("Stripe-Should-Retry: tru").should_retry, "false");
	assert_null(with_header("Stripe-Should-Retry").should_retry);
	assert_null(with_header("").should_retry);
}

/* It is stored in the order's timeline, which takes only text. */
static void
a_long_message_is_cut_between_characters(void **state)
{
	char body[600] = "{\"error\":{\"message\":\"";
	struct stripe_reply r;

	(void)state;
	for (int shift = 0; shift < 3; shift++) {
		char *at = body + strlen("{\"error\":{\"message\":\"");

		for (int i = 0; i < shift; i++)
			at = stpcpy(at, "x");
		for (int i = 0; i < 120; i++)
			at = stpcpy(at, "\xe2\x82\xac");
		stpcpy(at, "\"}}");
		r = judged(402, body);
		assert_true(utf8_is_valid(r.problem));
		assert_in_range(strlen(r.problem), 300, 305);
		assert_memory_equal(r.problem, "402: ", 5);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_status_has_its_outcome),
		cmocka_unit_test(a_kept_fault_is_neither_asked_for_again_nor_an_outage),
		cmocka_unit_test(headers_are_read_to_their_end_and_no_further),
		cmocka_unit_test(a_long_message_is_cut_between_characters),
	};

	return cmocka_run_group_tests_name("stripe_answer", tests, NULL, finish);
}
