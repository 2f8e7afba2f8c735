/* SPDX-License-Identifier: GPL-2.0 */
/* Which devices a module takes, and the number of each. */
#ifndef CHOSEN_H
#define CHOSEN_H

#include <linux/idr.h>
#include <linux/moduleparam.h>
#include <linux/pci.h>
#include <linux/string.h>

#define CHOSEN_MAX	32

static char *chosen[CHOSEN_MAX];
static int chosen_count;
module_param_array_named(devices, chosen, charp, &chosen_count, 0444);
MODULE_PARM_DESC(devices,
		 "PCI addresses of the devices to take, in the order of their numbers; others are left alone (default: all)");

/* The place of @pdev in the list, -1 if it is not to be taken. */
static inline int chosen_place(struct pci_dev *pdev)
{
	int i;

	for (i = 0; i < chosen_count; i++)
		if (!strcmp(chosen[i], pci_name(pdev)))
			return i;
	return chosen_count ? -1 : 0;
}

/* The number of a device that is taken, from @ids; or -errno. */
static inline int chosen_number(struct pci_dev *pdev, struct ida *ids)
{
	int place = chosen_place(pdev);

	if (!chosen_count)
		return ida_alloc(ids, GFP_KERNEL);
	return place < 0 ? -ENODEV :
			   ida_alloc_range(ids, place, place, GFP_KERNEL);
}

#endif /* CHOSEN_H */
