// SPDX-License-Identifier: GPL-2.0
/* Faulting, mapping, invalidation and copying of one mapping. */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/hmm.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/pci-p2pdma.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "client.h"
#include "fault.h"
#include "faulting.h"

#define FAULT_TIMEOUT	(20 * HZ)
#define AWAIT_TIMEOUT	(5 * HZ)
/* Of a large mapping these many pages are tried, see fault_here(). */
#define FAULTY_PAGES	24UL
/* A live-lock of invalidations is an error and not a hang. */
#define MAX_ROUNDS	1000

static struct device *mapping_device(struct mapping *mapping)
{
	return &mapping->client->pdev->dev;
}

/* Unmap one page; true if it was mapped. */
static bool take_down(struct mapping *mapping, unsigned long i)
{
	unsigned long before = mapping->map.pfn_list[i];
	bool was = hmm_dma_unmap_pfn(mapping_device(mapping), &mapping->map, i);

	/* The device could still go where the page was. */
	if (before & HMM_PFN_DMA_MAPPED && !was)
		mapping->leaked++;
	/* Or the next call would believe that it is mapped. */
	if (was && mapping->map.pfn_list[i] &
	    (HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA | HMM_PFN_P2PDMA_BUS))
		mapping->marked++;
	mapping->map.pfn_list[i] = 0;
	mapping->dma[i] = DMA_MAPPING_ERROR;
	return was;
}

static bool mapping_invalidate(struct mmu_interval_notifier *notifier,
			       const struct mmu_notifier_range *range,
			       unsigned long seq)
{
	struct mapping *mapping = container_of(notifier, struct mapping,
					       notifier);
	unsigned long end = mapping->start + mapping->npages * PAGE_SIZE;
	unsigned long address, i;
	u64 taken = 0;

	if (mmu_notifier_range_blockable(range))
		mutex_lock(&mapping->lock);
	else if (!mutex_trylock(&mapping->lock))
		return false;

	mmu_interval_set_seq(notifier, seq);
	end = min(end, range->end);
	for (address = max(mapping->start, range->start); address < end;
	     address += PAGE_SIZE) {
		i = (address - mapping->start) >> PAGE_SHIFT;
		taken += take_down(mapping, i);
	}
	mapping->invalidated += taken;
	mapping->invalidations += !!taken;
	mutex_unlock(&mapping->lock);
	return true;
}

static const struct mmu_interval_notifier_ops mapping_notifier_ops = {
	.invalidate = mapping_invalidate,
};

static void unmap_pages(struct mapping *mapping)
{
	unsigned long i;

	lockdep_assert_held(&mapping->lock);
	for (i = 0; i < mapping->npages; i++)
		take_down(mapping, i);
}

/**
 * mapping_unmap() - give everything back
 * @mapping: the mapping; the caller holds mapping->call
 *
 * No DMA and no notifier call is on its way when this returns.
 */
void mapping_unmap(struct mapping *mapping)
{
	if (!mapping->npages)
		return;
	mmu_interval_notifier_remove(&mapping->notifier);
	mutex_lock(&mapping->lock);
	unmap_pages(mapping);
	mutex_unlock(&mapping->lock);
	hmm_dma_map_free(mapping_device(mapping), &mapping->map);
	memset(&mapping->map, 0, sizeof(mapping->map));
	kvfree(mapping->dma);
	mapping->dma = NULL;
	mapping->npages = 0;
}

static int mapping_create(struct mapping *mapping, unsigned long start,
			  unsigned long npages)
{
	struct device *dev = mapping_device(mapping);
	int ret;

	mapping->dma = kvcalloc(npages, sizeof(*mapping->dma), GFP_KERNEL);
	if (!mapping->dma)
		return -ENOMEM;
	/* All bits set, which is DMA_MAPPING_ERROR. */
	memset(mapping->dma, 0xff, npages * sizeof(*mapping->dma));
	ret = hmm_dma_map_alloc(dev, &mapping->map, npages, PAGE_SIZE);
	if (ret)
		goto err_dma;
	mapping->start = start;
	mapping->npages = npages;
	mapping->invalidations = 0;
	mapping->invalidated = 0;
	ret = mmu_interval_notifier_insert(&mapping->notifier, current->mm,
					   start, npages * PAGE_SIZE,
					   &mapping_notifier_ops);
	if (ret)
		goto err_map;
	return 0;

err_map:
	hmm_dma_map_free(dev, &mapping->map);
	memset(&mapping->map, 0, sizeof(mapping->map));
	mapping->npages = 0;
err_dma:
	kvfree(mapping->dma);
	mapping->dma = NULL;
	return ret;
}

/* What is marked as mapped is, and nothing else. */
static void check_marks(struct mapping *mapping)
{
	unsigned long i;

	for (i = 0; i < mapping->npages; i++)
		mapping->stale += !(mapping->map.pfn_list[i] &
				    HMM_PFN_DMA_MAPPED) !=
				  (mapping->dma[i] == DMA_MAPPING_ERROR);
}

