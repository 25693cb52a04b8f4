#include "mail.h"
#include "json.h"
#include "mail_message.h"
#include "mail_template.h"
#include "mail_transport.h"
#include "opaque.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

SETTING_TEXT(from, "MAIL_FROM", "no-reply@souk.example", "The address that mails come from");
SETTING_TEXT(from_name, "MAIL_FROM_NAME", "Souk", "The name beside it");
SETTING_TEXT(templates_dir, "MAIL_TEMPLATES_DIR", NULL,
    "Templates that take the place of those in shared/mail");
SETTING_TEXT(verify_url, "VERIFY_EMAIL_URL", "http://127.0.0.1:8080/docs#verify-email:{token}",
    "The page where an address is confirmed, which posts the token to /api/auth/verify-email");
SETTING_TEXT(reset_url, "RESET_PASSWORD_URL", "http://127.0.0.1:8080/docs#reset-password:{token}",
    "The page where a password is set, which posts the token to /api/auth/reset-password");
SETTING_INT(verify_ttl, "VERIFY_EMAIL_TTL_S", 86400, 60, 2592000,
    "Seconds in which an address can be confirmed");
SETTING_INT(reset_ttl, "RESET_PASSWORD_TTL_S", 3600, 60, 86400,
    "Seconds in which a forgotten password can be set");
SETTING_INT(most_per_hour, "MAIL_TOKENS_PER_HOUR", 3, 1, 1000,
    "Mails with a token of one kind that an account is sent in an hour");
COUNTER(mails_sent, "mails_total", "outcome=\"sent\"", "Mails by what became of them");
COUNTER(mails_needless, "mails_total", "outcome=\"needless\"", "Mails by what became of them");
COUNTER(mails_refused, "mails_total", "outcome=\"refused\"", "Mails by what became of them");

enum { MAX_VALUES = 64 };

#define TOKEN	"{token}"

QUERY(compose,
	"SELECT name, value FROM ops.mail_compose($1, $2, $3, $4)");

STARTUP(check_mail_settings)
{
	const struct setting *urls[] = { &verify_url, &reset_url };

	for (size_t i = 0; i < 2; i++)
		if (strstr(urls[i]->text, TOKEN) == NULL) {
			log_line(LOG_ERROR, "there must be a {token} in it", "setting",
			    urls[i]->name, NULL);
			return false;
		}
	if (!mail_address_is_safe(from.text)) {
		log_line(LOG_ERROR, "MAIL_FROM must be an e-mail address", NULL);
		return false;
	}
	return true;
}

static const char *
settings_json(struct req *rq)
{
	struct json *j = json_new(rq);

	json_open(j, '{');
	json_member(j, "verify_url", verify_url.text);
	json_member(j, "reset_url", reset_url.text);
	json_key(j, "verify_ttl_s");
	json_int(j, verify_ttl.number);
	json_key(j, "reset_ttl_s");
	json_int(j, reset_ttl.number);
	json_key(j, "most_per_hour");
	json_int(j, most_per_hour.number);
	return json_text(j);
}

static const char *
with_token(struct req *rq, const char *link, const char *token)
{
	const char *at = strstr(link, TOKEN);

	return at == NULL ? link : fmt(rq, "%.*s%s%s", (int)(at - link), link, token,
	    at + strlen(TOKEN));
}

/* Those the database knows, and the token, which it must not. */
static const struct mail_value *
values_of(struct req *rq, const struct rows *rows, const char *token)
{
	struct mail_value *values = mem(rq, sizeof(*values) * (MAX_VALUES + 2));
	size_t n = rows_count(rows);

	for (size_t i = 0; i < n && i < MAX_VALUES; i++) {
		const char *name = row_text(rows_at(rows, i), "name");
		const char *value = row_text(rows_at(rows, i), "value");

		values[i + 1].name = name;
		values[i + 1].value = value == NULL ? "" :
		    strcmp(name, "link") == 0 ? with_token(rq, value, token) : value;
	}
	values[0] = (struct mail_value){ "token", token };
	return values;
}

