// SPDX-License-Identifier: GPL-2.0
/* Which pages hmm_range_fault() returns, and with which flags. */
#include <errno.h>
#include <string.h>

#include "child.h"
#include "tests.h"

#define PAGES	8ul
#define LENGTH	(PAGES * PAGE)

/* Every page is at the alias of the place it was migrated to. */
void f01_alias_returned(void)
{
	struct peerlab_client_page pages[PAGES];
	struct peerlab_own_page own[PAGES];
	uint64_t offsets[PAGES];
	uint8_t *p = device_memory(LENGTH, 1, offsets);
	struct peerlab_map map;
	unsigned int i;
	int ret;

	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	EXPECT(map.private_pages == 0, "%llu device private pfns returned",
	       map.private_pages);
	EXPECT(map.read_only == 0, "%llu pages without write permission",
	       map.read_only);
	for (i = 0; i < PAGES; i++) {
		if (pages[i].kind != PEERLAB_KIND_ALIAS)
			continue;
		EXPECT(pages[i].order == 0, "page %u: order %u", i,
		       pages[i].order);
		expect_alias_address(&map, &pages[i], offsets[i]);
	}
	provider_snapshot(p, LENGTH, own);
	for (i = 0; map.alias && i < PAGES; i++)
		EXPECT(own[i].offset == offsets[i],
		       "page %u has moved although it has an alias", i);
	expect_dma_reads(client_fd, 3 * PAGE, PIECE, 3 * PAGE, 1);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 1, "CPU");
}

void f02_no_dma_dev_migrates(void)
{
	struct peerlab_provider_counters before, after;
	uint8_t *p = device_memory(LENGTH, 2, NULL);
	struct peerlab_map map;
	int ret;

	before = provider_counters();
	ret = client_map(client_fd, p, LENGTH, 0, &map, NULL);
	after = provider_counters();
	REQUIRE(!ret, "map: %s", strerror(-ret));
	EXPECT(map.ram == PAGES, "%llu of %lu pages in RAM", map.ram, PAGES);
	EXPECT(map.alias == 0, "%llu aliases that nobody asked for", map.alias);
	EXPECT(after.alias_calls == before.alias_calls,
	       "dma_alias() was called without dma_dev");
	EXPECT(after.pages_out - before.pages_out == PAGES,
	       "%llu pages migrated back",
	       after.pages_out - before.pages_out);
	expect_dma_reads(client_fd, 5 * PAGE, PIECE, 5 * PAGE, 2);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 2, "CPU");
}

static void refused(int error)
{
	struct peerlab_provider_counters before, after;
	uint8_t *p = device_memory(LENGTH, 3, NULL);
	struct peerlab_map map;
	int ret;

	provider_behave(error, 0);
	before = provider_counters();
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, NULL);
	after = provider_counters();
	provider_behave(0, 0);
	REQUIRE(!ret, "the refusal came through: %s", strerror(-ret));
	EXPECT(map.ram == PAGES, "%llu of %lu pages in RAM", map.ram, PAGES);
	EXPECT(after.alias_refused > before.alias_refused,
	       "the provider was not asked");
	EXPECT(after.pages_out - before.pages_out == PAGES,
	       "%llu pages migrated back",
	       after.pages_out - before.pages_out);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 3, "CPU");
}

void f04_refused_eopnotsupp(void)
{
	refused(EOPNOTSUPP);
}

void f04_refused_ebusy(void)
{
	refused(EBUSY);
}

void f04_refused_eagain(void)
{
	refused(EAGAIN);
}

void f04_refused_enomem(void)
{
	refused(ENOMEM);
}

void f04_refused_einval(void)
{
	refused(EINVAL);
}

