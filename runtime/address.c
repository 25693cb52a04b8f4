#include "address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

SETTING_TEXT(trusted_proxies, "TRUSTED_PROXIES", "",
    "Addresses or networks (CIDR), separated by commas, whose X-Forwarded-For counts");
SETTING_TEXT(ops_allow, "OPS_ALLOW", "127.0.0.0/8,::1",
    "Addresses or networks that may read /metrics and the details of /health/all");

enum { MAX_NETWORKS = 32 };

/* IPv4 as its IPv6-mapped form, so that one comparison serves both. */
struct network { unsigned char bytes[16]; unsigned bits; };
struct networks { struct network list[MAX_NETWORKS]; size_t count; };

static struct networks proxies, operators;

static bool
read_address(const char *s, unsigned char out[16])
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (inet_pton(AF_INET6, s, out) == 1)
		return true;
	memcpy(out, mapped, sizeof(mapped));
	return inet_pton(AF_INET, s, out + 12) == 1;
}

static bool
read_network(const char *s, struct network *n)
{
	char address[64];
	const char *slash = strchr(s, '/');
	size_t length = slash == NULL ? strlen(s) : (size_t)(slash - s);
	unsigned most, offset;
	char *end;

	if (length >= sizeof(address))
		return false;
	memcpy(address, s, length);
	address[length] = '\0';
	if (!read_address(address, n->bytes))
		return false;
	offset = strchr(address, ':') == NULL ? 96 : 0;
	most = 128 - offset;
	n->bits = 128;
	if (slash != NULL) {
		unsigned long bits = strtoul(slash + 1, &end, 10);

		if (*end != '\0' || end == slash + 1 || bits > most)
			return false;
		n->bits = offset + (unsigned)bits;
	}
	return true;
}

static bool
read_networks(const struct setting *setting, struct networks *to)
{
	char *copy = strdup(setting->text), *rest = copy, *each;
	bool good = copy != NULL;

	while (good && (each = strtok_r(rest, ", ", &rest)) != NULL) {
		good = to->count < MAX_NETWORKS && read_network(each, &to->list[to->count++]);
		if (!good)
			fprintf(stderr, "souk: %s: \"%s\" is not an address or network\n",
			    setting->name, each);
	}
	free(copy);
	return good;
}

STARTUP(read_address_lists)
{
	return read_networks(&trusted_proxies, &proxies) &&
	    read_networks(&ops_allow, &operators);
}

static bool
is_in(const struct networks *n, const char *s)
{
	unsigned char a[16];

	if (n->count == 0 || s == NULL || !read_address(s, a))
		return false;
	for (size_t i = 0; i < n->count; i++) {
		unsigned whole = n->list[i].bits / 8, rest = n->list[i].bits % 8;
		unsigned char mask = (unsigned char)(0xff00 >> rest);

		if (memcmp(a, n->list[i].bytes, whole) == 0 && (rest == 0 ||
		    (a[whole] & mask) == (n->list[i].bytes[whole] & mask)))
			return true;
	}
	return false;
}

bool
address_is_operator(const char *address)
{
	return is_in(&operators, address);
}

/* "192.0.2.1:4711", "[2001:db8::1]:4711" or "[2001:db8::1]", taken apart in
 * place; anything else stays as it is. */
static const char *
without_port(char *hop)
{
	bool bracketed = *hop == '[';
	char *colon = strrchr(hop, ':');
	size_t n;

	if (colon != NULL && (bracketed ? colon[-1] == ']' : colon == strchr(hop, ':'))) {
		n = strspn(colon + 1, "0123456789");
		if (n >= 1 && n <= 5 && colon[1 + n] == '\0')
			*colon = '\0';
	}
	n = strlen(hop);
	if (!bracketed || hop[n - 1] != ']')
		return hop;
	hop[n - 1] = '\0';
	return hop + 1;
}

/* A socket for both families has a longer name for the older one's (RFC 4291,
 * 2.5.5.2). */
static const char *
without_mapping(const char *address)
{
	static const char mapped[] = "::ffff:";
	const char *v4 = address + sizeof(mapped) - 1;
	struct in_addr ignored;

	return strncmp(address, mapped, sizeof(mapped) - 1) == 0 &&
	    inet_pton(AF_INET, v4, &ignored) == 1 ? v4 : address;
}

const char *
address_of_client(struct req *rq)
{
	const char *address = rq->remote_address == NULL ? "" : rq->remote_address;
	const char *list = rq->forwarded_for;
	size_t n = list == NULL ? 0 : strlen(list);

	/* From the right: each proxy appends the one it heard from. */
	while (n > 0 && is_in(&proxies, address)) {
		size_t end = n;
		unsigned char ignored[16];
		const char *hop;

		while (n > 0 && list[n - 1] != ',')
			n--;
		hop = list + n + strspn(list + n, " \t");
		while (list + end > hop && strchr(" \t", list[end - 1]) != NULL)
			end--;
		hop = without_port(arena_copy(&rq->arena, hop, (size_t)(list + end - hop)));
		if (!read_address(hop, ignored))
			break;
		address = hop;
		n -= n > 0;
	}
	return without_mapping(address);
}

const char *
address_for_limits(struct req *rq)
{
	unsigned char a[16];
	char prefix[INET6_ADDRSTRLEN];

	if (strchr(rq->address, ':') == NULL || !read_address(rq->address, a))
		return rq->address;
	memset(a + 8, 0, 8);
	inet_ntop(AF_INET6, a, prefix, sizeof(prefix));
	return fmt(rq, "%s/64", prefix);
}
