// SPDX-License-Identifier: GPL-2.0
/* F93: advice about what to page in.  F94: what the device counts. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "advise.h"
#include "odp_counters.h"
#include "rxe_link.h"
#include "tests_rdma.h"

#define SEED	94
#define PAGES	16
#define BYTES	(PAGES * PAGE)
#define FLUSH	IB_UVERBS_ADVISE_MR_FLAG_FLUSH
#define WAIT_S	10

static int advise_odp(enum ib_uverbs_advise_mr_advice advice, uint32_t flags,
		      struct ibv_mr *mr, void *address, size_t length)
{
	return advise(advice, flags, mr->lkey, (uintptr_t)address, length);
}

#define PREFETCH	IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH
#define PREFETCH_WRITE	IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_WRITE
#define NO_FAULT	IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT

/* How many of the first @pages pages are there. */
static size_t present(uint8_t *memory, size_t pages)
{
	size_t i, count = 0;

	for (i = 0; i < pages; i++)
		count += page_present(memory + i * PAGE);
	return count;
}

void test_prefetch_read(void)
{
	uint8_t *memory = memory_alloc(BYTES, false);
	struct ibv_mr *mr = region(memory, BYTES, ACCESS_ODP);
	struct ibv_mr *read_only = region(memory, BYTES, ACCESS_ODP_READ);
	int ret;

	ret = advise_odp(PREFETCH, FLUSH, mr, memory, 4 * PAGE);
	REQUIRE(!ret, "prefetch: %s", strerror(ret));
	EXPECT(present(memory, PAGES) == 4, "%zu pages came for 4",
	       present(memory, PAGES));
	ret = advise_odp(PREFETCH, FLUSH, read_only, memory + 8 * PAGE - 1, 2);
	EXPECT(!ret, "prefetch of a read-only region: %s", strerror(ret));
	EXPECT(page_present(memory + 7 * PAGE) && page_present(memory + 8 * PAGE),
	       "two bytes in two pages do not bring both");
	EXPECT(present(memory, PAGES) == 6, "%zu pages came for 6",
	       present(memory, PAGES));
}

void test_prefetch_write(void)
{
	uint8_t *memory = memory_alloc(BYTES, false);
	struct ibv_mr *mr = region(memory, BYTES, ACCESS_ODP);
	struct ibv_mr *local = region_pinned(BYTES);
	struct pair pair = pair_open(0);
	int ret;

	ret = advise_odp(PREFETCH_WRITE, FLUSH, mr, memory, 4 * PAGE);
	REQUIRE(!ret, "prefetch: %s", strerror(ret));
	EXPECT(present(memory, PAGES) == 4, "%zu pages came for 4",
	       present(memory, PAGES));
	EXPECT(page_exclusive(memory) && page_exclusive(memory + 3 * PAGE),
	       "prefetching to write has left the zero page");
	pattern_make(local->addr, 0, BYTES, SEED);
	require_success(rdma_write(&pair, local, local->addr, BYTES, mr,
				   (uintptr_t)memory), "write");
	pattern_expect(memory, 0, BYTES, SEED, "written");
	pair_close(&pair);
}

void test_prefetch_no_fault(void)
{
	uint8_t *memory = memory_alloc(BYTES, false);
	struct ibv_mr *mr = region(memory, BYTES, ACCESS_ODP);
	struct ibv_mr *local = region_pinned(BYTES);
	struct pair pair = pair_open(0);
	int ret;

	pattern_fill(memory, 0, 2 * PAGE, SEED);
	ret = advise_odp(NO_FAULT, FLUSH, mr, memory, BYTES);
	EXPECT(!ret, "prefetch: %s", strerror(ret));
	EXPECT(present(memory, PAGES) == 2,
	       "%zu pages are there, 2 were before a prefetch without faults",
	       present(memory, PAGES));
	require_success(rdma_read(&pair, local, local->addr, 2 * PAGE, mr,
				  (uintptr_t)memory), "read");
	pattern_expect(local->addr, 0, 2 * PAGE, SEED, "read");
	pair_close(&pair);
}

