#include "master.h"

#include <stdint.h>
#include <stdio.h>

#include "crowd.h"
#include "fn.h"
#include "keeper.h"
#include "metrics.h"

static void	count_death(const struct kept *);

/*
 * A worker is a fork away from work, so one that lived for a moment has
 * started well: killing a worker twice a second is no crash loop.  Six early
 * deaths take less than three seconds, which the supervisor in turn still
 * counts as an early death of this function.
 */
static const struct keeper_policy policy = {
	.healthy_ms = 300,
	.backoff_ms = 50,
	.backoff_max_ms = 1000,
	.settle_ms = 100,
	/* The longest that any endpoint may take, and a little. */
	.grace_ms = 65000,
	.crash_loop = 6,
	.abreast = 1,
	.died = count_death,
};

static const struct crew *crew;

static char label[128];
static struct metric deaths = { .name = "function_worker_deaths_total", .labels = label,
    .help = "Processes of the function that died in service" };
static struct metric turned_away = { .name = "function_turned_away_total", .labels = label,
    .help = "Requests answered 503 because too many waited for the function" };

void
master_observe(const char *function)
{
	snprintf(label, sizeof(label), "function=\"%s\"", function);
	metrics_register(&deaths);
	metrics_register(&turned_away);
}

static void
count_death(const struct kept *unused)
{
	(void)unused;
	metric_add(&deaths, 1);
}

static int
run_worker(void *slot)
{
	return crew->worker((int)(intptr_t)slot);
}

static int
run_scheduler(void *unused)
{
	(void)unused;
	return crew->scheduler();
}

static int
run_exporter(void *unused)
{
	(void)unused;
	return crew->exporter();
}

static int
run_helper(void *unused)
{
	(void)unused;
	return crew->helper();
}

static void
gather(struct keeper *keeper)
{
	char name[32];

	for (int slot = 0; slot < crew->workers; slot++) {
		snprintf(name, sizeof(name), "worker %d", slot);
		keeper_add(keeper, name, -1, run_worker, (void *)(intptr_t)slot);
	}
	if (crew->scheduler != NULL)
		keeper_add(keeper, "scheduler", -1, run_scheduler, NULL);
	if (crew->exporter != NULL)
		keeper_add(keeper, "exporter", -1, run_exporter, NULL);
	for (int i = 0; i < crew->helpers; i++) {
		snprintf(name, sizeof(name), "helper %d", i);
		keeper_add(keeper, name, -1, run_helper, NULL);
	}
}

static int64_t
patience_ends(void)
{
	return crew->idle_since == NULL ? KEEPER_NEVER :
	    crew->idle_since() + crew->patience_ms;
}

static void
turn_away(int fd)
{
	crew->turn_away(fd);
	metric_add(&turned_away, 1);
}

/* When to look again at who waits. */
static int64_t
look_at_crowd(void)
{
	return crowd_look(turn_away) ? keeper_now() + CROWD_LOOK_MS : KEEPER_NEVER;
}

/* Until there is an end to it: anything but KEEPER_CRASH_LOOP is a good one. */
static enum keeper_news
lead(struct keeper *keeper)
{
	int64_t look = KEEPER_NEVER;

	for (;;) {
		int64_t end = patience_ends();
		enum keeper_news news = keeper_wait(keeper, look < end ? look : end);

		switch (news) {
		case KEEPER_RELOAD:
			keeper_roll(keeper);
			break;
		case KEEPER_REPORT:	/* by a worker: all of them are busy */
			crowd_watch();
			look = keeper_now() + CROWD_LOOK_MS;
			break;
		case KEEPER_TIME:
			if (look <= keeper_now())
				look = look_at_crowd();
			/* Somebody may have had work since. */
			else if (patience_ends() <= end)
				return news;
			break;
		default:
			return news;
		}
	}
}

int
master_run(const struct crew *given)
{
	struct keeper *keeper = keeper_new(&policy);
	enum keeper_news news;

	crew = given;
	gather(keeper);
	news = lead(keeper);
	keeper_drain(keeper);
	if (news == KEEPER_CRASH_LOOP)
		log_line(LOG_ERROR,
		    "workers die as soon as they start; giving up", NULL);
	return news == KEEPER_CRASH_LOOP ? 1 : 0;
}
