/* SPDX-License-Identifier: GPL-2.0 */
/* hmm_range_fault_unlocked_timeout(), which Linux 7.2 does not have. */
#ifndef PEERLAB_FAULTING_H
#define PEERLAB_FAULTING_H

#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/signal.h>

/* @timeout: jiffies for as long as invalidations overtake the walk. */
static inline int fault_range(struct hmm_range *range, unsigned long timeout)
{
#ifdef PEERLAB_FAULT_UNLOCKED
	return hmm_range_fault_unlocked_timeout(range, timeout);
#else
	struct mm_struct *mm = range->notifier->mm;
	unsigned long end = jiffies + timeout;
	int ret;

	do {
		range->notifier_seq = mmu_interval_read_begin(range->notifier);
		mmap_read_lock(mm);
		ret = hmm_range_fault(range);
		mmap_read_unlock(mm);
	} while (ret == -EBUSY && time_before(jiffies, end) &&
		 !fatal_signal_pending(current));
	return ret;
#endif
}

#endif /* PEERLAB_FAULTING_H */
