// SPDX-License-Identifier: GPL-2.0
/* The PCI driver of the provider. */
#include <linux/bitmap.h>
#include <linux/dma-mapping.h>
#include <linux/idr.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci-p2pdma.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "chosen.h"
#include "provider.h"

/* What is left in the p2p pool for whoever asks. */
#define PROVIDER_SPARE		SZ_2M

static DEFINE_IDA(provider_ids);

static void provider_release_ref(struct kref *ref)
{
	struct provider *prov = container_of(ref, struct provider, ref);

	bitmap_free(prov->used_map);
	kfree(prov);
}

void provider_put(struct provider *prov)
{
	kref_put(&prov->ref, provider_release_ref);
}

static void provider_drop_ref(void *data)
{
	provider_put(data);
}

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
	/*
	 * What is ours must be ours alone: others may allocate from the pool.
	 * They get the end of it, which a test maps through sysfs.
	 */
	if (size > 2 * PROVIDER_SPARE)
		size -= PROVIDER_SPARE;
	prov->bar = pci_alloc_p2pmem(pdev, size);
	if (!prov->bar)
		return dev_err_probe(&pdev->dev, -ENOMEM,
				     "cannot reserve the p2p pool\n");
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

	if (chosen_place(pdev) < 0)
		return -ENODEV;
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

	ret = chosen_number(pdev, &provider_ids);
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
