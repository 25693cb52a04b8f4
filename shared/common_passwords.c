/*
 * The list is linked into the binary as the text it is, sorted, a password a
 * line, and searched there: nothing to read at start, and every worker shares
 * the pages.
 */
#include <stddef.h>
#include <string.h>

#include "common_passwords.h"

/* The path is from the root of the repository, where builds run. */
__asm__(
	".pushsection .rodata\n"
	".local common_passwords_text\n"
	"common_passwords_text:\n"
	".incbin \"shared/common_passwords.txt\"\n"
	".byte 0\n"
	".popsection\n");

extern const char common_passwords_text[] __attribute__((visibility("hidden")));

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* As strcmp(), of a password and a line. */
static int
compare(const char *password, const char *line)
{
	while (*line != '\n' && lower(*password) == *line) {
		password++;
		line++;
	}
	if (*line == '\n')
		return *password != '\0';
	return (unsigned char)lower(*password) - (unsigned char)*line;
}

bool
password_is_common(const char *password)
{
	const char *low = common_passwords_text;
	const char *high = low + strlen(low);

	while (low < high) {
		const char *line = low + (high - low) / 2;
		int order;

		while (line > low && line[-1] != '\n')
			line--;
		order = compare(password, line);
		if (order == 0)
			return true;
		if (order < 0)
			high = line;
		else
			low = strchr(line, '\n') + 1;
	}
	return false;
}
