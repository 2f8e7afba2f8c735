// SPDX-License-Identifier: GPL-2.0
/* F97.traffic: the client writes and reads while the server's pages move. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "pair_side.h"
#include "rxe_link.h"
#include "tests_pair.h"

#define TRAFFIC_S	10
#define PEACE_US	20000	/* see test_traffic() */

static atomic_bool stop;
static bool have_provider;

static uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

/* Moves pages about and takes them away; none of it changes their contents. */
static void *disturb(void *arg)
{
	uint8_t *memory = arg;
	uint64_t state = 4711;

	while (!stop) {
		uint32_t first = next_random(&state) % PAGES_SHARED;
		uint32_t pages = 1 + next_random(&state) %
				     (PAGES_SHARED - first);
		uint8_t *at = memory + first * PAGE;

		switch (next_random(&state) % 3) {
		case 0:
			madvise(at, pages * PAGE, MADV_PAGEOUT);
			break;
		case 1:
			if (have_provider)
				migrate_out(at, pages * PAGE, false);
			break;
		default:
			if (have_provider)
				migrate_in(at, pages * PAGE, false, NULL);
		}
		usleep(PEACE_US);
	}
	return NULL;
}

/* The client writes and reads back; the server's pages never rest. */
static unsigned long run_traffic(struct side *side)
{
	uint8_t *expected = malloc(SHARED);
	uintptr_t there = (uintptr_t)side->remote.addr;
	struct timespec now, end;
	unsigned long rounds = 0;
	uint64_t state = 815;

	REQUIRE(expected, "no memory");
	pattern_make(expected, 0, SHARED, SEED_OLD);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += TRAFFIC_S;
	do {
		size_t offset = next_random(&state) % SHARED;
		size_t length = 1 + next_random(&state) % (SHARED - offset);

		pattern_make(expected + offset, offset, length, rounds);
		memcpy(side->memory, expected + offset, length);
		require_success(rdma_write(&side->pair, side->mr, side->memory,
					   length, &side->remote,
					   there + offset), "write");
		memset(side->memory, 0, SHARED);
		require_success(rdma_read(&side->pair, side->mr, side->memory,
					  SHARED, &side->remote, there),
				"read");
		REQUIRE(!memcmp(side->memory, expected, SHARED),
			"wrong data after round %lu (%zu bytes at %zu)",
			rounds, length, offset);
		proof->bytes_compared += SHARED;
		rounds++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec);
	free(expected);
	return rounds;
}

void test_pair_traffic(void)
{
	struct side side = side_open(shared_memory(),
				     is_server ? ACCESS_ODP : ACCESS_ALL);
	pthread_t thread;

	have_provider = client_fd >= 0;
	if (is_server) {
		unsigned long rounds;

		pattern_fill(side.memory, 0, SHARED, SEED_OLD);
		REQUIRE(!pthread_create(&thread, NULL, disturb, side.memory),
			"thread");
		meet("lent");
		rounds = strtoul(meet("compare"), NULL, 10);
		stop = true;
		pthread_join(thread, NULL);
		ktap_note("%lu rounds of the client%s", rounds,
			  have_provider ? ", with migration" : "");
		EXPECT(rounds > 0, "the client did nothing");
	} else {
		meet("write");
		meet("%lu", run_traffic(&side));
	}
	side_close(&side, SHARED);
}
