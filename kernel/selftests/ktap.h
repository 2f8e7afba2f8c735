/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The harness: runs tests one by one, each in a process of its own, and prints
 * KTAP version 1 with the farm's extra lines (see kernel/README.md).
 */
#ifndef KTAP_H
#define KTAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which way the data of a test is meant to take; the farm compares. */
enum expected_way {
	WAY_NONE,	/* no proof line */
	WAY_ANY,
	WAY_RAM,
	WAY_PEER,
};

/* What a test needs to make sense. */
#define NEEDS_ALIAS	(1u << 0)	/* a kernel with hmm_range.dma_dev */
#define NEEDS_PATH	(1u << 1)	/* a client that reaches the provider */
#define NEEDS_NO_PATH	(1u << 2)	/* one that does not */
#define NEEDS_TWO	(1u << 3)	/* a second provider */
#define NEEDS_PROVOKE	(1u << 4)	/* leave to break the kernel's rules */

/**
 * struct test - one test
 * @id: printed name, the same on every kernel
 * @way: what the proof line says is expected
 * @needs: NEEDS_*, else SKIP
 * @run: body; it fails by EXPECT or REQUIRE, skips by SKIP, else passes
 * @timeout_s: killed after so many seconds; 0: 50
 */
struct test {
	const char *id;
	enum expected_way way;
	unsigned int needs;
	void (*run)(void);
	int timeout_s;
};

/**
 * struct proof - what a test has seen of the way its data took
 *
 * Filled by the functions in rig.c while the test runs.
 */
struct proof {
	uint64_t alias_pages;
	uint64_t ram_pages;
	uint64_t map_bus;
	uint64_t map_thru;
	uint64_t map_none;
	uint64_t alias_calls;
	uint64_t migrated_back;
	uint64_t bytes_compared;
	uint64_t oracle_reads;
	uint64_t nic_bytes;	/* 0: no NIC that counts took part */
	uint64_t peer_nic_bytes;	/* what the other machine's counted */
	bool unreachable;
	bool used;
};

extern struct proof *proof;
extern bool oracle_enabled;
extern bool provoke_enabled;	/* --provoke: tests that must splat may run */

/**
 * ktap_main() - parse the command line, run the tests, print the results
 * @argc: from main()
 * @argv: from main()
 * @tests: the tests, ended by one without id
 * @setup: called before each test, in its process; says why to skip, or NULL
 * @before: called once before the first test, in the process of the runner
 *
 * Return: the exit status, 0 when nothing failed, 1 when a test did, 2 for
 * wrong usage.
 */
int ktap_main(int argc, char **argv, const struct test *tests,
	      const char *(*setup)(const struct test *test),
	      void (*before)(void));

void ktap_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void ktap_stop(void) __attribute__((noreturn));
void ktap_skip(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));
void ktap_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * struct metric_params - under which circumstances a metric was taken
 * @pages: in one call
 * @mappings: how many mappings of the same memory there were; 0: not said
 */
struct metric_params {
	unsigned long pages;
	unsigned int mappings;
};

/**
 * ktap_metric() - print one metric line
 * @name: for instance fault_map.alias.pte
 * @unit: of every sample
 * @samples: measured values, in the order they were taken
 * @count: how many
 * @params: printed as params
 */
void ktap_metric(const char *name, const char *unit, const double *samples,
		 size_t count, const struct metric_params *params);

/* Note a failure and go on. */
#define EXPECT(condition, ...)						\
	do {								\
		if (!(condition))					\
			ktap_fail(__FILE__, __LINE__, __VA_ARGS__);	\
	} while (0)

/* Note a failure and end the test. */
#define REQUIRE(condition, ...)						\
	do {								\
		if (!(condition)) {					\
			ktap_fail(__FILE__, __LINE__, __VA_ARGS__);	\
			ktap_stop();					\
		}							\
	} while (0)

#define SKIP(...) ktap_skip(__VA_ARGS__)

#endif /* KTAP_H */
