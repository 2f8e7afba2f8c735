// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ktap.h"
#include "raw_request.h"

/*
 * What <rdma/rdma_user_rxe.h> says since Linux 6.2; the headers of the machine
 * that builds this may be older.
 */
struct raw_request {
	uint64_t id;
	uint32_t reserved;
	uint32_t opcode;
	uint32_t send_flags;
	uint32_t immediate;
	union {
		struct {
			uint64_t remote_addr;
			uint32_t length;
			uint32_t rkey;
			uint8_t type;
			uint8_t level;
		} flush;
		struct {
			uint64_t remote_addr;
			uint32_t rkey;
			uint32_t reserved;
		} rdma;
		uint8_t room[128];	/* no smaller than the largest of them */
	} wr;
};

struct raw_queue {
	uint32_t log2_elem_size;
	uint32_t index_mask;
	uint32_t pad_1[30];
	uint32_t producer_index;
	uint32_t pad_2[31];
	uint32_t consumer_index;
	uint32_t pad_3[31];
	uint8_t data[];
};

/* Behind the request in an element of the queue. */
struct raw_state {
	uint32_t status;
	uint32_t state;
	uint64_t iova;
	uint32_t mask;
	uint32_t first_psn;
	uint32_t last_psn;
	uint32_t ack_length;
	uint32_t ssn;
	uint32_t has_rd_atomic;
	uint32_t length;
	uint32_t resid;
	uint32_t cur_sge;
	uint32_t num_sge;
	uint32_t sge_offset;
	uint32_t reserved;
	uint8_t inline_data[];
};

#define OPCODE_FLUSH		14
#define OPCODE_ATOMIC_WRITE	15
#define LEVEL_RANGE		0
#define LEVEL_REGION		1
#define ID_OF_THE_SEARCH	0x7065657224c0ffeeull
#define ID_OF_THE_REQUEST	0x7065657200000001ull

/* Where the state begins, seen in an element that the library has written. */
static size_t state_offset;

static struct ibv_sge search_piece;

static int post_read(struct pair *pair, uint64_t id, struct ibv_mr *remote,
		     uint64_t address)
{
	struct ibv_send_wr *bad, wr = {
		.wr_id = id,
		.sg_list = &search_piece,
		.num_sge = 1,
		.opcode = IBV_WR_RDMA_READ,
		.send_flags = IBV_SEND_SIGNALED,
		.wr.rdma = { .remote_addr = address, .rkey = remote->rkey },
	};

	return ibv_post_send(pair->qp[HERE], &wr, &bad);
}

/* The element of the search in a mapping of the device, if it lies there. */
static uint8_t *find_element(uint8_t *mapping, size_t size)
{
	struct raw_queue *queue = (struct raw_queue *)mapping;
	size_t step, at;

	if (size <= sizeof(*queue) || queue->log2_elem_size < 6 ||
	    queue->log2_elem_size > 12)
		return NULL;
	step = 1ul << queue->log2_elem_size;
	for (at = sizeof(*queue); at + step <= size; at += step) {
		struct raw_request *request = (void *)(mapping + at);

		if (request->id == ID_OF_THE_SEARCH &&
		    request->opcode == IBV_WR_RDMA_READ)
			return mapping + at;
	}
	return NULL;
}

/* The list of pieces says where the state in front of it begins. */
static size_t find_state(const uint8_t *element, size_t size)
{
	size_t at;

	for (at = 0; at + sizeof(search_piece) <= size; at += 8)
		if (!memcmp(element + at, &search_piece, sizeof(search_piece)))
			return at - sizeof(struct raw_state);
	return 0;
}

struct raw_queue *raw_queue_find(struct pair *pair, struct ibv_mr *local,
				 struct ibv_mr *remote, uint64_t address)
{
	struct raw_queue *queue = NULL;
	unsigned long begin, end;
	char line[512];
	uint8_t *element;
	FILE *maps;

