// SPDX-License-Identifier: GPL-2.0
/* Through which page of the BAR a device private page can be reached. */
#include <linux/kernel.h>
#include <linux/mm.h>

#include "fault.h"
#include "provider.h"

#ifdef PEERLAB_DMA_ALIAS
/* Is the entry locked by which the page at @address is mapped, large or small? */
static bool entry_locked(struct mm_struct *mm, unsigned long address)
{
	p4d_t *p4d = p4d_offset(pgd_offset(mm, address), address);
	pud_t *pud;
	pmd_t *pmd;

	if (p4d_none(*p4d) || pud_none(*(pud = pud_offset(p4d, address))))
		return false;
	pmd = pmd_offset(pud, address);
	/* A device private huge page is an entry that is not present. */
	if (!pmd_present(*pmd))
		return spin_is_locked(pmd_lockptr(mm, pmd));
	return spin_is_locked(pte_lockptr(mm, pmd));
}

/* The entry holds the page only while it is locked. */
static void watch_the_lock(struct provider *prov)
{
	u64 watch = READ_ONCE(prov->behaviour.watch);

	if (!watch || !current->mm)
		return;
	if (entry_locked(current->mm, watch))
		atomic64_inc(&prov->alias_watched);
	else
		atomic64_inc(&prov->alias_unlocked);
}

/* An answer that core must not believe. */
static void lie(struct page *page, u32 which, unsigned long *pfn,
		unsigned int *nr)
{
	if (which == PEERLAB_BEHAVE_LIE_NO_PAGES)
		*nr = 0;
	else if (which == PEERLAB_BEHAVE_LIE_MORE_PAGES)
		(*nr)++;
	else if (which == PEERLAB_BEHAVE_LIE_NO_MEMORY)
		*pfn = PHYS_PFN(BIT_ULL(MAX_POSSIBLE_PHYSMEM_BITS));
	else if (which == PEERLAB_BEHAVE_LIE_PRIVATE)
		*pfn = page_to_pfn(page);
}

/**
 * provider_peer_page() - the operation, see struct dev_pagemap_ops
 * @page: of the provider, held by its locked entry
 * @pfn: filled in
 * @nr: lowered to what is contiguous, and to what behaviour says
 *
 * Return: 0 or the -errno of behaviour.
 */
int provider_peer_page(struct page *page, unsigned long *pfn, unsigned int *nr)
{
	struct provider *prov = page_provider(page);
	const struct peerlab_behaviour *behaviour = &prov->behaviour;
	u32 refuse_errno = READ_ONCE(behaviour->refuse_errno);
	u32 run_pages = READ_ONCE(behaviour->run_pages);
	u32 flags = READ_ONCE(behaviour->flags);
	u64 first = READ_ONCE(behaviour->refuse_first);
	u64 count = READ_ONCE(behaviour->refuse_count);
	unsigned long index = provider_bar_index(prov, page_index(prov, page));

	watch_the_lock(prov);
	if (flags & PEERLAB_BEHAVE_MIGHT_SLEEP)
		might_sleep();
	if (flags & PEERLAB_BEHAVE_LOOK_AT_HOLD &&
	    !folio_ref_count(page_folio(page)))
		atomic64_inc(&prov->alias_unheld);
	if (!refuse_errno && fault_here())
		refuse_errno = EIO;
	if (refuse_errno && (!count || index - first < count)) {
		atomic64_inc(&prov->alias_refused);
		return -(int)refuse_errno;
	}
	atomic64_inc(&prov->alias_calls);
	if (run_pages)
		*nr = min_t(u32, *nr, run_pages - (index & (run_pages - 1)));
	if (refuse_errno && index < first)
		*nr = min_t(u64, *nr, first - index);
	*nr = min_t(u64, *nr, prov->npages - index);
	*pfn = prov->bar_pfn + index;
	lie(page, flags & PEERLAB_BEHAVE_LIE, pfn, nr);
	return 0;
}
#endif
