// SPDX-License-Identifier: GPL-2.0
/* Entries that carry more than a page: soft-dirty, protection by userfaultfd. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests.h"

#define PAGES		4ul
#define LENGTH		(PAGES * PAGE)
#define SOFT_DIRTY	(1ull << 55)

static bool soft_dirty(const uint8_t *p)
{
	return pagemap_entry(p) & SOFT_DIRTY;
}

/* The alias of an entry with and without the bit, and the bit survives. */
void f24_soft_dirty(void)
{
	uint8_t *p = memory_alloc(LENGTH, false);
	struct peerlab_client_page pages[PAGES];
	uint64_t offsets[PAGES];
	struct peerlab_map map;
	unsigned int i;
	int ret;

	pattern_fill(p, 0, LENGTH, 24);
	if (!soft_dirty(p))
		SKIP("needs a kernel with CONFIG_MEM_SOFT_DIRTY");
	write_file("/proc/self/clear_refs", "4");
	EXPECT(!soft_dirty(p), "soft-dirty after it was cleared");
	pattern_fill(p, PAGE, PAGE, 24);
	migrate_in_all(p, LENGTH, false, offsets);
	EXPECT(soft_dirty(p + PAGE) && !soft_dirty(p),
	       "migration changed what is soft-dirty");
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	for (i = 0; i < PAGES; i++)
		if (pages[i].kind == PEERLAB_KIND_ALIAS)
			expect_alias_address(&map, &pages[i], offsets[i]);
	expect_dma_reads(client_fd, 0, PIECE, 0, 24);
	expect_dma_reads(client_fd, PAGE, PIECE, PAGE, 24);
	client_unmap(client_fd);
	/* By reading, which makes nothing dirty. */
	pattern_expect(p, 0, LENGTH, 24, "CPU");
	EXPECT(soft_dirty(p + PAGE), "soft-dirty was lost on the way");
	EXPECT(!soft_dirty(p + 2 * PAGE), "soft-dirty without a write");
}

/* Of Linux 7.3; the headers of the machine that builds this may be older. */
#define FEATURE_RWP		(1ull << 17)
#define REGISTER_MODE_RWP	(1ull << 3)
/* Its argument is that of UFFDIO_WRITEPROTECT. */
#define RWPROTECT		_IOWR(UFFDIO, 0x09, struct uffdio_writeprotect)

struct guard {
	bool reads;	/* and not only writes */
	int uffd;
	atomic_uint events;
};

static void protect(const struct guard *guard, void *p, size_t length, bool on)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)p, .len = length },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	REQUIRE(!ioctl(guard->uffd,
		       guard->reads ? RWPROTECT : UFFDIO_WRITEPROTECT, &wp),
		"protect by userfaultfd: %m");
}

/* Lets every access through, and counts. */
static void *guard_accesses(void *arg)
{
	struct guard *guard = arg;
	struct uffd_msg msg;

	while (read(guard->uffd, &msg, sizeof(msg)) == sizeof(msg)) {
		if (msg.event != UFFD_EVENT_PAGEFAULT)
			continue;
		atomic_fetch_add(&guard->events, 1);
		protect(guard,
			(void *)(uintptr_t)(msg.arg.pagefault.address & ~(PAGE - 1)),
			PAGE, false);
	}
	return NULL;
}

static void guard_start(struct guard *guard, uint8_t *p, size_t length)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = guard->reads ? FEATURE_RWP :
					   UFFD_FEATURE_PAGEFAULT_FLAG_WP,
	};
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)p, .len = length },
		.mode = guard->reads ? REGISTER_MODE_RWP :
				       UFFDIO_REGISTER_MODE_WP,
	};
	pthread_t thread;

	guard->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (guard->uffd < 0)
		SKIP("userfaultfd: %s (CONFIG_USERFAULTFD)", strerror(errno));
	if (ioctl(guard->uffd, UFFDIO_API, &api))
		SKIP("userfaultfd has no %s protection: %s",
		     guard->reads ? "read" : "write", strerror(errno));
	REQUIRE(!ioctl(guard->uffd, UFFDIO_REGISTER, &reg), "UFFDIO_REGISTER: %m");
	REQUIRE(!pthread_create(&thread, NULL, guard_accesses, guard),
		"pthread_create");
}

