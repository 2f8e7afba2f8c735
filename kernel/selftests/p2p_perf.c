// SPDX-License-Identifier: GPL-2.0
/*
 * What it costs to fault and map a page for DMA, by kind and size.
 *
 * Every group measures the same on every kernel, so that a run before and one
 * after a series stand side by side.  Emulated machines give ratios, not times.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "hygiene.h"
#include "rig.h"

#define PTE_PAGES	4096ul	/* 16 MiB */
#define PMD_PAGES	4096ul
#define SAMPLES		11
#define SLOW_SAMPLES	5	/* migration: a hundred times slower */

struct series {
	double fault[SAMPLES];
	double map[SAMPLES];
	double both[SAMPLES];
	size_t count;
};

static void print_series(const char *group, const struct series *series,
			 unsigned long pages)
{
	char name[64];

	snprintf(name, sizeof(name), "fault.%s", group);
	ktap_metric(name, "ns/page", series->fault, series->count,
		    &(struct metric_params){ .pages = pages });
	snprintf(name, sizeof(name), "map.%s", group);
	ktap_metric(name, "ns/page", series->map, series->count,
		    &(struct metric_params){ .pages = pages });
	snprintf(name, sizeof(name), "fault_map.%s", group);
	ktap_metric(name, "ns/page", series->both, series->count,
		    &(struct metric_params){ .pages = pages });
}

