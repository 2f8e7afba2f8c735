// SPDX-License-Identifier: GPL-2.0
/*
 * Programs of tools/testing/selftests/mm: each is a test of the farm, and its
 * results are printed inside.  Left out are those that want libraries beyond
 * libc (migration, rmap, ksm_tests: libnuma; memfd_secret: libcap), 32-bit
 * code, or minutes in an emulator (uffd-unit-tests, khugepaged,
 * hugetlb_fault_after_madv, folio_split_race_test).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner.h"

/**
 * struct program - one program and how to call it
 * @id: of the test
 * @argv: name and arguments
 * @seconds: it may take, many times what it takes on an idle machine
 * @module: it wants, or NULL
 */
static const struct program {
	const char *id;
	const char *argv[10];
	int seconds;
	const char *module;
} programs[] = {
	{ "cow", { "cow" }, 240 },
	{ "gup_longterm", { "gup_longterm" }, 60 },
	{ "gup_test.fast", { "gup_test", "-u", "-n", "1" }, 60 },
	{ "gup_test.pin_fast", { "gup_test", "-a", "-n", "-1" }, 60 },
	{ "gup_test.dump", { "gup_test", "-ct", "-F", "0x1", "0", "19", "0x1000" }, 60 },
	{ "madv_populate", { "madv_populate" }, 60 },
	{ "map_populate", { "map_populate" }, 60 },
	{ "map_fixed_noreplace", { "map_fixed_noreplace" }, 60 },
	{ "mremap_test", { "mremap_test" }, 180 },
	{ "mremap_dontunmap", { "mremap_dontunmap" }, 60 },
	{ "merge", { "merge" }, 120 },
	{ "guard-regions", { "guard-regions" }, 180 },
	{ "process_madv", { "process_madv" }, 60 },
	{ "mkdirty", { "mkdirty" }, 60 },
	{ "mlock2-tests", { "mlock2-tests" }, 60 },
	{ "mrelease_test", { "mrelease_test" }, 60 },
	{ "mseal_test", { "mseal_test" }, 60 },
	{ "mdwe_test", { "mdwe_test" }, 60 },
	{ "droppable", { "droppable" }, 60 },
	{ "pagemap_ioctl", { "pagemap_ioctl" }, 180 },
	{ "soft-dirty", { "soft-dirty" }, 180 },
	{ "ksm_functional_tests", { "ksm_functional_tests" }, 60 },
	{ "uffd-wp-mremap", { "uffd-wp-mremap" }, 180 },
	{ "hugetlb-madvise", { "hugetlb-madvise" }, 60 },
	{ "hugetlb-mmap", { "hugetlb-mmap" }, 60 },
	{ "hugetlb-mremap", { "hugetlb-mremap" }, 60 },
	{ "hugetlb_dio", { "hugetlb_dio" }, 60 },
	{ "hugetlb_madv_vs_map", { "hugetlb_madv_vs_map" }, 60 },
	{ "split_huge_page_test", { "split_huge_page_test" }, 180 },
	{ "prctl_thp_disable", { "prctl_thp_disable" }, 60 },
	{ "pfnmap", { "pfnmap" }, 60 },
	{ "memory-failure", { "memory-failure" }, 120, "hwpoison_inject" },
};

#define PROGRAMS (sizeof(programs) / sizeof(*programs))

static int list(bool option)
{
	size_t i;

	for (i = 0; i < PROGRAMS; i++)
		if (program_exists(programs[i].argv[0]))
			puts(programs[i].id);
	return 0;
}

static void take_line(void *context, const char *line)
{
	if (strncmp(line, "TAP version", 11))
		verdict_line(context, line);
}

static enum outcome run_one(const struct program *program, struct verdict *v)
{
	struct program_end end;

	verdict_begin(v, program->id, 0);
	if (program->module)
		load_module(program->module, "");
	run_program(program->argv, program->seconds, take_line, v, &end);
	unload_modules();
	return verdict_end(v, &end);
}

#define SCRATCH "/tmp/mm_kselftest"

/*
 * What the programs take for granted: debugfs, and a folder to write to that
 * holds themselves, because one runs itself by that name.
 */
static void prepare(void)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t i;

	self[length > 0 ? length : 0] = '\0';
	mkdir("/tmp", 01777);
	mkdir(SCRATCH, 0700);
	if (chdir(SCRATCH))
		perror("# " SCRATCH);
	for (i = 0; i < PROGRAMS; i++)
		if (symlink(self, programs[i].argv[0]) && errno != EEXIST)
			perror("# symlink");
	if (access("/sys/kernel/debug/sleep_time", F_OK) &&
	    access("/sys/kernel/debug/split_huge_pages", F_OK))
		mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
}

static void clean_up(void)
{
	DIR *scratch = opendir(SCRATCH);
	struct dirent *entry;

	while (scratch && (entry = readdir(scratch)))
		unlinkat(dirfd(scratch), entry->d_name, 0);
	if (scratch)
		closedir(scratch);
	rmdir(SCRATCH);
}

static int replay(const struct selection *selection)
{
	struct program_end end = {};
	struct verdict v;
	enum outcome outcome;

	print_start("replay");
	verdict_begin(&v, "replay", 0);
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
	for (i = 0; i < PROGRAMS; i++)
		planned += program_exists(programs[i].argv[0]) &&
			   is_selected(selection, programs[i].id);
	if (!planned) {
		fprintf(stderr, "there is no such test\n");
		return -1;
	}
	prepare();
	print_plan(planned);
	for (i = 0; i < PROGRAMS; i++) {
		const struct program *program = &programs[i];

		if (!program_exists(program->argv[0]) ||
		    !is_selected(selection, program->id))
			continue;
		number++;
		if (is_skipped(selection, program->id)) {
			print_result(number, program->id, SKIPPED,
				     "not run: excluded by caller");
			continue;
		}
		print_start(program->id);
		outcome = run_one(program, &v);
		failed += outcome == FAILED;
		print_result(number, program->id, outcome, v.reason);
	}
	clean_up();
	return failed;
}

const struct suite suite = { .list = list, .run = run };
