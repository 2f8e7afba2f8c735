// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: a test of the farm is one module.  Loading it runs its suites; what
 * they found is in debugfs, and is printed inside.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "runner.h"

#define RESULTS		"/sys/kernel/debug/kunit"
#define SUITES_MAX	64
#define INDENT		4	/* of a suite's tests within its results */

/*
 * What this kernel's memory, PCI and RDMA code stands on, and KUnit itself.  Not
 * iommu_pt_kunit_test: when one of its tests fails it leaves a device behind
 * that points into the unloaded module, and the machine dies at shutdown.
 */
static const char *const modules[] = {
	"kunit-test",
	"resource_kunit",
	"kunit_iov_iter",
	"list-test",
	"hashtable_test",
	"overflow_kunit",
	"slub_kunit",
	"usercopy_kunit",
	"dmabuf_kunit",
};

#define MODULES (sizeof(modules) / sizeof(*modules))

static int list(bool option)
{
	size_t i;

	for (i = 0; i < MODULES; i++)
		puts(modules[i]);
	return 0;
}

static void take_line(void *context, const char *line)
{
	struct verdict *v = context;
	struct tap_line parsed;

	tap_parse(line, &parsed);
	/*
	 * The suite's own plan and result say nothing new, and a test with
	 * parameters has a result of its own after those of its parameters.
	 */
	if (parsed.indent != INDENT && parsed.kind != TAP_TEXT)
		return;
	if (strncmp(line + parsed.indent, "KTAP version", 12))
		verdict_line(v, line);
}

/* Every suite is a folder; those of the module that was just loaded are new. */
static void read_results(struct verdict *v)
{
	char path[512];
	struct dirent *entry;
	DIR *directory = opendir(RESULTS);

	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), RESULTS "/%s/results", entry->d_name);
		if (!access(path, R_OK))
			replay_file(path, take_line, v);
	}
	if (directory)
		closedir(directory);
}

/* Has somebody loaded such modules before us?  Their results would be mixed. */
static bool results_are_there(void)
{
	unsigned int count = 0;
	struct dirent *entry;
	DIR *directory = opendir(RESULTS);

	while (directory && (entry = readdir(directory)))
		count += entry->d_name[0] != '.';
	if (directory)
		closedir(directory);
	return count;
}

static enum outcome run_module(const char *name, struct verdict *v)
{
	struct program_end end = {};
	enum outcome outcome;
	int error;

	verdict_begin(v, name, INDENT);
	if (results_are_there()) {
		snprintf(v->reason, TEXT_BYTES,
			 RESULTS " is not empty: unload the KUnit modules");
		return FAILED;
	}
	error = load_module(name, "");
	if (error == -ENOENT) {
		snprintf(v->reason, TEXT_BYTES, "the kernel has no module %s", name);
		return SKIPPED;
	}
	if (error) {
		snprintf(v->reason, TEXT_BYTES, "%s cannot be loaded: %s", name,
			 strerror(-error));
		unload_modules();
		return FAILED;
	}
	read_results(v);
	unload_modules();
	outcome = verdict_end(v, &end);
	if (!v->passed && !v->failed && !v->skipped && !v->known) {
		snprintf(v->reason, TEXT_BYTES, "%s left no results in " RESULTS, name);
		return FAILED;
	}
	return outcome;
}

static int replay(const struct selection *selection)
{
	struct program_end end = {};
	enum outcome outcome;
	struct verdict v;

	print_start("replay");
	verdict_begin(&v, "replay", INDENT);
	replay_file(selection->replay, take_line, &v);
	outcome = verdict_end(&v, &end);
	print_result(1, "replay", outcome, v.reason);
	return outcome == FAILED;
}

static int run(bool option, const struct selection *selection)
{
	unsigned int planned = 0, number = 0, failed = 0;
	enum outcome outcome;
	struct verdict v;
	size_t i;

	if (selection->replay)
		return replay(selection);
	for (i = 0; i < MODULES; i++)
		planned += is_selected(selection, modules[i]);
	if (!planned) {
		fprintf(stderr, "there is no such test\n");
		return -1;
	}
	if (access("/sys/kernel/debug/kunit", F_OK))
		mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	print_plan(planned);
	for (i = 0; i < MODULES; i++) {
		if (!is_selected(selection, modules[i]))
			continue;
		number++;
		if (is_skipped(selection, modules[i])) {
			print_result(number, modules[i], SKIPPED,
				     "not run: excluded by caller");
			continue;
		}
		print_start(modules[i]);
		outcome = run_module(modules[i], &v);
		failed += outcome == FAILED;
		print_result(number, modules[i], outcome, v.reason);
	}
	return failed;
}

const struct suite suite = { .list = list, .run = run };
