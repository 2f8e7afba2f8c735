/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Places of our own that fail when a test asks for it by fail-nth, counted with
 * the kernel's: what a device may refuse at any time, and what another CPU may
 * change between two steps.  Never on their own.
 */
#ifndef PEERLAB_FAULT_H
#define PEERLAB_FAULT_H

#include <linux/fault-inject.h>

static DECLARE_FAULT_ATTR(peerlab_fault);

/* Any context. */
static inline bool fault_here(void)
{
#ifdef CONFIG_FAULT_INJECTION
	peerlab_fault.verbose = 0;
#endif
	return should_fail(&peerlab_fault, 1);
}

#endif /* PEERLAB_FAULT_H */
