// SPDX-License-Identifier: GPL-2.0
/* What a step may be.  Each does to the shadow what it does to the memory. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "soak.h"
#include "tests.h"

#define MAX_DMA_BYTES	512ul

/* A random piece of a random plot, at most @most pages. */
struct piece {
	unsigned int number;
	struct plot *plot;
	size_t first;
	size_t count;
	uint8_t *memory;
	uint8_t *shadow;
};

static struct piece choose(struct soak *soak, size_t most)
{
	struct piece piece = { .number = soak_random(soak, PLOTS) };

	piece.plot = &soak->plots[piece.number];
	piece.first = soak_random(soak, piece.plot->pages);
	piece.count = 1 + soak_random(soak, piece.plot->pages - piece.first);
	if (piece.count > most)
		piece.count = 1 + soak_random(soak, most);
	piece.memory = piece.plot->memory + piece.first * PAGE;
	piece.shadow = piece.plot->shadow + piece.first * PAGE;
	return piece;
}

#define SAY(soak, what, piece)						\
	soak_say(soak, "%s plot %u pages %zu+%zu", what, (piece).number,	\
		 (piece).first, (piece).count)

/* A mapping of a plot is of its address: it ends when the plot moves. */
static void forget_mappings(struct soak *soak, unsigned int number)
{
	unsigned int i;

	for (i = 0; i < MAPPINGS; i++)
		if (soak->mapped[i] == (int)number) {
			client_unmap(soak->fds[i]);
			soak->mapped[i] = -1;
		}
}

static void step_migrate_in(struct soak *soak)
{
	struct piece piece = choose(soak, MAX_PAGES);
	bool huge = soak_random(soak, 2);

	SAY(soak, huge ? "migrate in, huge," : "migrate in", piece);
	migrate_in(piece.memory, piece.count * PAGE, huge, NULL);
}

static void step_migrate_in_whole(struct soak *soak)
{
	unsigned int number = soak_random(soak, PLOTS);
	struct plot *plot = &soak->plots[number];

	soak_say(soak, "migrate in all of plot %u", number);
	migrate_in(plot->memory, plot->pages * PAGE, true, NULL);
}

static void step_migrate_out(struct soak *soak)
{
	struct piece piece = choose(soak, MAX_PAGES);

	SAY(soak, "migrate out", piece);
	migrate_out(piece.memory, piece.count * PAGE, soak_random(soak, 2));
}

static void step_cpu_write(struct soak *soak)
{
	struct piece piece = choose(soak, 8);
	uint64_t seed = soak_random(soak, 1 << 30);

	SAY(soak, "CPU write", piece);
	pattern_make(piece.shadow, 0, piece.count * PAGE, seed);
	memcpy(piece.memory, piece.shadow, piece.count * PAGE);
}

static void step_cpu_read(struct soak *soak)
{
	struct piece piece = choose(soak, 8);

	SAY(soak, "CPU read", piece);
	EXPECT(!memcmp(piece.memory, piece.shadow, piece.count * PAGE),
	       "step %lu: the CPU reads something else", soak->step);
}

static void step_map(struct soak *soak)
{
	unsigned int which = soak_random(soak, MAPPINGS);
	unsigned int number = soak_random(soak, PLOTS);
	unsigned int flags = soak_random(soak, 8) ? MAP_READ : 0;
	struct plot *plot = &soak->plots[number];
	int ret;

	if (!soak_random(soak, 3))
		flags |= PEERLAB_MAP_WRITE;
	/* Else one page that was touched brings back all those behind it. */
	if (soak_random(soak, 2))
		migrate_in(plot->memory, plot->pages * PAGE, false, NULL);
	soak_say(soak, "map %u: plot %u, flags %u", which, number, flags);
	ret = client_map(soak->fds[which], plot->memory, plot->pages * PAGE,
			 flags, NULL, NULL);
	EXPECT(!ret, "step %lu: map: %s", soak->step, strerror(-ret));
	soak->mapped[which] = ret ? -1 : (int)number;
}

static void step_unmap(struct soak *soak)
{
	unsigned int which = soak_random(soak, MAPPINGS);

	soak_say(soak, "unmap %u", which);
	client_unmap(soak->fds[which]);
	soak->mapped[which] = -1;
}

