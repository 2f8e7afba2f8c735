// SPDX-License-Identifier: GPL-2.0
/* Page allocation, and migration in both directions. */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/io.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "fault.h"
#include "provider.h"

/**
 * provider_bar_index() - which page of the BAR a device private page is
 * @prov: the provider
 * @index: of the device private page
 *
 * Return: the index in the BAR.
 */
unsigned long provider_bar_index(struct provider *prov, unsigned long index)
{
	index += READ_ONCE(prov->behaviour.shift_pages);
	return index < prov->npages ? index : index - prov->npages;
}

static void __iomem *page_bar(struct provider *prov, struct page *page)
{
	return (void __force __iomem *)prov->bar +
	       provider_bar_index(prov, page_index(prov, page)) * PAGE_SIZE;
}

static struct page *alloc_device_page(struct provider *prov, unsigned int order)
{
	unsigned long nr = 1UL << order;
	unsigned long index;
	struct page *page;

	if (fault_here())
		return NULL;
	spin_lock(&prov->lock);
	index = bitmap_find_next_zero_area(prov->used_map, prov->npages, 0, nr,
					   nr - 1);
	if (index >= prov->npages) {
		spin_unlock(&prov->lock);
		return NULL;
	}
	bitmap_set(prov->used_map, index, nr);
	spin_unlock(&prov->lock);

	page = pfn_to_page(prov->private_pfn + index);
	zone_device_folio_init(page_folio(page), &prov->pgmap, order);
	return page;
}

/*
 * The core leaves a freed large folio large.  Take it apart: its pages may be
 * handed out one by one, and migrate_device_range() skips what it believes to
 * be the rest of a large folio.
 */
static void dissolve_folio(struct provider *prov, struct folio *folio)
{
	unsigned long nr = folio_nr_pages(folio);
	unsigned long i;

	if (nr == 1)
		return;
	folio_reset_order(folio);
	__ClearPageHead(&folio->page);
	for (i = 1; i < nr; i++) {
		struct page *tail = &folio->page + i;

		/*
		 * One store: the word that says "tail" becomes the pagemap, and
		 * a walk that still has an old entry finds the one or the other.
		 */
		WRITE_ONCE(((struct folio *)tail)->pgmap, &prov->pgmap);
		tail->mapping = NULL;
	}
}

static void provider_folio_free(struct folio *folio)
{
	struct provider *prov = page_provider(&folio->page);
	unsigned long nr = folio_nr_pages(folio);

	dissolve_folio(prov, folio);
	spin_lock(&prov->lock);
	bitmap_clear(prov->used_map, page_index(prov, &folio->page), nr);
	spin_unlock(&prov->lock);
}

static void copy_to_device(struct provider *prov, struct page *device,
			   struct page *ram, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++) {
		void __iomem *to = page_bar(prov, device + i);

		if (ram) {
			void *from = kmap_local_page(ram + i);

			memcpy_toio(to, from, PAGE_SIZE);
			kunmap_local(from);
		} else {
			memset_io(to, 0, PAGE_SIZE);
		}
	}
}

static void copy_from_device(struct provider *prov, struct page *ram,
			     struct page *device)
{
	void *to = kmap_local_page(ram);

	memcpy_fromio(to, page_bar(prov, device), PAGE_SIZE);
	kunmap_local(to);
}

/* Choose and fill the device pages for what migrate_vma_setup() collected. */
static void fill_device_pages(struct provider *prov, unsigned long *src,
			      unsigned long *dst, unsigned long npages)
{
	unsigned long i, nr;

	for (i = 0; i < npages; i += nr) {
		unsigned int order = 0;
		struct page *device;

		nr = 1;
		if (!(src[i] & MIGRATE_PFN_MIGRATE))
			continue;
		if (src[i] & MIGRATE_PFN_COMPOUND) {
			order = HPAGE_PMD_ORDER;
			nr = HPAGE_PMD_NR;
		}
		device = alloc_device_page(prov, order);
		if (!device)
			continue;
		copy_to_device(prov, device, migrate_pfn_to_page(src[i]), nr);
		dst[i] = migrate_pfn(page_to_pfn(device));
		if (src[i] & MIGRATE_PFN_WRITE)
			dst[i] |= MIGRATE_PFN_WRITE;
		if (order)
			dst[i] |= MIGRATE_PFN_COMPOUND;
	}
}

static unsigned long dst_pages(unsigned long dst)
{
	return dst & MIGRATE_PFN_COMPOUND ? HPAGE_PMD_NR : 1;
}

/* Pages that really moved; optionally where to. */
static unsigned long count_moved(struct provider *prov, unsigned long *src,
				 unsigned long *dst, unsigned long npages,
				 u64 *offsets)
{
	unsigned long moved = 0, i, j, nr;

	for (i = 0; i < npages; i += nr) {
		nr = 1;
		if (!dst[i] || !(src[i] & MIGRATE_PFN_MIGRATE))
			continue;
		nr = dst_pages(dst[i]);
		moved += nr;
		for (j = 0; offsets && j < nr; j++)
			offsets[i + j] = (u64)provider_bar_index(prov,
				page_index(prov, migrate_pfn_to_page(dst[i])) +
				j) << PAGE_SHIFT;
	}
	return moved;
}

