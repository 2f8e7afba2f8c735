// SPDX-License-Identifier: GPL-2.0
/* The address space changes while the client has it mapped. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests.h"

#define PAGES	4ul
#define LENGTH	(PAGES * PAGE)

/* Device memory with a pattern, mapped by the client. */
static uint8_t *mapped_memory(uint64_t seed, unsigned int flags)
{
	uint8_t *p = memory_alloc(LENGTH, false);
	struct peerlab_map map;
	int ret;

	pattern_fill(p, 0, LENGTH, seed);
	migrate_in_all(p, LENGTH, false, NULL);
	ret = client_map(client_fd, p, LENGTH, flags, &map, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	REQUIRE(map.alias + map.ram == PAGES, "not all pages mapped");
	return p;
}

static void expect_taken_away(const char *by)
{
	uint8_t byte[8];
	int ret;

	EXPECT(client_state(client_fd).valid == 0,
	       "still mapped after %s returned", by);
	ret = client_dma(client_fd, 0, sizeof(byte), byte, 0);
	EXPECT(ret == -ESTALE, "DMA after %s: %s", by,
	       ret ? strerror(-ret) : "done");
}

void f30_munmap_while_mapped(void)
{
	struct peerlab_provider_counters before = provider_counters();
	uint8_t *p = mapped_memory(30, MAP_WRITE);

	REQUIRE(!munmap(p, LENGTH), "munmap: %m");
	expect_taken_away("munmap()");
	EXPECT(client_map(client_fd, p, LENGTH, MAP_READ, NULL, NULL) == -EFAULT,
	       "mapped memory that does not exist");
	EXPECT(provider_counters().used == before.used,
	       "the device still has pages in use");
	client_unmap(client_fd);
}

void f31_mremap_while_mapped(void)
{
	uint8_t *p = mapped_memory(31, MAP_WRITE);
	uint8_t *q = memory_alloc(LENGTH, false);
	uint8_t *moved;
	int ret;

	moved = mremap(p, LENGTH, LENGTH, MREMAP_MAYMOVE | MREMAP_FIXED, q);
	REQUIRE(moved == q, "mremap: %m");
	expect_taken_away("mremap()");
	ret = client_map(client_fd, q, LENGTH, MAP_READ, NULL, NULL);
	REQUIRE(!ret, "map at the new address: %s", strerror(-ret));
	expect_dma_reads(client_fd, 2 * PAGE, PIECE, 2 * PAGE, 31);
	client_unmap(client_fd);
	pattern_expect(q, 0, LENGTH, 31, "CPU");
}

/* The old range stays, and is empty: nothing but the move takes it away. */
void f31_dontunmap_while_mapped(void)
{
	uint8_t *p = mapped_memory(231, MAP_WRITE);
	static const uint8_t zero[PIECE];
	uint8_t buffer[PIECE];
	uint8_t *moved;
	int ret;

	moved = mremap(p, LENGTH, LENGTH, MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
		       NULL);
	REQUIRE(moved != MAP_FAILED, "mremap: %m");
	expect_taken_away("mremap()");
	ret = client_map(client_fd, p, LENGTH, MAP_READ, NULL, NULL);
	REQUIRE(!ret, "map at the old address: %s", strerror(-ret));
	dma_read(client_fd, PAGE, PIECE, buffer);
	EXPECT(!memcmp(buffer, zero, PIECE), "the old range has data");
	ret = client_map(client_fd, moved, LENGTH, MAP_READ, NULL, NULL);
	REQUIRE(!ret, "map at the new address: %s", strerror(-ret));
	expect_dma_reads(client_fd, 2 * PAGE, PIECE, 2 * PAGE, 231);
	client_unmap(client_fd);
	pattern_expect(moved, 0, LENGTH, 231, "CPU");
}

/* The mapping of before is of the same memory; the larger one is of all. */
void f31_grow_while_mapped(void)
{
	uint8_t *p = mapped_memory(131, MAP_WRITE);
	static const uint8_t zero[PIECE];
	uint8_t buffer[PIECE];
	struct peerlab_map map;
	uint8_t *grown;
	int ret;

	grown = mremap(p, LENGTH, 2 * LENGTH, MREMAP_MAYMOVE);
	REQUIRE(grown != MAP_FAILED, "mremap: %m");
	if (grown != p)
		expect_taken_away("mremap()");
	else
		expect_dma_reads(client_fd, PAGE, PIECE, PAGE, 131);
	ret = client_map(client_fd, grown, 2 * LENGTH, MAP_WRITE, &map, NULL);
	REQUIRE(!ret, "map all of it: %s", strerror(-ret));
	expect_dma_reads(client_fd, LENGTH - PIECE, PIECE, LENGTH - PIECE, 131);
	dma_read(client_fd, LENGTH, PIECE, buffer);
	EXPECT(!memcmp(buffer, zero, PIECE), "new memory is not zero");
	client_unmap(client_fd);
	pattern_expect(grown, 0, LENGTH, 131, "CPU");
}

/* Each page may become zero, at any time; in between there is nothing. */
void f32_free_while_mapped(void)
{
	uint8_t *p = mapped_memory(132, MAP_READ);
	static const uint8_t zero[PAGE];
	uint8_t data[PAGE], buffer[PIECE];
	unsigned int i;
	int ret;

	REQUIRE(!madvise(p, LENGTH, MADV_FREE), "madvise: %m");
	ret = client_dma(client_fd, PAGE, PIECE, buffer, PEERLAB_DMA_REFAULT);
	REQUIRE(!ret, "DMA: %s", strerror(-ret));
	pattern_make(data, PAGE, PAGE, 132);
	EXPECT(!memcmp(buffer, data, PIECE) || !memcmp(buffer, zero, PIECE),
	       "DMA sees neither the old data nor zeros");
	client_unmap(client_fd);
	for (i = 0; i < PAGES; i++) {
		pattern_make(data, i * PAGE, PAGE, 132);
		EXPECT(!memcmp(p + i * PAGE, data, PAGE) ||
		       !memcmp(p + i * PAGE, zero, PAGE),
		       "page %u is neither the old one nor zero", i);
	}
}

void f32_dontneed_while_mapped(void)
{
	uint8_t *p = mapped_memory(32, MAP_WRITE);
	static const uint8_t zero[PIECE];
	uint8_t buffer[PIECE];
	struct peerlab_map map;
	int ret;

	REQUIRE(!madvise(p, LENGTH, MADV_DONTNEED), "madvise: %m");
	expect_taken_away("madvise()");
	ret = client_map(client_fd, p, LENGTH, MAP_WRITE, &map, NULL);
	REQUIRE(!ret, "map again: %s", strerror(-ret));
	EXPECT(map.ram == PAGES, "%llu of %lu pages in RAM", map.ram, PAGES);
	dma_read(client_fd, PAGE, PIECE, buffer);
	EXPECT(!memcmp(buffer, zero, PIECE), "old data in fresh memory");
	client_unmap(client_fd);
}

/* The CPU writes: the page comes back, and the client reads what was written. */
void f33_cpu_touch(void)
{
	struct peerlab_provider_counters before;
	uint8_t *p = mapped_memory(33, MAP_READ);
	uint8_t buffer[PIECE];
	int ret;

	before = provider_counters();
	pattern_fill(p, PAGE, PAGE, 133);
	if (have_alias() && path_reachable()) {
		EXPECT(provider_counters().pages_out == before.pages_out + 1,
		       "%llu pages migrated back by one touch",
		       provider_counters().pages_out - before.pages_out);
		EXPECT(client_state(client_fd).valid == PAGES - 1,
		       "%llu pages left mapped", client_state(client_fd).valid);
	}
	ret = client_dma(client_fd, PAGE, PIECE, buffer, PEERLAB_DMA_REFAULT);
	REQUIRE(!ret, "DMA: %s", strerror(-ret));
	pattern_expect(buffer, PAGE, PIECE, 133, "DMA");
	expect_dma_reads(client_fd, 0, PIECE, 0, 33);
	client_unmap(client_fd);
	pattern_expect(p + PAGE, PAGE, PAGE, 133, "CPU");
	pattern_expect(p + 2 * PAGE, 2 * PAGE, 2 * PAGE, 33, "CPU");
}

/* Mapped as RAM, then migrated to the device: mapped again as an alias. */
void f34_migrate_in_while_mapped(void)
{
	uint8_t *p = memory_alloc(LENGTH, false);
	struct peerlab_map map;
	int ret;

	pattern_fill(p, 0, LENGTH, 34);
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, NULL);
	REQUIRE(!ret, "map: %s", strerror(-ret));
	REQUIRE(map.ram == PAGES, "%llu of %lu pages in RAM", map.ram, PAGES);
	migrate_in_all(p, LENGTH, false, NULL);
	expect_taken_away("migration");
	ret = client_map(client_fd, p, LENGTH, MAP_READ, &map, NULL);
	REQUIRE(!ret, "map again: %s", strerror(-ret));
	EXPECT(map.private_pages == 0, "%llu device private pfns returned",
	       map.private_pages);
	expect_dma_reads(client_fd, 3 * PAGE, PIECE, 3 * PAGE, 34);
	client_unmap(client_fd);
	pattern_expect(p, 0, LENGTH, 34, "CPU");
}

