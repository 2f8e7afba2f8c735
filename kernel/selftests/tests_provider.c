// SPDX-License-Identifier: GPL-2.0
/* What a provider may answer, and what comes of it; two providers at once. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "hygiene.h"
#include "tests.h"

#define PAGES	8ul
#define LENGTH	(PAGES * PAGE)

/* A provider without the operation: like today, no error and no alias. */
void f03_no_operation(void)
{
	struct peerlab_provider_counters before, after;
	uint8_t *p = device_memory(LENGTH, 3, NULL);
	struct peerlab_map map;
	int ret;

	provider_behave_flags(PEERLAB_BEHAVE_NO_OP);
	before = provider_counters();
	ret = client_map(client_fd, p, LENGTH, MAP_WRITE, &map, NULL);
	after = provider_counters();
	provider_behave(0, 0);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	EXPECT(map.ram == PAGES, "%llu of %lu pages in RAM", map.ram, PAGES);
	EXPECT(after.pages_out - before.pages_out == PAGES,
	       "%llu pages migrated back", after.pages_out - before.pages_out);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 3, "CPU");
}

/* The pages of the window are refused, and those alone are migrated back. */
void f04_refused_window(void)
{
	struct peerlab_client_page pages[PAGES];
	struct peerlab_own_page own[PAGES];
	uint64_t offsets[PAGES], low = ~0ull;
	struct peerlab_map map;
	unsigned int i, refused = 0;
	uint8_t *p = device_memory(LENGTH, 14, offsets);
	int ret;

	for (i = 2; i < 5; i++)
		low = offsets[i] < low ? offsets[i] : low;
	provider_refuse_window(low, 3);
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
	provider_behave(0, 0);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	provider_snapshot(p, LENGTH, own);
	for (i = 0; i < PAGES; i++) {
		bool inside = offsets[i] - low < 3 * PAGE;

		refused += inside;
		if (path_reachable())
			EXPECT(pages[i].kind == (inside ? PEERLAB_KIND_RAM :
							  PEERLAB_KIND_ALIAS),
			       "page %u, %s, is of kind %u", i,
			       inside ? "refused" : "granted", pages[i].kind);
		if (pages[i].kind == PEERLAB_KIND_ALIAS) {
			expect_alias_address(&map, &pages[i], offsets[i]);
			EXPECT(own[i].offset == offsets[i],
			       "page %u was migrated although it was granted", i);
		} else {
			EXPECT(own[i].offset == ~0ull,
			       "page %u is still on the device", i);
		}
	}
	REQUIRE(refused == 3, "%u pages in the window: allocation is scattered",
		refused);
	expect_dma_reads(client_fd, PAGE, PIECE, PAGE, 14);
	expect_dma_reads(client_fd, 3 * PAGE, PIECE, 3 * PAGE, 14);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 14, "CPU");
}

/* The owner that asks for a device, its own: still names and not aliases. */
void f05_own_pages_with_dma_dev(void)
{
	struct peerlab_provider_counters before, after;
	struct peerlab_own_page own[PAGES];
	uint64_t offsets[PAGES];
	uint8_t *p = device_memory(LENGTH, 15, offsets);
	unsigned int i;

	before = provider_counters();
	provider_snapshot_flags(p, LENGTH, PEERLAB_SNAPSHOT_DMA_DEV, own);
	after = provider_counters();
	EXPECT(after.alias_calls == before.alias_calls,
	       "dma_alias() was called for the owner");
	for (i = 0; i < PAGES; i++) {
		EXPECT(own[i].offset == offsets[i],
		       "page %u reported at 0x%llx, it is at 0x%lx", i,
		       own[i].offset, offsets[i]);
		EXPECT(own[i].flags & PEERLAB_PAGE_DEVICE_PRIVATE &&
		       !(own[i].flags & PEERLAB_PAGE_DMA_ALIAS),
		       "page %u has flags 0x%x", i, own[i].flags);
	}
	pattern_expect(p, 0, LENGTH, 15, "CPU");
}

/* Two owners in one range, and only one of them has aliases. */
void f06_other_owner_without_operation(void)
{
	uint8_t *p = device_memory(LENGTH, 16, NULL);
	struct peerlab_client_page pages[PAGES];
	struct peerlab_map map;
	unsigned int i;
	int ret;

	migrate_out(p, LENGTH / 2, false);
	provider_use(1);
	migrate_in_all(p, LENGTH / 2, false, NULL);
	provider_behave_flags(PEERLAB_BEHAVE_NO_OP);
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
	provider_behave(0, 0);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	provider_use(0);
	for (i = 0; i < PAGES; i++) {
		bool has_alias = i >= PAGES / 2 && path_reachable();

		EXPECT(pages[i].kind == (has_alias ? PEERLAB_KIND_ALIAS :
						     PEERLAB_KIND_RAM),
		       "page %u is of kind %u", i, pages[i].kind);
	}
	expect_dma_reads(client_fd, PAGE, PIECE, PAGE, 16);
	expect_dma_reads(client_fd, 6 * PAGE, PIECE, 6 * PAGE, 16);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 16, "CPU");
}

