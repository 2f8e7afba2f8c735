// SPDX-License-Identifier: GPL-2.0
/* KTAP version 1 with the farm's extra lines (see kernel/README.md). */
#include <stdio.h>
#include <string.h>

#include "runner.h"

bool in_list(const char *list, const char *id)
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

bool is_selected(const struct selection *selection, const char *id)
{
	return !selection->only || in_list(selection->only, id);
}

bool is_skipped(const struct selection *selection, const char *id)
{
	return in_list(selection->skip, id);
}

/* Words that mean something to the farm when they follow "# ". */
static bool is_ours(const char *text)
{
	return !strncmp(text, "test: ", 6) || !strncmp(text, "proof: ", 7) ||
	       !strncmp(text, "metric: ", 8);
}

/**
 * print_text() - hand on a line of a program as a comment
 * @text: the line; its own "# " is not doubled
 */
void print_text(const char *text)
{
	if (*text == '#')
		text++;
	if (*text == ' ')
		text++;
	printf("# %s%s\n", is_ours(text) ? "> " : "", text);
}

void print_plan(unsigned int count)
{
	printf("KTAP version 1\n1..%u\n", count);
}

void print_start(const char *id)
{
	printf("# test: %s\n", id);
	fflush(stdout);
}

void print_result(unsigned int number, const char *id, enum outcome outcome,
		  const char *reason)
{
	static const char *const formats[] = {
		[PASSED] = "ok %u %s\n",
		[FAILED] = "not ok %u %s\n",
		[SKIPPED] = "ok %u %s # SKIP %s\n",
		[XFAILED] = "not ok %u %s # XFAIL %s\n",
		[XPASSED] = "ok %u %s\n",
	};

	if (outcome == FAILED && reason && *reason)
		printf("# FAILED %s\n", reason);
	if (outcome == XPASSED)
		printf("# it was expected to fail, and passed\n");
	printf(formats[outcome], number, id,
	       reason && *reason ? reason : "the test gives no reason");
	fflush(stdout);
}
