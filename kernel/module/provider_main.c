// SPDX-License-Identifier: GPL-2.0
/* The PCI driver and the device node of the provider. */
#include <linux/bitmap.h>
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/hmm.h>
#include <linux/idr.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/pci-p2pdma.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "provider.h"

#define PROVIDER_BAR		2
#define MAX_REQUEST_BYTES	SZ_1G
#define SNAPSHOT_TIMEOUT	(10 * HZ)

static DEFINE_IDA(provider_ids);

static void provider_release_ref(struct kref *ref)
{
	struct provider *prov = container_of(ref, struct provider, ref);

	bitmap_free(prov->used_map);
	kfree(prov);
}

static void provider_drop_ref(void *data)
{
	struct provider *prov = data;

	kref_put(&prov->ref, provider_release_ref);
}

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
	if (hmm_pfn & HMM_PFN_DMA_ALIAS)
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
	ret = hmm_range_fault_unlocked_timeout(&range, SNAPSHOT_TIMEOUT);
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
	ret = hmm_range_fault_unlocked_timeout(&range, SNAPSHOT_TIMEOUT);
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
	if (IS_ENABLED(CONFIG_PROVE_RCU))
		info.features |= PEERLAB_FEATURE_PROVE_RCU;
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
		.alias_outside_rcu = atomic64_read(&prov->alias_outside_rcu),
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
	WRITE_ONCE(prov->behaviour.flags, behaviour.flags);
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

	kref_put(&prov->ref, provider_release_ref);
	return 0;
}

static const struct file_operations provider_fops = {
	.owner = THIS_MODULE,
	.open = provider_open,
	.release = provider_close,
	.unlocked_ioctl = provider_ioctl,
};

/* Both sets of struct pages.  devm undoes them in reverse order. */
static int provider_add_memory(struct provider *prov)
{
	struct pci_dev *pdev = prov->pdev;
	size_t size = pci_resource_len(pdev, PROVIDER_BAR);
	struct resource *res;
	void *addr;
	int ret;

	if (!size)
		return dev_err_probe(&pdev->dev, -ENODEV,
				     "BAR %d is empty\n", PROVIDER_BAR);
	ret = pci_p2pdma_add_resource(pdev, PROVIDER_BAR, 0, 0);
	if (ret)
		return dev_err_probe(&pdev->dev, ret,
				     "cannot register the BAR with p2pdma\n");
	/* The pool must be ours alone: others may allocate from it. */
	prov->bar = pci_alloc_p2pmem(pdev, size);
	if (!prov->bar)
		return dev_err_probe(&pdev->dev, -ENOMEM,
				     "cannot reserve the whole p2p pool\n");
	prov->npages = size >> PAGE_SHIFT;
	prov->bar_pfn = PHYS_PFN(pci_resource_start(pdev, PROVIDER_BAR));

	prov->used_map = bitmap_zalloc(prov->npages, GFP_KERNEL);
	ret = -ENOMEM;
	if (!prov->used_map)
		goto err;
	res = devm_request_free_mem_region(&pdev->dev, &iomem_resource, size);
	ret = PTR_ERR_OR_ZERO(res);
	if (ret)
		goto err;
	prov->pgmap.type = MEMORY_DEVICE_PRIVATE;
	prov->pgmap.range.start = res->start;
	prov->pgmap.range.end = res->end;
	prov->pgmap.nr_range = 1;
	prov->pgmap.ops = &provider_pgmap_ops;
	prov->pgmap.owner = prov;
	addr = devm_memremap_pages(&pdev->dev, &prov->pgmap);
	ret = PTR_ERR_OR_ZERO(addr);
	if (ret)
		goto err;
	prov->private_pfn = PHYS_PFN(res->start);
	return 0;
err:
	pci_free_p2pmem(pdev, prov->bar, size);
	return ret;
}

