// SPDX-License-Identifier: GPL-2.0
/* Huge pages on the device, whole and in pieces. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests.h"

/* One huge page with a pattern; SKIP when the machine has none to give. */
static uint8_t *huge_memory(uint64_t seed, uint64_t *offsets)
{
	uint8_t *p = memory_alloc(HUGE, true);
	struct peerlab_own_page first;

	pattern_fill(p, 0, HUGE, seed);
	migrate_in_all(p, HUGE, true, offsets);
	provider_snapshot(p, PAGE, &first);
	if (first.order != 9)
		SKIP("the kernel gave no huge page (order %u)", first.order);
	return p;
}

static struct peerlab_client_page *map_huge(uint8_t *p, size_t first,
					    size_t count,
					    struct peerlab_map *map)
{
	static struct peerlab_client_page pages[HUGE_PAGES];
	int ret;

	ret = client_map(client_fd, p + first * PAGE, count * PAGE, MAP_READ,
			 map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	EXPECT(map->private_pages == 0, "%llu device private pfns returned",
	       map->private_pages);
	return pages;
}

static void expect_alias_pages(const struct peerlab_map *map,
			       const struct peerlab_client_page *pages,
			       const uint64_t *offsets, size_t count,
			       unsigned int order)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (pages[i].kind != PEERLAB_KIND_ALIAS)
			continue;
		if (pages[i].order != order) {
			EXPECT(0, "page %zu: order %u, %u expected", i,
			       pages[i].order, order);
			return;
		}
		expect_alias_address(map, &pages[i], offsets[i]);
	}
}

void f50_pmd_alias(void)
{
	static uint64_t offsets[HUGE_PAGES];
	struct peerlab_client_page *pages;
	uint8_t *p = huge_memory(50, offsets);
	struct peerlab_map map;

	pages = map_huge(p, 0, HUGE_PAGES, &map);
	expect_alias_pages(&map, pages, offsets, HUGE_PAGES, 9);
	expect_dma_reads(client_fd, 300 * PAGE + 100, PIECE, 300 * PAGE + 100, 50);
	if (map.alias)
		oracle_expect(offsets[511], 511 * PAGE, PAGE, 50);
	client_unmap(client_fd);
	pattern_expect(p, 0, HUGE, 50, "CPU");
}

void f50_pmd_fallback(void)
{
	uint8_t *p = huge_memory(51, NULL);
	struct peerlab_map map;
	int ret;

	ret = client_map(client_fd, p, HUGE, 0, &map, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	EXPECT(map.ram == HUGE_PAGES, "%llu of %lu pages in RAM", map.ram,
	       HUGE_PAGES);
	expect_dma_reads(client_fd, 77 * PAGE, PIECE, 77 * PAGE, 51);
	client_unmap(client_fd);
	pattern_expect(p, 0, HUGE, 51, "CPU");
}

/* The provider has it in pieces: every page right, and no huge page claimed. */
void f51_pmd_not_contiguous(void)
{
	static uint64_t offsets[HUGE_PAGES];
	struct peerlab_client_page *pages;
	uint8_t *p = huge_memory(52, offsets);
	struct peerlab_map map;

	provider_behave(0, 16);
	pages = map_huge(p, 0, HUGE_PAGES, &map);
	expect_alias_pages(&map, pages, offsets, HUGE_PAGES, 0);
	pages = map_huge(p, 37, 200, &map);
	expect_alias_pages(&map, pages, offsets + 37, 200, 0);
	provider_behave(0, 0);
	expect_dma_reads(client_fd, 40 * PAGE, PIECE, 77 * PAGE, 52);
	client_unmap(client_fd);
	pattern_expect(p, 0, HUGE, 52, "CPU");
}

void f52_pmd_partial_range(void)
{
	static uint64_t offsets[HUGE_PAGES];
	struct peerlab_client_page *pages;
	uint8_t *p = huge_memory(53, offsets);
	struct peerlab_map map;

	pages = map_huge(p, 100, 50, &map);
	expect_alias_pages(&map, pages, offsets + 100, 50, 9);
	expect_dma_reads(client_fd, 0, PIECE, 100 * PAGE, 53);
	expect_dma_reads(client_fd, 49 * PAGE, PIECE, 149 * PAGE, 53);
	client_unmap(client_fd);
	pattern_expect(p, 0, HUGE, 53, "CPU");
}

/* Up to Linux 7.3.4 the owner is told the pfns of the start of the huge page. */
void f52_own_pmd_partial_range(void)
{
	static uint64_t offsets[HUGE_PAGES];
	struct peerlab_own_page own[3];
	uint8_t *p = huge_memory(54, offsets);
	unsigned int i;

	provider_snapshot(p + 200 * PAGE, sizeof(own) / sizeof(own[0]) * PAGE, own);
	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		EXPECT(own[i].offset == offsets[200 + i],
		       "page %u reported at 0x%llx, it is at 0x%lx", 200 + i,
		       own[i].offset, offsets[200 + i]);
}

void f53_pmd_partial_munmap(void)
{
	uint8_t *p = huge_memory(55, NULL);
	struct peerlab_client_state state;
	struct peerlab_map map;

	map_huge(p, 0, HUGE_PAGES, &map);
	REQUIRE(!munmap(p + HUGE / 2, HUGE / 2), "munmap: %m");
	state = client_state(client_fd);
	EXPECT(state.valid <= HUGE_PAGES / 2,
	       "%llu pages mapped of %lu that are left", state.valid,
	       HUGE_PAGES / 2);
	map_huge(p, 0, HUGE_PAGES / 2, &map);
	expect_dma_reads(client_fd, 255 * PAGE, PIECE, 255 * PAGE, 55);
	client_unmap(client_fd);
	pattern_expect(p, 0, HUGE / 2, 55, "CPU");
}
