// SPDX-License-Identifier: GPL-2.0
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "disturb.h"
#include "ktap.h"
#include "limit.h"

#define TEST_TIMEOUT_S	50	/* less than the farm's, which would reboot */
#define REASON_BYTES	256
#define MAX_FAILURES	8	/* printed for one test */

/* Shared between the runner and the process of a test. */
struct verdict {
	bool failed;
	unsigned int failures;
	bool skipped;
	char reason[REASON_BYTES];
	struct proof proof;
};

static struct verdict *verdict;
struct proof *proof;
bool oracle_enabled;
bool provoke_enabled;

void ktap_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("# ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
}

void ktap_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	verdict->failed = true;
	/* Children of a test fail at the same time. */
	if (__atomic_fetch_add(&verdict->failures, 1, __ATOMIC_RELAXED) >=
	    MAX_FAILURES)
		return;
	va_start(args, format);
	if (line)
		printf("# FAILED %s:%d: ", file, line);
	else
		printf("# FAILED %s: ", file);
	vprintf(format, args);
	printf("\n");
	va_end(args);
}

void ktap_stop(void)
{
	fflush(stdout);
	_exit(0);
}

void ktap_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(verdict->reason, REASON_BYTES, format, args);
	va_end(args);
	verdict->skipped = true;
	ktap_stop();
}

void ktap_metric(const char *name, const char *unit, const double *samples,
		 size_t count, const struct metric_params *params)
{
	size_t i;

	printf("# metric: {\"name\":\"%s\",\"unit\":\"%s\",\"better\":\"lower\",\"samples\":[",
	       name, unit);
	for (i = 0; i < count; i++)
		printf("%s%.2f", i ? "," : "", samples[i]);
	printf("],\"params\":{\"pages\":%lu", params->pages);
	if (params->mappings)
		printf(",\"mappings\":%u", params->mappings);
	printf("}}\n");
}

/* The way that the data took, by what the clients' drivers counted. */
static const char *way_taken(const struct proof *p)
{
	if (!p->alias_pages)
		return "ram";
	if (p->map_bus)
		return "BUS_ADDR";
	if (p->map_thru)
		return "THRU_HOST_BRIDGE";
	return p->unreachable ? "NOT_SUPPORTED" : "none";
}

static void print_proof(const struct test *test)
{
	static const char *const ways[] = {
		[WAY_ANY] = "any", [WAY_RAM] = "ram", [WAY_PEER] = "peer",
	};
	const struct proof *p = proof;

	if (test->way == WAY_NONE || !p->used)
		return;
	printf("# proof: {\"test\":\"%s\",\"expected\":\"%s\",\"taken\":\"%s\","
	       "\"detail\":{\"alias pages\":%lu,\"RAM pages\":%lu,"
	       "\"dma_alias calls\":%lu,\"pages migrated back\":%lu,"
	       "\"bytes compared\":%lu,\"oracle reads\":%lu",
	       test->id, ways[test->way], way_taken(p), p->alias_pages,
	       p->ram_pages, p->alias_calls, p->migrated_back,
	       p->bytes_compared, p->oracle_reads);
	if (p->nic_bytes)
		printf(",\"NIC bytes\":%lu", p->nic_bytes);
	if (p->peer_nic_bytes)
		printf(",\"peer NIC bytes\":%lu", p->peer_nic_bytes);
	printf("}}\n");
}

/* In the process of the test. */
static void run_body(const struct test *test,
		     const char *(*setup)(const struct test *test))
{
	const char *reason;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	reason = setup(test);
	if (reason)
		ktap_skip("%s", reason);
	test->run();
	ktap_stop();
}

#define KILL_TIMEOUT_S	5

/* Has @pid ended within @seconds?  Reaps it; SIGCHLD is blocked. */
static bool ended_within(pid_t pid, int seconds, int *status)
{
	struct timespec timeout = { .tv_sec = seconds };
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	/* A signal may be left from another child: only waitpid() knows. */
	while (waitpid(pid, status, WNOHANG) != pid)
		if (sigtimedwait(&child, NULL, &timeout) < 0)
			return waitpid(pid, status, WNOHANG) == pid;
	return true;
}

/* Wait for the process without ever hanging: it is killed when time is up. */
static void await_test(pid_t pid, int timeout_s)
{
	int status = 0;

	if (!ended_within(pid, timeout_s, &status)) {
		verdict->failed = true;
		ktap_note("timeout: killed after %d s", timeout_s);
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		if (!ended_within(pid, KILL_TIMEOUT_S, &status))
			ktap_note("it cannot be killed: it hangs in the kernel");
	}
	/* Whatever the test has started and left. */
	kill(-pid, SIGKILL);
	if (WIFSIGNALED(status)) {
		verdict->failed = true;
		ktap_note("killed by signal %d", WTERMSIG(status));
	}
}

