/*
 * Who the client is behind proxies, and which addresses are an operator's.
 */
#include "address.h"
#include "settings.h"

#include "fixture.h"

/* The client's address, as REMOTE_ADDR and X-Forwarded-For tell it. */
static const char *
client(const char *remote, const char *forwarded)
{
	BEGIN(.method = "GET", .uri = "/");
	it.remote_address = remote;
	it.forwarded_for = forwarded;
	it.address = address_of_client(&it);
	return it.address;
}

static void
without_a_trusted_proxy_the_header_is_ignored(void **state)
{
	(void)state;
	assert_string_equal(client("203.0.113.9", "198.51.100.1"), "203.0.113.9");
	assert_string_equal(client("203.0.113.9", "10.0.0.1, 127.0.0.1"), "203.0.113.9");
	assert_string_equal(client("11.0.0.1", "198.51.100.1"), "11.0.0.1");
	assert_string_equal(client("2001:db9::1", "198.51.100.1"), "2001:db9::1");
	assert_string_equal(client("", "198.51.100.1"), "");
	assert_string_equal(client(NULL, "198.51.100.1"), "");
}

static void
behind_a_trusted_proxy_the_last_address_counts(void **state)
{
	(void)state;
	assert_string_equal(client("10.0.0.1", "198.51.100.1"), "198.51.100.1");
	assert_string_equal(client("10.255.255.255", "198.51.100.1"), "198.51.100.1");
	assert_string_equal(client("2001:db8:1::2", "2001:db9::1"), "2001:db9::1");
	assert_string_equal(client("::ffff:10.0.0.1", "198.51.100.1"), "198.51.100.1");
	assert_string_equal(client("192.0.2.1", "198.51.100.1"), "198.51.100.1");
	assert_string_equal(client("192.0.2.2", "198.51.100.1"), "192.0.2.2");
	assert_string_equal(client("10.0.0.1", NULL), "10.0.0.1");
	assert_string_equal(client("10.0.0.1", ""), "10.0.0.1");
}

static void
what_a_client_writes_in_front_is_ignored(void **state)
{
	(void)state;
	assert_string_equal(client("10.0.0.1", "127.0.0.1, 198.51.100.1"), "198.51.100.1");
	assert_string_equal(client("10.0.0.1", "10.9.9.9, 198.51.100.1,10.0.0.2"), "198.51.100.1");
	assert_string_equal(client("10.0.0.1", "junk, 198.51.100.1"), "198.51.100.1");
}

static void
a_chain_is_followed_through_trusted_proxies_only(void **state)
{
	(void)state;
	assert_string_equal(client("10.0.0.1", "198.51.100.1, 192.0.2.1, 10.0.0.2"),
	    "198.51.100.1");
	assert_string_equal(client("10.0.0.1", "198.51.100.1,192.0.2.77,10.0.0.2"),
	    "192.0.2.77");
	assert_string_equal(client("10.0.0.1", "10.0.0.3, 10.0.0.2"), "10.0.0.3");
	assert_string_equal(client("10.0.0.1", "198.51.100.1 \t,\t10.0.0.2 "), "198.51.100.1");
}

static void
a_broken_chain_ends_where_it_breaks(void **state)
{
	(void)state;
	assert_string_equal(client("10.0.0.1", "198.51.100.1, unknown"), "10.0.0.1");
	assert_string_equal(client("10.0.0.1", "198.51.100.1, , 10.0.0.2"), "10.0.0.2");
	assert_string_equal(client("10.0.0.1", ","), "10.0.0.1");
	assert_string_equal(client("10.0.0.1", ",,, ,"), "10.0.0.1");
	assert_string_equal(client("10.0.0.1", "   "), "10.0.0.1");
	assert_string_equal(client("10.0.0.1", "010.1.1.1"), "10.0.0.1");
}

static void
a_port_behind_an_address_is_ignored(void **state)
{
	static const char *const bad[] = { "198.51.100.1:", "198.51.100.1:x", "198.51.100.1:1x",
	    "198.51.100.1:123456", ":4711", "[198.51.100.1", "[", "[]", "]", "[]:1", "[:1",
	    "2001:db9::1]:1", "[2001:db9::1]x", "[2001:db9::1]:", "[2001:db9::1]:x",
	    "198.51.100.1:1:2", "[[2001:db9::1]]" };

	(void)state;
	assert_string_equal(client("10.0.0.1", "198.51.100.1:4711"), "198.51.100.1");
	assert_string_equal(client("10.0.0.1", "[2001:db9::1]:4711"), "2001:db9::1");
	assert_string_equal(client("10.0.0.1", "[2001:db9::1]"), "2001:db9::1");
	assert_string_equal(client("10.0.0.1", "198.51.100.1:1, 10.0.0.2:65535"), "198.51.100.1");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_string_equal(client("10.0.0.1", bad[i]), "10.0.0.1");
}

