// SPDX-License-Identifier: GPL-2.0
/* Whole pages over the wire, compared on every side. */
#include <errno.h>
#include <string.h>

#include "tests.h"

#define PAGES	4ul
#define LENGTH	(PAGES * PAGE)

static uint8_t *mapped_memory(uint64_t seed, bool device, unsigned int flags,
			      uint64_t *offsets, struct peerlab_map *map)
{
	uint8_t *p = memory_alloc(LENGTH, false);
	int ret;

	pattern_fill(p, 0, LENGTH, seed);
	if (device)
		migrate_in_all(p, LENGTH, false, offsets);
	ret = client_map(client_fd, p, LENGTH, flags, map, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	return p;
}

/* Device memory to the client. */
void f60_peer_read(void)
{
	uint64_t offsets[PAGES];
	struct peerlab_map map;
	uint8_t *p = mapped_memory(60, true, MAP_READ, offsets, &map);

	if (map.alias == PAGES)
		oracle_expect(offsets[2], 2 * PAGE, PAGE, 60);
	expect_dma_reads(client_fd, 2 * PAGE, PAGE, 2 * PAGE, 60);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 60, "CPU");
}

/* The client to device memory: seen by the host, then by the CPU. */
void f60_peer_write(void)
{
	struct peerlab_provider_counters before;
	uint64_t offsets[PAGES];
	struct peerlab_map map;
	uint8_t *p = mapped_memory(61, true, MAP_WRITE, offsets, &map);
	uint8_t data[PAGE];

	pattern_make(data, PAGE, PAGE, 161);
	before = provider_counters();
	dma_write(client_fd, PAGE, PAGE, data);
	EXPECT(provider_counters().pages_out == before.pages_out,
	       "pages migrated during DMA");
	if (map.alias == PAGES) {
		oracle_expect(offsets[0], 0, PAGE, 61);
		oracle_expect(offsets[1], PAGE, PAGE, 161);
		oracle_expect(offsets[2], 2 * PAGE, PAGE, 61);
	}
	client_unmap(client_fd);
	pattern_expect(p + PAGE, PAGE, PAGE, 161, "CPU");
	pattern_expect(p, 0, PAGE, 61, "CPU");
	pattern_expect(p + 2 * PAGE, 2 * PAGE, 2 * PAGE, 61, "CPU");
}

/* A short write in the middle of a page changes those bytes and no others. */
void f60_neighbours_untouched(void)
{
	const size_t offset = PAGE + 1500, length = 700;
	uint64_t offsets[PAGES];
	struct peerlab_map map;
	uint8_t *p = mapped_memory(62, true, MAP_WRITE, offsets, &map);
	uint8_t data[700];

	pattern_make(data, offset, length, 162);
	dma_write(client_fd, offset, length, data);
	if (map.alias == PAGES) {
		oracle_expect(offsets[1] + 1500, offset, length, 162);
		oracle_expect(offsets[1] + 1500 + length, offset + length, 64, 62);
	}
	client_unmap(client_fd);
	pattern_expect(p, 0, offset, 62, "CPU");
	pattern_expect(p + offset, offset, length, 162, "CPU");
	pattern_expect(p + offset + length, offset + length,
		       LENGTH - offset - length, 62, "CPU");
}

void f60_ram_read(void)
{
	uint8_t *p = mapped_memory(63, false, MAP_READ, NULL, NULL);

	expect_dma_reads(client_fd, PAGE, PAGE, PAGE, 63);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 63, "CPU");
}

void f60_ram_write(void)
{
	uint8_t *p = mapped_memory(64, false, MAP_WRITE, NULL, NULL);
	uint8_t data[PAGE];

	pattern_make(data, 3 * PAGE, PAGE, 164);
	dma_write(client_fd, 3 * PAGE, PAGE, data);
	client_unmap(client_fd);
	pattern_expect(p + 3 * PAGE, 3 * PAGE, PAGE, 164, "CPU");
	pattern_expect(p, 0, 3 * PAGE, 64, "CPU");
}

/* Device memory without dma_dev: through RAM, and right. */
void f60_fallback_read(void)
{
	struct peerlab_map map;
	uint8_t *p = mapped_memory(65, true, 0, NULL, &map);

	EXPECT(map.ram == PAGES, "%llu of %lu pages in RAM", map.ram, PAGES);
	expect_dma_reads(client_fd, PAGE, PAGE, PAGE, 65);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 65, "CPU");
}

/* dma_dev set, but out of reach: no alias, no error, right data both ways. */
void f63_refused_path(void)
{
	struct peerlab_map map;
	uint8_t *p = mapped_memory(66, true, MAP_WRITE, NULL, &map);
	uint8_t data[PIECE];

	EXPECT(map.alias == 0, "%llu aliases that cannot be reached", map.alias);
	EXPECT(map.ram == PAGES, "%llu of %lu pages in RAM", map.ram, PAGES);
	EXPECT(map.map_failed == 0, "%llu pages not mapped", map.map_failed);
	expect_dma_reads(client_fd, 0, PIECE, 0, 66);
	pattern_make(data, PAGE, PIECE, 166);
	dma_write(client_fd, PAGE, PIECE, data);
	client_unmap(client_fd);
	pattern_expect(p + PAGE, PAGE, PIECE, 166, "CPU");
	pattern_expect(p + 2 * PAGE, 2 * PAGE, 2 * PAGE, 66, "CPU");
}
