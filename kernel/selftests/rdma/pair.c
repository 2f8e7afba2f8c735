// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pair.h"
#include "rig.h"
#include "rxe_link.h"

#define PORT		1
#define DEPTH		16
#define WAIT_S		20	/* emulated machines are slow */
#define POLL_US		50
#define GIDS		64
#define GID_WAIT_MS	10000u
#define GID_POLL_MS	50u

struct ibv_context *device;
struct ibv_pd *domain;
uint32_t odp_operations;
bool odp_implicit;
uint32_t pair_access = ACCESS_ALL;

static const char *device_use(struct ibv_device *found)
{
	struct ibv_device_attr_ex attr = {};

	device = ibv_open_device(found);
	REQUIRE(device, "cannot open %s: %m", ibv_get_device_name(found));
	REQUIRE(!ibv_query_device_ex(device, NULL, &attr), "query device: %m");
	if (!(attr.odp_caps.general_caps & IBV_ODP_SUPPORT))
		return "the device has no on demand paging (CONFIG_INFINIBAND_ON_DEMAND_PAGING)";
	odp_operations = attr.odp_caps.per_transport_caps.rc_odp_caps;
	odp_implicit = attr.odp_caps.general_caps & IBV_ODP_SUPPORT_IMPLICIT;
	domain = ibv_alloc_pd(device);
	REQUIRE(domain, "protection domain: %m");
	return NULL;
}

const char *device_open_rxe(void)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	int i;

	for (i = 0; list && list[i]; i++)
		if (!strcmp(ibv_get_device_name(list[i]), RXE_NAME))
			return device_use(list[i]);
	return "libibverbs does not know " RXE_NAME " (package ibverbs-providers)";
}

const char *device_open_dma(void)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	char path[300];
	int i;

	for (i = 0; list && list[i]; i++) {
		/* What has no device below it has nothing that does DMA. */
		snprintf(path, sizeof(path), "%s/device", list[i]->ibdev_path);
		if (!access(path, F_OK) && !device_use(list[i]))
			return NULL;
	}
	return "no device with on demand paging that does its own DMA";
}

/* ---- connecting */

/* The GID of an IPv4 address and RoCE v2, or -1. */
static int ipv4_gid(void)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char path[300], type[32];
	union ibv_gid gid;
	int i;

	for (i = 0; i < GIDS; i++) {
		ssize_t n = -1;
		int fd;

		if (ibv_query_gid(device, PORT, i, &gid) ||
		    memcmp(gid.raw, mapped, sizeof(mapped)))
			continue;
		snprintf(path, sizeof(path), "%s/ports/%d/gid_attrs/types/%d",
			 device->device->ibdev_path, PORT, i);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			n = read(fd, type, sizeof(type) - 1);
			close(fd);
		}
		if (n > 0 && !strncmp(type, "RoCE v2", 7))
			return i;
	}
	return -1;
}

/*
 * As above, or else the first there is.  The kernel makes the GID of an address
 * a moment later, and a network manager that claims every device takes the
 * address of rxe's away once, when it first sees it.
 */
static int best_gid(void)
{
	unsigned int tries;
	int gid;

	for (tries = 0; tries < GID_WAIT_MS / GID_POLL_MS; tries++) {
		gid = ipv4_gid();
		if (gid >= 0)
			return gid;
		if (strcmp(ibv_get_device_name(device->device), RXE_NAME))
			return 0;
		rxe_link_address_again();
		usleep(GID_POLL_MS * 1000);
	}
	SKIP("rxe has no IPv4 address; does a network manager take it away?");
	return 0;
}

/*
 * The address can be taken away between the look at the GID and its use, see
 * best_gid(); once, so that one more try is enough.
 */
static int ready_to_receive(struct ibv_qp *qp, struct ibv_qp_attr *attr,
			    const union ibv_gid *peer)
{
	struct ibv_global_route *route = &attr->ah_attr.grh;
	unsigned int tries;

	for (tries = 0; tries < 2; tries++) {
		route->sgid_index = best_gid();
		if (peer)
			route->dgid = *peer;
		if ((peer || !ibv_query_gid(device, PORT, route->sgid_index,
					    &route->dgid)) &&
		    !ibv_modify_qp(qp, attr, IBV_QP_STATE | IBV_QP_AV |
				   IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
				   IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
				   IBV_QP_MIN_RNR_TIMER))
			return 0;
	}
	return -1;
}

/*
 * @gid is the peer's, or NULL when it is of the same device; @psn is the number of
 * the first packet that is expected.
 */
