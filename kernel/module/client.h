/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The client: QEMU's edu function, the smallest thing that does real DMA.
 *
 *	user buffer <- copy -> bounce page <- edu DMA -> page of the mapping
 *
 * The mapping belongs to an open file.  It is what a NIC's memory region with
 * on demand paging is: pages come in by hmm_range_fault() and hmm_dma_map_pfn()
 * and are taken away by an mmu interval notifier, at any time.
 */
#ifndef PEERLAB_CLIENT_H
#define PEERLAB_CLIENT_H

#include <linux/hmm-dma.h>
#include <linux/kref.h>
#include <linux/miscdevice.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rwsem.h>

#include "peerlab_uapi.h"

/* QEMU 7.2 aborts on a transfer of 4096 bytes. */
#define EDU_PIECE_BYTES		2048

/**
 * struct client - one edu function
 * @ref: the driver's reference and one for each open file
 * @pdev: the function; valid while !@gone
 * @regs: its registers
 * @bounce: coherent page that the copies to and from users go through
 * @bounce_dma: its address
 * @engine: held for one transfer through @bounce
 * @alive: held for reading while an ioctl works on the device
 * @gone: remove() has begun
 * @files: mappings to take down in remove()
 * @files_lock: guards @files
 * @misc: the device node
 * @id: its number
 * @name: its name
 */
struct client {
	struct kref ref;
	struct pci_dev *pdev;
	void __iomem *regs;
	void *bounce;
	dma_addr_t bounce_dma;
	struct mutex engine;		/* one transfer at a time */
	struct rw_semaphore alive;
	bool gone;
	struct list_head files;
	struct mutex files_lock;	/* guards @files */
	struct miscdevice misc;
	int id;
	char name[32];
};

/**
 * struct mapping - the range an open file has mapped
 * @client: the device
 * @on_client: in client->files
 * @call: held for a whole ioctl; faults and user copies happen under it
 * @lock: guards what the notifier changes: the pfns in @map, @dma and the
 *	counters.  Taken by the notifier, so nothing that faults, allocates or
 *	takes the mmap lock may happen under it.
 * @notifier: inserted while @npages
 * @map: pfns and IOVA
 * @dma: DMA address of each page, DMA_MAPPING_ERROR while it has none
 * @start: first address
 * @npages: 0 when nothing is mapped
 * @flags: PEERLAB_MAP_* of the last call
 * @invalidations: see struct peerlab_client_state
 * @invalidated: see struct peerlab_client_state
 * @marked: see struct peerlab_client_state
 * @leaked: see struct peerlab_client_state
 * @orphans: see struct peerlab_client_state
 * @stale: see struct peerlab_client_state
 */
struct mapping {
	struct client *client;
	struct list_head on_client;
	struct mutex call;		/* held for a whole ioctl */
	struct mutex lock;		/* taken by the notifier */
	struct mmu_interval_notifier notifier;
	struct hmm_dma_map map;
	dma_addr_t *dma;
	unsigned long start;
	unsigned long npages;
	u32 flags;
	u64 invalidations;
	u64 invalidated;
	u64 marked;
	u64 leaked;
	u64 orphans;
	u64 stale;
};

int mapping_map(struct mapping *mapping, struct peerlab_map *req,
		const struct peerlab_client_page *wanted);
void mapping_unmap(struct mapping *mapping);
int mapping_dma(struct mapping *mapping, struct peerlab_dma *req, u8 *data);
void mapping_count(struct mapping *mapping, struct peerlab_map *req);
void mapping_describe(struct mapping *mapping,
		      struct peerlab_client_page *pages);
unsigned long mapping_valid_pages(struct mapping *mapping);

int edu_copy(struct client *client, dma_addr_t dma, u8 *data, size_t length,
	     bool to_memory);

#endif /* PEERLAB_CLIENT_H */
