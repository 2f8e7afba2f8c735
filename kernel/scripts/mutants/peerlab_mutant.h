/* SPDX-License-Identifier: GPL-2.0 */
/* Which of the mutants that this kernel carries is the chosen one. */
#ifndef _LINUX_PEERLAB_MUTANT_H
#define _LINUX_PEERLAB_MUTANT_H

extern unsigned int peerlab_mutant;
extern unsigned char peerlab_mutants_reached[];

/* Usable in any context: no lock, no instrumentation, no call. */
static inline __attribute__((__always_inline__)) int peerlab_mutant_is(unsigned int number)
{
	volatile unsigned char *reached = &peerlab_mutants_reached[number];

	if (!*reached)
		*reached = 1;
	return __builtin_expect(*(volatile unsigned int *)&peerlab_mutant == number, 0);
}

#endif
