/* SPDX-License-Identifier: GPL-2.0 */
/* The tests, one file for each kind; ids are those of the test plan. */
#ifndef TESTS_H
#define TESTS_H

#include "rig.h"

#define MAP_READ	PEERLAB_MAP_DMA_DEV
#define MAP_WRITE	(PEERLAB_MAP_DMA_DEV | PEERLAB_MAP_WRITE)

/* Discovery */
void f01_alias_returned(void);
void f02_no_dma_dev_migrates(void);
void f04_refused_eopnotsupp(void);
void f04_refused_ebusy(void);
void f04_refused_eagain(void);
void f04_refused_enomem(void);
void f04_refused_einval(void);
void f05_own_pages(void);
void f07_snapshot(void);
void f07_snapshot_without_dma_dev(void);
void f09_sticky_flags(void);
void f09_sticky_flags_ram(void);

/* Permissions */
void f20_read_only_alias(void);
void f21_write_to_read_only(void);
void f22_fork_while_mapped(void);
void f23_mprotect_while_mapped(void);

/* Address space events */
void f30_munmap_while_mapped(void);
void f31_mremap_while_mapped(void);
void f32_dontneed_while_mapped(void);
void f33_cpu_touch(void);
void f34_migrate_in_while_mapped(void);
void f35_ping_pong(void);

/* Ranges */
void f40_mixed_range(void);
void f40_hole(void);
void f41_single_page(void);
void f41_odd_sizes(void);
void f41_crossing_pmd(void);

/* Large folios */
void f50_pmd_alias(void);
void f50_pmd_fallback(void);
void f51_pmd_not_contiguous(void);
void f52_pmd_partial_range(void);
void f52_own_pmd_partial_range(void);
void f53_pmd_partial_munmap(void);

/* DMA */
void f60_peer_read(void);
void f60_peer_write(void);
void f60_ram_read(void);
void f60_ram_write(void);
void f60_fallback_read(void);
void f60_neighbours_untouched(void);
void f63_refused_path(void);

/* Lifetime */
void f72_unbind_while_mapped(void);
void f78_no_pages_left(void);

#endif /* TESTS_H */
