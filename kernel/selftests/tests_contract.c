// SPDX-License-Identifier: GPL-2.0
/* What core, provider and client may rely on while a page is mapped. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "limit.h"
#include "tests.h"

#define PAGES	8ul
#define LENGTH	(PAGES * PAGE)
#define RACE_S	4

static struct peerlab_client_page pages[HUGE_PAGES];

/* Map @p; the provider is asked with the page table entry locked. */
static void expect_locked(uint8_t *p, size_t length, const char *what)
{
	struct peerlab_provider_counters before, after;
	int ret;

	provider_watch(p);
	before = provider_counters();
	ret = client_map(client_fd, p, length, MAP_READ, NULL, NULL);
	after = provider_counters();
	provider_behave(0, 0);
	REQUIRE(!ret, "map %s: %s", what, strerror(-ret));
	EXPECT(after.alias_watched > before.alias_watched,
	       "the provider was not asked with the entry of a %s locked", what);
	EXPECT(after.alias_unlocked == before.alias_unlocked,
	       "%llu times the entry of a %s was not locked",
	       after.alias_unlocked - before.alias_unlocked, what);
	client_unmap(client_fd);
}

/* Nothing but the locked entry holds the page that the provider is asked for. */
void f10_called_with_the_lock(void)
{
	expect_locked(device_memory(LENGTH, 17, NULL), LENGTH, "small page");
	expect_locked(huge_device_memory(18, NULL), HUGE, "huge page");
}

/* All @n pages are aliases and mapped, and the notifier has not run. */
static void expect_unchanged(const struct peerlab_map *map, unsigned long n,
			     unsigned int order, const char *when)
{
	unsigned long i;

	EXPECT(map->alias == n && map->sticky == n,
	       "%s: %llu of %lu pages are aliases, %llu are mapped", when,
	       map->alias, n, map->sticky);
	for (i = 0; i < n; i++)
		REQUIRE(pages[i].kind == PEERLAB_KIND_ALIAS &&
			pages[i].order == order,
			"%s: page %lu is of kind %u and order %u", when, i,
			pages[i].kind, pages[i].order);
}

