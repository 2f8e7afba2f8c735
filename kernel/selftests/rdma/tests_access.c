// SPDX-License-Identifier: GPL-2.0
/* F95, F96: what a region does not allow, and regions of huge pages. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests_rdma.h"

#define SEED	95

/* Writes and expects to be turned away, with a pair of its own. */
static void expect_refused(struct ibv_mr *remote, uint64_t address,
			   size_t length, bool write, const char *what)
{
	struct ibv_mr *local = region_pinned(SPANS_BYTES);
	struct pair pair = pair_open(0);
	enum ibv_wc_status status;

	if (write)
		status = rdma_write(&pair, local, local->addr, length, remote,
				    address);
	else
		status = rdma_read(&pair, local, local->addr, length, remote,
				   address);
	EXPECT(status == IBV_WC_REM_ACCESS_ERR, "%s: %s", what,
	       ibv_wc_status_str(status));
	pair_close(&pair);
	ibv_dereg_mr(local);
}

void test_beyond_region(void)
{
	uint8_t *memory = memory_alloc(16 * PAGE, false);
	const size_t at = 4 * PAGE + 64, length = 3 * PAGE;
	struct ibv_mr *remote = region(memory + at, length, ACCESS_ODP);
	uint64_t start = (uintptr_t)memory + at, end = start + length;

	pattern_fill(memory, 0, 16 * PAGE, SEED);
	expect_refused(remote, end, 1, true, "write behind the end");
	expect_refused(remote, end - 1, 2, true, "write across the end");
	expect_refused(remote, end - 5000, 5001, false, "read across the end");
	expect_refused(remote, start - 1, 2, true, "write across the start");
	expect_refused(remote, start - PAGE, 8, false, "read before the start");
	expect_refused(remote, start, length + 1, true, "longer than all");
	expect_refused(remote, ~0ull - 3, 8, true, "around the end of the world");
	pattern_expect(memory, 0, 16 * PAGE, SEED, "after all that");
}

void test_read_only_region(void)
{
	uint8_t *memory = memory_alloc(4 * PAGE, false);
	struct ibv_mr *remote = region(memory, 4 * PAGE, ACCESS_ODP_READ);
	struct ibv_mr *local = region_pinned(4 * PAGE);
	struct pair pair = pair_open(0);
	enum ibv_wc_status status;

	pattern_fill(memory, 0, 4 * PAGE, SEED);
	require_success(rdma_read(&pair, local, local->addr, 2 * PAGE, remote,
				  (uintptr_t)memory + 50), "read");
	pattern_expect(local->addr, 50, 2 * PAGE, SEED, "read");
	status = rdma_atomic(&pair, local, local->addr, remote,
			     (uintptr_t)memory, true, 0, 1);
	EXPECT(status == IBV_WC_REM_ACCESS_ERR, "atomic operation: %s",
	       ibv_wc_status_str(status));
	expect_refused(remote, (uintptr_t)memory, 8, true, "write");
	expect_refused(remote, (uintptr_t)memory + PAGE - 1, 2, true, "write");
	pattern_expect(memory, 0, 4 * PAGE, SEED, "after all that");
	pair_close(&pair);
}

/* An atomic operation has to be aligned, also where it would cross a page. */
void test_odd_atomic(void)
{
	uint8_t *memory = memory_alloc(4 * PAGE, false);
	struct ibv_mr *remote = region(memory, 4 * PAGE, ACCESS_ODP);
	struct ibv_mr *local = region_pinned(PAGE);
	static const size_t offsets[] = { 1, 4, PAGE - 4, 4 * PAGE - 4 };
	size_t i;

	pattern_fill(memory, 0, 4 * PAGE, SEED);
	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		struct pair pair = pair_open(0);
		struct ibv_sge sge = {
			.addr = (uintptr_t)local->addr,
			.length = 8,
			.lkey = local->lkey,
		};
		struct ibv_send_wr *bad, wr = {
			.sg_list = &sge,
			.num_sge = 1,
			.opcode = IBV_WR_ATOMIC_FETCH_AND_ADD,
			.send_flags = IBV_SEND_SIGNALED,
			.wr.atomic = {
				.remote_addr = (uintptr_t)memory + offsets[i],
				.rkey = remote->rkey,
				.compare_add = 1,
			},
		};

		/* The library may notice before the device does. */
		if (!ibv_post_send(pair.qp[HERE], &wr, &bad)) {
			enum ibv_wc_status status = pair_await(&pair, HERE);

			EXPECT(status == IBV_WC_REM_INV_REQ_ERR ||
			       status == IBV_WC_REM_ACCESS_ERR,
			       "atomic operation at %zu: %s", offsets[i],
			       ibv_wc_status_str(status));
		}
		pair_close(&pair);
	}
	pattern_expect(memory, 0, 4 * PAGE, SEED, "after all that");
}

