// SPDX-License-Identifier: GPL-2.0
/* Huge pages that come back in small ones. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "tests.h"

/* No huge page to come back to: small ones, and the same data. */
void f55_no_huge_page_to_move_to(void)
{
	uint8_t *p = huge_device_memory(155, NULL);
	struct peerlab_provider_counters before = provider_counters();
	struct peerlab_client_page pages[4];
	struct peerlab_map map;
	uint64_t moved;
	int ret;

	provider_behave_flags(PEERLAB_BEHAVE_NO_HUGE_RAM);
	moved = migrate_out(p, HUGE, true);
	provider_behave(0, 0);
	EXPECT(moved == HUGE_PAGES, "%lu of %lu pages moved", moved, HUGE_PAGES);
	EXPECT(provider_counters().used == before.used - moved,
	       "%llu device pages in use", provider_counters().used);
	ret = client_map(client_fd, p + 300 * PAGE, 4 * PAGE, 0, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	EXPECT(map.ram == 4 && pages[0].order == 0,
	       "%llu of 4 pages in RAM, of order %u", map.ram, pages[0].order);
	expect_dma_reads(client_fd, PAGE, PIECE, 301 * PAGE, 155);
	client_unmap(client_fd);
	pattern_expect(p, 0, HUGE, 155, "CPU");
}

/*
 * The same from a fault, which holds a reference to the huge page itself.  One
 * that cannot split it moves nothing: page after page has to fault, where the
 * driver lets them.
 */
void f55_no_huge_page_in_a_fault(void)
{
	uint8_t *p = huge_device_memory(156, NULL);
	struct peerlab_provider_counters before = provider_counters();
	struct peerlab_map map;
	uint64_t moved;
	int ret;

	provider_behave_flags(PEERLAB_BEHAVE_NO_HUGE_RAM);
	ret = client_map(client_fd, p + 300 * PAGE, 4 * PAGE, 0, &map, NULL);
	moved = provider_counters().pages_out - before.pages_out;
	provider_behave(0, 0);
	EXPECT(!ret, "map: %s", strerror(-ret));
	EXPECT(moved == HUGE_PAGES, "the fault moved %lu of %lu pages", moved,
	       HUGE_PAGES);
	if (!ret)
		expect_dma_reads(client_fd, PAGE, PIECE, 301 * PAGE, 156);
	client_unmap(client_fd);
	pattern_expect(p, 0, HUGE, 156, "CPU");
}

struct forked_page {
	uint8_t *memory;
	uint64_t seed;
};

static void look_at_forked_page(void *arg)
{
	struct forked_page *shared = arg;

	pattern_expect(shared->memory, 0, HUGE, shared->seed, "child");
}

/* Split by the fault of one process: the other has all of it, and nothing else. */
static void split_forked_page(bool child_first, uint64_t seed)
{
	struct forked_page shared = { huge_device_memory(seed, NULL), seed };
	struct peerlab_provider_counters before = provider_counters();
	struct child child = fork_child(look_at_forked_page, &shared);
	uint64_t moved;

	provider_behave_flags(PEERLAB_BEHAVE_NO_HUGE_RAM);
	if (child_first)
		release_child(&child);
	pattern_expect(shared.memory, 0, HUGE, seed, "parent");
	moved = provider_counters().pages_out - before.pages_out;
	provider_behave(0, 0);
	if (!child_first)
		release_child(&child);
	pattern_expect(shared.memory, 0, HUGE, seed, "parent, again");
	EXPECT(moved == HUGE_PAGES, "%lu of %lu pages moved", moved, HUGE_PAGES);
	munmap(shared.memory, HUGE);
	EXPECT(provider_counters().used == before.used - HUGE_PAGES,
	       "%llu device pages in use, %llu before",
	       provider_counters().used, before.used);
}

/*
 * After a fork() two page tables have the huge page in one entry, and who
 * splits it has to split both.
 */
void f55_forked_page_in_a_fault(void)
{
	split_forked_page(false, 157);
	split_forked_page(true, 158);
}

/* Touched by the CPU while somebody holds it: it comes as soon as nobody does. */
static void touch_busy(uint8_t *p, size_t length, uint64_t seed)
{
	struct peerlab_provider_counters before = provider_counters(), after;
	struct peerlab_inspection inspection;

	provider_behave_flags(PEERLAB_BEHAVE_NO_HUGE_RAM | PEERLAB_BEHAVE_BUSY);
	pattern_expect(p, 0, length, seed, "CPU");
	after = provider_counters();
	provider_behave(0, 0);
	EXPECT(after.cpu_faults - before.cpu_faults >
	       (after.pages_out - before.pages_out) / HUGE_PAGES,
	       "no fault has found a page busy");
	EXPECT(after.pages_out - before.pages_out == length / PAGE,
	       "%llu of %lu pages came back",
	       after.pages_out - before.pages_out, length / PAGE);
	inspection = provider_inspect();
	EXPECT(!inspection.private_referenced,
	       "%llu pages of the provider are still referenced",
	       inspection.private_referenced);
	munmap(p, length);
	EXPECT(provider_counters().used == before.used - length / PAGE,
	       "%llu device pages in use, %llu before",
	       provider_counters().used, before.used);
}

/*
 * A split that fails in a fault leaves the reference of the fault where it was:
 * one too few, and the page is freed while it is mapped.
 */
void f55_busy_in_a_fault(void)
{
	touch_busy(huge_device_memory(159, NULL), HUGE, 159);
	touch_busy(device_memory(4 * PAGE, 160, NULL), 4 * PAGE, 160);
}

/* No page at all: an error, and all of it is there when there is memory again. */
static void no_way_back(uint8_t *p, size_t length, uint64_t seed)
{
	struct peerlab_map map;
	int ret;

	provider_behave_flags(PEERLAB_BEHAVE_NO_RAM);
	ret = client_map(client_fd, p, length, 0, &map, NULL);
	provider_behave(0, 0);
	EXPECT(ret == -EFAULT || ret == -ENOMEM, "map without memory: %s",
	       ret ? strerror(-ret) : "done");
	EXPECT(client_state(client_fd).valid == 0, "%llu pages mapped",
	       client_state(client_fd).valid);
	ret = client_map(client_fd, p, length, 0, &map, NULL);
	REQUIRE(!ret, "map with memory: %s", strerror(-ret));
	expect_dma_reads(client_fd, PAGE, PIECE, PAGE, seed);
	client_unmap(client_fd);
	pattern_expect(p, 0, length, seed, "CPU");
}

void f55_no_memory_on_the_way_back(void)
{
	no_way_back(huge_device_memory(157, NULL), HUGE, 157);
	no_way_back(device_memory(4 * PAGE, 158, NULL), 4 * PAGE, 158);
}

#define ROUNDS 16
/* The page that is touched, and the one that goes meanwhile. */
#define TOUCHED (300 * PAGE)
#define GOES (7 * PAGE)

struct unmapper {
	uint8_t *memory;
	uint64_t faults;	/* of the provider before the touch */
	uint64_t delay_ns;	/* from the beginning of the fault */
	uint64_t done_ns;
	bool all;
	pthread_t thread;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/*
 * When the fault has begun: a small page goes, or all of it, in whose place there
 * is another huge page at once.
 */
static void *unmap_meanwhile(void *arg)
{
	struct unmapper *u = arg;

	while (provider_counters().cpu_faults == u->faults)
		;
	usleep(u->delay_ns / 1000);
	REQUIRE(!madvise(u->memory + (u->all ? 0 : GOES), u->all ? HUGE : PAGE,
			 MADV_DONTNEED),
		"madvise: %m");
	u->done_ns = now_ns();
	if (u->all)
		pattern_fill(u->memory, 0, HUGE, 162);
	return NULL;
}

/* How long a touch of a huge page takes that comes back in small ones. */
static uint64_t touch_ns(uint8_t *p)
{
	uint64_t start = now_ns();

	*(volatile uint8_t *)(p + TOUCHED);
	return now_ns() - start;
}

/* All of it is free, and nothing of the provider is held. */
static void nothing_is_left(uint64_t used)
{
	struct peerlab_inspection inspection = provider_inspect();

	EXPECT(!inspection.private_referenced,
	       "%llu pages of the provider are still referenced",
	       inspection.private_referenced);
	EXPECT(provider_counters().used == used,
	       "%llu device pages in use, %lu before",
	       provider_counters().used, used);
}

static void unmap_beside_faults(bool all)
{
	uint64_t used = provider_counters().used, took, touched;
	struct unmapper u = { .all = all };
	unsigned int round, beside = 0;

	provider_behave_flags(PEERLAB_BEHAVE_NO_HUGE_RAM);
	u.memory = huge_device_memory(161, NULL);
	took = touch_ns(u.memory);
	munmap(u.memory, HUGE);
	for (round = 0; round < ROUNDS; round++) {
		u.memory = huge_device_memory(161, NULL);
		u.faults = provider_counters().cpu_faults;
		/* Into the collection, the copies, the split and what comes after. */
		u.delay_ns = took * round / ROUNDS;
		REQUIRE(!pthread_create(&u.thread, NULL, unmap_meanwhile, &u),
			"pthread_create");
		touch_ns(u.memory);
		touched = now_ns();
		pthread_join(u.thread, NULL);
		beside += u.done_ns < touched;
		if (all)
			pattern_expect(u.memory, 0, HUGE, 162, "CPU, anew");
		else
			pattern_expect(u.memory + GOES + PAGE, GOES + PAGE,
				       HUGE - GOES - PAGE, 161, "CPU");
		munmap(u.memory, HUGE);
		/* Before the same pages are used again. */
		nothing_is_left(used);
	}
	provider_behave(0, 0);
	if (!beside)
		SKIP("none of %u was unmapped before its fault had ended", ROUNDS);
}

/*
 * mmap_lock is held for reading by a fault that splits a huge page, and by
 * whoever unmaps a part of it beside: what is split is the entry of that page or
 * none, and all of it is free in the end.
 */
void f55_unmapped_beside_a_fault(void)
{
	unmap_beside_faults(false);
}

/* The same with another page in its place, which is left alone. */
void f55_replaced_beside_a_fault(void)
{
	unmap_beside_faults(true);
}

struct slow_move {
	uint8_t *memory;
	uint64_t moved;
	volatile bool done;
	pthread_t thread;
};

static void *move_slowly(void *arg)
{
	struct slow_move *move = arg;

	move->moved = migrate_out_slowly(move->memory, HUGE, true);
	move->done = true;
	return NULL;
}

/*
 * While a huge page is moved back it is unmapped, and another one takes its
 * place; false if the move had ended before that.
 */
static bool replaced_in_time(void)
{
	struct slow_move move = { huge_device_memory(163, NULL) };
	uint64_t used = provider_counters().used, during, entry;
	struct peerlab_own_page page;
	bool in_time;

	entry = pagemap_entry(move.memory);
	provider_behave_flags(PEERLAB_BEHAVE_NO_HUGE_RAM);
	REQUIRE(!pthread_create(&move.thread, NULL, move_slowly, &move),
		"pthread_create");
	/* Until it is an entry of the migration. */
	while (pagemap_entry(move.memory) == entry && !move.done)
		usleep(1000);
	REQUIRE(!madvise(move.memory, HUGE, MADV_DONTNEED), "madvise: %m");
	during = provider_counters().used;
	in_time = !move.done;
	if (in_time)
		EXPECT(during == used,
		       "%llu of %llu device pages in use while they are moved",
		       (unsigned long long)during, (unsigned long long)used);
	pattern_fill(move.memory, 0, HUGE, 164);
	provider_snapshot(move.memory, PAGE, &page);
	if (page.order != HUGE_ORDER)
		SKIP("the kernel gave no huge page (order %u)", page.order);
	in_time = in_time && !move.done;
	pthread_join(move.thread, NULL);
	provider_behave(0, 0);
	provider_snapshot(move.memory, PAGE, &page);
	EXPECT(page.order == HUGE_ORDER, "the new page is of order %u", page.order);
	pattern_expect(move.memory, 0, HUGE, 164, "CPU, anew");
	munmap(move.memory, HUGE);
	nothing_is_left(used - HUGE_PAGES);
	return in_time;
}

/*
 * What a migration has taken away holds no reference of its own: who unmaps it
 * drops none, and what comes into its place is not split instead of it.
 */
void f55_replaced_while_it_moves(void)
{
	unsigned int round;

	for (round = 0; round < ROUNDS; round++)
		if (replaced_in_time())
			return;
	SKIP("none of %u was replaced before its move had ended", ROUNDS);
}
