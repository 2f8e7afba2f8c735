// SPDX-License-Identifier: GPL-2.0
/*
 * F90: what arrives through a region with on demand paging is what was sent,
 * and nothing else changes.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests_rdma.h"

#define SEED_OLD	90
#define SEED_NEW	91
#define LOCAL_SHIFT	1234	/* so that both sides lie differently in pages */
#define LOCAL_BYTES	(SPANS_BYTES + PAGE)

static void old_contents(uint8_t *memory, void (*before)(uint8_t *memory))
{
	pattern_fill(memory, 0, SPANS_BYTES, SEED_OLD);
	if (before)
		before(memory);
}

/* All of @memory: new where @span is, old elsewhere. */
static void expect_span(const uint8_t *memory, const struct span *span,
			const char *what)
{
	size_t end = span->offset + span->length;

	pattern_expect(memory, 0, span->offset, SEED_OLD, "before the span");
	pattern_expect(memory + span->offset, span->offset, span->length,
		       SEED_NEW, what);
	pattern_expect(memory + end, end, SPANS_BYTES - end, SEED_OLD,
		       "behind the span");
}

void check_writes(struct pair *pair, struct ibv_mr *remote, uint8_t *memory,
		  void (*before)(uint8_t *memory))
{
	struct ibv_mr *local = region_pinned(LOCAL_BYTES);
	uint8_t *from = (uint8_t *)local->addr + LOCAL_SHIFT;
	size_t i;

	for (i = 0; i < span_count; i++) {
		old_contents(memory, before);
		pattern_make(from, spans[i].offset, spans[i].length, SEED_NEW);
		require_success(rdma_write(pair, local, from, spans[i].length,
					   remote,
					   (uintptr_t)memory + spans[i].offset),
				"RDMA write");
		expect_span(memory, &spans[i], "written");
	}
	ibv_dereg_mr(local);
}

void check_reads(struct pair *pair, struct ibv_mr *remote, uint8_t *memory,
		 void (*before)(uint8_t *memory))
{
	struct ibv_mr *local = region_pinned(LOCAL_BYTES);
	uint8_t *to = (uint8_t *)local->addr + LOCAL_SHIFT;
	size_t i;

	for (i = 0; i < span_count; i++) {
		old_contents(memory, before);
		memset(local->addr, 0, LOCAL_BYTES);
		require_success(rdma_read(pair, local, to, spans[i].length,
					  remote,
					  (uintptr_t)memory + spans[i].offset),
				"RDMA read");
		pattern_expect(to, spans[i].offset, spans[i].length, SEED_OLD,
			       "read");
		EXPECT(!to[-1] && !to[spans[i].length],
		       "more than the span was read");
	}
	ibv_dereg_mr(local);
}

void check_sends(struct pair *pair, struct ibv_mr *remote, uint8_t *memory,
		 void (*before)(uint8_t *memory))
{
	struct ibv_mr *local = region_pinned(LOCAL_BYTES);
	uint8_t *from = (uint8_t *)local->addr + LOCAL_SHIFT;
	enum ibv_wc_status status[2];
	size_t i;

	for (i = 0; i < span_count; i++) {
		old_contents(memory, before);
		pattern_make(from, spans[i].offset, spans[i].length, SEED_NEW);
		rdma_send(pair, local, from, remote, memory + spans[i].offset,
			  spans[i].length, status);
		require_success(status[HERE], "send");
		require_success(status[THERE], "receive");
		expect_span(memory, &spans[i], "received");
	}
	ibv_dereg_mr(local);
}

