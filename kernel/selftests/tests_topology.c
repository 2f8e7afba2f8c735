// SPDX-License-Identifier: GPL-2.0
/* The way over PCI that bridges, ACS and the host bridge decide. */
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

struct device_path {
	char *bridges[16];
	int count;
	char text[512];
};

/* The bridges above a function, from the root port down. */
static void read_path(const char *node, struct device_path *path)
{
	char link[64], address[32];
	char *part;

	pci_address_of(node, address, sizeof(address));
	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s", address);
	part = realpath(link, NULL);
	REQUIRE(part, "%s: %m", link);
	snprintf(path->text, sizeof(path->text), "%s", part);
	free(part);
	path->count = 0;
	for (part = strtok(path->text, "/"); part; part = strtok(NULL, "/"))
		if (strlen(part) == 12 && part[4] == ':' && part[10] == '.' &&
		    path->count < 16)
			path->bridges[path->count++] = part;
	path->count--;	/* the function itself */
}

/* The ACS control register of a port, or -1 if it has none. */
static int acs_control(const char *bridge)
{
	char name[64];
	uint32_t header;
	uint16_t control;
	int position = 0x100, fd, guard;

	snprintf(name, sizeof(name), "/sys/bus/pci/devices/%s/config", bridge);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	REQUIRE(fd >= 0, "%s: %m", name);
	for (guard = 0; position >= 0x100 && guard < 64; guard++) {
		if (pread(fd, &header, 4, position) != 4 || !header ||
		    header == ~0u)
			break;
		if ((header & 0xffff) == 0x000d &&
		    pread(fd, &control, 2, position + 6) == 2) {
			close(fd);
			return control;
		}
		position = header >> 20;
	}
	close(fd);
	return -1;
}

#define ACS_REDIRECTS	(0x04 | 0x08 | 0x20)	/* request, completion, egress */

/* Does a port below the common bridge send requests up to the root? */
static bool redirects(const struct device_path *path, int common, int *ports)
{
	bool found = false;
	int i;

	for (i = common; i < path->count; i++) {
		int control = acs_control(path->bridges[i]);

		*ports += control >= 0;
		if (control >= 0 && control & ACS_REDIRECTS)
			found = true;
	}
	return found;
}

/* The first line of /proc/cpuinfo that begins with @name, behind its colon. */
static bool cpu_says(const char *name, char *value, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	bool found = false;
	char line[256];
	char *colon;

	while (file && !found && fgets(line, sizeof(line), file)) {
		colon = strchr(line, ':');
		if (!colon || strncmp(line, name, strlen(name)))
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(value, size, "%s", colon[1] ? colon + 2 : "");
		found = true;
	}
	if (file)
		fclose(file);
	return found;
}

/*
 * Does the host bridge pass requests from one root port to another, by what is
 * known of the hardware?  1 yes, 0 no, -1 not known here: AMD's do from Zen on;
 * that of QEMU's q35 with another CPU is on nobody's list.
 */
static int host_bridge_forwards(void)
{
	char maker[64] = "", family[64] = "", id[16] = "";

	if (cpu_says("vendor_id", maker, sizeof(maker)) &&
	    cpu_says("cpu family", family, sizeof(family)) &&
	    !strcmp(maker, "AuthenticAMD") && atoi(family) >= 0x17)
		return 1;
	if (!read_file_line("/sys/bus/pci/devices/0000:00:00.0/device", id,
			    sizeof(id)))
		return -1;
	return strtoul(id, NULL, 16) == 0x29c0 ? 0 : -1;
}

/*
 * What the tree of bridges says, without asking the kernel: one bridge above
 * both and no ACS redirection below it, and only then, is a BUS_ADDR; else it
 * is for the host bridge to forward or not.
 */
void f64_path_as_predicted(void)
{
	struct peerlab_client_page pages[PAGES];
	struct device_path provider, client;
	int common = 0, ports = 0;
	struct peerlab_map map;
	bool redirected, bus;
	uint8_t *p;
	int ret;

	read_path("peerlab_provider0", &provider);
	read_path("peerlab_client0", &client);
	while (common < provider.count && common < client.count &&
	       !strcmp(provider.bridges[common], client.bridges[common]))
		common++;
	redirected = redirects(&provider, common, &ports) |
		     redirects(&client, common, &ports);
	bus = common && !redirected;
	ktap_note("%d common bridges, %d ports with ACS below, %s", common, ports,
		  redirected ? "redirecting" : "not redirecting");

	p = device_memory(LENGTH, 64, NULL);
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	if (bus)
		EXPECT(map.map_bus == PAGES, "%llu pages by bus address", map.map_bus);
	else
		EXPECT(map.map_bus == 0,
		       "%llu pages by bus address, around the host bridge",
		       map.map_bus);
	EXPECT(path_reachable() == !!map.alias,
	       "p2pdma says %s reachable, and %llu aliases were given",
	       path_reachable() ? "it is" : "it is not", map.alias);
	/* Not the kernel's word for it. */
	if (bus)
		EXPECT(map.alias == PAGES, "%llu aliases below one bridge",
		       map.alias);
	else if (host_bridge_forwards() >= 0)
		EXPECT(map.alias == (host_bridge_forwards() ? PAGES : 0) &&
		       map.map_thru == map.alias,
		       "%llu aliases, %llu through the host bridge, which %s",
		       map.alias, map.map_thru,
		       host_bridge_forwards() ? "forwards" : "does not forward");
	else
		ktap_note("whether this host bridge forwards is not known here");
	expect_dma_reads(client_fd, 0, PIECE, 0, 64);
	client_unmap(client_fd);
	/* After the comparison, for it is worth having without any ACS. */
	if (!ports && common)
		ktap_note("no port between them has ACS: nothing can redirect");
}

/* With ACS redirection on, the same two devices must go by the host bridge. */
void f64_acs_redirect(void)
{
	struct device_path provider, client;
	int common = 0, ports = 0;
	uint64_t offsets[PAGES];
	struct peerlab_client_page pages[PAGES];
	struct peerlab_map map;
	uint8_t *p;
	int ret;

	read_path("peerlab_provider0", &provider);
	read_path("peerlab_client0", &client);
	while (common < provider.count && common < client.count &&
	       !strcmp(provider.bridges[common], client.bridges[common]))
		common++;
	if (!common)
		SKIP("needs both devices below one switch");
	if (!redirects(&provider, common, &ports) &&
	    !redirects(&client, common, &ports)) {
		if (!ports)
			SKIP("no port between them has ACS (QEMU's switches have none)");
		SKIP("boot with pci=config_acs=xxx11xx@<port> to have it redirect");
	}
	p = device_memory(LENGTH, 65, offsets);
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	EXPECT(map.map_bus == 0, "%llu pages by bus address although ports redirect",
	       map.map_bus);
	expect_dma_reads(client_fd, 0, PIECE, 0, 65);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 65, "CPU");
}
