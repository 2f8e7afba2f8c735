/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two machines run the same tests, each with a role.  They meet: each says a
 * value under a number, and gets the other's when both have.
 *
 * "@meet TEST STEP VALUE" is printed, and one line read from the standard input:
 * "met VALUE", or "error TEXT" when the other side is gone or somewhere else.
 * Whoever runs the two sides carries the values over; see kernel/README.md.
 */
#ifndef MEET_H
#define MEET_H

#include <stdbool.h>

#define MEET_BYTES	256	/* of a value */

/* Is this the side that lends its memory? By PEERLAB_ROLE. */
extern bool is_server;

/**
 * meet_role() - read the role of this machine
 *
 * Return: NULL, or why there is none.
 */
const char *meet_role(void);

/* The test that the next meetings belong to; the first meeting is step 0. */
void meet_begin(unsigned int test);

/**
 * meet() - wait for the other side
 * @format: this side's value, without blanks at its ends
 *
 * Return: the other side's value, good until the next call.  Ends the test when
 * there is none.
 */
const char *meet(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#endif /* MEET_H */
