// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktap.h"
#include "meet.h"
#include "rig.h"

bool is_server;
static unsigned int test_number, step;

const char *meet_role(void)
{
	const char *role = getenv("PEERLAB_ROLE");

	if (!role)
		return "needs two machines (PEERLAB_ROLE is not set)";
	is_server = !strcmp(role, "server");
	if (!is_server && strcmp(role, "client"))
		return "PEERLAB_ROLE is neither server nor client";
	return NULL;
}

void meet_begin(unsigned int test)
{
	test_number = test;
	step = 0;
}

const char *meet(const char *format, ...)
{
	static char answer[MEET_BYTES + 32];
	char value[MEET_BYTES];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	REQUIRE(length >= 0 && (size_t)length < sizeof(value),
		"a value of %d bytes is too long to meet with", length);
	printf("@meet %u %u %s\n", test_number, step++, value);
	fflush(stdout);
	read_answer(answer, sizeof(answer));
	REQUIRE(!strncmp(answer, "met ", 4), "the other side: %s", answer);
	return answer + 4;
}
