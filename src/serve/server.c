/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "serve/server.h"

#ifdef SMTPBLAME_SERVE

#include <errno.h>
#include <math.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/arena.h"
#include "base/stream.h"
#include "report/render.h"

#define CONNECTIONS_MAX 512
#define CONNECTIONS_OF_ONE_MAX 256
#define CONNECTION_MEMORY (16 * 1024) /* request line and headers */
#define IDLE_SECONDS 30
/* Before the scraper gives up: a run has ended by AHEAD, or by half of the time where that is short;
 * its last looks, judging it among many others, and the way back take the rest. */
#define AHEAD_NS       (500 * NS_PER_MS)
#define TIMEOUT_MIN_NS (100 * NS_PER_MS)
#define TIMEOUT_MAX_NS (120 * NS_PER_S)

static const char text_type[] = "text/plain; version=0.0.4; charset=utf-8";
static const char open_type[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";

struct server_job {
	struct server *server;
	struct server_job *next;
	struct MHD_Connection *connection; /* NULL: it has gone */
	struct server_question question;
	char target[SERVER_TARGET_MAX + 1];
	bool asked, answered;
	bool open_metrics;
	int64_t begun_ns;
	unsigned status;
	char *body; /* free() */
	size_t len;
};

enum outcome { OUTCOME_OPEN, OUTCOME_NOT_OPEN, OUTCOME_LATE, OUTCOME_ERROR, OUTCOME_COUNT };

static const char *const outcome_names[] = {"open", "not_open", "late", "error"};

struct server {
	struct server_options opt;
	struct MHD_Daemon *daemon;
	struct server_job *jobs; /* asked, and not done with */
	unsigned waiting;
	int64_t started_ns; /* wall clock */
	uint64_t probes[OUTCOME_COUNT], shared, refused, rejected, requests;
};

/* ---- answers ---- */

static enum MHD_Result reply(struct MHD_Connection *c, unsigned status, const char *type, char *body,
			     size_t len, enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(len, body, mode);

	if (!r) {
		if (mode == MHD_RESPMEM_MUST_FREE)
			free(body);
		return MHD_NO;
	}
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		MHD_add_response_header(r, MHD_HTTP_HEADER_RETRY_AFTER, "5");
	enum MHD_Result result = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return result;
}

static enum MHD_Result reply_text(struct MHD_Connection *c, unsigned status, const char *text)
{
	return reply(c, status, "text/plain; charset=utf-8", (char *)(uintptr_t)text, strlen(text),
		     MHD_RESPMEM_MUST_COPY);
}

/* ---- /metrics: the exporter itself ---- */

static double cpu_seconds(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_SELF, &u) != 0)
		return 0;
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long size, resident = 0;

	if (!f)
		return NAN;
	if (fscanf(f, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

/* A counter's type line names it without _total in OpenMetrics, and whole in the older format. */
static void counter_head(FILE *out, bool open_metrics, const char *name, const char *help)
{
	const char *total = open_metrics ? "" : "_total";

	fprintf(out, "# HELP %s%s %s\n# TYPE %s%s counter\n", name, total, help, name, total);
}

static void gauge(FILE *out, const char *name, const char *help, double value)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n%s %.9g\n", name, help, name, name, value);
}

static void print_metrics(const struct server *s, bool open_metrics, FILE *out)
{
	counter_head(out, open_metrics, "smtpblame_probes", "Probes answered, by outcome.");
	for (int i = 0; i < OUTCOME_COUNT; i++)
		fprintf(out, "smtpblame_probes_total{outcome=\"%s\"} %llu\n", outcome_names[i],
			(unsigned long long)s->probes[i]);
	counter_head(out, open_metrics, "smtpblame_probes_shared",
		     "Probes answered by the run of another one of the same target at the same time.");
	fprintf(out, "smtpblame_probes_shared_total %llu\n", (unsigned long long)s->shared);
	counter_head(out, open_metrics, "smtpblame_probes_refused",
		     "Probes of targets that are not on the allow list.");
	fprintf(out, "smtpblame_probes_refused_total %llu\n", (unsigned long long)s->refused);
	counter_head(out, open_metrics, "smtpblame_probes_rejected",
		     "Probes turned away because too many wait.");
	fprintf(out, "smtpblame_probes_rejected_total %llu\n", (unsigned long long)s->rejected);
	counter_head(out, open_metrics, "smtpblame_http_requests", "Requests of any kind.");
	fprintf(out, "smtpblame_http_requests_total %llu\n", (unsigned long long)s->requests);
	gauge(out, "smtpblame_probes_waiting", "Probes that wait or run.", s->waiting);
	gauge(out, "smtpblame_start_time_seconds", "When this exporter was started.",
	      (double)s->started_ns / 1e9);
	gauge(out, "smtpblame_resident_memory_bytes", "Memory in use.", resident_bytes());
	counter_head(out, open_metrics, "smtpblame_cpu_seconds", "Processor time used.");
	fprintf(out, "smtpblame_cpu_seconds_total %.3f\n", cpu_seconds());
	fprintf(out,
		"# HELP smtpblame_build_info Version of this exporter.\n# TYPE smtpblame_build_info "
		"gauge\nsmtpblame_build_info{version=\"%s\"} 1\n",
		s->opt.version);
	if (open_metrics)
		fputs("# EOF\n", out);
}

static bool wants_open_metrics(struct MHD_Connection *c)
{
	const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);

	return accept && strstr(accept, "application/openmetrics-text");
}

