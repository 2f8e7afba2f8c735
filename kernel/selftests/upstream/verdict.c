// SPDX-License-Identifier: GPL-2.0
/*
 * A program of many results is one test of the farm.  Its results are printed
 * as nested KTAP; it fails when one of them does that the untouched kernel
 * passes, or when it ends in a way its results do not explain.
 */
#include <stdio.h>
#include <string.h>

#include "runner.h"

void verdict_begin(struct verdict *v, const char *program, unsigned int indent)
{
	memset(v, 0, sizeof(*v));
	v->program = program;
	v->indent = indent;
}

/* Count one result and print it; @number is of no use to us. */
static void take_result(struct verdict *v, const struct tap_line *line)
{
	char name[2 * NAME_BYTES];
	const char *known;
	unsigned int number;

	snprintf(name, sizeof(name), "%s%s%s", v->suite, v->suite[0] ? "." : "",
		 line->name);
	number = v->passed + v->failed + v->skipped + v->known + 1;
	if (number == 1)
		printf("  KTAP version 1\n");
	switch (line->outcome) {
	case PASSED:
	case XPASSED:
		v->passed++;
		printf("  ok %u %s\n", number, name);
		break;
	case SKIPPED:
		if (!v->skipped++)
			snprintf(v->skip_reason, TEXT_BYTES, "%s", line->text);
		printf("  ok %u %s # SKIP %s\n", number, name, line->text);
		break;
	case XFAILED:
		v->known++;
		printf("  not ok %u %s # XFAIL %s\n", number, name, line->text);
		break;
	case FAILED:
		known = baseline_reason(v->program, name);
		if (known) {
			v->known++;
			printf("  not ok %u %s # XFAIL known on the untouched kernel: %s\n",
			       number, name, known);
			break;
		}
		if (!v->failed++)
			snprintf(v->reason, TEXT_BYTES, "%.*s%s%.*s", NAME_BYTES,
				 name, line->text[0] ? ": " : "",
				 TEXT_BYTES - NAME_BYTES - 3, line->text);
		printf("  not ok %u %s\n", number, name);
		break;
	}
}

/**
 * verdict_line() - take one line of output
 * @v: of the program
 * @line: without its end of line
 */
void verdict_line(struct verdict *v, const char *line)
{
	struct tap_line parsed;

	tap_parse(line, &parsed);
	switch (parsed.kind) {
	case TAP_RESULT:
		if (parsed.indent == v->indent) {
			take_result(v, &parsed);
			return;
		}
		break;
	case TAP_PLAN:
		if (parsed.indent != v->indent)
			break;
		v->planned += parsed.count;
		if (!parsed.count && parsed.text[0]) {
			v->nothing_to_do = true;
			snprintf(v->skip_reason, TEXT_BYTES, "%s", parsed.text);
		}
		return;
	case TAP_BAIL_OUT:
		v->bailed_out = true;
		snprintf(v->reason, TEXT_BYTES, "bails out: %.*s",
			 TEXT_BYTES - 16, parsed.text);
		break;
	case TAP_SUBTEST:
		/*
		 * It is in the names of the results.  Here the line would announce
		 * a test of our own that never gets one.
		 */
		snprintf(v->suite, NAME_BYTES, "%s", parsed.name);
		return;
	case TAP_STARTS:
	case TAP_TEXT:
		break;
	}
	print_text(line + parsed.indent);
}

/* A failure that no result stands for, under a name the baseline can hold. */
static void take_trouble(struct verdict *v, const char *name, const char *text)
{
	struct tap_line line = { .kind = TAP_RESULT, .outcome = FAILED };

	v->suite[0] = '\0';
	snprintf(line.name, NAME_BYTES, "(%s)", name);
	snprintf(line.text, TEXT_BYTES, "%s", text);
	take_result(v, &line);
}

#define KSFT_SKIP	4	/* exit status of a program that skips itself */

/**
 * verdict_end() - judge, when the program has ended
 * @v: of the program; @v->reason tells why it failed or was skipped
 * @end: how
 *
 * Return: PASSED, FAILED, SKIPPED, or XFAILED when nothing passed and all that
 * failed is known on the untouched kernel.
 */
enum outcome verdict_end(struct verdict *v, const struct program_end *end)
{
	unsigned int results = v->passed + v->failed + v->skipped + v->known;
	bool skips = end->status == KSFT_SKIP && !v->passed && !v->failed &&
		     !v->known && !v->bailed_out;
	char text[TEXT_BYTES];

	if (end->timed_out) {
		take_trouble(v, "timeout", "it ran past its time and was killed");
	} else if (end->signal) {
		snprintf(text, sizeof(text), "killed by signal %d (%s)",
			 end->signal, strsignal(end->signal));
		take_trouble(v, "signal", text);
	} else if (v->bailed_out) {
		snprintf(text, sizeof(text), "%s", v->reason);
		v->reason[0] = '\0';
		take_trouble(v, "bail out", text);
	} else if (end->status && !skips && !v->failed && !v->known &&
		   end->status != KSFT_SKIP) {
		snprintf(text, sizeof(text), "exit status %d", end->status);
		take_trouble(v, "exit status", text);
	} else if (v->planned && results != v->planned && !skips &&
		   end->status != KSFT_SKIP) {
		snprintf(text, sizeof(text), "it planned %u tests and ran %u",
			 v->planned, results);
		take_trouble(v, "plan", text);
	}
	if (v->known || v->failed || v->skipped || v->passed)
		printf("# totals: pass:%u fail:%u xfail:%u skip:%u\n", v->passed,
		       v->failed, v->known, v->skipped);
	if (v->failed)
		return FAILED;
	if (skips || v->nothing_to_do || (v->skipped && !v->passed && !v->known)) {
		snprintf(v->reason, TEXT_BYTES, "%s", v->skip_reason);
		return SKIPPED;
	}
	if (v->known && !v->passed) {
		snprintf(v->reason, TEXT_BYTES, "known on the untouched kernel");
		return XFAILED;
	}
	return PASSED;
}
