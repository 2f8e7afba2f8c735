// SPDX-License-Identifier: GPL-2.0
/* Devices that go away, and what is left at the end. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests.h"

#define PAGES	4ul
#define LENGTH	(PAGES * PAGE)
#define REBINDS	20
#define REBIND_SECONDS	40

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

	pci_address_of("peerlab_provider0", address, sizeof(address));
	write_file(PROVIDER_DRIVER "unbind", address);
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
	write_file(PROVIDER_DRIVER "bind", address);
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

/* Before, while and after it is mapped nobody has a reference to an alias. */
void f70_no_references(void)
{
	uint8_t *p = device_memory(LENGTH, 70, NULL);
	struct peerlab_inspection inspection;
	struct peerlab_map map;
	uint8_t data[PIECE];
	int ret;

	inspection = provider_inspect();
	EXPECT(!inspection.alias_referenced, "%llu aliases referenced before",
	       inspection.alias_referenced);
	ret = client_map(client_fd, p, LENGTH, MAP_WRITE, &map, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	inspection = provider_inspect();
	EXPECT(!inspection.alias_referenced, "%llu aliases referenced while mapped",
	       inspection.alias_referenced);
	EXPECT(!map.alias || inspection.private_referenced >= PAGES,
	       "%llu device private pages in use",
	       inspection.private_referenced);
	memset(data, 1, sizeof(data));
	dma_write(client_fd, 0, PIECE, data);
	client_unmap(client_fd);
	inspection = provider_inspect();
	EXPECT(!inspection.alias_referenced && !inspection.alias_dirty &&
	       !inspection.alias_mapped,
	       "%llu aliases referenced, %llu dirty, %llu mapped after",
	       inspection.alias_referenced, inspection.alias_dirty,
	       inspection.alias_mapped);
	REQUIRE(!munmap(p, LENGTH), "munmap: %m");
	inspection = provider_inspect();
	EXPECT(!inspection.private_referenced,
	       "%llu device private pages referenced after munmap()",
	       inspection.private_referenced);
}

/* Who tries to take a reference to an alias that is mapped does not get one. */
void f71_no_reference_granted(void)
{
	uint8_t *p = device_memory(LENGTH, 71, NULL);
	struct peerlab_inspection inspection;
	struct peerlab_map map;
	int ret;

	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	REQUIRE(map.alias == PAGES, "%llu of %lu pages are aliases", map.alias,
		PAGES);
	inspection = provider_inspect();
	EXPECT(!inspection.alias_granted, "%llu aliases gave a reference",
	       inspection.alias_granted);
	expect_dma_reads(client_fd, 0, PIECE, 0, 71);
	client_unmap(client_fd);
}

/* The data lives, the client has lost it, and can have it again. */
static void expect_survived(uint8_t *p, uint64_t seed, const struct peerlab_map *map)
{
	uint8_t buffer[PIECE];
	int ret;

	EXPECT(!map->alias || client_state(client_fd).valid == 0,
	       "%llu aliases still mapped", client_state(client_fd).valid);
	ret = client_dma(client_fd, PAGE, PIECE, buffer, PEERLAB_DMA_REFAULT);
	EXPECT(!ret, "DMA from what was evicted: %s", strerror(-ret));
	if (!ret)
		pattern_expect(buffer, PAGE, PIECE, seed, "DMA");
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, seed, "CPU");
	rig_reopen_provider();
	migrate_in_all(p, LENGTH, false, NULL);
	pattern_expect(p, 0, LENGTH, seed, "CPU");
}

static uint8_t *mapped_device_memory(uint64_t seed, struct peerlab_map *map)
{
	uint8_t *p = device_memory(LENGTH, seed, NULL);
	int ret = client_map(client_fd, p, LENGTH, MAP_READ, map, NULL);

	REQUIRE(!ret, "map: %s", strerror(-ret));
	return p;
}

/* The function leaves the bus as far as software can make it, and returns. */
void f73_sysfs_removal(void)
{
	char address[32], path[80];
	struct peerlab_map map;
	uint8_t *p = mapped_device_memory(73, &map);

	pci_address_of("peerlab_provider0", address, sizeof(address));
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/remove", address);
	write_file(path, "1");
	write_file("/sys/bus/pci/rescan", "1");
	expect_survived(p, 73, &map);
}

