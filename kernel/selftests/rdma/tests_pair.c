// SPDX-License-Identifier: GPL-2.0
/*
 * F97: two machines.  The server's memory is a region with on demand paging; the
 * client's own is pinned unless a test says otherwise.  Both compare all of
 * theirs, and both look at what the device has counted.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pair_side.h"
#include "advise.h"
#include "rxe_link.h"
#include "tests_pair.h"

/*
 * Every span is written by the client.  @before is called on the server before
 * each, for instance to move its memory away.
 */
static uint64_t run_writes(struct side *side, void (*before)(uint8_t *memory))
{
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < span_count; i++) {
		const struct span *span = &spans[i];
		uint8_t *at = side->memory + span->offset;

		if (is_server) {
			pattern_fill(side->memory, 0, SHARED, SEED_OLD);
			if (before)
				before(side->memory);
			meet("lent");
			meet("compare");
			expect_around(side->memory, span, "written");
		} else {
			pattern_make(at, span->offset, span->length, SEED_NEW);
			meet("write");
			require_success(rdma_write(&side->pair, side->mr, at,
						   span->length, &side->remote,
						   (uintptr_t)side->remote.addr +
						   span->offset),
					"RDMA write");
			meet("written");
		}
		bytes += span->length;
	}
	return bytes;
}

/* Every span is read by the client into memory that had something else. */
static uint64_t run_reads(struct side *side, void (*before)(uint8_t *memory))
{
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < span_count; i++) {
		const struct span *span = &spans[i];

		if (is_server) {
			pattern_fill(side->memory, 0, SHARED, SEED_NEW);
			if (before)
				before(side->memory);
			meet("lent");
			meet("compare");
			expect_all(side->memory, SEED_NEW, "after a read");
		} else {
			pattern_fill(side->memory, 0, SHARED, SEED_OLD);
			meet("read");
			require_success(rdma_read(&side->pair, side->mr,
						  side->memory + span->offset,
						  span->length, &side->remote,
						  (uintptr_t)side->remote.addr +
						  span->offset),
					"RDMA read");
			expect_around(side->memory, span, "read");
			meet("done");
		}
		bytes += span->length;
	}
	return bytes;
}

void test_pair_write(void)
{
	struct side side = side_open(shared_memory(),
				     is_server ? ACCESS_ODP : ACCESS_ALL);

	side_close(&side, run_writes(&side, NULL));
}

void test_pair_read(void)
{
	struct side side = side_open(shared_memory(),
				     is_server ? ACCESS_ODP : ACCESS_ALL);

	side_close(&side, run_reads(&side, NULL));
}

/* Both sides page on demand. */
void test_pair_send(void)
{
	struct side side = side_open(shared_memory(), ACCESS_ODP);
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < span_count; i++) {
		const struct span *span = &spans[i];
		uint8_t *at = side.memory + span->offset;

		if (is_server) {
			pattern_fill(side.memory, 0, SHARED, SEED_OLD);
			rdma_expect(&side.pair, HERE, side.mr, at,
				    span->length);
			meet("posted");
			require_success(pair_await(&side.pair, HERE),
					"receive");
			expect_around(side.memory, span, "received");
		} else {
			pattern_make(at, span->offset, span->length, SEED_NEW);
			meet("send");
			require_success(rdma_send_here(&side.pair, side.mr, at,
						       span->length), "send");
		}
		bytes += span->length;
	}
	side_close(&side, bytes);
}

/* The client adds to a counter of the server, which looks at each step. */
void test_pair_atomic(void)
{
	const size_t offsets[] = { 0, 8, PAGE - 8, 5 * PAGE + 64 };
	struct side side = side_open(shared_memory(),
				     is_server ? ACCESS_ODP : ACCESS_ALL);
	uint64_t *old = (uint64_t *)side.memory, was, now;
	size_t i;

	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		if (is_server) {
			pattern_fill(side.memory, 0, SHARED, SEED_OLD);
			memcpy(&was, side.memory + offsets[i], sizeof(was));
			meet("%lx", was);
			meet("compare");
			memcpy(&now, side.memory + offsets[i], sizeof(now));
			EXPECT(now == was + 7, "%lx became %lx", was, now);
			pattern_expect(side.memory, 0, offsets[i], SEED_OLD,
				       "before it");
		} else {
			was = strtoul(meet("add"), NULL, 16);
			require_success(rdma_atomic(&side.pair, side.mr, old,
						    &side.remote,
						    (uintptr_t)side.remote.addr +
						    offsets[i], true, 0, 7),
					"fetch and add");
			EXPECT(*old == was, "returned %lx, it was %lx", *old,
			       was);
			meet("added");
		}
	}
	side_close(&side, sizeof(offsets));
}

static void move_in(uint8_t *memory)
{
	migrate_in_all(memory, SHARED, false, NULL);
}

static struct peerlab_provider_counters at_start;

