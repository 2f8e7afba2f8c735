// SPDX-License-Identifier: GPL-2.0
/* The arena, its shadow, and the comparison of the two. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "soak.h"

#define LOOKS		40	/* pages that others move meanwhile */
#define LOOK_PAUSE_US	2000

uint64_t soak_random(struct soak *soak, uint64_t limit)
{
	soak->random ^= soak->random << 13;
	soak->random ^= soak->random >> 7;
	soak->random ^= soak->random << 17;
	return (soak->random * 0x9e3779b97f4a7c15ull >> 32) % limit;
}

void soak_say(struct soak *soak, const char *format, ...)
{
	char *line = soak->trace[soak->step % TRACE_STEPS];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(soak->trace[0]), format, args);
	va_end(args);
	if (soak->verbose)
		ktap_note("step %lu: %s", soak->step, line);
}

static void print_trace(const struct soak *soak)
{
	unsigned long step = soak->step < TRACE_STEPS ? 1 :
			     soak->step - TRACE_STEPS + 1;

	for (; !soak->verbose && step <= soak->step; step++)
		ktap_note("step %lu: %s", step, soak->trace[step % TRACE_STEPS]);
	ktap_note("again with: p2p_soak --seed %lu --replay-to %lu", soak->seed,
		  soak->step);
}

void soak_see_bar(struct soak *soak)
{
	size_t length = provider_info.pages * PAGE;
	char address[32], path[96];
	void *bar;
	int fd;

	if (soak->bar)
		munmap((void *)soak->bar, length);
	soak->bar = NULL;
	pci_address_of("peerlab_provider0", address, sizeof(address));
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource2", address);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	bar = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (bar != MAP_FAILED)
		soak->bar = bar;
}

void soak_open(struct soak *soak, uint64_t seed)
{
	unsigned int i;

	memset(soak, 0, sizeof(*soak));
	soak->seed = seed;
	soak->random = seed * 0x9e3779b97f4a7c15ull | 1;
	for (i = 0; i < PLOTS; i++) {
		struct plot *plot = &soak->plots[i];
		bool huge = i == PLOTS - 1;

		plot->pages = huge ? HUGE_PAGES : SMALL_PAGES;
		plot->memory = memory_alloc(plot->pages * PAGE, huge);
		plot->spare = memory_alloc(plot->pages * PAGE, huge);
		plot->shadow = malloc(plot->pages * PAGE);
		REQUIRE(plot->shadow, "no memory");
		pattern_make(plot->shadow, 0, plot->pages * PAGE, seed + i);
		memcpy(plot->memory, plot->shadow, plot->pages * PAGE);
	}
	for (i = 0; i < MAPPINGS; i++) {
		soak->fds[i] = client_open();
		soak->mapped[i] = -1;
	}
	soak_see_bar(soak);
	if (!soak->bar)
		ktap_note("the BAR cannot be looked at: device pages are compared by DMA only");
}

/* Everybody compares what they have by CPU, which brings all of it back. */
void soak_close(struct soak *soak)
{
	unsigned int i;

	for (i = 0; i < CHILDREN; i++)
		if (soak->alive[i])
			release_child(&soak->children[i]);
	for (i = 0; i < MAPPINGS; i++)
		close(soak->fds[i]);
	for (i = 0; i < PLOTS; i++) {
		struct plot *plot = &soak->plots[i];
		size_t length = plot->pages * PAGE;

		EXPECT(!memcmp(plot->memory, plot->shadow, length),
		       "plot %u differs at the end", i);
		proof->bytes_compared += length;
		munmap(plot->memory, length);
		munmap(plot->spare, length);
		free(plot->shadow);
	}
	if (soak->bar)
		munmap((void *)soak->bar, provider_info.pages * PAGE);
}

/* The first page that differs from the shadow, or plot->pages. */
static size_t differs(const struct soak *soak, const struct plot *plot,
		      const struct peerlab_own_page *own)
{
	size_t i;

	for (i = 0; i < plot->pages; i++) {
		const uint8_t *data = plot->memory + i * PAGE;

		if (own[i].offset != ~0ull) {
			if (!soak->bar)
				continue;
			data = soak->bar + own[i].offset;
		}
		if (memcmp(data, plot->shadow + i * PAGE, PAGE))
			break;
	}
	return i;
}

static bool compare_plot(struct soak *soak, unsigned int number)
{
	static struct peerlab_own_page own[MAX_PAGES];
	const struct plot *plot = &soak->plots[number];
	size_t wrong = 0, byte = 0;
	int look;

	/* A page may move between being found and being looked at. */
	for (look = 0; look < LOOKS; look++) {
		provider_snapshot(plot->memory, plot->pages * PAGE, own);
		wrong = differs(soak, plot, own);
		if (wrong == plot->pages) {
			proof->bytes_compared += plot->pages * PAGE;
			return true;
		}
		usleep(LOOK_PAUSE_US);
	}
	if (own[wrong].offset == ~0ull)
		while (byte < PAGE && plot->memory[wrong * PAGE + byte] ==
		       plot->shadow[wrong * PAGE + byte])
			byte++;
	EXPECT(0, "step %lu: plot %u, page %zu %s, differs from what was written (byte %zu)",
	       soak->step, number, wrong,
	       own[wrong].offset == ~0ull ? "in RAM" : "on the device", byte);
	return false;
}

/* The address the client has for a page that is at @offset of the BAR. */
static bool alias_is_right(const struct peerlab_client_page *page,
			   const struct peerlab_own_page *own)
{
	if (page->kind != PEERLAB_KIND_ALIAS || page->dma == ~0ull)
		return true;
	if (own->offset == ~0ull)
		return false;
	if (page->map == PEERLAB_MAP_BUS_ADDR)
		return page->dma == provider_info.bar_bus + own->offset;
	/* An IOVA says nothing about where it leads; untranslated it does. */
	return page->dma == provider_info.bar_phys + own->offset ||
	       page->dma < provider_info.bar_phys ||
	       page->dma >= provider_info.bar_phys + provider_info.pages * PAGE;
}

/* No client may have the address of a page that is not there any more. */
static bool compare_mapping(struct soak *soak, unsigned int number)
{
	static struct peerlab_client_page pages[MAX_PAGES];
	static struct peerlab_own_page own[MAX_PAGES];
	const struct plot *plot;
	size_t count, i = 0;
	int look;

	if (soak->mapped[number] < 0)
		return true;
	plot = &soak->plots[soak->mapped[number]];
	for (look = 0; look < LOOKS; look++) {
		provider_snapshot(plot->memory, plot->pages * PAGE, own);
		count = client_describe(soak->fds[number], pages, MAX_PAGES);
		for (i = 0; i < count && i < plot->pages; i++)
			if (!alias_is_right(&pages[i], &own[i]))
				break;
		if (i >= count || i >= plot->pages)
			return true;
		usleep(LOOK_PAUSE_US);
	}
	EXPECT(0, "step %lu: mapping %u has a stale alias of page %zu of plot %d: 0x%llx, and it is at 0x%llx of the BAR",
	       soak->step, number, i, soak->mapped[number], pages[i].dma,
	       own[i].offset);
	return false;
}

bool soak_compare(struct soak *soak)
{
	bool ok = true;
	unsigned int i;

	for (i = 0; ok && i < PLOTS; i++)
		ok = compare_plot(soak, i);
	for (i = 0; ok && i < MAPPINGS; i++)
		ok = compare_mapping(soak, i);
	if (!ok)
		print_trace(soak);
	return ok;
}