/* Between the client and a place that may cross from one page to the next. */
static void step_dma(struct soak *soak)
{
	unsigned int which = soak_random(soak, MAPPINGS);
	bool to_memory = soak_random(soak, 2);
	size_t length = 1 + soak_random(soak, MAX_DMA_BYTES);
	uint64_t seed = soak_random(soak, 1 << 30);
	uint64_t place = soak_random(soak, 1 << 30);
	uint8_t data[MAX_DMA_BYTES];
	struct plot *plot;
	size_t offset;
	int ret;

	if (soak->mapped[which] < 0) {
		soak_say(soak, "DMA %u: not mapped", which);
		return;
	}
	plot = &soak->plots[soak->mapped[which]];
	offset = place % (plot->pages * PAGE - length);
	soak_say(soak, "DMA %u %s plot %d, %zu+%zu", which,
		 to_memory ? "to" : "from", soak->mapped[which], offset, length);
	if (to_memory)
		pattern_make(data, offset, length, seed);
	ret = client_dma(soak->fds[which], offset, length, data,
			 PEERLAB_DMA_REFAULT |
			 (to_memory ? PEERLAB_DMA_TO_MEMORY : 0));
	EXPECT(!ret, "step %lu: DMA: %s", soak->step, strerror(-ret));
	if (ret)
		return;
	proof->bytes_compared += length;
	if (to_memory)
		memcpy(plot->shadow + offset, data, length);
	else
		EXPECT(!memcmp(data, plot->shadow + offset, length),
		       "step %lu: DMA reads something else", soak->step);
}

/* In a child, of which everything here is a copy of back then. */
static void compare_as_child(void *arg)
{
	struct soak *soak = arg;
	unsigned int i;

	for (i = 0; i < PLOTS; i++) {
		struct plot *plot = &soak->plots[i];

		EXPECT(!memcmp(plot->memory, plot->shadow, plot->pages * PAGE),
		       "step %lu: plot %u of the child has changed", soak->step, i);
		/* Nobody else may see this. */
		memset(plot->memory + plot->pages / 3 * PAGE, 0xdb, 2 * PAGE);
	}
}

static void step_fork(struct soak *soak)
{
	unsigned int which = soak_random(soak, CHILDREN);

	soak_say(soak, "%s child %u", soak->alive[which] ? "end" : "fork", which);
	if (soak->alive[which])
		release_child(&soak->children[which]);
	else
		soak->children[which] = fork_child(compare_as_child, soak);
	soak->alive[which] = !soak->alive[which];
}

static void step_mremap(struct soak *soak)
{
	unsigned int number = soak_random(soak, PLOTS);
	struct plot *plot = &soak->plots[number];
	size_t length = plot->pages * PAGE;
	uint8_t *moved;

	soak_say(soak, "mremap plot %u", number);
	moved = mremap(plot->memory, length, length,
		       MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
		       plot->spare);
	REQUIRE(moved == plot->spare, "step %lu: mremap: %m", soak->step);
	plot->spare = plot->memory;
	plot->memory = moved;
	/* Before they are told to: nothing may be left of the old place. */
	forget_mappings(soak, number);
}

static void step_munmap(struct soak *soak)
{
	struct piece piece = choose(soak, 6);
	void *fresh;

	SAY(soak, "munmap and mmap", piece);
	REQUIRE(!munmap(piece.memory, piece.count * PAGE), "munmap: %m");
	fresh = mmap(piece.memory, piece.count * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
		     0);
	REQUIRE(fresh == piece.memory, "mmap: %m");
	memset(piece.shadow, 0, piece.count * PAGE);
}

static void step_dontneed(struct soak *soak)
{
	struct piece piece = choose(soak, 6);

	SAY(soak, "MADV_DONTNEED", piece);
	REQUIRE(!madvise(piece.memory, piece.count * PAGE, MADV_DONTNEED),
		"madvise: %m");
	memset(piece.shadow, 0, piece.count * PAGE);
}