/* The owner sees its own pages, each at a place of its own, and not aliases. */
void f05_own_pages(void)
{
	struct peerlab_provider_counters before, after;
	struct peerlab_own_page own[PAGES];
	uint8_t *p = device_memory(LENGTH, 4, NULL);
	unsigned int i, j;

	before = provider_counters();
	provider_snapshot(p, LENGTH, own);
	after = provider_counters();
	EXPECT(after.alias_calls == before.alias_calls,
	       "dma_alias() was called for the owner");
	for (i = 0; i < PAGES; i++) {
		REQUIRE(own[i].offset != ~0ull, "page %u is not on the device", i);
		if (have_alias())
			EXPECT(own[i].flags & PEERLAB_PAGE_DEVICE_PRIVATE,
			       "page %u is not marked as device private", i);
		for (j = 0; j < i; j++)
			EXPECT(own[i].offset != own[j].offset,
			       "pages %u and %u are the same", i, j);
	}
	/* The pages are where the host says, or the offsets mean nothing. */
	for (i = 0; i < PAGES; i += 3)
		oracle_expect(own[i].offset, i * PAGE, PAGE, 4);
	pattern_expect(p, 0, LENGTH, 4, "CPU");
}

void f07_snapshot(void)
{
	struct peerlab_provider_counters before, after;
	struct peerlab_client_page pages[PAGES];
	uint64_t offsets[PAGES];
	uint8_t *p = device_memory(LENGTH, 5, offsets);
	struct peerlab_map map;
	int ret;

	before = provider_counters();
	ret = client_map(client_fd, p, LENGTH, MAP_READ | PEERLAB_MAP_SNAPSHOT,
			 &map, pages);
	after = provider_counters();
	REQUIRE(!ret, "snapshot: %s", strerror(-ret));
	EXPECT(after.pages_out == before.pages_out, "the snapshot migrated");
	EXPECT(map.ram == 0, "%llu pages in RAM", map.ram);
	EXPECT(map.alias == (path_reachable() ? PAGES : 0) &&
	       map.none == PAGES - map.alias, "%llu aliases and %llu invalid",
	       map.alias, map.none);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 5, "CPU");
}

void f07_snapshot_without_dma_dev(void)
{
	struct peerlab_provider_counters before, after;
	struct peerlab_client_page pages[PAGES];
	uint8_t *p = device_memory(LENGTH, 6, NULL);
	struct peerlab_map map;
	unsigned int i;
	int ret;

	before = provider_counters();
	ret = client_map(client_fd, p, LENGTH, PEERLAB_MAP_SNAPSHOT, &map,
			 pages);
	after = provider_counters();
	REQUIRE(!ret, "snapshot: %s", strerror(-ret));
	EXPECT(after.pages_out == before.pages_out, "the snapshot migrated");
	for (i = 0; i < PAGES; i++)
		EXPECT(pages[i].kind == PEERLAB_KIND_NONE,
		       "page %u is of kind %u", i, pages[i].kind);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 6, "CPU");
}

/* A second call finds what the first has mapped, and maps nothing twice. */
static void map_twice(uint8_t *p, uint64_t seed)
{
	struct peerlab_client_page first[PAGES], second[PAGES];
	struct peerlab_map map;
	unsigned int i;

	client_map_twice(p, LENGTH, MAP_READ, first, second, &map);
	EXPECT(map.sticky == PAGES, "only %llu of %lu pages still mapped",
	       map.sticky, PAGES);
	for (i = 0; i < PAGES; i++)
		EXPECT(first[i].dma == second[i].dma && first[i].map == second[i].map,
		       "page %u was mapped again, at another address", i);
	expect_dma_reads(client_fd, 6 * PAGE, PIECE, 6 * PAGE, seed);
	client_unmap(client_fd);
	EXPECT(client_state(client_fd).valid == 0, "pages left mapped");
}

void f09_sticky_flags(void)
{
	uint8_t *p = device_memory(LENGTH, 7, NULL);

	map_twice(p, 7);
	pattern_expect(p, 0, LENGTH, 7, "CPU");
}

void f09_sticky_flags_ram(void)
{
	uint8_t *p = memory_alloc(LENGTH, false);

	pattern_fill(p, 0, LENGTH, 8);
	map_twice(p, 8);
	pattern_expect(p, 0, LENGTH, 8, "CPU");
}

/*
 * A request for each page, of memory that a child shares and that may only be
 * read: two pages are not wanted, the next three to read, the last to write.
 * What is not wanted comes first, since the kernel faults the rest of a page
 * table once it has to fault one page.
 */
