// SPDX-License-Identifier: GPL-2.0
/* What the pages of a mapping are, for whoever asks. */
#include <linux/hmm.h>
#include <linux/mm.h>

#include "client.h"

static enum peerlab_page_kind pfn_kind(unsigned long hmm_pfn)
{
	if (hmm_pfn & HMM_PFN_ERROR)
		return PEERLAB_KIND_ERROR;
	if (!(hmm_pfn & HMM_PFN_VALID))
		return PEERLAB_KIND_NONE;
#ifdef PEERLAB_DMA_ALIAS
	if (hmm_pfn & HMM_PFN_PEER_PAGE)
		return PEERLAB_KIND_ALIAS;
	if (hmm_pfn & HMM_PFN_DEVICE_PRIVATE)
		return PEERLAB_KIND_PRIVATE;
#endif
	if (is_device_private_page(hmm_pfn_to_page(hmm_pfn)))
		return PEERLAB_KIND_PRIVATE;
	return PEERLAB_KIND_RAM;
}

/**
 * mapping_count() - count what the last walk has found
 * @mapping: the mapping; the caller holds mapping->lock
 * @req: the counts are filled in
 */
void mapping_count(struct mapping *mapping, struct peerlab_map *req)
{
	unsigned long i;

	req->ram = 0;
	req->alias = 0;
	req->private_pages = 0;
	req->none = 0;
	req->read_only = 0;
	req->sticky = 0;
	for (i = 0; i < mapping->npages; i++) {
		unsigned long hmm_pfn = mapping->map.pfn_list[i];

		switch (pfn_kind(hmm_pfn)) {
		case PEERLAB_KIND_RAM:
			req->ram++;
			break;
		case PEERLAB_KIND_ALIAS:
			req->alias++;
			break;
		case PEERLAB_KIND_PRIVATE:
			req->private_pages++;
			break;
		case PEERLAB_KIND_NONE:
		case PEERLAB_KIND_ERROR:
			req->none++;
			/* No invalidation has come, and it is not there. */
			mapping->orphans += !!(hmm_pfn & HMM_PFN_DMA_MAPPED);
			continue;
		}
		req->read_only += !(hmm_pfn & HMM_PFN_WRITE);
		req->sticky += !!(hmm_pfn & HMM_PFN_DMA_MAPPED);
	}
}

/**
 * mapping_describe() - tell what the pages of a mapping are now
 * @mapping: the mapping; the caller holds mapping->call
 * @pages: mapping->npages entries
 */
void mapping_describe(struct mapping *mapping,
		      struct peerlab_client_page *pages)
{
	unsigned long i;

	mutex_lock(&mapping->lock);
	for (i = 0; i < mapping->npages; i++) {
		unsigned long hmm_pfn = mapping->map.pfn_list[i];
		bool mapped = hmm_pfn & HMM_PFN_DMA_MAPPED;

		pages[i] = (struct peerlab_client_page){
			.dma = mapped ? mapping->dma[i] : ~0ULL,
			.kind = pfn_kind(hmm_pfn),
			.map = PEERLAB_MAP_SKIPPED,
		};
		if (!(hmm_pfn & HMM_PFN_VALID))
			continue;
		pages[i].order = hmm_pfn_to_map_order(hmm_pfn);
		if (hmm_pfn & HMM_PFN_WRITE)
			pages[i].flags |= PEERLAB_PAGE_WRITE;
#ifdef PEERLAB_DMA_ALIAS
		if (hmm_pfn & HMM_PFN_DEVICE_PRIVATE)
			pages[i].flags |= PEERLAB_PAGE_DEVICE_PRIVATE;
#endif
		if (hmm_pfn & HMM_PFN_P2PDMA_BUS)
			pages[i].map = PEERLAB_MAP_BUS_ADDR;
		else if (hmm_pfn & HMM_PFN_P2PDMA)
			pages[i].map = PEERLAB_MAP_THRU_HOST_BRIDGE;
		else if (mapped)
			pages[i].map = PEERLAB_MAP_NONE;
		else if (!(mapping->flags & PEERLAB_MAP_SNAPSHOT))
			pages[i].map = PEERLAB_MAP_FAILED;
	}
	mutex_unlock(&mapping->lock);
}

/**
 * mapping_valid_pages() - how many pages the notifier has left mapped
 * @mapping: the mapping
 *
 * Return: the number of pages with a DMA address.
 */
unsigned long mapping_valid_pages(struct mapping *mapping)
{
	unsigned long valid = 0, i;

	mutex_lock(&mapping->lock);
	for (i = 0; i < mapping->npages; i++)
		valid += !!(mapping->map.pfn_list[i] & HMM_PFN_DMA_MAPPED);
	mutex_unlock(&mapping->lock);
	return valid;
}