static void map_pages(struct mapping *mapping, struct peerlab_map *req)
{
	struct pci_p2pdma_map_state p2pdma_state = {};
	struct device *dev = mapping_device(mapping);
	unsigned long *pfns = mapping->map.pfn_list;
	unsigned long i;

	req->map_none = 0;
	req->map_bus = 0;
	req->map_thru = 0;
	req->map_failed = 0;
	for (i = 0; i < mapping->npages; i++) {
		if (!(pfns[i] & HMM_PFN_VALID))
			continue;
		/* Whoever gives up in the middle leaves what is mapped so far. */
		if (i < FAULTY_PAGES && fault_here()) {
			req->map_failed++;
			break;
		}
		mapping->dma[i] = hmm_dma_map_pfn(dev, &mapping->map, i,
						  &p2pdma_state);
		if (dma_mapping_error(dev, mapping->dma[i]))
			req->map_failed++;
		else if (pfns[i] & HMM_PFN_P2PDMA_BUS)
			req->map_bus++;
		else if (pfns[i] & HMM_PFN_P2PDMA)
			req->map_thru++;
		else
			req->map_none++;
	}
}

/*
 * Whoever asked for it changes the address space now, after the walk and
 * before its result is used.
 */
static void await_invalidation(struct mapping *mapping, unsigned long seq)
{
	unsigned long end = jiffies + AWAIT_TIMEOUT;

	while (!mmu_interval_check_retry(&mapping->notifier, seq) &&
	       time_before(jiffies, end) && !fatal_signal_pending(current))
		usleep_range(500, 1000);
}

/* What is wanted of each page; the rest of an entry is for the core. */
static void request_pages(struct mapping *mapping,
			  const struct peerlab_client_page *wanted)
{
	unsigned long *pfns = mapping->map.pfn_list;
	unsigned long i;

	mutex_lock(&mapping->lock);
	for (i = 0; i < mapping->npages; i++) {
		pfns[i] &= ~(HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE);
		if (wanted[i].flags & PEERLAB_PAGE_REQ_FAULT)
			pfns[i] |= HMM_PFN_REQ_FAULT;
		if (wanted[i].flags & PEERLAB_PAGE_REQ_WRITE)
			pfns[i] |= HMM_PFN_REQ_WRITE;
	}
	mutex_unlock(&mapping->lock);
}

/*
 * The way with the mmap lock held by the caller, who can so say again what it
 * wants of each page after every attempt: the array is input and output.
 */
static int fault_page_by_page(struct mapping *mapping, struct hmm_range *range,
			      const struct peerlab_client_page *wanted,
			      bool await)
{
	struct mm_struct *mm = current->mm;
	unsigned long end = jiffies + FAULT_TIMEOUT;
	int ret;

	do {
		range->notifier_seq = mmu_interval_read_begin(range->notifier);
		request_pages(mapping, wanted);
		/* Where the requests are, and not what an earlier walk found. */
		if (await)
			await_invalidation(mapping, range->notifier_seq);
		await = false;
		mmap_read_lock(mm);
		ret = hmm_range_fault(range);
		mmap_read_unlock(mm);
	} while (ret == -EBUSY && time_before(jiffies, end) &&
		 !fatal_signal_pending(current));
	return ret;
}

/* Fault and map once; -EAGAIN when the address space changed in between. */
static int mapping_populate(struct mapping *mapping, struct peerlab_map *req,
			    const struct peerlab_client_page *wanted)
{
	struct hmm_range range = {
		.notifier = &mapping->notifier,
		.start = mapping->start,
		.end = mapping->start + mapping->npages * PAGE_SIZE,
		.hmm_pfns = mapping->map.pfn_list,
	};
	u64 begin, faulted;
	int ret;

	if (req->flags & PEERLAB_MAP_PER_PAGE)
		range.pfn_flags_mask = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
	else if (!(req->flags & PEERLAB_MAP_SNAPSHOT))
		range.default_flags = HMM_PFN_REQ_FAULT;
	if (req->flags & PEERLAB_MAP_WRITE)
		range.default_flags |= HMM_PFN_REQ_WRITE;
#ifdef PEERLAB_DMA_ALIAS
	if (req->flags & PEERLAB_MAP_DMA_DEV)
		range.dma_dev = mapping_device(mapping);
#endif
	begin = ktime_get_ns();
	if (req->flags & PEERLAB_MAP_PER_PAGE)
		ret = fault_page_by_page(mapping, &range, wanted,
					 req->flags & PEERLAB_MAP_AWAIT_RETRY &&
					 !req->retries);
	else
		ret = fault_range(&range, FAULT_TIMEOUT);
	faulted = ktime_get_ns();
	req->fault_ns += faulted - begin;
	if (ret)
		return ret;
	if (req->flags & PEERLAB_MAP_AWAIT_RETRY && !req->retries &&
	    !(req->flags & PEERLAB_MAP_PER_PAGE))
		await_invalidation(mapping, range.notifier_seq);

	mutex_lock(&mapping->lock);
	if (mmu_interval_read_retry(&mapping->notifier, range.notifier_seq) ||
	    fault_here()) {
		mutex_unlock(&mapping->lock);
		return -EAGAIN;
	}
	check_marks(mapping);
	mapping_count(mapping, req);
	if (!(req->flags & PEERLAB_MAP_SNAPSHOT)) {
		begin = ktime_get_ns();
		map_pages(mapping, req);
		req->map_ns += ktime_get_ns() - begin;
	}
	if (req->flags & PEERLAB_MAP_DISCARD) {
		begin = ktime_get_ns();
		unmap_pages(mapping);
		req->unmap_ns += ktime_get_ns() - begin;
	}
	mutex_unlock(&mapping->lock);
	return 0;
}

