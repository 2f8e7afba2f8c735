// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <string.h>
#include <sys/ioctl.h>

#include "advise.h"
#include "rxe_link.h"

int advise(enum ib_uverbs_advise_mr_advice advice, uint32_t flags,
	   uint32_t lkey, uint64_t address, uint32_t length)
{
	struct ib_uverbs_sge sge = {
		.addr = address, .length = length, .lkey = lkey,
	};
	struct {
		struct ib_uverbs_ioctl_hdr header;
		struct ib_uverbs_attr attrs[4];
	} command = {
		.header = {
			.length = sizeof(command),
			.object_id = UVERBS_OBJECT_MR,
			.method_id = UVERBS_METHOD_ADVISE_MR,
			.num_attrs = 4,
			.driver_id = strcmp(ibv_get_device_name(device->device),
					    RXE_NAME) ? RDMA_DRIVER_MLX5 :
							RDMA_DRIVER_RXE,
		},
		.attrs = {
			{ .attr_id = UVERBS_ATTR_ADVISE_MR_PD_HANDLE,
			  .data = domain->handle },
			{ .attr_id = UVERBS_ATTR_ADVISE_MR_ADVICE,
			  .len = 8, .data = advice },
			{ .attr_id = UVERBS_ATTR_ADVISE_MR_FLAGS,
			  .len = 8, .data = flags },
			{ .attr_id = UVERBS_ATTR_ADVISE_MR_SGE_LIST,
			  .len = sizeof(sge), .data = (uintptr_t)&sge },
		},
	};
	int i;

	for (i = 0; i < 4; i++)
		command.attrs[i].flags = UVERBS_ATTR_F_MANDATORY;
	return ioctl(device->cmd_fd, RDMA_VERBS_IOCTL, &command) ? errno : 0;
}
