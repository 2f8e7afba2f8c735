// SPDX-License-Identifier: GPL-2.0
/* Devices that go away, and what is left at the end. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests.h"

#define PAGES	4ul
#define LENGTH	(PAGES * PAGE)
#define DRIVER	"/sys/bus/pci/drivers/peerlab_provider/"

/* PCI address of the provider, as sysfs writes it. */
static void provider_address(char *address, size_t size)
{
	char target[256];
	ssize_t n = readlink("/sys/class/misc/peerlab_provider0/device", target,
			     sizeof(target) - 1);
	char *slash;

	REQUIRE(n > 0, "no device behind the provider's node: %m");
	target[n] = 0;
	slash = strrchr(target, '/');
	REQUIRE(slash, "an odd link: %s", target);
	snprintf(address, size, "%s", slash + 1);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	REQUIRE(fd >= 0, "open %s: %m", path);
	REQUIRE(write(fd, text, strlen(text)) == (ssize_t)strlen(text),
		"write '%s' to %s: %m", text, path);
	close(fd);
}

/*
 * The driver is taken from the provider while its memory is in use, as small
 * and as huge pages, and mapped by the client.  It must not hang, the client
 * must be unmapped, and the data must survive in RAM.
 */
void f72_unbind_while_mapped(void)
{
	uint8_t *small = memory_alloc(LENGTH, false);
	uint8_t *huge = memory_alloc(HUGE, true);
	struct peerlab_map map;
	uint8_t buffer[PIECE];
	char address[32];
	int ret;

	pattern_fill(small, 0, LENGTH, 72);
	pattern_fill(huge, 0, HUGE, 73);
	migrate_in_all(small, LENGTH, false, NULL);
	migrate_in_all(huge, HUGE, true, NULL);
	ret = client_map(client_fd, small, LENGTH, MAP_READ, &map, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));

	provider_address(address, sizeof(address));
	write_file(DRIVER "unbind", address);
	EXPECT(!map.alias || client_state(client_fd).valid == 0,
	       "aliases still mapped after the provider is gone");
	ret = client_dma(client_fd, PAGE, PIECE, buffer, PEERLAB_DMA_REFAULT);
	EXPECT(!ret, "DMA from what was evicted: %s", strerror(-ret));
	if (!ret)
		pattern_expect(buffer, PAGE, PIECE, 72, "DMA");
	pattern_expect(small, 0, LENGTH, 72, "CPU");
	pattern_expect(huge, 0, HUGE, 73, "CPU");
	client_unmap(client_fd);

	/* The tests that follow want it back. */
	write_file(DRIVER "bind", address);
	rig_reopen_provider();
	migrate_in_all(small, LENGTH, false, NULL);
	pattern_expect(small, 0, LENGTH, 72, "CPU");
}

/* The tests before this one have ended: nothing of theirs may be left. */
void f78_no_pages_left(void)
{
	struct peerlab_provider_counters counters = provider_counters();

	EXPECT(counters.used == 0, "%llu device pages still in use",
	       counters.used);
	ktap_note("%llu pages in, %llu out, %llu CPU faults, %llu aliases granted, %llu refused",
		  counters.pages_in, counters.pages_out, counters.cpu_faults,
		  counters.alias_calls, counters.alias_refused);
}
