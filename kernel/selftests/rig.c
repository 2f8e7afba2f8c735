// SPDX-License-Identifier: GPL-2.0
/* The devices: opened; the provider: asked, told. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "limit.h"
#include "rig.h"

#define NO_ALIAS_REASON "kernel lacks hmm_range.dma_dev (no DMA alias support)"
#define MAX_PROVIDERS	2
#define MIGRATE_TIMEOUT_S	5

static const char *const provider_nodes[MAX_PROVIDERS] = {
	PEERLAB_PROVIDER_DEVICE, PEERLAB_PROVIDER_DEVICE2,
};

struct peerlab_provider_info provider_info;
struct peerlab_client_info client_info;
int client_fd = -1;
static int provider_fds[MAX_PROVIDERS] = { -1, -1 };
static int provider_fd = -1;
static int distance;
static uint64_t migration_ns;

void provider_use(unsigned int number)
{
	struct peerlab_distance req;

	provider_fd = provider_fds[number];
	REQUIRE(!ioctl(provider_fd, PEERLAB_PROVIDER_INFO, &provider_info),
		"PEERLAB_PROVIDER_INFO: %m");
	req.pci_address = provider_info.pci_address;
	REQUIRE(!ioctl(client_fd, PEERLAB_CLIENT_DISTANCE, &req),
		"PEERLAB_CLIENT_DISTANCE: %m");
	distance = req.distance;
}

bool have_second_provider(void)
{
	return provider_fds[1] >= 0;
}

/*
 * Back to good behaviour: a test that was killed may have left it otherwise,
 * and its memory may take a moment to be freed.
 */
static void settle_provider(void)
{
	int attempt, ret = 0;

	for (attempt = 0; attempt < 100; attempt++) {
		ret = provider_shift(0);
		if (ret != -EBUSY)
			break;
		usleep(20000);
	}
	REQUIRE(!ret, "the provider is not as it should be: %s", strerror(-ret));
	provider_bus_offset(0);
}

/*
 * What the one who runs the tests calls the pair, so that the results of
 * another one cannot stand for it.
 */
static void expect_device(const char *variable, const char *node,
			  const char *module)
{
	const char *wanted = getenv(variable);
	char address[32];

	if (!wanted || !*wanted)
		return;
	pci_address_of(node, address, sizeof(address));
	REQUIRE(!strcmp(address, wanted),
		"%s is %s, but %s=%s (load %s with devices=%s)", node, address,
		variable, wanted, module, wanted);
}

const char *rig_setup(const struct test *test)
{
	int i;

	for (i = 0; i < MAX_PROVIDERS; i++)
		provider_fds[i] = open(provider_nodes[i], O_RDWR | O_CLOEXEC);
	REQUIRE(provider_fds[0] >= 0,
		"open %s: %m (is peerlab_provider loaded?)",
		PEERLAB_PROVIDER_DEVICE);
	client_fd = client_open();
	expect_device("P2P_PROVIDER", "peerlab_provider0", "peerlab_provider");
	expect_device("P2P_CLIENT", "peerlab_client0", "peerlab_client");
	REQUIRE(!ioctl(client_fd, PEERLAB_CLIENT_INFO, &client_info),
		"PEERLAB_CLIENT_INFO: %m");
	REQUIRE(!client_set_mask(client_fd, 64), "cannot set the DMA mask: %m");
	for (i = MAX_PROVIDERS - 1; i >= 0; i--) {
		if (provider_fds[i] < 0)
			continue;
		provider_use(i);
		settle_provider();
	}
	if ((test->needs & NEEDS_PROVOKE) && !provoke_enabled)
		return "it makes the kernel warn on purpose: runs only when the suite itself is checked against faulty kernels";
	if ((test->needs & NEEDS_TWO) && !have_second_provider())
		return "needs a second provider (another ivshmem-plain)";
	if ((test->needs & NEEDS_ALIAS) && !have_alias())
		return NO_ALIAS_REASON;
	if ((test->needs & NEEDS_PATH) && !path_reachable())
		return "the client cannot reach the provider on this machine";
	if ((test->needs & NEEDS_NO_PATH) && path_reachable())
		return "the client can reach the provider on this machine";
	return NULL;
}

