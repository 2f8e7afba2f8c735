// SPDX-License-Identifier: GPL-2.0
/* The way over PCI: which kind, which addresses, and when there is none. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hygiene.h"
#include "tests.h"

#define PAGES	6ul
#define LENGTH	(PAGES * PAGE)

/* Map device memory; SKIP unless all of it goes the way @wanted. */
static uint8_t *map_by_path(uint64_t seed, enum peerlab_page_map wanted,
			    const char *name, uint64_t *offsets,
			    struct peerlab_map *map,
			    struct peerlab_client_page *pages)
{
	uint8_t *p = device_memory(LENGTH, seed, offsets);
	unsigned int i;
	int ret;

	ret = client_map(client_fd, p, LENGTH, MAP_WRITE, map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	EXPECT(map->alias == PAGES, "%llu of %lu pages are aliases", map->alias,
	       PAGES);
	if (pages[0].map != wanted)
		SKIP("the way between the two is not %s", name);
	for (i = 0; i < PAGES; i++)
		EXPECT(pages[i].map == wanted, "page %u goes another way (%u)", i,
		       pages[i].map);
	return p;
}

/* Both directions, both halves of a page, the first and the last page. */
static void transfer_both_ways(uint8_t *p, uint64_t seed)
{
	uint8_t data[PIECE];

	expect_dma_reads(client_fd, PIECE, PIECE, PIECE, seed);
	expect_dma_reads(client_fd, LENGTH - PIECE, PIECE, LENGTH - PIECE, seed);
	pattern_make(data, 2 * PAGE + 512, PIECE, seed + 100);
	dma_write(client_fd, 2 * PAGE + 512, PIECE, data);
	client_unmap(client_fd);
	pattern_expect(p, 0, 2 * PAGE + 512, seed, "CPU");
	pattern_expect(p + 2 * PAGE + 512, 2 * PAGE + 512, PIECE, seed + 100,
		       "CPU");
	pattern_expect(p + 2 * PAGE + 512 + PIECE, 2 * PAGE + 512 + PIECE,
		       LENGTH - 2 * PAGE - 512 - PIECE, seed, "CPU");
}

/* Behind one switch: the address on the wire is that of the BAR itself. */
void f61_bus_address(void)
{
	struct peerlab_client_page pages[PAGES];
	uint64_t offsets[PAGES];
	struct peerlab_map map;
	unsigned int i;
	uint8_t *p = map_by_path(61, PEERLAB_MAP_BUS_ADDR, "BUS_ADDR", offsets,
				 &map, pages);

	for (i = 0; i < PAGES; i++)
		EXPECT(pages[i].dma == provider_info.bar_bus + offsets[i],
		       "page %u: DMA address 0x%llx, 0x%llx expected", i,
		       pages[i].dma, provider_info.bar_bus + offsets[i]);
	transfer_both_ways(p, 61);
}

/*
 * The bus sees the first @length bytes of @p end @beyond bytes behind what the
 * client can reach: are they an alias?
 */
static void expect_reach(uint8_t *p, uint64_t end, size_t length,
			 uint64_t beyond, bool reached)
{
	struct peerlab_client_page page;
	struct peerlab_map map;
	uint64_t offset;
	int ret;

	migrate_in_all(p, length, false, &offset);
	REQUIRE(!provider_bus_offset(end + beyond - length -
				     provider_info.bar_bus - offset),
		"the offset of the bus: %m");
	ret = client_map(client_fd, p, length, MAP_READ, &map, &page);
	EXPECT(!ret && map.alias == reached,
	       "%lu bytes beyond the mask: %s, %llu aliases", beyond,
	       strerror(-ret), map.alias);
	client_unmap(client_fd);
}

/*
 * Where a bridge translates, what goes on the wire is not what the CPU uses, and
 * it is the wire's address that has to be within the mask.  No DMA here: the
 * translation is a lie.
 */
void f61_bus_offset(void)
{
	const uint64_t offset = 1ull << 40;
	struct peerlab_client_page pages[PAGES];
	uint64_t offsets[PAGES];
	struct peerlab_map map;
	unsigned int i;
	uint8_t *p = map_by_path(60, PEERLAB_MAP_BUS_ADDR, "BUS_ADDR", offsets,
				 &map, pages);
	int ret;

	client_unmap(client_fd);
	ret = provider_bus_offset(offset);
	REQUIRE(!ret, "the offset of the bus: %s", strerror(-ret));
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	EXPECT(map.alias == PAGES && map.map_bus == PAGES,
	       "%llu aliases, %llu of them by bus address", map.alias,
	       map.map_bus);
	for (i = 0; i < PAGES; i++)
		EXPECT(pages[i].dma == provider_info.bar_bus + offset + offsets[i],
		       "page %u: DMA address 0x%llx, 0x%llx expected", i,
		       pages[i].dma,
		       provider_info.bar_bus + offset + offsets[i]);
	client_unmap(client_fd);

	/* The BAR's own address would fit. */
	REQUIRE(!client_set_mask(client_fd, 40), "cannot set a mask of 40 bits");
	if (provider_info.bar_phys >> 40 == 0) {
		ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
		EXPECT(!ret && map.ram == PAGES,
		       "40 bits: %s, %llu aliases, %llu pages in RAM",
		       strerror(-ret), map.alias, map.ram);
		expect_dma_reads(client_fd, PIECE, PIECE, PIECE, 60);
		client_unmap(client_fd);
	}
	/* To the byte: the last one of the page is the last one in reach. */
	migrate_out(p, LENGTH, false);
	expect_reach(p, 1ull << 40, PAGE, 0, true);
	migrate_out(p, PAGE, false);
	expect_reach(p, 1ull << 40, PAGE, 1, false);
	expect_reach(p, 1ull << 40, PAGE, PAGE, false);
	expect_reach(p, 1ull << 40, PAGE, 2 * PAGE, false);
	REQUIRE(!client_set_mask(client_fd, 64), "cannot widen the mask again");
	REQUIRE(!provider_bus_offset(0), "cannot take the offset back");
	pattern_expect(p, 0, LENGTH, 60, "CPU");
}

/* Through the host bridge: the CPU's address of the BAR, or an IOVA. */
void f62_thru_host_bridge(void)
{
	struct peerlab_client_page pages[PAGES];
	uint64_t offsets[PAGES];
	struct peerlab_map map;
	unsigned int i, j;
	uint8_t *p = map_by_path(62, PEERLAB_MAP_THRU_HOST_BRIDGE,
				 "THRU_HOST_BRIDGE", offsets, &map, pages);

	ktap_note("%s", map.uses_iova ? "translated by an IOMMU" :
		  pages[0].dma == provider_info.bar_phys + offsets[0] ?
		  "untranslated" : "an address of another kind");
	for (i = 0; i < PAGES; i++) {
		if (!map.uses_iova)
			EXPECT(pages[i].dma == provider_info.bar_phys + offsets[i],
			       "page %u: DMA address 0x%llx, 0x%llx expected", i,
			       pages[i].dma, provider_info.bar_phys + offsets[i]);
		for (j = 0; j < i; j++)
			EXPECT(pages[i].dma != pages[j].dma,
			       "pages %u and %u have one DMA address", i, j);
	}
	transfer_both_ways(p, 62);
}

/* Take one page away and map again: the others keep their addresses. */
static void remap_one(uint8_t *p, struct peerlab_client_page *pages,
		      uint64_t seed)
{
	struct peerlab_client_page again[PAGES];
	struct peerlab_map map;
	unsigned int i;
	int ret;

	pattern_fill(p, 2 * PAGE, PAGE, seed);	/* the CPU: back to RAM */
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, again);
	REQUIRE(!ret, "map again: %s", strerror(-ret));
	for (i = 0; i < PAGES; i++)
		if (i != 2)
			EXPECT(again[i].dma == pages[i].dma,
			       "page %u has moved from 0x%llx to 0x%llx", i,
			       pages[i].dma, again[i].dma);
	expect_dma_reads(client_fd, 2 * PAGE, PIECE, 2 * PAGE, seed);
	expect_dma_reads(client_fd, 3 * PAGE, PIECE, 3 * PAGE, seed);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, seed, "CPU");
}

