// SPDX-License-Identifier: GPL-2.0
/*
 * hmm-tests against test_hmm.  One program of the kselftest harness: each of
 * its tests is a test of the farm.  Its variants for device coherent memory
 * are a suite of their own, because they need memory that was set aside.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runner.h"

#define PROGRAM		"hmm-tests"
#define TESTS_MAX	512
#define TIME_S		900	/* for all; the harness limits each one */
#define CHUNK		(256ul << 20)	/* DEVMEM_CHUNK_SIZE of test_hmm */

/* Tests in the order the harness runs them. */
static char *tests[TESTS_MAX];
static unsigned int test_count;
static bool coherent;

/* One fixture of the harness' list: its variants and its tests. */
static struct fixture {
	char name[64];
	char variants[16][64];
	char tests[TESTS_MAX][64];
	unsigned int variant_count;
	unsigned int test_count;
} fixture;

static void end_fixture(void)
{
	unsigned int v, t;
	char name[256];

	for (v = 0; v < fixture.variant_count; v++) {
		if (!!strstr(fixture.variants[v], "coherent") != coherent)
			continue;
		for (t = 0; t < fixture.test_count && test_count < TESTS_MAX; t++) {
			snprintf(name, sizeof(name), "%s.%s.%s", fixture.name,
				 fixture.variants[v], fixture.tests[t]);
			tests[test_count++] = strdup(name);
		}
	}
	/* Without variants there is nothing coherent either. */
	for (t = 0; !fixture.variant_count && !coherent && fixture.name[0] &&
		    t < fixture.test_count && test_count < TESTS_MAX; t++) {
		snprintf(name, sizeof(name), "%s.%s", fixture.name,
			 fixture.tests[t]);
		tests[test_count++] = strdup(name);
	}
	memset(&fixture, 0, sizeof(fixture));
}

/*
 * The list has three columns, FIXTURE at 0, VARIANT at 21 and TEST at 47, that
 * are independent of each other: every test exists for every variant.
 */
static void take_list_line(void *context, const char *line)
{
	char column[3][64] = {};
	size_t offset = 0;

	if (*line == '#')
		return;
	if (*line == '-') {
		end_fixture();
		return;
	}
	while (line[offset += strspn(line + offset, " ")]) {
		size_t length = strcspn(line + offset, " ");
		unsigned int at = offset < 21 ? 0 : offset < 47 ? 1 : 2;

		snprintf(column[at], 64, "%.*s", (int)length, line + offset);
		offset += length;
	}
	if (column[0][0])
		snprintf(fixture.name, 64, "%s", column[0]);
	if (column[1][0] && fixture.variant_count < 16)
		snprintf(fixture.variants[fixture.variant_count++], 64, "%s", column[1]);
	if (column[2][0] && fixture.test_count < TESTS_MAX)
		snprintf(fixture.tests[fixture.test_count++], 64, "%s", column[2]);
}

static void find_tests(bool with_coherent)
{
	const char *argv[] = { PROGRAM, "-l", NULL };
	struct program_end end;

	coherent = with_coherent;
	run_program(argv, 20, take_list_line, NULL, &end);
	end_fixture();
}

static int list(bool with_coherent)
{
	unsigned int i;

	find_tests(with_coherent);
	for (i = 0; i < test_count; i++)
		puts(tests[i]);
	return test_count ? 0 : 1;
}

/* -- running */

struct run {
	unsigned int number;
	unsigned int failed;
	char current[NAME_BYTES];
	char trouble[TEXT_BYTES];
	bool out_of_time;	/* the harness has ended the current test */
};

static bool is_benchmark(const char *test)
{
	return strstr(test, ".benchmark_");
}

static void conclude(struct run *run, const char *name, enum outcome outcome,
		     const char *reason)
{
	const char *known = NULL;
	char text[TEXT_BYTES + 64];

	if (outcome == FAILED)
		known = baseline_reason(PROGRAM, name);
	if (outcome == FAILED && run->out_of_time && is_benchmark(name)) {
		/* It checks no data: being slow is no fault of the kernel. */
		outcome = SKIPPED;
		reason = "this machine is too slow for the benchmark's own limit";
	} else if (known) {
		snprintf(text, sizeof(text), "known on the untouched kernel: %s", known);
		outcome = XFAILED;
		reason = text;
	}
	run->failed += outcome == FAILED;
	print_result(++run->number, name, outcome, reason);
	run->current[0] = '\0';
	run->out_of_time = false;
}

static void take_line(void *context, const char *line)
{
	struct run *run = context;
	struct tap_line parsed;

	tap_parse(line, &parsed);
	switch (parsed.kind) {
	case TAP_STARTS:
		snprintf(run->current, NAME_BYTES, "%s", parsed.name);
		print_start(run->current);
		return;
	case TAP_RESULT:
		conclude(run, parsed.name, parsed.outcome, parsed.text);
		return;
	case TAP_PLAN:
		return;
	case TAP_BAIL_OUT:
		snprintf(run->trouble, TEXT_BYTES, "bails out: %.*s",
			 TEXT_BYTES - 16, parsed.text);
		break;
	case TAP_SUBTEST:
	case TAP_TEXT:
		if (strstr(line, "Test terminated by timeout"))
			run->out_of_time = true;
		break;
	}
	if (strncmp(line, "TAP version", 11))
		print_text(line);
}

