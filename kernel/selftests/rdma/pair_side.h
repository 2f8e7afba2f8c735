/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One side of a test of two machines: its memory, its end of the connection and
 * what it knows of the other's.  Both call side_open() and side_close(), which
 * meet the other side.
 */
#ifndef PAIR_SIDE_H
#define PAIR_SIDE_H

#include "pair.h"
#include "tests_rdma.h"

#define SEED_OLD	97
#define SEED_NEW	98
#define PAGES_SHARED	64
#define SHARED		(PAGES_SHARED * PAGE)	/* bytes */

struct side {
	uint8_t *memory;
	struct ibv_mr *mr;
	struct pair pair;
	/* The server's, as the client sees it: only rkey and addr are set. */
	struct ibv_mr remote;
	uint64_t received, sent;	/* bytes, by the device, at the beginning */
};

/* Register @memory of SHARED bytes, tell the peer where it is, and connect. */
struct side side_open(uint8_t *memory, int access);
/* At least @bytes of the test must have gone over the wire. */
void side_close(struct side *side, uint64_t bytes);

/* SHARED bytes of small pages. */
uint8_t *shared_memory(void);
void expect_all(const uint8_t *memory, uint64_t seed, const char *what);
/* SEED_OLD everywhere but where @span is. */
void expect_around(const uint8_t *memory, const struct span *span,
		   const char *what);

#endif