/* Fault, map and unmap @p once; adds a sample unless @series is NULL. */
static struct peerlab_map measure(uint8_t *p, unsigned long pages,
				  unsigned int flags, struct series *series)
{
	struct peerlab_map map;
	int ret;

	ret = client_map(client_fd, p, pages * PAGE,
			 flags | PEERLAB_MAP_WRITE | PEERLAB_MAP_DISCARD, &map,
			 NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	if (series) {
		series->fault[series->count] = (double)map.fault_ns / pages;
		series->map[series->count] = (double)map.map_ns / pages;
		series->both[series->count] =
			(double)(map.fault_ns + map.map_ns) / pages;
		series->count++;
	}
	return map;
}

static void measure_ram(const char *group, unsigned long pages, bool huge)
{
	uint8_t *p = memory_alloc(pages * PAGE, huge);
	struct series series = {};
	struct peerlab_map map;
	unsigned int i;

	memset(p, 1, pages * PAGE);
	measure(p, pages, 0, NULL);
	for (i = 0; i < SAMPLES; i++) {
		map = measure(p, pages, 0, &series);
		EXPECT(map.ram == pages, "%llu of %lu pages in RAM", map.ram,
		       pages);
	}
	print_series(group, &series, pages);
}

static void measure_alias(const char *group, unsigned long pages, bool huge)
{
	uint8_t *p = memory_alloc(pages * PAGE, huge);
	struct series series = {};
	struct peerlab_map map;
	unsigned int i;

	memset(p, 1, pages * PAGE);
	migrate_in_all(p, pages * PAGE, huge, NULL);
	measure(p, pages, PEERLAB_MAP_DMA_DEV, NULL);
	for (i = 0; i < SAMPLES; i++) {
		map = measure(p, pages, PEERLAB_MAP_DMA_DEV, &series);
		if (map.alias != pages) {
			ktap_note("only %llu of %lu pages are aliases", map.alias,
				  pages);
			return;
		}
	}
	print_series(group, &series, pages);
}

/* The owner looks at its own pages: what a GPU's own driver pays. */
static void measure_own(const char *group, unsigned long pages, bool huge)
{
	static struct peerlab_own_page own[PTE_PAGES];
	uint8_t *p = memory_alloc(pages * PAGE, huge);
	double samples[SAMPLES];
	char name[64];
	unsigned int i;

	memset(p, 1, pages * PAGE);
	migrate_in_all(p, pages * PAGE, huge, NULL);
	provider_snapshot(p, pages * PAGE, own);
	for (i = 0; i < SAMPLES; i++)
		samples[i] = (double)provider_snapshot_flags(p, pages * PAGE, 0,
							     own) / pages;
	EXPECT(own[pages - 1].offset != ~0ull, "the last page is not on the device");
	snprintf(name, sizeof(name), "fault.%s", group);
	ktap_metric(name, "ns/page", samples, SAMPLES,
		    &(struct metric_params){ .pages = pages });
}

/* What every client pays today: the pages are migrated back by the fault. */
static void measure_fallback(const char *group, unsigned long pages, bool huge)
{
	uint8_t *p = memory_alloc(pages * PAGE, huge);
	struct series series = {};
	struct peerlab_map map;
	unsigned int i;

	memset(p, 1, pages * PAGE);
	for (i = 0; i < SLOW_SAMPLES + 1; i++) {
		migrate_in_all(p, pages * PAGE, huge, NULL);
		map = measure(p, pages, 0, i ? &series : NULL);
		EXPECT(map.ram == pages, "%llu of %lu pages in RAM", map.ram,
		       pages);
	}
	print_series(group, &series, pages);
}

/* The cost of moving the memory itself, both ways. */
static void measure_migration(const char *group, unsigned long pages, bool huge)
{
	uint8_t *p = memory_alloc(pages * PAGE, huge);
	double in[SLOW_SAMPLES], out[SLOW_SAMPLES];
	char name[64];
	unsigned int i;

	memset(p, 1, pages * PAGE);
	migrate_in_all(p, pages * PAGE, huge, NULL);
	migrate_out(p, pages * PAGE, huge);
	for (i = 0; i < SLOW_SAMPLES; i++) {
		uint64_t moved = migrate_in(p, pages * PAGE, huge, NULL);

		EXPECT(moved == pages, "%lu of %lu pages moved in", moved, pages);
		in[i] = (double)last_migration_ns() / pages;
		moved = migrate_out(p, pages * PAGE, huge);
		EXPECT(moved == pages, "%lu of %lu pages moved out", moved, pages);
		out[i] = (double)last_migration_ns() / pages;
	}
	snprintf(name, sizeof(name), "migrate_in.%s", group);
	ktap_metric(name, "ns/page", in, SLOW_SAMPLES,
		    &(struct metric_params){ .pages = pages });
	snprintf(name, sizeof(name), "migrate_out.%s", group);
	ktap_metric(name, "ns/page", out, SLOW_SAMPLES,
		    &(struct metric_params){ .pages = pages });
}

static const unsigned long batches[] = { 1, 8, 64, 512 };

#define BATCHES		(sizeof(batches) / sizeof(batches[0]))
#define BATCH_WALKS	64	/* short walks in one sample */

enum batch_kind { BATCH_RAM, BATCH_OWN, BATCH_ALIAS, BATCH_FALLBACK };

struct walk_ns {
	double mean;
	double least;
};

/* What one walk over @pages takes, of some. */
static struct walk_ns time_walks(uint8_t *p, unsigned long pages,
				 enum batch_kind kind)
{
	unsigned int walks = pages >= 64 || kind == BATCH_FALLBACK ? 4 : BATCH_WALKS;
	static struct peerlab_own_page own[512];
	struct walk_ns all = {};
	unsigned int i;

	for (i = 0; i < walks; i++) {
		double ns;

		if (kind == BATCH_FALLBACK)
			migrate_in_all(p, pages * PAGE, false, NULL);
		if (kind == BATCH_OWN)
			ns = provider_snapshot_flags(p, pages * PAGE, 0, own);
		else
			ns = measure(p, pages, kind == BATCH_ALIAS ?
				     PEERLAB_MAP_DMA_DEV : 0, NULL).fault_ns;
		all.mean += ns / walks;
		if (!i || ns < all.least)
			all.least = ns;
	}
	return all;
}

/* P1 by the number of pages that one call of hmm_range_fault() is about. */
static void measure_batches(const char *name, enum batch_kind kind)
{
	uint8_t *p = memory_alloc(512 * PAGE, false);
	double samples[SAMPLES];
	char full[64];
	unsigned int i, j;

	memset(p, 1, 512 * PAGE);
	if (kind == BATCH_OWN || kind == BATCH_ALIAS)
		migrate_in_all(p, 512 * PAGE, false, NULL);
	for (i = 0; i < BATCHES; i++) {
		time_walks(p, batches[i], kind);
		for (j = 0; j < SAMPLES; j++)
			samples[j] = time_walks(p, batches[i], kind).mean /
				     batches[i];
		snprintf(full, sizeof(full), "batch.%s.%lu", name, batches[i]);
		ktap_metric(full, "ns/page", samples, SAMPLES,
			    &(struct metric_params){ .pages = batches[i] });
	}
}

static void p1_batch_ram(void)
{
	measure_batches("ram", BATCH_RAM);
}

static void p1_batch_own(void)
{
	measure_batches("own", BATCH_OWN);
}

static void p1_batch_alias(void)
{
	measure_batches("alias", BATCH_ALIAS);
}

static void p1_batch_fallback(void)
{
	measure_batches("fallback", BATCH_FALLBACK);
}

/*
 * P3.  A walk of one page asks p2pdma how the two devices stand to each other,
 * one of many pages asks once and then remembers: what an alias costs beyond
 * RAM in the one and in the other.  Of the least of some walks, because the
 * difference is smaller than what a busy host adds to the mean.
 */
static void p3_callback_cost(void)
{
	uint8_t *ram = memory_alloc(512 * PAGE, false);
	uint8_t *device = memory_alloc(512 * PAGE, false);
	double miss[SAMPLES], hit[SAMPLES];
	unsigned int i;

	memset(ram, 1, 512 * PAGE);
	memset(device, 1, 512 * PAGE);
	migrate_in_all(device, 512 * PAGE, false, NULL);
	time_walks(ram, 1, BATCH_RAM);
	time_walks(device, 1, BATCH_ALIAS);
	for (i = 0; i < SAMPLES; i++) {
		miss[i] = time_walks(device, 1, BATCH_ALIAS).least -
			  time_walks(ram, 1, BATCH_RAM).least;
		hit[i] = (time_walks(device, 512, BATCH_ALIAS).least -
			  time_walks(ram, 512, BATCH_RAM).least) / 512;
	}
	ktap_metric("callback.state_miss", "ns", miss, SAMPLES,
		    &(struct metric_params){ .pages = 1 });
	ktap_metric("callback.state_hit", "ns", hit, SAMPLES,
		    &(struct metric_params){ .pages = 512 });
}

#define MAX_MAPPINGS	64
#define SHARED_PAGES	512ul

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* How long the kernel needs to take memory away that so many have mapped. */
static double time_invalidation(unsigned int mappings, bool by_munmap, bool alias)
{
	uint8_t *p = memory_alloc(SHARED_PAGES * PAGE, false);
	int fds[MAX_MAPPINGS];
	struct peerlab_map map;
	unsigned int i;
	uint64_t ns;
	int ret;

	memset(p, 1, SHARED_PAGES * PAGE);
	if (alias)
		migrate_in_all(p, SHARED_PAGES * PAGE, false, NULL);
	for (i = 0; i < mappings; i++) {
		fds[i] = client_open();
		ret = client_map(fds[i], p, SHARED_PAGES * PAGE,
				 alias ? PEERLAB_MAP_DMA_DEV : 0, &map, NULL);
		REQUIRE(!ret, "map %u: %s", i, strerror(-ret));
		EXPECT((alias ? map.alias : map.ram) == SHARED_PAGES,
		       "%llu aliases, %llu in RAM", map.alias, map.ram);
	}
	if (by_munmap) {
		ns = now_ns();
		munmap(p, SHARED_PAGES * PAGE);
		ns = now_ns() - ns;
	} else {
		if (alias)
			migrate_out(p, SHARED_PAGES * PAGE, false);
		else
			migrate_in(p, SHARED_PAGES * PAGE, false, NULL);
		ns = last_migration_ns();
	}
	for (i = 0; i < mappings; i++) {
		EXPECT(client_state(fds[i]).valid == 0, "mapping %u is left", i);
		close(fds[i]);
	}
	munmap(p, SHARED_PAGES * PAGE);
	return ns / 1000.0;
}

static void measure_invalidation(const char *kind, bool alias)
{
	static const unsigned int counts[] = { 1, 8, 64 };
	double samples[SLOW_SAMPLES];
	char name[64];
	unsigned int i, j, way;

	for (way = 0; way < 2; way++)
		for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
			time_invalidation(counts[i], way, alias);
			for (j = 0; j < SLOW_SAMPLES; j++)
				samples[j] = time_invalidation(counts[i], way,
							       alias);
			snprintf(name, sizeof(name), "invalidate.%s.%s.%u",
				 way ? "munmap" : "migrate", kind, counts[i]);
			ktap_metric(name, "us", samples, SLOW_SAMPLES,
				    &(struct metric_params){
					.pages = SHARED_PAGES,
					.mappings = counts[i],
				    });
		}
}

