// SPDX-License-Identifier: GPL-2.0
/* What the untouched kernel fails, measured and committed in baseline/. */
#include <string.h>
#include <stdio.h>

#include "runner.h"

/*
 * The files of baseline/, one after the other: "PROGRAM | TEST | REASON" per
 * line, '#' begins a comment, a TEST that ends in '*' stands for many.
 */
extern const char baseline_text[];

/* Is [@from, @to), blanks around it aside, the same as or a prefix of @name? */
static bool field_is(const char *from, const char *to, const char *name)
{
	while (from < to && *from == ' ')
		from++;
	while (to > from && to[-1] == ' ')
		to--;
	if (to > from && to[-1] == '*')
		return !strncmp(from, name, to - from - 1);
	return strlen(name) == (size_t)(to - from) && !memcmp(from, name, to - from);
}

const char *baseline_reason(const char *program, const char *test)
{
	static char reason[TEXT_BYTES];
	const char *line, *end, *first, *second;

	for (line = baseline_text; *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		first = memchr(line, '|', end - line);
		if (*line == '#' || !first)
			continue;
		second = memchr(first + 1, '|', end - first - 1);
		if (!second || !field_is(line, first, program) ||
		    !field_is(first + 1, second, test))
			continue;
		second++;
		second += strspn(second, " ");
		snprintf(reason, sizeof(reason), "%.*s", (int)(end - second), second);
		return reason;
	}
	return NULL;
}