/**
 * mapping_map() - make @req->address..+@req->length the mapping of this file
 * @mapping: the mapping; the caller holds mapping->call and checked the range
 * @req: see struct peerlab_map; the counts are filled in
 * @wanted: what is wanted of each page, for PEERLAB_MAP_PER_PAGE
 *
 * Return: 0 when every page that was asked for is valid and mapped, -EIO when
 * one could not be mapped, or what hmm_range_fault() says.
 */
int mapping_map(struct mapping *mapping, struct peerlab_map *req,
		const struct peerlab_client_page *wanted)
{
	unsigned long npages = req->length >> PAGE_SHIFT;
	unsigned int round;
	int ret;

	if (mapping->start != req->address || mapping->npages != npages ||
	    mapping->notifier.mm != current->mm) {
		mapping_unmap(mapping);
		ret = mapping_create(mapping, req->address, npages);
		if (ret)
			return ret;
	}
	mapping->flags = req->flags;
	req->uses_iova = dma_use_iova(&mapping->map.state);
	req->uses_dma_list = !!mapping->map.dma_list;
	req->retries = 0;
	req->fault_ns = 0;
	req->map_ns = 0;
	req->unmap_ns = 0;
	for (round = 0; round < MAX_ROUNDS; round++) {
		ret = mapping_populate(mapping, req, wanted);
		if (ret != -EAGAIN)
			break;
		req->retries++;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	if (ret)
		return ret;
	return req->map_failed ? -EIO : 0;
}

/* One piece within one page; -ESTALE when the page is not mapped (any more). */
static int copy_piece(struct mapping *mapping, unsigned long offset, u8 *data,
		      size_t length, bool to_memory)
{
	unsigned long i = offset >> PAGE_SHIFT;
	unsigned long needed = HMM_PFN_VALID | HMM_PFN_DMA_MAPPED;
	int ret = -ESTALE;

	if (to_memory)
		needed |= HMM_PFN_WRITE;
	/* Held over the DMA: whoever takes the page away waits for it. */
	mutex_lock(&mapping->lock);
	if ((mapping->map.pfn_list[i] & needed) == needed)
		ret = edu_copy(mapping->client,
			       mapping->dma[i] + offset_in_page(offset), data,
			       length, to_memory);
	mutex_unlock(&mapping->lock);
	return ret;
}

/**
 * mapping_dma() - copy between a kernel buffer and the mapping, by DMA
 * @mapping: the mapping; the caller holds mapping->call and checked the range
 * @req: see struct peerlab_dma; ->refaults is filled in
 * @data: req->length bytes
 *
 * Return: 0, -ESTALE when a page was taken away and PEERLAB_DMA_REFAULT is not
 * set, or another -errno.
 */
int mapping_dma(struct mapping *mapping, struct peerlab_dma *req, u8 *data)
{
	bool to_memory = req->flags & PEERLAB_DMA_TO_MEMORY;
	size_t done = 0;

	req->refaults = 0;
	while (done < req->length) {
		unsigned long offset = req->offset + done;
		size_t length = min3((size_t)(req->length - done),
				     (size_t)(PAGE_SIZE - offset_in_page(offset)),
				     (size_t)EDU_PIECE_BYTES);
		int ret = copy_piece(mapping, offset, data + done, length,
				     to_memory);

		if (ret == -ESTALE && (req->flags & PEERLAB_DMA_REFAULT) &&
		    req->refaults < MAX_ROUNDS) {
			struct peerlab_map again = {
				.address = mapping->start,
				.length = mapping->npages * PAGE_SIZE,
				.flags = mapping->flags & (PEERLAB_MAP_WRITE |
							   PEERLAB_MAP_DMA_DEV),
			};

			/* Its process has ended; this one never asked. */
			if (mapping->notifier.mm != current->mm)
				return -EINVAL;
			if (to_memory)
				again.flags |= PEERLAB_MAP_WRITE;
			req->refaults++;
			ret = mapping_map(mapping, &again, NULL);
			if (ret)
				return ret;
			continue;
		}
		if (ret)
			return ret;
		done += length;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}