/* The client's driver goes: mappings end, the memory stays on the device. */
void f74_client_unbind(void)
{
	struct peerlab_own_page own[PAGES];
	struct peerlab_map map;
	uint64_t offsets[PAGES];
	uint8_t *p = device_memory(LENGTH, 74, offsets);
	int second = client_open();
	uint8_t byte;
	char address[32];
	unsigned int i;
	int ret;

	ret = client_map(client_fd, p, LENGTH, MAP_WRITE, &map, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	ret = client_map(second, p, LENGTH, MAP_READ, &map, NULL);
	REQUIRE(!ret, "map a second time: %s", strerror(-ret));
	pci_address_of("peerlab_client0", address, sizeof(address));
	write_file(CLIENT_DRIVER "unbind", address);
	ret = client_dma(client_fd, 0, 1, &byte, 0);
	EXPECT(ret == -ENODEV, "DMA without a device: %s",
	       ret ? strerror(-ret) : "done");
	provider_snapshot(p, LENGTH, own);
	for (i = 0; map.alias && i < PAGES; i++)
		EXPECT(own[i].offset == offsets[i], "page %u has moved", i);
	/* Notifiers of a device that has gone must not run. */
	REQUIRE(!munmap(p + PAGE, PAGE), "munmap: %m");
	close(second);
	rig_close_client();
	write_file(CLIENT_DRIVER "bind", address);
	rig_reopen_client();
	ret = client_map(client_fd, p + 2 * PAGE, 2 * PAGE, MAP_READ, NULL, NULL);
	REQUIRE(!ret, "map after it came back: %s", strerror(-ret));
	expect_dma_reads(client_fd, 0, PIECE, 2 * PAGE, 74);
	client_unmap(client_fd);
	pattern_expect(p, 0, PAGE, 74, "CPU");
}

/*
 * Unbind with pages on the device and mapped, and bind, @rounds times, or as
 * often as @seconds allow.  Returns how often.
 */
unsigned int rebind_provider(unsigned int rounds, unsigned int seconds)
{
	time_t end = time(NULL) + seconds;
	uint8_t *p = memory_alloc(LENGTH, false);
	char address[32];
	unsigned int i;
	int ret;

	pattern_fill(p, 0, LENGTH, 75);
	pci_address_of("peerlab_provider0", address, sizeof(address));
	for (i = 0; i < rounds && time(NULL) < end; i++) {
		migrate_in_all(p, LENGTH, false, NULL);
		ret = client_map(client_fd, p, LENGTH, MAP_READ, NULL, NULL);
		REQUIRE(!ret, "round %u, map: %s", i, strerror(-ret));
		rig_close_provider();
		write_file(PROVIDER_DRIVER "unbind", address);
		if (i % 10 == 0)
			pattern_expect(p, 0, LENGTH, 75, "CPU");
		write_file(PROVIDER_DRIVER "bind", address);
		rig_reopen_provider();
	}
	client_unmap(client_fd);
	migrate_in_all(p, LENGTH, false, NULL);
	pattern_expect(p, 0, LENGTH, 75, "CPU");
	return i;
}

void f75_rebind(void)
{
	unsigned int done = rebind_provider(REBINDS, REBIND_SECONDS);

	if (done < REBINDS)
		SKIP("only %u of %u rebinds in %u s, all of them good: the machine is too slow",
		     done, REBINDS, REBIND_SECONDS);
}

/*
 * The first network card that is up and that a suspend takes away for real; not
 * every one comes back, and the machine may be reached by no other.
 */
static bool real_network_card(char *name, size_t size)
{
	char path[300], driver[256], state[16];
	struct dirent *entry;
	bool found = false;
	ssize_t length;
	DIR *folder;

	folder = opendir("/sys/class/net");
	while (folder && !found && (entry = readdir(folder))) {
		snprintf(path, sizeof(path), "/sys/class/net/%.64s/device/driver",
			 entry->d_name);
		length = readlink(path, driver, sizeof(driver) - 1);
		if (length < 0)
			continue;
		driver[length] = 0;
		snprintf(path, sizeof(path), "/sys/class/net/%.64s/operstate",
			 entry->d_name);
		found = !strstr(driver, "/virtio") &&
			read_file_line(path, state, sizeof(state)) &&
			!strncmp(state, "up", 2);
		if (found)
			snprintf(name, size, "%.64s", entry->d_name);
	}
	if (folder)
		closedir(folder);
	return found;
}

/* As deep as the machine can go by itself: the devices' suspend and resume. */
void f76_suspend(void)
{
	char card[65];
	struct peerlab_map map;
	char states[64];
	uint8_t *p;

	if (!read_file_line("/sys/power/state", states, sizeof(states)) ||
	    !strstr(states, "freeze"))
		SKIP("needs a kernel that can suspend (CONFIG_SUSPEND)");
	if (!provoke_enabled && real_network_card(card, sizeof(card)))
		SKIP("would suspend %s, by which this machine may be reached (--provoke does)",
		     card);
	if (try_write_file("/sys/power/pm_test", "devices"))
		SKIP("needs a kernel with CONFIG_PM_DEBUG to wake by itself");
	p = mapped_device_memory(76, &map);
	write_file("/sys/power/state", "freeze");
	write_file("/sys/power/pm_test", "none");
	expect_survived(p, 76, &map);
}

void f77_function_reset(void)
{
	char address[32], path[80], method[64] = "";
	struct peerlab_map map;
	uint8_t *p;

	pci_address_of("peerlab_provider0", address, sizeof(address));
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset_method",
		 address);
	if (!read_file_line(path, method, sizeof(method)) || !method[0])
		SKIP("the provider's function offers no reset");
	ktap_note("reset by: %s", method);
	p = mapped_device_memory(77, &map);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset", address);
	write_file(path, "1");
	expect_survived(p, 77, &map);
}
