// SPDX-License-Identifier: GPL-2.0
/* What is asked of a huge page, what is refused, and what is remembered. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "tests.h"

static struct peerlab_client_page pages[HUGE_PAGES];
static uint64_t offsets[HUGE_PAGES];

/* A foreign huge page without dma_dev: nothing, but a fault would help. */
void f07_snapshot_pmd_without_dma_dev(void)
{
	struct peerlab_provider_counters before;
	uint8_t *p = huge_device_memory(107, NULL);
	struct peerlab_map map;
	unsigned int i;
	int ret;

	before = provider_counters();
	ret = client_map(client_fd, p, HUGE, PEERLAB_MAP_SNAPSHOT, &map, pages);
	REQUIRE(!ret, "snapshot: %s", strerror(-ret));
	EXPECT(provider_counters().pages_out == before.pages_out,
	       "the snapshot migrated");
	for (i = 0; i < HUGE_PAGES; i++)
		REQUIRE(pages[i].kind == PEERLAB_KIND_NONE,
			"page %u is of kind %u", i, pages[i].kind);
	client_unmap(client_fd);
}

/* Some pages of the huge page are refused: only those have no alias. */
void f07_snapshot_pmd_with_refusal(void)
{
	uint8_t *p = huge_device_memory(108, offsets);
	struct peerlab_map map;
	unsigned int i;
	int ret;

	provider_refuse_window(offsets[100], 10);
	ret = client_map(client_fd, p, HUGE, MAP_READ | PEERLAB_MAP_SNAPSHOT,
			 &map, pages);
	provider_behave(0, 0);
	REQUIRE(!ret, "snapshot: %s", strerror(-ret));
	for (i = 0; i < 100; i++)
		REQUIRE(pages[i].kind == (path_reachable() ? PEERLAB_KIND_ALIAS :
							     PEERLAB_KIND_NONE),
			"page %u, granted, is of kind %u", i, pages[i].kind);
	for (; i < 110; i++)
		REQUIRE(pages[i].kind == PEERLAB_KIND_NONE,
			"page %u, refused, is of kind %u", i, pages[i].kind);
	for (; i < HUGE_PAGES; i++)
		REQUIRE(pages[i].kind == (path_reachable() ? PEERLAB_KIND_ALIAS :
							     PEERLAB_KIND_NONE),
			"page %u, behind those, is of kind %u", i, pages[i].kind);
	client_unmap(client_fd);
	pattern_expect(p, 0, HUGE, 108, "CPU");
}