static void
operators_come_from_their_networks(void **state)
{
	static const char *const good[] = { "127.0.0.1", "127.255.0.1", "::1", "10.1.2.128",
	    "10.1.2.255", "fd00:0:0:8000::1", "fd00:0:0:ffff::", "::ffff:127.0.0.1" };
	static const char *const bad[] = { "128.0.0.1", "126.255.255.255", "::2", "10.1.2.127",
	    "10.1.3.0", "fd00:0:0:7fff::1", "fd01:0:0:8000::1", "", "localhost", "127.1",
	    "127.0.0.1 ", "0177.0.0.1" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(address_is_operator(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(address_is_operator(bad[i]));
	assert_false(address_is_operator(NULL));
}

static void
limits_count_an_ipv6_subscriber_once(void **state)
{
	(void)state;
	client("203.0.113.9", NULL);
	assert_string_equal(address_for_limits(&it), "203.0.113.9");
	client("2001:db9:1:2:3:4:5:6", NULL);
	assert_string_equal(address_for_limits(&it), "2001:db9:1:2::/64");
	client("2001:db9:1:2:ffff::", NULL);
	assert_string_equal(address_for_limits(&it), "2001:db9:1:2::/64");
	client("::ffff:203.0.113.9", NULL);
	assert_string_equal(address_for_limits(&it), "203.0.113.9");
	assert_string_equal(client("::ffff:10.0.0.1/1", NULL), "::ffff:10.0.0.1/1");
	client("", NULL);
	assert_string_equal(address_for_limits(&it), "");
}

static int
start(void)
{
	return settings_read() && run_startups() ? 0 : 1;
}

static bool
starts_with(const char *name, const char *value)
{
	const char *before = getenv(name);
	char *kept = strdup(before == NULL ? "" : before);
	int status;

	assert_non_null(kept);
	assert_int_equal(setenv(name, value, 1), 0);
	capture();
	status = in_child(start);
	if (status != 0)
		assert_non_null(strstr(captured(), name));
	else
		captured();
	setenv(name, kept, 1);
	free(kept);
	return status == 0;
}

static void
bad_networks_stop_the_process_and_are_named(void **state)
{
	static const char *const good[] = { "", "0.0.0.0/0", "::/0", "1.2.3.4/32", "::1/128",
	    "10.0.0.0/8,::1", "10.0.0.0/8 , ::1", "10.0.0.0/31" };
	static const char *const bad[] = { "localhost", "10.0.0.0/33", "::/129", "10.0.0.0/-1",
	    "10.0.0.0/", "10.0.0.0/8x", "10.0.0/8", "10.0.0.0.0", "300.0.0.1", "::1::",
	    "10.0.0.1-10.0.0.9", "*", "127.0.0.1,x" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(starts_with("TRUSTED_PROXIES", good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_false(starts_with("TRUSTED_PROXIES", bad[i]));
		assert_false(starts_with("OPS_ALLOW", bad[i]));
	}
}

static int
set_up(void **state)
{
	(void)state;
	setenv("TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1,2001:db8::/32", 1);
	setenv("OPS_ALLOW", "127.0.0.0/8,::1,10.1.2.128/25,fd00:0:0:8000::/49", 1);
	return start();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_trusted_proxy_the_header_is_ignored),
		cmocka_unit_test(behind_a_trusted_proxy_the_last_address_counts),
		cmocka_unit_test(what_a_client_writes_in_front_is_ignored),
		cmocka_unit_test(a_chain_is_followed_through_trusted_proxies_only),
		cmocka_unit_test(a_broken_chain_ends_where_it_breaks),
		cmocka_unit_test(a_port_behind_an_address_is_ignored),
		cmocka_unit_test(operators_come_from_their_networks),
		cmocka_unit_test(limits_count_an_ipv6_subscriber_once),
		cmocka_unit_test(bad_networks_stop_the_process_and_are_named),
	};

	return cmocka_run_group_tests_name("address", tests, set_up, finish);
}
