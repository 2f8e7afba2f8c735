// SPDX-License-Identifier: GPL-2.0
/* Run a program that is linked into this one, and read what it prints. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../limit.h"
#include "runner.h"

#define LINE_BYTES	1024
#define LINES_KEPT	3000	/* of one program; no test needs more to be read */

/* Bytes that have come in, cut into lines. */
struct line_reader {
	char line[LINE_BYTES];
	size_t length;
	unsigned int lines;
	line_fn *on_line;
	void *context;
};

static void end_line(struct line_reader *reader)
{
	reader->line[reader->length] = '\0';
	reader->length = 0;
	reader->lines++;
	/* Results always count; text is for people. */
	if (reader->lines == LINES_KEPT)
		printf("# the rest of its text is left out\n");
	if (reader->lines < LINES_KEPT || strstr(reader->line, "ok "))
		reader->on_line(reader->context, reader->line);
}

static void take_bytes(struct line_reader *reader, const char *bytes, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		char byte = bytes[i];

		if (byte == '\n') {
			end_line(reader);
			continue;
		}
		if (reader->length == LINE_BYTES - 1)
			end_line(reader);
		/* No control sequence reaches whoever reads our output. */
		if ((unsigned char)byte >= ' ' && byte != 0x7f)
			reader->line[reader->length++] = byte;
		else if (byte == '\t')
			reader->line[reader->length++] = ' ';
	}
}

bool program_exists(const char *name)
{
	const struct embedded *program;

	for (program = embedded_programs; program->name; program++)
		if (!strcmp(program->name, name))
			return true;
	return false;
}

/* Which program this process is to be; a program that runs itself stays it. */
#define PROGRAM_VARIABLE "EMBEDDED_PROGRAM"

/**
 * become_program() - be an embedded program, if this process was started as one
 * @argc: from main()
 * @argv: from main(); [0] is a file that can be opened, as some programs do
 *
 * Return: its exit status, or -1 when this is an ordinary run of the suite.
 */
int become_program(int argc, char **argv)
{
	const char *name = getenv(PROGRAM_VARIABLE);
	constructor_fn *const *constructor;
	const struct embedded *program;

	if (!name)
		return -1;
	for (program = embedded_programs; program->name; program++) {
		if (strcmp(program->name, name))
			continue;
		for (constructor = program->constructors;
		     constructor < program->constructors_end; constructor++)
			(*constructor)(argc, argv, environ);
		return program->main(argc, argv, environ);
	}
	fprintf(stderr, "there is no program %s\n", name);
	return 127;
}

static void start(const char *const argv[], int output)
{
	char **arguments, path[PATH_MAX];
	unsigned int count;
	ssize_t length;

	length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	path[length > 0 ? length : 0] = '\0';
	for (count = 0; argv[count]; count++)
		;
	arguments = calloc(count + 1, sizeof(*arguments));
	memcpy(arguments, argv, count * sizeof(*arguments));
	arguments[0] = path;
	setenv(PROGRAM_VARIABLE, argv[0], 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	execv(path, arguments);
	perror("execv");
	_exit(127);
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Whatever a program has started and left is our child now.  Tests of the
 * harness have process groups of their own, so the group is not enough.
 */
static void kill_orphans(void)
{
	char path[64], children[4096];
	const char *pid;
	ssize_t length;
	int fd, rounds;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	for (rounds = 0; rounds < 20; rounds++) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return;
		length = read(fd, children, sizeof(children) - 1);
		close(fd);
		if (length <= 0)
			return;
		children[length] = '\0';
		for (pid = children; *pid; pid += strcspn(pid, " "), pid += strspn(pid, " "))
			kill(atoi(pid), SIGKILL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		poll(NULL, 0, 20);
	}
}

/* What is in the pipe right now. */
static bool drain(int fd, struct line_reader *reader)
{
	char bytes[4096];
	ssize_t length;

	while ((length = read(fd, bytes, sizeof(bytes))) > 0)
		take_bytes(reader, bytes, length);
	return length < 0 && errno == EAGAIN;
}

#define KILL_TIMEOUT_S	5

/* Read until the program has ended, or its time is up. */
static void follow(pid_t pid, int output, int seconds,
		   struct line_reader *reader, struct program_end *end)
{
	struct pollfd polled[2] = {
		{ .fd = output, .events = POLLIN },
		{ .fd = syscall(SYS_pidfd_open, pid, 0), .events = POLLIN },
	};
	long deadline = now_ms() + seconds * 1000L, left;
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		left = deadline - now_ms();
		if (left <= 0 && end->timed_out) {
			printf("# it cannot be killed: it hangs in the kernel\n");
			status = -1;
			break;
		}
		if (left <= 0) {
			end->timed_out = true;
			deadline = now_ms() + KILL_TIMEOUT_S * 1000L;
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
			kill_orphans();
			continue;
		}
		poll(polled, 2, left);
		if (polled[0].revents && !drain(output, reader))
			polled[0].fd = -1;
	}
	drain(output, reader);
	if (reader->length)
		end_line(reader);
	close(polled[1].fd);
	kill(-pid, SIGKILL);
	kill_orphans();
	end->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	end->signal = WIFSIGNALED(status) && !end->timed_out ? WTERMSIG(status) : 0;
}

/**
 * run_program() - run an embedded program in a process of its own
 * @argv: its arguments, its name first, ended by NULL
 * @seconds: it may take on a kernel without debugging; then it is killed
 * @on_line: called with each line it prints on stdout or stderr
 * @context: for @on_line
 * @end: says how it ended
 */
void run_program(const char *const argv[], int seconds, line_fn *on_line,
		 void *context, struct program_end *end)
{
	struct line_reader reader = { .on_line = on_line, .context = context };
	int pipes[2];
	pid_t pid;

	memset(end, 0, sizeof(*end));
	end->status = -1;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	fflush(stdout);
	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK)) {
		perror("# pipe");
		return;
	}
	/* The program writes to an ordinary, blocking pipe. */
	fcntl(pipes[1], F_SETFL, 0);
	pid = fork();
	if (!pid)
		start(argv, pipes[1]);
	close(pipes[1]);
	if (pid < 0)
		perror("# fork");
	else
		follow(pid, pipes[0], limit_here(seconds), &reader, end);
	close(pipes[0]);
}

/**
 * replay_file() - hand over the lines of a recording
 * @path: what a program printed once
 * @on_line: called with each line
 * @context: for @on_line
 */
void replay_file(const char *path, line_fn *on_line, void *context)
{
	struct line_reader reader = { .on_line = on_line, .context = context };
	char bytes[4096];
	size_t length;
	FILE *file = fopen(path, "r");

	if (!file) {
		perror(path);
		exit(2);
	}
	while ((length = fread(bytes, 1, sizeof(bytes), file)) > 0)
		take_bytes(&reader, bytes, length);
	if (reader.length)
		end_line(&reader);
	fclose(file);
}
