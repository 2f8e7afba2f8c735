// SPDX-License-Identifier: GPL-2.0
/* Two at once: processes that end, walks that are overtaken, odd entries. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "limit.h"
#include "tests.h"

#define PAGES	4ul
#define LENGTH	(PAGES * PAGE)
#define TRIES_S		10
/* No fault takes so long that has not waited. */
#define WAITED_NS	(20ull * 1000 * 1000)

struct shared_mapping {
	uint8_t *memory;
	int mapped;	/* one byte is written here when it is */
};

/* In a child: map memory of its own through the parent's open file. */
static void map_own_memory(void *arg)
{
	struct shared_mapping *shared = arg;
	struct peerlab_map map;
	int ret = client_map(client_fd, shared->memory, LENGTH, MAP_READ, &map,
			     NULL);

	REQUIRE(!ret, "map in the child: %s", strerror(-ret));
	EXPECT(map.alias + map.ram == PAGES, "not all pages mapped");
}

static void map_and_exec(void *arg)
{
	static char *const argv[] = { "p2p_functional", "--list", NULL };

	map_own_memory(arg);
	/* Whoever waits sees the end of the old program by the closed pipe. */
	if (dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO) < 0)
		REQUIRE(0, "dup2: %m");
	execv("/proc/self/exe", argv);
	REQUIRE(0, "execv: %m");
}

/* The process ends, or becomes another, and its mapping stays open here. */
static void outlive(void (*end)(void *arg))
{
	struct peerlab_provider_counters before = provider_counters();
	struct shared_mapping shared = {};
	uint8_t buffer[64];
	struct child child;
	char byte;
	int ret;

	shared.memory = device_memory(LENGTH, 36, NULL);
	child = fork_child(end, &shared);
	/* The child is the only one left who has the memory. */
	REQUIRE(!munmap(shared.memory, LENGTH), "munmap: %m");
	REQUIRE(write(child.go, "", 1) == 1, "pipe: %m");
	while (read(child.done, &byte, 1) < 0 && errno == EINTR)
		;
	waitpid(child.pid, NULL, 0);
	EXPECT(client_state(client_fd).valid == 0,
	       "%llu pages of a process that has ended are still mapped",
	       client_state(client_fd).valid);
	ret = client_dma(client_fd, 0, sizeof(buffer), buffer, 0);
	EXPECT(ret == -ESTALE, "DMA to its memory: %s",
	       ret ? strerror(-ret) : "done");
	ret = client_dma(client_fd, 0, sizeof(buffer), buffer,
			 PEERLAB_DMA_REFAULT);
	EXPECT(ret == -EINVAL, "fault in its address space: %s",
	       ret ? strerror(-ret) : "done");
	EXPECT(provider_counters().used == before.used,
	       "%llu device pages in use, %llu before",
	       provider_counters().used, before.used);
	client_unmap(client_fd);
}

void f36_exit_while_mapped(void)
{
	outlive(map_own_memory);
}

void f36_exec_while_mapped(void)
{
	outlive(map_and_exec);
}

/* Killed in the middle of a transfer that takes seconds. */
static void transfer_for_long(void *arg)
{
	static uint8_t buffer[8 * PIECE];
	struct shared_mapping *shared = arg;

	map_own_memory(arg);
	REQUIRE(write(shared->mapped, "", 1) == 1, "pipe: %m");
	client_dma(client_fd, 0, sizeof(buffer), buffer, 0);
}

void f36_kill_during_dma(void)
{
	struct peerlab_provider_counters before = provider_counters();
	struct shared_mapping shared = {};
	struct child child;
	int mapped[2];
	char byte;

	REQUIRE(!pipe2(mapped, O_CLOEXEC), "pipe: %m");
	shared.mapped = mapped[1];
	shared.memory = device_memory(LENGTH, 37, NULL);
	child = fork_child(transfer_for_long, &shared);
	REQUIRE(!munmap(shared.memory, LENGTH), "munmap: %m");
	REQUIRE(write(child.go, "", 1) == 1, "pipe: %m");
	REQUIRE(read(mapped[0], &byte, 1) == 1, "the child died");
	usleep(150000);
	REQUIRE(!kill(child.pid, SIGKILL), "kill: %m");
	REQUIRE(waitpid(child.pid, NULL, 0) == child.pid, "waitpid: %m");
	EXPECT(client_state(client_fd).valid == 0,
	       "%llu pages of a process that was killed are still mapped",
	       client_state(client_fd).valid);
	EXPECT(provider_counters().used == before.used,
	       "%llu device pages in use, %llu before",
	       provider_counters().used, before.used);
	client_unmap(client_fd);
}