/* Read-only for a moment: reading works, writing does not, and it comes back. */
static void step_mprotect(struct soak *soak)
{
	struct piece piece = choose(soak, 16);
	int fd = soak->fds[0], ret;

	SAY(soak, "mprotect", piece);
	REQUIRE(!mprotect(piece.memory, piece.count * PAGE, PROT_READ),
		"mprotect: %m");
	soak->mapped[0] = -1;
	ret = client_map(fd, piece.memory, piece.count * PAGE, MAP_READ, NULL,
			 NULL);
	EXPECT(!ret, "step %lu: map for reading: %s", soak->step, strerror(-ret));
	ret = client_map(fd, piece.memory, piece.count * PAGE, MAP_WRITE, NULL,
			 NULL);
	EXPECT(ret == -EPERM || ret == -EFAULT,
	       "step %lu: map read-only memory for writing: %s", soak->step,
	       ret ? strerror(-ret) : "done");
	client_unmap(fd);
	REQUIRE(!mprotect(piece.memory, piece.count * PAGE,
			  PROT_READ | PROT_WRITE), "mprotect: %m");
}

static void step_behave(struct soak *soak)
{
	static const unsigned int errors[] = { 0, 0, 0, EBUSY, EOPNOTSUPP };
	unsigned int error = errors[soak_random(soak, 5)];
	unsigned int run = soak_random(soak, 3) ? 0 : 1u << soak_random(soak, 8);
	uint64_t first = soak_random(soak, 2000);

	if (soak_random(soak, 3) == 0) {
		soak_say(soak, "refuse device pages %lu+100", first);
		provider_refuse_window(first * PAGE, 100);
	} else {
		soak_say(soak, "refuse with %u, runs of %u", error, run);
		provider_behave(error, run);
	}
}

static void step_huge(struct soak *soak)
{
	unsigned int number = soak_random(soak, PLOTS);
	struct plot *plot = &soak->plots[number];
	bool huge = soak_random(soak, 2);

	soak_say(soak, "plot %u: %s huge pages", number, huge ? "allow" : "forbid");
	madvise(plot->memory, plot->pages * PAGE,
		huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

static void step_rebind(struct soak *soak)
{
	char address[32];

	soak_say(soak, "unbind and bind the provider");
	pci_address_of("peerlab_provider0", address, sizeof(address));
	rig_close_provider();
	write_file(PROVIDER_DRIVER "unbind", address);
	write_file(PROVIDER_DRIVER "bind", address);
	rig_reopen_provider();
	soak_see_bar(soak);
}

static const struct {
	const char *name;
	unsigned int weight;
	void (*run)(struct soak *soak);
} steps[] = {
	{ "migrate in", 20, step_migrate_in },
	{ "migrate in all", 20, step_migrate_in_whole },
	{ "migrate out", 8, step_migrate_out },
	{ "CPU write", 6, step_cpu_write },
	{ "CPU read", 4, step_cpu_read },
	{ "map", 24, step_map },
	{ "unmap", 4, step_unmap },
	{ "DMA", 6, step_dma },
	{ "fork", 4, step_fork },
	{ "mremap", 4, step_mremap },
	{ "munmap", 3, step_munmap },
	{ "dontneed", 2, step_dontneed },
	{ "mprotect", 4, step_mprotect },
	{ "behave", 4, step_behave },
	{ "huge", 2, step_huge },
	{ "rebind", 1, step_rebind },
};

#define STEPS	(sizeof(steps) / sizeof(steps[0]))

void soak_step(struct soak *soak)
{
	unsigned int i, sum = 0, pick;

	for (i = 0; i < STEPS; i++)
		sum += steps[i].weight;
	pick = soak_random(soak, sum);
	for (i = 0; pick >= steps[i].weight; i++)
		pick -= steps[i].weight;
	soak->step++;
	soak->done[i]++;
	steps[i].run(soak);
}

void soak_count_steps(const struct soak *soak)
{
	char line[512];
	size_t length = 0;
	unsigned int i;

	for (i = 0; i < STEPS; i++)
		length += snprintf(line + length, sizeof(line) - length, "%s%s %lu",
				   i ? ", " : "", steps[i].name, soak->done[i]);
	ktap_note("%lu steps: %s", soak->step, line);
}