void f08_request_per_page(void)
{
	struct peerlab_client_page pages[PAGES] = {};
	struct peerlab_provider_counters before;
	uint8_t *p = device_memory(LENGTH, 9, NULL);
	struct peerlab_own_page own[PAGES];
	struct peerlab_map map;
	struct child child;
	unsigned int i;
	int ret;

	child = fork_child(NULL, NULL);
	for (i = 2; i < PAGES; i++)
		pages[i].flags = PEERLAB_PAGE_REQ_FAULT |
				 (i < 5 ? 0 : PEERLAB_PAGE_REQ_WRITE);
	before = provider_counters();
	ret = client_map(client_fd, p, LENGTH, MAP_READ | PEERLAB_MAP_PER_PAGE,
			 &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	provider_snapshot(p, LENGTH, own);
	for (i = 0; i < PAGES; i++) {
		bool writable = pages[i].flags & PEERLAB_PAGE_WRITE;
		bool stays = i < 2 || (i < 5 && path_reachable());

		EXPECT((own[i].offset != ~0ull) == stays, "page %u %s", i,
		       stays ? "was migrated" : "is still on the device");
		if (path_reachable())
			EXPECT(pages[i].kind == (stays ? PEERLAB_KIND_ALIAS :
							 PEERLAB_KIND_RAM),
			       "page %u is of kind %u", i, pages[i].kind);
		else if (i >= 2)
			EXPECT(pages[i].kind == PEERLAB_KIND_RAM,
			       "page %u is of kind %u", i, pages[i].kind);
		EXPECT(i < 5 || writable, "page %u is read-only", i);
		EXPECT(!writable || pages[i].kind == PEERLAB_KIND_RAM,
		       "page %u, shared, may be written", i);
	}
	EXPECT(provider_counters().pages_out - before.pages_out ==
	       (path_reachable() ? PAGES - 5 : PAGES - 2),
	       "%llu pages migrated back",
	       provider_counters().pages_out - before.pages_out);
	expect_dma_reads(client_fd, 2 * PAGE, PIECE, 2 * PAGE, 9);
	expect_dma_reads(client_fd, 6 * PAGE, PIECE, 6 * PAGE, 9);
	client_unmap(client_fd);
	release_child(&child);
	pattern_expect(p, 0, LENGTH, 9, "CPU");
}

/* The request is in the entry alone, and the provider refuses: still a page. */
void f08_refused_request_per_page(void)
{
	struct peerlab_client_page pages[PAGES] = {};
	uint8_t *p = device_memory(LENGTH, 10, NULL);
	struct peerlab_map map;
	unsigned int i;
	int ret;

	for (i = 0; i < PAGES; i++)
		pages[i].flags = PEERLAB_PAGE_REQ_FAULT;
	provider_behave(EBUSY, 0);
	ret = client_map(client_fd, p, LENGTH, MAP_READ | PEERLAB_MAP_PER_PAGE,
			 &map, pages);
	provider_behave(0, 0);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	EXPECT(map.ram == PAGES, "%llu of %lu pages in RAM", map.ram, PAGES);
	expect_dma_reads(client_fd, 0, PIECE, 0, 10);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 10, "CPU");
}

/* What kind of page it was does not stick to the entry when it changes. */
void f09_type_flags_follow(void)
{
	struct peerlab_client_page pages[PAGES];
	uint8_t *p = device_memory(LENGTH, 8, NULL);
	struct peerlab_map map;
	unsigned int round, i;
	int ret;

	for (round = 0; round < 2; round++) {
		ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
		REQUIRE(!ret, "map: %s", strerror(-ret));
		EXPECT(map.alias == (path_reachable() ? PAGES : 0),
		       "%llu aliases on the device", map.alias);
		pattern_expect(p, 0, LENGTH, 8, "CPU");	/* back to RAM */
		ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
		REQUIRE(!ret, "map again: %s", strerror(-ret));
		for (i = 0; i < PAGES; i++)
			EXPECT(pages[i].kind == PEERLAB_KIND_RAM &&
			       !(pages[i].flags & PEERLAB_PAGE_DEVICE_PRIVATE) &&
			       pages[i].map == PEERLAB_MAP_NONE,
			       "page %u in RAM is of kind %u, mapped by way %u",
			       i, pages[i].kind, pages[i].map);
		expect_dma_reads(client_fd, PAGE, PIECE, PAGE, 8);
		migrate_in_all(p, LENGTH, false, NULL);
	}
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 8, "CPU");
}