/* Whoever manages device nodes runs beside us: look until it is done. */
static int open_soon(const char *node)
{
	int attempt, fd;

	for (attempt = 0; attempt < 500; attempt++) {
		fd = open(node, O_RDWR | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		usleep(10000);
	}
	REQUIRE(0, "%s did not come back: %m", node);
	return -1;
}

void rig_close_provider(void)
{
	close(provider_fds[0]);
	provider_fds[0] = -1;
	provider_fd = -1;
}

void rig_reopen_provider(void)
{
	if (provider_fds[0] >= 0)
		rig_close_provider();
	provider_fds[0] = open_soon(PEERLAB_PROVIDER_DEVICE);
	provider_use(0);
}

void rig_close_client(void)
{
	close(client_fd);
	client_fd = -1;
}

void rig_reopen_client(void)
{
	if (client_fd >= 0)
		rig_close_client();
	client_fd = open_soon(PEERLAB_CLIENT_DEVICE);
}

bool have_alias(void)
{
	return client_info.features & provider_info.features &
	       PEERLAB_FEATURE_DMA_ALIAS;
}

bool path_reachable(void)
{
	return distance >= 0;
}

static uint64_t migrate(unsigned long request, void *address, size_t length,
			unsigned int flags, uint64_t *offsets)
{
	struct peerlab_migrate req = {
		.address = (uintptr_t)address,
		.length = length,
		.flags = flags,
		.offsets = (uintptr_t)offsets,
	};

	REQUIRE(!ioctl(provider_fd, request, &req), "migrate: %m");
	migration_ns = req.ns;
	return req.migrated;
}

uint64_t migrate_in(void *address, size_t length, bool huge, uint64_t *offsets)
{
	return migrate(PEERLAB_PROVIDER_MIGRATE_IN, address, length,
		       huge ? PEERLAB_MIGRATE_THP : 0, offsets);
}

void migrate_in_all(void *address, size_t length, bool huge, uint64_t *offsets)
{
	time_t end = time(NULL) + limit_here(MIGRATE_TIMEOUT_S);
	uint64_t moved = 0;

	/*
	 * A page in a per-CPU list, or on its way elsewhere, cannot be isolated;
	 * it can a moment later.
	 */
	while (moved < length / PAGE && time(NULL) < end) {
		uint64_t now = migrate_in(address, length, huge, NULL);

		moved += now;
		if (!now)
			usleep(1000);
	}
	REQUIRE(moved == length / PAGE, "only %lu of %lu pages moved to the device",
		moved, length / PAGE);
	if (offsets) {
		struct peerlab_own_page *pages = calloc(length / PAGE,
							sizeof(*pages));
		size_t i;

		/* From the start of a PMD, which every kernel reports right. */
		provider_snapshot(address, length, pages);
		for (i = 0; i < length / PAGE; i++)
			offsets[i] = pages[i].offset;
		free(pages);
	}
}

uint64_t migrate_out(void *address, size_t length, bool huge)
{
	return migrate(PEERLAB_PROVIDER_MIGRATE_OUT, address, length,
		       huge ? PEERLAB_MIGRATE_THP : 0, NULL);
}

uint64_t migrate_in_slowly(void *address, size_t length, bool huge)
{
	return migrate(PEERLAB_PROVIDER_MIGRATE_IN, address, length,
		       PEERLAB_MIGRATE_HOLD | (huge ? PEERLAB_MIGRATE_THP : 0),
		       NULL);
}

uint64_t migrate_out_slowly(void *address, size_t length, bool huge)
{
	return migrate(PEERLAB_PROVIDER_MIGRATE_OUT, address, length,
		       PEERLAB_MIGRATE_HOLD | (huge ? PEERLAB_MIGRATE_THP : 0),
		       NULL);
}

uint64_t last_migration_ns(void)
{
	return migration_ns;
}

static struct peerlab_provider_counters counters_of(int fd)
{
	struct peerlab_provider_counters counters;

	REQUIRE(!ioctl(fd, PEERLAB_PROVIDER_COUNTERS, &counters),
		"PEERLAB_PROVIDER_COUNTERS: %m");
	return counters;
}

struct peerlab_provider_counters provider_counters(void)
{
	return counters_of(provider_fd);
}

static void behave(const struct peerlab_behaviour *behaviour)
{
	REQUIRE(!ioctl(provider_fd, PEERLAB_PROVIDER_BEHAVE, behaviour),
		"PEERLAB_PROVIDER_BEHAVE: %m");
}

void provider_behave(unsigned int refuse_errno, unsigned int run_pages)
{
	behave(&(struct peerlab_behaviour){
		.refuse_errno = refuse_errno,
		.run_pages = run_pages,
	});
}

void provider_refuse_window(uint64_t bar_offset, uint64_t count)
{
	behave(&(struct peerlab_behaviour){
		.refuse_errno = EBUSY,
		.refuse_first = bar_offset / PAGE,
		.refuse_count = count,
	});
}

void provider_watch(void *address)
{
	behave(&(struct peerlab_behaviour){ .watch = (uintptr_t)address });
}

int provider_shift(unsigned int pages)
{
	struct peerlab_behaviour behaviour = { .shift_pages = pages };

	return ioctl(provider_fd, PEERLAB_PROVIDER_BEHAVE, &behaviour) ? -errno : 0;
}

void provider_behave_flags(unsigned int flags)
{
	behave(&(struct peerlab_behaviour){ .flags = flags });
}

int provider_bus_offset(uint64_t offset)
{
	return ioctl(provider_fd, PEERLAB_PROVIDER_BUS_OFFSET, &offset) ?
		-errno : 0;
}

uint64_t provider_snapshot_flags(void *address, size_t length,
				 unsigned int flags,
				 struct peerlab_own_page *pages)
{
	struct peerlab_snapshot req = {
		.address = (uintptr_t)address,
		.length = length,
		.pages = (uintptr_t)pages,
		.flags = flags & ~(have_alias() ? 0 : PEERLAB_SNAPSHOT_DMA_DEV),
	};

	REQUIRE(!ioctl(provider_fd, PEERLAB_PROVIDER_SNAPSHOT, &req),
		"PEERLAB_PROVIDER_SNAPSHOT: %m");
	return req.ns;
}

void provider_snapshot(void *address, size_t length,
		       struct peerlab_own_page *pages)
{
	provider_snapshot_flags(address, length, 0, pages);
}

struct peerlab_inspection provider_inspect(void)
{
	struct peerlab_inspection inspection;

	REQUIRE(!ioctl(provider_fd, PEERLAB_PROVIDER_INSPECT, &inspection),
		"PEERLAB_PROVIDER_INSPECT: %m");
	return inspection;
}

int provider_make_exclusive(void *address)
{
	uint64_t arg = (uintptr_t)address;

	return ioctl(provider_fd, PEERLAB_PROVIDER_EXCLUSIVE, &arg) ? -errno : 0;
}

int provider_map_own(void *address)
{
	uint64_t arg = (uintptr_t)address;

	return ioctl(provider_fd, PEERLAB_PROVIDER_MAP_OWN, &arg) ? -errno : 0;
}

/*
 * What all providers have done so far; they may all be in one range.  The one in
 * use stays so all along: another thread may be moving memory to it.
 */
void provider_totals(uint64_t *alias_calls, uint64_t *pages_out)
{
	int i;

	*alias_calls = 0;
	*pages_out = 0;
	for (i = 0; i < MAX_PROVIDERS; i++) {
		struct peerlab_provider_counters counters;

		if (provider_fds[i] < 0)
			continue;
		counters = counters_of(provider_fds[i]);
		*alias_calls += counters.alias_calls;
		*pages_out += counters.pages_out;
	}
}
