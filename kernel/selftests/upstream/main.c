// SPDX-License-Identifier: GPL-2.0
/* Command line of a suite; the same as that of p2p_functional. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "runner.h"

static int usage(const char *program)
{
	fprintf(stderr,
		"usage: %s [--list] [--only ID[,ID]] [--skip ID[,ID]] [--replay FILE]%s%s%s\n",
		program, suite.option ? " [--" : "",
		suite.option ? suite.option : "", suite.option ? "]" : "");
	return 2;
}

int main(int argc, char **argv)
{
	struct option options[] = {
		{ "list", no_argument, NULL, 'l' },
		{ "only", required_argument, NULL, 'o' },
		{ "skip", required_argument, NULL, 's' },
		{ "replay", required_argument, NULL, 'p' },
		/* There is no memory of a device here to be asked about. */
		{ "oracle", required_argument, NULL, 'r' },
		{ suite.option, no_argument, NULL, 'x' },
		{}
	};
	struct selection selection = {};
	bool option_given = false, list = false;
	int option, failed, status;

	status = become_program(argc, argv);
	if (status >= 0)
		return status;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'l':
			list = true;
			break;
		case 'o':
			selection.only = optarg;
			break;
		case 's':
			selection.skip = optarg;
			break;
		case 'p':
			selection.replay = optarg;
			break;
		case 'r':
			if (strcmp(optarg, "stdio"))
				return usage(argv[0]);
			break;
		case 'x':
			option_given = true;
			break;
		default:
			return usage(argv[0]);
		}
	}
	if (optind != argc)
		return usage(argv[0]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (list)
		return suite.list(option_given);
	failed = suite.run(option_given, &selection);
	if (failed < 0)
		return 2;
	return failed ? 1 : 0;
}
