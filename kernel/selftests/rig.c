// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rig.h"

#define NO_ALIAS_REASON "kernel lacks hmm_range.dma_dev (no DMA alias support)"
#define ORACLE_BYTES	4096ul

struct peerlab_provider_info provider_info;
struct peerlab_client_info client_info;
int client_fd = -1;
static int provider_fd = -1;
static uint64_t migration_ns;

const char *rig_setup(const struct test *test)
{
	provider_fd = open(PEERLAB_PROVIDER_DEVICE, O_RDWR | O_CLOEXEC);
	REQUIRE(provider_fd >= 0, "open %s: %m (is peerlab_provider loaded?)",
		PEERLAB_PROVIDER_DEVICE);
	client_fd = client_open();
	REQUIRE(!ioctl(provider_fd, PEERLAB_PROVIDER_INFO, &provider_info),
		"PEERLAB_PROVIDER_INFO: %m");
	REQUIRE(!ioctl(client_fd, PEERLAB_CLIENT_INFO, &client_info),
		"PEERLAB_CLIENT_INFO: %m");
	/* A test that was killed may have left it otherwise. */
	provider_behave(0, 0);
	if ((test->needs & NEEDS_ALIAS) && !have_alias())
		return NO_ALIAS_REASON;
	if ((test->needs & NEEDS_PATH) && !path_reachable())
		return "the client cannot reach the provider on this machine";
	if ((test->needs & NEEDS_NO_PATH) && path_reachable())
		return "the client can reach the provider on this machine";
	return NULL;
}

void rig_reopen_provider(void)
{
	int attempt;

	close(provider_fd);
	/* Whoever manages device nodes runs beside us: look until it is done. */
	for (attempt = 0; attempt < 500; attempt++) {
		provider_fd = open(PEERLAB_PROVIDER_DEVICE, O_RDWR | O_CLOEXEC);
		if (provider_fd >= 0)
			return;
		usleep(10000);
	}
	REQUIRE(0, "%s did not come back: %m", PEERLAB_PROVIDER_DEVICE);
}

bool have_alias(void)
{
	return client_info.features & provider_info.features &
	       PEERLAB_FEATURE_DMA_ALIAS;
}

bool path_reachable(void)
{
	return client_info.distance >= 0;
}

