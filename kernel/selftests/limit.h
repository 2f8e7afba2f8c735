/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PEERLAB_LIMIT_H
#define PEERLAB_LIMIT_H

#include <unistd.h>

/* On a kernel that checks everything, as in scripts/suites.sh. */
#define DEBUG_FACTOR	4

/* What a limit is on this kernel, in seconds. */
static inline int limit_here(int seconds)
{
	return access("/proc/lockdep", F_OK) ? seconds : seconds * DEBUG_FACTOR;
}

#endif
