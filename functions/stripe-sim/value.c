/*
 * One parameter's value: its type, its bounds, and what an empty one means.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

void
sim_complain(struct sim_error *e, const char *code, const char *param, const char *message)
{
	*e = (struct sim_error){ 400, NULL, code, param, message };
}

size_t
sim_characters(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static bool
is_integer(const char *s)
{
	size_t n = strlen(s += *s == '-');

	return n >= 1 && n <= 18 && strspn(s, "0123456789") == n;
}

static const char *
choices_text(struct req *rq, const char *const *c)
{
	const char *line = *c;

	for (c++; *c != NULL; c++)
		line = c[1] == NULL ? fmt(rq, "%s, or %s", line, *c) : fmt(rq, "%s, %s", line, *c);
	return line;
}

/* Writes one value; false with *e filled when it is bad. */
static bool
write_scalar(struct req *rq, struct json *j, const struct sim_param *p, const char *full,
    const char *value, struct sim_error *e)
{
	if (p->kind == SIM_INTEGER && !is_integer(value))
		sim_complain(e, "parameter_invalid_integer", full,
		    fmt(rq, "Invalid integer: %s", value));
	else if (p->kind == SIM_INTEGER)
		json_int(j, strtoll(value, NULL, 10));
	else if (p->kind == SIM_BOOLEAN && !one_of(value, "true", "false"))
		sim_complain(e, NULL, full, fmt(rq, "Invalid boolean: %s", value));
	else if (p->kind == SIM_BOOLEAN)
		json_bool(j, strcmp(value, "true") == 0);
	else if (p->kind == SIM_CHOICE && !one_of_(value, p->choices))
		sim_complain(e, NULL, full, fmt(rq, "Invalid %s: must be one of %s", full,
		    choices_text(rq, p->choices)));
	else if (p->kind == SIM_UNSET)
		sim_complain(e, NULL, full, "Invalid object");
	else if (p->max > 0 && sim_characters(value) > p->max)
		sim_complain(e, NULL, full, fmt(rq, "Invalid string: must be at most %zu characters",
		    p->max));
	else
		json_string(j, value);
	return e->status == 0;
}

bool
sim_write_value(struct req *rq, struct json *j, const struct sim_param *p, const char *full,
    const char *value, struct sim_error *e)
{
	if (*value != '\0')
		return write_scalar(rq, j, p, full, value, e);
	if (p->unset || p->kind == SIM_UNSET)
		json_string(j, NULL);
	else
		sim_complain(e, "parameter_invalid_empty", full, fmt(rq, "You passed an empty string"
		    " for '%s'. We assume empty values are an attempt to unset a parameter;"
		    " however '%s' cannot be unset. You should remove '%s' from your request or"
		    " supply a non-empty value.", full, full, full));
	return e->status == 0;
}
