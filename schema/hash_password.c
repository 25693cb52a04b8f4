/*
 * hash_password [COST] <PASSWORD
 *
 * Prints the bcrypt hash of the password on standard input, up to its first
 * newline.  On standard input because arguments are seen by ps(1).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "password.h"

int
main(int argc, char **argv)
{
	char password[128], hash[64], *end = NULL;
	long cost = argc > 1 ? strtol(argv[1], &end, 10) : 12;
	size_t len;

	if (argc > 2 || (end != NULL && *end != '\0') || cost < 4 || cost > 31) {
		fputs("usage: hash_password [COST 4..31] <PASSWORD\n", stderr);
		return 2;
	}
	if (fgets(password, sizeof(password), stdin) == NULL)
		password[0] = '\0';
	len = strcspn(password, "\n");
	password[len] = '\0';
	/* bcrypt would ignore what is past its 72 bytes. */
	if (len < 8 || len > 72) {
		fputs("hash_password: the password must have 8 to 72 bytes\n", stderr);
		return 1;
	}
	if (!password_hash(password, (int)cost, hash)) {
		fputs("hash_password: bcrypt is not available\n", stderr);
		return 1;
	}
	puts(hash);
	return 0;
}