void check_atomics(struct pair *pair, struct ibv_mr *remote, uint8_t *memory,
		   void (*before)(uint8_t *memory))
{
	static const size_t offsets[] = {
		0, 8, 2048, PAGE - 8, PAGE, 5 * PAGE + 24, SPANS_BYTES - 8,
	};
	struct ibv_mr *local = region_pinned(PAGE);
	uint64_t *old = (uint64_t *)local->addr + 1;
	uint64_t was, now, wanted;
	size_t i;
	int add;

	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]) * 2; i++) {
		size_t offset = offsets[i / 2];

		add = i % 2;
		old_contents(memory, NULL);
		memcpy(&was, memory + offset, sizeof(was));
		if (before)
			before(memory);
		wanted = add ? was + 0x123456789abcull : ~was;
		*old = 0;
		require_success(rdma_atomic(pair, local, old, remote,
					    (uintptr_t)memory + offset, add,
					    was, add ? 0x123456789abcull : ~was),
				"atomic operation");
		EXPECT(*old == was, "%s at %zu returned 0x%lx, it was 0x%lx",
		       add ? "add" : "swap", offset, *old, was);
		memcpy(&now, memory + offset, sizeof(now));
		EXPECT(now == wanted, "%s at %zu left 0x%lx, 0x%lx expected",
		       add ? "add" : "swap", offset, now, wanted);
		pattern_expect(memory, 0, offset, SEED_OLD, "before it");
		pattern_expect(memory + offset + 8, offset + 8,
			       SPANS_BYTES - offset - 8, SEED_OLD, "behind it");
	}

	/* A swap whose comparison fails changes nothing. */
	old_contents(memory, NULL);
	memcpy(&was, memory + 16, sizeof(was));
	if (before)
		before(memory);
	require_success(rdma_atomic(pair, local, old, remote,
				    (uintptr_t)memory + 16, false, ~was, 1),
			"atomic operation");
	EXPECT(*old == was, "a vain swap returned 0x%lx, it was 0x%lx", *old,
	       was);
	pattern_expect(memory, 0, SPANS_BYTES, SEED_OLD, "after a vain swap");
	ibv_dereg_mr(local);
}

typedef void check_function(struct pair *pair, struct ibv_mr *remote,
			    uint8_t *memory, void (*before)(uint8_t *memory));

static void run_check(check_function *check, enum ibv_mtu mtu)
{
	uint8_t *memory = memory_alloc(SPANS_BYTES, false);
	struct ibv_mr *remote = region(memory, SPANS_BYTES, ACCESS_ODP);
	struct pair pair = pair_open(mtu);

	check(&pair, remote, memory, NULL);
	pair_close(&pair);
	ibv_dereg_mr(remote);
}

void test_write_unaligned(void)
{
	run_check(check_writes, 0);
}

void test_read_unaligned(void)
{
	run_check(check_reads, 0);
}

void test_send_receive(void)
{
	run_check(check_sends, 0);
}

void test_atomic(void)
{
	run_check(check_atomics, 0);
}

/* Most packets then begin and end within a page. */
void test_small_packets(void)
{
	run_check(check_writes, IBV_MTU_512);
	run_check(check_reads, IBV_MTU_512);
}

/* The local side pages on demand too, from two pieces that lie apart. */
void test_local_side(void)
{
	uint8_t *memory = memory_alloc(SPANS_BYTES, false);
	struct ibv_mr *local = region(memory, SPANS_BYTES, ACCESS_ODP);
	struct ibv_mr *remote = region_pinned(SPANS_BYTES);
	struct pair pair = pair_open(0);
	const size_t first = 5000, second = 9001, length = first + second;
	struct ibv_sge sge[2] = {
		{ (uintptr_t)memory + 3000, first, local->lkey },
		{ (uintptr_t)memory + 20 * PAGE - 7, second, local->lkey },
	};
	struct ibv_send_wr wr = {
		.sg_list = sge,
		.num_sge = 2,
		.opcode = IBV_WR_RDMA_WRITE,
		.wr.rdma = {
			.remote_addr = (uintptr_t)remote->addr + 55,
			.rkey = remote->rkey,
		},
	};

	pattern_fill(memory, 0, SPANS_BYTES, SEED_OLD);
	require_success(pair_run(&pair, &wr), "write from two pieces");
	pattern_expect((uint8_t *)remote->addr + 55, 3000, first, SEED_OLD,
		       "first piece");
	pattern_expect((uint8_t *)remote->addr + 55 + first, 20 * PAGE - 7,
		       second, SEED_OLD, "second piece");

	pattern_make((uint8_t *)remote->addr + 55, 0, length, SEED_NEW);
	wr.opcode = IBV_WR_RDMA_READ;
	require_success(pair_run(&pair, &wr), "read into two pieces");
	pattern_expect(memory + 3000, 0, first, SEED_NEW, "first piece");
	pattern_expect(memory + 20 * PAGE - 7, first, second, SEED_NEW,
		       "second piece");
	pattern_expect(memory, 0, 3000, SEED_OLD, "before them");
	pair_close(&pair);
}