static void p10_invalidate_ram(void)
{
	measure_invalidation("ram", false);
}

static void p10_invalidate_alias(void)
{
	measure_invalidation("alias", true);
}

static void p1_own_pte(void)
{
	measure_own("own.pte", PTE_PAGES, false);
}

static void p1_own_pmd(void)
{
	measure_own("own.pmd", PMD_PAGES, true);
}

static void p1_ram_pte(void)
{
	measure_ram("ram.pte", PTE_PAGES, false);
}

static void p1_ram_pmd(void)
{
	measure_ram("ram.pmd", PMD_PAGES, true);
}

static void p1_alias_pte(void)
{
	measure_alias("alias.pte", PTE_PAGES, false);
}

static void p1_alias_pmd(void)
{
	measure_alias("alias.pmd", PMD_PAGES, true);
}

static void p1_fallback_pte(void)
{
	measure_fallback("fallback.pte", PTE_PAGES, false);
}

static void p1_fallback_pmd(void)
{
	measure_fallback("fallback.pmd", PMD_PAGES, true);
}

static void p4_migration_pte(void)
{
	measure_migration("pte", PTE_PAGES, false);
}

static void p4_migration_pmd(void)
{
	measure_migration("pmd", PMD_PAGES, true);
}

static const struct test tests[] = {
	{ "P1.ram_pte", WAY_RAM, 0, p1_ram_pte },
	{ "P1.ram_pmd", WAY_RAM, 0, p1_ram_pmd },
	{ "P1.alias_pte", WAY_PEER, NEEDS_ALIAS | NEEDS_PATH, p1_alias_pte },
	{ "P1.alias_pmd", WAY_PEER, NEEDS_ALIAS | NEEDS_PATH, p1_alias_pmd },
	{ "P1.fallback_pte", WAY_RAM, 0, p1_fallback_pte },
	{ "P1.fallback_pmd", WAY_RAM, 0, p1_fallback_pmd },
	{ "P1.own_pte", WAY_NONE, 0, p1_own_pte },
	{ "P1.own_pmd", WAY_NONE, 0, p1_own_pmd },
	{ "P1.batch_ram", WAY_RAM, 0, p1_batch_ram },
	{ "P1.batch_own", WAY_NONE, 0, p1_batch_own },
	{ "P1.batch_alias", WAY_PEER, NEEDS_ALIAS | NEEDS_PATH, p1_batch_alias },
	{ "P1.batch_fallback", WAY_RAM, 0, p1_batch_fallback },
	{ "P3.callback_cost", WAY_PEER, NEEDS_ALIAS | NEEDS_PATH, p3_callback_cost },
	{ "P4.migration_pte", WAY_NONE, 0, p4_migration_pte },
	{ "P4.migration_pmd", WAY_NONE, 0, p4_migration_pmd },
	{ "P10.invalidate_ram", WAY_RAM, 0, p10_invalidate_ram },
	{ "P10.invalidate_alias", WAY_PEER, NEEDS_ALIAS | NEEDS_PATH, p10_invalidate_alias },
	{ "H01.nothing_left", WAY_NONE, 0, h01_nothing_left },
	{}
};

int main(int argc, char **argv)
{
	return ktap_main(argc, argv, tests, rig_setup, hygiene_before);
}
