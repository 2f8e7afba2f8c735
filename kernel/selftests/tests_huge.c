// SPDX-License-Identifier: GPL-2.0
/* Huge pages on the device, whole and in pieces. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "child.h"
#include "tests.h"

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
	uint8_t *p = huge_device_memory(50, offsets);
	struct peerlab_map map;

	pages = map_huge(p, 0, HUGE_PAGES, &map);
	expect_alias_pages(&map, pages, offsets, HUGE_PAGES, HUGE_ORDER);
	expect_dma_reads(client_fd, 300 * PAGE + 100, PIECE, 300 * PAGE + 100, 50);
	if (map.alias)
		oracle_expect(offsets[511], 511 * PAGE, PAGE, 50);
	client_unmap(client_fd);
	pattern_expect(p, 0, HUGE, 50, "CPU");
}

void f50_pmd_fallback(void)
{
	uint8_t *p = huge_device_memory(51, NULL);
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
	uint8_t *p = huge_device_memory(52, offsets);
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

/*
 * A run that is as long as the range, and shorter than the huge page: the order
 * would say more than is known.
 */
void f51_run_covers_the_range(void)
{
	static uint64_t offsets[HUGE_PAGES];
	struct peerlab_client_page *pages;
	uint8_t *p = huge_device_memory(58, offsets);
	struct peerlab_map map;

	provider_behave(0, 64);
	pages = map_huge(p, 0, 64, &map);
	expect_alias_pages(&map, pages, offsets, 64, 0);
	pages = map_huge(p, 8, 16, &map);
	expect_alias_pages(&map, pages, offsets + 8, 16, 0);
	pages = map_huge(p, 448, 64, &map);
	expect_alias_pages(&map, pages, offsets + 448, 64, 0);
	expect_dma_reads(client_fd, 63 * PAGE, PIECE, 511 * PAGE, 58);
	provider_behave(0, 256);
	pages = map_huge(p, 0, 256, &map);
	expect_alias_pages(&map, pages, offsets, 256, 0);
	provider_behave(0, 0);
	client_unmap(client_fd);
	pattern_expect(p, 0, HUGE, 58, "CPU");
}

/* The provider answers for runs: asking for each page would be right and slow. */
void f51_asked_once_per_run(void)
{
	static const unsigned int runs[] = { 0, 16, 128 };
	uint8_t *p = huge_device_memory(59, NULL);
	struct peerlab_map map;
	unsigned int i;

	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		/* All of it at once, and then run by run. */
		uint64_t most = runs[i] ? 1 + HUGE_PAGES / runs[i] : 1;
		uint64_t calls;

		provider_behave(0, runs[i]);
		calls = provider_counters().alias_calls;
		map_huge(p, 0, HUGE_PAGES, &map);
		calls = provider_counters().alias_calls - calls;
		EXPECT(calls && calls <= most * (map.retries + 1),
		       "asked %lu times for runs of %u pages, %lu are enough",
		       calls, runs[i], most);
		client_unmap(client_fd);
	}
	provider_behave(0, 0);
	pattern_expect(p, 0, HUGE, 59, "CPU");
}

void f52_pmd_partial_range(void)
{
	static uint64_t offsets[HUGE_PAGES];
	struct peerlab_client_page *pages;
	uint8_t *p = huge_device_memory(53, offsets);
	struct peerlab_map map;

	pages = map_huge(p, 100, 50, &map);
	expect_alias_pages(&map, pages, offsets + 100, 50, HUGE_ORDER);
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
	uint8_t *p = huge_device_memory(54, offsets);
	unsigned int i;

	provider_snapshot(p + 200 * PAGE, sizeof(own) / sizeof(own[0]) * PAGE, own);
	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		EXPECT(own[i].offset == offsets[200 + i],
		       "page %u reported at 0x%llx, it is at 0x%lx", 200 + i,
		       own[i].offset, offsets[200 + i]);
}

