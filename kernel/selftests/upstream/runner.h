/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Runs tests that come with the kernel's source as suites of the farm: starts
 * them, reads their TAP or KTAP, compares with what the untouched kernel is
 * known to fail, and prints KTAP version 1 as the farm reads it.
 */
#ifndef RUNNER_H
#define RUNNER_H

#include <stdbool.h>
#include <stddef.h>

#define NAME_BYTES	256
#define TEXT_BYTES	512

/* -- one line of TAP 13, KTAP 1 or the kselftest harness (tap.c) */

enum tap_kind {
	TAP_TEXT,	/* anything else; @text without a leading "# " */
	TAP_PLAN,	/* 1..N */
	TAP_RESULT,
	TAP_STARTS,	/* the harness begins a test */
	TAP_SUBTEST,	/* KTAP: the results that follow belong to @name */
	TAP_BAIL_OUT,
};

enum outcome {
	PASSED,
	FAILED,
	SKIPPED,
	XFAILED,	/* the test itself expects to fail */
	XPASSED,	/* it expected to fail, and passed */
};

/**
 * struct tap_line - what one line says
 * @kind: what it is
 * @outcome: of a result
 * @count: of a plan
 * @indent: leading blanks
 * @name: of a test; a result that only has a reason is named by that
 * @text: reason of a result, of a plan of nothing or of a bail out; plain text
 */
struct tap_line {
	enum tap_kind kind;
	enum outcome outcome;
	unsigned int count;
	unsigned int indent;
	char name[NAME_BYTES];
	char text[TEXT_BYTES];
};

void tap_parse(const char *line, struct tap_line *result);

/* -- what the untouched kernel fails (baseline.c) */

/**
 * baseline_reason() - is this failure known on the untouched kernel?
 * @program: name of the program or KUnit module
 * @test: name of the test within it
 *
 * Return: why it fails there, or NULL when it does not.
 */
const char *baseline_reason(const char *program, const char *test);

/* -- what a program's lines add up to (verdict.c) */

/**
 * struct verdict - results of one program, as they come in
 * @program: whose
 * @suite: last KTAP subtest announced; prefixes the names
 * @indent: results indented otherwise are none of ours
 * @planned: what the plan says, 0 without one
 * @reason: first failure, or why everything was skipped
 */
struct verdict {
	const char *program;
	char suite[NAME_BYTES];
	unsigned int indent;
	unsigned int planned;
	unsigned int passed;
	unsigned int failed;
	unsigned int skipped;
	unsigned int known;
	bool bailed_out;
	bool nothing_to_do;
	char reason[TEXT_BYTES];
	char skip_reason[TEXT_BYTES];
};

/**
 * struct program_end - how a program ended
 * @status: exit status, or -1
 * @signal: that killed it, or 0
 * @timed_out: it ran past its time and was killed by us
 */
struct program_end {
	int status;
	int signal;
	bool timed_out;
};

void verdict_begin(struct verdict *v, const char *program, unsigned int indent);
void verdict_line(struct verdict *v, const char *line);
enum outcome verdict_end(struct verdict *v, const struct program_end *end);

/* -- programs (program.c) */

typedef int main_fn(int argc, char **argv, char **envp);
typedef void constructor_fn(int argc, char **argv, char **envp);

/**
 * struct embedded - a program of the kernel's source, linked into the suite
 * @name: as upstream calls it
 * @main: its main()
 * @constructors: what has to run before @main, in this order
 * @constructors_end: after the last
 */
struct embedded {
	const char *name;
	main_fn *main;
	constructor_fn *const *constructors;
	constructor_fn *const *constructors_end;
};

/* The linker makes the bounds of @constructors, if a program has any. */
#define EMBEDDED(main, constructors)					\
	main_fn main;							\
	extern constructor_fn *const __start_##constructors[] __attribute__((weak)); \
	extern constructor_fn *const __stop_##constructors[] __attribute__((weak))

/* Written by the build; ended by one without name. */
extern const struct embedded embedded_programs[];

typedef void line_fn(void *context, const char *line);

bool program_exists(const char *name);
int become_program(int argc, char **argv);
void run_program(const char *const argv[], int seconds, line_fn *on_line,
		 void *context, struct program_end *end);
void replay_file(const char *path, line_fn *on_line, void *context);

/* -- kernel modules (modules.c) */

bool module_exists(const char *name);
int load_module(const char *name, const char *parameters);
void unload_modules(void);

/* -- output (output.c) */

/**
 * struct selection - what the command line asks for
 * @only: comma separated ids, or NULL for all
 * @skip: comma separated ids, or NULL
 * @replay: a recording to read instead of running anything, or NULL
 */
struct selection {
	const char *only;
	const char *skip;
	const char *replay;
};

bool in_list(const char *list, const char *id);
bool is_selected(const struct selection *selection, const char *id);
bool is_skipped(const struct selection *selection, const char *id);

void print_text(const char *text);
void print_plan(unsigned int count);
void print_start(const char *id);
void print_result(unsigned int number, const char *id, enum outcome outcome,
		  const char *reason);

/* -- suites: one of these is linked with the rest */

/**
 * struct suite - one suite
 * @option: a switch it knows besides the common ones, or NULL
 * @list: print the ids of its tests; no special kernel is needed
 * @run: run what is selected; says how many tests failed, -1 for trouble
 */
struct suite {
	const char *option;
	int (*list)(bool option);
	int (*run)(bool option, const struct selection *selection);
};

extern const struct suite suite;

#endif /* RUNNER_H */
