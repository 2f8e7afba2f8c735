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

#define PLACES	20	/* to try before the device is called full */

/* The lowest offset of three pages from @first on, if no other is among them. */
static uint64_t window_of_three(const uint64_t *offsets, unsigned int first)
{
	uint64_t low = ~0ull;
	unsigned int i;

	for (i = first; i < first + 3; i++)
		low = offsets[i] < low ? offsets[i] : low;
	for (i = 0; i < PAGES; i++)
		if ((offsets[i] - low < 3 * PAGE) !=
		    (i >= first && i < first + 3))
			return ~0ull;
	return low;
}

/*
 * Three pages of eight are refused, from @first on: those come back, and only
 * those: the fault that brings them must not take the pages behind them along.
 */
static void refuse_three(unsigned int first, uint64_t seed)
{
	struct peerlab_client_page pages[PAGES];
	struct peerlab_own_page own[PAGES];
	uint64_t offsets[PAGES], low = ~0ull;
	struct peerlab_map map;
	uint8_t *p = NULL;
	unsigned int i;
	int ret;

	/* What is moved in pieces may be scattered over the device. */
	for (i = 0; i < PLACES && low == ~0ull; i++) {
		p = device_memory(LENGTH, seed, offsets);
		low = window_of_three(offsets, first);
	}
	REQUIRE(low != ~0ull, "the pages are scattered over the device");
	provider_refuse_window(low, 3);
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
	provider_behave(0, 0);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	provider_snapshot(p, LENGTH, own);
	for (i = 0; i < PAGES; i++) {
		bool alias = pages[i].kind == PEERLAB_KIND_ALIAS;

		EXPECT(alias || pages[i].kind == PEERLAB_KIND_RAM,
		       "page %u is of kind %u", i, pages[i].kind);
		if (i >= first && i < first + 3)
			EXPECT(!alias, "page %u, refused, has an alias", i);
		else if (path_reachable())
			EXPECT(alias, "page %u, granted, is of kind %u", i,
			       pages[i].kind);
		EXPECT(own[i].offset == (alias ? offsets[i] : ~0ull),
		       "page %u is of kind %u and at 0x%llx on the device", i,
		       pages[i].kind, own[i].offset);
		if (alias)
			expect_alias_address(&map, &pages[i], offsets[i]);
	}
	if (first)
		expect_dma_reads(client_fd, 0, PIECE, 0, seed);
	expect_dma_reads(client_fd, first * PAGE, PIECE, first * PAGE, seed);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, seed, "CPU");
}

void f04_refused_window(void)
{
	refuse_three(5, 14);
	refuse_three(2, 114);
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
	       "the provider was asked by the owner");
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

/* The owner's pfn is a name: nobody may make a DMA address of it. */
void f05_own_page_is_no_address(void)
{
	uint8_t *p = device_memory(PAGE, 21, NULL);
	int ret;

	/* The kernel warns, once. */
	hygiene_expect_splat(true);
	ret = provider_map_own(p);
	hygiene_expect_splat(false);
	EXPECT(ret == -EIO, "mapped a device private page for DMA: %s",
	       ret ? strerror(-ret) : "done");
	pattern_expect(p, 0, PAGE, 21, "CPU");
}

/* Two owners in one range, and only the first of them has aliases. */
void f06_other_owner_without_operation(void)
{
	uint8_t *p = device_memory(LENGTH, 16, NULL);
	struct peerlab_client_page pages[PAGES];
	struct peerlab_map map;
	unsigned int i;
	int ret;

	migrate_out(p + LENGTH / 2, LENGTH / 2, false);
	provider_use(1);
	migrate_in_all(p + LENGTH / 2, LENGTH / 2, false, NULL);
	provider_behave_flags(PEERLAB_BEHAVE_NO_OP);
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
	provider_behave(0, 0);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	provider_use(0);
	for (i = 0; i < PAGES; i++) {
		bool has_alias = i < PAGES / 2 && path_reachable();

		EXPECT(pages[i].kind == (has_alias ? PEERLAB_KIND_ALIAS :
						     PEERLAB_KIND_RAM),
		       "page %u is of kind %u", i, pages[i].kind);
	}
	expect_dma_reads(client_fd, PAGE, PIECE, PAGE, 16);
	expect_dma_reads(client_fd, 6 * PAGE, PIECE, 6 * PAGE, 16);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 16, "CPU");
}

