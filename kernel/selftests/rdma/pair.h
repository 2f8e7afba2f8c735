/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two connected queue pairs of one device, "here" and "there", and memory
 * regions with on demand paging (ODP) for them.
 *
 * What the setup of a test needs ends the test when it does not work; what a
 * test is about is returned.
 */
#ifndef PAIR_H
#define PAIR_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HERE, THERE };

#define ACCESS_ALL	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | \
			 IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC)
#define ACCESS_ODP	(ACCESS_ALL | IBV_ACCESS_ON_DEMAND)
#define ACCESS_ODP_READ	(IBV_ACCESS_REMOTE_READ | IBV_ACCESS_ON_DEMAND)

/* The open device and its protection domain. */
extern struct ibv_context *device;
extern struct ibv_pd *domain;
/* What it does with on demand paging, for reliable connections. */
extern uint32_t odp_operations;
extern bool odp_implicit;
/* What the queue pairs of pair_open() grant; ACCESS_ALL unless a test wants more. */
extern uint32_t pair_access;

/**
 * device_open_rxe() - open the software device
 *
 * Return: NULL, or why to skip.
 */
const char *device_open_rxe(void);

/**
 * device_open_dma() - open a device that pages on demand and does its own DMA
 *
 * Return: NULL, or why to skip.
 */
const char *device_open_dma(void);

struct pair {
	struct ibv_cq *cq[2];
	struct ibv_qp *qp[2];
};

/* Connect two queue pairs; @mtu of 0 is the largest the port has. */
struct pair pair_open(enum ibv_mtu mtu);
void pair_close(struct pair *pair);
/*
 * Reset the queue pair that answers, and connect it again: it expects the packet
 * that it had not answered.
 */
void pair_reset_there(struct pair *pair);

/*
 * The half of a connection to another machine: all of it is on the side HERE.
 * @gid receives this end's address; the peer's are what its own call returned.
 */
struct pair pair_open_here(union ibv_gid *gid);
void pair_connect_here(struct pair *pair, uint32_t peer,
		       const union ibv_gid *gid);

/* Register or end the test. */
struct ibv_mr *region(void *address, size_t length, int access);
/* New memory, registered without on demand paging, so that it is pinned. */
struct ibv_mr *region_pinned(size_t length);

/*
 * One operation of "here" on @remote, waited for; @wr has everything but ids and
 * flags. Returns the status of the completion.
 */
enum ibv_wc_status pair_run(struct pair *pair, struct ibv_send_wr *wr);

/* Wait for the next completion of one side. */
enum ibv_wc_status pair_await(struct pair *pair, int side);

/* Simple forms of it, of one piece of local memory. */
enum ibv_wc_status rdma_write(struct pair *pair, struct ibv_mr *local,
			      void *from, size_t length, struct ibv_mr *remote,
			      uint64_t to);
enum ibv_wc_status rdma_read(struct pair *pair, struct ibv_mr *local, void *to,
			     size_t length, struct ibv_mr *remote,
			     uint64_t from);
/* @swap is what is added if @add, else swapped in where @compare is found. */
enum ibv_wc_status rdma_atomic(struct pair *pair, struct ibv_mr *local,
			       uint64_t *old, struct ibv_mr *remote,
			       uint64_t address, bool add, uint64_t compare,
			       uint64_t swap);
/* Send from here, receive there; @status has both completions. */
void rdma_send(struct pair *pair, struct ibv_mr *local, void *from,
	       struct ibv_mr *remote, void *to, size_t length,
	       enum ibv_wc_status status[2]);

/* The halves of it. */
void rdma_expect(struct pair *pair, int side, struct ibv_mr *mr, void *to,
		 size_t length);
enum ibv_wc_status rdma_send_here(struct pair *pair, struct ibv_mr *local,
				  void *from, size_t length);

/* REQUIRE success. */
void require_success(enum ibv_wc_status status, const char *what);

/* Is the page of @address there, by /proc/self/pagemap? */
bool page_present(const void *address);
/* Is it mapped here and nowhere else, as the zero page is not? */
bool page_exclusive(const void *address);

#endif /* PAIR_H */