static void connect_qp(struct ibv_qp *qp, uint32_t peer,
		       const union ibv_gid *gid, enum ibv_mtu mtu, uint32_t psn)
{
	struct ibv_port_attr port;
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT,
		.port_num = PORT,
		.qp_access_flags = pair_access,
	};

	REQUIRE(!ibv_query_port(device, PORT, &port), "query port: %m");
	REQUIRE(port.state == IBV_PORT_ACTIVE, "the port is not active");
	REQUIRE(!ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX |
			       IBV_QP_PORT | IBV_QP_ACCESS_FLAGS),
		"queue pair to INIT: %m");

	attr = (struct ibv_qp_attr){
		.qp_state = IBV_QPS_RTR,
		.path_mtu = mtu ? mtu : port.active_mtu,
		.dest_qp_num = peer,
		.rq_psn = psn,
		.max_dest_rd_atomic = 1,
		.min_rnr_timer = 12,
		.ah_attr = {
			.dlid = port.lid,
			.port_num = PORT,
			.is_global = port.link_layer == IBV_LINK_LAYER_ETHERNET,
			.grh = { .hop_limit = 1 },
		},
	};
	REQUIRE(!ready_to_receive(qp, &attr, gid), "queue pair to RTR: %m");

	attr = (struct ibv_qp_attr){
		.qp_state = IBV_QPS_RTS,
		.timeout = 18,		/* 1 s */
		.retry_cnt = 7,
		.rnr_retry = 7,
		.max_rd_atomic = 1,
	};
	REQUIRE(!ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_TIMEOUT |
			       IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
			       IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC),
		"queue pair to RTS: %m");
}

static void open_side(struct pair *pair, int side)
{
	struct ibv_qp_init_attr init = {
		.qp_type = IBV_QPT_RC,
		.cap = {
			.max_send_wr = DEPTH, .max_recv_wr = DEPTH,
			.max_send_sge = 4, .max_recv_sge = 4,
		},
	};

	pair->cq[side] = ibv_create_cq(device, 2 * DEPTH, NULL, NULL, 0);
	REQUIRE(pair->cq[side], "completion queue: %m");
	init.send_cq = pair->cq[side];
	init.recv_cq = pair->cq[side];
	pair->qp[side] = ibv_create_qp(domain, &init);
	REQUIRE(pair->qp[side], "queue pair: %m");
}

struct pair pair_open(enum ibv_mtu mtu)
{
	struct pair pair;
	int i;

	for (i = 0; i < 2; i++)
		open_side(&pair, i);
	for (i = 0; i < 2; i++)
		connect_qp(pair.qp[i], pair.qp[!i]->qp_num, NULL, mtu, 0);
	return pair;
}

struct pair pair_open_here(union ibv_gid *gid)
{
	struct pair pair = {};

	open_side(&pair, HERE);
	REQUIRE(!ibv_query_gid(device, PORT, best_gid(), gid), "query GID: %m");
	return pair;
}

void pair_connect_here(struct pair *pair, uint32_t peer,
		       const union ibv_gid *gid)
{
	connect_qp(pair->qp[HERE], peer, gid, 0, 0);
}

void pair_reset_there(struct pair *pair)
{
	struct ibv_qp_attr attr, reset = { .qp_state = IBV_QPS_RESET };
	struct ibv_qp_init_attr init;

	REQUIRE(!ibv_query_qp(pair->qp[THERE], &attr, IBV_QP_RQ_PSN, &init),
		"query queue pair: %m");
	REQUIRE(!ibv_modify_qp(pair->qp[THERE], &reset, IBV_QP_STATE),
		"reset queue pair: %m");
	connect_qp(pair->qp[THERE], pair->qp[HERE]->qp_num, NULL, 0,
		   attr.rq_psn);
}

void pair_close(struct pair *pair)
{
	int i;

	for (i = 0; i < 2 && pair->qp[i]; i++) {
		EXPECT(!ibv_destroy_qp(pair->qp[i]), "destroy queue pair: %m");
		EXPECT(!ibv_destroy_cq(pair->cq[i]), "destroy queue: %m");
	}
}

/* ---- memory */

struct ibv_mr *region(void *address, size_t length, int access)
{
	struct ibv_mr *mr = ibv_reg_mr(domain, address, length, access);

	REQUIRE(mr, "register %zu bytes with access 0x%x: %m", length, access);
	return mr;
}

struct ibv_mr *region_pinned(size_t length)
{
	uint8_t *memory = memory_alloc(length, false);

	memset(memory, 0x5a, length);
	return region(memory, length, ACCESS_ALL);
}

bool page_present(const void *address)
{
	return pagemap_entry(address) >> 63 & 1;
}

