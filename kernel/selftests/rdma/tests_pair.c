// SPDX-License-Identifier: GPL-2.0
/*
 * F97: two machines.  The server's memory is a region with on demand paging; the
 * client's own is pinned unless a test says otherwise.  Both compare all of
 * theirs, and both look at what the device has counted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "rxe_link.h"
#include "tests_pair.h"

#define SEED_OLD	97
#define SEED_NEW	98
#define PAGES_SHARED	64
#define SHARED		(PAGES_SHARED * PAGE)

/* One side of a test: its memory, and what it knows of the other's. */
struct side {
	uint8_t *memory;
	struct ibv_mr *mr;
	struct pair pair;
	/* The server's, as the client sees it: only rkey and addr are set. */
	struct ibv_mr remote;
	uint64_t received, sent;	/* by the device, at the beginning */
};

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

/* Register @memory, tell the peer where it is, and connect. */
static struct side side_open(uint8_t *memory, int access)
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

/* At least so many bytes of a test must have gone over the wire. */
static void side_close(struct side *side, uint64_t bytes)
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

static uint8_t *shared_memory(void)
{
	return memory_alloc(SHARED, false);
}

static void expect_all(const uint8_t *memory, uint64_t seed, const char *what)
{
	pattern_expect(memory, 0, SHARED, seed, what);
}

/* Old everywhere but where @span is. */
static void expect_around(const uint8_t *memory, const struct span *span,
			  const char *what)
{
	size_t end = span->offset + span->length;

	pattern_expect(memory, 0, span->offset, SEED_OLD, "before it");
	pattern_expect(memory + span->offset, span->offset, span->length,
		       SEED_NEW, what);
	pattern_expect(memory + end, end, SHARED - end, SEED_OLD, "behind it");
}

/*
 * Every span is written by the client.  @before is called on the server before
 * each, for instance to move its memory away.
 */
static uint64_t run_writes(struct side *side, void (*before)(uint8_t *memory))
{
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < span_count; i++) {
		const struct span *span = &spans[i];
		uint8_t *at = side->memory + span->offset;

		if (is_server) {
			pattern_fill(side->memory, 0, SHARED, SEED_OLD);
			if (before)
				before(side->memory);
			meet("lent");
			meet("compare");
			expect_around(side->memory, span, "written");
		} else {
			pattern_make(at, span->offset, span->length, SEED_NEW);
			meet("write");
			require_success(rdma_write(&side->pair, side->mr, at,
						   span->length, &side->remote,
						   (uintptr_t)side->remote.addr +
						   span->offset),
					"RDMA write");
			meet("written");
		}
		bytes += span->length;
	}
	return bytes;
}

/* Every span is read by the client into memory that had something else. */
static uint64_t run_reads(struct side *side, void (*before)(uint8_t *memory))
{
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < span_count; i++) {
		const struct span *span = &spans[i];

		if (is_server) {
			pattern_fill(side->memory, 0, SHARED, SEED_NEW);
			if (before)
				before(side->memory);
			meet("lent");
			meet("compare");
			expect_all(side->memory, SEED_NEW, "after a read");
		} else {
			pattern_fill(side->memory, 0, SHARED, SEED_OLD);
			meet("read");
			require_success(rdma_read(&side->pair, side->mr,
						  side->memory + span->offset,
						  span->length, &side->remote,
						  (uintptr_t)side->remote.addr +
						  span->offset),
					"RDMA read");
			expect_around(side->memory, span, "read");
			meet("done");
		}
		bytes += span->length;
	}
	return bytes;
}

void test_pair_write(void)
{
	struct side side = side_open(shared_memory(),
				     is_server ? ACCESS_ODP : ACCESS_ALL);

	side_close(&side, run_writes(&side, NULL));
}

void test_pair_read(void)
{
	struct side side = side_open(shared_memory(),
				     is_server ? ACCESS_ODP : ACCESS_ALL);

	side_close(&side, run_reads(&side, NULL));
}

/* Both sides page on demand. */
void test_pair_send(void)
{
	struct side side = side_open(shared_memory(), ACCESS_ODP);
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < span_count; i++) {
		const struct span *span = &spans[i];
		uint8_t *at = side.memory + span->offset;

		if (is_server) {
			pattern_fill(side.memory, 0, SHARED, SEED_OLD);
			rdma_expect(&side.pair, HERE, side.mr, at,
				    span->length);
			meet("posted");
			require_success(pair_await(&side.pair, HERE),
					"receive");
			expect_around(side.memory, span, "received");
		} else {
			pattern_make(at, span->offset, span->length, SEED_NEW);
			meet("send");
			require_success(rdma_send_here(&side.pair, side.mr, at,
						       span->length), "send");
		}
		bytes += span->length;
	}
	side_close(&side, bytes);
}

