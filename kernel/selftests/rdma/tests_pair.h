/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TESTS_PAIR_H
#define TESTS_PAIR_H

#include "meet.h"
#include "tests_rdma.h"

void test_pair_write(void);
void test_pair_read(void);
void test_pair_send(void);
void test_pair_atomic(void);
void test_pair_migrated(void);
void test_pair_client_migrated(void);
void test_pair_prefetch(void);
void test_pair_read_only(void);
void test_pair_unmapped(void);
void test_pair_traffic(void);

#endif /* TESTS_PAIR_H */
