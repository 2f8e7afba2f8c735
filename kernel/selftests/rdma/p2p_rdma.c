// SPDX-License-Identifier: GPL-2.0
/*
 * On demand paging of RDMA: with rxe, which is always there and copies with the
 * CPU, and with whatever device of the machine does its own DMA.
 */
#include <string.h>
#include <unistd.h>

#include "rxe_link.h"
#include "tests_rdma.h"
#include "verbs_library.h"

static const struct test tests[] = {
	{ "F90.write_unaligned", WAY_NONE, 0, test_write_unaligned },
	{ "F90.read_unaligned", WAY_NONE, 0, test_read_unaligned },
	{ "F90.send_receive", WAY_NONE, 0, test_send_receive },
	{ "F90.local_side", WAY_NONE, 0, test_local_side },
	{ "F90.atomic", WAY_NONE, 0, test_atomic },
	{ "F90.small_packets", WAY_NONE, 0, test_small_packets },
	{ "F90.untouched_memory", WAY_NONE, 0, test_untouched },
	{ "F90.region_of_3_gib", WAY_NONE, 0, test_long_region },
	{ "F90.dma_device", WAY_NONE, NEEDS_DMA_DEVICE, test_dma_device },
	{ "F90.dma_device_implicit", WAY_NONE, NEEDS_DMA_DEVICE,
	  test_dma_device_implicit },

	{ "F91.migrated_write", WAY_RAM, NEEDS_PROVIDER, test_migrated_write },
	{ "F91.migrated_read", WAY_RAM, NEEDS_PROVIDER, test_migrated_read },
	{ "F91.migrated_send", WAY_RAM, NEEDS_PROVIDER, test_migrated_send },
	{ "F91.migrated_atomic", WAY_RAM, NEEDS_PROVIDER,
	  test_migrated_atomic },
	{ "F91.migrated_huge", WAY_RAM, NEEDS_PROVIDER, test_migrated_huge },
	{ "F91.migrated_pinned", WAY_RAM, NEEDS_PROVIDER,
	  test_migrated_pinned },
	{ "F91.dma_device_migrated", WAY_ANY,
	  NEEDS_PROVIDER | NEEDS_DMA_DEVICE, test_migrated_dma_device },

	{ "F92.traffic", WAY_NONE, USES_PROVIDER, test_traffic },
	{ "F92.unmapped", WAY_NONE, 0, test_unmapped },
	{ "F92.mapped_anew", WAY_NONE, 0, test_mapped_anew },
	{ "F92.thrown_away", WAY_NONE, 0, test_thrown_away },
	{ "F92.copy_on_write", WAY_NONE, 0, test_copy_on_write },
	{ "F92.read_only_pages", WAY_NONE, 0, test_read_only_pages },
	{ "F92.written_is_dirty", WAY_NONE, 0, test_written_is_dirty },
	{ "F92.each_write_is_dirty", WAY_NONE, 0, test_each_write_is_dirty },
	{ "F92.one_page_missing", WAY_NONE, 0, test_one_page_missing },

	{ "F93.prefetch_read", WAY_NONE, 0, test_prefetch_read },
	{ "F93.prefetch_write", WAY_NONE, 0, test_prefetch_write },
	{ "F93.prefetch_no_fault", WAY_NONE, 0, test_prefetch_no_fault },
	{ "F93.prefetch_later", WAY_NONE, 0, test_prefetch_later },
	{ "F93.prefetch_overtaken", WAY_NONE, 0, test_prefetch_overtaken },
	{ "F93.prefetch_migrated", WAY_NONE, NEEDS_PROVIDER,
	  test_prefetch_migrated },
	{ "F94.counters", WAY_NONE, NEEDS_DMA_DEVICE, test_counters },

	{ "F95.beyond_region", WAY_NONE, 0, test_beyond_region },
	{ "F95.read_only_region", WAY_NONE, 0, test_read_only_region },
	{ "F95.odd_atomic", WAY_NONE, 0, test_odd_atomic },

	{ "F96.hugetlb_pages", WAY_NONE, 0, test_hugetlb_pages },
	{ "F96.hugetlb_refused", WAY_NONE, 0, test_hugetlb_refused },
	{ "F96.dma_device_hugetlb", WAY_NONE, NEEDS_DMA_DEVICE,
	  test_hugetlb_dma_device },

	{ "F97.flush_range", WAY_NONE, 0, test_flush_range },
	{ "F97.flush_permission", WAY_NONE, 0, test_flush_permission },
	{ "F97.flush_long_region", WAY_NONE, 0, test_flush_long_region },
	{ "F97.flush_region_gone", WAY_NONE, 0, test_flush_region_gone },
	{ "F97.flush_pair_gone", WAY_NONE, 0, test_flush_pair_gone },
	{ "F97.flush_pair_reset", WAY_NONE, 0, test_flush_pair_reset },
	{ "F97.atomic_write", WAY_NONE, 0, test_atomic_write },

	/* Last, since a kernel that fails them may not live to tell. */
	{ "F93.prefetch_refused", WAY_NONE, 0, test_prefetch_refused },
	{ "F90.other_iova", WAY_NONE, 0, test_other_iova },
	{}
};

/* Why there is no rxe device, or NULL. */
static const char *no_rxe;

static const char *setup(const struct test *test)
{
	bool rig = !access(PEERLAB_PROVIDER_DEVICE, F_OK) &&
		   !access(PEERLAB_CLIENT_DEVICE, F_OK);
	const char *reason = verbs_load();

	if (!reason && (test->needs & NEEDS_PROVIDER) && !rig)
		reason = "no device private memory: peerlab_provider or peerlab_client is missing";
	if (!reason && (test->needs & (NEEDS_PROVIDER | USES_PROVIDER)) && rig)
		reason = rig_setup(test);
	if (reason)
		return reason;
	if (test->needs & NEEDS_DMA_DEVICE)
		return device_open_dma();
	return no_rxe ? no_rxe : device_open_rxe();
}

static void before(void)
{
	no_rxe = rxe_link_create();
}

int main(int argc, char **argv)
{
	int status = ktap_main(argc, argv, tests, setup, before);

	rxe_link_remove();
	return status;
}
