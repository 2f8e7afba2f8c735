// SPDX-License-Identifier: GPL-2.0
/*
 * F97: flush and atomic write through a region with on demand paging; F92: each
 * page of a transfer by itself, and what makes a page dirty.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "raw_request.h"
#include "tests_rdma.h"

#define SEED_OLD	97
#define SEED_NEW	98
#define PAGES		8
#define BYTES		(PAGES * PAGE)

/* A pair whose queue of requests is known, of a region at @memory. */
struct raw_pair {
	struct pair pair;
	struct raw_queue *queue;
	struct ibv_mr *local;
	struct ibv_mr *remote;
};

static struct raw_pair raw_open(void *memory, size_t length)
{
	struct raw_pair raw;

	if (!(odp_operations & (1u << 6)))	/* FLUSH, of Linux 6.2 and later */
		SKIP("this rxe does not flush on demand paging regions");
	pair_access = ACCESS_ALL | ACCESS_FLUSH;
	raw.remote = region(memory, length, ACCESS_ODP | ACCESS_FLUSH);
	raw.local = region_pinned(PAGE);
	raw.pair = pair_open(0);
	raw.queue = raw_queue_find(&raw.pair, raw.local, raw.remote,
				   (uintptr_t)memory);
	return raw;
}

static enum ibv_wc_status flush(struct raw_pair *raw, size_t offset,
				uint32_t length)
{
	return raw_flush(&raw->pair, raw->queue, raw->remote,
			 (uintptr_t)raw->remote->addr + offset, length, false,
			 FLUSH_PERSISTENT);
}

static enum ibv_wc_status flush_all(struct raw_pair *raw)
{
	return raw_flush(&raw->pair, raw->queue, raw->remote, 0, 0, true,
			 FLUSH_PERSISTENT);
}

/* The error has ended the pair. */
static void expect_refused(struct raw_pair *raw, enum ibv_wc_status status,
			   const char *what)
{
	EXPECT(status == IBV_WC_REM_ACCESS_ERR, "%s: %s", what,
	       ibv_wc_status_str(status));
	pair_close(&raw->pair);
	raw->pair = pair_open(0);
	raw->queue = raw_queue_find(&raw->pair, raw->local, raw->remote,
				    (uintptr_t)raw->remote->addr);
}

/* A flush needs the pages it is about, all of them and no others. */
void test_flush_range(void)
{
	uint8_t *memory = memory_alloc(BYTES, false);
	struct raw_pair raw;

	pattern_fill(memory, 0, BYTES, SEED_OLD);
	raw = raw_open(memory, BYTES);
	require_success(flush(&raw, 100, BYTES - 200), "flush");
	require_success(flush(&raw, PAGE, PAGE), "flush of a page");
	require_success(flush_all(&raw), "flush of the region");
	pattern_expect(memory, 0, BYTES, SEED_OLD, "flushed");

	/* Page 5 is not there, and reading must not make it writable. */
	REQUIRE(!madvise(memory + 5 * PAGE, 2 * PAGE, MADV_DONTNEED),
		"madvise: %m");
	require_success(flush(&raw, 4 * PAGE + 1, PAGE), "flush into a new page");
	EXPECT(page_present(memory + 5 * PAGE), "what was flushed is not there");
	EXPECT(!page_exclusive(memory + 5 * PAGE),
	       "a flush has taken the page for writing");
	EXPECT(!page_present(memory + 6 * PAGE),
	       "a page behind what was flushed was faulted in");
	require_success(flush(&raw, 6 * PAGE, 1), "flush of a byte");
	EXPECT(page_present(memory + 6 * PAGE), "a byte was not flushed");
	REQUIRE(!mprotect(memory, PAGE, PROT_READ), "mprotect: %m");
	require_success(flush(&raw, 0, PAGE), "flush of a read-only page");

	REQUIRE(!munmap(memory + 7 * PAGE, PAGE), "munmap: %m");
	require_success(flush(&raw, 0, 7 * PAGE), "flush up to a hole");
	expect_refused(&raw, flush(&raw, 6 * PAGE, PAGE + 1),
		       "flush into a hole");
	expect_refused(&raw, flush_all(&raw), "flush of a region with a hole");
	expect_refused(&raw, flush(&raw, BYTES - 8, 16),
		       "flush across the end of the region");
	pair_close(&raw.pair);
}