static struct page *alloc_ram_page(struct provider *prov,
				   struct vm_area_struct *vma,
				   unsigned long address, unsigned int order)
{
	u32 behaviour = READ_ONCE(prov->behaviour.flags);
	struct folio *folio;

	if (behaviour & PEERLAB_BEHAVE_NO_RAM ||
	    (order && behaviour & PEERLAB_BEHAVE_NO_HUGE_RAM) ||
	    fault_here())
		return NULL;
	if (vma)
		folio = vma_alloc_folio(GFP_HIGHUSER_MOVABLE, order, vma,
					address);
	else
		folio = folio_alloc(GFP_HIGHUSER_MOVABLE, order);
	return folio ? folio_page(folio, 0) : NULL;
}

/*
 * Choose and fill the system pages for what has been collected.  @vma is NULL
 * for an eviction, which does not know where the pages are mapped.  A huge page
 * for which there is none in system memory comes back in small ones.  Returns
 * false if there was no memory for some.
 */
static bool fill_ram_pages(struct provider *prov, struct vm_area_struct *vma,
			   unsigned long start, unsigned long *src,
			   unsigned long *dst, unsigned long npages)
{
	unsigned long i, j, nr;
	bool complete = true;

	for (i = 0; i < npages; i += nr) {
		struct page *device = migrate_pfn_to_page(src[i]);
		unsigned long address = start + i * PAGE_SIZE;
		unsigned long write;
		struct page *ram;

		nr = 1;
		if (!device || !(src[i] & MIGRATE_PFN_MIGRATE))
			continue;
		write = src[i] & MIGRATE_PFN_WRITE;
		if (src[i] & MIGRATE_PFN_COMPOUND) {
			nr = HPAGE_PMD_NR;
			ram = alloc_ram_page(prov, vma, address,
					     HPAGE_PMD_ORDER);
			if (ram) {
				for (j = 0; j < nr; j++)
					copy_from_device(prov, ram + j,
							 device + j);
				lock_page(ram);
				dst[i] = migrate_pfn(page_to_pfn(ram)) | write |
					 MIGRATE_PFN_COMPOUND;
				continue;
			}
		}
		for (j = 0; j < nr; j++) {
			ram = alloc_ram_page(prov, vma,
					     address + j * PAGE_SIZE, 0);
			if (!ram) {
				complete = false;
				break;
			}
			copy_from_device(prov, ram, device + j);
			lock_page(ram);
			dst[i + j] = migrate_pfn(page_to_pfn(ram)) | write;
		}
	}
	return complete;
}

/**
 * struct move - what a migration is to do
 * @in: to the device, else back
 * @flags: PEERLAB_MIGRATE_*
 * @fault_page: NULL, or the page whose fault this is
 * @busy: somebody else gets a reference to that page when it is unmapped
 * @offsets: NULL, or where the pages went, see struct peerlab_migrate
 * @no_memory: out: there was no system memory for some page
 */
struct move {
	bool in;
	u32 flags;
	struct page *fault_page;
	bool busy;
	u64 *offsets;
	bool no_memory;
};

/* Move a range within one PMD; adds the pages that moved to @migrated. */
static int migrate_range(struct provider *prov, struct vm_area_struct *vma,
			 unsigned long start, unsigned long end,
			 struct move *move, u64 *migrated)
{
	unsigned long npages = (end - start) >> PAGE_SHIFT;
	unsigned long *src = kvcalloc(npages, sizeof(*src), GFP_KERNEL);
	unsigned long *dst = kvcalloc(npages, sizeof(*dst), GFP_KERNEL);
	struct migrate_vma args = {
		.vma = vma,
		.start = start,
		.end = end,
		.src = src,
		.dst = dst,
		.pgmap_owner = prov,
		.fault_page = move->fault_page,
		.flags = move->in ? MIGRATE_VMA_SELECT_SYSTEM :
				    MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
	};
	struct folio *busy = NULL;
	unsigned long moved;
	int ret = -ENOMEM;

	if (move->flags & PEERLAB_MIGRATE_THP)
		args.flags |= MIGRATE_VMA_SELECT_COMPOUND;
	if (!src || !dst)
		goto out;
	ret = migrate_vma_setup(&args);
	if (ret)
		goto out;
	if (move->flags & PEERLAB_MIGRATE_HOLD)
		msleep(PEERLAB_HOLD_MS);
	if (move->in)
		fill_device_pages(prov, src, dst, npages);
	else
		move->no_memory = !fill_ram_pages(prov, vma, start, src, dst,
						  npages);
	/* After the core has counted, before it splits and moves. */
	if (move->busy) {
		busy = page_folio(move->fault_page);
		folio_get(busy);
	}
	migrate_vma_pages(&args);
	moved = count_moved(prov, src, dst, npages, move->offsets);
	migrate_vma_finalize(&args);
	if (busy)
		folio_put(busy);
	*migrated += moved;
	atomic64_add(moved, move->in ? &prov->pages_in : &prov->pages_out);
out:
	kvfree(src);
	kvfree(dst);
	return ret;
}

