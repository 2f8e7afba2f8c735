// SPDX-License-Identifier: GPL-2.0
/*
 * F91: memory that lives on the provider.  rxe copies with the CPU and must
 * never be handed an alias, which would be a page of a BAR: what it touches
 * comes back to RAM.
 */
#define _GNU_SOURCE
#include <string.h>

#include "tests_rdma.h"

#define SEED	92

static struct peerlab_provider_counters at_start;

static void begin(void)
{
	at_start = provider_counters();
}

/* Nobody asked the provider for an alias, and this is the way the data took. */
static void expect_no_alias(void)
{
	struct peerlab_provider_counters now = provider_counters();

	proof->used = true;
	proof->alias_calls = now.alias_calls - at_start.alias_calls;
	proof->migrated_back = now.pages_out - at_start.pages_out;
	proof->ram_pages = proof->migrated_back;
	EXPECT(now.alias_calls == at_start.alias_calls,
	       "a device without DMA was given %llu aliases",
	       now.alias_calls - at_start.alias_calls);
	EXPECT(now.alias_refused == at_start.alias_refused,
	       "the provider was asked for an alias %llu times",
	       now.alias_refused - at_start.alias_refused);
	EXPECT(now.pages_out > at_start.pages_out, "nothing came back to RAM");
}

static void move_in(uint8_t *memory)
{
	migrate_in_all(memory, SPANS_BYTES, false, NULL);
}

typedef void check_function(struct pair *pair, struct ibv_mr *remote,
			    uint8_t *memory, void (*before)(uint8_t *memory));

static void run_check(check_function *check)
{
	uint8_t *memory = memory_alloc(SPANS_BYTES, false);
	struct ibv_mr *remote = region(memory, SPANS_BYTES, ACCESS_ODP);
	struct pair pair = pair_open(0);

	begin();
	check(&pair, remote, memory, move_in);
	expect_no_alias();
	pair_close(&pair);
	ibv_dereg_mr(remote);
}

void test_migrated_write(void)
{
	uint8_t *memory = memory_alloc(SPANS_BYTES, false);
	struct ibv_mr *remote, *local;
	uint64_t before, after;
	struct pair pair;

	run_check(check_writes);

	/* Exactly the pages that are touched come back. */
	remote = region(memory, SPANS_BYTES, ACCESS_ODP);
	local = region_pinned(4 * PAGE);
	pair = pair_open(0);
	pattern_fill(memory, 0, SPANS_BYTES, SEED);
	move_in(memory);
	before = provider_counters().pages_out;
	require_success(rdma_write(&pair, local, local->addr, 2 * PAGE, remote,
				   (uintptr_t)memory + 4 * PAGE + 100),
			"RDMA write");
	after = provider_counters().pages_out;
	EXPECT(after - before == 3, "%lu pages came back for 3 that were written",
	       after - before);
	pair_close(&pair);
}

void test_migrated_read(void)
{
	run_check(check_reads);
}

void test_migrated_send(void)
{
	run_check(check_sends);
}

void test_migrated_atomic(void)
{
	run_check(check_atomics);
}

/* A huge page that is split by what happens to it. */
void test_migrated_huge(void)
{
	uint8_t *memory = memory_alloc(HUGE, true);
	struct ibv_mr *remote = region(memory, HUGE, ACCESS_ODP);
	struct ibv_mr *local = region_pinned(8 * PAGE);
	struct pair pair = pair_open(0);
	const size_t at = 100 * PAGE + 33, length = 5 * PAGE;

	pattern_fill(memory, 0, HUGE, SEED);
	begin();
	migrate_in_all(memory, HUGE, true, NULL);
	require_success(rdma_read(&pair, local, local->addr, length, remote,
				  (uintptr_t)memory + at), "RDMA read");
	pattern_expect(local->addr, at, length, SEED, "read");
	migrate_in_all(memory, HUGE, true, NULL);
	pattern_make(local->addr, at, length, SEED + 1);
	require_success(rdma_write(&pair, local, local->addr, length, remote,
				   (uintptr_t)memory + at), "RDMA write");
	expect_no_alias();
	pattern_expect(memory, 0, at, SEED, "before it");
	pattern_expect(memory + at, at, length, SEED + 1, "written");
	pattern_expect(memory + at + length, at + length, HUGE - at - length,
		       SEED, "behind it");
	pair_close(&pair);
}

/* A region without on demand paging pins, so that all of it comes back. */
void test_migrated_pinned(void)
{
	uint8_t *memory = memory_alloc(SPANS_BYTES, false);
	struct ibv_mr *local = region_pinned(4 * PAGE);
	struct pair pair = pair_open(0);
	struct ibv_mr *remote;

	pattern_fill(memory, 0, SPANS_BYTES, SEED);
	begin();
	move_in(memory);
	remote = region(memory, SPANS_BYTES, ACCESS_ALL);
	expect_no_alias();
	EXPECT(proof->migrated_back == SPANS_BYTES / PAGE,
	       "%lu pages came back", proof->migrated_back);
	EXPECT(!migrate_in(memory, SPANS_BYTES, false, NULL),
	       "a pinned page was moved to the device");
	require_success(rdma_read(&pair, local, local->addr, 3 * PAGE, remote,
				  (uintptr_t)memory + 1000), "RDMA read");
	pattern_expect(local->addr, 1000, 3 * PAGE, SEED, "read");
	pair_close(&pair);
	ibv_dereg_mr(remote);
}

/* A device with DMA may take the alias; the data is right either way. */
void test_migrated_dma_device(void)
{
	uint8_t *memory = memory_alloc(SPANS_BYTES, false);
	struct ibv_mr *remote = region(memory, SPANS_BYTES, ACCESS_ODP);
	struct pair pair = pair_open(0);
	struct peerlab_provider_counters now;

	begin();
	check_writes(&pair, remote, memory, move_in);
	check_reads(&pair, remote, memory, move_in);
	check_sends(&pair, remote, memory, move_in);
	now = provider_counters();
	proof->used = true;
	proof->alias_calls = now.alias_calls - at_start.alias_calls;
	proof->alias_pages = proof->alias_calls;
	proof->migrated_back = now.pages_out - at_start.pages_out;
	pair_close(&pair);
}