/* The kernel asks with the RCU read lock held, for small and huge pages. */
void f10_called_under_rcu(void)
{
	struct peerlab_provider_counters before, after;
	uint8_t *small, *huge;
	int ret;

	if (!(provider_info.features & PEERLAB_FEATURE_PROVE_RCU))
		SKIP("needs a kernel with CONFIG_PROVE_RCU");
	small = device_memory(LENGTH, 17, NULL);
	huge = huge_device_memory(18, NULL);
	before = provider_counters();
	ret = client_map(client_fd, small, LENGTH, MAP_READ, NULL, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	ret = client_map(client_fd, huge, HUGE, MAP_READ, NULL, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	after = provider_counters();
	EXPECT(after.alias_calls > before.alias_calls, "nobody asked");
	EXPECT(after.alias_outside_rcu == before.alias_outside_rcu,
	       "%llu calls without the RCU read lock",
	       after.alias_outside_rcu - before.alias_outside_rcu);
	client_unmap(client_fd);
}

/* A self-test: a provider that sleeps where it must not is caught. */
void f10_sleeping_provider_is_caught(void)
{
	static const char splat[] = "sleeping function called";
	uint8_t *small, *huge;
	int watch, count, ret;

	if (!(provider_info.features & PEERLAB_FEATURE_ATOMIC_SLEEP))
		SKIP("needs a kernel with CONFIG_DEBUG_ATOMIC_SLEEP");
	small = device_memory(LENGTH, 19, NULL);
	huge = huge_device_memory(20, NULL);
	watch = hygiene_watch_log();
	REQUIRE(watch >= 0, "/dev/kmsg: %m");
	hygiene_expect_splat(true);
	provider_behave_flags(PEERLAB_BEHAVE_MIGHT_SLEEP);
	ret = client_map(client_fd, small, LENGTH, MAP_READ, NULL, NULL);
	EXPECT(!ret, "map: %s", strerror(-ret));
	count = hygiene_log_has(watch, splat);
	EXPECT(count, "nothing was said about small pages");
	/* The kernel says it once a second at most. */
	usleep(1500000);
	ret = client_map(client_fd, huge, HUGE, MAP_READ, NULL, NULL);
	EXPECT(!ret, "map: %s", strerror(-ret));
	count = hygiene_log_has(watch, splat);
	EXPECT(count, "nothing was said about huge pages");
	provider_behave(0, 0);
	hygiene_expect_splat(false);
	client_unmap(client_fd);
}

/* The order field is where the flags are not, whatever the page is. */
void f11_order_of_every_kind(void)
{
	static struct peerlab_client_page pages[HUGE_PAGES];
	uint8_t *p = memory_alloc(HUGE, true);
	struct peerlab_map map;
	unsigned long i;
	int ret;

	pattern_fill(p, 0, HUGE, 11);
	ret = client_map(client_fd, p, HUGE, MAP_WRITE, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	if (pages[0].order != HUGE_ORDER)
		SKIP("the kernel gave no huge page (order %u)", pages[0].order);
	for (i = 0; i < HUGE_PAGES; i++)
		REQUIRE(pages[i].order == HUGE_ORDER && pages[i].kind == PEERLAB_KIND_RAM &&
			pages[i].flags == PEERLAB_PAGE_WRITE,
			"huge RAM, page %lu: order %u, kind %u, flags 0x%x", i,
			pages[i].order, pages[i].kind, pages[i].flags);
	/* Again, with everything mapped: sticky flags sit beside the order. */
	ret = client_map(client_fd, p, HUGE, MAP_WRITE, &map, pages);
	REQUIRE(!ret, "map again: %s", strerror(-ret));
	EXPECT(map.sticky == HUGE_PAGES, "%llu pages still mapped", map.sticky);
	EXPECT(pages[511].order == HUGE_ORDER, "order %u the second time",
	       pages[511].order);
	client_unmap(client_fd);

	p = device_memory(LENGTH, 12, NULL);
	ret = client_map(client_fd, p, LENGTH, MAP_WRITE, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	for (i = 0; i < PAGES; i++)
		EXPECT(pages[i].order == 0 && pages[i].flags == PEERLAB_PAGE_WRITE,
		       "small device page %lu: order %u, flags 0x%x", i,
		       pages[i].order, pages[i].flags);
	client_unmap(client_fd);
}

/* Page by page from another provider: what is known of one is not the other's. */
static void interleave(bool second_reachable)
{
	static const uint64_t seed = 42;
	uint8_t *p = memory_alloc(LENGTH, false);
	struct peerlab_client_page pages[PAGES];
	struct peerlab_provider_info info[2];
	uint64_t offsets[PAGES];
	bool reachable[2];
	struct peerlab_map map;
	unsigned int i;
	int ret;

	pattern_fill(p, 0, LENGTH, seed);
	for (i = 0; i < PAGES; i++) {
		provider_use(i % 2);
		info[i % 2] = provider_info;
		reachable[i % 2] = path_reachable();
		migrate_in_all(p + i * PAGE, PAGE, false, &offsets[i]);
	}
	provider_use(0);
	if (!reachable[0])
		SKIP("the client reaches no provider 0 on this machine");
	if (reachable[1] != second_reachable)
		SKIP("the client %s provider 1 on this machine",
		     reachable[1] ? "reaches" : "does not reach");
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	for (i = 0; i < PAGES; i++) {
		bool alias = reachable[i % 2];

		EXPECT(pages[i].kind == (alias ? PEERLAB_KIND_ALIAS :
						 PEERLAB_KIND_RAM),
		       "page %u is of kind %u", i, pages[i].kind);
		if (pages[i].kind != PEERLAB_KIND_ALIAS)
			continue;
		provider_info = info[i % 2];
		expect_alias_address(&map, &pages[i], offsets[i]);
	}
	provider_use(0);
	for (i = 0; i < 4; i++)
		expect_dma_reads(client_fd, i * PAGE, PIECE, i * PAGE, seed);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, seed, "CPU");
}

void f42_two_providers(void)
{
	interleave(true);
}

void f43_one_of_two_reachable(void)
{
	interleave(false);
}
