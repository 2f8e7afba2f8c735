// SPDX-License-Identifier: GPL-2.0
/* Read-only entries, copy on write, fork and mprotect. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "tests.h"

#define PAGES	4ul
#define LENGTH	(PAGES * PAGE)

/* After a fork the entries are read-only: reading does not need more. */
void f20_read_only_alias(void)
{
	struct peerlab_client_page pages[PAGES];
	uint8_t *p = memory_alloc(LENGTH, false);
	struct child child;
	struct peerlab_map map;
	unsigned int i;
	int ret;

	pattern_fill(p, 0, LENGTH, 20);
	migrate_in_all(p, LENGTH, false, NULL);
	child = fork_child(NULL, NULL);
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	for (i = 0; i < PAGES; i++)
		EXPECT(pages[i].kind != PEERLAB_KIND_ALIAS ||
		       !(pages[i].flags & PEERLAB_PAGE_WRITE),
		       "page %u may be written although it is shared", i);
	expect_dma_reads(client_fd, PAGE, PIECE, PAGE, 20);
	ret = client_dma(client_fd, 0, 8, p + PAGE, PEERLAB_DMA_TO_MEMORY);
	EXPECT(!map.alias || ret == -ESTALE,
	       "the client wrote to a page it may only read");
	client_unmap(client_fd);
	release_child(&child);
	pattern_expect(p, 0, LENGTH, 20, "CPU");
}

static void write_by_dma(void *arg)
{
	uint8_t *p = arg;
	uint8_t data[PIECE];
	struct peerlab_map map;
	int fd = client_open();
	int ret;

	ret = client_map(fd, p, LENGTH, MAP_WRITE, &map, NULL);
	REQUIRE(!ret, "map in the child: %s", strerror(-ret));
	EXPECT(map.read_only == 0, "%llu pages not writable", map.read_only);
	memset(data, 0, sizeof(data));
	dma_write(fd, 2 * PAGE, PIECE, data);
	close(fd);
	EXPECT(!memcmp(p + 2 * PAGE, data, PIECE),
	       "the child does not see what was written");
	pattern_expect(p + 2 * PAGE + PIECE, 2 * PAGE + PIECE, PAGE - PIECE, 21,
		       "child");
}

/* A child writes to shared device memory by DMA; the parent's stays as it is. */
void f21_write_to_read_only(void)
{
	uint8_t *p = memory_alloc(LENGTH, false);
	struct child child;

	pattern_fill(p, 0, LENGTH, 21);
	migrate_in_all(p, LENGTH, false, NULL);
	child = fork_child(write_by_dma, p);
	release_child(&child);
	pattern_expect(p, 0, LENGTH, 21, "parent");
}

/* The mapping survives a fork, or is taken away and comes back; data is right. */
void f22_fork_while_mapped(void)
{
	uint8_t *p = memory_alloc(LENGTH, false);
	struct child child;
	uint8_t buffer[PIECE];
	int ret;

	pattern_fill(p, 0, LENGTH, 22);
	migrate_in_all(p, LENGTH, false, NULL);
	ret = client_map(client_fd, p, LENGTH, MAP_WRITE, NULL, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	child = fork_child(NULL, NULL);

	/* Writing has to go to a copy now: the child keeps the old data. */
	pattern_make(buffer, PAGE, PIECE, 122);
	ret = client_dma(client_fd, PAGE, PIECE, buffer,
			 PEERLAB_DMA_TO_MEMORY | PEERLAB_DMA_REFAULT);
	REQUIRE(!ret, "DMA after fork: %s", strerror(-ret));
	pattern_expect(p + PAGE, PAGE, PIECE, 122, "parent");
	pattern_expect(p + PAGE + PIECE, PAGE + PIECE, PAGE - PIECE, 22, "parent");
	release_child(&child);
	memset(buffer, 0, sizeof(buffer));
	ret = client_dma(client_fd, 3 * PAGE, PIECE, buffer, PEERLAB_DMA_REFAULT);
	REQUIRE(!ret, "DMA after the child's exit: %s", strerror(-ret));
	pattern_expect(buffer, 3 * PAGE, PIECE, 22, "DMA");
	client_unmap(client_fd);
	pattern_expect(p, 0, PAGE, 22, "parent");
}

void f23_mprotect_while_mapped(void)
{
	uint8_t *p = memory_alloc(LENGTH, false);
	struct peerlab_map map;
	int ret;

	pattern_fill(p, 0, LENGTH, 23);
	migrate_in_all(p, LENGTH, false, NULL);
	ret = client_map(client_fd, p, LENGTH, MAP_WRITE, &map, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	REQUIRE(!mprotect(p, LENGTH, PROT_READ), "mprotect: %m");
	EXPECT(client_state(client_fd).valid == 0,
	       "still mapped for writing after mprotect() returned");
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, NULL);
	REQUIRE(!ret, "map for reading: %s", strerror(-ret));
	EXPECT(map.read_only == PAGES, "%llu of %lu pages read-only",
	       map.read_only, PAGES);
	expect_dma_reads(client_fd, 0, PIECE, 0, 23);
	ret = client_map(client_fd, p, LENGTH, MAP_WRITE, &map, NULL);
	EXPECT(ret == -EPERM || ret == -EFAULT,
	       "write access to read-only memory: %s", strerror(-ret));
	REQUIRE(!mprotect(p, LENGTH, PROT_NONE), "mprotect: %m");
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, NULL);
	EXPECT(ret == -EPERM || ret == -EFAULT,
	       "access to PROT_NONE memory: %s", strerror(-ret));
	REQUIRE(!mprotect(p, LENGTH, PROT_READ | PROT_WRITE), "mprotect: %m");
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 23, "CPU");
}

