/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ADVISE_H
#define ADVISE_H

#include <rdma/ib_user_ioctl_verbs.h>

#include "pair.h"

/*
 * advise() - what to page in of the region @lkey.  The ioctl, because the library's
 * driver for rxe does not support ibv_advise_mr().  Returns 0 or the errno.
 */
int advise(enum ib_uverbs_advise_mr_advice advice, uint32_t flags,
	   uint32_t lkey, uint64_t address, uint32_t length);

#endif /* ADVISE_H */
