/*
 * A form against the table of what an endpoint takes.  The result is one flat
 * JSON object, in the table's order, so that the same parameters always make
 * the same text: idempotency compares it.
 */
#include "sim.h"

#include <string.h>

enum { MAX_METADATA_KEY = 40 };

/* "k" of "name[k]"; NULL when it is not of that form. */
static const char *
key_in_brackets(struct req *rq, const char *name, const char *full)
{
	size_t n = strlen(name), length = strlen(full);
	const char *key;

	if (length < n + 2 || strncmp(full, name, n) != 0 || full[n] != '[' ||
	    full[length - 1] != ']')
		return NULL;
	key = fmt(rq, "%.*s", (int)(length - n - 2), full + n + 1);
	return strpbrk(key, "[]") == NULL ? key : NULL;
}

static bool
takes(struct req *rq, const struct sim_param *p, const char *full)
{
	const char *key = key_in_brackets(rq, p->name, full);

	if (p->kind == SIM_TEXTS)
		return key != NULL && strspn(key, "0123456789") == strlen(key);
	if (p->kind == SIM_MAP && key != NULL)
		return *key != '\0';
	return strcmp(p->name, full) == 0;
}

/* An empty value is kept: it unsets its key. */
static bool
write_entry(struct req *rq, struct json *j, const struct sim_param *p,
    const struct sim_pair *pair, struct sim_error *e)
{
	const char *key = key_in_brackets(rq, p->name, pair->name);

	if (key == NULL) {
		if (*pair->value != '\0')
			sim_complain(e, NULL, p->name, "Invalid object");
		return e->status == 0;
	}
	if (sim_characters(key) > MAX_METADATA_KEY)
		sim_complain(e, NULL, p->name, fmt(rq, "Metadata keys can have up to %d characters.",
		    MAX_METADATA_KEY));
	json_key(j, key);
	if (*pair->value == '\0')
		json_string(j, "");
	else
		sim_write_value(rq, j, p, pair->name, pair->value, e);
	return e->status == 0;
}

/* The last of several values counts; lists and maps take them all. */
static bool
write_param(struct req *rq, struct json *j, const struct sim_form *form,
    const struct sim_param *p, struct sim_error *e)
{
	const struct sim_pair *last = NULL;
	bool keys = false;

	for (size_t i = 0; i < form->count; i++) {
		if (!takes(rq, p, form->pairs[i].name))
			continue;
		last = &form->pairs[i];
		keys = keys || strcmp(last->name, p->name) != 0;
	}
	if (last == NULL)
		return true;
	json_key(j, p->name);
	if (!keys)
		return sim_write_value(rq, j, p, p->name, last->value, e);
	json_open(j, p->kind == SIM_MAP ? '{' : '[');
	for (size_t i = 0; i < form->count && e->status == 0; i++) {
		const struct sim_pair *pair = &form->pairs[i];

		if (!takes(rq, p, pair->name))
			continue;
		if (p->kind == SIM_MAP)
			write_entry(rq, j, p, pair, e);
		else
			sim_write_value(rq, j, p, pair->name, pair->value, e);
	}
	if (e->status == 0)
		json_close(j);
	return e->status == 0;
}

static bool
all_known(struct req *rq, const struct sim_form *form, const struct sim_param *params,
    struct sim_error *e)
{
	for (size_t i = 0; i < form->count; i++) {
		const struct sim_param *p = params;

		while (p->name != NULL && !takes(rq, p, form->pairs[i].name))
			p++;
		if (p->name == NULL) {
			sim_complain(e, "parameter_unknown", form->pairs[i].name,
			    fmt(rq, "Received unknown parameter: %s", form->pairs[i].name));
			return false;
		}
	}
	return true;
}

static bool
is_given(struct req *rq, const struct sim_form *form, const struct sim_param *p)
{
	for (size_t i = 0; i < form->count; i++)
		if (takes(rq, p, form->pairs[i].name))
			return true;
	return false;
}

const char *
sim_read_params(struct req *rq, const struct sim_form *form,
    const struct sim_param *params, struct sim_error *e)
{
	struct json *j = json_new(rq);

	*e = (struct sim_error){ 0 };
	if (!all_known(rq, form, params, e))
		return NULL;
	json_open(j, '{');
	for (const struct sim_param *p = params; p->name != NULL; p++) {
		if (!is_given(rq, form, p)) {
			if (p->required)
				sim_complain(e, "parameter_missing", p->name,
				    fmt(rq, "Missing required param: %s.", p->name));
		} else {
			write_param(rq, j, form, p, e);
		}
		if (e->status != 0)
			return NULL;
	}
	return json_text(j);
}
