// SPDX-License-Identifier: GPL-2.0
/* Every kind of mutant, in a program that ends whichever is chosen. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define FLAG_READ	1u
#define FLAG_WRITE	2u
#define FLAG_STICKY	4u
#define for_each_cell(i) for ((i) = 0; (i) < 4 && steps++ < 1000; (i)++)

typedef unsigned long long u64;
struct cell { unsigned int flags; int count; };
static struct cell cells[8] = { { FLAG_READ, 1 }, { FLAG_WRITE | FLAG_READ, 2 } };
static int steps, locked, log_length;
static char log_text[64];

static void note(char what)
{
	if (log_length < 60)
		log_text[log_length++] = what;
}

static void lock(void) { locked++; note('L'); }
static void unlock(void) { locked--; note('U'); }

static bool writable(const struct cell *cell)
{
	return cell->flags & FLAG_WRITE;
}

static int take(struct cell *cell, int wanted, int limit)
{
	int err = 0;

	/* if (never) is text: "a < b" */
	if (!cell || wanted < 0)
		return -22;
	if (wanted > limit)
		return -34;

	lock();
	if (writable(cell) && cell->count >= wanted) {
		cell->count -= wanted;
		cell->flags |= FLAG_STICKY;
	} else
		err = -16;
	unlock();
	if (err)
		return err;
	return 0;
}

static u64 address(u64 base, u64 size)
{
	u64 last = base + (size << 2) - 1;

	return last == base ? 0 : last;
}

static int sum(const char *text)
{
	int i, total = 0;

	for_each_cell(i) {
		if (cells[i].count == 0)
			continue;
		total += cells[i].count;
	}
	while (*text && steps < 1000) {
		steps++;
		switch (*text++) {
		case '1':
			total += 1;
			break;
		case '2':
			total += 2;
		}
	}
	return total;
}

int main(void)
{
	static char long_text[2048] = "12\"x1";
	u64 base = 0x180000000ull, size = 0x40000000;

	printf("%d %d %d %d\n", take(NULL, 1, 2), take(cells, 1, 2), take(cells + 1, 3, 2), take(cells + 1, -1, 2));
	printf("%d %d\n", take(cells + 1, 2, 2), take(cells + 1, 1, 2));
	base = address(base, size);
	printf("%llx %llx\n", base, address(5, 0));
	printf("%d\n", sum(long_text));
	for (unsigned int i = 0; i < 2; i++)
		printf("%x %d\n", cells[i].flags, cells[i].count);
	printf("%.60s %d\n", log_text, locked);
	return 0;
}
