// SPDX-License-Identifier: GPL-2.0
#include "tests_rdma.h"

const struct span spans[] = {
	{ 0, PAGE },			/* the only kind that hides the faults */
	{ 0, 1 },
	{ 1, 1 },
	{ PAGE - 1, 1 },
	{ PAGE - 1, 2 },
	{ 8, 4000 },
	{ 100, PAGE },
	{ 2 * PAGE + 2048, 5000 },
	{ 3 * PAGE - 3, 2 * PAGE + 6 },
	{ PAGE + 1, 12 * PAGE + 77 },
	{ 777, 20 * PAGE },
	{ 63 * PAGE + 1, PAGE - 1 },
};

const size_t span_count = sizeof(spans) / sizeof(spans[0]);
