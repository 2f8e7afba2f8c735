// SPDX-License-Identifier: GPL-2.0
/*
 * Every path of an error: the first allocation of an operation fails, then the
 * second, and so on until the operation asks for no more.  Whatever it says, no
 * data changes, nothing is left behind, and the next one works.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hygiene.h"
#include "tests.h"

#define PAGES		24ul
#define LENGTH		(PAGES * PAGE)
#define MAX_FAULTS	3000	/* an operation that asks for so much is an error */
#define SECONDS		45	/* in which a test has to have tried them all */
#define FAIL_NTH	"/proc/thread-self/fail-nth"

/* What an operation works on. */
struct work {
	uint8_t *memory;
	size_t length;
	bool huge;
	int fd;			/* a client of its own, -1 before it is opened */
	int error;		/* what the operation said */
};

struct operation {
	bool huge;
	bool on_device;		/* the memory starts on the device */
	bool mapped;		/* and mapped by the client */
	unsigned int refuse;	/* errno of the provider */
	unsigned int behave;	/* PEERLAB_BEHAVE_* */
	void (*run)(struct work *work);
	/* Does not leave the memory as it was: do not compare all of it. */
	size_t compare_from;
};

static int raw_provider = -1;
static sigjmp_buf touched_badly;

static void on_bus_error(int number)
{
	siglongjmp(touched_badly, number);
}

/* ---- operations; they call the kernel and nothing else */

static void op_map(struct work *work, unsigned int flags)
{
	struct peerlab_map map = {
		.address = (uintptr_t)work->memory,
		.length = work->length,
		.flags = have_alias() ? flags : flags & ~PEERLAB_MAP_DMA_DEV,
	};

	if (work->fd < 0)
		work->fd = open(PEERLAB_CLIENT_DEVICE, O_RDWR | O_CLOEXEC);
	if (work->fd < 0 || ioctl(work->fd, PEERLAB_CLIENT_MAP, &map))
		work->error = errno;
}

static void op_map_read(struct work *work)
{
	op_map(work, MAP_READ);
}

static void op_map_write(struct work *work)
{
	op_map(work, MAP_WRITE);
}

static void op_snapshot_map(struct work *work)
{
	op_map(work, MAP_READ | PEERLAB_MAP_SNAPSHOT);
}

static void op_migrate(struct work *work, unsigned long request)
{
	struct peerlab_migrate req = {
		.address = (uintptr_t)work->memory,
		.length = work->length,
		.flags = work->huge ? PEERLAB_MIGRATE_THP : 0,
	};

	if (ioctl(raw_provider, request, &req))
		work->error = errno;
}

static void op_migrate_in(struct work *work)
{
	op_migrate(work, PEERLAB_PROVIDER_MIGRATE_IN);
}

static void op_migrate_out(struct work *work)
{
	op_migrate(work, PEERLAB_PROVIDER_MIGRATE_OUT);
}

static void op_own_snapshot(struct work *work)
{
	static struct peerlab_own_page pages[HUGE_PAGES];
	struct peerlab_snapshot req = {
		.address = (uintptr_t)work->memory,
		.length = work->length,
		.pages = (uintptr_t)pages,
		.flags = have_alias() ? PEERLAB_SNAPSHOT_DMA_DEV : 0,
	};

	if (ioctl(raw_provider, PEERLAB_PROVIDER_SNAPSHOT, &req))
		work->error = errno;
}

/* The fault of a CPU may end in a signal. */
static void op_touch(struct work *work)
{
	volatile uint8_t sum = 0;
	size_t at;

	if (sigsetjmp(touched_badly, 1)) {
		work->error = EFAULT;
		return;
	}
	for (at = 0; at < work->length; at += PAGE)
		sum += work->memory[at];
}

static void op_fork(struct work *work)
{
	pid_t child = fork();

	if (!child)
		_exit(0);
	if (child < 0)
		work->error = errno;
	else
		waitpid(child, NULL, 0);
}

/* A VMA is cut in three: each cut is an allocation, and splits a huge page. */
static void op_protect(struct work *work)
{
	if (mprotect(work->memory + 3 * PAGE, 5 * PAGE, PROT_READ) ||
	    mprotect(work->memory + 3 * PAGE, 5 * PAGE, PROT_READ | PROT_WRITE))
		work->error = errno;
}

static void op_unmap(struct work *work)
{
	if (munmap(work->memory + 2 * PAGE, 3 * PAGE))
		work->error = errno;
}

/* ---- the loop */

static void write_setting(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s", name);
	try_write_file(path, value);
}

