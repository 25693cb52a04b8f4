#include "base64url.h"

#include <string.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool
base64url_decode(const char *s, size_t n, unsigned char *out, size_t *length)
{
	unsigned bits = 0, held = 0;
	size_t to = 0;

	if (n % 4 == 1)
		return false;
	for (size_t i = 0; i < n; i++) {
		int v = value_of(s[i]);

		if (v < 0)
			return false;
		held = held << 6 | (unsigned)v;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[to++] = (unsigned char)(held >> bits);
			held &= (1u << bits) - 1;
		}
	}
	*length = to;
	return held == 0;	/* one value, one spelling */
}

void
base64url_encode(const unsigned char *s, size_t n, char *out)
{
	unsigned bits = 0, held = 0;

	for (size_t i = 0; i < n; i++) {
		held = held << 8 | s[i];
		for (bits += 8; bits >= 6; held &= (1u << bits) - 1) {
			bits -= 6;
			*out++ = alphabet[held >> bits];
		}
	}
	if (bits > 0)
		*out++ = alphabet[held << (6 - bits)];
	*out = '\0';
}
