/*
 * Every password of the list is found, in any case, and nothing else is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common_passwords.h"

#define LIST	"shared/common_passwords.txt"

static void
finds_each_of_the_list(void **state)
{
	FILE *list = fopen(LIST, "r");
	char line[128], before[128] = "", both[258];
	int count = 0;

	(void)state;
	assert_non_null(list);
	while (fgets(line, sizeof(line), list) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		assert_in_range(strlen(line), 8, 72);
		assert_true(strcmp(before, line) < 0);
		assert_true(password_is_common(line));
		snprintf(both, sizeof(both), "%s\n%s", before, line);
		assert_false(password_is_common(both));
		strcpy(before, line);
		count++;
	}
	fclose(list);
	assert_in_range(count, 2900, 3100);
}

static void
ignores_case(void **state)
{
	(void)state;
	assert_true(password_is_common("password"));
	assert_true(password_is_common("PassWord"));
	assert_true(password_is_common("QWERTY123"));
	assert_true(password_is_common("12345678"));
}

static void
passes_others(void **state)
{
	(void)state;
	assert_false(password_is_common(""));
	assert_false(password_is_common("passwor"));
	assert_false(password_is_common("passwordx"));
	assert_false(password_is_common("password\n"));
	assert_false(password_is_common("~~~~~~~~~~"));
	assert_false(password_is_common("\xc3\xa9t\xc3\xa9 \xc3\xa0 Marrakech"));
	assert_false(password_is_common("correct horse battery staple"));
}

/* Clients of the reference use it. */
static void
passes_the_reference_password(void **state)
{
	(void)state;
	assert_false(password_is_common("Password123!"));
	assert_false(password_is_common("password123!"));
	assert_false(password_is_common("PASSWORD123!"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_each_of_the_list),
		cmocka_unit_test(ignores_case),
		cmocka_unit_test(passes_others),
		cmocka_unit_test(passes_the_reference_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
