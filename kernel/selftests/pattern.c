// SPDX-License-Identifier: GPL-2.0
/* A pattern that tells which byte of which piece it is. */
#include <string.h>

#include "ktap.h"
#include "pages.h"
#include "pattern.h"

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
