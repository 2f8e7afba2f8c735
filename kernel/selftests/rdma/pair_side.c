// SPDX-License-Identifier: GPL-2.0
/* One side of a test of two machines: see pair_side.h. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pair_side.h"
#include "rxe_link.h"
#include "tests_pair.h"

/* What rxe counts on its port; 0 when there is no such counter. */
static uint64_t port_counter(const char *name)
{
	char path[128], text[32] = "";
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path),
		 "/sys/class/infiniband/" RXE_NAME "/ports/1/hw_counters/%s",
		 name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	return n > 0 ? strtoull(text, NULL, 10) : 0;
}

static void gid_text(const union ibv_gid *gid, char *text)
{
	size_t i;

	for (i = 0; i < sizeof(gid->raw); i++)
		sprintf(text + 2 * i, "%02x", gid->raw[i]);
}

static void gid_parse(const char *text, union ibv_gid *gid)
{
	size_t i;

	for (i = 0; i < sizeof(gid->raw); i++) {
		unsigned int byte;

		REQUIRE(sscanf(text + 2 * i, "%2x", &byte) == 1,
			"the peer's GID is no hex: %.40s", text);
		gid->raw[i] = byte;
	}
}

struct side side_open(uint8_t *memory, int access)
{
	struct side side = { .memory = memory };
	char mine[33], theirs[33];
	union ibv_gid gid;
	unsigned int qp, rkey;
	uint64_t address;

	side.mr = region(memory, SHARED, access);
	side.pair = pair_open_here(&gid);
	gid_text(&gid, mine);
	REQUIRE(sscanf(meet("%s %x %lx %x", mine, side.pair.qp[HERE]->qp_num,
			    (uintptr_t)memory, side.mr->rkey),
		       "%32s %x %lx %x", theirs, &qp, &address, &rkey) == 4,
		"the peer said something else");
	gid_parse(theirs, &gid);
	pair_connect_here(&side.pair, qp, &gid);
	side.remote.addr = (void *)(uintptr_t)address;
	side.remote.rkey = rkey;
	side.received = port_counter("rcvd_bytes");
	side.sent = port_counter("sent_bytes");
	/* Nobody may send before both can receive. */
	meet("connected");
	return side;
}

void side_close(struct side *side, uint64_t bytes)
{
	uint64_t received = port_counter("rcvd_bytes") - side->received;
	uint64_t sent = port_counter("sent_bytes") - side->sent;

	uint64_t their_received, their_sent;

	REQUIRE(sscanf(meet("%lu %lu", received, sent), "%lu %lu",
		       &their_received, &their_sent) == 2,
		"the peer said something else");
	EXPECT(received + sent >= bytes,
	       "%lu bytes were to move, the device counted %lu in and %lu out",
	       bytes, received, sent);
	/* What one device sent the other one must have seen. */
	EXPECT(their_received + their_sent >= bytes,
	       "%lu bytes were to move, the peer's device counted %lu in and %lu out",
	       bytes, their_received, their_sent);
	proof->nic_bytes += received + sent;
	proof->peer_nic_bytes += their_received + their_sent;
	pair_close(&side->pair);
	EXPECT(!ibv_dereg_mr(side->mr), "deregister: %m");
}

uint8_t *shared_memory(void)
{
	return memory_alloc(SHARED, false);
}

void expect_all(const uint8_t *memory, uint64_t seed, const char *what)
{
	pattern_expect(memory, 0, SHARED, seed, what);
}

void expect_around(const uint8_t *memory, const struct span *span,
			  const char *what)
{
	size_t end = span->offset + span->length;

	pattern_expect(memory, 0, span->offset, SEED_OLD, "before it");
	pattern_expect(memory + span->offset, span->offset, span->length,
		       SEED_NEW, what);
	pattern_expect(memory + end, end, SHARED - end, SEED_OLD, "behind it");
}