static enum MHD_Result answer_metrics(struct server *s, struct MHD_Connection *c)
{
	bool open_metrics = wants_open_metrics(c);
	char *body = NULL;
	size_t len = 0;
	FILE *out = stream_to_memory(&body, &len);

	print_metrics(s, open_metrics, out);
	stream_to_memory_end(out, &body);
	return reply(c, MHD_HTTP_OK, open_metrics ? open_type : text_type, body, len,
		     MHD_RESPMEM_MUST_FREE);
}

/* ---- /probe ---- */

static const char *argument(struct MHD_Connection *c, const char *name)
{
	return MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, name);
}

static bool parse_ports(const char *s, struct server_question *q)
{
	while (s && *s) {
		char *end;
		unsigned long n = *s >= '0' && *s <= '9' ? strtoul(s, &end, 10) : 0;
		if (n < 1 || n > 65535 || (*end != ',' && *end) || q->n_ports == SERVER_PORTS_MAX)
			return false;
		for (unsigned i = 0; i < q->n_ports; i++)
			if (q->ports[i] == n)
				return false;
		q->ports[q->n_ports++] = (uint16_t)n;
		s = *end ? end + 1 : end;
	}
	return true;
}

static bool is_printable(const char *s)
{
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

static int64_t time_given(const struct server *s, struct MHD_Connection *c)
{
	const char *text = MHD_lookup_connection_value(c, MHD_HEADER_KIND,
						       "X-Prometheus-Scrape-Timeout-Seconds");
	double given = text ? strtod(text, NULL) : 0, limit = (double)TIMEOUT_MAX_NS / 1e9;
	int64_t ns = s->opt.timeout_ns + AHEAD_NS;

	if (isfinite(given) && given > 0)
		ns = (int64_t)((given < limit ? given : limit) * 1e9);
	return ns < TIMEOUT_MIN_NS ? TIMEOUT_MIN_NS : ns;
}

static void set_deadlines(struct server_job *job, int64_t given)
{
	int64_t ahead = given < 2 * AHEAD_NS ? given / 2 : AHEAD_NS;

	job->begun_ns = clock_mono_ns();
	job->question.deadline_ns = job->begun_ns + given - ahead;
	job->question.latest_ns = job->begun_ns + given - ahead / 2;
}

/* NULL when the job holds a question, else what is wrong with the request. */
static const char *read_question(struct server_job *job, struct MHD_Connection *c)
{
	const char *target = argument(c, "target"), *family = argument(c, "family");
	struct server_question *q = &job->question;

	if (!target || !*target)
		return "target is missing: /probe?target=mx.example.net&ports=25,587\n";
	if (strlen(target) > SERVER_TARGET_MAX || !is_printable(target))
		return "target is no host name and no address\n";
	if (!parse_ports(argument(c, "ports"), q))
		return "ports is no list of at most 8 different ports like 25,465,587\n";
	if (family && strcmp(family, "4") != 0 && strcmp(family, "6") != 0)
		return "family is 4 or 6\n";
	q->family = !family ? ADDR_NONE : *family == '4' ? ADDR_V4 : ADDR_V6;
	strcpy(job->target, target);
	q->target = job->target;
	return NULL;
}

static void forget(struct server_job *job)
{
	struct server_job **at = &job->server->jobs;

	while (*at && *at != job)
		at = &(*at)->next;
	if (*at)
		*at = job->next;
	free(job->body);
	free(job);
}

static enum MHD_Result ask(struct server *s, struct MHD_Connection *c, struct server_job *job)
{
	const char *wrong = read_question(job, c);

	if (wrong)
		return reply_text(c, MHD_HTTP_BAD_REQUEST, wrong);
	if (s->waiting >= s->opt.max_waiting) {
		s->rejected++;
		return reply_text(c, MHD_HTTP_SERVICE_UNAVAILABLE, "too many probes wait already\n");
	}
	set_deadlines(job, time_given(s, c));
	job->open_metrics = wants_open_metrics(c);
	job->asked = true;
	job->next = s->jobs;
	s->jobs = job;
	s->waiting++;
	MHD_suspend_connection(c);
	s->opt.ask(s->opt.arg, job, &job->question);
	return MHD_YES;
}

/* The job becomes MHD's to send, or goes when nobody waits any more. */
static void finish(struct server_job *job)
{
	job->answered = true;
	job->server->waiting--;
	if (job->connection)
		MHD_resume_connection(job->connection);
	else
		forget(job);
}

static enum outcome outcome_of(struct report *const *reports, unsigned n,
			       enum server_trouble trouble)
{
	enum outcome outcome = n == 0 ? OUTCOME_ERROR : OUTCOME_OPEN;

	for (unsigned i = 0; i < n; i++)
		if (report_exit_status(reports[i]) != 0)
			outcome = OUTCOME_NOT_OPEN;
	switch (trouble) {
	case SERVER_FINE: break;
	case SERVER_TIME: outcome = OUTCOME_LATE; break;
	case SERVER_TARGET:
	case SERVER_EXPORTER: outcome = OUTCOME_ERROR; break;
	}
	return outcome;
}

/* Always all of them, so that an alert sees the end of its cause. */
static void print_troubles(enum server_trouble trouble, FILE *out)
{
	static const char *const names[] = {
		[SERVER_TARGET] = "target", [SERVER_TIME] = "time", [SERVER_EXPORTER] = "exporter"};

	fputs("# HELP smtpblame_probe_error Why there is no verdict, or not the whole one: 1 for the "
	      "reason that holds.\n# TYPE smtpblame_probe_error gauge\n",
	      out);
	for (int i = SERVER_TARGET; i <= SERVER_EXPORTER; i++)
		fprintf(out, "smtpblame_probe_error{reason=\"%s\"} %d\n", names[i],
			(int)trouble == i);
}

void server_answer(struct server_job *job, struct report *const *reports, unsigned n,
		   enum server_trouble trouble, const char *error)
{
	double took = (double)(clock_mono_ns() - job->begun_ns) / 1e9;
	FILE *out = stream_to_memory(&job->body, &job->len);

	job->server->probes[outcome_of(reports, n, trouble)]++;
	job->status = MHD_HTTP_OK;
	render_prometheus(reports, n, trouble == SERVER_FINE, took, out);
	print_troubles(trouble, out);
	/* for people: OpenMetrics has no comments, and a scraper that asked for it would refuse it all */
	for (unsigned i = 0; i < n && !job->open_metrics; i++)
		fprintf(out, "# %s\n", reports[i]->summary);
	if (trouble != SERVER_FINE && !job->open_metrics)
		fprintf(out, "# error: %s\n", error);
	if (job->open_metrics)
		fputs("# EOF\n", out);
	stream_to_memory_end(out, &job->body);
	finish(job);
}

void server_count_shared(struct server *s)
{
	s->shared++;
}

void server_refuse(struct server_job *job, const char *why)
{
	job->server->refused++;
	job->status = MHD_HTTP_FORBIDDEN;
	job->body = xstrdup(why);
	job->len = strlen(job->body);
	finish(job);
}

static enum MHD_Result send_answer(struct server_job *job)
{
	char *body = job->body;

	if (!body)
		return MHD_NO;
	job->body = NULL;
	const char *type = job->status != MHD_HTTP_OK ? "text/plain; charset=utf-8"
			   : job->open_metrics	   ? open_type
						   : text_type;
	return reply(job->connection, job->status, type, body, job->len, MHD_RESPMEM_MUST_FREE);
}

/* ---- requests ---- */

static const char landing[] =
	"smtpblame: who stops my mail\n\n"
	"/probe?target=mx.example.net&ports=25,465,587   metrics of one target (family=4 or 6)\n"
	"/metrics                                        of this exporter\n"
	"/healthz\n";

static enum MHD_Result on_request(void *server, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **context)
{
	struct server *s = server;
	struct server_job *job = *context;

	(void)version;
	(void)upload;
	if (!job) { /* headers are read: a body would come now */
		job = *context = xcalloc(1, sizeof(*job));
		job->server = s;
		job->connection = c;
		return MHD_YES;
	}
	if (job->answered)
		return send_answer(job);
	if (job->asked) /* woken up by nothing of ours */
		return MHD_YES;
	if (*upload_size) {
		*upload_size = 0;
		return MHD_YES;
	}
	s->requests++;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return reply_text(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET\n");
	if (strcmp(url, "/probe") == 0)
		return ask(s, c, job);
	if (strcmp(url, "/metrics") == 0)
		return answer_metrics(s, c);
	if (strcmp(url, "/healthz") == 0)
		return reply_text(c, MHD_HTTP_OK, "ok\n");
	if (strcmp(url, "/") == 0)
		return reply_text(c, MHD_HTTP_OK, landing);
	return reply_text(c, MHD_HTTP_NOT_FOUND, "there is no such page\n");
}

static void on_completed(void *server, struct MHD_Connection *c, void **context,
			 enum MHD_RequestTerminationCode code)
{
	struct server_job *job = *context;

	(void)server;
	(void)c;
	(void)code;
	*context = NULL;
	if (!job)
		return;
	job->connection = NULL;
	if (!job->asked || job->answered)
		forget(job);
	/* else somebody is still at work on it: finish() ends it */
}

/* What a server logs of its peers' mistakes is of no use here, and may hold their bytes. */
static void log_nothing(void *arg, const char *fmt, va_list ap)
{
	(void)arg;
	(void)fmt;
	(void)ap;
}

int server_new(struct server **out, const struct server_options *opt, struct err *e)
{
	struct server *s = xcalloc(1, sizeof(*s));
	struct addr a;
	uint16_t port = 0;
	char text[ADDR_TEXT_MAX];
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;

	s->opt = *opt;
	s->started_ns = clock_set_ns();
	if (opt->listen.ss_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	errno = 0;
	s->daemon = MHD_start_daemon(
		flags, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, log_nothing, NULL,
		MHD_OPTION_SOCK_ADDR, (const struct sockaddr *)&opt->listen,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
		(unsigned)CONNECTIONS_OF_ONE_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
	if (!s->daemon) {
		int error = errno;
		free(s);
		addr_from_sockaddr(&a, &port, (const struct sockaddr *)&opt->listen);
		return err_set(e, ERR_USAGE, "--listen: cannot listen on %s port %u: %s",
			       addr_text(&a, text), port, error ? strerror(error) : "no reason given");
	}
	*out = s;
	return 0;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	for (struct server_job *job = s->jobs, *next; job; job = next) {
		next = job->next;
		if (job->answered)
			continue;
		job->status = MHD_HTTP_SERVICE_UNAVAILABLE;
		job->body = xstrdup("this exporter is being stopped\n");
		job->len = strlen(job->body);
		finish(job);
	}
	/* suspended connections must be gone before the daemon may stop */
	MHD_run(s->daemon);
	MHD_stop_daemon(s->daemon);
	while (s->jobs)
		forget(s->jobs);
	free(s);
}

int server_fd(const struct server *s)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	return info ? info->epoll_fd : -1;
}

void server_dispatch(struct server *s, int64_t *wake)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(s->daemon);
	*wake = MHD_get_timeout(s->daemon, &ms) == MHD_YES ? clock_mono_ns() + (int64_t)ms * NS_PER_MS
							    : INT64_MAX;
}

#else

int server_new(struct server **out, const struct server_options *opt, struct err *e)
{
	(void)opt;
	*out = NULL;
	return err_set(e, ERR_RUN, "serve: not built in (libmicrohttpd)");
}

void server_free(struct server *s)
{
	(void)s;
}

/* server_new() gives nothing to call the rest with. */
int server_fd(const struct server *s)
{
	(void)s;
	return -1;
}

void server_dispatch(struct server *s, int64_t *wake)
{
	(void)s;
	*wake = INT64_MAX;
}

void server_answer(struct server_job *job, struct report *const *reports, unsigned n,
		   enum server_trouble trouble, const char *error)
{
	(void)job, (void)reports, (void)n, (void)trouble, (void)error;
}

void server_count_shared(struct server *s)
{
	(void)s;
}

void server_refuse(struct server_job *job, const char *why)
{
	(void)job, (void)why;
}

#endif
