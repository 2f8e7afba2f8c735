/* SPDX-License-Identifier: GPL-2.0 */
/* Sizes of pages on x86-64, in bytes where nothing else is said. */
#ifndef PAGES_H
#define PAGES_H

#define PAGE		4096ul
#define HUGE		(2ul << 20)
#define HUGE_PAGES	(HUGE / PAGE)
#define HUGE_ORDER	9u

#endif
