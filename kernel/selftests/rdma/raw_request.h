/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests to rxe that libibverbs of today has no call for: they are written into
 * the send queue that rxe shares with its users.
 */
#ifndef RAW_REQUEST_H
#define RAW_REQUEST_H

#include "pair.h"

/* How far a flush has to reach, and how much of a region. */
#define FLUSH_GLOBAL		1u
#define FLUSH_PERSISTENT	2u
#define ACCESS_FLUSH_GLOBAL	(1u << 8)
#define ACCESS_FLUSH_PERSISTENT	(1u << 9)
#define ACCESS_FLUSH		(ACCESS_FLUSH_GLOBAL | ACCESS_FLUSH_PERSISTENT)

/* Where the requests of one side of a pair lie. */
struct raw_queue;

/*
 * raw_queue_find() - the send queue of "here"; sends one read of 8 bytes of @remote
 * to the beginning of @local to find it.  SKIP when it cannot be found.
 */
struct raw_queue *raw_queue_find(struct pair *pair, struct ibv_mr *local,
				 struct ibv_mr *remote, uint64_t address);

/* Flush @length bytes at @address, or all of the region when @whole. */
enum ibv_wc_status raw_flush(struct pair *pair, struct raw_queue *queue,
			     struct ibv_mr *remote, uint64_t address,
			     uint32_t length, bool whole, unsigned int type);

/* Send a flush of all of a region, and a read behind it, and wait for neither. */
void raw_flush_start(struct pair *pair, struct raw_queue *queue,
		     struct ibv_mr *remote);

/* Write 8 bytes at once. */
enum ibv_wc_status raw_atomic_write(struct pair *pair, struct raw_queue *queue,
				    struct ibv_mr *remote, uint64_t address,
				    uint64_t value);

#endif /* RAW_REQUEST_H */
