// SPDX-License-Identifier: GPL-2.0
/*
 * On demand paging between two machines.  Both run this program with the same
 * options; the server lends memory, the client reads and writes it, and each
 * compares what is in its own.
 *
 *   PEERLAB_ROLE           server or client
 *   PEERLAB_LINK           network device that leads to the peer
 *   PEERLAB_LINK_ADDRESS   its address, such as 10.77.0.1/24; unset: it has one
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rxe_link.h"
#include "tests_pair.h"
#include "verbs_library.h"

/* More than the farm lets a side wait for the other one, which then says why. */
#define LIMIT_S		110

static const struct test tests[] = {
	{ "F97.write", WAY_NONE, 0, test_pair_write, LIMIT_S },
	{ "F97.read", WAY_NONE, 0, test_pair_read, LIMIT_S },
	{ "F97.send", WAY_NONE, 0, test_pair_send, LIMIT_S },
	{ "F97.atomic", WAY_NONE, 0, test_pair_atomic, LIMIT_S },
	{ "F97.migrated", WAY_RAM, NEEDS_PROVIDER, test_pair_migrated,
	  LIMIT_S },
	{ "F97.client_migrated", WAY_RAM, NEEDS_PROVIDER,
	  test_pair_client_migrated, LIMIT_S },
	{ "F97.prefetch", WAY_NONE, 0, test_pair_prefetch, LIMIT_S },
	{ "F97.read_only", WAY_NONE, 0, test_pair_read_only, LIMIT_S },
	{ "F97.unmapped", WAY_NONE, 0, test_pair_unmapped, LIMIT_S },
	{ "F97.traffic", WAY_NONE, USES_PROVIDER, test_pair_traffic, LIMIT_S },
	{}
};

/* Why there is no link to the peer, or NULL. */
static const char *no_link;

static const char *ready(const struct test *test)
{
	bool rig = !access(PEERLAB_PROVIDER_DEVICE, F_OK) &&
		   !access(PEERLAB_CLIENT_DEVICE, F_OK);
	const char *reason = verbs_load();

	if (!reason && (test->needs & NEEDS_PROVIDER) && !rig)
		reason = "no device private memory: peerlab_provider or peerlab_client is missing";
	if (!reason && (test->needs & (NEEDS_PROVIDER | USES_PROVIDER)) && rig)
		reason = rig_setup(test);
	if (reason)
		return reason;
	return no_link ? no_link : device_open_rxe();
}

/* A test runs on both sides or on neither. */
static const char *setup(const struct test *test)
{
	static char why[MEET_BYTES];
	const char *reason = meet_role(), *theirs;
	size_t name = strlen(test->id);

	if (reason)
		return reason;
	meet_begin(test - tests);
	reason = ready(test);
	/* Programs of two versions would compare what is not the same. */
	theirs = meet("%s %.160s", test->id, reason ? reason : "ready");
	if (reason)
		return reason;
	if (strncmp(theirs, test->id, name) || theirs[name] != ' ') {
		snprintf(why, sizeof(why),
			 "the other side runs another version of this suite: it is at %.100s",
			 theirs);
		return why;
	}
	theirs += name + 1;
	if (!strcmp(theirs, "ready"))
		return NULL;
	snprintf(why, sizeof(why), "the other side: %.200s", theirs);
	return why;
}

static const char *make_link(void)
{
	const char *link = getenv("PEERLAB_LINK");

	if (!link)
		return "PEERLAB_LINK does not name the network device to the peer";
	return rxe_link_create_on(link, getenv("PEERLAB_LINK_ADDRESS"));
}

static void before(void)
{
	no_link = make_link();
}

int main(int argc, char **argv)
{
	const char *reason;

	/* For other programs, such as perftest. */
	if (argc == 2 && !strcmp(argv[1], "--make-link")) {
		reason = make_link();
		if (reason)
			fprintf(stderr, "%s: %s\n", argv[0], reason);
		else
			puts(RXE_NAME);
		return reason ? 1 : 0;
	}
	return ktap_main(argc, argv, tests, setup, before);
}
