// SPDX-License-Identifier: GPL-2.0
/* Memory that fails: system memory, the device's, and the BAR it is behind. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "child.h"
#include "tests.h"

#define PAGES	4ul
#define LENGTH	(PAGES * PAGE)
#define OFFLINE	"/sys/devices/system/memory/hard_offline_page"

/*
 * memory_failure() on a physical address; 0 or -errno.  The kernel does not say
 * that somebody wanted it, as it does for MADV_HWPOISON, and whoever reads its
 * log would take it for trouble with the memory of the machine.
 */
static int fail_memory(uint64_t address)
{
	char text[80];

	if (access(OFFLINE, W_OK))
		SKIP("needs a kernel with CONFIG_MEMORY_FAILURE and memory hotplug");
	snprintf(text, sizeof(text),
		 "Injecting memory failure for pfn 0x%lx by hard_offline_page",
		 address / PAGE);
	REQUIRE(!try_write_file("/dev/kmsg", text), "/dev/kmsg: %m");
	snprintf(text, sizeof(text), "0x%lx", address);
	return try_write_file(OFFLINE, text);
}

/* Touching @arg is expected to end the process by SIGBUS. */
static void touch_byte(void *arg)
{
	volatile uint8_t *p = arg;

	signal(SIGBUS, SIG_DFL);
	(void)*p;
	EXPECT(0, "a poisoned page could be read");
}

static volatile sig_atomic_t bus_errors;

static void count_bus_error(int signal)
{
	bus_errors++;
}

/* RAM: the client loses the page, and is told so; the others it may have. */
void f80_ram_page(void)
{
	uint8_t *p = memory_alloc(LENGTH, false);
	struct peerlab_client_page pages[PAGES];
	struct peerlab_map map;
	struct child child;
	uint8_t byte;
	int ret;

	pattern_fill(p, 0, LENGTH, 80);
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	signal(SIGBUS, count_bus_error);
	if (madvise(p + PAGE, PAGE, MADV_HWPOISON)) {
		if (errno == EINVAL)
			SKIP("needs a kernel with CONFIG_MEMORY_FAILURE");
		REQUIRE(0, "MADV_HWPOISON: %m");
	}
	ktap_note("the process was told %d times", bus_errors);
	ret = client_dma(client_fd, PAGE, 1, &byte, 0);
	EXPECT(ret == -ESTALE, "DMA to failed memory: %s",
	       ret ? strerror(-ret) : "done");
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, NULL);
	EXPECT(ret == -EFAULT, "mapping failed memory: %s", strerror(-ret));
	ret = client_map(client_fd, p, LENGTH, MAP_READ | PEERLAB_MAP_SNAPSHOT,
			 &map, pages);
	REQUIRE(!ret, "snapshot: %s", strerror(-ret));
	/* hmm.h promises an error, 7.3.4 says that a fault might help. */
	EXPECT(pages[1].kind == PEERLAB_KIND_ERROR ||
	       pages[1].kind == PEERLAB_KIND_NONE, "it is of kind %u",
	       pages[1].kind);
	EXPECT(pages[2].kind == PEERLAB_KIND_RAM, "its neighbour is of kind %u",
	       pages[2].kind);
	ret = client_map(client_fd, p + 2 * PAGE, 2 * PAGE, MAP_READ, &map, NULL);
	REQUIRE(!ret, "map the rest: %s", strerror(-ret));
	expect_dma_reads(client_fd, 0, PIECE, 2 * PAGE, 80);
	client_unmap(client_fd);
	child = fork_child(touch_byte, p + PAGE);
	REQUIRE(write(child.go, "", 1) == 1, "pipe: %m");
	EXPECT(read(child.done, &byte, 1) == 0, "the child lives");
	pattern_expect(p + 2 * PAGE, 2 * PAGE, 2 * PAGE, 80, "CPU");
}

/* Device private memory: the kernel says that it cannot, and nothing breaks. */
void f80_private_page(void)
{
	uint64_t offsets[PAGES];
	struct peerlab_map map;
	uint8_t *p = device_memory(LENGTH, 81, offsets);
	int ret;

	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	if (!map.alias) {	/* mapping has emptied the device */
		client_unmap(client_fd);
		migrate_in_all(p, LENGTH, false, offsets);
	}
	ret = fail_memory(provider_info.private_phys + offsets[1]);
	/* Which of the two depends on CONFIG_FS_DAX. */
	EXPECT(ret == -ENXIO || ret == -EBUSY,
	       "memory_failure() of a device private page: %s",
	       ret ? strerror(-ret) : "done");
	if (map.alias)
		EXPECT(client_state(client_fd).valid == PAGES,
		       "%llu pages still mapped", client_state(client_fd).valid);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 81, "CPU");
}

/* The BAR: whatever the kernel answers, the process and its data live on. */
void f80_alias_page(void)
{
	struct peerlab_inspection inspection;
	uint64_t offsets[PAGES];
	struct peerlab_map map;
	uint8_t *p = device_memory(LENGTH, 82, offsets);
	int ret;

	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	REQUIRE(map.alias == PAGES, "%llu of %lu pages are aliases", map.alias,
		PAGES);
	signal(SIGBUS, count_bus_error);
	ret = fail_memory(provider_info.bar_phys + offsets[1]);
	ktap_note("memory_failure() of an alias: %s",
		  ret ? strerror(-ret) : "handled");
	inspection = provider_inspect();
	EXPECT(!inspection.alias_referenced, "%llu aliases have references",
	       inspection.alias_referenced);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 82, "CPU");
}
