// SPDX-License-Identifier: GPL-2.0
/* Ranges of every shape and mixture. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "files.h"
#include "tests.h"

/*
 * By turns: device memory, RAM, memory that was only read so far (the zero
 * page), and device memory again.  The only test that shows the zero page to a
 * client with dma_dev.
 */
void f40_mixed_range(void)
{
	const unsigned long npages = 12, length = npages * PAGE;
	uint8_t *p = memory_alloc(length, false);
	struct peerlab_client_page pages[12];
	static const uint8_t zero[PIECE];
	uint8_t buffer[PIECE];
	struct peerlab_map map;
	unsigned long i;
	int ret;

	for (i = 0; i < npages; i++) {
		if (i % 4 == 2)
			*(volatile uint8_t *)(p + i * PAGE);
		else
			pattern_fill(p, i * PAGE, PAGE, 40);
	}
	for (i = 0; i < npages; i++)
		if (i % 4 == 0 || i % 4 == 3)
			migrate_in_all(p + i * PAGE, PAGE, false, NULL);

	ret = client_map(client_fd, p, length, MAP_READ, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	EXPECT(map.private_pages == 0 && map.none == 0,
	       "%llu device private and %llu invalid pfns", map.private_pages,
	       map.none);
	for (i = 0; i < npages; i++)
		if (i % 4 == 1 || i % 4 == 2)
			EXPECT(pages[i].kind == PEERLAB_KIND_RAM,
			       "page %lu is of kind %u", i, pages[i].kind);
	EXPECT(!(pages[2].flags & PEERLAB_PAGE_WRITE),
	       "the zero page may be written");
	expect_dma_reads(client_fd, 4 * PAGE, PIECE, 4 * PAGE, 40);
	expect_dma_reads(client_fd, 5 * PAGE, PIECE, 5 * PAGE, 40);
	expect_dma_reads(client_fd, 7 * PAGE + PIECE, PIECE, 7 * PAGE + PIECE, 40);
	dma_read(client_fd, 6 * PAGE, PIECE, buffer);
	EXPECT(!memcmp(buffer, zero, PIECE), "the zero page is not zero");
	client_unmap(client_fd);
	for (i = 0; i < npages; i++)
		if (i % 4 != 2)
			pattern_expect(p + i * PAGE, i * PAGE, PAGE, 40, "CPU");
}

/*
 * Every other page was never touched: faulting those in must leave the pages in
 * between on the device, which is where they can be reached.
 */
void f40_absent_between(void)
{
	const unsigned long npages = 12, length = npages * PAGE;
	uint8_t *p = memory_alloc(length, false);
	struct peerlab_provider_counters before, after;
	struct peerlab_client_page pages[12];
	struct peerlab_map map;
	unsigned long i;
	int ret;

	for (i = 1; i < npages; i += 2) {
		pattern_fill(p, i * PAGE, PAGE, 48);
		migrate_in_all(p + i * PAGE, PAGE, false, NULL);
	}
	before = provider_counters();
	ret = client_map(client_fd, p, length, MAP_READ, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	after = provider_counters();
	for (i = 0; i < npages; i++) {
		bool alias = i % 2 && path_reachable();

		EXPECT(pages[i].kind == (alias ? PEERLAB_KIND_ALIAS :
						 PEERLAB_KIND_RAM),
		       "page %lu is of kind %u", i, pages[i].kind);
	}
	EXPECT(!path_reachable() || after.pages_out == before.pages_out,
	       "%llu pages came back although they could be reached",
	       after.pages_out - before.pages_out);
	expect_dma_reads(client_fd, 7 * PAGE, PIECE, 7 * PAGE, 48);
	client_unmap(client_fd);
	for (i = 1; i < npages; i += 2)
		pattern_expect(p + i * PAGE, i * PAGE, PAGE, 48, "CPU");
}

/*
 * A fault for a page that is absent goes over one that a device has for itself,
 * which it gives back as well, and ends before the page that can stay.
 */
void f40_exclusive_between(void)
{
	const unsigned long npages = 4, length = npages * PAGE;
	uint8_t *p = memory_alloc(length, false);
	struct peerlab_provider_counters before, after;
	struct peerlab_client_page pages[4];
	struct peerlab_map map;
	unsigned long i;
	int ret;

	pattern_fill(p, PAGE, 2 * PAGE, 50);
	migrate_in_all(p + 2 * PAGE, PAGE, false, NULL);
	ret = provider_make_exclusive(p + PAGE);
	REQUIRE(!ret, "make_device_exclusive: %s", strerror(-ret));
	before = provider_counters();
	ret = client_map(client_fd, p, length, MAP_READ, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	after = provider_counters();
	for (i = 0; i < npages; i++) {
		bool alias = i == 2 && path_reachable();

		EXPECT(pages[i].kind == (alias ? PEERLAB_KIND_ALIAS :
						 PEERLAB_KIND_RAM),
		       "page %lu is of kind %u", i, pages[i].kind);
	}
	EXPECT(!path_reachable() || after.pages_out == before.pages_out,
	       "%llu pages came back although they could be reached",
	       after.pages_out - before.pages_out);
	expect_dma_reads(client_fd, PAGE, PIECE, PAGE, 50);
	expect_dma_reads(client_fd, 2 * PAGE, PIECE, 2 * PAGE, 50);
	client_unmap(client_fd);
	pattern_expect(p + PAGE, PAGE, 2 * PAGE, 50, "CPU");
}

/*
 * The CPU itself has pages of the BAR mapped, as any process may that opens the
 * p2p pool: nothing here is an alias, yet a device goes to a peer.
 */
void f40_p2p_page_in_vma(void)
{
	const unsigned long npages = 2, length = npages * PAGE;
	struct peerlab_client_page pages[2];
	char address[32], path[80];
	struct peerlab_map map;
	uint8_t *p;
	int fd, ret;

	pci_address_of("peerlab_provider0", address, sizeof(address));
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/p2pmem/allocate",
		 address);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		SKIP("the kernel has no sysfs file to allocate p2p memory");
	REQUIRE(fd >= 0, "%s: %m", path);
	p = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(p != MAP_FAILED, "mmap: %m");
	pattern_fill(p, 0, length, 49);

	ret = client_map(client_fd, p, length, MAP_READ, &map, pages);
	if (!path_reachable()) {
		EXPECT(ret || map.map_failed == npages,
		       "memory out of reach was mapped");
		client_unmap(client_fd);
	} else {
		REQUIRE(!ret, "map: %s", strerror(-ret));
		EXPECT(map.alias == 0 && map.private_pages == 0,
		       "%llu aliases and %llu device private pfns", map.alias,
		       map.private_pages);
		EXPECT(map.map_bus + map.map_thru == npages,
		       "%llu of %lu pages were mapped as a peer's",
		       map.map_bus + map.map_thru, npages);
		expect_dma_reads(client_fd, PAGE, PIECE, PAGE, 49);
		client_unmap(client_fd);
	}
	pattern_expect(p, 0, length, 49, "CPU");
	munmap(p, length);
	close(fd);
}

/* Device memory between pages of a file, shared and private. */
void f40_file_pages(void)
{
	const unsigned long npages = 9, length = npages * PAGE;
	uint8_t *p = device_memory(length, 45, NULL);
	struct peerlab_client_page pages[9];
	struct peerlab_map map;
	uint8_t data[PIECE];
	unsigned long i;
	int fd, ret;

	fd = memfd_create("f40", MFD_CLOEXEC);
	REQUIRE(fd >= 0 && !ftruncate(fd, length), "memfd: %m");
	for (i = 1; i < npages; i += 3) {
		REQUIRE(mmap(p + i * PAGE, PAGE, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_FIXED, fd, i * PAGE) != MAP_FAILED &&
			mmap(p + (i + 1) * PAGE, PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_FIXED, fd, i * PAGE) != MAP_FAILED,
			"mmap: %m");
		pattern_fill(p, i * PAGE, PAGE, 45);
	}
	ret = client_map(client_fd, p, length, MAP_WRITE, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	EXPECT(map.private_pages == 0 && map.none == 0 && map.read_only == 0,
	       "%llu device private, %llu invalid, %llu read-only pfns",
	       map.private_pages, map.none, map.read_only);
	for (i = 0; i < npages; i++)
		if (i % 3)
			EXPECT(pages[i].kind == PEERLAB_KIND_RAM,
			       "file page %lu is of kind %u", i, pages[i].kind);
	/* Through the private mapping, and the file does not change. */
	pattern_make(data, 5 * PAGE, PIECE, 145);
	dma_write(client_fd, 5 * PAGE, PIECE, data);
	expect_dma_reads(client_fd, 4 * PAGE, PIECE, 4 * PAGE, 45);
	expect_dma_reads(client_fd, 6 * PAGE, PIECE, 6 * PAGE, 45);
	client_unmap(client_fd);
	pattern_expect(p + 5 * PAGE, 5 * PAGE, PIECE, 145, "CPU");
	for (i = 0; i < npages; i++)
		if (i % 3 != 2)
			pattern_expect(p + i * PAGE, i * PAGE, PAGE, 45, "CPU");
}

/* The owner's view of a range of its own pages, another's, and RAM. */
void f40_own_and_foreign(void)
{
	const unsigned long npages = 9, length = npages * PAGE;
	uint8_t *p = memory_alloc(length, false);
	struct peerlab_own_page own[9];
	uint64_t offsets[9];
	unsigned long i;

	pattern_fill(p, 0, length, 46);
	for (i = 0; i < npages; i++) {
		if (i % 3 == 2)
			continue;
		provider_use(i % 3);
		migrate_in_all(p + i * PAGE, PAGE, false, &offsets[i]);
	}
	provider_use(0);
	provider_snapshot(p, length, own);
	for (i = 0; i < npages; i++)
		EXPECT(own[i].offset == (i % 3 ? ~0ull : offsets[i]),
		       "page %lu at 0x%llx", i, own[i].offset);
	provider_snapshot_flags(p, length, PEERLAB_SNAPSHOT_DMA_DEV, own);
	for (i = 0; have_alias() && i < npages; i++) {
		EXPECT(!!(own[i].flags & PEERLAB_PAGE_DEVICE_PRIVATE) == !(i % 3),
		       "page %lu has flags 0x%x", i, own[i].flags);
		EXPECT(!(own[i].flags & PEERLAB_PAGE_DMA_ALIAS) || i % 3 == 1,
		       "page %lu is an alias", i);
	}
	pattern_expect(p, 0, length, 46, "CPU");
}

/* A hole in the range is an error, and harms nothing around it. */
void f40_hole(void)
{
	const unsigned long npages = 6, length = npages * PAGE;
	uint8_t *p = memory_alloc(length, false);
	struct peerlab_client_page pages[6];
	struct peerlab_map map;
	int ret;

	pattern_fill(p, 0, length, 41);
	migrate_in_all(p, length, false, NULL);
	REQUIRE(!munmap(p + 3 * PAGE, PAGE), "munmap: %m");
	ret = client_map(client_fd, p, length, MAP_READ, &map, NULL);
	EXPECT(ret == -EFAULT, "mapping over a hole: %s", strerror(-ret));
	ret = client_map(client_fd, p, length, MAP_READ | PEERLAB_MAP_SNAPSHOT,
			 &map, pages);
	REQUIRE(!ret, "snapshot over a hole: %s", strerror(-ret));
	EXPECT(pages[3].kind == PEERLAB_KIND_ERROR, "the hole is of kind %u",
	       pages[3].kind);
	ret = client_map(client_fd, p + 4 * PAGE, 2 * PAGE, MAP_READ, &map, NULL);
	REQUIRE(!ret, "map behind the hole: %s", strerror(-ret));
	expect_dma_reads(client_fd, PAGE, PIECE, 5 * PAGE, 41);
	client_unmap(client_fd);
	pattern_expect(p, 0, 3 * PAGE, 41, "CPU");
	pattern_expect(p + 4 * PAGE, 4 * PAGE, 2 * PAGE, 41, "CPU");
}

/* Map a part of @length bytes of device memory and compare every address. */
static void map_part(uint8_t *p, const uint64_t *offsets, size_t first,
		     size_t count)
{
	static struct peerlab_client_page pages[HUGE_PAGES];
	struct peerlab_map map;
	size_t i;
	int ret;

	ret = client_map(client_fd, p + first * PAGE, count * PAGE, MAP_READ,
			 &map, pages);
	REQUIRE(!ret, "map %zu pages from %zu: %s", count, first, strerror(-ret));
	EXPECT(map.alias + map.ram == count, "%llu aliases and %llu RAM of %zu",
	       map.alias, map.ram, count);
	for (i = 0; i < count; i++)
		if (pages[i].kind == PEERLAB_KIND_ALIAS)
			expect_alias_address(&map, &pages[i], offsets[first + i]);
}

void f41_single_page(void)
{
	uint8_t *p = memory_alloc(3 * PAGE, false);
	uint64_t offsets[3];

	pattern_fill(p, 0, 3 * PAGE, 42);
	migrate_in_all(p, 3 * PAGE, false, offsets);
	map_part(p, offsets, 1, 1);
	expect_dma_reads(client_fd, 0, PIECE, PAGE, 42);
	/* Neither start nor length are multiples of anything. */
	expect_dma_reads(client_fd, 1021, 509, PAGE + 1021, 42);
	client_unmap(client_fd);
	pattern_expect(p, 0, 3 * PAGE, 42, "CPU");
}

void f41_odd_sizes(void)
{
	static const size_t sizes[] = { 1, 3, 7, 8, 9, 31, 33 };
	const unsigned long npages = 40;
	uint8_t *p = memory_alloc(npages * PAGE, false);
	uint64_t offsets[40];
	unsigned int i;

	pattern_fill(p, 0, npages * PAGE, 43);
	migrate_in_all(p, npages * PAGE, false, offsets);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		map_part(p, offsets, i, sizes[i]);
	expect_dma_reads(client_fd, 32 * PAGE, PIECE,
			 (32 + i - 1) * PAGE, 43);
	client_unmap(client_fd);
	pattern_expect(p, 0, npages * PAGE, 43, "CPU");
}

/* Small pages on both sides of a 2 MiB boundary: two page tables. */
void f41_crossing_pmd(void)
{
	uint8_t *p = memory_alloc(2 * HUGE, false);
	const size_t first = HUGE_PAGES - 5, count = 9;
	uint64_t offsets[9];

	pattern_fill(p, first * PAGE, count * PAGE, 44);
	migrate_in_all(p + first * PAGE, count * PAGE, false, offsets);
	map_part(p + first * PAGE, offsets, 0, count);
	expect_dma_reads(client_fd, 4 * PAGE, PIECE, (first + 4) * PAGE, 44);
	expect_dma_reads(client_fd, 5 * PAGE, PIECE, (first + 5) * PAGE, 44);
	client_unmap(client_fd);
	pattern_expect(p + first * PAGE, first * PAGE, count * PAGE, 44, "CPU");
}

/*
 * A range of more than 4 GiB with pages at both of its ends: what counts bytes or
 * pages in 32 bits finds the wrong ones, or none.
 */
void f41_beyond_4_gib(void)
{
	const size_t far = 4ul << 30, length = far + 4 * PAGE;
	const size_t count = length / PAGE, first_far = far / PAGE;
	struct peerlab_client_page *pages = calloc(count, sizeof(*pages));
	uint64_t near_offsets[2], far_offsets[4];
	uint8_t *p = mmap(NULL, length, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct peerlab_map map;
	size_t i, valid = 0;
	int ret;

	REQUIRE(p != MAP_FAILED && pages, "mmap of 4 GiB: %m");
	REQUIRE(!madvise(p, length, MADV_NOHUGEPAGE), "madvise: %m");
	pattern_fill(p, 0, 2 * PAGE, 44);
	pattern_fill(p, far, 4 * PAGE, 44);
	migrate_in_all(p, 2 * PAGE, false, near_offsets);
	migrate_in_all(p + far, 4 * PAGE, false, far_offsets);
	/* Nobody asks for what is in between. */
	for (i = 0; i < 2; i++)
		pages[i].flags = PEERLAB_PAGE_REQ_FAULT;
	for (i = 0; i < 4; i++)
		pages[first_far + i].flags = PEERLAB_PAGE_REQ_FAULT;
	ret = client_map(client_fd, p, length, MAP_READ | PEERLAB_MAP_PER_PAGE,
			 &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	for (i = 0; i < count; i++)
		valid += pages[i].kind != PEERLAB_KIND_NONE;
	/* A fault takes along what lies behind it, up to the end of its page table. */
	EXPECT(path_reachable() ? valid == 6 : valid >= 6 && valid < 1024,
	       "%zu pages are there, 6 were asked for", valid);
	EXPECT(map.alias == (path_reachable() ? 6 : 0),
	       "%llu aliases", map.alias);
	for (i = 0; path_reachable() && i < 4; i++)
		expect_alias_address(&map, &pages[first_far + i], far_offsets[i]);
	expect_dma_reads(client_fd, far + PAGE, PIECE, far + PAGE, 44);
	expect_dma_reads(client_fd, PAGE, PIECE, PAGE, 44);
	client_unmap(client_fd);
	pattern_expect(p + far, far, 4 * PAGE, 44, "CPU");
	pattern_expect(p, 0, 2 * PAGE, 44, "CPU");
	munmap(p, length);
	free(pages);
}

#define NR_HUGEPAGES	"/proc/sys/vm/nr_hugepages"

/* A page of hugetlbfs: from somewhere inside it on, with its order. */
void f40_hugetlb(void)
{
	static struct peerlab_client_page pages[HUGE_PAGES];
	const unsigned long first = 5, count = HUGE_PAGES - first;
	uint8_t *p = MAP_FAILED;
	struct peerlab_map map;
	unsigned long i;
	char before[32];
	int ret;

	if (read_file_line(NR_HUGEPAGES, before, sizeof(before)) &&
	    !try_write_file(NR_HUGEPAGES, "2"))
		p = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (p == MAP_FAILED)
		SKIP("no huge page can be reserved for hugetlbfs");
	pattern_fill(p, 0, HUGE, 49);
	ret = client_map(client_fd, p + first * PAGE, count * PAGE, MAP_WRITE,
			 &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	EXPECT(map.ram == count && map.read_only == 0,
	       "%llu of %lu pages in RAM, %llu of them read-only", map.ram,
	       count, map.read_only);
	for (i = 0; i < count; i++)
		REQUIRE(pages[i].order == HUGE_ORDER,
			"page %lu is of order %u", first + i, pages[i].order);
	expect_dma_reads(client_fd, 0, PIECE, first * PAGE, 49);
	expect_dma_reads(client_fd, (count - 1) * PAGE, PIECE,
			 (HUGE_PAGES - 1) * PAGE, 49);
	client_unmap(client_fd);
	pattern_expect(p, 0, HUGE, 49, "CPU");
	REQUIRE(!munmap(p, HUGE), "munmap: %m");
	EXPECT(!try_write_file(NR_HUGEPAGES, before), NR_HUGEPAGES ": %m");
}
