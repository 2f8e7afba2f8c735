// SPDX-License-Identifier: GPL-2.0
/* The device node of the provider: what a test asks of it. */
#include <linux/fs.h>
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/pci-p2pdma.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "faulting.h"
#include "provider.h"

#define MAX_REQUEST_BYTES	SZ_1G
#define SNAPSHOT_TIMEOUT	(10 * HZ)

static int check_request(u64 address, u64 length)
{
	if (!length || length > MAX_REQUEST_BYTES)
		return -EINVAL;
	if (!PAGE_ALIGNED(address) || !PAGE_ALIGNED(length))
		return -EINVAL;
	return address + length < address ? -EINVAL : 0;
}

static long provider_ioctl_migrate(struct provider *prov, bool in,
				   struct peerlab_migrate __user *arg)
{
	struct peerlab_migrate req;
	unsigned long npages;
	u64 *offsets = NULL;
	int ret;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	ret = check_request(req.address, req.length);
	if (ret)
		return ret;
	npages = req.length >> PAGE_SHIFT;
	if (in && req.offsets) {
		offsets = kvmalloc_array(npages, sizeof(*offsets), GFP_KERNEL);
		if (!offsets)
			return -ENOMEM;
		memset(offsets, 0xff, npages * sizeof(*offsets));
	}
	ret = provider_migrate(prov, in, &req, offsets);
	if (!ret && offsets &&
	    copy_to_user(u64_to_user_ptr(req.offsets), offsets,
			 npages * sizeof(*offsets)))
		ret = -EFAULT;
	kvfree(offsets);
	if (copy_to_user(arg, &req, sizeof(req)))
		return -EFAULT;
	return ret;
}

static bool snapshot_invalidate(struct mmu_interval_notifier *notifier,
				const struct mmu_notifier_range *range,
				unsigned long seq)
{
	/* Nothing outlives the call, the sequence number is all it takes. */
	mmu_interval_set_seq(notifier, seq);
	return true;
}

static const struct mmu_interval_notifier_ops snapshot_ops = {
	.invalidate = snapshot_invalidate,
};

static void describe_own_page(struct provider *prov, unsigned long hmm_pfn,
			      struct peerlab_own_page *out)
{
	unsigned long index;

	*out = (struct peerlab_own_page){ .offset = ~0ULL };
	if (!(hmm_pfn & HMM_PFN_VALID))
		return;
	out->order = hmm_pfn_to_map_order(hmm_pfn);
	if (hmm_pfn & HMM_PFN_WRITE)
		out->flags |= PEERLAB_PAGE_WRITE;
#ifdef PEERLAB_DMA_ALIAS
	if (hmm_pfn & HMM_PFN_DEVICE_PRIVATE)
		out->flags |= PEERLAB_PAGE_DEVICE_PRIVATE;
	if (hmm_pfn & HMM_PFN_PEER_PAGE)
		out->flags |= PEERLAB_PAGE_DMA_ALIAS;
#endif
	index = page_to_pfn(hmm_pfn_to_page(hmm_pfn)) - prov->private_pfn;
	if (index < prov->npages)
		out->offset = (u64)provider_bar_index(prov, index) << PAGE_SHIFT;
}

static long provider_ioctl_snapshot(struct provider *prov,
				    struct peerlab_snapshot __user *arg)
{
	struct mmu_interval_notifier notifier = {};
	struct peerlab_own_page *pages = NULL;
	struct peerlab_snapshot req;
	struct hmm_range range = {
		.notifier = &notifier,
		.dev_private_owner = prov,
	};
	unsigned long npages, i;
	u64 begin;
	int ret;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	ret = check_request(req.address, req.length);
	if (ret)
		return ret;
#ifdef PEERLAB_DMA_ALIAS
	if (req.flags & PEERLAB_SNAPSHOT_DMA_DEV)
		range.dma_dev = &prov->pdev->dev;
#else
	if (req.flags & PEERLAB_SNAPSHOT_DMA_DEV)
		return -EOPNOTSUPP;
#endif
	if (req.flags & PEERLAB_SNAPSHOT_WRITE)
		range.default_flags = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
	npages = req.length >> PAGE_SHIFT;
	range.start = req.address;
	range.end = req.address + req.length;
	range.hmm_pfns = kvcalloc(npages, sizeof(*range.hmm_pfns), GFP_KERNEL);
	pages = kvcalloc(npages, sizeof(*pages), GFP_KERNEL);
	ret = -ENOMEM;
	if (!range.hmm_pfns || !pages)
		goto out;
	ret = mmu_interval_notifier_insert(&notifier, current->mm, range.start,
					   req.length, &snapshot_ops);
	if (ret)
		goto out;
	begin = ktime_get_ns();
	ret = fault_range(&range, SNAPSHOT_TIMEOUT);
	req.ns = ktime_get_ns() - begin;
	mmu_interval_notifier_remove(&notifier);
	if (ret)
		goto out;
	for (i = 0; i < npages; i++)
		describe_own_page(prov, range.hmm_pfns[i], &pages[i]);
	if (copy_to_user(u64_to_user_ptr(req.pages), pages,
			 npages * sizeof(*pages)) ||
	    copy_to_user(arg, &req, sizeof(req)))
		ret = -EFAULT;
out:
	kvfree(range.hmm_pfns);
	kvfree(pages);
	return ret;
}

