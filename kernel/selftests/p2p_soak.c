// SPDX-License-Identifier: GPL-2.0
/*
 * For a long time: random steps over known memory, alone and disturbed, the
 * storm of a CPU and a client over the same pages, and a thousand rebinds.
 *
 *	p2p_soak [--seed N] [--seconds S] [--steps N] [--threads N]
 *		 [--replay-to STEP] [what every suite knows]
 *
 * Without disturbers a seed gives the same steps in the same order every time.
 * --replay-to does them again up to STEP, and says what each of them is.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "hygiene.h"
#include "soak.h"
#include "tests.h"

#define DEFAULT_SECONDS	60
#define DEFAULT_THREADS	2
#define MAX_THREADS	8
#define SLACK_S		120	/* of a test beyond the time it is given */
#define STORM_SECONDS	60
#define REBINDS		1000
#define REBIND_SECONDS	240	/* the farm gives a test 300 */

static uint64_t seed = 1;
static unsigned int seconds = DEFAULT_SECONDS;
static unsigned int threads = DEFAULT_THREADS;
static unsigned long max_steps = ~0ul;
static unsigned long replay_to;

static struct soak soak;
static atomic_bool disturb;

/* Moves pages to and fro and reads them: changes where, and never what. */
static void *disturber(void *arg)
{
	unsigned int state = (uintptr_t)arg + 1;
	int fd = -1;

	while (atomic_load(&disturb)) {
		struct plot *plot = &soak.plots[rand_r(&state) % PLOTS];
		size_t first = rand_r(&state) % plot->pages;
		size_t count = 1 + rand_r(&state) % (plot->pages - first);
		/* The main thread may move the plot: any place will do. */
		uint8_t *memory = *(uint8_t *volatile *)&plot->memory;
		struct peerlab_migrate req = {
			.address = (uintptr_t)memory + first * PAGE,
			.length = count * PAGE,
			.flags = rand_r(&state) % 2 ? PEERLAB_MIGRATE_THP : 0,
		};

		/* It goes away and comes back, with the provider. */
		if (fd < 0)
			fd = open(PEERLAB_PROVIDER_DEVICE, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && ioctl(fd, rand_r(&state) % 3 ?
				     PEERLAB_PROVIDER_MIGRATE_IN :
				     PEERLAB_PROVIDER_MIGRATE_OUT, &req)) {
			close(fd);
			fd = -1;
		}
		usleep(500 + rand_r(&state) % 4000);
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void run(unsigned int budget_s, unsigned int disturbers)
{
	unsigned long last = replay_to ? replay_to : max_steps;
	time_t end = time(NULL) + budget_s;
	pthread_t thread[MAX_THREADS];
	unsigned int i;

	soak_open(&soak, seed);
	soak.verbose = replay_to;
	ktap_note("seed %lu, %u disturbing threads", seed, disturbers);
	atomic_store(&disturb, true);
	for (i = 0; i < disturbers; i++)
		REQUIRE(!pthread_create(&thread[i], NULL, disturber,
					(void *)(uintptr_t)i), "pthread_create");
	while (soak.step < last && (replay_to || time(NULL) < end)) {
		soak_step(&soak);
		if (!soak_compare(&soak))
			break;
	}
	atomic_store(&disturb, false);
	for (i = 0; i < disturbers; i++)
		pthread_join(thread[i], NULL);
	soak_count_steps(&soak);
	provider_behave(0, 0);
	soak_close(&soak);
}

static void s01_alone(void)
{
	run(seconds / 2, 0);
}

static void s02_disturbed(void)
{
	if (replay_to)
		SKIP("a replay is of the steps without disturbers");
	run(seconds - seconds / 2, threads);
}

static void f35_ping_pong_60s(void)
{
	ping_pong(STORM_SECONDS);
}

static void f75_rebind_1000(void)
{
	unsigned int done = rebind_provider(REBINDS, REBIND_SECONDS);

	if (done < REBINDS)
		SKIP("only %u of %u rebinds in %u s, all of them good: the machine is too slow",
		     done, REBINDS, REBIND_SECONDS);
}

static struct test tests[] = {
	{ "S01.random_steps", WAY_ANY, 0, s01_alone },
	{ "S02.random_steps_disturbed", WAY_ANY, 0, s02_disturbed },
	{ "F35.ping_pong_60s", WAY_ANY, 0, f35_ping_pong_60s, STORM_SECONDS + SLACK_S },
	{ "F75.rebind_1000", WAY_ANY, 0, f75_rebind_1000, REBIND_SECONDS + 40 },
	{ "H01.nothing_left", WAY_NONE, 0, h01_nothing_left },
	{}
};

/* Take "--NAME NUMBER" out of the arguments; true if it was there. */
static bool take_option(int *argc, char **argv, const char *name,
			unsigned long *value)
{
	char *end;
	int i;

	for (i = 1; i + 1 < *argc; i++) {
		if (strcmp(argv[i], name))
			continue;
		*value = strtoul(argv[i + 1], &end, 0);
		if (*end || !*argv[i + 1]) {
			fprintf(stderr, "%s: %s wants a number\n", argv[0], name);
			exit(2);
		}
		memmove(&argv[i], &argv[i + 2], (*argc - i - 1) * sizeof(*argv));
		*argc -= 2;
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	unsigned long value;

	if (take_option(&argc, argv, "--seed", &value))
		seed = value;
	if (take_option(&argc, argv, "--steps", &value)) {
		max_steps = value;
		seconds = 3600;
	}
	if (take_option(&argc, argv, "--seconds", &value))
		seconds = value;
	if (take_option(&argc, argv, "--threads", &value))
		threads = value > MAX_THREADS ? MAX_THREADS : value;
	if (take_option(&argc, argv, "--replay-to", &value))
		replay_to = value;
	tests[0].timeout_s = seconds / 2 + SLACK_S;
	tests[1].timeout_s = seconds - seconds / 2 + SLACK_S;
	return ktap_main(argc, argv, tests, rig_setup, hygiene_before);
}
