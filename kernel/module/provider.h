/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The provider: an ivshmem-plain function whose BAR 2 plays the memory of a
 * device.  The memory has two sets of struct pages of the same length,
 *
 *	device private page n  <->  byte n * PAGE_SIZE of the BAR  <->  P2PDMA page n
 *
 * so that finding the alias of a page is an addition.  A test may shift the
 * one against the other, see struct peerlab_behaviour.
 */
#ifndef PEERLAB_PROVIDER_H
#define PEERLAB_PROVIDER_H

#include <linux/kref.h>
#include <linux/memremap.h>
#include <linux/miscdevice.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>

#include "peerlab_uapi.h"

/* The BAR of ivshmem-plain that is memory. */
#define PROVIDER_BAR		2

/* So many faults find their page busy after PEERLAB_BEHAVE_BUSY was set. */
#define BUSY_FAULTS	3

/**
 * struct provider - one function and its memory
 * @ref: the driver's reference and one for each open file
 * @pdev: the function; valid while !@gone
 * @pgmap: the device private pages
 * @private_pfn: the first of them
 * @bar_pfn: the first P2PDMA page
 * @npages: how many of each
 * @bar: kernel mapping of the BAR, from the p2p pool that was reserved whole
 * @lock: guards @used_map
 * @used_map: one bit for each page in use
 * @alive: held for reading while an ioctl works on the device
 * @gone: remove() has begun, or the function is suspended or being reset; no
 *	page may come in
 * @behaviour: see struct peerlab_behaviour; its fields are read at any time
 * @misc: the device node
 * @id: its number
 * @name: its name
 * @pages_in: see struct peerlab_provider_counters, as for those below
 * @busy_left: faults that still find their page busy (PEERLAB_BEHAVE_BUSY)
 */
struct provider {
	struct kref ref;
	struct pci_dev *pdev;
	struct dev_pagemap pgmap;
	unsigned long private_pfn;
	unsigned long bar_pfn;
	unsigned long npages;
	void *bar;
	spinlock_t lock;		/* guards @used_map */
	unsigned long *used_map;
	struct rw_semaphore alive;
	bool gone;
	struct peerlab_behaviour behaviour;
	struct miscdevice misc;
	int id;
	char name[32];
	atomic64_t pages_in;
	atomic64_t pages_out;
	atomic64_t cpu_faults;
	atomic_t busy_left;
	atomic64_t alias_calls;
	atomic64_t alias_refused;
	atomic64_t alias_unlocked;
	atomic64_t alias_watched;
	atomic64_t alias_unheld;
};

extern const struct file_operations provider_fops;
extern const struct dev_pagemap_ops provider_pgmap_ops;
extern const struct dev_pagemap_ops provider_pgmap_ops_no_alias;

static inline struct provider *page_provider(struct page *page)
{
	return container_of(page_pgmap(page), struct provider, pgmap);
}

static inline unsigned long page_index(struct provider *prov, struct page *page)
{
	return page_to_pfn(page) - prov->private_pfn;
}

void provider_put(struct provider *prov);
int provider_migrate(struct provider *prov, bool in, struct peerlab_migrate *req,
		     u64 *offsets);
int provider_evict(struct provider *prov);
int provider_peer_page(struct page *page, unsigned long *pfn,
		       unsigned int *nr);
unsigned long provider_bar_index(struct provider *prov, unsigned long index);
void provider_inspect(struct provider *prov,
		      struct peerlab_inspection *inspection);
int provider_make_exclusive(struct provider *prov, unsigned long address);
int provider_map_own(struct provider *prov, unsigned long hmm_pfn);

#endif /* PEERLAB_PROVIDER_H */
