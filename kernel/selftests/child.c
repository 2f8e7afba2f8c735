// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "ktap.h"

struct child fork_child(void (*run)(void *arg), void *arg)
{
	struct child child;
	int go[2], done[2];
	char byte;

	REQUIRE(!pipe2(go, O_CLOEXEC) && !pipe2(done, O_CLOEXEC), "pipe: %m");
	child.pid = fork();
	REQUIRE(child.pid >= 0, "fork: %m");
	if (!child.pid) {
		close(go[1]);
		close(done[0]);
		if (read(go[0], &byte, 1) == 1 && run)
			run(arg);
		if (write(done[1], "", 1) != 1)
			ktap_fail(__FILE__, __LINE__, "pipe: %m");
		ktap_stop();
	}
	close(go[0]);
	close(done[1]);
	child.go = go[1];
	child.done = done[0];
	return child;
}

void start_child(struct child *child)
{
	REQUIRE(write(child->go, "", 1) == 1, "pipe: %m");
}

void join_child(struct child *child)
{
	char byte;

	EXPECT(read(child->done, &byte, 1) == 1, "the child died");
	waitpid(child->pid, NULL, 0);
	close(child->go);
	close(child->done);
}

void release_child(struct child *child)
{
	start_child(child);
	join_child(child);
}
