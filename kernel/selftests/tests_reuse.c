// SPDX-License-Identifier: GPL-2.0
/* Device memory that another process gets while a walk still looks at it. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "limit.h"
#include "tests.h"

#define PAGES	8ul
#define LENGTH	(PAGES * PAGE)
#define RACE_S	4

/* Whose turn it is; each of the two waits for the other. */
enum turn {
	GIVE,	/* nothing of the taker's is on the device */
	TAKE,	/* the small pages have been freed */
	END,
};

/**
 * struct reuse - shared by two processes
 * @turn: enum turn
 * @prepared: the taker has a huge page in RAM, ready to be moved
 * @memory: the giver's small pages
 * @first: where on the device the first of them was
 * @rounds: times that memory went from the one to the other
 * @met: times that the huge page was where the small ones had been
 */
struct reuse {
	_Atomic int turn;
	atomic_bool prepared;
	uint8_t *memory;
	_Atomic uint64_t first;
	atomic_ulong rounds;
	atomic_ulong met;
	atomic_bool stop;
};

/* Wait for @turn; false when there are no more. */
static bool await_turn(struct reuse *reuse, int turn)
{
	int now;

	while ((now = atomic_load(&reuse->turn)) != turn && now != END)
		usleep(50);
	return now == turn;
}

/*
 * A process of its own: what it does with its memory waits for no lock that a
 * walk of the parent's memory holds.
 */
static void take_pages(void *arg)
{
	uint8_t *p = memory_alloc(HUGE, true);
	static uint64_t offsets[HUGE_PAGES];
	struct peerlab_own_page head;
	struct reuse *reuse = arg;

	for (;;) {
		memset(p, 1, HUGE);
		atomic_store(&reuse->prepared, true);
		if (!await_turn(reuse, TAKE))
			break;
		migrate_in(p, HUGE, true, offsets);
		provider_snapshot(p, PAGE, &head);
		if (head.order == HUGE_ORDER && offsets[0] <= reuse->first &&
		    reuse->first < offsets[0] + HUGE)
			atomic_fetch_add(&reuse->met, 1);
		REQUIRE(!madvise(p, HUGE, MADV_DONTNEED), "madvise: %m");
		atomic_store(&reuse->prepared, false);
		atomic_store(&reuse->turn, GIVE);
	}
}

/* Small pages to the device, and freed when the taker can have them at once. */
static void *give_pages(void *arg)
{
	struct reuse *reuse = arg;
	uint64_t offsets[PAGES], moved;

	while (!atomic_load(&reuse->stop) && await_turn(reuse, GIVE)) {
		memset(reuse->memory, 1, LENGTH);
		/* A walk may have a page locked just now. */
		for (moved = 0; moved < PAGES;) {
			moved += migrate_in(reuse->memory, LENGTH, false,
					    offsets);
			if (offsets[0] != ~0ull)
				atomic_store(&reuse->first, offsets[0]);
		}
		while (!atomic_load(&reuse->prepared))
			usleep(50);
		REQUIRE(!madvise(reuse->memory, LENGTH, MADV_DONTNEED),
			"madvise: %m");
		atomic_store(&reuse->turn, TAKE);
		atomic_fetch_add(&reuse->rounds, 1);
	}
	await_turn(reuse, GIVE);
	atomic_store(&reuse->turn, END);
	return NULL;
}

/*
 * A walk holds neither the pages that it finds nor a lock that keeps them: one
 * that it is just looking at is freed, and the rest of a huge page of somebody
 * else's a moment later.
 */
void f13_walk_while_pages_become_huge(void)
{
	struct reuse *reuse = mmap(NULL, sizeof(*reuse), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	time_t end = time(NULL) + limit_here(RACE_S);
	unsigned long walks = 0, aliases = 0;
	struct peerlab_map map;
	struct child taker;
	pthread_t giver;
	int ret;

	REQUIRE(reuse != MAP_FAILED, "mmap: %m");
	reuse->memory = memory_alloc(LENGTH, false);
	taker = fork_child(take_pages, reuse);
	REQUIRE(!pthread_create(&giver, NULL, give_pages, reuse),
		"pthread_create");
	start_child(&taker);
	while (time(NULL) < end) {
		ret = client_map(client_fd, reuse->memory, LENGTH,
				 MAP_READ | PEERLAB_MAP_SNAPSHOT, &map, NULL);
		REQUIRE(!ret, "walk %lu: %s", walks, strerror(-ret));
		aliases += map.alias;
		walks++;
	}
	atomic_store(&reuse->stop, true);
	pthread_join(giver, NULL);
	join_child(&taker);
	ktap_note("%lu walks, %lu aliases; %lu of %lu huge pages took the place of small ones",
		  walks, aliases, reuse->met, reuse->rounds);
	client_unmap(client_fd);
	EXPECT(!!aliases == path_reachable(), "%lu aliases were seen, and the client can%s reach the provider",
	       aliases, path_reachable() ? "" : "not");
	if (!reuse->met && reuse->rounds)
		SKIP("the kernel gave no huge page that took the place of small ones");
	EXPECT(reuse->met, "nothing has moved");
	munmap(reuse, sizeof(*reuse));
}