/* Does something to the memory while the main thread faults. */
struct meddler {
	uint8_t *memory;
	void (*meddle)(uint8_t *memory);
	pthread_t thread;
};

static void *meddle_soon(void *arg)
{
	struct meddler *meddler = arg;

	usleep(100000);
	meddler->meddle(meddler->memory);
	return NULL;
}

static void meddler_start(struct meddler *meddler)
{
	REQUIRE(!pthread_create(&meddler->thread, NULL, meddle_soon, meddler),
		"pthread_create");
}

static void write_one_page(uint8_t *memory)
{
	pattern_fill(memory, PAGE, PAGE, 138);
}

/* The CPU takes a page back between the walk and the use of its result. */
void f37_overtaken_by_cpu(void)
{
	struct meddler meddler = { .meddle = write_one_page };
	struct peerlab_client_page pages[PAGES];
	struct peerlab_map map;
	int ret;

	meddler.memory = device_memory(LENGTH, 38, NULL);
	/* Without a path all pages would be back before anybody meddles. */
	if (!path_reachable())
		SKIP("the client cannot reach the provider on this machine");
	meddler_start(&meddler);
	ret = client_map(client_fd, meddler.memory, LENGTH,
			 MAP_READ | PEERLAB_MAP_AWAIT_RETRY, &map, pages);
	pthread_join(meddler.thread, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	EXPECT(map.retries > 0, "the walk was not repeated");
	EXPECT(map.alias == PAGES - 1 && pages[1].kind == PEERLAB_KIND_RAM,
	       "%llu aliases, and the page that was taken back is of kind %u",
	       map.alias, pages[1].kind);
	expect_dma_reads(client_fd, PAGE, PIECE, PAGE, 138);
	expect_dma_reads(client_fd, 2 * PAGE, PIECE, 2 * PAGE, 38);
	client_unmap(client_fd);
}

/* All that can be isolated now, and at least one page. */
static void migrate_some(uint8_t *memory)
{
	while (!migrate_in(memory, LENGTH, false, NULL))
		;
}

/* RAM was found, and went to the device before it was used. */
void f37_overtaken_by_migration(void)
{
	struct meddler meddler = { .meddle = migrate_some };
	struct peerlab_client_page pages[PAGES];
	struct peerlab_own_page own[PAGES];
	struct peerlab_map map;
	unsigned int i;
	int ret;

	meddler.memory = memory_alloc(LENGTH, false);
	pattern_fill(meddler.memory, 0, LENGTH, 39);
	meddler_start(&meddler);
	ret = client_map(client_fd, meddler.memory, LENGTH,
			 MAP_READ | PEERLAB_MAP_AWAIT_RETRY, &map, NULL);
	pthread_join(meddler.thread, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	EXPECT(map.retries > 0, "the walk was not repeated");
	client_describe(client_fd, pages, PAGES);
	provider_snapshot(meddler.memory, LENGTH, own);
	for (i = 0; i < PAGES; i++)
		EXPECT(pages[i].kind == PEERLAB_KIND_NONE ||
		       (pages[i].kind == PEERLAB_KIND_ALIAS) ==
		       (own[i].offset != ~0ull),
		       "page %u is mapped as what it was, of kind %u", i,
		       pages[i].kind);
	expect_dma_reads(client_fd, PAGE, PIECE, PAGE, 39);
	client_unmap(client_fd);
	pattern_expect(meddler.memory, 0, LENGTH, 39, "CPU");
}

static void unmap_all(uint8_t *memory)
{
	REQUIRE(!munmap(memory, LENGTH), "munmap: %m");
}

void f37_overtaken_by_munmap(void)
{
	struct meddler meddler = { .meddle = unmap_all };
	struct peerlab_provider_counters before = provider_counters();
	struct peerlab_map map;
	int ret;

	meddler.memory = device_memory(LENGTH, 40, NULL);
	meddler_start(&meddler);
	ret = client_map(client_fd, meddler.memory, LENGTH,
			 MAP_READ | PEERLAB_MAP_AWAIT_RETRY, &map, NULL);
	pthread_join(meddler.thread, NULL);
	EXPECT(ret == -EFAULT, "mapped what was unmapped meanwhile: %s",
	       strerror(-ret));
	EXPECT(client_state(client_fd).valid == 0, "%llu pages are mapped",
	       client_state(client_fd).valid);
	client_unmap(client_fd);
	EXPECT(provider_counters().used == before.used,
	       "the device still has pages in use");
}

/* A page that a device has for itself is given back by the fault. */
void f38_exclusive_entry(void)
{
	time_t end = time(NULL) + limit_here(TRIES_S);
	uint8_t *p = memory_alloc(LENGTH, false);
	struct peerlab_client_page pages[PAGES];
	struct peerlab_map map;
	int ret;

	pattern_fill(p, 0, LENGTH, 41);
	ret = client_map(client_fd, p, LENGTH, MAP_WRITE, NULL, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	do {
		ret = provider_make_exclusive(p + 2 * PAGE);
		REQUIRE(!ret, "make_device_exclusive: %s", strerror(-ret));
		client_describe(client_fd, pages, PAGES);
		EXPECT(pages[2].dma == ~0ull,
		       "a page that became exclusive is mapped");
		ret = client_map(client_fd, p, LENGTH,
				 MAP_READ | PEERLAB_MAP_SNAPSHOT, &map, pages);
		REQUIRE(!ret, "snapshot: %s", strerror(-ret));
		/* Compaction ends it by moving the page. */
	} while (pages[2].kind != PEERLAB_KIND_NONE && time(NULL) < end);
	EXPECT(pages[2].kind == PEERLAB_KIND_NONE,
	       "the exclusive page is of kind %u", pages[2].kind);
	ret = client_map(client_fd, p, LENGTH, MAP_WRITE, &map, pages);
	REQUIRE(!ret, "map again: %s", strerror(-ret));
	EXPECT(map.ram == PAGES, "%llu of %lu pages in RAM", map.ram, PAGES);
	expect_dma_reads(client_fd, 2 * PAGE, PIECE, 2 * PAGE, 41);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 41, "CPU");
}

/* What cannot be isolated now is moved later, a part of it at a time. */
static void migrate_slowly(uint8_t *memory)
{
	while (!migrate_in_slowly(memory, LENGTH, false))
		;
}

/* The fault meets pages on their way to the device, and waits for them. */
void f38_migration_entry(void)
{
	time_t end = time(NULL) + limit_here(TRIES_S);
	struct meddler meddler = { .meddle = migrate_slowly };
	struct peerlab_client_page pages[PAGES];
	struct peerlab_own_page own[PAGES];
	struct peerlab_map map;
	unsigned int i;
	int ret;

	meddler.memory = memory_alloc(LENGTH, false);
	pattern_fill(meddler.memory, 0, LENGTH, 43);
	/* A first time now: a new mapping would wait for the mmap lock. */
	ret = client_map(client_fd, meddler.memory, LENGTH, MAP_READ, &map, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	meddler_start(&meddler);
	do {
		/* Into the time in which they are nowhere. */
		while (client_state(client_fd).valid == PAGES && time(NULL) < end)
			usleep(1000);
		ret = client_map(client_fd, meddler.memory, LENGTH, MAP_READ,
				 &map, pages);
		/* If it was not that what took a page away. */
	} while (!ret && map.fault_ns < WAITED_NS && time(NULL) < end);
	pthread_join(meddler.thread, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	EXPECT(map.fault_ns >= WAITED_NS,
	       "the fault took %llu ns and cannot have waited", map.fault_ns);
	EXPECT(map.alias + map.ram == PAGES, "%llu aliases, %llu in RAM",
	       map.alias, map.ram);
	provider_snapshot(meddler.memory, LENGTH, own);
	for (i = 0; i < PAGES; i++)
		EXPECT((pages[i].kind == PEERLAB_KIND_ALIAS) ==
		       (own[i].offset != ~0ull),
		       "page %u is of kind %u, and %s the device", i,
		       pages[i].kind, own[i].offset != ~0ull ? "on" : "not on");
	expect_dma_reads(client_fd, 3 * PAGE, PIECE, 3 * PAGE, 43);
	client_unmap(client_fd);
	pattern_expect(meddler.memory, 0, LENGTH, 43, "CPU");
}

#define CHURN_ROUNDS	48
#define CHURN_PAGES	512ul

static long memory_free_kib(void)
{
	char line[64];
	long kib = -1;
	FILE *file = fopen("/proc/meminfo", "re");

	REQUIRE(file, "/proc/meminfo: %m");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "MemFree: %ld kB", &kib) == 1)
			break;
	fclose(file);
	return kib;
}

/* The way there, mapping, the way back, again and again: no page is lost. */
void f35_no_memory_lost(void)
{
	const long churned_kib = CHURN_ROUNDS * CHURN_PAGES * PAGE / 1024;
	uint8_t *p = memory_alloc(CHURN_PAGES * PAGE, false);
	long before = 0, lost;
	unsigned int i;
	int ret;

	for (i = 0; i < CHURN_ROUNDS + 2; i++) {
		pattern_fill(p, 0, PAGE, 44 + i);
		memset(p + PAGE, i, (CHURN_PAGES - 1) * PAGE);
		if (i == 2)
			before = memory_free_kib();
		migrate_in_all(p, CHURN_PAGES * PAGE, false, NULL);
		ret = client_map(client_fd, p, CHURN_PAGES * PAGE,
				 i % 2 ? MAP_WRITE : 0, NULL, NULL);
		REQUIRE(!ret, "map: %s", strerror(-ret));
		migrate_out(p, CHURN_PAGES * PAGE, false);
		pattern_expect(p, 0, PAGE, 44 + i, "CPU");
	}
	client_unmap(client_fd);
	lost = before - memory_free_kib();
	EXPECT(lost < churned_kib / 2, "%ld KiB lost while %ld KiB went to and fro",
	       lost, churned_kib);
	EXPECT(p[CHURN_PAGES * PAGE - 1] == i - 1, "wrong data at the end");
}

static void migrate_huge_slowly(uint8_t *memory)
{
	while (!migrate_in_slowly(memory, HUGE, true))
		;
}

/* The same with a huge page: who only looks sees nothing, who faults waits. */
void f38_migration_entry_pmd(void)
{
	static struct peerlab_client_page pages[HUGE_PAGES];
	time_t end = time(NULL) + limit_here(TRIES_S);
	struct meddler meddler = { .meddle = migrate_huge_slowly };
	struct peerlab_map look, map;
	int ret;

	meddler.memory = memory_alloc(HUGE, true);
	pattern_fill(meddler.memory, 0, HUGE, 44);
	ret = client_map(client_fd, meddler.memory, HUGE, MAP_READ, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	if (pages[0].order != HUGE_ORDER)
		SKIP("the kernel gave no huge page (order %u)", pages[0].order);
	meddler_start(&meddler);
	do {
		while (client_state(client_fd).valid == HUGE_PAGES &&
		       time(NULL) < end)
			usleep(1000);
		ret = client_map(client_fd, meddler.memory, HUGE,
				 MAP_READ | PEERLAB_MAP_SNAPSHOT, &look, NULL);
		REQUIRE(!ret, "snapshot: %s", strerror(-ret));
		ret = client_map(client_fd, meddler.memory, HUGE, MAP_READ,
				 &map, NULL);
	} while (!ret && map.fault_ns < WAITED_NS && time(NULL) < end);
	pthread_join(meddler.thread, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	EXPECT(map.fault_ns >= WAITED_NS,
	       "the fault took %llu ns and cannot have waited", map.fault_ns);
	EXPECT(look.none, "all pages were there for the snapshot");
	EXPECT(map.alias + map.ram == HUGE_PAGES, "%llu aliases, %llu in RAM",
	       map.alias, map.ram);
	expect_dma_reads(client_fd, 3 * PAGE, PIECE, 3 * PAGE, 44);
	client_unmap(client_fd);
	pattern_expect(meddler.memory, 0, HUGE, 44, "CPU");
}