static int provider_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct provider *prov;
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	pci_set_master(pdev);
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;

	prov = kzalloc_obj(*prov);
	if (!prov)
		return -ENOMEM;
	kref_init(&prov->ref);
	spin_lock_init(&prov->lock);
	init_rwsem(&prov->alive);
	prov->pdev = pdev;

	/* Added before the pagemap, so it is dropped after it. */
	ret = devm_add_action_or_reset(&pdev->dev, provider_drop_ref, prov);
	if (ret)
		return ret;

	ret = ida_alloc(&provider_ids, GFP_KERNEL);
	if (ret < 0)
		return ret;
	prov->id = ret;
	ret = provider_add_memory(prov);
	if (ret)
		goto err_id;

	snprintf(prov->name, sizeof(prov->name), "peerlab_provider%d", prov->id);
	prov->misc.minor = MISC_DYNAMIC_MINOR;
	prov->misc.name = prov->name;
	prov->misc.fops = &provider_fops;
	prov->misc.parent = &pdev->dev;
	ret = misc_register(&prov->misc);
	if (ret)
		goto err_pool;
	pci_set_drvdata(pdev, prov);
	dev_info(&pdev->dev, "%s: %lu pages at pfn %#lx, private at %#lx\n",
		 prov->name, prov->npages, prov->bar_pfn, prov->private_pfn);
	return 0;

err_pool:
	pci_free_p2pmem(pdev, prov->bar, prov->npages << PAGE_SHIFT);
err_id:
	ida_free(&provider_ids, prov->id);
	return ret;
}

/*
 * Out of all page tables, so that no client holds an alias, and nothing comes
 * in again: before anything that makes the memory go away.
 */
static void provider_quiesce(struct provider *prov)
{
	int ret;

	down_write(&prov->alive);
	prov->gone = true;
	up_write(&prov->alive);
	ret = provider_evict(prov);
	if (ret)
		dev_warn(&prov->pdev->dev, "pages left on the device: %d\n",
			 ret);
}

static void provider_continue(struct provider *prov)
{
	down_write(&prov->alive);
	prov->gone = false;
	up_write(&prov->alive);
}

static void provider_remove(struct pci_dev *pdev)
{
	struct provider *prov = pci_get_drvdata(pdev);

	misc_deregister(&prov->misc);
	/*
	 * The pages first and only then the BAR.  devm takes the private pages
	 * down before the P2PDMA ones, and waits for any that are still in use.
	 */
	provider_quiesce(prov);
	pci_free_p2pmem(pdev, prov->bar, prov->npages << PAGE_SHIFT);
	ida_free(&provider_ids, prov->id);
}

static int provider_suspend(struct device *dev)
{
	provider_quiesce(dev_get_drvdata(dev));
	return 0;
}

static int provider_resume(struct device *dev)
{
	provider_continue(dev_get_drvdata(dev));
	return 0;
}

static DEFINE_SIMPLE_DEV_PM_OPS(provider_pm_ops, provider_suspend,
				provider_resume);

static void provider_reset_prepare(struct pci_dev *pdev)
{
	provider_quiesce(pci_get_drvdata(pdev));
}

static void provider_reset_done(struct pci_dev *pdev)
{
	provider_continue(pci_get_drvdata(pdev));
}

static const struct pci_error_handlers provider_reset_handlers = {
	.reset_prepare = provider_reset_prepare,
	.reset_done = provider_reset_done,
};

static const struct pci_device_id provider_pci_ids[] = {
	{ PCI_DEVICE(0x1af4, 0x1110) },
	{}
};
MODULE_DEVICE_TABLE(pci, provider_pci_ids);

static struct pci_driver provider_driver = {
	.name = "peerlab_provider",
	.id_table = provider_pci_ids,
	.probe = provider_probe,
	.remove = provider_remove,
	.err_handler = &provider_reset_handlers,
	.driver.pm = pm_sleep_ptr(&provider_pm_ops),
};
module_pci_driver(provider_driver);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Peerlab: an ivshmem BAR as device private memory with DMA aliases");
