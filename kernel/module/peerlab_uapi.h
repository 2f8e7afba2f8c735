/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What the provider and the client modules offer to the test programs.
 *
 * Both devices serve tests only: there is no stable ABI, and an ioctl may do
 * whatever a test needs.  All addresses and lengths are multiples of the page
 * size unless said otherwise.
 */
#ifndef PEERLAB_UAPI_H
#define PEERLAB_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define PEERLAB_PROVIDER_DEVICE	"/dev/peerlab_provider0"
#define PEERLAB_PROVIDER_DEVICE2	"/dev/peerlab_provider1"
#define PEERLAB_CLIENT_DEVICE	"/dev/peerlab_client0"

/* The running kernel has hmm_range.dma_dev and dev_pagemap_ops.peer_page. */
#define PEERLAB_FEATURE_DMA_ALIAS	0x0001
/* What the running kernel can catch, for tests that count on it. */
#define PEERLAB_FEATURE_ATOMIC_SLEEP	0x0002	/* DEBUG_ATOMIC_SLEEP */

/* ------------------------------------------------------------------ provider */

/**
 * struct peerlab_provider_info - what the provider is
 * @features: PEERLAB_FEATURE_*
 * @pages: number of device pages
 * @bar_phys: CPU physical address of the BAR
 * @bar_bus: bus address of the BAR, what a peer puts on the wire
 * @private_phys: start of the made up range of the device private pages
 * @pci_address: PCI domain << 16 | bus << 8 | device and function
 */
struct peerlab_provider_info {
	__u32 features;
	__u32 pci_address;
	__u64 pages;
	__u64 bar_phys;
	__u64 bar_bus;
	__u64 private_phys;
};

/**
 * struct peerlab_migrate - move pages of the calling process
 * @address: start
 * @length: bytes
 * @flags: PEERLAB_MIGRATE_*
 * @migrated: out: how many pages moved
 * @ns: out: how long it took
 * @offsets: 0, or a user array with one __u64 per page which receives the
 *	offset in the BAR the page moved to (in only), ~0 where none moved
 */
struct peerlab_migrate {
	__u64 address;
	__u64 length;
	__u32 flags;
	__u32 reserved;
	__u64 migrated;
	__u64 ns;
	__u64 offsets;
};

#define PEERLAB_MIGRATE_THP	0x0001	/* move huge pages as such */
/* Sleep PEERLAB_HOLD_MS between taking the pages away and putting them back. */
#define PEERLAB_MIGRATE_HOLD	0x0002
#define PEERLAB_HOLD_MS		400

/**
 * struct peerlab_provider_counters - since the module was loaded
 * @pages_in: pages migrated to the device
 * @pages_out: pages migrated back, for whatever reason
 * @cpu_faults: calls of migrate_to_ram()
 * @alias_calls: calls of peer_page() that were granted
 * @alias_refused: calls of peer_page() that were refused
 * @alias_unlocked: calls of peer_page() by the caller of PEERLAB_PROVIDER_BEHAVE
 *	while the page table entry of struct peerlab_behaviour.watch was not locked
 * @alias_watched: such calls while it was
 * @alias_unheld: calls of peer_page() for a page without references, while
 *	PEERLAB_BEHAVE_LOOK_AT_HOLD
 * @used: device pages in use now
 */
struct peerlab_provider_counters {
	__u64 pages_in;
	__u64 pages_out;
	__u64 cpu_faults;
	__u64 alias_calls;
	__u64 alias_refused;
	__u64 alias_unlocked;
	__u64 alias_watched;
	__u64 alias_unheld;
	__u64 used;
};

/**
 * struct peerlab_behaviour - what the provider does from now on
 * @refuse_errno: 0 to grant aliases, else the positive errno to refuse with
 * @run_pages: 0, or the most pages one answer may cover (a power of two): the
 *	aliases of longer runs are then claimed not to be contiguous
 * @flags: PEERLAB_BEHAVE_*
 * @shift_pages: device private page n is BAR page n + this, from the end on to
 *	the beginning; can only change while no page is in use
 * @refuse_first: first device page (offset in the BAR in pages) to refuse
 * @refuse_count: how many; 0: @refuse_errno is for all pages
 * @watch: 0, or an address in the one page table that peer_page() is going to be
 *	called for: is it locked then?
 */
