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
void f03_no_operation(void);
void f04_refused_eopnotsupp(void);
void f04_refused_ebusy(void);
void f04_refused_eagain(void);
void f04_refused_enomem(void);
void f04_refused_einval(void);
void f04_refused_window(void);
void f05_own_pages(void);
void f05_own_pages_with_dma_dev(void);
void f05_own_page_is_no_address(void);
void f05_own_read_only(void);
void f06_other_owner_without_operation(void);
void f07_snapshot(void);
void f07_snapshot_without_dma_dev(void);
void f08_request_per_page(void);
void f08_refused_request_per_page(void);
void f09_type_flags_follow(void);
void f09_sticky_flags(void);
void f09_sticky_flags_ram(void);
void f10_called_with_the_lock(void);
void f10_lies_are_not_believed(void);
void f10_sleeping_provider_is_caught(void);
void f11_order_of_every_kind(void);
void f12_refused_while_mapped(void);
void f12_refused_while_mapped_pmd(void);
void f12_walk_without_dma_dev(void);
void f12_refused_to_another(void);
void f12_invalidated_among_requests(void);
void f13_walk_while_pages_move(void);
void f13_walk_while_pages_become_huge(void);
void f14_marks_while_pages_move(void);
void f14_marks_while_thrown_away(void);

/* Permissions */
void f20_read_only_alias(void);
void f21_write_to_read_only(void);
void f22_fork_while_mapped(void);
void f22_parent_writes(void);
void f22_child_writes(void);
void f22_child_exits(void);
void f23_mprotect_while_mapped(void);
void f24_soft_dirty(void);
void f24_uffd_wp(void);
void f24_uffd_rwp(void);
void f24_uffd_rwp_pmd(void);

/* Address space events */
void f30_munmap_while_mapped(void);
void f31_mremap_while_mapped(void);
void f31_dontunmap_while_mapped(void);
void f31_grow_while_mapped(void);
void f32_dontneed_while_mapped(void);
void f32_free_while_mapped(void);
void f33_cpu_touch(void);
void f34_migrate_in_while_mapped(void);
void f35_ping_pong(void);
void ping_pong(unsigned int seconds);
void f35_no_memory_lost(void);
void f36_exit_while_mapped(void);
void f36_exec_while_mapped(void);
void f36_kill_during_dma(void);
void f37_overtaken_by_cpu(void);
void f37_overtaken_by_migration(void);
void f37_overtaken_by_munmap(void);
void f38_exclusive_entry(void);
void f38_migration_entry(void);
void f38_migration_entry_pmd(void);

/* Ranges */
void f40_mixed_range(void);
void f40_file_pages(void);
void f40_own_and_foreign(void);
void f40_absent_between(void);
void f40_exclusive_between(void);
void f40_hole(void);
void f40_p2p_page_in_vma(void);
void f40_hugetlb(void);
void f41_single_page(void);
void f41_odd_sizes(void);
void f41_crossing_pmd(void);
void f41_beyond_4_gib(void);
void f42_two_providers(void);
void f43_one_of_two_reachable(void);

/* Large folios */
void f07_snapshot_pmd_without_dma_dev(void);
void f07_snapshot_pmd_with_refusal(void);
void f08_write_one_page_of_a_pmd(void);
void f09_sticky_flags_pmd(void);
void f20_read_only_pmd_alias(void);
void f21_write_to_read_only_pmd(void);
void f50_head_refused(void);
void f51_pmd_misaligned_alias(void);
void f50_pmd_alias(void);
void f50_pmd_fallback(void);
void f50_head_refused_write(void);
void f51_pmd_not_contiguous(void);
void f51_refused_in_the_middle(void);
void f51_run_covers_the_range(void);
void f51_asked_once_per_run(void);
void f52_pmd_partial_range(void);
void f52_own_pmd_partial_range(void);
void f53_pmd_partial_munmap(void);
void f53_pmd_partial_mprotect(void);
void f54_split_continuity(void);
void f55_no_huge_page_to_move_to(void);
void f55_no_huge_page_in_a_fault(void);
void f55_forked_page_in_a_fault(void);
void f55_unmapped_beside_a_fault(void);
void f55_replaced_beside_a_fault(void);
void f55_replaced_while_it_moves(void);
void f55_busy_in_a_fault(void);
void f55_no_memory_on_the_way_back(void);

/* DMA */
void f60_peer_read(void);
void f60_peer_write(void);
void f60_ram_read(void);
void f60_ram_write(void);
void f60_fallback_read(void);
void f60_neighbours_untouched(void);
void f61_bus_address(void);
void f61_bus_offset(void);
void f62_thru_host_bridge(void);
void f63_refused_path(void);
void f64_path_as_predicted(void);
void f64_acs_redirect(void);
void f65_iova(void);
void f65_dma_list(void);
void f65_stateless(void);
void f66_narrow_mask(void);

/* Lifetime */
void f70_no_references(void);
void f71_no_reference_granted(void);
void f72_unbind_while_mapped(void);
void f73_sysfs_removal(void);
void f74_client_unbind(void);
void f75_rebind(void);
unsigned int rebind_provider(unsigned int rounds, unsigned int seconds);
void f76_suspend(void);
void f77_function_reset(void);
void f78_no_pages_left(void);

/* Memory failure */
void f80_ram_page(void);
void f80_private_page(void);
void f80_alias_page(void);

#endif /* TESTS_H */
