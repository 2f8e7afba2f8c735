// SPDX-License-Identifier: GPL-2.0
/* Memory of the tests, and its comparison with what the host sees of it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pattern.h"
#include "rig.h"

#define ORACLE_BYTES	4096ul

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

uint8_t *device_memory(size_t length, uint64_t seed, uint64_t *offsets)
{
	uint8_t *p = memory_alloc(length, false);

	pattern_fill(p, 0, length, seed);
	migrate_in_all(p, length, false, offsets);
	return p;
}

uint64_t pagemap_entry(const void *address)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	REQUIRE(fd >= 0, "/proc/self/pagemap: %m");
	REQUIRE(pread(fd, &entry, 8, (uintptr_t)address / PAGE * 8) == 8,
		"/proc/self/pagemap: %m");
	close(fd);
	return entry;
}

uint8_t *huge_device_memory(uint64_t seed, uint64_t *offsets)
{
	uint8_t *p = memory_alloc(HUGE, true);
	struct peerlab_own_page first;

	pattern_fill(p, 0, HUGE, seed);
	migrate_in_all(p, HUGE, true, offsets);
	provider_snapshot(p, PAGE, &first);
	if (first.order != HUGE_ORDER)
		SKIP("the kernel gave no huge page (order %u)", first.order);
	return p;
}

/*
 * No buffering, since the next test's process has to find the rest where we
 * left it.
 */
void read_answer(char *line, size_t size)
{
	size_t length = 0;

	for (;;) {
		ssize_t n = read(STDIN_FILENO, line + length, 1);

		REQUIRE(n == 1, "nobody answers on the standard input");
		if (line[length] == '\n')
			break;
		REQUIRE(++length < size, "the answer is too long");
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
	read_answer(line, sizeof(line));
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