/* One IOVA range: every page has its place in it, whatever it is and becomes. */
void f65_iova(void)
{
	struct peerlab_client_page pages[PAGES];
	struct peerlab_map map;
	unsigned int i;
	uint8_t *p = device_memory(LENGTH, 66, NULL);
	int ret;

	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	if (!map.uses_iova)
		SKIP("needs a client behind a translating IOMMU (intel_iommu=on)");
	for (i = 0; i < PAGES; i++)
		if (pages[i].map != PEERLAB_MAP_BUS_ADDR)
			EXPECT(pages[i].dma == pages[0].dma + i * PAGE ||
			       pages[0].map == PEERLAB_MAP_BUS_ADDR,
			       "page %u at 0x%llx, the range begins at 0x%llx", i,
			       pages[i].dma, pages[0].dma);
	remap_one(p, pages, 66);
}

/* A list of addresses, which the kernel keeps for the unmapping. */
void f65_dma_list(void)
{
	struct peerlab_client_page pages[PAGES];
	struct peerlab_map map;
	uint8_t *p = device_memory(LENGTH, 67, NULL);
	int ret;

	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	if (!map.uses_dma_list)
		SKIP("needs a kernel that keeps a list (CONFIG_DMA_API_DEBUG, no IOVA)");
	remap_one(p, pages, 67);
}

