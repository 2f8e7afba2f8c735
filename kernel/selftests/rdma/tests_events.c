// SPDX-License-Identifier: GPL-2.0
/* F92: the address space changes under a region with on demand paging. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests_rdma.h"

#define SEED_OLD	92
#define SEED_NEW	93
#define PAGES		16
#define BYTES		(PAGES * PAGE)

/* A region of which the device has seen each page, to write and to read. */
struct known {
	uint8_t *memory;
	struct ibv_mr *remote;
	struct ibv_mr *local;
	struct pair pair;
};

static struct known known_region(void)
{
	struct known k = { .memory = memory_alloc(BYTES, false) };

	k.remote = region(k.memory, BYTES, ACCESS_ODP);
	k.local = region_pinned(BYTES);
	k.pair = pair_open(0);
	pattern_make(k.local->addr, 0, BYTES, SEED_OLD);
	require_success(rdma_write(&k.pair, k.local, k.local->addr, BYTES,
				   k.remote, (uintptr_t)k.memory), "write");
	pattern_expect(k.memory, 0, BYTES, SEED_OLD, "written");
	return k;
}

static enum ibv_wc_status write_new(struct known *k, size_t offset,
				    size_t length)
{
	pattern_make(k->local->addr, offset, length, SEED_NEW);
	return rdma_write(&k->pair, k->local, k->local->addr, length,
			  k->remote, (uintptr_t)k->memory + offset);
}

static enum ibv_wc_status read_back(struct known *k, size_t offset,
				    size_t length)
{
	memset(k->local->addr, 0xee, length);
	return rdma_read(&k->pair, k->local, k->local->addr, length, k->remote,
			 (uintptr_t)k->memory + offset);
}

static void expect_refused(struct known *k, enum ibv_wc_status status,
			   const char *what)
{
	EXPECT(status == IBV_WC_REM_ACCESS_ERR, "%s: %s", what,
	       ibv_wc_status_str(status));
	/* The error has ended this pair. */
	pair_close(&k->pair);
	k->pair = pair_open(0);
}

void test_unmapped(void)
{
	struct known k = known_region();

	munmap(k.memory + 4 * PAGE, 4 * PAGE);
	expect_refused(&k, write_new(&k, 5 * PAGE, 8), "write into the hole");
	expect_refused(&k, read_back(&k, 7 * PAGE, PAGE), "read from the hole");
	expect_refused(&k, write_new(&k, 4 * PAGE - 8, 16), "write across it");
	require_success(read_back(&k, 8 * PAGE, 4 * PAGE), "read behind it");
	pattern_expect(k.local->addr, 8 * PAGE, 4 * PAGE, SEED_OLD, "behind");
	pattern_expect(k.memory + 8 * PAGE, 8 * PAGE, 8 * PAGE, SEED_OLD,
		       "memory behind it");
	pair_close(&k.pair);
}