/* rxe copies with the CPU: what it touches comes back, and no alias is given. */
static void expect_came_back(bool mine)
{
	struct peerlab_provider_counters now = provider_counters();

	proof->used = true;
	proof->alias_calls = now.alias_calls - at_start.alias_calls;
	proof->migrated_back = now.pages_out - at_start.pages_out;
	proof->ram_pages = proof->migrated_back;
	EXPECT(now.alias_calls == at_start.alias_calls &&
	       now.alias_refused == at_start.alias_refused,
	       "a device without DMA asked for an alias");
	EXPECT(!mine || now.pages_out > at_start.pages_out,
	       "nothing came back to RAM");
}

/* The server's memory is on its device whenever the client reaches for it. */
void test_pair_migrated(void)
{
	struct side side = side_open(shared_memory(),
				     is_server ? ACCESS_ODP : ACCESS_ALL);
	uint64_t bytes;

	at_start = provider_counters();
	bytes = run_writes(&side, move_in);
	bytes += run_reads(&side, move_in);
	expect_came_back(is_server);
	side_close(&side, bytes);
}

/* The client's is, when it writes from it and reads into it. */
void test_pair_client_migrated(void)
{
	struct side side = side_open(shared_memory(), ACCESS_ODP);
	uintptr_t there = (uintptr_t)side.remote.addr;
	const size_t at = 3 * PAGE - 5, length = 9 * PAGE + 11;
	const size_t first = at / PAGE * PAGE;
	const size_t touched = (at + length - first + PAGE - 1) / PAGE * PAGE;
	const struct span span = { at, length };

	at_start = provider_counters();
	if (is_server) {
		pattern_fill(side.memory, 0, SHARED, SEED_OLD);
		meet("lent");
		meet("compare");
		expect_around(side.memory, &span, "written from the device");
		meet("compared");
		meet("read");
	} else {
		pattern_fill(side.memory, 0, SHARED, SEED_NEW);
		move_in(side.memory);
		meet("write");
		require_success(rdma_write(&side.pair, side.mr,
					   side.memory + at, length,
					   &side.remote, there + at), "write");
		meet("written");
		/* The others have not left the device. */
		migrate_in_all(side.memory + first, touched, false, NULL);
		meet("read");
		require_success(rdma_read(&side.pair, side.mr, side.memory,
					  SHARED, &side.remote, there), "read");
		expect_around(side.memory, &span, "read to the device");
		meet("compared");
	}
	expect_came_back(!is_server);
	side_close(&side, SHARED + length);
}

/* The server prefetches, and the client finds the pages there. */
void test_pair_prefetch(void)
{
	struct side side = side_open(shared_memory(),
				     is_server ? ACCESS_ODP : ACCESS_ALL);

	if (is_server) {
		int ret = advise(IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_WRITE,
				 IB_UVERBS_ADVISE_MR_FLAG_FLUSH, side.mr->lkey,
				 (uintptr_t)side.memory, SHARED);

		REQUIRE(!ret, "prefetch: %s", strerror(ret));
		EXPECT(page_present(side.memory + SHARED - PAGE),
		       "the last page is not there after a prefetch");
	}
	side_close(&side, run_writes(&side, NULL));
}

/* A region that may be read, and not written. */
void test_pair_read_only(void)
{
	struct side side = side_open(shared_memory(),
				     is_server ? ACCESS_ODP_READ : ACCESS_ALL);
	uintptr_t there = (uintptr_t)side.remote.addr;
	enum ibv_wc_status status;

	if (is_server) {
		pattern_fill(side.memory, 0, SHARED, SEED_OLD);
		meet("lent");
		meet("compare");
		expect_all(side.memory, SEED_OLD, "after a refused write");
	} else {
		memset(side.memory, 0, SHARED);
		meet("read");
		require_success(rdma_read(&side.pair, side.mr, side.memory,
					  SHARED, &side.remote, there), "read");
		expect_all(side.memory, SEED_OLD, "read");
		status = rdma_write(&side.pair, side.mr, side.memory, PAGE,
				    &side.remote, there);
		EXPECT(status == IBV_WC_REM_ACCESS_ERR,
		       "a write to a region for reading ended with: %s",
		       ibv_wc_status_str(status));
		meet("refused");
	}
	side_close(&side, SHARED);
}

/* The server's memory goes away under the client, which must be told. */
void test_pair_unmapped(void)
{
	struct side side = side_open(shared_memory(),
				     is_server ? ACCESS_ODP : ACCESS_ALL);
	uintptr_t there = (uintptr_t)side.remote.addr;
	enum ibv_wc_status status;

	if (is_server) {
		pattern_fill(side.memory, 0, SHARED, SEED_OLD);
		meet("lent");
		meet("read");
		REQUIRE(!munmap(side.memory, SHARED), "munmap: %m");
		meet("gone");
		meet("refused");
	} else {
		meet("read");
		require_success(rdma_read(&side.pair, side.mr, side.memory,
					  SHARED, &side.remote, there), "read");
		expect_all(side.memory, SEED_OLD, "read");
		meet("compared");
		meet("again");
		status = rdma_read(&side.pair, side.mr, side.memory, PAGE,
				   &side.remote, there);
		EXPECT(status != IBV_WC_SUCCESS,
		       "memory that is unmapped could be read");
		meet("refused");
	}
	side_close(&side, SHARED);
}