/*
 * Device pages that userfaultfd guards: the client may read them where they
 * are; before it may write, the one who guards them is asked.
 */
void f24_uffd_wp(void)
{
	struct peerlab_client_page pages[PAGES];
	struct guard guard = {};
	uint64_t offsets[PAGES];
	uint8_t data[PIECE];
	struct peerlab_map map;
	unsigned int i;
	uint8_t *p = device_memory(LENGTH, 25, offsets);
	int ret;

	guard_start(&guard, p, LENGTH);
	protect(&guard, p, LENGTH, true);
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, pages);
	REQUIRE(!ret, "map for reading: %s", strerror(-ret));
	for (i = 0; i < PAGES; i++) {
		if (pages[i].kind == PEERLAB_KIND_ALIAS)
			expect_alias_address(&map, &pages[i], offsets[i]);
		EXPECT(!(pages[i].flags & PEERLAB_PAGE_WRITE),
		       "page %u may be written although it is guarded", i);
	}
	EXPECT(!atomic_load(&guard.events), "%u events for reading",
	       atomic_load(&guard.events));
	ret = client_dma(client_fd, 0, PIECE, data, PEERLAB_DMA_TO_MEMORY);
	EXPECT(ret == -ESTALE, "the client wrote to a guarded page");
	expect_dma_reads(client_fd, PAGE, PIECE, PAGE, 25);

	pattern_make(data, PAGE, PIECE, 125);
	ret = client_map(client_fd, p, LENGTH, MAP_WRITE, &map, pages);
	REQUIRE(!ret, "map for writing: %s", strerror(-ret));
	EXPECT(atomic_load(&guard.events) == PAGES, "%u events for %lu pages",
	       atomic_load(&guard.events), PAGES);
	EXPECT(!map.read_only, "%llu pages may not be written", map.read_only);
	dma_write(client_fd, PAGE, PIECE, data);
	client_unmap(client_fd);
	pattern_expect(p, 0, PAGE, 25, "CPU");
	pattern_expect(p + PAGE, PAGE, PIECE, 125, "CPU");
}

/*
 * Who wants to see each access sees that of the client, too: nothing is reported
 * where it is, as DMA would be seen by nobody.
 */
static void expect_seen(uint8_t *p, unsigned int count)
{
	struct peerlab_client_page pages[HUGE_PAGES];
	struct guard guard = { .reads = true };
	struct peerlab_map map;
	unsigned int i;
	int ret;

	guard_start(&guard, p, count * PAGE);
	protect(&guard, p, count * PAGE, true);
	ret = client_map(client_fd, p, count * PAGE, MAP_READ, &map, pages);
	REQUIRE(!ret, "map for reading: %s", strerror(-ret));
	for (i = 0; i < count; i++)
		if (pages[i].kind == PEERLAB_KIND_ALIAS)
			break;
	EXPECT(i == count, "page %u is read where it is, and nobody sees it", i);
	EXPECT(atomic_load(&guard.events) == count, "%u events for %u pages",
	       atomic_load(&guard.events), count);
	expect_dma_reads(client_fd, 0, PIECE, 0, 26);
	client_unmap(client_fd);
	pattern_expect(p, 0, count * PAGE, 26, "CPU");
}

void f24_uffd_rwp(void)
{
	uint64_t offsets[PAGES];

	expect_seen(device_memory(LENGTH, 26, offsets), PAGES);
}

void f24_uffd_rwp_pmd(void)
{
	uint64_t offsets[HUGE_PAGES];

	expect_seen(huge_device_memory(26, offsets), HUGE_PAGES);
}
