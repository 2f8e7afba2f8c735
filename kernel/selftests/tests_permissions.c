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

#include "tests.h"

#define PAGES	4ul
#define LENGTH	(PAGES * PAGE)

struct peer_process {
	pid_t pid;
	int go;		/* write one byte: the child calls its function */
	int done;	/* one byte: it has returned */
};

/* Fork a child that waits for release_child(), runs @run and ends. */
static struct peer_process fork_child(void (*run)(void *arg), void *arg)
{
	struct peer_process child;
	int go[2], done[2];
	char byte;

	REQUIRE(!pipe2(go, O_CLOEXEC) && !pipe2(done, O_CLOEXEC), "pipe: %m");
	child.pid = fork();
	REQUIRE(child.pid >= 0, "fork: %m");
	if (!child.pid) {
		close(go[1]);
		if (read(go[0], &byte, 1) == 1 && run)
			run(arg);
		if (write(done[1], "", 1) != 1)
			ktap_fail(__FILE__, __LINE__, "pipe: %m");
		ktap_stop();
	}
	close(go[0]);
	close(done[1]);
	child.go = go[1];
	child.done = done[0];
	return child;
}

static void release_child(struct peer_process *child)
{
	char byte;

	REQUIRE(write(child->go, "", 1) == 1, "pipe: %m");
	REQUIRE(read(child->done, &byte, 1) == 1, "the child died");
	waitpid(child->pid, NULL, 0);
	close(child->go);
	close(child->done);
}

/* After a fork the entries are read-only: reading does not need more. */
void f20_read_only_alias(void)
{
	struct peerlab_client_page pages[PAGES];
	uint8_t *p = memory_alloc(LENGTH, false);
	struct peer_process child;
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
	ret = client_dma(fd, 2 * PAGE, PIECE, data, PEERLAB_DMA_TO_MEMORY);
	REQUIRE(!ret, "DMA in the child: %s", strerror(-ret));
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
	struct peer_process child;

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
	struct peer_process child;
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