struct peerlab_behaviour {
	__u32 refuse_errno;
	__u32 run_pages;
	__u32 flags;
	__u32 shift_pages;
	__u64 refuse_first;
	__u64 refuse_count;
	__u64 watch;
};

#define PEERLAB_BEHAVE_NO_OP		0x0001	/* no peer_page() at all */
#define PEERLAB_BEHAVE_MIGHT_SLEEP	0x0002	/* peer_page() is wrong */
#define PEERLAB_BEHAVE_NO_HUGE_RAM	0x0004	/* back only in small pages */
#define PEERLAB_BEHAVE_NO_RAM		0x0008	/* no way back */
#define PEERLAB_BEHAVE_BUSY		0x0010	/* somebody else holds what faults */
#define PEERLAB_BEHAVE_LOOK_AT_HOLD	0x0020	/* count pages that nobody holds */
/* Answers of peer_page() that break its contract, one at a time. */
#define PEERLAB_BEHAVE_LIE_NO_PAGES	0x0100	/* for no page at all */
#define PEERLAB_BEHAVE_LIE_MORE_PAGES	0x0200	/* for more than was asked */
#define PEERLAB_BEHAVE_LIE_NO_MEMORY	0x0300	/* a pfn without a struct page */
#define PEERLAB_BEHAVE_LIE_PRIVATE	0x0400	/* the device private page itself */
#define PEERLAB_BEHAVE_LIE		0x0f00

/**
 * struct peerlab_inspection - the struct pages of the provider, all of them
 * @alias_referenced: P2PDMA pages with references; nobody may take any
 * @alias_granted: P2PDMA pages that gave a reference to one who tried
 * @alias_dirty: P2PDMA pages that somebody has marked dirty
 * @alias_mapped: P2PDMA pages that page tables refer to
 * @private_referenced: device private pages with references
 */
struct peerlab_inspection {
	__u64 alias_referenced;
	__u64 alias_granted;
	__u64 alias_dirty;
	__u64 alias_mapped;
	__u64 private_referenced;
};

/**
 * struct peerlab_own_page - how the owner sees one of its pages
 * @offset: offset in the BAR, ~0 if the page is not on this device
 * @flags: PEERLAB_PAGE_*
 * @order: order of the CPU mapping
 */
struct peerlab_own_page {
	__u64 offset;
	__u32 flags;
	__u32 order;
};

/**
 * struct peerlab_snapshot - hmm_range_fault() by the owner, without faults
 * @address: start
 * @length: bytes
 * @pages: user array of struct peerlab_own_page, one for each page
 * @flags: PEERLAB_SNAPSHOT_*
 * @reserved: must be 0
 * @ns: out: time spent in hmm_range_fault()
 */
struct peerlab_snapshot {
	__u64 address;
	__u64 length;
	__u64 pages;
	__u32 flags;
	__u32 reserved;
	__u64 ns;
};

#define PEERLAB_SNAPSHOT_DMA_DEV	0x0001	/* set hmm_range.dma_dev too */
#define PEERLAB_SNAPSHOT_WRITE		0x0002	/* ask to write, which may fault */

#define PEERLAB_PROVIDER_INFO		_IOR('V', 1, struct peerlab_provider_info)
#define PEERLAB_PROVIDER_MIGRATE_IN	_IOWR('V', 2, struct peerlab_migrate)
#define PEERLAB_PROVIDER_MIGRATE_OUT	_IOWR('V', 3, struct peerlab_migrate)
#define PEERLAB_PROVIDER_COUNTERS	_IOR('V', 4, struct peerlab_provider_counters)
#define PEERLAB_PROVIDER_BEHAVE		_IOW('V', 5, struct peerlab_behaviour)
#define PEERLAB_PROVIDER_SNAPSHOT	_IOWR('V', 6, struct peerlab_snapshot)
#define PEERLAB_PROVIDER_INSPECT	_IOR('V', 7, struct peerlab_inspection)
/* Make the page at this address of the caller exclusive to the device. */
#define PEERLAB_PROVIDER_EXCLUSIVE	_IOW('V', 8, __u64)
/* Hand the own page at this address to hmm_dma_map_pfn(): must be -EIO. */
#define PEERLAB_PROVIDER_MAP_OWN	_IOW('V', 9, __u64)