/* Every allocation counts, and none of them is reported. */
static void prepare_injection(void)
{
	debugfs_mount();
	if (access(FAIL_NTH, W_OK) || access("/sys/kernel/debug/failslab", F_OK))
		SKIP("needs a kernel with fault injection (CONFIG_FAULT_INJECTION, CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC)");
	write_setting("failslab/ignore-gfp-wait", "N");
	write_setting("failslab/verbose", "0");
	write_setting("fail_page_alloc/ignore-gfp-wait", "N");
	write_setting("fail_page_alloc/ignore-gfp-highmem", "N");
	write_setting("fail_page_alloc/min-order", "0");
	write_setting("fail_page_alloc/verbose", "0");
}

/* Do it with the nth allocation failing; false if there is no nth. */
static bool run_with_fault(const struct operation *operation, struct work *work,
			   int fd, unsigned int nth)
{
	char text[16] = {};
	ssize_t length;

	length = snprintf(text, sizeof(text), "%u", nth);
	REQUIRE(pwrite(fd, text, length, 0) == length, FAIL_NTH ": %m");
	operation->run(work);
	memset(text, 0, sizeof(text));
	length = pread(fd, text, sizeof(text) - 1, 0);
	/* What is left of the count was not reached. */
	if (pwrite(fd, "0", 1, 0) != 1 || length <= 0)
		REQUIRE(0, FAIL_NTH ": %m");
	return strtoul(text, NULL, 10) == 0;
}

static void start_work(const struct operation *operation, struct work *work,
		       uint64_t seed)
{
	struct peerlab_behaviour behaviour = {};
	int ret;

	*work = (struct work){
		.length = operation->huge ? HUGE : LENGTH,
		.huge = operation->huge,
		.fd = -1,
	};
	work->memory = memory_alloc(work->length, operation->huge);
	pattern_fill(work->memory, 0, work->length, seed);
	if (operation->on_device)
		migrate_in_all(work->memory, work->length, operation->huge, NULL);
	if (operation->mapped) {
		work->fd = client_open();
		ret = client_map(work->fd, work->memory, work->length, MAP_WRITE,
				 NULL, NULL);
		REQUIRE(!ret, "map: %s", strerror(-ret));
	}
	behaviour.refuse_errno = operation->refuse;
	behaviour.flags = operation->behave;
	REQUIRE(!ioctl(raw_provider, PEERLAB_PROVIDER_BEHAVE, &behaviour),
		"PEERLAB_PROVIDER_BEHAVE: %m");
}

/* All of it can be used again, is what it was, and goes without a trace. */
static void check_work(const struct operation *operation, struct work *work,
		       uint64_t seed, uint64_t used, unsigned int nth)
{
	struct peerlab_client_state state = {};
	struct peerlab_inspection inspection;
	unsigned int tries;
	int ret;

	provider_behave(0, 0);
	if (work->fd >= 0) {
		state = client_state(work->fd);
		EXPECT(!state.marked, "fault %u: %llu entries keep their marks",
		       nth, state.marked);
		/* What was not mapped is now. */
		if (!operation->compare_from) {
			ret = client_map(work->fd, work->memory, work->length,
					 MAP_READ, NULL, NULL);
			EXPECT(!ret, "fault %u: map again: %s", nth,
			       strerror(-ret));
		}
		EXPECT(!client_unmap(work->fd), "fault %u: unmap: %m", nth);
		close(work->fd);
	}
	pattern_expect(work->memory + operation->compare_from,
		       operation->compare_from,
		       work->length - operation->compare_from, seed, "CPU");
	munmap(work->memory, work->length);
	for (tries = 0; tries < 50 && provider_counters().used != used; tries++)
		usleep(20000);
	EXPECT(provider_counters().used == used,
	       "fault %u: %llu device pages in use, %lu before", nth,
	       provider_counters().used, used);
	inspection = provider_inspect();
	EXPECT(!inspection.alias_referenced && !inspection.alias_mapped &&
	       !inspection.alias_dirty && !inspection.private_referenced,
	       "fault %u: references or marks are left on the provider's pages",
	       nth);
}

static void fail_each(const struct operation *operation)
{
	uint64_t used, seed = 1000;
	unsigned int nth, errors = 0;
	struct timespec begin, now;
	struct work work;
	bool reached = true;
	int fd;

	prepare_injection();
	signal(SIGBUS, on_bus_error);
	raw_provider = open(PEERLAB_PROVIDER_DEVICE, O_RDWR | O_CLOEXEC);
	fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	REQUIRE(raw_provider >= 0 && fd >= 0, "open: %m");
	used = provider_counters().used;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (nth = 1; reached && nth < MAX_FAULTS; nth++, seed++) {
		start_work(operation, &work, seed);
		reached = run_with_fault(operation, &work, fd, nth);
		if (!reached)
			EXPECT(!work.error || operation->behave,
			       "it fails without a fault: %s",
			       strerror(work.error));
		errors += reached && work.error;
		check_work(operation, &work, seed, used, nth);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - begin.tv_sec > SECONDS)
			break;
	}
	close(fd);
	ktap_note("%u faults, %u of them made it fail%s", nth - 2, errors,
		  reached ? "; there is no time for more" : "");
	EXPECT(nth > 2, "nothing could fail");
	EXPECT(!reached || now.tv_sec - begin.tv_sec > SECONDS,
	       "it never comes to an end");
}