/**
 * provider_migrate() - move a range of the current process
 * @prov: the provider; the caller holds prov->alive
 * @in: to the device, else back
 * @req: what to move; ->migrated and ->ns are filled in
 * @offsets: NULL or one entry for each page of the range, see struct
 *	peerlab_migrate
 *
 * Return: 0 or -errno.  Pages that cannot move stay where they are and are no
 * error, a hole in the address space is -EFAULT.
 */
int provider_migrate(struct provider *prov, bool in, struct peerlab_migrate *req,
		     u64 *offsets)
{
	unsigned long end = req->address + req->length;
	struct move move = { .in = in, .flags = req->flags };
	unsigned long address, next;
	u64 begin = ktime_get_ns();
	int ret = 0;

	req->migrated = 0;
	mmap_read_lock(current->mm);
	for (address = req->address; address < end && !ret; address = next) {
		struct vm_area_struct *vma = vma_lookup(current->mm, address);
		unsigned long i = (address - req->address) >> PAGE_SHIFT;

		if (!vma) {
			ret = -EFAULT;
			break;
		}
		next = min3(end, vma->vm_end,
			    ALIGN_DOWN(address, PMD_SIZE) + PMD_SIZE);
		if (offsets)
			move.offsets = offsets + i;
		ret = migrate_range(prov, vma, address, next, &move,
				    &req->migrated);
		cond_resched();
	}
	mmap_read_unlock(current->mm);
	req->ns = ktime_get_ns() - begin;
	return ret;
}

static vm_fault_t provider_migrate_to_ram(struct vm_fault *vmf)
{
	struct provider *prov = page_provider(vmf->page);
	/* A folio that is mapped by PTEs may be larger than what faulted. */
	unsigned int order = vmf->pte ? 0 : HPAGE_PMD_ORDER;
	unsigned long start = ALIGN_DOWN(vmf->address, PAGE_SIZE << order);
	struct move move = {
		.flags = order ? PEERLAB_MIGRATE_THP : 0,
		.fault_page = vmf->page,
	};
	u64 migrated = 0;

	atomic64_inc(&prov->cpu_faults);
	move.busy = READ_ONCE(prov->behaviour.flags) & PEERLAB_BEHAVE_BUSY &&
		    atomic_dec_if_positive(&prov->busy_left) >= 0;
	if (migrate_range(prov, vmf->vma, start, start + (PAGE_SIZE << order),
			  &move, &migrated))
		return VM_FAULT_SIGBUS;
	/*
	 * What could not be taken away now, somebody else has or the core has
	 * just split: whoever faulted tries again.
	 */
	return move.no_memory && !migrated ? VM_FAULT_OOM : 0;
}

const struct dev_pagemap_ops provider_pgmap_ops = {
	.folio_free = provider_folio_free,
	.migrate_to_ram = provider_migrate_to_ram,
#ifdef PEERLAB_DMA_ALIAS
	.peer_page = provider_peer_page,
#endif
};

/* A provider that has never heard of aliases. */
const struct dev_pagemap_ops provider_pgmap_ops_no_alias = {
	.folio_free = provider_folio_free,
	.migrate_to_ram = provider_migrate_to_ram,
};

#define EVICT_ROUNDS	100
#define EVICT_PAGES	4096UL

/**
 * provider_evict() - move every page that is still in use to system memory
 * @prov: the provider; nothing may be migrating in any more
 *
 * Takes the pages out of all page tables, which makes every client unmap their
 * aliases before this returns.  A page that somebody has locked is tried again.
 *
 * Return: 0, -ENOMEM, or -EBUSY when pages are left after many rounds.
 */
int provider_evict(struct provider *prov)
{
	unsigned long *src = kvcalloc(EVICT_PAGES, sizeof(*src), GFP_KERNEL);
	unsigned long *dst = kvcalloc(EVICT_PAGES, sizeof(*dst), GFP_KERNEL);
	unsigned int round;
	int ret = -ENOMEM;

	if (!src || !dst)
		goto out;
	for (round = 0; round < EVICT_ROUNDS; round++) {
		unsigned long first, nr;

		ret = 0;
		if (bitmap_empty(prov->used_map, prov->npages))
			break;
		ret = -EBUSY;
		for (first = 0; first < prov->npages; first += nr) {
			nr = min(EVICT_PAGES, prov->npages - first);
			if (find_next_bit(prov->used_map, first + nr, first) >=
			    first + nr)
				continue;
			memset(dst, 0, nr * sizeof(*dst));
			migrate_device_range(src, prov->private_pfn + first, nr);
			fill_ram_pages(prov, NULL, 0, src, dst, nr);
			migrate_device_pages(src, dst, nr);
			atomic64_add(count_moved(prov, src, dst, nr, NULL),
				     &prov->pages_out);
			migrate_device_finalize(src, dst, nr);
			cond_resched();
		}
		if (round)
			msleep(20);
	}
out:
	kvfree(src);
	kvfree(dst);
	return ret;
}