static const char *
value_of(const struct mail_value *v, const char *name)
{
	while (v->name != NULL && strcmp(v->name, name) != 0)
		v++;
	return v->value;
}

/* NULL with *problem saying why. */
static const char *
filled(struct req *rq, const char *text, const struct mail_value *values, bool html,
    const char **problem)
{
	const char *unknown, *copy = NULL;
	char *bytes = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&bytes, &n);

	if (mail_template_fill(out, text, values, html, &unknown))
		*problem = NULL;
	else
		*problem = fmt(rq, "a placeholder without a value: %.40s", unknown);
	fclose(out);
	if (*problem == NULL)
		copy = fmt(rq, "%s", bytes);
	free(bytes);
	return copy;
}

/* The message's texts, of the template's two files. */
static const char *
fill(struct req *rq, struct mail_message *m, const char *name, const struct mail_value *values)
{
	char *text = mail_template(templates_dir.text, name, ".txt");
	char *html = mail_template(templates_dir.text, name, ".html");
	const char *problem, *subject = NULL;
	char *body = text == NULL ? NULL : mail_template_subject(text, &subject);

	if (body == NULL || html == NULL) {
		problem = fmt(rq, "no template of two files, the first with a subject: %s", name);
	} else {
		(void)((m->subject = filled(rq, subject, values, false, &problem)) != NULL &&
		    (m->text = filled(rq, body, values, false, &problem)) != NULL &&
		    (m->html = filled(rq, html, values, true, &problem)) != NULL);
	}
	free(text);
	free(html);
	return problem;
}

/*
 * The same for every try of a job: a mailbox that gets a message twice, because
 * nobody knew that it had arrived, can tell.
 */
static const char *
message_id(struct req *rq, const struct job *job)
{
	return fmt(rq, "job-%s.%s@%s", job->id, job->created_us, strchr(from.text, '@') + 1);
}

static const char *
file_name(struct req *rq, const struct job *job)
{
	struct timespec now;
	char stamp[32];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &tm);
	return fmt(rq, "%s.%03ldZ-job%s-%s", stamp, now.tv_nsec / 1000000, job->id, job->epoch);
}

static struct job_result
deliver(struct req *rq, const struct job *job, struct mail_message *m)
{
	struct job_result r;
	char *bytes = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&bytes, &n);

	m->from = from.text;
	m->from_name = from_name.text;
	m->id = message_id(rq, job);
	m->boundary = fmt(rq, "%.24s", token_random(rq));
	m->date = time(NULL);
	mail_message_write(out, m);
	fclose(out);
	fault_point("mail_before_send");
	r = mail_transport_send(rq, m->from, m->to, bytes, n, file_name(rq, job));
	fault_point("mail_after_send");
	free(bytes);
	return r;
}

static struct job_result
problem_of(const char *problem)
{
	/* Not for good: a template may come with the next release. */
	return (struct job_result){ JOB_RETRY, problem };
}

struct job_result
mail_job(struct req *rq, const struct job *job)
{
	const char *token = token_random(rq), *problem;
	const struct mail_value *values = values_of(rq, db_all(rq, &compose, job->id, job->epoch,
	    token_stored(rq, token), settings_json(rq)), token);
	struct mail_message m = { .to = value_of(values, "to") };
	struct job_result r;

	problem = value_of(values, "problem");
	if (problem != NULL)
		return problem_of(problem);
	if (m.to == NULL) {
		metric_add(&mails_needless, 1);
		return (struct job_result){ JOB_DONE, NULL };
	}
	if (!mail_address_is_safe(m.to))
		return (struct job_result){ JOB_DEAD, "the address is not one to send to" };
	problem = fill(rq, &m, value_of(values, "template"), values);
	if (problem != NULL)
		return problem_of(problem);
	r = deliver(rq, job, &m);
	metric_add(r.outcome == JOB_DONE ? &mails_sent : &mails_refused, 1);
	return r;
}
