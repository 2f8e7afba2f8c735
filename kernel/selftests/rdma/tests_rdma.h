/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TESTS_RDMA_H
#define TESTS_RDMA_H

#include "ktap.h"
#include "pair.h"
#include "rig.h"

/* Beside those of ktap.h. */
#define NEEDS_PROVIDER		(1u << 8)	/* device private memory */
#define USES_PROVIDER		(1u << 9)	/* if there is one */
#define NEEDS_DMA_DEVICE	(1u << 10)	/* not rxe: a device with DMA */

/* Where a piece of a transfer begins and how long it is. */
struct span {
	size_t offset;
	size_t length;
};

/* Every way to lie across pages, and to be cut into packets. */
extern const struct span spans[];
extern const size_t span_count;
#define SPANS_BYTES	(64 * PAGE)	/* memory that holds all of them */

/*
 * Write, read and send each of @spans through @remote, which is the region of
 * all of @memory, and compare all of it.  @before is called before each
 * transfer, for instance to move the memory; it may be NULL.
 */
void check_writes(struct pair *pair, struct ibv_mr *remote, uint8_t *memory,
		  void (*before)(uint8_t *memory));
void check_reads(struct pair *pair, struct ibv_mr *remote, uint8_t *memory,
		 void (*before)(uint8_t *memory));
void check_sends(struct pair *pair, struct ibv_mr *remote, uint8_t *memory,
		 void (*before)(uint8_t *memory));
void check_atomics(struct pair *pair, struct ibv_mr *remote, uint8_t *memory,
		   void (*before)(uint8_t *memory));

/* F90 */
void test_write_unaligned(void);
void test_read_unaligned(void);
void test_send_receive(void);
void test_local_side(void);
void test_atomic(void);
void test_small_packets(void);
void test_untouched(void);
void test_long_region(void);
void test_other_iova(void);
void test_dma_device(void);
void test_dma_device_implicit(void);

/* F91 */
void test_migrated_write(void);
void test_migrated_read(void);
void test_migrated_send(void);
void test_migrated_atomic(void);
void test_migrated_huge(void);
void test_migrated_pinned(void);
void test_migrated_dma_device(void);

/* F92 */
void test_traffic(void);
void test_unmapped(void);
void test_mapped_anew(void);
void test_thrown_away(void);
void test_copy_on_write(void);
void test_read_only_pages(void);
void test_written_is_dirty(void);

/* F93, F94 */
void test_prefetch_read(void);
void test_prefetch_write(void);
void test_prefetch_no_fault(void);
void test_prefetch_later(void);
void test_prefetch_overtaken(void);
void test_prefetch_refused(void);
void test_prefetch_migrated(void);
void test_counters(void);

/* F95, F96 */
void test_beyond_region(void);
void test_read_only_region(void);
void test_odd_atomic(void);
void test_hugetlb_pages(void);
void test_hugetlb_refused(void);
void test_hugetlb_dma_device(void);

/* F97, and what F92 asks of each page by itself */
void test_flush_range(void);
void test_flush_permission(void);
void test_flush_long_region(void);
void test_flush_region_gone(void);
void test_flush_pair_gone(void);
void test_flush_pair_reset(void);
void test_atomic_write(void);
void test_one_page_missing(void);
void test_each_write_is_dirty(void);

#endif /* TESTS_RDMA_H */