/* The old pages live on elsewhere, and the device must not reach them. */
void test_mapped_anew(void)
{
	struct known k = known_region();
	uint8_t *elsewhere = memory_alloc(BYTES, false);

	REQUIRE(mremap(k.memory, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED,
		       elsewhere) == elsewhere, "mremap: %m");
	REQUIRE(mmap(k.memory, BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		k.memory, "mmap: %m");
	require_success(write_new(&k, PAGE + 5, 3 * PAGE), "write");
	pattern_expect(k.memory + PAGE + 5, PAGE + 5, 3 * PAGE, SEED_NEW,
		       "new memory");
	pattern_expect(elsewhere, 0, BYTES, SEED_OLD, "old memory");
	pair_close(&k.pair);
}

void test_thrown_away(void)
{
	struct known k = known_region();
	size_t i;

	REQUIRE(!madvise(k.memory, BYTES, MADV_DONTNEED), "madvise: %m");
	require_success(read_back(&k, 10, 2 * PAGE), "read");
	for (i = 0; i < 2 * PAGE; i++)
		if (((uint8_t *)k.local->addr)[i])
			break;
	EXPECT(i == 2 * PAGE, "byte %zu of what was thrown away is back", i);
	require_success(write_new(&k, 8 * PAGE + 10, 2 * PAGE), "write");
	pattern_expect(k.memory + 8 * PAGE + 10, 8 * PAGE + 10, 2 * PAGE,
		       SEED_NEW, "written");
	pair_close(&k.pair);
}

/* What the device writes after fork() is the parent's alone. */
void test_copy_on_write(void)
{
	struct known k = known_region();
	int go[2], status;
	pid_t child;
	char c = 0;

	REQUIRE(!pipe(go), "pipe: %m");
	child = fork();
	REQUIRE(child >= 0, "fork: %m");
	if (!child) {
		uint8_t *expected = malloc(BYTES);

		pattern_make(expected, 0, BYTES, SEED_OLD);
		if (read(go[0], &c, 1) != 1)
			_exit(2);
		_exit(memcmp(expected, k.memory, BYTES) ? 1 : 0);
	}
	require_success(write_new(&k, 3, BYTES - 6), "write");
	REQUIRE(write(go[1], &c, 1) == 1, "write: %m");
	REQUIRE(waitpid(child, &status, 0) == child, "waitpid: %m");
	EXPECT(WIFEXITED(status) && !WEXITSTATUS(status),
	       "the child saw what the device wrote for the parent");
	pattern_expect(k.memory + 3, 3, BYTES - 6, SEED_NEW, "the parent's");
	pair_close(&k.pair);
}

void test_read_only_pages(void)
{
	struct known k = known_region();

	REQUIRE(!mprotect(k.memory, 4 * PAGE, PROT_READ), "mprotect: %m");
	require_success(read_back(&k, 100, PAGE), "read");
	pattern_expect(k.local->addr, 100, PAGE, SEED_OLD, "read");
	expect_refused(&k, write_new(&k, 200, 300), "write to read-only");
	REQUIRE(!mprotect(k.memory, 4 * PAGE, PROT_NONE), "mprotect: %m");
	expect_refused(&k, read_back(&k, 100, PAGE), "read without access");
	REQUIRE(!mprotect(k.memory, 4 * PAGE, PROT_READ | PROT_WRITE),
		"mprotect: %m");
	pattern_expect(k.memory, 0, BYTES, SEED_OLD, "after all that");
	require_success(write_new(&k, 200, PAGE), "write");
	pattern_expect(k.memory + 200, 200, PAGE, SEED_NEW, "written");
	pair_close(&k.pair);
}

/*
 * MADV_FREE leaves pages writable and clean, for reclaim to drop unless they
 * are written again: by the device counts.
 */
void test_written_is_dirty(void)
{
	uint8_t *control = memory_alloc(BYTES, false);
	uint8_t *memory = memory_alloc(BYTES, false);
	struct ibv_mr *remote = region(memory, BYTES, ACCESS_ODP);
	struct ibv_mr *local = region_pinned(BYTES);
	struct pair pair = pair_open(0);
	size_t i, dropped = 0;
	cpu_set_t cpu;

	/*
	 * New pages wait in a list of the CPU that made them, which madvise()
	 * drains where it runs: let that be one and the same.
	 */
	CPU_ZERO(&cpu);
	CPU_SET(sched_getcpu(), &cpu);
	REQUIRE(!sched_setaffinity(0, sizeof(cpu), &cpu), "affinity: %m");

	memset(control, 1, BYTES);
	memset(memory, 1, BYTES);
	REQUIRE(!madvise(control, BYTES, MADV_FREE), "MADV_FREE: %m");
	REQUIRE(!madvise(memory, BYTES, MADV_FREE), "MADV_FREE: %m");
	pattern_make(local->addr, 0, BYTES, SEED_NEW);
	require_success(rdma_write(&pair, local, local->addr, BYTES, remote,
				   (uintptr_t)memory), "write");
	REQUIRE(!madvise(control, BYTES, MADV_PAGEOUT), "MADV_PAGEOUT: %m");
	REQUIRE(!madvise(memory, BYTES, MADV_PAGEOUT), "MADV_PAGEOUT: %m");
	for (i = 0; i < PAGES; i++)
		dropped += !control[i * PAGE];
	if (dropped < PAGES / 2)
		SKIP("only %zu of %d pages were dropped that might have been",
		     dropped, PAGES);
	pattern_expect(memory, 0, BYTES, SEED_NEW, "written");
	pair_close(&pair);
}

/* ---- traffic */

#define TRAFFIC_S	8
#define PEACE_US	5000

static atomic_bool stop;
static bool have_provider;

static uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

/* None of it changes what is in the memory. */
static void *disturb(void *arg)
{
	uint64_t state = 4711;
	uint8_t *memory = arg;

	while (!stop) {
		uint32_t first = next_random(&state) % PAGES;
		uint32_t pages = 1 + next_random(&state) % (PAGES - first);
		uint8_t *at = memory + first * PAGE;
		pid_t child;

		switch (next_random(&state) % 4) {
		case 0:
			child = fork();
			if (!child)
				_exit(0);
			waitpid(child, NULL, 0);
			break;
		case 1:
			/* Nobody but the device reads or writes meanwhile. */
			madvise(at, pages * PAGE, MADV_PAGEOUT);
			break;
		case 2:
			if (have_provider)
				migrate_out(at, pages * PAGE, false);
			break;
		default:
			if (have_provider)
				migrate_in(at, pages * PAGE, false, NULL);
		}
		/*
		 * hmm_range_fault() gives up after a second without a moment's
		 * peace, and rxe the connection with it.
		 */
		usleep(PEACE_US);
	}
	return NULL;
}

void test_traffic(void)
{
	struct known k = known_region();
	uint8_t *expected = malloc(BYTES);
	unsigned long rounds = 0;
	struct timespec now, end;
	uint64_t state = 815;
	pthread_t thread;

	have_provider = client_fd >= 0;
	pattern_make(expected, 0, BYTES, SEED_OLD);
	REQUIRE(!pthread_create(&thread, NULL, disturb, k.memory), "thread");
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += TRAFFIC_S;
	do {
		size_t offset = next_random(&state) % BYTES;
		size_t length = 1 + next_random(&state) % (BYTES - offset);

		pattern_make(expected + offset, offset, length, state);
		memcpy(k.local->addr, expected + offset, length);
		require_success(rdma_write(&k.pair, k.local, k.local->addr,
					   length, k.remote,
					   (uintptr_t)k.memory + offset),
				"write");
		require_success(read_back(&k, 0, BYTES), "read");
		REQUIRE(!memcmp(k.local->addr, expected, BYTES),
			"wrong data after round %lu (%zu bytes at %zu)",
			rounds, length, offset);
		proof->bytes_compared += BYTES;
		rounds++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec);
	stop = true;
	pthread_join(thread, NULL);
	EXPECT(!memcmp(k.memory, expected, BYTES), "wrong data in the end");
	ktap_note("%lu rounds%s", rounds,
		  have_provider ? ", with migration" : "");
	pair_close(&k.pair);
}
