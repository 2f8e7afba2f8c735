/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ODP_COUNTERS_H
#define ODP_COUNTERS_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * odp_counter() - read what a device counts about its memory regions
 * @context: the device
 * @name: for instance page_faults
 * @value: out: the sum over all regions
 *
 * What "rdma statistic show mr" prints.
 *
 * Return: whether there is such a counter.
 */
bool odp_counter(struct ibv_context *context, const char *name,
		 uint64_t *value);

#endif /* ODP_COUNTERS_H */
