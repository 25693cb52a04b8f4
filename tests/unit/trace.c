/*
 * Request ids, and the vectors of W3C Trace Context for traceparent.
 */
#include "fixture.h"

#include "trace.h"

#include <sys/wait.h>
#include <unistd.h>

#define TRACE	"0af7651916cd43dd8448eb211c80319c"
#define SPAN	"b7ad6b7169203331"

static const char *
id_for(const char *request_id, const char *correlation_id)
{
	char one[160], other[160];

	snprintf(one, sizeof(one), "HTTP_X_REQUEST_ID=%s", request_id);
	snprintf(other, sizeof(other), "HTTP_X_CORRELATION_ID=%s", correlation_id);
	BEGIN(.method = "GET", .uri = "/", .variables = { one, other });
	return it.id;
}

static bool
is_made_here(const char *id)
{
	static const char pattern[] = "xxxxxxxx-xxxx-7xxx-yxxx-xxxxxxxxxxxx";

	for (size_t i = 0; i < sizeof(pattern); i++) {
		const char *may_be = pattern[i] == 'x' ? "0123456789abcdef" :
		    pattern[i] == 'y' ? "89ab" : (char[]){ pattern[i], '\0' };

		if (id[i] != pattern[i] && (id[i] == '\0' || strchr(may_be, id[i]) == NULL))
			return false;
	}
	return true;
}

static void
an_acceptable_id_is_taken_over(void **state)
{
	char longest[129];

	(void)state;
	memset(longest, 'x', 128);
	longest[128] = '\0';
	assert_string_equal(id_for("abc.DEF_0-9", "other"), "abc.DEF_0-9");
	assert_string_equal(id_for("a", ""), "a");
	assert_string_equal(id_for(longest, ""), longest);
	assert_string_equal(id_for("", "from-the-reference"), "from-the-reference");
	assert_string_equal(id_for("not good", "good"), "good");
}

static void
any_other_id_is_replaced(void **state)
{
	static const char *const bad[] = { "", "a b", "a\tb", "a\"b", "a/b", "a:b", "{a}",
	    "\xc3\xa9", "a\x7f", "a\r\nX: y" };
	char too_long[130];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_true(is_made_here(id_for(bad[i], bad[i])));
	memset(too_long, 'x', 129);
	too_long[129] = '\0';
	assert_true(is_made_here(id_for(too_long, "")));
}

static void
made_ids_differ_and_sort_by_age(void **state)
{
	char before[37], first[37];

	(void)state;
	strcpy(first, id_for("", ""));
	strcpy(before, first);
	for (int i = 0; i < 1000; i++) {
		const char *id = id_for("", "");

		assert_true(is_made_here(id));
		assert_string_not_equal(id, before);
		/* Its first 48 bits are the time in milliseconds. */
		assert_true(strncmp(id, first, 13) >= 0);
		strcpy(before, id);
	}
}

static bool
is_hex(const char *s, size_t n)
{
	return strspn(s, "0123456789abcdef") == n && s[n] == '\0' && strspn(s, "0") < n;
}

/* Whether the caller's trace is continued; a new one is begun otherwise. */
static bool
continues(const char *traceparent)
{
	char header[128];

	snprintf(header, sizeof(header), "HTTP_TRACEPARENT=%s", traceparent);
	BEGIN(.method = "GET", .uri = "/", .variables = { header });
	assert_true(is_hex(it.trace_id, 32));
	assert_true(is_hex(it.span_id, 16));
	assert_string_not_equal(it.span_id, SPAN);
	if (strcmp(it.trace_id, TRACE) != 0) {
		assert_string_equal(it.parent_id, "");
		return false;
	}
	assert_string_equal(it.parent_id, SPAN);
	return true;
}

static void
a_good_traceparent_is_continued(void **state)
{
	static const char *const good[] = {
		"00-" TRACE "-" SPAN "-01",
		"00-" TRACE "-" SPAN "-00",
		"00-" TRACE "-" SPAN "-ff",
		/* A version of the future may say more at its end. */
		"01-" TRACE "-" SPAN "-01",
		"cc-" TRACE "-" SPAN "-01-what-the-future-will-be-like",
		"fe-" TRACE "-" SPAN "-01-",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(continues(good[i]));
}

static void
a_bad_traceparent_is_ignored(void **state)
{
	static const char *const bad[] = {
		"",
		"00",
		"00-" TRACE "-" SPAN,
		"00-" TRACE "-" SPAN "-1",
		"00-" TRACE "-" SPAN "-01-",
		"00-" TRACE "-" SPAN "-01.",
		"00-" TRACE "-" SPAN "-01-what-the-future-will-be-like",
		"cc-" TRACE "-" SPAN "-01.what-the-future-will-be-like",
		"cc-" TRACE "-" SPAN "-011",
		"ff-" TRACE "-" SPAN "-01",
		"0-" TRACE "-" SPAN "-01",
		"000-" TRACE "-" SPAN "-01",
		".0-" TRACE "-" SPAN "-01",
		"0.-" TRACE "-" SPAN "-01",
		"00-" TRACE "-" SPAN "-.0",
		"00-" TRACE "-" SPAN "-0.",
		"00-" TRACE "-" SPAN "-0G",
		"00-00000000000000000000000000000000-" SPAN "-01",
		"00-" TRACE "-0000000000000000-01",
		"00-.0000000000000000000000000000000-" SPAN "-01",
		"00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
		"00-" TRACE "-B7AD6B7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319-" SPAN "-01",
		"00-0af7651916cd43dd8448eb211c80319c1-" SPAN "-01",
		"00-" TRACE "-b7ad6b716920333-01",
		"00-" TRACE "-b7ad6b71692033311-01",
		"00_" TRACE "_" SPAN "_01",
		" 00-" TRACE "-" SPAN "-01",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(continues(bad[i]));
}

/* What two of them make next, that come from a process which has made some. */
static void
no_two_processes_make_the_same(void **state)
{
	char made[3][33];
	int ends[2];

	(void)state;
	trace_make_id(made[0], 16);
	assert_int_equal(pipe(ends), 0);
	for (int child = 0; child < 2; child++) {
		if (fork() == 0) {
			trace_make_id(made[0], 16);
			_exit(write(ends[1], made[0], 33) == 33 ? 0 : 1);
		}
		assert_true(wait(NULL) > 0);
		assert_int_equal(read(ends[0], made[child], 33), 33);
	}
	trace_make_id(made[2], 16);
	assert_string_not_equal(made[0], made[1]);
	assert_string_not_equal(made[0], made[2]);
	assert_string_not_equal(made[1], made[2]);
	close(ends[0]);
	close(ends[1]);
}

static void
calls_made_for_it_carry_the_trace_on(void **state)
{
	(void)state;
	/* And whether it is recorded. */
	assert_true(continues("00-" TRACE "-" SPAN "-01"));
	assert_string_equal(req_trace(&it), fmt(&it, "00-" TRACE "-%s-01", it.span_id));
	assert_true(continues("00-" TRACE "-" SPAN "-02"));
	assert_string_equal(req_trace(&it), fmt(&it, "00-" TRACE "-%s-00", it.span_id));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_acceptable_id_is_taken_over),
		cmocka_unit_test(any_other_id_is_replaced),
		cmocka_unit_test(made_ids_differ_and_sort_by_age),
		cmocka_unit_test(a_good_traceparent_is_continued),
		cmocka_unit_test(a_bad_traceparent_is_ignored),
		cmocka_unit_test(no_two_processes_make_the_same),
		cmocka_unit_test(calls_made_for_it_carry_the_trace_on),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, finish);
}
