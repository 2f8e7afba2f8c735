// SPDX-License-Identifier: GPL-2.0
/* A look at the state of the struct pages, and at an address space. */
#include <linux/dma-mapping.h>
#include <linux/hmm-dma.h>
#include <linux/mm.h>
#include <linux/pci-p2pdma.h>
#include <linux/page-flags.h>
#include <linux/rmap.h>
#include <linux/sched.h>

#include "provider.h"

/**
 * provider_inspect() - look at every struct page of the provider
 * @prov: the provider; the caller holds prov->alive
 * @inspection: filled in
 */
void provider_inspect(struct provider *prov,
		      struct peerlab_inspection *inspection)
{
	unsigned long i;

	*inspection = (struct peerlab_inspection){};
	for (i = 0; i < prov->npages; i++) {
		struct page *alias = pfn_to_page(prov->bar_pfn + i);
		struct page *private = pfn_to_page(prov->private_pfn + i);

		inspection->alias_referenced += !!page_ref_count(alias);
		if (get_page_unless_zero(alias)) {
			inspection->alias_granted++;
			page_ref_dec(alias);
		}
		inspection->alias_dirty += PageDirty(alias);
		inspection->alias_mapped += folio_mapped(page_folio(alias));
		inspection->private_referenced += !!page_ref_count(private);
		if (!(i % 1024))
			cond_resched();
	}
}

/**
 * provider_make_exclusive() - take a page of the caller for atomic access
 * @prov: the provider, as the one to blame
 * @address: of the page, in anonymous memory of the current process
 *
 * Leaves a device exclusive entry, which the next access by a CPU or another
 * device has to undo.
 *
 * Return: 0 or -errno.
 */
int provider_make_exclusive(struct provider *prov, unsigned long address)
{
	struct folio *folio;
	struct page *page;

	mmap_read_lock(current->mm);
	page = make_device_exclusive(current->mm, address, prov, &folio);
	mmap_read_unlock(current->mm);
	if (IS_ERR(page))
		return PTR_ERR(page);
	folio_unlock(folio);
	folio_put(folio);
	return 0;
}

/**
 * provider_map_own() - try to map what is only a name for DMA
 * @prov: the provider; the caller holds prov->alive
 * @hmm_pfn: what hmm_range_fault() says of one of its device private pages
 *
 * Return: -EIO as it must be, 0 if it was mapped, or another -errno.
 */
int provider_map_own(struct provider *prov, unsigned long hmm_pfn)
{
	struct pci_p2pdma_map_state state = {};
	struct device *dev = &prov->pdev->dev;
	struct hmm_dma_map map = {};
	dma_addr_t dma;
	int ret;

	ret = hmm_dma_map_alloc(dev, &map, 1, PAGE_SIZE);
	if (ret)
		return ret;
	map.pfn_list[0] = hmm_pfn;
	dma = hmm_dma_map_pfn(dev, &map, 0, &state);
	if (dma_mapping_error(dev, dma))
		ret = -EIO;
	else
		hmm_dma_unmap_pfn(dev, &map, 0);
	hmm_dma_map_free(dev, &map);
	return ret;
}