/* The client adds to a counter of the server, which looks at each step. */
void test_pair_atomic(void)
{
	const size_t offsets[] = { 0, 8, PAGE - 8, 5 * PAGE + 64 };
	struct side side = side_open(shared_memory(),
				     is_server ? ACCESS_ODP : ACCESS_ALL);
	uint64_t *old = (uint64_t *)side.memory, was, now;
	size_t i;

	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		if (is_server) {
			pattern_fill(side.memory, 0, SHARED, SEED_OLD);
			memcpy(&was, side.memory + offsets[i], sizeof(was));
			meet("%lx", was);
			meet("compare");
			memcpy(&now, side.memory + offsets[i], sizeof(now));
			EXPECT(now == was + 7, "%lx became %lx", was, now);
			pattern_expect(side.memory, 0, offsets[i], SEED_OLD,
				       "before it");
		} else {
			was = strtoul(meet("add"), NULL, 16);
			require_success(rdma_atomic(&side.pair, side.mr, old,
						    &side.remote,
						    (uintptr_t)side.remote.addr +
						    offsets[i], true, 0, 7),
					"fetch and add");
			EXPECT(*old == was, "returned %lx, it was %lx", *old,
			       was);
			meet("added");
		}
	}
	side_close(&side, sizeof(offsets));
}

static void move_in(uint8_t *memory)
{
	migrate_in_all(memory, SHARED, false, NULL);
}

static struct peerlab_provider_counters at_start;

/* rxe copies with the CPU: what it touches comes back, and no alias is given. */
static void expect_came_back(bool mine)
{
	struct peerlab_provider_counters now = provider_counters();

	proof->used = true;
	proof->alias_calls = now.alias_calls - at_start.alias_calls;
	proof->migrated_back = now.pages_out - at_start.pages_out;
	proof->ram_pages = proof->migrated_back;
	EXPECT(now.alias_calls == at_start.alias_calls &&
	       now.alias_refused == at_start.alias_refused,
	       "a device without DMA asked for an alias");
	EXPECT(!mine || now.pages_out > at_start.pages_out,
	       "nothing came back to RAM");
}

/* The server's memory is on its device whenever the client reaches for it. */
void test_pair_migrated(void)
{
	struct side side = side_open(shared_memory(),
				     is_server ? ACCESS_ODP : ACCESS_ALL);
	uint64_t bytes;

	at_start = provider_counters();
	bytes = run_writes(&side, move_in);
	bytes += run_reads(&side, move_in);
	expect_came_back(is_server);
	side_close(&side, bytes);
}

/* The client's is, when it writes from it and reads into it. */
void test_pair_client_migrated(void)
{
	struct side side = side_open(shared_memory(), ACCESS_ODP);
	uintptr_t there = (uintptr_t)side.remote.addr;
	const size_t at = 3 * PAGE - 5, length = 9 * PAGE + 11;
	const struct span span = { at, length };

	at_start = provider_counters();
	if (is_server) {
		pattern_fill(side.memory, 0, SHARED, SEED_OLD);
		meet("lent");
		meet("compare");
		expect_around(side.memory, &span, "written from the device");
		meet("compared");
		meet("read");
	} else {
		pattern_fill(side.memory, 0, SHARED, SEED_NEW);
		move_in(side.memory);
		meet("write");
		require_success(rdma_write(&side.pair, side.mr,
					   side.memory + at, length,
					   &side.remote, there + at), "write");
		meet("written");
		move_in(side.memory);
		meet("read");
		require_success(rdma_read(&side.pair, side.mr, side.memory,
					  SHARED, &side.remote, there), "read");
		expect_around(side.memory, &span, "read to the device");
		meet("compared");
	}
	expect_came_back(!is_server);
	side_close(&side, SHARED + length);
}

/* The server prefetches, and the client finds the pages there. */
void test_pair_prefetch(void)
{
	struct side side = side_open(shared_memory(),
				     is_server ? ACCESS_ODP : ACCESS_ALL);

	if (is_server) {
		struct ibv_sge sge = {
			.addr = (uintptr_t)side.memory,
			.length = SHARED,
			.lkey = side.mr->lkey,
		};
		int ret = ibv_advise_mr(domain,
					IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE,
					IBV_ADVISE_MR_FLAG_FLUSH, &sge, 1);

		REQUIRE(!ret, "prefetch: %s", strerror(ret));
		EXPECT(page_present(side.memory + SHARED - PAGE),
		       "the last page is not there after a prefetch");
	}
	side_close(&side, run_writes(&side, NULL));
}

