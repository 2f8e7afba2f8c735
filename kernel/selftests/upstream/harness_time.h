/* SPDX-License-Identifier: GPL-2.0 */
/*
 * In front of a program of upstream's kselftest harness, which waits 30 seconds for
 * each test on any kernel: longer on one that checks everything.
 */
#ifndef HARNESS_TIME_H
#define HARNESS_TIME_H

#include <poll.h>

#include "../limit.h"

static inline int poll_here(struct pollfd *fds, nfds_t count, int milliseconds)
{
	return poll(fds, count,
		    milliseconds > 0 ? limit_here(milliseconds) : milliseconds);
}
#define poll poll_here

#endif
