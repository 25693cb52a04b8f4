#include "mail_transport.h"
#include "curl_http.h"
#include "mail.h"
#include "span.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

SETTING_SECRET_OPTIONAL(smtp_url, "SMTP_URL",
    "The server that mails go to, smtp://user:password@host:587 (then TLS is required)"
    " or smtps://");
SETTING_TEXT(ca_file, "SMTP_CA_FILE", NULL,
    "Certificates that its TLS is verified with, in the place of the system's");
SETTING_INT(patience_ms, "SMTP_TIMEOUT_MS", 10000, 100, 20000,
    "Milliseconds that sending a mail may take");
SETTING_TEXT(mail_dir, "MAIL_DIR", NULL,
    "Where mails are written to as files, without SMTP_URL");
HISTOGRAM(send_seconds, "mail_send_duration_seconds", "", "Time it takes to hand a mail over");

static CURL *curl;
static bool has_user;

/* Settings that cannot work stop the process, and name themselves. */
STARTUP(check_transport)
{
	CURLU *url = curl_url();
	char *scheme = NULL, *user = NULL;
	bool good;

	if (smtp_url.text == NULL) {
		curl_url_cleanup(url);
		if (mail_dir.text == NULL)
			log_line(LOG_ERROR, "set SMTP_URL, or MAIL_DIR for mails as files", NULL);
		return mail_dir.text != NULL;
	}
	good = curl_url_set(url, CURLUPART_URL, smtp_url.text, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    one_of(scheme, "smtp", "smtps");
	has_user = good && curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK;
	if (!good)
		log_line(LOG_ERROR, "SMTP_URL must be smtp://... or smtps://...", NULL);
	curl_free(scheme);
	curl_free(user);
	curl_url_cleanup(url);
	return good;
}

struct upload { const char *at; size_t left; bool begun; };

static size_t
give_bytes(char *to, size_t size, size_t n, void *from)
{
	struct upload *u = from;
	size_t length = u->left < size * n ? u->left : size * n;

	memcpy(to, u->at, length);
	u->at += length;
	u->left -= length;
	u->begun = true;
	return length;
}

/* Keeps the last refusal: libcurl tells only its number. */
static size_t
take_reply(char *line, size_t size, size_t n, void *to)
{
	char *reply = to;

	(void)size;
	if (n > 3 && (*line == '4' || *line == '5'))
		snprintf(reply, 256, "%.*s", (int)strcspn(line, "\r\n"), line);
	return n;
}

static CURL *
handle(void)
{
	if (curl != NULL)
		return curl;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	curl = curl_easy_init();
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
#else
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_SMTP | CURLPROTO_SMTPS));
#endif
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_URL, smtp_url.text);
	/* No password goes in the clear; without one, TLS where it is offered. */
	curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)(has_user ? CURLUSESSL_ALL : CURLUSESSL_TRY));
	if (ca_file.text != NULL)
		curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file.text);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)patience_ms.number);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)patience_ms.number);
	curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)(patience_ms.number + 999) / 1000);
	curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_bytes);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_reply);
	return curl;
}

/* It travels with CRLF. */
static struct upload
with_crlf(struct req *rq, const char *text, size_t n)
{
	char *bytes = mem(rq, 2 * n + 1), *to = bytes;

	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\n')
			*to++ = '\r';
		*to++ = text[i];
	}
	return (struct upload){ bytes, (size_t)(to - bytes), false };
}

/*
 * Only what is said of this very message ends it: a banner, a certificate or a
 * password that is not good is the server's matter or ours, and is mended.
 */
static enum job_outcome
judge(CURLcode code, long status, const struct upload *u)
{
	bool of_message = code == CURLE_SEND_ERROR ||
	    (code == CURLE_WEIRD_SERVER_REPLY && u->begun);

	if (code == CURLE_OK)
		return JOB_DONE;
	if (!of_message || status < 400 || (status >= 530 && status <= 539))
		return JOB_AWAY;
	return status < 500 ? JOB_RETRY : JOB_DEAD;
}

static struct job_result
send_to_server(struct req *rq, const char *from, const char *to, const char *message, size_t n)
{
	struct upload u = with_crlf(rq, message, n);
	struct job_result r;
	struct span span;
	struct curl_slist *recipients = curl_slist_append(NULL, fmt(rq, "<%s>", to));
	char *reply = mem(rq, 256), error[CURL_ERROR_SIZE] = "";
	long status = 0;
	CURLcode code;

	curl_easy_setopt(handle(), CURLOPT_MAIL_FROM, fmt(rq, "<%s>", from));
	curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients);
	curl_easy_setopt(curl, CURLOPT_READDATA, &u);
	curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)u.left);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, reply);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
	span_begin(rq, &span);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, NULL);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
	curl_slist_free_all(recipients);
	r = (struct job_result){ judge(code, status, &u), code == CURLE_OK ? NULL :
	    fmt(rq, "%s%s%s", *error != '\0' ? error : curl_easy_strerror(code),
	    *reply == '\0' ? "" : ": ", reply) };
	if (span_is_on(rq))
		span_end(rq, &span, SPAN_CLIENT, "SMTP", r.problem, "network.protocol.name", "smtp",
		    "server.address", curl_host(rq, smtp_url.text),
		    "smtp.response.status_code", status == 0 ? NULL : text(rq, status), NULL);
	return r;
}

static bool
write_all(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, bytes, n);

		if (done < 0 && errno != EINTR)
			return false;
		if (done > 0) {
			bytes += done;
			n -= (size_t)done;
		}
	}
	return true;
}

/* A reader of the directory sees whole messages only. */
static struct job_result
write_file(struct req *rq, const char *text, size_t n, const char *name)
{
	const char *path = fmt(rq, "%s/%s.eml", mail_dir.text, name);
	const char *unnamed = fmt(rq, "%s/.%s.new", mail_dir.text, name);
	int fd = open(unnamed, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool written = fd >= 0 && write_all(fd, text, n);

	if (fd >= 0 && close(fd) != 0)
		written = false;
	if (written && rename(unnamed, path) == 0)
		return (struct job_result){ JOB_DONE, NULL };
	return (struct job_result){ JOB_AWAY, fmt(rq, "%s: %s", path, strerror(errno)) };
}

struct job_result
mail_transport_send(struct req *rq, const char *from, const char *to, const char *text, size_t n,
    const char *name)
{
	uint64_t start = now_us();
	struct job_result r = smtp_url.text != NULL ? send_to_server(rq, from, to, text, n)
	    : write_file(rq, text, n, name);

	metric_observe_us(&send_seconds, now_us() - start);
	return r;
}

/* libcurl says QUIT, and would wait two minutes for a server that hangs. */
void
mail_hang_up(void)
{
	curl_socket_t fd;

	if (curl == NULL)
		return;
	if (curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK && fd != CURL_SOCKET_BAD)
		shutdown(fd, SHUT_RD);
	curl_easy_cleanup(curl);
	curl = NULL;
}
