#include "master.h"

#include <stdint.h>
#include <stdio.h>

#include "fn.h"
#include "keeper.h"

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
};

struct work {
	int	(*worker)(int);
	int	(*scheduler)(void);
};
static struct work work;

static int
run_worker(void *slot)
{
	return work.worker((int)(intptr_t)slot);
}

static int
run_scheduler(void *unused)
{
	(void)unused;
	return work.scheduler();
}

int
master_run(int workers, int (*worker)(int slot), int (*scheduler)(void))
{
	struct keeper *keeper = keeper_new(&policy);
	enum keeper_news news;
	char name[32];

	work = (struct work){ worker, scheduler };
	for (int slot = 0; slot < workers; slot++) {
		snprintf(name, sizeof(name), "worker %d", slot);
		keeper_add(keeper, name, run_worker, (void *)(intptr_t)slot);
	}
	if (scheduler != NULL)
		keeper_add(keeper, "scheduler", run_scheduler, NULL);

	while ((news = keeper_wait(keeper)) != KEEPER_STOP) {
		if (news == KEEPER_CRASH_LOOP)
			break;
		if (news == KEEPER_RELOAD)
			keeper_roll(keeper);
	}
	keeper_drain(keeper);
	if (news == KEEPER_CRASH_LOOP)
		log_line(LOG_ERROR,
		    "workers die as soon as they start; giving up", NULL);
	return news == KEEPER_STOP ? 0 : 1;
}
