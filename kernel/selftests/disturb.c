// SPDX-License-Identifier: GPL-2.0
/*
 * What a busy machine does to the memory of its processes, all at once and
 * without a rest: collapsing into huge pages, compaction, and splitting of huge
 * pages that are partly unused.  All of it takes pages away from whoever has
 * mapped them, at any time, and must break nothing but a page's mapping.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "disturb.h"
#include "rig.h"

#define KHUGEPAGED	"/sys/kernel/mm/transparent_hugepage/khugepaged/"
#define COMPACT		"/proc/sys/vm/compact_memory"
#define DROP_CACHES	"/proc/sys/vm/drop_caches"

static struct setting {
	const char *path, *wanted;
	char before[32];
} settings[] = {
	{ KHUGEPAGED "scan_sleep_millisecs", "0" },
	{ KHUGEPAGED "alloc_sleep_millisecs", "0" },
	{ KHUGEPAGED "pages_to_scan", "65536" },
};

#define SETTINGS	(sizeof(settings) / sizeof(settings[0]))

static pid_t disturber;

static void disturb(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Or every round would be told to the kernel log. */
	try_write_file(DROP_CACHES, "4");
	for (;;) {
		try_write_file(COMPACT, "1");
		/* The shrinkers; one of them splits huge pages. */
		try_write_file(DROP_CACHES, "2");
	}
}

static void disturb_stop(void)
{
	size_t i;

	/* Forked processes leave by _exit() and do not come here. */
	if (disturber > 0)
		kill(disturber, SIGKILL);
	for (i = 0; i < SETTINGS; i++)
		try_write_file(settings[i].path, settings[i].before);
}

const char *disturb_start(void)
{
	size_t i;

	if (access(COMPACT, W_OK))
		return COMPACT;
	if (access(DROP_CACHES, W_OK))
		return DROP_CACHES;
	for (i = 0; i < SETTINGS; i++)
		if (!read_file_line(settings[i].path, settings[i].before,
				    sizeof(settings[i].before)))
			return settings[i].path;
	atexit(disturb_stop);
	for (i = 0; i < SETTINGS; i++)
		if (try_write_file(settings[i].path, settings[i].wanted))
			return settings[i].path;
	fflush(stdout);
	disturber = fork();
	if (disturber < 0)
		return "fork";
	if (!disturber)
		disturb();
	return NULL;
}