void f53_pmd_partial_munmap(void)
{
	uint8_t *p = huge_device_memory(55, NULL);
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

/* The bounds of one shared page that must not be written through. */
struct head_refused {
	uint8_t *memory;
};

static void write_inside_by_dma(void *arg)
{
	struct head_refused *shared = arg;
	uint8_t *p = shared->memory + 100 * PAGE;
	struct peerlab_map map;
	uint8_t data[PIECE];
	int fd = client_open();
	int ret;

	ret = client_map(fd, p, 50 * PAGE, MAP_WRITE, &map, NULL);
	REQUIRE(!ret, "map in the child: %s", strerror(-ret));
	EXPECT(map.read_only == 0, "%llu pages read-only after a write request",
	       map.read_only);
	EXPECT(map.alias == 0, "%llu aliases of memory that is shared", map.alias);
	pattern_make(data, 100 * PAGE, PIECE, 156);
	dma_write(fd, 0, PIECE, data);
	close(fd);
	pattern_expect(p, 100 * PAGE, PIECE, 156, "child");
	pattern_expect(p + PIECE, 100 * PAGE + PIECE, 50 * PAGE - PIECE, 56,
		       "child");
}

/*
 * The alias of the head page is refused, the range begins behind it, the entry
 * is read-only and the request is to write: nobody's copy may be harmed.
 */
void f50_head_refused_write(void)
{
	static uint64_t offsets[HUGE_PAGES];
	struct head_refused shared;
	struct child child;

	shared.memory = huge_device_memory(56, offsets);
	child = fork_child(write_inside_by_dma, &shared);
	provider_refuse_window(offsets[0], 1);
	release_child(&child);
	provider_behave(0, 0);
	pattern_expect(shared.memory, 0, HUGE, 56, "parent");
}

/* A window in the middle is refused: every page right, of whatever kind. */
void f51_refused_in_the_middle(void)
{
	static uint64_t offsets[HUGE_PAGES];
	struct peerlab_client_page *pages;
	uint8_t *p = huge_device_memory(57, offsets);
	struct peerlab_map map;
	unsigned int i;

	provider_refuse_window(offsets[200], 3);
	pages = map_huge(p, 0, HUGE_PAGES, &map);
	provider_behave(0, 0);
	EXPECT(map.alias + map.ram == HUGE_PAGES && map.none == 0,
	       "%llu aliases, %llu in RAM, %llu nothing", map.alias, map.ram,
	       map.none);
	for (i = 200; i < 203; i++)
		EXPECT(pages[i].kind == PEERLAB_KIND_RAM,
		       "page %u, refused, is of kind %u", i, pages[i].kind);
	expect_dma_reads(client_fd, 199 * PAGE, PIECE, 199 * PAGE, 57);
	expect_dma_reads(client_fd, 201 * PAGE, PIECE, 201 * PAGE, 57);
	client_unmap(client_fd);
	pattern_expect(p, 0, HUGE, 57, "CPU");
}

/* A part becomes read-only: that part and no other may not be written. */
void f53_pmd_partial_mprotect(void)
{
	static uint64_t offsets[HUGE_PAGES];
	struct peerlab_client_page *pages;
	uint8_t *p = huge_device_memory(58, offsets);
	struct peerlab_map map;
	unsigned int i;

	map_huge(p, 0, HUGE_PAGES, &map);
	REQUIRE(!mprotect(p + 64 * PAGE, 64 * PAGE, PROT_READ), "mprotect: %m");
	EXPECT(client_state(client_fd).valid <= HUGE_PAGES - 64,
	       "%llu pages still mapped after mprotect()",
	       client_state(client_fd).valid);
	pages = map_huge(p, 0, HUGE_PAGES, &map);
	for (i = 0; i < HUGE_PAGES; i++) {
		bool writable = pages[i].flags & PEERLAB_PAGE_WRITE;
		bool protected = i >= 64 && i < 128;

		REQUIRE(!writable || !protected,
			"page %u may be written and is protected", i);
		if (pages[i].kind != PEERLAB_KIND_ALIAS)
			continue;
		REQUIRE(writable || protected,
			"page %u may not be written and is not protected", i);
		expect_alias_address(&map, &pages[i], offsets[i]);
	}
	expect_dma_reads(client_fd, 100 * PAGE, PIECE, 100 * PAGE, 58);
	client_unmap(client_fd);
	pattern_expect(p, 0, HUGE, 58, "CPU");
}

/* Split, the pages stay where they were, and so do their aliases. */
void f54_split_continuity(void)
{
	static uint64_t offsets[HUGE_PAGES];
	struct peerlab_own_page own[HUGE_PAGES];
	struct peerlab_client_page *pages;
	uint8_t *p = huge_device_memory(59, offsets);
	struct peerlab_map map;
	unsigned int i;

	REQUIRE(!munmap(p + 17 * PAGE, PAGE), "munmap: %m");
	provider_snapshot(p + 18 * PAGE, 200 * PAGE, own);
	for (i = 0; i < 200; i++) {
		REQUIRE(own[i].order == 0, "page %u: order %u after the split",
			i + 18, own[i].order);
		REQUIRE(own[i].offset == offsets[i + 18],
			"page %u at 0x%llx, it was at 0x%lx", i + 18,
			own[i].offset, offsets[i + 18]);
	}
	pages = map_huge(p, 18, 300, &map);
	expect_alias_pages(&map, pages, offsets + 18, 300, 0);
	expect_dma_reads(client_fd, 0, PIECE, 18 * PAGE, 59);
	expect_dma_reads(client_fd, 299 * PAGE, PIECE, 317 * PAGE, 59);
	client_unmap(client_fd);
	pattern_expect(p, 0, 17 * PAGE, 59, "CPU");
	pattern_expect(p + 18 * PAGE, 18 * PAGE, HUGE - 18 * PAGE, 59, "CPU");
}