/*
 * Claim that the bus sees the BAR so many bytes from where it does, as behind a
 * bridge that translates; 0 is the truth.  Addresses of mappings that are made
 * afterwards are wrong on purpose: no DMA.
 */
#define PEERLAB_PROVIDER_BUS_OFFSET	_IOW('V', 32, __u64)

/* -------------------------------------------------------------------- client */

/**
 * struct peerlab_client_info - what the client is
 * @features: PEERLAB_FEATURE_*
 * @piece_bytes: longest single DMA transfer
 */
struct peerlab_client_info {
	__u32 features;
	__u32 piece_bytes;
};

/* What a page turned out to be. */
enum peerlab_page_kind {
	PEERLAB_KIND_NONE,	/* not valid: a hole, or not faulted */
	PEERLAB_KIND_RAM,
	PEERLAB_KIND_ALIAS,
	PEERLAB_KIND_PRIVATE,
	PEERLAB_KIND_ERROR,	/* HMM_PFN_ERROR */
};

/* How it was mapped for DMA. */
enum peerlab_page_map {
	PEERLAB_MAP_NONE,	/* ordinary mapping */
	PEERLAB_MAP_BUS_ADDR,
	PEERLAB_MAP_THRU_HOST_BRIDGE,
	PEERLAB_MAP_FAILED,
	PEERLAB_MAP_SKIPPED,	/* not valid, or not asked for */
};

#define PEERLAB_PAGE_WRITE		0x0001
#define PEERLAB_PAGE_DEVICE_PRIVATE	0x0002	/* the HMM flag was set */
#define PEERLAB_PAGE_DMA_ALIAS		0x0004	/* the HMM flag was set */

/**
 * struct peerlab_client_page - one page of a mapping
 * @dma: DMA address, ~0 if it has none
 * @kind: enum peerlab_page_kind
 * @flags: PEERLAB_PAGE_*
 * @order: order of the CPU mapping
 * @map: enum peerlab_page_map
 */
struct peerlab_client_page {
	__u64 dma;
	__u32 kind;
	__u32 flags;
	__u32 order;
	__u32 map;
};

/**
 * struct peerlab_map - map a range of the calling process for DMA
 * @address: start
 * @length: bytes
 * @flags: PEERLAB_MAP_*
 * @reserved: must be 0
 * @pages: 0, or a user array of struct peerlab_client_page
 * @ram: out: how many pages are of which kind
 * @alias: see @ram
 * @private_pages: see @ram
 * @none: see @ram
 * @read_only: out: how many valid pages may not be written
 * @map_none: out: how many pages were mapped in which way
 * @map_bus: see @map_none
 * @map_thru: see @map_none
 * @map_failed: see @map_none
 * @sticky: out: how many pages were still mapped from the call before
 * @retries: out: how often an invalidation forced another round
 * @fault_ns: out: time spent in hmm_range_fault(), all rounds together
 * @map_ns: out: time spent in hmm_dma_map_pfn()
 * @unmap_ns: out: time spent in hmm_dma_unmap_pfn() by a PEERLAB_MAP_DISCARD
 * @uses_iova: out: addresses are from one IOVA range
 * @uses_dma_list: out: the kernel keeps a list of the addresses
 *
 * An open file holds one mapping, which stays until it is unmapped or closed
 * and is taken apart page by page as the address space changes.  A second call
 * with the same @address and @length faults and maps again what is missing,
 * one with others replaces the mapping.
 */
struct peerlab_map {
	__u64 address;
	__u64 length;
	__u32 flags;
	__u32 reserved;
	__u64 pages;
	__u64 ram;
	__u64 alias;
	__u64 private_pages;
	__u64 none;
	__u64 read_only;
	__u64 map_none;
	__u64 map_bus;
	__u64 map_thru;
	__u64 map_failed;
	__u64 sticky;
	__u64 retries;
	__u64 fault_ns;
	__u64 map_ns;
	__u64 unmap_ns;
	__u32 uses_iova;
	__u32 uses_dma_list;
};