/* What is not asked for is not granted. */
void test_flush_permission(void)
{
	uint8_t *memory = memory_alloc(BYTES, false);
	struct raw_pair raw = raw_open(memory, BYTES);
	struct ibv_mr *other = region(memory, BYTES, ACCESS_ODP);

	EXPECT(raw_flush(&raw.pair, raw.queue, other, (uintptr_t)memory, PAGE,
			 false, FLUSH_PERSISTENT) == IBV_WC_REM_ACCESS_ERR,
	       "a region without flush access is flushed");
	pair_close(&raw.pair);
}

/* Lengths that an int, and that 32 bits, cannot count. */
void test_flush_long_region(void)
{
	const size_t long_bytes = (2ul << 30) + BYTES, beyond = 4ul << 30;
	struct raw_pair raw;
	uint8_t *memory;

	memory = mmap(NULL, beyond + 4 * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	REQUIRE(memory != MAP_FAILED, "mmap of 4 GiB: %m");
	/* Only read, so that huge zero pages do. */
	madvise(memory, beyond, MADV_HUGEPAGE);
	raw = raw_open(memory, long_bytes);
	require_success(flush_all(&raw), "flush of more than 2 GiB");
	EXPECT(page_present(memory + long_bytes - PAGE),
	       "the end of the region was not flushed");

	/* A hole in the last of the pieces that it is flushed in. */
	REQUIRE(!munmap(memory + long_bytes - 2 * PAGE, PAGE), "munmap: %m");
	expect_refused(&raw, flush_all(&raw), "flush with a hole behind 2 GiB");
	pair_close(&raw.pair);
	ibv_dereg_mr(raw.remote);

	/* Cut down to 32 bits it would be two pages, and end before the hole. */
	REQUIRE(!munmap(memory + 2 * PAGE, PAGE), "munmap: %m");
	raw = raw_open(memory, beyond + 2 * PAGE);
	expect_refused(&raw, flush_all(&raw), "flush of more than 4 GiB");
	pair_close(&raw.pair);
	ibv_dereg_mr(raw.remote);

	/* As many bytes as 32 bits can count from nothing. */
	raw = raw_open(memory, beyond);
	expect_refused(&raw, flush_all(&raw), "flush of 4 GiB");
	pair_close(&raw.pair);
	ibv_dereg_mr(raw.remote);
	munmap(memory, beyond + 4 * PAGE);
}

/* ---- a flush whose region or queue pair goes */

#define LONG_FLUSH	(8ul << 30)	/* takes seconds */
#define LONG_FLUSH_MS	20000		/* until it has begun, on a slow machine */

/* Flush a long region, until the first pieces of it were looked at. */
static struct raw_pair begin_long_flush(uint8_t **memory)
{
	struct raw_pair raw;
	int ms;

	*memory = mmap(NULL, LONG_FLUSH, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	REQUIRE(*memory != MAP_FAILED, "mmap of 8 GiB: %m");
	/* Only read, so that huge zero pages do. */
	madvise(*memory, LONG_FLUSH, MADV_HUGEPAGE);
	raw = raw_open(*memory, LONG_FLUSH);
	raw_flush_start(&raw.pair, raw.queue, raw.remote);
	for (ms = 0; !page_present(*memory + (64ul << 20)); ms++) {
		REQUIRE(ms < LONG_FLUSH_MS, "no page of a flush is there");
		usleep(1000);
	}
	if (page_present(*memory + LONG_FLUSH - PAGE))
		SKIP("8 GiB were flushed at once");
	return raw;
}

/* What was not flushed when it ended is not there. */
static void expect_ended(uint8_t *memory, const char *what)
{
	EXPECT(!page_present(memory + LONG_FLUSH - PAGE),
	       "a flush went on to the end of a region %s", what);
	munmap(memory, LONG_FLUSH);
}

void test_flush_region_gone(void)
{
	enum ibv_wc_status status;
	uint8_t *memory;
	struct raw_pair raw = begin_long_flush(&memory);

	REQUIRE(!ibv_dereg_mr(raw.remote), "deregister: %m");
	expect_ended(memory, "that is gone");
	status = pair_await(&raw.pair, HERE);
	EXPECT(status == IBV_WC_REM_ACCESS_ERR, "flush of a region that goes: %s",
	       ibv_wc_status_str(status));
	pair_close(&raw.pair);
}

void test_flush_pair_gone(void)
{
	struct ibv_qp_attr error = { .qp_state = IBV_QPS_ERR };
	uint8_t *memory;
	struct raw_pair raw = begin_long_flush(&memory);

	REQUIRE(!ibv_destroy_qp(raw.pair.qp[THERE]), "destroy queue pair: %m");
	expect_ended(memory, "whose queue pair is gone");
	/* Nobody answers. */
	REQUIRE(!ibv_modify_qp(raw.pair.qp[HERE], &error, IBV_QP_STATE),
		"modify queue pair: %m");
	EXPECT(pair_await(&raw.pair, HERE) != IBV_WC_SUCCESS,
	       "a flush that was not done is answered");
	EXPECT(!ibv_destroy_cq(raw.pair.cq[THERE]), "destroy queue: %m");
	raw.pair.qp[THERE] = NULL;
	pair_close(&raw.pair);
	ibv_dereg_mr(raw.remote);
}

/* A queue pair that is reset waits for its responder as well, and lives on. */
void test_flush_pair_reset(void)
{
	enum ibv_wc_status status;
	uint8_t *memory;
	struct raw_pair raw = begin_long_flush(&memory);

	pair_reset_there(&raw.pair);
	expect_ended(memory, "whose queue pair is reset");
	/* Asked for again, as nobody had answered; the memory is gone now. */
	status = pair_await(&raw.pair, HERE);
	EXPECT(status == IBV_WC_REM_ACCESS_ERR, "flush after a reset: %s",
	       ibv_wc_status_str(status));
	pair_close(&raw.pair);
	ibv_dereg_mr(raw.remote);
}

void test_atomic_write(void)
{
	static const size_t offsets[] = { 0, 8, PAGE - 8, PAGE, 3 * PAGE + 40,
					  BYTES - 8 };
	uint8_t *memory = memory_alloc(BYTES, false), *expected = malloc(BYTES);
	struct raw_pair raw;
	size_t i;

	pattern_fill(memory, 0, BYTES, SEED_OLD);
	pattern_make(expected, 0, BYTES, SEED_OLD);
	raw = raw_open(memory, BYTES);
	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		uint64_t value = 0x1122334455667788ull * (i + 1);

		require_success(raw_atomic_write(&raw.pair, raw.queue,
						 raw.remote, (uintptr_t)memory +
						 offsets[i], value),
				"atomic write");
		memcpy(expected + offsets[i], &value, sizeof(value));
		EXPECT(!memcmp(memory, expected, BYTES),
		       "wrong data after the write at %zu", offsets[i]);
		proof->bytes_compared += BYTES;
	}
	/* Into a page that is gone, and one that may not be written. */
	REQUIRE(!madvise(memory + PAGE, PAGE, MADV_DONTNEED), "madvise: %m");
	require_success(raw_atomic_write(&raw.pair, raw.queue, raw.remote,
					 (uintptr_t)memory + PAGE + 16, 7),
			"atomic write into a new page");
	EXPECT(*(uint64_t *)(memory + PAGE + 16) == 7 &&
	       *(uint64_t *)(memory + PAGE + 24) == 0, "wrong data there");
	REQUIRE(!mprotect(memory + 2 * PAGE, PAGE, PROT_READ), "mprotect: %m");
	expect_refused(&raw, raw_atomic_write(&raw.pair, raw.queue, raw.remote,
					      (uintptr_t)memory + 2 * PAGE, 7),
		       "atomic write to a read-only page");
	expect_refused(&raw, raw_atomic_write(&raw.pair, raw.queue, raw.remote,
					      (uintptr_t)memory + BYTES, 7),
		       "atomic write behind the region");
	EXPECT(!memcmp(memory + 2 * PAGE, expected + 2 * PAGE, BYTES - 2 * PAGE),
	       "wrong data after what was refused");
	pair_close(&raw.pair);
	free(expected);
}

/* ---- each page of a transfer by itself */

/*
 * One page of three is thrown away, whichever: it has to come back, and the one
 * behind the transfer must not.
 */
void test_one_page_missing(void)
{
	const size_t at = PAGE + 700, length = 3 * PAGE - 700;
	uint8_t *memory = memory_alloc(BYTES, false);
	const uint64_t iova = 0x6000000000ull + 40;
	struct ibv_mr *remote, *local = region_pinned(BYTES);
	struct pair pair = pair_open(0);
	unsigned int missing;

	/* The region's address on the wire lies differently in its page. */
	remote = ibv_reg_mr_iova(domain, memory, BYTES, iova & ~(PAGE - 1),
				 ACCESS_ODP);
	REQUIRE(remote, "register with another address: %m");
	for (missing = 0; missing < 3; missing++) {
		uint64_t address = (iova & ~(PAGE - 1)) + at;

		pattern_fill(memory, 0, BYTES, SEED_OLD);
		require_success(rdma_read(&pair, local, local->addr, BYTES,
					  remote, iova & ~(PAGE - 1)), "read");
		REQUIRE(!madvise(memory + (1 + missing) * PAGE, PAGE,
				 MADV_DONTNEED), "madvise: %m");
		REQUIRE(!madvise(memory + 4 * PAGE, PAGE, MADV_DONTNEED),
			"madvise: %m");
		pattern_make(local->addr, at, length, SEED_NEW);
		require_success(rdma_write(&pair, local, local->addr, length,
					   remote, address), "write");
		EXPECT(!page_present(memory + 4 * PAGE),
		       "the page behind the transfer was faulted in");
		pattern_expect(memory + at, at, length, SEED_NEW, "written");
		memset(local->addr, 0, length);
		REQUIRE(!madvise(memory + 4 * PAGE, PAGE, MADV_DONTNEED),
			"madvise: %m");
		require_success(rdma_read(&pair, local, local->addr, length,
					  remote, address), "read back");
		EXPECT(!page_present(memory + 4 * PAGE),
		       "the page behind the read was faulted in");
		pattern_expect(local->addr, at, length, SEED_NEW, "read back");
	}
	pair_close(&pair);
	ibv_dereg_mr(remote);
}

/* ---- dirty pages */

/* Writable and clean, as MADV_FREE leaves them, for reclaim to drop. */
static void make_clean(uint8_t *memory, size_t length)
{
	memset(memory, 1, length);
	REQUIRE(!madvise(memory, length, MADV_FREE), "MADV_FREE: %m");
}

/*
 * Of eight pages each gets one write of another kind; the rest are dropped. What
 * the device only reads stays clean.
 */
void test_each_write_is_dirty(void)
{
	uint8_t *memory = memory_alloc(BYTES, false);
	struct ibv_mr *local = region_pinned(2 * PAGE);
	struct raw_pair raw;
	size_t i, dropped = 0;
	cpu_set_t cpu;

	/* madvise() drains the list of new pages of this CPU only. */
	CPU_ZERO(&cpu);
	CPU_SET(sched_getcpu(), &cpu);
	REQUIRE(!sched_setaffinity(0, sizeof(cpu), &cpu), "affinity: %m");
	memset(memory, 1, BYTES);
	raw = raw_open(memory, BYTES);
	make_clean(memory, BYTES);
	memset(local->addr, 0x77, 2 * PAGE);
	require_success(rdma_write(&raw.pair, local, local->addr, 1, raw.remote,
				   (uintptr_t)memory + 1 * PAGE), "write");
	require_success(rdma_atomic(&raw.pair, local, (uint64_t *)local->addr + 8,
				    raw.remote, (uintptr_t)memory + 2 * PAGE,
				    true, 0, 5), "fetch and add");
	require_success(rdma_atomic(&raw.pair, local, (uint64_t *)local->addr + 8,
				    raw.remote, (uintptr_t)memory + 3 * PAGE,
				    false, 0x0101010101010101ull, 6), "swap");
	require_success(raw_atomic_write(&raw.pair, raw.queue, raw.remote,
					 (uintptr_t)memory + 4 * PAGE, 7),
			"atomic write");
	require_success(rdma_read(&raw.pair, local, local->addr, PAGE,
				  raw.remote, (uintptr_t)memory + 5 * PAGE),
			"read");
	REQUIRE(!madvise(memory, BYTES, MADV_PAGEOUT), "MADV_PAGEOUT: %m");
	for (i = 5; i < PAGES; i++)
		dropped += !memory[i * PAGE];
	if (dropped < 2)
		SKIP("only %zu of 3 clean pages were dropped", dropped);
	EXPECT(memory[1 * PAGE] == 0x77, "a write was dropped");
	EXPECT(*(uint64_t *)(memory + 2 * PAGE) == 0x0101010101010106ull,
	       "a fetch and add was dropped");
	EXPECT(*(uint64_t *)(memory + 3 * PAGE) == 6, "a swap was dropped");
	EXPECT(*(uint64_t *)(memory + 4 * PAGE) == 7,
	       "an atomic write was dropped");
	EXPECT(dropped == 3, "a page that was only read is dirty");
	pair_close(&raw.pair);
}
