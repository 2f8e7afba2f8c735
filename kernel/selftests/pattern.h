/* SPDX-License-Identifier: GPL-2.0 */
/* A pattern that tells which byte of which piece it is. */
#ifndef PATTERN_H
#define PATTERN_H

#include <stddef.h>
#include <stdint.h>

/*
 * The pattern: every byte depends on @seed and on its distance from @base, so
 * that neither a wrong page nor a wrong offset looks right.
 */
void pattern_fill(uint8_t *base, size_t offset, size_t length, uint64_t seed);
/* The same bytes into a buffer of their own. */
void pattern_make(uint8_t *data, size_t offset, size_t length, uint64_t seed);
/* EXPECT that @data is the pattern of @offset; counts into the proof. */
void pattern_expect(const uint8_t *data, size_t offset, size_t length,
		    uint64_t seed, const char *what);

#endif
