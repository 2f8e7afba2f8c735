/* SPDX-License-Identifier: GPL-2.0 */
/* A child process that does something when it is told to. */
#ifndef CHILD_H
#define CHILD_H

#include <sys/types.h>

/**
 * struct child - a process that shares what its parent had when it was forked
 * @pid: it
 * @go: write one byte: the child calls its function
 * @done: one byte: it has returned
 */
struct child {
	pid_t pid;
	int go;
	int done;
};

/* Fork a child that waits for release_child(), calls @run and ends. */
struct child fork_child(void (*run)(void *arg), void *arg);
/* Let it run. */
void start_child(struct child *child);
/* Wait until it has ended. */
void join_child(struct child *child);
/* Both. */
void release_child(struct child *child);

#endif /* CHILD_H */