/* One page in the middle of a shared huge page is wanted for writing. */
void f08_write_one_page_of_a_pmd(void)
{
	uint8_t *p = huge_device_memory(109, NULL);
	struct child child = fork_child(NULL, NULL);
	struct peerlab_map map;
	uint8_t data[PIECE];
	unsigned int i;
	int ret;

	for (i = 0; i < HUGE_PAGES; i++)
		pages[i].flags = PEERLAB_PAGE_REQ_FAULT |
				 (i == 300 ? PEERLAB_PAGE_REQ_WRITE : 0);
	ret = client_map(client_fd, p, HUGE, MAP_READ | PEERLAB_MAP_PER_PAGE,
			 &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	EXPECT(map.none == 0 && map.private_pages == 0,
	       "%llu invalid and %llu device private pfns", map.none,
	       map.private_pages);
	EXPECT(pages[300].flags & PEERLAB_PAGE_WRITE,
	       "page 300 is read-only, of kind %u", pages[300].kind);
	pattern_make(data, 300 * PAGE, PIECE, 209);
	dma_write(client_fd, 300 * PAGE, PIECE, data);
	expect_dma_reads(client_fd, 299 * PAGE, PIECE, 299 * PAGE, 109);
	client_unmap(client_fd);
	release_child(&child);
	pattern_expect(p + 300 * PAGE, 300 * PAGE, PIECE, 209, "CPU");
	pattern_expect(p, 0, 300 * PAGE, 109, "CPU");
}

/* Mapped a second time nothing is mapped again. */
void f09_sticky_flags_pmd(void)
{
	static struct peerlab_client_page again[HUGE_PAGES];
	uint8_t *p = huge_device_memory(110, NULL);
	struct peerlab_map map;
	unsigned int i;

	client_map_twice(p, HUGE, MAP_READ, pages, again, &map);
	EXPECT(map.sticky == HUGE_PAGES, "only %llu of %lu pages still mapped",
	       map.sticky, HUGE_PAGES);
	for (i = 0; i < HUGE_PAGES; i++)
		REQUIRE(pages[i].dma == again[i].dma && pages[i].map == again[i].map,
			"page %u was mapped again, at another address", i);
	expect_dma_reads(client_fd, 400 * PAGE, PIECE, 400 * PAGE, 110);
	client_unmap(client_fd);
}

/* A shared huge page: an alias to read, and none to write. */
void f20_read_only_pmd_alias(void)
{
	uint8_t *p = huge_device_memory(120, NULL);
	struct child child = fork_child(NULL, NULL);
	struct peerlab_map map;
	uint8_t data[8] = {};
	int ret;

	ret = client_map(client_fd, p, HUGE, MAP_READ, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	EXPECT(!map.alias || map.read_only == HUGE_PAGES,
	       "%llu of %lu shared pages are read-only", map.read_only,
	       HUGE_PAGES);
	ret = client_dma(client_fd, 7 * PAGE, sizeof(data), data,
			 PEERLAB_DMA_TO_MEMORY);
	EXPECT(!map.alias || ret == -ESTALE,
	       "the client wrote to a page it may only read");
	expect_dma_reads(client_fd, 7 * PAGE, PIECE, 7 * PAGE, 120);
	client_unmap(client_fd);
	release_child(&child);
	if (map.alias)
		pattern_expect(p, 0, HUGE, 120, "CPU");
}

static void write_pmd_by_dma(void *arg)
{
	uint8_t *p = arg, data[PIECE];
	struct peerlab_map map;
	int fd = client_open();
	int ret;

	ret = client_map(fd, p, HUGE, MAP_WRITE, &map, NULL);
	REQUIRE(!ret, "map in the child: %s", strerror(-ret));
	EXPECT(map.read_only == 0, "%llu pages read-only after a write request",
	       map.read_only);
	pattern_make(data, 77 * PAGE, PIECE, 221);
	dma_write(fd, 77 * PAGE, PIECE, data);
	close(fd);
	pattern_expect(p + 77 * PAGE, 77 * PAGE, PIECE, 221, "child");
}

/* A child writes to a shared huge page by DMA; the parent's stays as it is. */
void f21_write_to_read_only_pmd(void)
{
	uint8_t *p = huge_device_memory(121, NULL);
	struct child child = fork_child(write_pmd_by_dma, p);

	release_child(&child);
	pattern_expect(p, 0, HUGE, 121, "parent");
}

/* Only the head is refused, and the range begins behind it: aliases, all. */
void f50_head_refused(void)
{
	struct peerlab_provider_counters before;
	uint8_t *p = huge_device_memory(150, offsets);
	struct peerlab_map map;
	unsigned int i;
	int ret;

	provider_refuse_window(offsets[0], 1);
	before = provider_counters();
	ret = client_map(client_fd, p + 100 * PAGE, 50 * PAGE, MAP_READ, &map,
			 pages);
	EXPECT(provider_counters().pages_out == before.pages_out ||
	       !path_reachable(), "%llu pages migrated",
	       provider_counters().pages_out - before.pages_out);
	provider_behave(0, 0);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	if (path_reachable())
		EXPECT(map.alias == 50, "%llu of 50 pages are aliases", map.alias);
	for (i = 0; i < 50; i++)
		if (pages[i].kind == PEERLAB_KIND_ALIAS)
			expect_alias_address(&map, &pages[i], offsets[100 + i]);
	expect_dma_reads(client_fd, 10 * PAGE, PIECE, 110 * PAGE, 150);
	client_unmap(client_fd);
	pattern_expect(p, 0, HUGE, 150, "CPU");
}

/* The alias is contiguous and does not begin where a huge page may. */
void f51_pmd_misaligned_alias(void)
{
	struct peerlab_map map;
	unsigned int i;
	uint8_t *p;
	int ret;

	ret = provider_shift(16);
	REQUIRE(!ret, "shift: %s", strerror(-ret));
	p = huge_device_memory(151, offsets);
	ret = client_map(client_fd, p, HUGE, MAP_READ, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	for (i = 0; i < HUGE_PAGES; i++) {
		if (pages[i].kind != PEERLAB_KIND_ALIAS)
			continue;
		REQUIRE(pages[i].order == 0, "page %u: order %u", i,
			pages[i].order);
		expect_alias_address(&map, &pages[i], offsets[i]);
	}
	if (map.alias)
		oracle_expect(offsets[511], 511 * PAGE, PAGE, 151);
	expect_dma_reads(client_fd, 300 * PAGE, PIECE, 300 * PAGE, 151);
	client_unmap(client_fd);
	pattern_expect(p, 0, HUGE, 151, "CPU");
}

/* Its own pages, which somebody shares: the owner asks to write, and gets names. */
static void ask_to_write_own(uint8_t *p, size_t length, uint64_t seed)
{
	static struct peerlab_own_page own[HUGE_PAGES];
	struct peerlab_provider_counters before, after;
	struct child child = fork_child(NULL, NULL);
	size_t i;

	before = provider_counters();
	provider_snapshot_flags(p, length, PEERLAB_SNAPSHOT_WRITE, own);
	after = provider_counters();
	EXPECT(after.pages_out == before.pages_out,
	       "%llu pages came back to their owner's walk",
	       after.pages_out - before.pages_out);
	for (i = 0; i < length / PAGE; i++)
		REQUIRE(own[i].offset == offsets[i] &&
			!(own[i].flags & PEERLAB_PAGE_WRITE),
			"page %zu reported at 0x%llx with flags 0x%x, it is at 0x%lx and read-only",
			i, own[i].offset, own[i].flags, offsets[i]);
	release_child(&child);
	pattern_expect(p, 0, length, seed, "CPU");
}

void f05_own_read_only(void)
{
	ask_to_write_own(device_memory(4 * PAGE, 23, offsets), 4 * PAGE, 23);
	ask_to_write_own(huge_device_memory(24, offsets), HUGE, 24);
}
