/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random steps over memory whose contents are known at any time.
 *
 * The arena is a few plots of anonymous memory.  Of each there is a shadow in
 * ordinary memory that nobody migrates, and after every step the two are
 * compared, page by page, where the page is: pages on the device through the
 * BAR, the way the host and the peers see them, so that looking moves nothing.
 * What is chosen depends on the seed and on the steps before, never on time.
 */
#ifndef SOAK_H
#define SOAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "child.h"
#include "rig.h"

#define PLOTS		5
#define SMALL_PAGES	48ul		/* of a plot, the last has a huge page */
#define MAX_PAGES	HUGE_PAGES
#define MAPPINGS	4		/* open files of the client */
#define CHILDREN	2
#define TRACE_STEPS	12		/* printed when something is wrong */

/**
 * struct plot - one piece of the arena
 * @memory: where it is now
 * @spare: where it can be moved to: address space of the same length
 * @shadow: what it must contain
 * @pages: its length
 */
struct plot {
	uint8_t *memory;
	uint8_t *spare;
	uint8_t *shadow;
	size_t pages;
};

/**
 * struct soak - all that a run is
 * @seed: it began with
 * @random: state of the generator
 * @step: the present one, from 1
 * @plots: see struct plot
 * @fds: open files of the client
 * @mapped: the plot each has mapped, -1 for none
 * @children: processes that share the arena of when they were forked
 * @alive: which of them there are
 * @bar: the provider's memory, read-only; NULL if it cannot be looked at
 * @trace: the last steps in words
 * @verbose: print every step
 * @done: how often each operation was done
 */
struct soak {
	uint64_t seed;
	uint64_t random;
	unsigned long step;
	struct plot plots[PLOTS];
	int fds[MAPPINGS];
	int mapped[MAPPINGS];
	struct child children[CHILDREN];
	bool alive[CHILDREN];
	const uint8_t *bar;
	char trace[TRACE_STEPS][96];
	bool verbose;
	unsigned long done[32];
};

/* soak_model.c */
void soak_open(struct soak *soak, uint64_t seed);
void soak_close(struct soak *soak);
/* A number below @limit, from the seed. */
uint64_t soak_random(struct soak *soak, uint64_t limit);
void soak_say(struct soak *soak, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Compare everything; false (and a failure is noted) when something differs. */
bool soak_compare(struct soak *soak);
/* Look at the BAR again, after the provider has been away. */
void soak_see_bar(struct soak *soak);

/* soak_steps.c */
void soak_step(struct soak *soak);
void soak_count_steps(const struct soak *soak);

#endif /* SOAK_H */