/* ---- huge pages */

#define POOL_FILE	"/proc/sys/vm/nr_hugepages"

static bool pool_is_ours;

static void pool_resize(size_t pages)
{
	int fd = open(POOL_FILE, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	dprintf(fd, "%zu", pages);
	close(fd);
}

static uint8_t *hugetlb_alloc(size_t pages)
{
	int fd = open(POOL_FILE, O_RDONLY | O_CLOEXEC);
	char text[16] = "";
	uint8_t *p;

	if (fd < 0)
		SKIP("kernel without huge pages (CONFIG_HUGETLBFS)");
	/* A pool that somebody has made is not for us to change. */
	pool_is_ours = read(fd, text, sizeof(text) - 1) > 0 && text[0] == '0';
	close(fd);
	if (pool_is_ours)
		pool_resize(pages);
	p = mmap(NULL, pages * HUGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (p == MAP_FAILED)
		SKIP("no %zu huge pages free (echo %zu >" POOL_FILE ")", pages,
		     pages);
	return p;
}

static void hugetlb_free(uint8_t *memory, size_t pages)
{
	munmap(memory, pages * HUGE);
	if (pool_is_ours)
		pool_resize(0);
}

/* Each page of a huge page by itself, and from one huge page to the next. */
void test_hugetlb_pages(void)
{
	uint8_t *memory = hugetlb_alloc(2);
	struct ibv_mr *remote = region(memory, 2 * HUGE, ACCESS_ODP);
	struct ibv_mr *local = region_pinned(8 * PAGE);
	struct pair pair = pair_open(0);
	const size_t at = HUGE - 2 * PAGE - 9, length = 5 * PAGE;

	pattern_fill(memory, 0, 2 * HUGE, SEED);
	require_success(rdma_read(&pair, local, local->addr, length, remote,
				  (uintptr_t)memory + at), "read");
	pattern_expect(local->addr, at, length, SEED, "read");
	pattern_make(local->addr, at, length, SEED + 1);
	require_success(rdma_write(&pair, local, local->addr, length, remote,
				   (uintptr_t)memory + at), "write");
	pattern_expect(memory, 0, at, SEED, "before it");
	pattern_expect(memory + at, at, length, SEED + 1, "written");
	pattern_expect(memory + at + length, at + length,
		       2 * HUGE - at - length, SEED, "behind it");
	pair_close(&pair);
	ibv_dereg_mr(remote);
	hugetlb_free(memory, 2);
}

/* A region that is to be mapped in huge pages: not with this device. */
void test_hugetlb_refused(void)
{
	uint8_t *memory = memory_alloc(HUGE, false);
	struct ibv_mr *mr = ibv_reg_mr(domain, memory, HUGE,
				       ACCESS_ODP | IBV_ACCESS_HUGETLB);

	EXPECT(!mr && (errno == EOPNOTSUPP || errno == EINVAL),
	       "registration %s: %m", mr ? "succeeded" : "failed");
	if (mr)
		ibv_dereg_mr(mr);
}

/* Both huge pages by themselves, and then small ones where huge are promised. */
void test_hugetlb_dma_device(void)
{
	uint8_t *memory = hugetlb_alloc(2);
	uint8_t *small = memory_alloc(HUGE, false);
	struct ibv_mr *local = region_pinned(8 * PAGE);
	struct pair pair = pair_open(0);
	const size_t at = HUGE + 3 * PAGE + 5;
	struct ibv_mr *remote;

	remote = ibv_reg_mr(domain, memory, 2 * HUGE,
			    ACCESS_ODP | IBV_ACCESS_HUGETLB);
	if (!remote)
		SKIP("the device has no regions of huge pages: %s",
		     strerror(errno));
	pattern_fill(memory, 0, 2 * HUGE, SEED);
	require_success(rdma_read(&pair, local, local->addr, 2 * PAGE, remote,
				  (uintptr_t)memory + at), "read");
	pattern_expect(local->addr, at, 2 * PAGE, SEED, "second huge page");
	ibv_dereg_mr(remote);

	pattern_fill(small, 0, HUGE, SEED);
	remote = ibv_reg_mr(domain, small, HUGE,
			    ACCESS_ODP | IBV_ACCESS_HUGETLB);
	EXPECT(!remote, "small pages were registered as huge ones");
	hugetlb_free(memory, 2);
}
