// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "hygiene.h"
#include "rig.h"

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
#define DMA_DUMP	"/sys/kernel/debug/dma-api/dump"
#define DMA_DISABLED	"/sys/kernel/debug/dma-api/disabled"
#define SETTLE_TRIES	30	/* of 100 ms: exiting processes, compaction */
#define MAX_LOG_LINES	4
#define SPLAT_BEGIN	"peerlab: from here on complaints are expected"
#define SPLAT_END	"peerlab: no more complaints are expected"

struct state {
	uint64_t used;
	struct peerlab_inspection inspection;
	uint64_t p2pmem_free;
	int64_t isolated;
	int64_t mlocked;
	int64_t pinned;
	int64_t huge;
	int64_t dma_mappings;	/* of the client; -1: the kernel does not say */
};

static struct state before;
static bool have_before;
static int log_fd = -1;
static const char *const *expected_texts;

/* Pages that could be allocated from all p2p pools of the machine. */
static uint64_t p2pmem_free(void)
{
	uint64_t sum = 0;
	char line[32];
	glob_t found;
	size_t i;

	if (glob("/sys/bus/pci/devices/*/p2pmem/available", 0, NULL, &found))
		return 0;
	for (i = 0; i < found.gl_pathc; i++)
		if (read_file_line(found.gl_pathv[i], line, sizeof(line)))
			sum += strtoull(line, NULL, 0);
	globfree(&found);
	return sum;
}