/* Without the flag it happens some time after the call. */
void test_prefetch_later(void)
{
	uint8_t *memory = memory_alloc(BYTES, false);
	struct ibv_mr *mr = region(memory, BYTES, ACCESS_ODP);
	struct timespec now, end;
	int ret;

	ret = advise_odp(PREFETCH_WRITE, 0, mr, memory + PAGE, 2 * PAGE);
	REQUIRE(!ret, "prefetch: %s", strerror(ret));
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += WAIT_S;
	do {
		usleep(1000);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (present(memory, PAGES) < 2 && now.tv_sec < end.tv_sec);
	EXPECT(present(memory, PAGES) == 2, "%zu pages came for 2",
	       present(memory, PAGES));
	/* It may be under way while its region goes. */
	ret = advise_odp(PREFETCH_WRITE, 0, mr, memory, BYTES);
	EXPECT(!ret, "prefetch: %s", strerror(ret));
	EXPECT(!ibv_dereg_mr(mr), "deregister: %m");
}

void test_prefetch_refused(void)
{
	uint8_t *memory = memory_alloc(BYTES, false);
	struct ibv_mr *mr = region(memory + PAGE, 4 * PAGE, ACCESS_ODP);
	struct ibv_mr *read_only = region(memory, BYTES, ACCESS_ODP_READ);
	struct ibv_mr *pinned = region_pinned(BYTES);
	int ret;

	ret = advise_odp(PREFETCH_WRITE, FLUSH, read_only, memory, PAGE);
	EXPECT(ret == EPERM, "to write what is read-only: %s", strerror(ret));
	ret = advise_odp(PREFETCH, FLUSH, mr, memory + 5 * PAGE, PAGE);
	EXPECT(ret == EFAULT, "behind the end: %s", strerror(ret));
	ret = advise_odp(PREFETCH, FLUSH, mr, memory, PAGE);
	EXPECT(ret == EFAULT, "before the start: %s", strerror(ret));
	ret = advise(PREFETCH, FLUSH, mr->lkey, (uintptr_t)memory + PAGE, ~0u);
	EXPECT(ret == EFAULT, "longer than the region: %s", strerror(ret));
	ret = advise(PREFETCH, FLUSH, mr->lkey, ~0ull - 7, 16);
	EXPECT(ret == EFAULT, "around the end of the world: %s", strerror(ret));
	ret = advise(PREFETCH, FLUSH, 0xdeadbe00, (uintptr_t)memory, PAGE);
	EXPECT(ret == EINVAL || ret == ENOENT, "of nothing: %s", strerror(ret));
	EXPECT(!present(memory, PAGES), "something came nevertheless");

	/* There is nothing to page in, nor what paging would need. */
	ret = advise_odp(PREFETCH, FLUSH, pinned, pinned->addr, PAGE);
	EXPECT(ret == EINVAL || ret == ENOENT, "of pinned memory: %s",
	       strerror(ret));
	ret = advise_odp(PREFETCH, 0, pinned, pinned->addr, PAGE);
	EXPECT(ret == EINVAL || ret == ENOENT, "of pinned memory, later: %s",
	       strerror(ret));
}

/* Looked at after the huge page, which makes the walk a long one. */
#define TAIL		(64ul << 20)
#define OVERTAKEN_S	6

struct prefetcher {
	uint8_t *memory;
	struct ibv_mr *mr;
	atomic_ulong walks;	/* that have begun */
	atomic_bool stop;
	atomic_int error;
};

static void *prefetch_always(void *arg)
{
	struct prefetcher *p = arg;

	while (!atomic_load(&p->stop)) {
		int ret;

		atomic_fetch_add(&p->walks, 1);
		ret = advise_odp(NO_FAULT, FLUSH, p->mr, p->memory, HUGE + TAIL);
		/* A second without a moment's peace. */
		if (ret && ret != EBUSY)
			atomic_store(&p->error, ret);
	}
	return NULL;
}

/*
 * A prefetch looks at a huge page, which is thrown away at this moment.  It will
 * look again when it has come to its end; until then nobody may take what it has
 * found for the truth, and write to a page that is free.
 */
void test_prefetch_overtaken(void)
{
	struct prefetcher p = { .memory = memory_alloc(HUGE + TAIL, true) };
	struct ibv_mr *local = region_pinned(PAGE);
	struct pair pair = pair_open(0);
	unsigned long rounds = 0, seen;
	volatile unsigned long later;
	struct timespec now, end;
	pthread_t thread;
	unsigned int i;

	REQUIRE(!madvise(p.memory, HUGE, MADV_HUGEPAGE), "MADV_HUGEPAGE: %m");
	REQUIRE(!madvise(p.memory + HUGE, TAIL, MADV_NOHUGEPAGE),
		"MADV_NOHUGEPAGE: %m");
	memset(p.memory + HUGE, 1, TAIL);
	p.mr = region(p.memory, HUGE + TAIL, ACCESS_ODP);
	REQUIRE(!pthread_create(&thread, NULL, prefetch_always, &p), "thread");
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += OVERTAKEN_S;
	do {
		memset(p.memory, 1, HUGE);
		seen = atomic_load(&p.walks);
		while (atomic_load(&p.walks) == seen)
			;
		/* The window is short: each time a bit later. */
		for (later = 0; later < rounds % 128 * 256; later++)
			;
		REQUIRE(!madvise(p.memory, HUGE, MADV_DONTNEED), "madvise: %m");
		for (i = 1; i <= 4; i++) {
			uint8_t *to = p.memory + (i * 128 - 1) * PAGE;
			uint64_t value = rounds * 8 + i;

			memcpy(local->addr, &value, sizeof(value));
			require_success(rdma_write(&pair, local, local->addr,
						   sizeof(value), p.mr,
						   (uintptr_t)to), "write");
			REQUIRE(!memcmp(to, &value, sizeof(value)),
				"round %lu: what was written to page %u is not there",
				rounds, i * 128 - 1);
			proof->bytes_compared += sizeof(value);
		}
		rounds++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec);
	atomic_store(&p.stop, true);
	pthread_join(thread, NULL);
	ktap_note("%lu rounds, %lu walks", rounds, atomic_load(&p.walks));
	EXPECT(!p.error, "prefetch: %s", strerror(p.error));
	pair_close(&pair);
}

/* Advice without faults leaves memory on the provider, other advice does not. */
void test_prefetch_migrated(void)
{
	uint8_t *memory = memory_alloc(BYTES, false);
	struct ibv_mr *mr = region(memory, BYTES, ACCESS_ODP);
	struct peerlab_provider_counters start, now;
	int ret;

	pattern_fill(memory, 0, BYTES, SEED);
	migrate_in_all(memory, BYTES, false, NULL);
	start = provider_counters();
	ret = advise_odp(NO_FAULT, FLUSH, mr, memory, BYTES);
	EXPECT(!ret, "prefetch without faults: %s", strerror(ret));
	EXPECT(provider_counters().pages_out == start.pages_out,
	       "a prefetch without faults took pages from the provider");
	ret = advise_odp(PREFETCH, FLUSH, mr, memory, 4 * PAGE);
	EXPECT(!ret, "prefetch: %s", strerror(ret));
	now = provider_counters();
	EXPECT(now.pages_out - start.pages_out == 4, "%llu pages came for 4",
	       now.pages_out - start.pages_out);
	EXPECT(now.alias_calls == start.alias_calls &&
	       now.alias_refused == start.alias_refused,
	       "the provider was asked for an alias");
	pattern_expect(memory, 0, BYTES, SEED, "after all that");
}

void test_counters(void)
{
	static const char *const names[] = {
		"page_faults", "page_invalidations", "page_prefetch",
	};
	uint8_t *memory = memory_alloc(BYTES, false);
	struct ibv_mr *mr = region(memory, BYTES, ACCESS_ODP);
	struct ibv_mr *local = region_pinned(BYTES);
	struct pair pair = pair_open(0);
	uint64_t before[3], after[3];
	int i;

	for (i = 0; i < 3; i++)
		REQUIRE(odp_counter(device, names[i], &before[i]),
			"the device does not count %s", names[i]);
	require_success(rdma_write(&pair, local, local->addr, 4 * PAGE, mr,
				   (uintptr_t)memory), "write");
	REQUIRE(!madvise(memory, 4 * PAGE, MADV_DONTNEED), "madvise: %m");
	advise_odp(PREFETCH_WRITE, FLUSH, mr, memory + 8 * PAGE, 2 * PAGE);
	for (i = 0; i < 3; i++) {
		odp_counter(device, names[i], &after[i]);
		EXPECT(after[i] > before[i], "%s stayed at %lu", names[i],
		       after[i]);
	}
	pair_close(&pair);
}
