// SPDX-License-Identifier: GPL-2.0
/* Memory with a known pattern, and who knows it from outside. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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
	size_t i = 0;

	if (offset % 8 == 0)
		for (; i + 8 <= length; i += 8) {
			uint64_t word = pattern_word(seed, (offset + i) / 8);

			memcpy(data + i, &word, 8);
		}
	for (; i < length; i++)
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
	size_t i = 0;

	if (offset % 8 == 0)
		for (; i + 8 <= length; i += 8) {
			uint64_t word = pattern_word(seed, (offset + i) / 8);

			if (memcmp(data + i, &word, 8))
				break;
		}
	for (; i < length; i++)
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