static int64_t vmstat(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

static void read_vmstat(struct state *state)
{
	static char text[16384];
	size_t length;
	FILE *file;

	/* Fold what the CPUs keep to themselves. */
	try_write_file("/proc/sys/vm/stat_refresh", "1");
	file = fopen("/proc/vmstat", "re");
	REQUIRE(file, "/proc/vmstat: %m");
	length = fread(text, 1, sizeof(text) - 1, file);
	text[length] = 0;
	fclose(file);
	state->isolated = vmstat(text, "nr_isolated_anon ") +
			  vmstat(text, "nr_isolated_file ");
	state->mlocked = vmstat(text, "nr_mlock ");
	state->pinned = vmstat(text, "nr_foll_pin_acquired ") -
			vmstat(text, "nr_foll_pin_released ");
	state->huge = vmstat(text, "nr_anon_transparent_hugepages ");
}

static bool dma_debug_has_ended(void)
{
	char line[8];

	return read_file_line(DMA_DISABLED, line, sizeof(line)) &&
	       line[0] == 'Y';
}

static int64_t dma_mappings(void)
{
	char address[32], line[512];
	int64_t count = 0;
	FILE *file;

	debugfs_mount();
	file = fopen(DMA_DUMP, "re");
	if (!file)
		return -1;
	pci_address_of("peerlab_client0", address, sizeof(address));
	while (fgets(line, sizeof(line), file))
		count += !!strstr(line, address);
	fclose(file);
	return count;
}

static bool read_state(struct state *state)
{
	int fd = open(PEERLAB_PROVIDER_DEVICE, O_RDWR | O_CLOEXEC);
	struct peerlab_provider_counters counters;
	bool ok;

	if (fd < 0)
		return false;
	ok = !ioctl(fd, PEERLAB_PROVIDER_COUNTERS, &counters) &&
	     !ioctl(fd, PEERLAB_PROVIDER_INSPECT, &state->inspection);
	close(fd);
	if (!ok)
		return false;
	state->used = counters.used;
	state->p2pmem_free = p2pmem_free();
	read_vmstat(state);
	state->dma_mappings = dma_mappings();
	return true;
}

int hygiene_watch_log(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* The next message, without what stands before it; false at the end. */
static bool next_message(int fd, char *record, size_t size, char **message)
{
	ssize_t n;

	do {
		n = read(fd, record, size - 1);
	} while (n < 0 && (errno == EPIPE || errno == EINTR));
	if (n <= 0)
		return false;
	record[n] = 0;
	*message = strchr(record, ';');
	*message = *message ? *message + 1 : record;
	(*message)[strcspn(*message, "\n")] = 0;
	return true;
}

int hygiene_log_has(int watch, const char *text)
{
	static char record[8192];
	char *message;
	int count = 0;

	while (next_message(watch, record, sizeof(record), &message))
		count += !!strstr(message, text);
	return count;
}

static void say_to_log(const char *text)
{
	try_write_file("/dev/kmsg", text);
}

void hygiene_expect_splat(int begin)
{
	say_to_log(begin ? SPLAT_BEGIN : SPLAT_END);
}

void hygiene_before(void)
{
	have_before = read_state(&before);
	log_fd = hygiene_watch_log();
	/*
	 * What is left from before is not ours.  What nobody has looked for yet
	 * is found by the second scan, when it has not changed since the first.
	 */
	debugfs_mount();
	if (!try_write_file(KMEMLEAK, "scan") &&
	    !try_write_file(KMEMLEAK, "scan"))
		try_write_file(KMEMLEAK, "clear");
}

void hygiene_expect(const char *const *texts)
{
	expected_texts = texts;
}

/* What no kernel says while all is well. */
static bool is_complaint(const char *message)
{
	static const char *const signs[] = {
		"WARNING:", "BUG:", "Oops", "INFO: ", "KASAN", "KCSAN", "UBSAN",
		"general protection", "list_add", "list_del",
		"suspicious RCU", "Bad page",
		"sleeping function", "DMA-API:", "refcount_t:", "leaked",
	};
	size_t i;

	for (i = 0; expected_texts && expected_texts[i]; i++)
		if (strstr(message, expected_texts[i]))
			return false;
	for (i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (strstr(message, signs[i]))
			return true;
	if (strstr(message, "DMAR") && strstr(message, "ault"))
		return true;
	if (strstr(message, "AMD-Vi") && strstr(message, "Event"))
		return true;
	return strstr(message, "AER:") && strstr(message, "rror");
}

static void expect_quiet_log(void)
{
	static char record[8192];
	unsigned int complaints = 0;
	bool expected = false;
	char *message;

	if (log_fd < 0) {
		ktap_note("the kernel's log cannot be read");
		return;
	}
	while (next_message(log_fd, record, sizeof(record), &message)) {
		if (strstr(message, SPLAT_BEGIN))
			expected = true;
		else if (strstr(message, SPLAT_END))
			expected = false;
		else if (!expected && is_complaint(message) &&
			 complaints++ < MAX_LOG_LINES)
			ktap_fail("kernel", 0, "%s", message);
	}
	EXPECT(complaints <= MAX_LOG_LINES, "%u complaints of the kernel",
	       complaints);
}

static void expect_no_leak(void)
{
	char line[256];
	FILE *file;

	/* An object is only believed to be lost when it is some seconds old. */
	if (try_write_file(KMEMLEAK, "scan"))
		return;
	sleep(6);
	try_write_file(KMEMLEAK, "scan");
	file = fopen(KMEMLEAK, "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		ktap_fail("kmemleak", 0, "%s", line);
	}
	fclose(file);
}

/* Everything that is freed a little after the process that had it. */
static bool settled(const struct state *now)
{
	return now->used == before.used && now->isolated == before.isolated &&
	       now->huge == before.huge && now->pinned == before.pinned &&
	       !now->inspection.private_referenced;
}

void h01_nothing_left(void)
{
	struct state now = {};
	int i;

	REQUIRE(have_before, "the state of before is not known");
	client_unmap(client_fd);
	for (i = 0; i < SETTLE_TRIES; i++) {
		REQUIRE(read_state(&now), "the provider has gone: %m");
		if (settled(&now))
			break;
		usleep(100000);
	}
	EXPECT(now.used == before.used, "%lu device pages in use, %lu before",
	       now.used, before.used);
	EXPECT(!now.inspection.alias_referenced,
	       "%llu aliases have references", now.inspection.alias_referenced);
	EXPECT(!now.inspection.alias_dirty, "%llu aliases are marked dirty",
	       now.inspection.alias_dirty);
	EXPECT(!now.inspection.alias_mapped, "page tables refer to %llu aliases",
	       now.inspection.alias_mapped);
	EXPECT(!now.inspection.private_referenced,
	       "%llu device private pages have references",
	       now.inspection.private_referenced);
	EXPECT(now.p2pmem_free == before.p2pmem_free,
	       "%lu bytes of p2pmem available, %lu before", now.p2pmem_free,
	       before.p2pmem_free);
	EXPECT(now.isolated == before.isolated, "%ld pages isolated, %ld before",
	       now.isolated, before.isolated);
	EXPECT(now.mlocked == before.mlocked, "%ld pages locked, %ld before",
	       now.mlocked, before.mlocked);
	EXPECT(now.pinned == before.pinned, "%ld pages pinned, %ld before",
	       now.pinned, before.pinned);
	EXPECT(now.huge == before.huge, "%ld huge pages, %ld before", now.huge,
	       before.huge);
	/* It says so in the log when it gives up, which is a complaint of its own. */
	if (dma_debug_has_ended())
		ktap_note("DMA-API debugging has ended before the suite: nobody knows what is mapped");
	else
		EXPECT(now.dma_mappings == before.dma_mappings,
		       "%ld DMA mappings of the client, %ld before",
		       now.dma_mappings, before.dma_mappings);
	expect_no_leak();
	expect_quiet_log();
}