uint8_t *memory_alloc(size_t length, bool huge)
{
	size_t padded = (length + HUGE - 1) / HUGE * HUGE + HUGE;
	uint8_t *p = mmap(NULL, padded, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *aligned;

	REQUIRE(p != MAP_FAILED, "mmap: %m");
	aligned = (uint8_t *)(((uintptr_t)p + HUGE - 1) / HUGE * HUGE);
	if (aligned != p)
		munmap(p, aligned - p);
	p += padded;
	munmap(aligned + length, p - (aligned + length));
	REQUIRE(!madvise(aligned, length, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE),
		"madvise: %m");
	return aligned;
}

static uint64_t pattern_word(uint64_t seed, uint64_t index)
{
	uint64_t x = (seed << 48) + index * 0x9e3779b97f4a7c15ull;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static uint8_t pattern_byte(uint64_t seed, size_t offset)
{
	return pattern_word(seed, offset / 8) >> (offset % 8 * 8);
}

void pattern_make(uint8_t *data, size_t offset, size_t length, uint64_t seed)
{
	size_t i;

	for (i = 0; i < length; i++)
		data[i] = pattern_byte(seed, offset + i);
}

void pattern_fill(uint8_t *base, size_t offset, size_t length, uint64_t seed)
{
	pattern_make(base + offset, offset, length, seed);
}

/* First byte that differs, or @length. */
static size_t pattern_mismatch(const uint8_t *data, size_t offset,
			       size_t length, uint64_t seed)
{
	size_t i;

	for (i = 0; i < length; i++)
		if (data[i] != pattern_byte(seed, offset + i))
			break;
	return i;
}

void pattern_expect(const uint8_t *data, size_t offset, size_t length,
		    uint64_t seed, const char *what)
{
	size_t at = pattern_mismatch(data, offset, length, seed);

	proof->bytes_compared += length;
	if (at < length)
		ktap_fail(what, 0,
			  "wrong data: byte %zu of page %zu is 0x%02x, 0x%02x expected",
			  (offset + at) % PAGE, (offset + at) / PAGE, data[at],
			  pattern_byte(seed, offset + at));
}

static uint64_t migrate(unsigned long request, void *address, size_t length,
			bool huge, uint64_t *offsets)
{
	struct peerlab_migrate req = {
		.address = (uintptr_t)address,
		.length = length,
		.flags = huge ? PEERLAB_MIGRATE_THP : 0,
		.offsets = (uintptr_t)offsets,
	};

	REQUIRE(!ioctl(provider_fd, request, &req), "migrate: %m");
	migration_ns = req.ns;
	return req.migrated;
}

uint64_t migrate_in(void *address, size_t length, bool huge, uint64_t *offsets)
{
	return migrate(PEERLAB_PROVIDER_MIGRATE_IN, address, length, huge,
		       offsets);
}

void migrate_in_all(void *address, size_t length, bool huge, uint64_t *offsets)
{
	uint64_t moved = 0;
	int attempt;

	/* A page in a per-CPU list cannot be isolated; it can a moment later. */
	for (attempt = 0; attempt < 10 && moved < length / PAGE; attempt++) {
		uint64_t now = migrate_in(address, length, huge, NULL);

		moved += now;
		if (!now)
			usleep(1000);
	}
	REQUIRE(moved == length / PAGE, "only %lu of %lu pages moved to the device",
		moved, length / PAGE);
	if (offsets) {
		struct peerlab_own_page *pages = calloc(length / PAGE,
							sizeof(*pages));
		size_t i;

		/* From the start of a PMD, which every kernel reports right. */
		provider_snapshot(address, length, pages);
		for (i = 0; i < length / PAGE; i++)
			offsets[i] = pages[i].offset;
		free(pages);
	}
}

uint64_t migrate_out(void *address, size_t length, bool huge)
{
	return migrate(PEERLAB_PROVIDER_MIGRATE_OUT, address, length, huge, NULL);
}

uint64_t last_migration_ns(void)
{
	return migration_ns;
}

struct peerlab_provider_counters provider_counters(void)
{
	struct peerlab_provider_counters counters;

	REQUIRE(!ioctl(provider_fd, PEERLAB_PROVIDER_COUNTERS, &counters),
		"PEERLAB_PROVIDER_COUNTERS: %m");
	return counters;
}

void provider_behave(unsigned int refuse_errno, unsigned int run_pages)
{
	struct peerlab_behaviour behaviour = {
		.refuse_errno = refuse_errno,
		.run_pages = run_pages,
	};

	REQUIRE(!ioctl(provider_fd, PEERLAB_PROVIDER_BEHAVE, &behaviour),
		"PEERLAB_PROVIDER_BEHAVE: %m");
}

void provider_snapshot(void *address, size_t length,
		       struct peerlab_own_page *pages)
{
	struct peerlab_snapshot req = {
		.address = (uintptr_t)address,
		.length = length,
		.pages = (uintptr_t)pages,
	};

	REQUIRE(!ioctl(provider_fd, PEERLAB_PROVIDER_SNAPSHOT, &req),
		"PEERLAB_PROVIDER_SNAPSHOT: %m");
}

int client_open(void)
{
	int fd = open(PEERLAB_CLIENT_DEVICE, O_RDWR | O_CLOEXEC);

	REQUIRE(fd >= 0, "open %s: %m (is peerlab_client loaded?)",
		PEERLAB_CLIENT_DEVICE);
	return fd;
}

int client_map(int fd, void *address, size_t length, unsigned int flags,
	       struct peerlab_map *map, struct peerlab_client_page *pages)
{
	struct peerlab_provider_counters before = provider_counters(), after;
	struct peerlab_map own;
	int ret;

	if (!map)
		map = &own;
	if (!have_alias())
		flags &= ~PEERLAB_MAP_DMA_DEV;
	*map = (struct peerlab_map){
		.address = (uintptr_t)address,
		.length = length,
		.flags = flags,
		.pages = (uintptr_t)pages,
	};
	ret = ioctl(fd, PEERLAB_CLIENT_MAP, map) ? -errno : 0;
	after = provider_counters();
	proof->used = true;
	if ((flags & PEERLAB_MAP_DMA_DEV) && !path_reachable())
		proof->unreachable = true;
	proof->alias_pages += map->alias;
	proof->ram_pages += map->ram;
	proof->map_bus += map->map_bus;
	proof->map_thru += map->map_thru;
	proof->map_none += map->map_none;
	proof->alias_calls += after.alias_calls - before.alias_calls;
	proof->migrated_back += after.pages_out - before.pages_out;
	return ret;
}

int client_unmap(int fd)
{
	return ioctl(fd, PEERLAB_CLIENT_UNMAP) ? -errno : 0;
}

int client_dma(int fd, size_t offset, size_t length, void *buffer,
	       unsigned int flags)
{
	struct peerlab_dma req = {
		.offset = offset,
		.length = length,
		.buffer = (uintptr_t)buffer,
		.flags = flags,
	};

	return ioctl(fd, PEERLAB_CLIENT_DMA, &req) ? -errno : 0;
}

struct peerlab_client_state client_state(int fd)
{
	struct peerlab_client_state state;

	REQUIRE(!ioctl(fd, PEERLAB_CLIENT_STATE, &state),
		"PEERLAB_CLIENT_STATE: %m");
	return state;
}

void expect_dma_reads(int fd, size_t offset, size_t length,
		      size_t pattern_offset, uint64_t seed)
{
	uint8_t *buffer = calloc(1, length);
	int ret = client_dma(fd, offset, length, buffer, 0);

	REQUIRE(!ret, "DMA from the mapping at %zu+%zu: %s", offset, length,
		strerror(-ret));
	pattern_expect(buffer, pattern_offset, length, seed, "DMA");
	free(buffer);
}

void expect_alias_address(const struct peerlab_map *map,
			  const struct peerlab_client_page *page,
			  uint64_t bar_offset)
{
	uint64_t expected;

	if (page->map == PEERLAB_MAP_BUS_ADDR)
		expected = provider_info.bar_bus + bar_offset;
	else if (map->uses_iova)
		return;	/* an IOVA says nothing about where it leads */
	else
		expected = provider_info.bar_phys + bar_offset;
	EXPECT(page->dma == expected,
	       "DMA address 0x%llx, 0x%llx expected (BAR offset 0x%lx)",
	       page->dma, (unsigned long long)expected, bar_offset);
}

/* One line from the standard input, without newline; no buffering, since the
 * next test's process has to find the rest where we left it.
 */
static void read_line(char *line, size_t size)
{
	size_t length = 0;

	for (;;) {
		ssize_t n = read(STDIN_FILENO, line + length, 1);

		REQUIRE(n == 1, "the oracle has gone away");
		if (line[length] == '\n')
			break;
		REQUIRE(++length < size, "the oracle's answer is too long");
	}
	line[length] = 0;
}

void oracle_expect(uint64_t bar_offset, size_t pattern_offset, size_t length,
		   uint64_t seed)
{
	static char line[ORACLE_BYTES * 2 + 32];
	uint8_t data[ORACLE_BYTES];
	char *hex;
	size_t i;

	if (!oracle_enabled)
		return;
	REQUIRE(length <= ORACLE_BYTES, "oracle: %zu bytes are too many", length);
	printf("@oracle read %lu %zu\n", bar_offset, length);
	fflush(stdout);
	read_line(line, sizeof(line));
	REQUIRE(strncmp(line, "error ", 6), "oracle: %s", line);
	REQUIRE(strtoul(line, &hex, 10) == length && *hex == ' ' &&
		strlen(hex + 1) == length * 2,
		"oracle: an answer of another length: %.40s", line);
	for (i = 0; i < length; i++) {
		unsigned int byte;

		REQUIRE(sscanf(hex + 1 + i * 2, "%2x", &byte) == 1,
			"oracle: no hex at byte %zu", i);
		data[i] = byte;
	}
	pattern_expect(data, pattern_offset, length, seed, "oracle");
	proof->oracle_reads++;
}