/* What the child finds is what was there when it was forked. */
static void expect_old_data(void *arg)
{
	pattern_expect(arg, 0, LENGTH, 24, "child");
}

/* The parent's CPU writes while the child shares the device's pages. */
void f22_parent_writes(void)
{
	uint8_t *p = device_memory(LENGTH, 24, NULL);
	struct child child;
	int ret;

	ret = client_map(client_fd, p, LENGTH, MAP_WRITE, NULL, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	child = fork_child(expect_old_data, p);
	pattern_fill(p, PAGE, PAGE, 124);
	ret = client_map(client_fd, p, LENGTH, MAP_READ, NULL, NULL);
	REQUIRE(!ret, "map after the write: %s", strerror(-ret));
	expect_dma_reads(client_fd, PAGE, PIECE, PAGE, 124);
	expect_dma_reads(client_fd, 2 * PAGE, PIECE, 2 * PAGE, 24);
	release_child(&child);
	client_unmap(client_fd);
	pattern_expect(p + PAGE, PAGE, PAGE, 124, "parent");
	pattern_expect(p + 2 * PAGE, 2 * PAGE, 2 * PAGE, 24, "parent");
}

static void write_everything(void *arg)
{
	pattern_fill(arg, 0, LENGTH, 126);
	pattern_expect(arg, 0, LENGTH, 126, "child");
}

/* The child's CPU writes: the parent's mapping is of the parent's pages. */
void f22_child_writes(void)
{
	uint8_t *p = device_memory(LENGTH, 26, NULL);
	struct child child = fork_child(write_everything, p);
	int ret;

	ret = client_map(client_fd, p, LENGTH, MAP_READ, NULL, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	release_child(&child);
	ret = client_map(client_fd, p, LENGTH, MAP_READ, NULL, NULL);
	REQUIRE(!ret, "map after the child's write: %s", strerror(-ret));
	expect_dma_reads(client_fd, 0, PIECE, 0, 26);
	expect_dma_reads(client_fd, 3 * PAGE, PIECE, 3 * PAGE, 26);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 26, "parent");
}

/* The child ends: what is still mapped must not have gone with it. */
void f22_child_exits(void)
{
	uint8_t *p = device_memory(LENGTH, 27, NULL);
	struct child child = fork_child(NULL, NULL);
	uint64_t used = provider_counters().used;
	struct peerlab_map map;
	int ret;

	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	release_child(&child);
	if (map.alias)
		EXPECT(provider_counters().used == used,
		       "%llu device pages in use, %lu before the child ended",
		       provider_counters().used, used);
	/* Somebody else's data, should the pages have been given away. */
	device_memory(LENGTH, 127, NULL);
	expect_dma_reads(client_fd, 0, PIECE, 0, 27);
	expect_dma_reads(client_fd, 2 * PAGE, PIECE, 2 * PAGE, 27);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 27, "parent");
}