static long provider_ioctl_map_own(struct provider *prov, void __user *arg)
{
	struct mmu_interval_notifier notifier = {};
	unsigned long pfn = 0;
	struct hmm_range range = {
		.notifier = &notifier,
		.dev_private_owner = prov,
		.hmm_pfns = &pfn,
	};
	u64 address;
	int ret;

	if (copy_from_user(&address, arg, sizeof(address)))
		return -EFAULT;
	ret = check_request(address, PAGE_SIZE);
	if (ret)
		return ret;
	range.start = address;
	range.end = address + PAGE_SIZE;
	ret = mmu_interval_notifier_insert(&notifier, current->mm, address,
					   PAGE_SIZE, &snapshot_ops);
	if (ret)
		return ret;
	ret = fault_range(&range, SNAPSHOT_TIMEOUT);
	mmu_interval_notifier_remove(&notifier);
	if (ret)
		return ret;
	if (!(pfn & HMM_PFN_VALID) ||
	    !is_device_private_page(hmm_pfn_to_page(pfn)))
		return -EINVAL;
	return provider_map_own(prov, pfn);
}

static long provider_ioctl_info(struct provider *prov, void __user *arg)
{
	struct peerlab_provider_info info = {
		.pages = prov->npages,
		.bar_phys = PFN_PHYS(prov->bar_pfn),
		.bar_bus = pci_bus_address(prov->pdev, PROVIDER_BAR),
		.private_phys = PFN_PHYS(prov->private_pfn),
		.pci_address = pci_domain_nr(prov->pdev->bus) << 16 |
			       pci_dev_id(prov->pdev),
	};

#ifdef PEERLAB_DMA_ALIAS
	info.features |= PEERLAB_FEATURE_DMA_ALIAS;
#endif
	if (IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP))
		info.features |= PEERLAB_FEATURE_ATOMIC_SLEEP;
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long provider_ioctl_counters(struct provider *prov, void __user *arg)
{
	struct peerlab_provider_counters counters = {
		.pages_in = atomic64_read(&prov->pages_in),
		.pages_out = atomic64_read(&prov->pages_out),
		.cpu_faults = atomic64_read(&prov->cpu_faults),
		.alias_calls = atomic64_read(&prov->alias_calls),
		.alias_refused = atomic64_read(&prov->alias_refused),
		.alias_unlocked = atomic64_read(&prov->alias_unlocked),
		.alias_watched = atomic64_read(&prov->alias_watched),
		.alias_unheld = atomic64_read(&prov->alias_unheld),
		.used = bitmap_weight(prov->used_map, prov->npages),
	};

	return copy_to_user(arg, &counters, sizeof(counters)) ? -EFAULT : 0;
}