/*
 * Where may the coherent devices lie?  In memory kept from the kernel by
 * memmap=SIZE$ADDRESS, which is what says that nobody else uses it.
 */
static const char *reserved_memory(unsigned long *address)
{
	static char cmdline[4096];
	unsigned long size;
	const char *word;
	char *end;
	ssize_t length;
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);

	length = fd < 0 ? -1 : read(fd, cmdline, sizeof(cmdline) - 1);
	if (fd >= 0)
		close(fd);
	cmdline[length > 0 ? length : 0] = '\0';
	for (word = strstr(cmdline, "memmap="); word; word = strstr(word, "memmap=")) {
		word += strlen("memmap=");
		size = strtoul(word, &end, 0);
		switch (*end) {
		case 'G':
			size <<= 10;
			/* fallthrough */
		case 'M':
			size <<= 20;
			end++;
		}
		if (*end != '$' || size < 2 * CHUNK)
			continue;
		*address = strtoul(end + 1, NULL, 0);
		return NULL;
	}
	return "no memory is set aside; boot a machine of 2 GiB with memmap=512M$0x40000000";
}

/* Load test_hmm; says why the tests have to be skipped, or NULL. */
static const char *prepare(bool with_coherent)
{
	static char reason[256];
	char parameters[128] = "";
	unsigned long address = 0;
	const char *problem;
	int error;

	if (with_coherent) {
		problem = reserved_memory(&address);
		if (problem)
			return problem;
		snprintf(parameters, sizeof(parameters),
			 "spm_addr_dev0=%#lx spm_addr_dev1=%#lx", address,
			 address + CHUNK);
	}
	error = load_module("test_hmm", parameters);
	if (error == -ENOENT)
		return "the kernel has no module test_hmm (CONFIG_TEST_HMM=m)";
	if (error) {
		snprintf(reason, sizeof(reason), "test_hmm cannot be loaded: %s",
			 strerror(-error));
		return reason;
	}
	return NULL;
}

/* A program that ends in the middle of a test has failed that test. */
static void explain_end(struct run *run, const struct program_end *end)
{
	char name[NAME_BYTES];

	if (end->timed_out)
		snprintf(run->trouble, TEXT_BYTES,
			 "all tests together took more than %d s", TIME_S);
	else if (end->signal)
		snprintf(run->trouble, TEXT_BYTES,
			 "the test program was killed by signal %d", end->signal);
	else if (run->current[0] && !run->trouble[0])
		snprintf(run->trouble, TEXT_BYTES,
			 "the test program ended in the middle of this test");
	if (run->current[0]) {
		snprintf(name, sizeof(name), "%s", run->current);
		conclude(run, name, FAILED, run->trouble);
	} else if (run->trouble[0]) {
		printf("# %s\n", run->trouble);
		run->failed++;
	}
}

static void run_tests(struct run *run, const char *const names[], unsigned int count)
{
	const char **argv = calloc(2 * count + 2, sizeof(*argv));
	struct program_end end;
	unsigned int i, n = 0;

	argv[n++] = PROGRAM;
	for (i = 0; i < count; i++) {
		argv[n++] = "-r";
		argv[n++] = names[i];
	}
	run_program(argv, TIME_S, take_line, run, &end);
	free(argv);
	explain_end(run, &end);
}

/* Why a test that was asked for is not run, or NULL. */
static const char *why_not(const struct selection *selection, const char *test)
{
	if (is_skipped(selection, test))
		return "not run: excluded by caller";
	if (is_benchmark(test) && !access("/proc/lockdep", F_OK))
		return "a kernel with lock debugging makes every figure meaningless and the benchmark too long for its own limit";
	return NULL;
}

static int run(bool with_coherent, const struct selection *selection)
{
	const char *names[TESTS_MAX], *reason = NULL;
	struct run run = {};
	unsigned int i, count = 0, planned = 0;

	if (selection->replay) {
		printf("KTAP version 1\n");
		replay_file(selection->replay, take_line, &run);
		explain_end(&run, &(struct program_end){});
		return run.failed;
	}
	find_tests(with_coherent);
	for (i = 0; i < test_count; i++) {
		if (!is_selected(selection, tests[i]))
			continue;
		planned++;
		if (!why_not(selection, tests[i]))
			names[count++] = tests[i];
	}
	if (!planned) {
		fprintf(stderr, "there is no such test\n");
		return -1;
	}
	print_plan(planned);
	for (i = 0; i < test_count; i++)
		if (is_selected(selection, tests[i]) && why_not(selection, tests[i]))
			print_result(++run.number, tests[i], SKIPPED,
				     why_not(selection, tests[i]));
	if (count)
		reason = prepare(with_coherent);
	if (reason) {
		for (i = 0; i < count; i++) {
			print_start(names[i]);
			print_result(++run.number, names[i], SKIPPED, reason);
		}
		count = 0;
	}
	if (count)
		run_tests(&run, names, count);
	unload_modules();
	return run.failed;
}

const struct suite suite = {
	.option = "coherent",
	.list = list,
	.run = run,
};
