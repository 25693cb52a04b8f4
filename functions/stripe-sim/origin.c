/*
 * Who may drive the simulator without its key: nobody but its own page.  A page
 * on the web that a developer happens to have open can make their browser send
 * requests here too, but not in the page's name.
 */
#include "sim.h"

#include <string.h>

SETTING_TEXT(control_hosts, "SIM_CONTROL_HOSTS", "localhost,127.0.0.1,[::1]",
    "Host names, separated by commas, under which the simulator's control page works");

const char *
sim_origin(struct req *rq)
{
	const char *host = req_header(rq, "HTTP_HOST");

	return fmt(rq, "http://%s", host == NULL ? "localhost" : host);
}

bool
sim_is_of_own_page(struct req *rq)
{
	const char *origin = req_header(rq, "HTTP_ORIGIN");
	const char *site = req_header(rq, "HTTP_SEC_FETCH_SITE");

	if (site != NULL)
		return one_of(site, "same-origin", "none");
	return origin == NULL || strcmp(origin, sim_origin(rq)) == 0;
}

/* Any name may be made to mean 127.0.0.1 by whoever owns it (DNS rebinding). */
static bool
host_is_ours(struct req *rq)
{
	const char *host = req_header(rq, "HTTP_HOST"), *port;
	const char *at = control_hosts.text;
	size_t length;

	if (host == NULL)
		return false;
	port = strrchr(host, ':');
	length = port == NULL || strchr(port, ']') != NULL ? strlen(host) : (size_t)(port - host);
	for (size_t n; *(at += strspn(at, ", ")) != '\0'; at += n) {
		n = strcspn(at, ", ");
		if (n == length && strncmp(at, host, n) == 0)
			return true;
	}
	return false;
}

/* What only a browser adds, and no script in it can change. */
static bool
is_proven(struct req *rq)
{
	const char *method = req_header(rq, "REQUEST_METHOD");
	const char *origin = req_header(rq, "HTTP_ORIGIN");

	return one_of(req_header(rq, "HTTP_SEC_FETCH_SITE"), "same-origin") ||
	    (origin != NULL && method != NULL && strcmp(method, "GET") != 0);
}

bool
sim_may_control(struct req *rq)
{
	const char *given;
	enum sim_key whose = sim_key(rq, &given);

	if (whose == SIM_KEY_SECRET || (whose == SIM_KEY_NONE && host_is_ours(rq) &&
	    is_proven(rq) && sim_is_of_own_page(rq)))
		return true;
	fail_text(rq, ERR_UNAUTHENTICATED,
	    "The simulator's controls take its secret key, or are used on its own page");
	return false;
}