#define FAULT_TEST(name, ...)						\
	static void test_##name(void)					\
	{								\
		static const struct operation operation = { __VA_ARGS__ }; \
									\
		fail_each(&operation);					\
	}

FAULT_TEST(map_ram, .run = op_map_write)
FAULT_TEST(map_device_memory, .run = op_map_read, .on_device = true)
FAULT_TEST(map_refused, .run = op_map_read, .on_device = true, .refuse = EBUSY)
FAULT_TEST(map_again, .run = op_map_write, .on_device = true, .mapped = true)
FAULT_TEST(map_huge, .run = op_map_read, .on_device = true, .huge = true)
FAULT_TEST(map_huge_refused, .run = op_map_read, .on_device = true,
	   .huge = true, .refuse = EBUSY)
FAULT_TEST(map_huge_split, .run = op_map_read, .on_device = true,
	   .huge = true, .refuse = EBUSY, .behave = PEERLAB_BEHAVE_NO_HUGE_RAM)
FAULT_TEST(snapshot_map, .run = op_snapshot_map, .on_device = true)
FAULT_TEST(own_snapshot, .run = op_own_snapshot, .on_device = true, .huge = true)
FAULT_TEST(migrate_in, .run = op_migrate_in)
FAULT_TEST(migrate_in_mapped, .run = op_migrate_in, .mapped = true)
FAULT_TEST(migrate_in_huge, .run = op_migrate_in, .huge = true)
FAULT_TEST(migrate_out, .run = op_migrate_out, .on_device = true)
FAULT_TEST(migrate_out_mapped, .run = op_migrate_out, .on_device = true,
	   .mapped = true)
FAULT_TEST(migrate_out_huge, .run = op_migrate_out, .on_device = true,
	   .huge = true)
FAULT_TEST(migrate_out_split, .run = op_migrate_out, .on_device = true,
	   .huge = true, .behave = PEERLAB_BEHAVE_NO_HUGE_RAM)
FAULT_TEST(touch, .run = op_touch, .on_device = true)
FAULT_TEST(touch_mapped, .run = op_touch, .on_device = true, .mapped = true)
FAULT_TEST(touch_huge, .run = op_touch, .on_device = true, .huge = true)
FAULT_TEST(touch_huge_split, .run = op_touch, .on_device = true, .huge = true,
	   .behave = PEERLAB_BEHAVE_NO_HUGE_RAM)
FAULT_TEST(fork_mapped, .run = op_fork, .on_device = true, .mapped = true)
FAULT_TEST(fork_huge, .run = op_fork, .on_device = true, .huge = true)
FAULT_TEST(protect_mapped, .run = op_protect, .on_device = true,
	   .mapped = true)
FAULT_TEST(protect_huge, .run = op_protect, .on_device = true, .huge = true)
FAULT_TEST(unmap_mapped, .run = op_unmap, .on_device = true, .mapped = true,
	   .compare_from = 5 * PAGE)
FAULT_TEST(unmap_huge, .run = op_unmap, .on_device = true, .huge = true,
	   .compare_from = 5 * PAGE)

#define TEST(name) { "E01." #name, WAY_ANY, 0, test_##name, 120 }

static const struct test tests[] = {
	TEST(map_ram),
	TEST(map_device_memory),
	TEST(map_refused),
	TEST(map_again),
	TEST(map_huge),
	TEST(map_huge_refused),
	TEST(map_huge_split),
	TEST(snapshot_map),
	TEST(own_snapshot),
	TEST(migrate_in),
	TEST(migrate_in_mapped),
	TEST(migrate_in_huge),
	TEST(migrate_out),
	TEST(migrate_out_mapped),
	TEST(migrate_out_huge),
	TEST(migrate_out_split),
	TEST(touch),
	TEST(touch_mapped),
	TEST(touch_huge),
	TEST(touch_huge_split),
	TEST(fork_mapped),
	TEST(fork_huge),
	TEST(protect_mapped),
	TEST(protect_huge),
	TEST(unmap_mapped),
	TEST(unmap_huge),
	{ "H01.nothing_left", WAY_NONE, 0, h01_nothing_left },
	{}
};

int main(int argc, char **argv)
{
	/*
	 * What comes of an allocation that is made to fail, and of nothing else: in
	 * the fault of a CPU, and in the bookkeeping of DMA-API debugging, which
	 * ends with it.
	 */
	static const char *const expected[] = {
		"VM_FAULT_OOM leaked out to the #PF handler",
		"DMA-API: cacheline tracking ENOMEM",
		NULL
	};

	hygiene_expect(expected);
	return ktap_main(argc, argv, tests, rig_setup, hygiene_before);
}