/* The provider gives an alias, and refuses it while it is mapped. */
static void refuse_while_mapped(uint8_t *p, size_t length, uint64_t seed,
				unsigned int order)
{
	struct peerlab_provider_counters before;
	unsigned long n = length / PAGE;
	struct peerlab_client_state state;
	struct peerlab_map map;
	int ret;

	ret = client_map(client_fd, p, length, MAP_READ, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	if (!path_reachable())
		SKIP("the client cannot reach the provider on this machine");
	REQUIRE(map.alias == n, "%llu of %lu pages are aliases", map.alias, n);

	before = provider_counters();
	provider_behave(EBUSY, 0);
	ret = client_map(client_fd, p, length, MAP_READ | PEERLAB_MAP_SNAPSHOT,
			 &map, pages);
	REQUIRE(!ret, "snapshot while refused: %s", strerror(-ret));
	expect_unchanged(&map, n, order, "a snapshot while refused");
	ret = client_map(client_fd, p, length, MAP_READ, &map, pages);
	REQUIRE(!ret, "map while refused: %s", strerror(-ret));
	expect_unchanged(&map, n, order, "a fault while refused");
	EXPECT(provider_counters().pages_out == before.pages_out,
	       "pages that are mapped were migrated because they are refused");
	expect_dma_reads(client_fd, 0, PIECE, 0, seed);

	/* The eviction finds all of them, whatever the provider says. */
	pattern_expect(p, 0, length, seed, "CPU");
	state = client_state(client_fd);
	EXPECT(state.invalidated == n && !state.valid,
	       "%llu of %lu pages were unmapped when they left the device, %llu are left",
	       state.invalidated, n, state.valid);
	EXPECT(!state.orphans, "%llu pages mapped and not valid", state.orphans);
	EXPECT(!state.leaked, "%llu pages given back and not unmapped",
	       state.leaked);
	provider_behave(0, 0);

	ret = client_map(client_fd, p, length, MAP_READ, &map, pages);
	REQUIRE(!ret, "map again: %s", strerror(-ret));
	EXPECT(map.ram == n && !map.map_failed,
	       "%llu pages in RAM, %llu not mapped", map.ram, map.map_failed);
	expect_dma_reads(client_fd, PAGE, PIECE, PAGE, seed);
	client_unmap(client_fd);
}

void f12_refused_while_mapped(void)
{
	refuse_while_mapped(device_memory(LENGTH, 201, NULL), LENGTH, 201, 0);
}

void f12_refused_while_mapped_pmd(void)
{
	refuse_while_mapped(huge_device_memory(202, NULL), HUGE, 202,
			    HUGE_ORDER);
}

/*
 * Who names no device need not fill in its entries, so that a mark in them says
 * nothing: what is mapped is a page that has to be migrated, and the mapping goes
 * with the page.
 */
static void walk_without_dma_dev(uint8_t *p, size_t length, uint64_t seed)
{
	unsigned long n = length / PAGE;
	struct peerlab_client_state state;
	/* Of its own: not for client_unmap() to judge, see below. */
	int fd = client_open();
	struct peerlab_map map;
	int ret;

	ret = client_map(fd, p, length, MAP_READ, &map, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	if (!path_reachable())
		SKIP("the client cannot reach the provider on this machine");
	REQUIRE(map.alias == n, "%llu of %lu pages are aliases", map.alias, n);
	ret = client_map(fd, p, length, PEERLAB_MAP_SNAPSHOT, &map, NULL);
	REQUIRE(!ret, "snapshot without a device: %s", strerror(-ret));
	EXPECT(map.none == n, "a snapshot without a device: %llu of %lu pages are none",
	       map.none, n);
	state = client_state(fd);
	EXPECT(state.valid == n && !state.invalidated,
	       "a snapshot has left %llu of %lu pages mapped, %llu were taken away",
	       state.valid, n, state.invalidated);
	/* Mapped and not valid, which is what was asked for. */
	EXPECT(state.orphans == n, "%llu of %lu pages mapped and not valid",
	       state.orphans, n);

	ret = client_map(fd, p, length, 0, &map, NULL);
	REQUIRE(!ret, "map without a device: %s", strerror(-ret));
	EXPECT(map.ram == n && !map.alias,
	       "a fault without a device: %llu of %lu pages in RAM", map.ram, n);
	state = client_state(fd);
	EXPECT(state.invalidated == n && !state.leaked && !state.marked &&
	       !state.stale,
	       "of %lu pages %llu were unmapped when they were migrated, %llu leaked, %llu kept a mark, %llu have a wrong one",
	       n, state.invalidated, state.leaked, state.marked, state.stale);
	expect_dma_reads(fd, PAGE, PIECE, PAGE, seed);
	close(fd);
}

void f12_walk_without_dma_dev(void)
{
	walk_without_dma_dev(device_memory(LENGTH, 206, NULL), LENGTH, 206);
	walk_without_dma_dev(huge_device_memory(207, NULL), HUGE, 207);
}

/* Who comes later is refused and gets RAM; who has it mapped is told. */
void f12_refused_to_another(void)
{
	uint8_t *p = device_memory(LENGTH, 203, NULL);
	struct peerlab_client_state state;
	int other = client_open(), ret;
	struct peerlab_map map;

	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	if (!path_reachable())
		SKIP("the client cannot reach the provider on this machine");
	provider_behave(EBUSY, 0);
	ret = client_map(other, p, LENGTH, MAP_READ, &map, NULL);
	provider_behave(0, 0);
	REQUIRE(!ret, "map by another: %s", strerror(-ret));
	EXPECT(map.ram == PAGES, "%llu of %lu pages in RAM", map.ram, PAGES);
	state = client_state(client_fd);
	EXPECT(state.invalidated == PAGES && !state.valid && !state.leaked,
	       "of %lu aliases %llu were unmapped, %llu are valid, %llu leaked",
	       PAGES, state.invalidated, state.valid, state.leaked);
	expect_dma_reads(other, 0, PIECE, 0, 203);
	client_unmap(other);
	client_unmap(client_fd);
}

struct late {
	uint8_t *memory;
	pthread_t thread;
};

static void *migrate_soon(void *arg)
{
	struct late *late = arg;

	usleep(100000);
	/* All that can be isolated now, and at least one page. */
	while (!migrate_in(late->memory, LENGTH, false, NULL))
		;
	return NULL;
}

/*
 * Requests are where HMM_PFN_VALID was: an invalidation that comes then has to
 * unmap the pages that nothing is requested for.
 */
void f12_invalidated_among_requests(void)
{
	struct late late = { .memory = memory_alloc(LENGTH, false) };
	struct peerlab_client_state state;
	struct peerlab_map map;
	int ret;

	pattern_fill(late.memory, 0, LENGTH, 204);
	ret = client_map(client_fd, late.memory, LENGTH, MAP_READ, &map, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	REQUIRE(!pthread_create(&late.thread, NULL, migrate_soon, &late),
		"pthread_create");
	memset(pages, 0, sizeof(pages));
	ret = client_map(client_fd, late.memory, LENGTH,
			 PEERLAB_MAP_DMA_DEV | PEERLAB_MAP_PER_PAGE |
			 PEERLAB_MAP_AWAIT_RETRY, &map, pages);
	pthread_join(late.thread, NULL);
	REQUIRE(!ret, "map page by page: %s", strerror(-ret));
	state = client_state(client_fd);
	EXPECT(state.invalidated, "nothing was invalidated");
	EXPECT(!state.leaked, "%llu pages given back and not unmapped",
	       state.leaked);
	client_unmap(client_fd);
	pattern_expect(late.memory, 0, LENGTH, 204, "CPU");
}

struct mover {
	uint8_t *memory;
	atomic_bool stop;
	atomic_ulong walks;	/* that have come to their end */
	unsigned long rounds;
	pthread_t thread;
};

/* In and out, huge and small, taken apart, freed and allocated again. */
static void *move_about(void *arg)
{
	struct mover *mover = arg;
	uint8_t *p = mover->memory;

	while (!atomic_load(&mover->stop)) {
		madvise(p, 2 * HUGE, MADV_HUGEPAGE);
		memset(p, 1, HUGE);
		migrate_in(p, 2 * HUGE, true, NULL);
		REQUIRE(!mprotect(p + 16 * PAGE, 16 * PAGE, PROT_READ),
			"mprotect: %m");
		REQUIRE(!mprotect(p + 16 * PAGE, 16 * PAGE,
				  PROT_READ | PROT_WRITE), "mprotect: %m");
		migrate_out(p + 64 * PAGE, 64 * PAGE, false);
		REQUIRE(!madvise(p + 128 * PAGE, 300 * PAGE, MADV_DONTNEED),
			"madvise: %m");
		migrate_in(p, HUGE, false, NULL);
		REQUIRE(!madvise(p, 2 * HUGE, MADV_DONTNEED), "madvise: %m");
		mover->rounds++;
	}
	return NULL;
}

/* Walks that race with all of it: every answer is one of a page that is held. */
void f13_walk_while_pages_move(void)
{
	time_t end = time(NULL) + limit_here(RACE_S);
	struct mover mover = { .memory = memory_alloc(2 * HUGE, true) };
	unsigned long walks = 0, aliases = 0, unheld;
	struct peerlab_map map;
	int ret;

	unheld = provider_counters().alias_unheld;
	provider_behave_flags(PEERLAB_BEHAVE_LOOK_AT_HOLD);
	REQUIRE(!pthread_create(&mover.thread, NULL, move_about, &mover),
		"pthread_create");
	while (time(NULL) < end) {
		ret = client_map(client_fd, mover.memory, 2 * HUGE,
				 MAP_READ | PEERLAB_MAP_SNAPSHOT, &map, NULL);
		REQUIRE(!ret, "walk %lu: %s", walks, strerror(-ret));
		aliases += map.alias;
		walks++;
	}
	atomic_store(&mover.stop, true);
	pthread_join(mover.thread, NULL);
	ktap_note("%lu walks, %lu aliases, %lu rounds of the mover", walks,
		  aliases, mover.rounds);
	EXPECT(mover.rounds, "nothing has moved");
	EXPECT(!!aliases == path_reachable(), "%lu aliases were seen, and the client can%s reach the provider",
	       aliases, path_reachable() ? "" : "not");
	unheld = provider_counters().alias_unheld - unheld;
	EXPECT(!unheld, "the provider was asked %lu times for a page that nothing holds",
	       unheld);
	provider_behave(0, 0);
	client_unmap(client_fd);

	/* And still the right page is found. */
	pattern_fill(mover.memory, 0, LENGTH, 205);
	migrate_in_all(mover.memory, LENGTH, false, NULL);
	ret = client_map(client_fd, mover.memory, LENGTH, MAP_READ, &map, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	expect_dma_reads(client_fd, PAGE, PIECE, PAGE, 205);
	client_unmap(client_fd);
}

/*
 * As above, and what is found is mapped: the walk writes entries without the lock
 * under which the notifier clears the mark of a mapping, and must not bring it
 * back.
 */
static void map_meanwhile(void *(*move)(void *), size_t length)
{
	time_t end = time(NULL) + limit_here(RACE_S);
	struct mover mover = { .memory = memory_alloc(length, length >= HUGE) };
	struct peerlab_client_state state;
	int ret;

	REQUIRE(!pthread_create(&mover.thread, NULL, move, &mover),
		"pthread_create");
	while (time(NULL) < end) {
		ret = client_map(client_fd, mover.memory, length, MAP_READ,
				 NULL, NULL);
		REQUIRE(!ret, "walk %lu: %s", atomic_load(&mover.walks),
			strerror(-ret));
		atomic_fetch_add(&mover.walks, 1);
	}
	atomic_store(&mover.stop, true);
	pthread_join(mover.thread, NULL);
	state = client_state(client_fd);
	ktap_note("%lu walks, %lu rounds of the mover, %llu invalidations",
		  atomic_load(&mover.walks), mover.rounds, state.invalidations);
	EXPECT(mover.rounds, "nothing has moved");
	EXPECT(state.invalidations, "nothing was invalidated");
	/* Which looks at the marks. */
	client_unmap(client_fd);
}

void f14_marks_while_pages_move(void)
{
	map_meanwhile(move_about, 2 * HUGE);
}

#define THROWN	(64 * PAGE)

/*
 * The window is a few instructions.  So all of it goes as soon as all of it is
 * mapped, which is while the next walk looks at it, each time a bit later.
 */
static void *throw_away(void *arg)
{
	struct mover *mover = arg;
	unsigned long seen = 0;
	volatile unsigned int later;

	while (!atomic_load(&mover->stop)) {
		if (atomic_load(&mover->walks) == seen)
			continue;
		seen = atomic_load(&mover->walks);
		for (later = 0; later < mover->rounds % 512 * 16; later++)
			;
		REQUIRE(!madvise(mover->memory, THROWN, MADV_DONTNEED),
			"madvise: %m");
		mover->rounds++;
	}
	return NULL;
}

void f14_marks_while_thrown_away(void)
{
	map_meanwhile(throw_away, THROWN);
}