/* What breaks the contract is as good as a refusal, and the kernel says so, once. */
static void ask_a_liar(uint8_t *p, size_t length, uint64_t seed, unsigned int lie)
{
	struct peerlab_map map;
	int ret;

	hygiene_expect_splat(true);
	provider_behave_flags(lie);
	ret = client_map(client_fd, p, length, MAP_READ, &map, NULL);
	provider_behave(0, 0);
	hygiene_expect_splat(false);
	REQUIRE(!ret, "map, lie 0x%x: %s", lie, strerror(-ret));
	EXPECT(map.alias == 0 && map.ram == length / PAGE,
	       "lie 0x%x: %llu aliases, %llu of %lu pages in RAM", lie,
	       map.alias, map.ram, length / PAGE);
	expect_dma_reads(client_fd, PAGE, PIECE, PAGE, seed);
	client_unmap(client_fd);
	pattern_expect(p, 0, length, seed, "CPU");
}

void f10_lies_are_not_believed(void)
{
	static const unsigned int lies[] = {
		PEERLAB_BEHAVE_LIE_NO_PAGES, PEERLAB_BEHAVE_LIE_MORE_PAGES,
		PEERLAB_BEHAVE_LIE_NO_MEMORY, PEERLAB_BEHAVE_LIE_PRIVATE,
	};
	unsigned int i;

	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		ask_a_liar(device_memory(LENGTH, 25 + i, NULL), LENGTH, 25 + i,
			   lies[i]);
		ask_a_liar(huge_device_memory(35 + i, NULL), HUGE, 35 + i,
			   lies[i]);
	}
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
	static struct peerlab_client_page pages[HUGE_PAGES], again[HUGE_PAGES];
	uint8_t *p = memory_alloc(HUGE, true);
	struct peerlab_map map;
	unsigned long i;
	int ret;

	pattern_fill(p, 0, HUGE, 11);
	client_map_twice(p, HUGE, MAP_WRITE, pages, again, &map);
	if (pages[0].order != HUGE_ORDER)
		SKIP("the kernel gave no huge page (order %u)", pages[0].order);
	for (i = 0; i < HUGE_PAGES; i++)
		REQUIRE(pages[i].order == HUGE_ORDER && pages[i].kind == PEERLAB_KIND_RAM &&
			pages[i].flags == PEERLAB_PAGE_WRITE,
			"huge RAM, page %lu: order %u, kind %u, flags 0x%x", i,
			pages[i].order, pages[i].kind, pages[i].flags);
	/* Again, with everything mapped: sticky flags sit beside the order. */
	EXPECT(map.sticky == HUGE_PAGES, "%llu pages still mapped", map.sticky);
	EXPECT(again[511].order == HUGE_ORDER, "order %u the second time",
	       again[511].order);
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

/* Provider 0 and 1 by turns, @run pages each; compares every page. */
static void two_providers(unsigned int run, uint64_t seed, bool one_unreachable)
{
	struct peerlab_client_page pages[PAGES];
	struct peerlab_provider_info info[2];
	uint8_t *p = memory_alloc(LENGTH, false);
	bool reachable[2], met_unreachable = false;
	struct peerlab_own_page own[PAGES];
	uint64_t offsets[PAGES];
	struct peerlab_map map;
	unsigned int i, which;
	int ret;

	for (which = 0; which < 2; which++) {
		provider_use(which);
		info[which] = provider_info;
		reachable[which] = path_reachable();
	}
	if (one_unreachable == (reachable[0] && reachable[1]) ||
	    !(reachable[0] || reachable[1]))
		SKIP("needs %s (one is %s, the other %s)",
		     one_unreachable ? "one provider that can be reached and one that cannot" :
				       "two providers that can be reached",
		     reachable[0] ? "reachable" : "not",
		     reachable[1] ? "reachable" : "not");
	pattern_fill(p, 0, LENGTH, seed);
	for (i = 0; i < PAGES; i++) {
		provider_use(i / run % 2);
		migrate_in_all(p + i * PAGE, PAGE, false, &offsets[i]);
	}
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	for (i = 0; i < PAGES; i++) {
		which = i / run % 2;
		met_unreachable |= !reachable[which];
		if (pages[i].kind != PEERLAB_KIND_ALIAS) {
			EXPECT(met_unreachable && pages[i].kind == PEERLAB_KIND_RAM,
			       "page %u is of kind %u", i, pages[i].kind);
			continue;
		}
		EXPECT(reachable[which], "page %u is out of reach and an alias", i);
		provider_use(which);
		provider_snapshot(p + i * PAGE, PAGE, own);
		EXPECT(own[0].offset == offsets[i], "page %u has moved", i);
		provider_info = info[which];
		expect_alias_address(&map, &pages[i], offsets[i]);
	}
	for (i = 0; i < PAGES; i += 2)
		expect_dma_reads(client_fd, i * PAGE, PIECE, i * PAGE, seed);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, seed, "CPU");
	provider_use(0);
}

/* What is known of one provider is not true of the other. */
void f42_two_providers(void)
{
	two_providers(1, 42, false);
	two_providers(3, 142, false);
}

void f43_one_of_two_reachable(void)
{
	two_providers(1, 43, true);
	two_providers(4, 143, true);
}