bool page_exclusive(const void *address)
{
	return pagemap_entry(address) >> 56 & 1;
}

/* ---- operations */

enum ibv_wc_status pair_await(struct pair *pair, int side)
{
	struct timespec now, end;
	struct ibv_wc wc;
	int n;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += WAIT_S;
	for (;;) {
		n = ibv_poll_cq(pair->cq[side], 1, &wc);
		REQUIRE(n >= 0, "poll: %d", n);
		if (n)
			return wc.status;
		clock_gettime(CLOCK_MONOTONIC, &now);
		REQUIRE(now.tv_sec <= end.tv_sec, "no completion within %d s",
			WAIT_S);
		usleep(POLL_US);
	}
}

enum ibv_wc_status pair_run(struct pair *pair, struct ibv_send_wr *wr)
{
	struct ibv_send_wr *bad;
	int ret;

	wr->send_flags |= IBV_SEND_SIGNALED;
	ret = ibv_post_send(pair->qp[HERE], wr, &bad);
	REQUIRE(!ret, "post: %s", strerror(ret));
	return pair_await(pair, HERE);
}

static enum ibv_wc_status run_rdma(struct pair *pair, enum ibv_wr_opcode opcode,
				   struct ibv_mr *local, void *buffer,
				   size_t length, struct ibv_mr *remote,
				   uint64_t address)
{
	struct ibv_sge sge = {
		.addr = (uintptr_t)buffer,
		.length = length,
		.lkey = local->lkey,
	};
	struct ibv_send_wr wr = {
		.sg_list = &sge,
		.num_sge = 1,
		.opcode = opcode,
		.wr.rdma = { .remote_addr = address, .rkey = remote->rkey },
	};

	return pair_run(pair, &wr);
}

enum ibv_wc_status rdma_write(struct pair *pair, struct ibv_mr *local,
			      void *from, size_t length, struct ibv_mr *remote,
			      uint64_t to)
{
	return run_rdma(pair, IBV_WR_RDMA_WRITE, local, from, length, remote,
			to);
}

enum ibv_wc_status rdma_read(struct pair *pair, struct ibv_mr *local, void *to,
			     size_t length, struct ibv_mr *remote,
			     uint64_t from)
{
	return run_rdma(pair, IBV_WR_RDMA_READ, local, to, length, remote,
			from);
}

enum ibv_wc_status rdma_atomic(struct pair *pair, struct ibv_mr *local,
			       uint64_t *old, struct ibv_mr *remote,
			       uint64_t address, bool add, uint64_t compare,
			       uint64_t swap)
{
	struct ibv_sge sge = {
		.addr = (uintptr_t)old,
		.length = sizeof(*old),
		.lkey = local->lkey,
	};
	struct ibv_send_wr wr = {
		.sg_list = &sge,
		.num_sge = 1,
		.opcode = add ? IBV_WR_ATOMIC_FETCH_AND_ADD :
				IBV_WR_ATOMIC_CMP_AND_SWP,
		.wr.atomic = {
			.remote_addr = address,
			.rkey = remote->rkey,
			.compare_add = add ? swap : compare,
			.swap = swap,
		},
	};

	return pair_run(pair, &wr);
}

void rdma_expect(struct pair *pair, int side, struct ibv_mr *mr, void *to,
		 size_t length)
{
	struct ibv_sge sge = {
		.addr = (uintptr_t)to,
		.length = length,
		.lkey = mr->lkey,
	};
	struct ibv_recv_wr receive = { .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;
	int ret = ibv_post_recv(pair->qp[side], &receive, &bad);

	REQUIRE(!ret, "post receive: %s", strerror(ret));
}

enum ibv_wc_status rdma_send_here(struct pair *pair, struct ibv_mr *local,
				  void *from, size_t length)
{
	struct ibv_sge here = {
		.addr = (uintptr_t)from,
		.length = length,
		.lkey = local->lkey,
	};
	struct ibv_send_wr send = {
		.sg_list = &here,
		.num_sge = 1,
		.opcode = IBV_WR_SEND,
	};

	return pair_run(pair, &send);
}

void rdma_send(struct pair *pair, struct ibv_mr *local, void *from,
	       struct ibv_mr *remote, void *to, size_t length,
	       enum ibv_wc_status status[2])
{
	rdma_expect(pair, THERE, remote, to, length);
	status[HERE] = rdma_send_here(pair, local, from, length);
	status[THERE] = pair_await(pair, THERE);
}

void require_success(enum ibv_wc_status status, const char *what)
{
	REQUIRE(status == IBV_WC_SUCCESS, "%s: %s", what,
		ibv_wc_status_str(status));
}