static void run_test(const struct test *test, unsigned int number,
		     const char *(*setup)(const struct test *test))
{
	pid_t pid;

	memset(verdict, 0, sizeof(*verdict));
	printf("# test: %s\n", test->id);
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		perror("# fork");
		verdict->failed = true;
	} else if (!pid) {
		run_body(test, setup);
	} else {
		await_test(pid, limit_here(test->timeout_s ? : TEST_TIMEOUT_S));
	}
	if (verdict->failures > MAX_FAILURES)
		ktap_note("FAILED ... %u more",
			  verdict->failures - MAX_FAILURES);
	print_proof(test);
	if (verdict->failed)
		printf("not ok %u %s\n", number, test->id);
	else if (verdict->skipped)
		printf("ok %u %s # SKIP %s\n", number, test->id, verdict->reason);
	else
		printf("ok %u %s\n", number, test->id);
	fflush(stdout);
}

/* Is @id one of the comma separated @list? */
static bool in_list(const char *list, const char *id)
{
	size_t length = strlen(id);

	while (list && *list) {
		size_t item = strcspn(list, ",");

		if (item == length && !strncmp(list, id, item))
			return true;
		list += item + (list[item] == ',');
	}
	return false;
}

/* The first item of @list that names no test, or NULL. */
static const char *unknown_id(const char *list, const struct test *tests)
{
	static char item[128];
	const struct test *test;

	while (list && *list) {
		size_t length = strcspn(list, ",");

		snprintf(item, sizeof(item), "%.*s", (int)length, list);
		for (test = tests; test->id && strcmp(test->id, item); test++)
			;
		if (!test->id && length)
			return item;
		list += length + (list[length] == ',');
	}
	return NULL;
}

static int usage(const char *program)
{
	fprintf(stderr,
		"usage: %s [--list] [--only ID[,ID]] [--skip ID[,ID]] [--oracle=stdio] [--provoke] [--disturb]\n",
		program);
	return 2;
}

int ktap_main(int argc, char **argv, const struct test *tests,
	      const char *(*setup)(const struct test *test),
	      void (*before)(void))
{
	static const struct option options[] = {
		{ "list", no_argument, NULL, 'l' },
		{ "only", required_argument, NULL, 'o' },
		{ "skip", required_argument, NULL, 's' },
		{ "oracle", required_argument, NULL, 'r' },
		{ "provoke", no_argument, NULL, 'p' },
		{ "disturb", no_argument, NULL, 'd' },
		{}
	};
	const char *only = NULL, *skip = NULL, *unknown, *missing;
	unsigned int count = 0, number = 0, failed = 0;
	const struct test *test;
	sigset_t child;
	bool disturb = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'l':
			for (test = tests; test->id; test++)
				puts(test->id);
			return 0;
		case 'o':
			only = optarg;
			break;
		case 's':
			skip = optarg;
			break;
		case 'r':
			if (strcmp(optarg, "stdio"))
				return usage(argv[0]);
			oracle_enabled = true;
			break;
		case 'p':
			provoke_enabled = true;
			break;
		case 'd':
			disturb = true;
			break;
		default:
			return usage(argv[0]);
		}
	}
	if (optind != argc)
		return usage(argv[0]);
	/* An old skip list must not stop a new suite; a typo in --only must. */
	unknown = unknown_id(only, tests);
	if (unknown) {
		fprintf(stderr, "%s: there is no test %s\n", argv[0], unknown);
		return 2;
	}

	setvbuf(stdout, NULL, _IOLBF, 0);
	verdict = mmap(NULL, sizeof(*verdict), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (verdict == MAP_FAILED) {
		perror("mmap");
		return 2;
	}
	proof = &verdict->proof;
	/* Blocked, so that it can be waited for with a timeout. */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);

	for (test = tests; test->id; test++)
		count += !only || in_list(only, test->id);
	printf("KTAP version 1\n1..%u\n", count);
	fflush(stdout);
	before();
	missing = disturb ? disturb_start() : NULL;
	if (missing) {
		fprintf(stderr, "%s: --disturb: %s: %m\n", argv[0], missing);
		return 2;
	}
	for (test = tests; test->id; test++) {
		if (only && !in_list(only, test->id))
			continue;
		number++;
		if (in_list(skip, test->id)) {
			printf("ok %u %s # SKIP not run: excluded by caller\n",
			       number, test->id);
			continue;
		}
		run_test(test, number, setup);
		failed += verdict->failed;
	}
	return failed ? 1 : 0;
}
