/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rig: the provider, the client, memory with a known pattern, and the
 * host's own view of the provider's memory.
 *
 * Every function ends the test with a message when the rig does not work; what
 * a test is about is returned.
 */
#ifndef RIG_H
#define RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "files.h"
#include "ktap.h"
#include "pages.h"
#include "pattern.h"
#include "peerlab_uapi.h"

#define PIECE		2048ul	/* one DMA transfer, 0.1 s each way */

extern struct peerlab_provider_info provider_info;	/* of the one in use */
extern struct peerlab_client_info client_info;

/**
 * rig_setup() - open the devices and check what a test needs
 * @test: the test that is going to run
 *
 * Return: why to skip it, or NULL.
 */
const char *rig_setup(const struct test *test);

/* Open a node again, which may take a moment to come back. */
void rig_reopen_provider(void);
void rig_reopen_client(void);
/* Close the nodes, for a device that is going to be taken away. */
void rig_close_provider(void);
void rig_close_client(void);

/* Everything below is about this provider from now on (0, or 1 if there is). */
void provider_use(unsigned int number);
bool have_second_provider(void);

/* Does this kernel give aliases at all, and can the client reach them? */
bool have_alias(void);
bool path_reachable(void);

/* ---- memory */

/* Anonymous memory, aligned to 2 MiB; huge pages if asked for. */
uint8_t *memory_alloc(size_t length, bool huge);
/* The entry of /proc/self/pagemap for this page. */
uint64_t pagemap_entry(const void *address);
/* The same with the pattern of @seed, on the device. */
uint8_t *device_memory(size_t length, uint64_t seed, uint64_t *offsets);
/* One huge page of it; SKIP when the kernel has none to give. */
uint8_t *huge_device_memory(uint64_t seed, uint64_t *offsets);

/* ---- provider */

/*
 * Migrate to the device; returns the number of pages.  @offsets may be NULL or
 * receives each page's offset in the BAR (~0: not moved).
 */
uint64_t migrate_in(void *address, size_t length, bool huge, uint64_t *offsets);
/* As above, and REQUIRE that all of it moved. */
void migrate_in_all(void *address, size_t length, bool huge, uint64_t *offsets);
uint64_t migrate_out(void *address, size_t length, bool huge);
/* Time of the last migration. */
uint64_t last_migration_ns(void);
/* What all providers have done so far; they may all be in one range. */
void provider_totals(uint64_t *alias_calls, uint64_t *pages_out);
struct peerlab_provider_counters provider_counters(void);
void provider_behave(unsigned int refuse_errno, unsigned int run_pages);
/* Refuse the aliases of @count device pages from @bar_offset on. */
void provider_refuse_window(uint64_t bar_offset, uint64_t count);
void provider_behave_flags(unsigned int flags);
/* Count in which calls of the provider the entry of @address was locked. */
void provider_watch(void *address);
/* See struct peerlab_behaviour; -EBUSY while there are pages in use. */
int provider_shift(unsigned int pages);
/* See PEERLAB_PROVIDER_BUS_OFFSET; 0 or -errno. */
int provider_bus_offset(uint64_t offset);
void provider_snapshot(void *address, size_t length,
		       struct peerlab_own_page *pages);
/* With PEERLAB_SNAPSHOT_*; returns the time it took in ns. */
uint64_t provider_snapshot_flags(void *address, size_t length,
				 unsigned int flags,
				 struct peerlab_own_page *pages);
struct peerlab_inspection provider_inspect(void);
/* Migrate, holding the pages taken away for PEERLAB_HOLD_MS; how many moved. */
uint64_t migrate_in_slowly(void *address, size_t length, bool huge);
uint64_t migrate_out_slowly(void *address, size_t length, bool huge);
int provider_make_exclusive(void *address);
/* Map the device page at @address as if its pfn were an address; 0 or -errno. */
int provider_map_own(void *address);

/* ---- client */

/* Another open file, which can hold another mapping. */
int client_open(void);
extern int client_fd;

/*
 * Map for DMA with PEERLAB_MAP_*; returns 0 or -errno.  @map and @pages may be
 * NULL.  On kernels without the feature PEERLAB_MAP_DMA_DEV is left out.
 */
int client_map(int fd, void *address, size_t length, unsigned int flags,
	       struct peerlab_map *map, struct peerlab_client_page *pages);
int client_unmap(int fd);
/* DMA between @buffer and the mapping; returns 0 or -errno. */
/*
 * client_map() twice, so that nothing was taken away in between; @map is what
 * the second call said.
 */
void client_map_twice(void *address, size_t length, unsigned int flags,
		      struct peerlab_client_page *first,
		      struct peerlab_client_page *second, struct peerlab_map *map);
int client_dma(int fd, size_t offset, size_t length, void *buffer,
	       unsigned int flags);
struct peerlab_client_state client_state(int fd);
/* The pages of the mapping now; returns how many. */
size_t client_describe(int fd, struct peerlab_client_page *pages, size_t count);
int client_set_mask(int fd, unsigned int bits);

/*
 * Transfers that must succeed.  What was taken away since it was mapped is
 * faulted in again: whether that may happen is for client_dma() to ask.
 */
void dma_read(int fd, size_t offset, size_t length, void *buffer);
void dma_write(int fd, size_t offset, size_t length, void *data);
/* dma_read() to a buffer that is then compared with the pattern. */
void expect_dma_reads(int fd, size_t offset, size_t length,
		      size_t pattern_offset, uint64_t seed);
/* EXPECT that the alias of a page at @bar_offset has the DMA address @page. */
void expect_alias_address(const struct peerlab_map *map,
			  const struct peerlab_client_page *page,
			  uint64_t bar_offset);

/* ---- sysfs */

#define PROVIDER_DRIVER	"/sys/bus/pci/drivers/peerlab_provider/"
#define CLIENT_DRIVER	"/sys/bus/pci/drivers/peerlab_client/"

/* PCI address of a node's device, as sysfs writes it. */
void pci_address_of(const char *node, char *address, size_t size);
void write_file(const char *path, const char *text);
void debugfs_mount(void);

/* ---- oracle */

/*
 * EXPECT the pattern in the host's view of the BAR.  Does nothing when there is
 * nobody to ask.
 */
void oracle_expect(uint64_t bar_offset, size_t pattern_offset, size_t length,
		   uint64_t seed);

/* The answer to a line that began with "@": one line of the standard input. */
void read_answer(char *line, size_t size);

#endif /* RIG_H */