/* Neither: addresses are computed, and unmapping is nothing. */
void f65_stateless(void)
{
	struct peerlab_client_page pages[PAGES];
	struct peerlab_map map;
	uint8_t *p = device_memory(LENGTH, 68, NULL);
	int ret;

	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	if (map.uses_iova || map.uses_dma_list)
		SKIP("needs DMA without IOMMU and without CONFIG_DMA_API_DEBUG");
	remap_one(p, pages, 68);
}

static unsigned int bits_of(uint64_t value)
{
	return value ? 64 - __builtin_clzll(value) : 0;
}

/*
 * hmm_dma_map_alloc() refuses a device that cannot reach all that it may be
 * given (dma_addressing_limited()): all RAM, or the 32 bits that the IOMMU's
 * allocator wants.
 */
static bool is_limited(unsigned int bits, bool iommu)
{
	uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * PAGE;

	return bits < (iommu ? 32 : bits_of(ram - 1));
}

/*
 * A client too narrow for the BAR: no address is cut off, and nothing fails.
 * Where an IOMMU gives addresses within the mask the way stays as it is; where
 * the BAR's own address goes out, the pages move to RAM.
 */
void f66_narrow_mask(void)
{
	unsigned int bits = bits_of(provider_info.bar_bus) - 1, i;
	struct peerlab_client_page pages[PAGES];
	struct peerlab_map wide, map;
	bool translated;
	uint8_t *p;
	int ret;

	p = device_memory(LENGTH, 69, NULL);
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &wide, pages);
	REQUIRE(!ret, "map with the wide mask: %s", strerror(-ret));
	translated = wide.alias && wide.uses_iova && !wide.map_bus;
	client_unmap(client_fd);
	if (!wide.alias)
		migrate_in_all(p, LENGTH, false, NULL);

	ret = client_set_mask(client_fd, bits);
	if (ret)
		SKIP("a DMA mask of %u bits is refused: %s", bits, strerror(-ret));
	hygiene_expect_splat(true);
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
	hygiene_expect_splat(false);
	if (ret == -EOPNOTSUPP && is_limited(bits, wide.uses_iova)) {
		ktap_note("%u bits are too few for any mapping here", bits);
		goto wider;
	}
	EXPECT(!ret, "map: %s", strerror(-ret));
	ktap_note("BAR at 0x%llx, %u bits: %s; %llu aliases, %llu in RAM, %llu not mapped",
		  provider_info.bar_bus, bits, ret ? strerror(-ret) : "mapped",
		  map.alias, map.ram, map.map_failed);
	EXPECT(!map.map_failed, "%llu pages could not be mapped",
	       map.map_failed);
	if (translated)
		EXPECT(map.alias == PAGES,
		       "%llu of %lu pages are aliases, though an IOMMU translates",
		       map.alias, PAGES);
	else
		EXPECT(map.ram == PAGES, "%llu of %lu pages are in RAM",
		       map.ram, PAGES);
	for (i = 0; !ret && i < PAGES; i++)
		EXPECT(bits_of(pages[i].dma + PAGE - 1) <= bits,
		       "page %u has the DMA address 0x%llx, of more than %u bits",
		       i, pages[i].dma, bits);
	if (!ret)
		expect_dma_reads(client_fd, PAGE, PIECE, PAGE, 69);
	client_unmap(client_fd);

wider:
	/* One bit more is enough for the BAR, to its last page. */
	REQUIRE(!client_set_mask(client_fd, bits + 1), "cannot set %u bits",
		bits + 1);
	migrate_in(p, LENGTH, false, NULL);
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
	REQUIRE(!ret, "map with %u bits: %s", bits + 1, strerror(-ret));
	EXPECT(map.alias == wide.alias,
	       "%llu aliases with %u bits, %llu with 64", map.alias, bits + 1,
	       wide.alias);
	client_unmap(client_fd);
	REQUIRE(!client_set_mask(client_fd, 64), "cannot widen the mask again");
	/* Nothing remains of it. */
	migrate_in(p, LENGTH, false, NULL);
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
	REQUIRE(!ret, "map with the wide mask: %s", strerror(-ret));
	EXPECT(map.alias == wide.alias, "%llu aliases, %llu before", map.alias,
	       wide.alias);
	expect_dma_reads(client_fd, PAGE, PIECE, PAGE, 69);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 69, "CPU");
}