static long provider_ioctl_behave(struct provider *prov, void __user *arg)
{
	struct peerlab_behaviour behaviour;

	if (copy_from_user(&behaviour, arg, sizeof(behaviour)))
		return -EFAULT;
	if (behaviour.refuse_errno > MAX_ERRNO ||
	    behaviour.shift_pages >= prov->npages)
		return -EINVAL;
	if (behaviour.run_pages && !is_power_of_2(behaviour.run_pages))
		return -EINVAL;
	if (behaviour.shift_pages != prov->behaviour.shift_pages) {
		/* Data would be somewhere else from one moment to the next. */
		if (!bitmap_empty(prov->used_map, prov->npages))
			return -EBUSY;
		WRITE_ONCE(prov->behaviour.shift_pages, behaviour.shift_pages);
	}
	/* The window before the errno that makes it count. */
	WRITE_ONCE(prov->behaviour.refuse_errno, 0);
	WRITE_ONCE(prov->behaviour.refuse_first, behaviour.refuse_first);
	WRITE_ONCE(prov->behaviour.refuse_count, behaviour.refuse_count);
	WRITE_ONCE(prov->behaviour.run_pages, behaviour.run_pages);
	atomic_set(&prov->busy_left, BUSY_FAULTS);
	WRITE_ONCE(prov->behaviour.flags, behaviour.flags);
	WRITE_ONCE(prov->behaviour.watch, behaviour.watch);
	WRITE_ONCE(prov->behaviour.refuse_errno, behaviour.refuse_errno);
	WRITE_ONCE(prov->pgmap.ops, behaviour.flags & PEERLAB_BEHAVE_NO_OP ?
				    &provider_pgmap_ops_no_alias :
				    &provider_pgmap_ops);
	return 0;
}

static long provider_ioctl_inspect(struct provider *prov, void __user *arg)
{
	struct peerlab_inspection inspection;

	provider_inspect(prov, &inspection);
	return copy_to_user(arg, &inspection, sizeof(inspection)) ? -EFAULT : 0;
}

static long provider_ioctl_exclusive(struct provider *prov, void __user *arg)
{
	u64 address;

	if (copy_from_user(&address, arg, sizeof(address)))
		return -EFAULT;
	return provider_make_exclusive(prov, address);
}

static long provider_ioctl_bus_offset(struct provider *prov, void __user *arg)
{
	struct p2pdma_provider *p2pdma;
	u64 offset;

	if (copy_from_user(&offset, arg, sizeof(offset)))
		return -EFAULT;
	p2pdma = pcim_p2pdma_provider(prov->pdev, PROVIDER_BAR);
	if (!p2pdma)
		return -EOPNOTSUPP;
	WRITE_ONCE(p2pdma->bus_offset,
		   pci_bus_address(prov->pdev, PROVIDER_BAR) -
		   pci_resource_start(prov->pdev, PROVIDER_BAR) + offset);
	return 0;
}

static long provider_ioctl(struct file *file, unsigned int cmd,
			   unsigned long arg)
{
	struct provider *prov = file->private_data;
	void __user *user = (void __user *)arg;
	long ret = -ENODEV;

	down_read(&prov->alive);
	if (prov->gone)
		goto out;
	switch (cmd) {
	case PEERLAB_PROVIDER_INFO:
		ret = provider_ioctl_info(prov, user);
		break;
	case PEERLAB_PROVIDER_MIGRATE_IN:
		ret = provider_ioctl_migrate(prov, true, user);
		break;
	case PEERLAB_PROVIDER_MIGRATE_OUT:
		ret = provider_ioctl_migrate(prov, false, user);
		break;
	case PEERLAB_PROVIDER_COUNTERS:
		ret = provider_ioctl_counters(prov, user);
		break;
	case PEERLAB_PROVIDER_BEHAVE:
		ret = provider_ioctl_behave(prov, user);
		break;
	case PEERLAB_PROVIDER_SNAPSHOT:
		ret = provider_ioctl_snapshot(prov, user);
		break;
	case PEERLAB_PROVIDER_INSPECT:
		ret = provider_ioctl_inspect(prov, user);
		break;
	case PEERLAB_PROVIDER_MAP_OWN:
		ret = provider_ioctl_map_own(prov, user);
		break;
	case PEERLAB_PROVIDER_BUS_OFFSET:
		ret = provider_ioctl_bus_offset(prov, user);
		break;
	case PEERLAB_PROVIDER_EXCLUSIVE:
		ret = provider_ioctl_exclusive(prov, user);
		break;
	default:
		ret = -ENOTTY;
	}
out:
	up_read(&prov->alive);
	return ret;
}

static int provider_open(struct inode *inode, struct file *file)
{
	/* misc_open() put the miscdevice here and holds off misc_deregister(). */
	struct provider *prov = container_of(file->private_data,
					     struct provider, misc);

	kref_get(&prov->ref);
	file->private_data = prov;
	return 0;
}

static int provider_close(struct inode *inode, struct file *file)
{
	struct provider *prov = file->private_data;

	provider_put(prov);
	return 0;
}

const struct file_operations provider_fops = {
	.owner = THIS_MODULE,
	.open = provider_open,
	.release = provider_close,
	.unlocked_ioctl = provider_ioctl,
};