#define PING_PONG_SECONDS	2

struct player {
	uint8_t *memory;
	atomic_bool stop;
	atomic_ulong rounds;
};

/* To the device and back by a CPU touch, as fast as it goes. */
static void *play(void *arg)
{
	struct player *player = arg;
	unsigned long i;

	while (!atomic_load(&player->stop)) {
		migrate_in(player->memory, LENGTH, false, NULL);
		for (i = 0; i < LENGTH; i += PAGE)
			*(volatile uint8_t *)(player->memory + i);
		atomic_fetch_add(&player->rounds, 1);
		usleep(2000);
	}
	return NULL;
}

/* The CPU and the client both want the same pages, for so many seconds. */
void ping_pong(unsigned int seconds)
{
	struct player player = { .memory = memory_alloc(LENGTH, false) };
	time_t end = time(NULL) + seconds;
	struct peerlab_client_state state;
	uint8_t buffer[PIECE];
	pthread_t thread;
	unsigned int i;
	int ret;

	pattern_fill(player.memory, 0, LENGTH, 35);
	REQUIRE(!pthread_create(&thread, NULL, play, &player), "pthread_create");
	ret = client_map(client_fd, player.memory, LENGTH, MAP_READ, NULL, NULL);
	EXPECT(!ret, "map: %s", strerror(-ret));
	for (i = 0; !ret && time(NULL) <= end; i++) {
		size_t offset = i % PAGES * PAGE + i % 2 * PIECE;

		ret = client_dma(client_fd, offset, PIECE, buffer,
				 PEERLAB_DMA_REFAULT);
		EXPECT(!ret, "transfer %u: %s", i, strerror(-ret));
		if (!ret)
			pattern_expect(buffer, offset, PIECE, 35, "DMA");
	}
	atomic_store(&player.stop, true);
	pthread_join(thread, NULL);
	state = client_state(client_fd);
	ktap_note("%u transfers, %lu rounds, %llu invalidations of %llu pages", i,
		  atomic_load(&player.rounds), state.invalidations,
		  state.invalidated);
	EXPECT(state.invalidations > 0, "nothing was taken away in all that");
	client_unmap(client_fd);
	pattern_expect(player.memory, 0, LENGTH, 35, "CPU");
}

void f35_ping_pong(void)
{
	ping_pong(PING_PONG_SECONDS);
}