#define PEERLAB_MAP_WRITE	0x0001	/* ask for write access */
#define PEERLAB_MAP_DMA_DEV	0x0002	/* set hmm_range.dma_dev */
#define PEERLAB_MAP_SNAPSHOT	0x0004	/* look, do not fault or map */
#define PEERLAB_MAP_DISCARD	0x0008	/* unmap at once, for timing */
/*
 * After the first walk wait (5 s at most) until it has been invalidated; with
 * PEERLAB_MAP_PER_PAGE before it, when the requests are in the entries.
 */
#define PEERLAB_MAP_AWAIT_RETRY	0x0010
/* Request per page: what @pages says on entry, in flags PEERLAB_PAGE_REQ_*. */
#define PEERLAB_MAP_PER_PAGE	0x0020

#define PEERLAB_PAGE_REQ_FAULT		0x0100
#define PEERLAB_PAGE_REQ_WRITE		0x0200

/**
 * struct peerlab_dma - let the device copy
 * @offset: bytes from the start of the mapping
 * @length: bytes
 * @buffer: user buffer; not by DMA
 * @flags: PEERLAB_DMA_*
 * @refaults: out: how often pages had to be mapped again
 */
struct peerlab_dma {
	__u64 offset;
	__u64 length;
	__u64 buffer;
	__u32 flags;
	__u32 refaults;
};

#define PEERLAB_DMA_TO_MEMORY	0x0001	/* buffer to mapping, else back */
#define PEERLAB_DMA_REFAULT	0x0002	/* map again instead of -ESTALE */

/**
 * struct peerlab_client_state - the mapping now
 * @pages: length of the mapping
 * @valid: how many pages of it are mapped
 * @invalidations: notifier calls that took pages away
 * @invalidated: pages that were taken away
 * @marked: entries that were still marked as mapped after they were unmapped,
 *	since the file was opened
 * @leaked: entries that were marked as mapped and not unmapped when they were
 *	given back, since the file was opened: the device can still go there
 * @orphans: entries that a walk left marked as mapped and not valid, though no
 *	invalidation had come, since the file was opened: drivers unmap what is
 *	valid
 * @stale: entries that a walk left with a mark that is not true, since the file
 *	was opened: of a mapping that is gone, or none of one that is there
 */
struct peerlab_client_state {
	__u64 pages;
	__u64 valid;
	__u64 invalidations;
	__u64 invalidated;
	__u64 marked;
	__u64 leaked;
	__u64 orphans;
	__u64 stale;
};

/**
 * struct peerlab_describe - the pages of the mapping now, without a fault
 * @pages: user array of struct peerlab_client_page
 * @count: its length, at least that of the mapping; out: that of the mapping
 */
struct peerlab_describe {
	__u64 pages;
	__u64 count;
};

/**
 * struct peerlab_distance - how far another PCI function is
 * @pci_address: see struct peerlab_provider_info
 * @distance: out: pci_p2pdma_distance(), negative if it cannot be reached
 */
struct peerlab_distance {
	__u32 pci_address;
	__s32 distance;
};

#define PEERLAB_CLIENT_INFO	_IOR('E', 1, struct peerlab_client_info)
#define PEERLAB_CLIENT_MAP	_IOWR('E', 2, struct peerlab_map)
#define PEERLAB_CLIENT_UNMAP	_IO('E', 3)
#define PEERLAB_CLIENT_DMA	_IOWR('E', 4, struct peerlab_dma)
#define PEERLAB_CLIENT_STATE	_IOR('E', 5, struct peerlab_client_state)
#define PEERLAB_CLIENT_DESCRIBE	_IOWR('E', 6, struct peerlab_describe)
#define PEERLAB_CLIENT_DISTANCE	_IOWR('E', 7, struct peerlab_distance)
/* Bits of the DMA mask from now on; takes down the mapping of this file. */
#define PEERLAB_CLIENT_MASK	_IOW('E', 8, __u32)

#endif /* PEERLAB_UAPI_H */