/* Memory that nobody has touched: the fault of the device makes the pages. */
void test_untouched(void)
{
	uint8_t *memory = memory_alloc(16 * PAGE, false);
	struct ibv_mr *remote = region(memory, 16 * PAGE, ACCESS_ODP);
	struct ibv_mr *local = region_pinned(4 * PAGE);
	struct pair pair = pair_open(0);
	size_t i;

	require_success(rdma_read(&pair, local, local->addr, 3 * PAGE, remote,
				  (uintptr_t)memory + 100), "read");
	for (i = 0; i < 3 * PAGE; i++)
		if (((uint8_t *)local->addr)[i])
			break;
	EXPECT(i == 3 * PAGE, "byte %zu of untouched memory is not 0", i);
	EXPECT(!page_present(memory + 8 * PAGE), "a page nobody asked for");

	pattern_make(local->addr, 0, 3 * PAGE, SEED_NEW);
	require_success(rdma_write(&pair, local, local->addr, 3 * PAGE, remote,
				   (uintptr_t)memory + 8 * PAGE + 9), "write");
	pattern_expect(memory + 8 * PAGE + 9, 0, 3 * PAGE, SEED_NEW, "written");
	for (i = 0; i < 9; i++)
		EXPECT(!memory[8 * PAGE + i], "byte %zu before it changed", i);
	pair_close(&pair);
}

/* Longer than an int can count, as on demand regions are meant to be. */
void test_long_region(void)
{
	const size_t length = 3ul << 30, near_end = length - 3 * PAGE + 17;
	uint8_t *memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			       -1, 0);
	struct ibv_mr *local = region_pinned(2 * PAGE);
	struct pair pair = pair_open(0);
	struct ibv_mr *remote;

	REQUIRE(memory != MAP_FAILED, "mmap of 3 GiB: %m");
	madvise(memory, length, MADV_NOHUGEPAGE);
	remote = region(memory, length, ACCESS_ODP);
	pattern_make(local->addr, 0, 2 * PAGE, SEED_NEW);
	require_success(rdma_write(&pair, local, local->addr, 2 * PAGE, remote,
				   (uintptr_t)memory + near_end), "write");
	pattern_expect(memory + near_end, 0, 2 * PAGE, SEED_NEW, "written");
	pair_close(&pair);
	ibv_dereg_mr(remote);
	munmap(memory, length);
}

/* The address of the region on the wire is not that of its memory. */
void test_other_iova(void)
{
	const uint64_t iova = 0x7000000000ull;
	uint8_t *memory = memory_alloc(8 * PAGE, false);
	struct ibv_mr *local = region_pinned(4 * PAGE);
	struct pair pair = pair_open(0);
	struct ibv_mr *remote;

	pattern_fill(memory, 0, 8 * PAGE, SEED_OLD);
	remote = ibv_reg_mr_iova(domain, memory + 128, 8 * PAGE - 128,
				 iova + 128, ACCESS_ODP);
	REQUIRE(remote, "register with another address: %m");
	require_success(rdma_read(&pair, local, local->addr, 2 * PAGE, remote,
				  iova + 3000), "read");
	pattern_expect(local->addr, 3000, 2 * PAGE, SEED_OLD, "read");

	pattern_make(local->addr, 5 * PAGE + 1, PAGE + 100, SEED_NEW);
	require_success(rdma_write(&pair, local, local->addr, PAGE + 100,
				   remote, iova + 5 * PAGE + 1), "write");
	pattern_expect(memory + 5 * PAGE + 1, 5 * PAGE + 1, PAGE + 100,
		       SEED_NEW, "written");
	pattern_expect(memory, 0, 5 * PAGE + 1, SEED_OLD, "before it");

	EXPECT(rdma_read(&pair, local, local->addr, 8, remote,
			 (uintptr_t)memory + PAGE) == IBV_WC_REM_ACCESS_ERR,
	       "the address of the memory is good on the wire too");
	pair_close(&pair);
}

/* All of it once more where the device does the paging in hardware. */
void test_dma_device(void)
{
	run_check(check_writes, 0);
	run_check(check_reads, 0);
	run_check(check_sends, 0);
	if (odp_operations & IBV_ODP_SUPPORT_ATOMIC)
		run_check(check_atomics, 0);
}

void test_dma_device_implicit(void)
{
	uint8_t *memory = memory_alloc(SPANS_BYTES, false);
	struct pair pair = pair_open(0);
	struct ibv_mr *all;

	if (!odp_implicit)
		SKIP("the device has no implicit on demand paging");
	all = region(NULL, SIZE_MAX, ACCESS_ODP);
	check_writes(&pair, all, memory, NULL);
	check_reads(&pair, all, memory, NULL);
	pair_close(&pair);
}
