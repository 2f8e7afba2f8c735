// SPDX-License-Identifier: GPL-2.0
/* Does DMA to device private pages do what it should, and nothing else? */
#include "tests.h"

static const struct test tests[] = {
	{ "F01.alias_returned", WAY_PEER, NEEDS_ALIAS, f01_alias_returned },
	{ "F02.no_dma_dev_migrates", WAY_RAM, 0, f02_no_dma_dev_migrates },
	{ "F04.refused_EOPNOTSUPP", WAY_RAM, NEEDS_ALIAS, f04_refused_eopnotsupp },
	{ "F04.refused_EBUSY", WAY_RAM, NEEDS_ALIAS, f04_refused_ebusy },
	{ "F04.refused_EAGAIN", WAY_RAM, NEEDS_ALIAS, f04_refused_eagain },
	{ "F04.refused_ENOMEM", WAY_RAM, NEEDS_ALIAS, f04_refused_enomem },
	{ "F04.refused_EINVAL", WAY_RAM, NEEDS_ALIAS, f04_refused_einval },
	{ "F05.own_pages", WAY_NONE, 0, f05_own_pages },
	{ "F07.snapshot", WAY_ANY, NEEDS_ALIAS, f07_snapshot },
	{ "F07.snapshot_without_dma_dev", WAY_ANY, 0, f07_snapshot_without_dma_dev },
	{ "F09.sticky_flags", WAY_PEER, NEEDS_ALIAS, f09_sticky_flags },
	{ "F09.sticky_flags_ram", WAY_RAM, 0, f09_sticky_flags_ram },
	{ "F20.read_only_alias", WAY_PEER, NEEDS_ALIAS, f20_read_only_alias },
	{ "F21.write_to_read_only", WAY_RAM, 0, f21_write_to_read_only },
	{ "F22.fork_while_mapped", WAY_ANY, 0, f22_fork_while_mapped },
	{ "F23.mprotect_while_mapped", WAY_ANY, 0, f23_mprotect_while_mapped },
	{ "F30.munmap_while_mapped", WAY_ANY, 0, f30_munmap_while_mapped },
	{ "F31.mremap_while_mapped", WAY_ANY, 0, f31_mremap_while_mapped },
	{ "F32.dontneed_while_mapped", WAY_ANY, 0, f32_dontneed_while_mapped },
	{ "F33.cpu_touch_migrates_back", WAY_ANY, 0, f33_cpu_touch },
	{ "F34.migrate_in_while_mapped", WAY_ANY, 0, f34_migrate_in_while_mapped },
	{ "F35.ping_pong", WAY_ANY, 0, f35_ping_pong },
	{ "F40.mixed_range", WAY_ANY, 0, f40_mixed_range },
	{ "F40.hole", WAY_ANY, 0, f40_hole },
	{ "F41.single_page", WAY_PEER, NEEDS_ALIAS, f41_single_page },
	{ "F41.odd_sizes", WAY_PEER, NEEDS_ALIAS, f41_odd_sizes },
	{ "F41.crossing_pmd", WAY_PEER, NEEDS_ALIAS, f41_crossing_pmd },
	{ "F50.pmd_alias", WAY_PEER, NEEDS_ALIAS, f50_pmd_alias },
	{ "F50.pmd_fallback", WAY_RAM, 0, f50_pmd_fallback },
	{ "F51.pmd_not_contiguous", WAY_PEER, NEEDS_ALIAS, f51_pmd_not_contiguous },
	{ "F52.pmd_partial_range", WAY_PEER, NEEDS_ALIAS, f52_pmd_partial_range },
	{ "F52.own_pmd_partial_range", WAY_NONE, 0, f52_own_pmd_partial_range },
	{ "F53.pmd_partial_munmap", WAY_ANY, 0, f53_pmd_partial_munmap },
	{ "F60.peer_read", WAY_PEER, NEEDS_ALIAS, f60_peer_read },
	{ "F60.peer_write", WAY_PEER, NEEDS_ALIAS, f60_peer_write },
	{ "F60.neighbours_untouched", WAY_PEER, NEEDS_ALIAS, f60_neighbours_untouched },
	{ "F60.ram_read", WAY_RAM, 0, f60_ram_read },
	{ "F60.ram_write", WAY_RAM, 0, f60_ram_write },
	{ "F60.fallback_read", WAY_RAM, 0, f60_fallback_read },
	{ "F63.refused_path", WAY_RAM, NEEDS_ALIAS | NEEDS_NO_PATH, f63_refused_path },
	{ "F78.no_pages_left", WAY_NONE, 0, f78_no_pages_left },
	{ "F72.unbind_while_mapped", WAY_ANY, 0, f72_unbind_while_mapped },
	{}
};

int main(int argc, char **argv)
{
	return ktap_main(argc, argv, tests, rig_setup);
}
