// SPDX-License-Identifier: GPL-2.0
/* One line of what a test of the kernel's source prints. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runner.h"

static const char *skip_blanks(const char *text)
{
	while (*text == ' ' || *text == '\t')
		text++;
	return text;
}

/* Copy [@from, @to) without the blanks around it. */
static void copy_trimmed(char *target, size_t size, const char *from,
			 const char *to)
{
	from = skip_blanks(from);
	while (to > from && isspace((unsigned char)to[-1]))
		to--;
	snprintf(target, size, "%.*s", to > from ? (int)(to - from) : 0, from);
}

/* The word after a test's "#": is it a directive, and which outcome is it? */
static bool directive(const char *text, bool ok, enum outcome *outcome,
		      const char **reason)
{
	static const struct {
		const char *word;
		enum outcome outcome;
	} directives[] = {
		{ "SKIP", SKIPPED }, { "XFAIL", XFAILED }, { "XPASS", XPASSED },
		{ "TODO", XFAILED }, { "TIMEOUT", FAILED }, { "error", FAILED },
	};
	size_t i, length;

	for (i = 0; i < sizeof(directives) / sizeof(*directives); i++) {
		length = strlen(directives[i].word);
		if (strncasecmp(text, directives[i].word, length) ||
		    isalnum((unsigned char)text[length]))
			continue;
		*outcome = directives[i].outcome;
		/* "ok 1 name # TODO" is a pass that nobody counted on. */
		if (*outcome == XFAILED && ok && !strcasecmp(directives[i].word, "TODO"))
			*outcome = XPASSED;
		*reason = skip_blanks(text + length);
		if (**reason == ':')
			*reason = skip_blanks(*reason + 1);
		return true;
	}
	return false;
}

/* After "ok " or "not ok ": number, name, directive. */
static bool parse_result(const char *text, bool ok, struct tap_line *result)
{
	const char *name, *mark, *reason = "";
	char *end;

	strtoul(text, &end, 10);
	if (end == text || (*end && *end != ' ' && *end != '\n'))
		return false;
	result->kind = TAP_RESULT;
	result->outcome = ok ? PASSED : FAILED;
	name = skip_blanks(end);
	if (name[0] == '-' && name[1] == ' ')
		name = skip_blanks(name + 1);
	/* A '#' may belong to the name: only a known word makes it a mark. */
	for (mark = strchr(name, '#'); mark; mark = strchr(mark + 1, '#')) {
		if (mark > name && mark[-1] != ' ')
			continue;
		if (directive(skip_blanks(mark + 1), ok, &result->outcome, &reason))
			break;
		/* "name #  text", as the harness prints a diagnosis */
		if (mark[1] == ' ' && mark[2] == ' ') {
			reason = skip_blanks(mark + 1);
			break;
		}
	}
	copy_trimmed(result->name, NAME_BYTES, name,
		     mark ? mark : name + strlen(name));
	copy_trimmed(result->text, TEXT_BYTES, reason, reason + strlen(reason));
	if (!result->name[0])
		snprintf(result->name, NAME_BYTES, "%.*s", NAME_BYTES - 1,
			 result->text);
	return true;
}

/* "1..N", "1..0 # SKIP reason" */
static bool parse_plan(const char *text, struct tap_line *result)
{
	enum outcome outcome;
	const char *reason;
	char *end;

	if (strncmp(text, "1..", 3))
		return false;
	result->count = strtoul(text + 3, &end, 10);
	if (end == text + 3)
		return false;
	result->kind = TAP_PLAN;
	end = (char *)skip_blanks(end);
	if (*end == '#' && directive(skip_blanks(end + 1), true, &outcome, &reason))
		copy_trimmed(result->text, TEXT_BYTES, reason,
			     reason + strlen(reason));
	return true;
}

/**
 * tap_parse() - read one line
 * @line: without its end of line
 * @result: filled; TAP_TEXT when nothing else fits
 */
void tap_parse(const char *line, struct tap_line *result)
{
	const char *text = line, *end;

	memset(result, 0, sizeof(*result));
	while (*text == ' ')
		text++;
	result->indent = text - line;
	if (!strncmp(text, "ok ", 3) && parse_result(text + 3, true, result))
		return;
	if (!strncmp(text, "not ok ", 7) && parse_result(text + 7, false, result))
		return;
	if (parse_plan(text, result))
		return;
	if (!strncmp(text, "Bail out!", 9)) {
		result->kind = TAP_BAIL_OUT;
		copy_trimmed(result->text, TEXT_BYTES, text + 9,
			     text + strlen(text));
		return;
	}
	if (*text == '#') {
		text = skip_blanks(text + 1);
		end = strstr(text, " ...");
		if (!strncmp(text, "RUN ", 4) && end) {
			result->kind = TAP_STARTS;
			copy_trimmed(result->name, NAME_BYTES, text + 4, end);
			return;
		}
		if (!strncmp(text, "Subtest: ", 9)) {
			result->kind = TAP_SUBTEST;
			copy_trimmed(result->name, NAME_BYTES, text + 9,
				     text + strlen(text));
			return;
		}
	}
	copy_trimmed(result->text, TEXT_BYTES, text, text + strlen(text));
}
