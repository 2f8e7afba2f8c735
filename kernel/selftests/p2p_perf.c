// SPDX-License-Identifier: GPL-2.0
/*
 * What it costs to fault and map a page for DMA, by kind and size.
 *
 * Every group measures the same on every kernel, so that a run before and one
 * after a series stand side by side.  Emulated machines give ratios, not times.
 */
#include <stdio.h>
#include <string.h>

#include "hygiene.h"
#include "rig.h"

#define PTE_PAGES	4096ul	/* 16 MiB */
#define PMD_PAGES	4096ul
#define SAMPLES		7
#define SLOW_SAMPLES	3	/* migration: a hundred times slower */

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
	{ "P4.migration_pte", WAY_NONE, 0, p4_migration_pte },
	{ "P4.migration_pmd", WAY_NONE, 0, p4_migration_pmd },
	{ "H01.nothing_left", WAY_NONE, 0, h01_nothing_left },
	{}
};

int main(int argc, char **argv)
{
	return ktap_main(argc, argv, tests, rig_setup, hygiene_before);
}