/* A region that may be read, and not written. */
void test_pair_read_only(void)
{
	struct side side = side_open(shared_memory(),
				     is_server ? ACCESS_ODP_READ : ACCESS_ALL);
	uintptr_t there = (uintptr_t)side.remote.addr;
	enum ibv_wc_status status;

	if (is_server) {
		pattern_fill(side.memory, 0, SHARED, SEED_OLD);
		meet("lent");
		meet("compare");
		expect_all(side.memory, SEED_OLD, "after a refused write");
	} else {
		memset(side.memory, 0, SHARED);
		meet("read");
		require_success(rdma_read(&side.pair, side.mr, side.memory,
					  SHARED, &side.remote, there), "read");
		expect_all(side.memory, SEED_OLD, "read");
		status = rdma_write(&side.pair, side.mr, side.memory, PAGE,
				    &side.remote, there);
		EXPECT(status == IBV_WC_REM_ACCESS_ERR,
		       "a write to a region for reading ended with: %s",
		       ibv_wc_status_str(status));
		meet("refused");
	}
	side_close(&side, SHARED);
}

/* The server's memory goes away under the client, which must be told. */
void test_pair_unmapped(void)
{
	struct side side = side_open(shared_memory(),
				     is_server ? ACCESS_ODP : ACCESS_ALL);
	uintptr_t there = (uintptr_t)side.remote.addr;
	enum ibv_wc_status status;

	if (is_server) {
		pattern_fill(side.memory, 0, SHARED, SEED_OLD);
		meet("lent");
		meet("read");
		REQUIRE(!munmap(side.memory, SHARED), "munmap: %m");
		meet("gone");
		meet("refused");
	} else {
		meet("read");
		require_success(rdma_read(&side.pair, side.mr, side.memory,
					  SHARED, &side.remote, there), "read");
		expect_all(side.memory, SEED_OLD, "read");
		meet("compared");
		meet("again");
		status = rdma_read(&side.pair, side.mr, side.memory, PAGE,
				   &side.remote, there);
		EXPECT(status != IBV_WC_SUCCESS,
		       "memory that is unmapped could be read");
		meet("refused");
	}
	side_close(&side, SHARED);
}

/* ---- traffic */

#define TRAFFIC_S	10
#define PEACE_US	20000	/* see test_traffic() */

static atomic_bool stop;
static bool have_provider;

static uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

/* Moves pages about and takes them away; none of it changes their contents. */
static void *disturb(void *arg)
{
	uint8_t *memory = arg;
	uint64_t state = 4711;

	while (!stop) {
		uint32_t first = next_random(&state) % PAGES_SHARED;
		uint32_t pages = 1 + next_random(&state) %
				     (PAGES_SHARED - first);
		uint8_t *at = memory + first * PAGE;

		switch (next_random(&state) % 3) {
		case 0:
			madvise(at, pages * PAGE, MADV_PAGEOUT);
			break;
		case 1:
			if (have_provider)
				migrate_out(at, pages * PAGE, false);
			break;
		default:
			if (have_provider)
				migrate_in(at, pages * PAGE, false, NULL);
		}
		usleep(PEACE_US);
	}
	return NULL;
}

/* The client writes and reads back; the server's pages never rest. */
static unsigned long run_traffic(struct side *side)
{
	uint8_t *expected = malloc(SHARED);
	uintptr_t there = (uintptr_t)side->remote.addr;
	struct timespec now, end;
	unsigned long rounds = 0;
	uint64_t state = 815;

	REQUIRE(expected, "no memory");
	pattern_make(expected, 0, SHARED, SEED_OLD);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += TRAFFIC_S;
	do {
		size_t offset = next_random(&state) % SHARED;
		size_t length = 1 + next_random(&state) % (SHARED - offset);

		pattern_make(expected + offset, offset, length, rounds);
		memcpy(side->memory, expected + offset, length);
		require_success(rdma_write(&side->pair, side->mr, side->memory,
					   length, &side->remote,
					   there + offset), "write");
		memset(side->memory, 0, SHARED);
		require_success(rdma_read(&side->pair, side->mr, side->memory,
					  SHARED, &side->remote, there),
				"read");
		REQUIRE(!memcmp(side->memory, expected, SHARED),
			"wrong data after round %lu (%zu bytes at %zu)",
			rounds, length, offset);
		proof->bytes_compared += SHARED;
		rounds++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec);
	free(expected);
	return rounds;
}

void test_pair_traffic(void)
{
	struct side side = side_open(shared_memory(),
				     is_server ? ACCESS_ODP : ACCESS_ALL);
	pthread_t thread;

	have_provider = client_fd >= 0;
	if (is_server) {
		unsigned long rounds;

		pattern_fill(side.memory, 0, SHARED, SEED_OLD);
		REQUIRE(!pthread_create(&thread, NULL, disturb, side.memory),
			"thread");
		meet("lent");
		rounds = strtoul(meet("compare"), NULL, 10);
		stop = true;
		pthread_join(thread, NULL);
		ktap_note("%lu rounds of the client%s", rounds,
			  have_provider ? ", with migration" : "");
		EXPECT(rounds > 0, "the client did nothing");
	} else {
		meet("write");
		meet("%lu", run_traffic(&side));
	}
	side_close(&side, SHARED);
}
