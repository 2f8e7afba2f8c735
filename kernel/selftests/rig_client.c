// SPDX-License-Identifier: GPL-2.0
/* The client: what it maps, and what it copies by DMA. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "limit.h"
#include "rig.h"

#define CATCH_UP_S	5	/* for two calls that nothing comes between */

int client_open(void)
{
	int fd = open(PEERLAB_CLIENT_DEVICE, O_RDWR | O_CLOEXEC);

	REQUIRE(fd >= 0, "open %s: %m (is peerlab_client loaded?)",
		PEERLAB_CLIENT_DEVICE);
	return fd;
}

int client_map(int fd, void *address, size_t length, unsigned int flags,
	       struct peerlab_map *map, struct peerlab_client_page *pages)
{
	uint64_t calls_before, calls_after, out_before, out_after;
	struct peerlab_map own;
	int ret;

	if (!map)
		map = &own;
	if (!have_alias())
		flags &= ~PEERLAB_MAP_DMA_DEV;
	*map = (struct peerlab_map){
		.address = (uintptr_t)address,
		.length = length,
		.flags = flags,
		.pages = (uintptr_t)pages,
	};
	provider_totals(&calls_before, &out_before);
	ret = ioctl(fd, PEERLAB_CLIENT_MAP, map) ? -errno : 0;
	provider_totals(&calls_after, &out_after);
	proof->used = true;
	if ((flags & PEERLAB_MAP_DMA_DEV) && !path_reachable())
		proof->unreachable = true;
	proof->alias_pages += map->alias;
	proof->ram_pages += map->ram;
	proof->map_bus += map->map_bus;
	proof->map_thru += map->map_thru;
	proof->map_none += map->map_none;
	proof->alias_calls += calls_after - calls_before;
	proof->migrated_back += out_after - out_before;
	return ret;
}

int client_unmap(int fd)
{
	int ret = ioctl(fd, PEERLAB_CLIENT_UNMAP) ? -errno : 0;
	struct peerlab_client_state state;

	if (!ret && !ioctl(fd, PEERLAB_CLIENT_STATE, &state))
		EXPECT(!state.marked && !state.leaked && !state.orphans &&
		       !state.stale,
		       "of the entries %llu were marked as mapped after they were unmapped, %llu given back without being unmapped, %llu left mapped and not valid by a walk, %llu left with a mark that is not true",
		       state.marked, state.leaked, state.orphans, state.stale);
	return ret;
}

void client_map_twice(void *address, size_t length, unsigned int flags,
		      struct peerlab_client_page *first,
		      struct peerlab_client_page *second, struct peerlab_map *map)
{
	time_t end = time(NULL) + limit_here(CATCH_UP_S);
	int ret;

	do {
		client_unmap(client_fd);
		ret = client_map(client_fd, address, length, flags, map, first);
		REQUIRE(!ret, "first call: %s", strerror(-ret));
		EXPECT(map->sticky == 0,
		       "%llu pages mapped before the first call", map->sticky);
		ret = client_map(client_fd, address, length, flags, map, second);
		REQUIRE(!ret, "second call: %s", strerror(-ret));
	} while (client_state(client_fd).invalidated && time(NULL) < end);
}

int client_dma(int fd, size_t offset, size_t length, void *buffer,
	       unsigned int flags)
{
	struct peerlab_dma req = {
		.offset = offset,
		.length = length,
		.buffer = (uintptr_t)buffer,
		.flags = flags,
	};

	return ioctl(fd, PEERLAB_CLIENT_DMA, &req) ? -errno : 0;
}

struct peerlab_client_state client_state(int fd)
{
	struct peerlab_client_state state;

	REQUIRE(!ioctl(fd, PEERLAB_CLIENT_STATE, &state),
		"PEERLAB_CLIENT_STATE: %m");
	return state;
}

size_t client_describe(int fd, struct peerlab_client_page *pages, size_t count)
{
	struct peerlab_describe req = {
		.pages = (uintptr_t)pages,
		.count = count,
	};

	REQUIRE(!ioctl(fd, PEERLAB_CLIENT_DESCRIBE, &req),
		"PEERLAB_CLIENT_DESCRIBE: %m");
	return req.count;
}

int client_set_mask(int fd, unsigned int bits)
{
	uint32_t arg = bits;

	return ioctl(fd, PEERLAB_CLIENT_MASK, &arg) ? -errno : 0;
}

/*
 * A page may be taken away at any time, by huge pages being put together or by
 * compaction; whoever uses the mapping has to fault it in again then.
 */
void dma_read(int fd, size_t offset, size_t length, void *buffer)
{
	int ret = client_dma(fd, offset, length, buffer, PEERLAB_DMA_REFAULT);

	REQUIRE(!ret, "DMA from the mapping at %zu+%zu: %s", offset, length,
		strerror(-ret));
}

void dma_write(int fd, size_t offset, size_t length, void *data)
{
	int ret = client_dma(fd, offset, length, data,
			     PEERLAB_DMA_TO_MEMORY | PEERLAB_DMA_REFAULT);

	REQUIRE(!ret, "DMA to the mapping at %zu+%zu: %s", offset, length,
		strerror(-ret));
}

void expect_dma_reads(int fd, size_t offset, size_t length,
		      size_t pattern_offset, uint64_t seed)
{
	uint8_t *buffer = calloc(1, length);

	dma_read(fd, offset, length, buffer);
	pattern_expect(buffer, pattern_offset, length, seed, "DMA");
	free(buffer);
}

void expect_alias_address(const struct peerlab_map *map,
			  const struct peerlab_client_page *page,
			  uint64_t bar_offset)
{
	uint64_t expected;

	if (page->map == PEERLAB_MAP_BUS_ADDR)
		expected = provider_info.bar_bus + bar_offset;
	else if (map->uses_iova)
		return;	/* an IOVA says nothing about where it leads */
	else
		expected = provider_info.bar_phys + bar_offset;
	EXPECT(page->dma == expected,
	       "DMA address 0x%llx, 0x%llx expected (BAR offset 0x%lx)",
	       page->dma, (unsigned long long)expected, bar_offset);
}