	search_piece = (struct ibv_sge){
		.addr = (uintptr_t)local->addr, .length = 8,
		.lkey = local->lkey,
	};
	REQUIRE(!post_read(pair, ID_OF_THE_SEARCH, remote, address), "post: %m");
	require_success(pair_await(pair, HERE), "read");
	maps = fopen("/proc/self/maps", "re");
	REQUIRE(maps, "/proc/self/maps: %m");
	while (!queue && fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "uverbs") || !strstr(line, "rw-") ||
		    sscanf(line, "%lx-%lx", &begin, &end) != 2)
			continue;
		element = find_element((uint8_t *)begin, end - begin);
		if (!element)
			continue;
		queue = (struct raw_queue *)begin;
		state_offset = find_state(element, 1ul << queue->log2_elem_size);
	}
	fclose(maps);
	if (!queue || !state_offset)
		SKIP("the send queue of rxe was not found: another libibverbs?");
	return queue;
}

/* A copy of the request of the search, the next in the queue. */
static struct raw_request *next_request(struct raw_queue *queue,
					struct raw_state **state)
{
	size_t size = 1ul << queue->log2_elem_size;
	uint8_t *element = queue->data +
		(queue->producer_index & queue->index_mask) * size;
	struct raw_request *request = (struct raw_request *)element;

	memset(element, 0, size);
	*state = (struct raw_state *)(element + state_offset);
	request->id = ID_OF_THE_REQUEST;
	request->send_flags = IBV_SEND_SIGNALED;
	(*state)->state = 1;	/* posted */
	return request;
}

/* The library rings the bell, for a request of its own behind ours. */
static void start(struct pair *pair, struct raw_queue *queue,
		  struct ibv_mr *remote)
{
	__atomic_store_n(&queue->producer_index,
			 (queue->producer_index + 1) & queue->index_mask,
			 __ATOMIC_RELEASE);
	REQUIRE(!post_read(pair, ID_OF_THE_SEARCH, remote,
			   (uintptr_t)remote->addr), "post: %m");
}

static enum ibv_wc_status run(struct pair *pair, struct raw_queue *queue,
			      struct ibv_mr *remote)
{
	enum ibv_wc_status status;

	start(pair, queue, remote);
	status = pair_await(pair, HERE);
	if (status == IBV_WC_SUCCESS)
		require_success(pair_await(pair, HERE), "read behind it");
	return status;
}

static void prepare_flush(struct raw_queue *queue, struct ibv_mr *remote,
			  uint64_t address, uint32_t length, bool whole,
			  unsigned int type)
{
	struct raw_state *state;
	struct raw_request *request = next_request(queue, &state);

	request->opcode = OPCODE_FLUSH;
	request->wr.flush.remote_addr = address;
	request->wr.flush.length = length;
	request->wr.flush.rkey = remote->rkey;
	request->wr.flush.type = type;
	request->wr.flush.level = whole ? LEVEL_REGION : LEVEL_RANGE;
	state->iova = address;
	state->length = length;
	state->resid = length;
}

enum ibv_wc_status raw_flush(struct pair *pair, struct raw_queue *queue,
			     struct ibv_mr *remote, uint64_t address,
			     uint32_t length, bool whole, unsigned int type)
{
	prepare_flush(queue, remote, address, length, whole, type);
	return run(pair, queue, remote);
}

void raw_flush_start(struct pair *pair, struct raw_queue *queue,
		     struct ibv_mr *remote)
{
	prepare_flush(queue, remote, 0, 0, true, FLUSH_PERSISTENT);
	start(pair, queue, remote);
}

enum ibv_wc_status raw_atomic_write(struct pair *pair, struct raw_queue *queue,
				    struct ibv_mr *remote, uint64_t address,
				    uint64_t value)
{
	struct raw_state *state;
	struct raw_request *request = next_request(queue, &state);

	request->opcode = OPCODE_ATOMIC_WRITE;
	request->wr.rdma.remote_addr = address;
	request->wr.rdma.rkey = remote->rkey;
	state->iova = address;
	state->length = sizeof(value);
	state->resid = sizeof(value);
	memcpy(state->inline_data, &value, sizeof(value));
	return run(pair, queue, remote);
}
