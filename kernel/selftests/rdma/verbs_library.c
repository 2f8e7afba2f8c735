// SPDX-License-Identifier: GPL-2.0
#include <dlfcn.h>
#include <infiniband/verbs.h>
#include <stdio.h>
#include <stdlib.h>

#include "verbs_library.h"

#define LIBRARY "libibverbs.so.1"

static void *library;

const char *verbs_load(void)
{
	if (!library)
		library = dlopen(LIBRARY, RTLD_NOW | RTLD_GLOBAL);
	return library ? NULL : LIBRARY " is not installed (package libibverbs1)";
}

static void *symbol(const char *name)
{
	void *address = dlsym(library, name);

	if (!address) {
		printf("# FAILED %s has no %s\n", LIBRARY, name);
		abort();
	}
	return address;
}

/* verbs.h hides some of them behind macros of the same name. */
#undef ibv_query_port
#undef ibv_reg_mr
#undef ibv_reg_mr_iova

#define FORWARD(type, name, parameters, ...)			\
	type name parameters					\
	{							\
		static type(*real) parameters;			\
								\
		if (!real)					\
			real = symbol(#name);			\
		return real(__VA_ARGS__);			\
	}

FORWARD(struct ibv_device **, ibv_get_device_list, (int *count), count)
FORWARD(const char *, ibv_get_device_name, (struct ibv_device *device), device)
FORWARD(struct ibv_context *, ibv_open_device, (struct ibv_device *device),
	device)
FORWARD(int, ibv_query_device,
	(struct ibv_context *context, struct ibv_device_attr *attr),
	context, attr)
FORWARD(int, ibv_query_port,
	(struct ibv_context *context, uint8_t port,
	 struct _compat_ibv_port_attr *attr), context, port, attr)
FORWARD(int, ibv_query_gid,
	(struct ibv_context *context, uint8_t port, int index,
	 union ibv_gid *gid), context, port, index, gid)
FORWARD(struct ibv_pd *, ibv_alloc_pd, (struct ibv_context *context), context)
FORWARD(struct ibv_mr *, ibv_reg_mr,
	(struct ibv_pd *pd, void *address, size_t length, int access),
	pd, address, length, access)
FORWARD(struct ibv_mr *, ibv_reg_mr_iova,
	(struct ibv_pd *pd, void *address, size_t length, uint64_t iova,
	 int access), pd, address, length, iova, access)
FORWARD(struct ibv_mr *, ibv_reg_mr_iova2,
	(struct ibv_pd *pd, void *address, size_t length, uint64_t iova,
	 unsigned int access), pd, address, length, iova, access)
FORWARD(int, ibv_dereg_mr, (struct ibv_mr *mr), mr)
FORWARD(struct ibv_cq *, ibv_create_cq,
	(struct ibv_context *context, int cqe, void *cq_context,
	 struct ibv_comp_channel *channel, int vector),
	context, cqe, cq_context, channel, vector)
FORWARD(int, ibv_destroy_cq, (struct ibv_cq *cq), cq)
FORWARD(struct ibv_qp *, ibv_create_qp,
	(struct ibv_pd *pd, struct ibv_qp_init_attr *attr), pd, attr)
FORWARD(int, ibv_modify_qp,
	(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask), qp, attr, mask)
FORWARD(int, ibv_query_qp,
	(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask,
	 struct ibv_qp_init_attr *init), qp, attr, mask, init)
FORWARD(int, ibv_destroy_qp, (struct ibv_qp *qp), qp)
FORWARD(int, ibv_get_device_index, (struct ibv_device *device), device)
FORWARD(const char *, ibv_wc_status_str, (enum ibv_wc_status status), status)
