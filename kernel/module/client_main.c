// SPDX-License-Identifier: GPL-2.0
/* The PCI driver and the device node of the client. */
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci-p2pdma.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "chosen.h"
#include "client.h"

#define MAX_MAP_BYTES	(5ull * SZ_1G)
#define MAX_DMA_BYTES	SZ_64K

static DEFINE_IDA(client_ids);

static void client_release_ref(struct kref *ref)
{
	kfree(container_of(ref, struct client, ref));
}

static void client_drop_ref(void *data)
{
	struct client *client = data;

	kref_put(&client->ref, client_release_ref);
}

static long client_ioctl_info(struct client *client, void __user *arg)
{
	struct peerlab_client_info info = {
		.piece_bytes = EDU_PIECE_BYTES,
	};

#ifdef PEERLAB_DMA_ALIAS
	info.features |= PEERLAB_FEATURE_DMA_ALIAS;
#endif
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long client_ioctl_map(struct mapping *mapping,
			     struct peerlab_map __user *arg)
{
	struct peerlab_client_page *pages = NULL;
	struct peerlab_map req;
	int ret;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	if (req.reserved || !req.length || req.length > MAX_MAP_BYTES ||
	    !PAGE_ALIGNED(req.address) || !PAGE_ALIGNED(req.length) ||
	    req.address + req.length < req.address)
		return -EINVAL;
#ifndef PEERLAB_DMA_ALIAS
	if (req.flags & PEERLAB_MAP_DMA_DEV)
		return -EOPNOTSUPP;
#endif
	if (req.flags & PEERLAB_MAP_PER_PAGE && !req.pages)
		return -EINVAL;
	if (req.pages) {
		size_t size = (req.length >> PAGE_SHIFT) * sizeof(*pages);

		pages = kvzalloc(size, GFP_KERNEL);
		if (!pages)
			return -ENOMEM;
		if (req.flags & PEERLAB_MAP_PER_PAGE &&
		    copy_from_user(pages, u64_to_user_ptr(req.pages), size)) {
			kvfree(pages);
			return -EFAULT;
		}
	}
	ret = mapping_map(mapping, &req, pages);
	if (pages && mapping->npages) {
		mapping_describe(mapping, pages);
		if (copy_to_user(u64_to_user_ptr(req.pages), pages,
				 mapping->npages * sizeof(*pages)))
			ret = -EFAULT;
	}
	kvfree(pages);
	if (copy_to_user(arg, &req, sizeof(req)))
		return -EFAULT;
	return ret;
}

static long client_ioctl_dma(struct mapping *mapping,
			     struct peerlab_dma __user *arg)
{
	u64 mapped = (u64)mapping->npages << PAGE_SHIFT;
	struct peerlab_dma req;
	void __user *buffer;
	u8 *data;
	int ret;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	if (!req.length || req.length > MAX_DMA_BYTES ||
	    req.offset >= mapped || req.length > mapped - req.offset)
		return -EINVAL;
	buffer = u64_to_user_ptr(req.buffer);
	data = kvzalloc(req.length, GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	ret = -EFAULT;
	if ((req.flags & PEERLAB_DMA_TO_MEMORY) &&
	    copy_from_user(data, buffer, req.length))
		goto out;
	ret = mapping_dma(mapping, &req, data);
	if (!ret && !(req.flags & PEERLAB_DMA_TO_MEMORY) &&
	    copy_to_user(buffer, data, req.length))
		ret = -EFAULT;
	if (copy_to_user(arg, &req, sizeof(req)))
		ret = -EFAULT;
out:
	kvfree(data);
	return ret;
}

static long client_ioctl_state(struct mapping *mapping, void __user *arg)
{
	struct peerlab_client_state state = {
		.pages = mapping->npages,
		.valid = mapping_valid_pages(mapping),
		.invalidations = mapping->invalidations,
		.invalidated = mapping->invalidated,
		.marked = mapping->marked,
		.leaked = mapping->leaked,
		.orphans = mapping->orphans,
		.stale = mapping->stale,
	};

	return copy_to_user(arg, &state, sizeof(state)) ? -EFAULT : 0;
}

static long client_ioctl_describe(struct mapping *mapping,
				  struct peerlab_describe __user *arg)
{
	struct peerlab_client_page *pages;
	struct peerlab_describe req;
	int ret = 0;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	if (req.count < mapping->npages)
		return -ENOSPC;
	req.count = mapping->npages;
	pages = kvcalloc(req.count + 1, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	mapping_describe(mapping, pages);
	if (copy_to_user(u64_to_user_ptr(req.pages), pages,
			 req.count * sizeof(*pages)) ||
	    copy_to_user(arg, &req, sizeof(req)))
		ret = -EFAULT;
	kvfree(pages);
	return ret;
}

static long client_ioctl_distance(struct client *client, void __user *arg)
{
	struct peerlab_distance req;
	struct pci_dev *provider;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	provider = pci_get_domain_bus_and_slot(req.pci_address >> 16,
					       req.pci_address >> 8 & 0xff,
					       req.pci_address & 0xff);
	if (!provider)
		return -ENOENT;
	req.distance = pci_p2pdma_distance(provider, &client->pdev->dev, false);
	pci_dev_put(provider);
	return copy_to_user(arg, &req, sizeof(req)) ? -EFAULT : 0;
}

/* The other files' mappings were made with the mask of then. */
static long client_ioctl_mask(struct mapping *mapping, void __user *arg)
{
	u32 bits;

	if (copy_from_user(&bits, arg, sizeof(bits)))
		return -EFAULT;
	if (bits < 24 || bits > 64)
		return -EINVAL;
	mapping_unmap(mapping);
	return dma_set_mask(&mapping->client->pdev->dev, DMA_BIT_MASK(bits));
}

static long client_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct mapping *mapping = file->private_data;
	struct client *client = mapping->client;
	void __user *user = (void __user *)arg;
	long ret = -ENODEV;

	down_read(&client->alive);
	if (client->gone)
		goto out_alive;
	ret = mutex_lock_killable(&mapping->call);
	if (ret)
		goto out_alive;
	switch (cmd) {
	case PEERLAB_CLIENT_INFO:
		ret = client_ioctl_info(client, user);
		break;
	case PEERLAB_CLIENT_MAP:
		ret = client_ioctl_map(mapping, user);
		break;
	case PEERLAB_CLIENT_UNMAP:
		mapping_unmap(mapping);
		ret = 0;
		break;
	case PEERLAB_CLIENT_DMA:
		ret = client_ioctl_dma(mapping, user);
		break;
	case PEERLAB_CLIENT_STATE:
		ret = client_ioctl_state(mapping, user);
		break;
	case PEERLAB_CLIENT_DESCRIBE:
		ret = client_ioctl_describe(mapping, user);
		break;
	case PEERLAB_CLIENT_DISTANCE:
		ret = client_ioctl_distance(client, user);
		break;
	case PEERLAB_CLIENT_MASK:
		ret = client_ioctl_mask(mapping, user);
		break;
	default:
		ret = -ENOTTY;
	}
	mutex_unlock(&mapping->call);
out_alive:
	up_read(&client->alive);
	return ret;
}

static int client_open(struct inode *inode, struct file *file)
{
	/* misc_open() put the miscdevice here and holds off misc_deregister(). */
	struct client *client = container_of(file->private_data, struct client,
					     misc);
	struct mapping *mapping = kzalloc_obj(*mapping);

	if (!mapping)
		return -ENOMEM;
	mutex_init(&mapping->call);
	mutex_init(&mapping->lock);
	mapping->client = client;
	kref_get(&client->ref);
	mutex_lock(&client->files_lock);
	list_add(&mapping->on_client, &client->files);
	mutex_unlock(&client->files_lock);
	file->private_data = mapping;
	return 0;
}

static int client_close(struct inode *inode, struct file *file)
{
	struct mapping *mapping = file->private_data;
	struct client *client = mapping->client;

	/* Under the lock: remove() must not take the device from below this. */
	mutex_lock(&client->files_lock);
	list_del(&mapping->on_client);
	mapping_unmap(mapping);
	mutex_unlock(&client->files_lock);
	kfree(mapping);
	kref_put(&client->ref, client_release_ref);
	return 0;
}

static const struct file_operations client_fops = {
	.owner = THIS_MODULE,
	.open = client_open,
	.release = client_close,
	.unlocked_ioctl = client_ioctl,
};

static int client_setup_device(struct client *client)
{
	struct pci_dev *pdev = client->pdev;
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	pci_set_master(pdev);
	/*
	 * The function says yes to any mask.  QEMU must have been told
	 * dma_mask=0xffffffffffffffff, or it cuts addresses off silently.
	 */
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	client->regs = pcim_iomap(pdev, 0, 0);
	if (!client->regs)
		return -ENOMEM;
	client->bounce = dmam_alloc_coherent(&pdev->dev, PAGE_SIZE,
					     &client->bounce_dma, GFP_KERNEL);
	return client->bounce ? 0 : -ENOMEM;
}

static int client_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct client *client;
	int ret;

	if (chosen_place(pdev) < 0)
		return -ENODEV;
	client = kzalloc_obj(*client);
	if (!client)
		return -ENOMEM;
	kref_init(&client->ref);
	mutex_init(&client->engine);
	init_rwsem(&client->alive);
	INIT_LIST_HEAD(&client->files);
	mutex_init(&client->files_lock);
	client->pdev = pdev;
	ret = devm_add_action_or_reset(&pdev->dev, client_drop_ref, client);
	if (ret)
		return ret;
	ret = client_setup_device(client);
	if (ret)
		return dev_err_probe(&pdev->dev, ret, "cannot set up\n");

	ret = chosen_number(pdev, &client_ids);
	if (ret < 0)
		return ret;
	client->id = ret;
	snprintf(client->name, sizeof(client->name), "peerlab_client%d",
		 client->id);
	client->misc.minor = MISC_DYNAMIC_MINOR;
	client->misc.name = client->name;
	client->misc.fops = &client_fops;
	client->misc.parent = &pdev->dev;
	ret = misc_register(&client->misc);
	if (ret) {
		ida_free(&client_ids, client->id);
		return ret;
	}
	pci_set_drvdata(pdev, client);
	dev_info(&pdev->dev, "%s: edu %#x\n", client->name,
		 readl(client->regs));
	return 0;
}

static void client_remove(struct pci_dev *pdev)
{
	struct client *client = pci_get_drvdata(pdev);
	struct mapping *mapping;

	misc_deregister(&client->misc);
	down_write(&client->alive);
	client->gone = true;
	up_write(&client->alive);

	/* No ioctl runs any more; close() waits for the list. */
	mutex_lock(&client->files_lock);
	list_for_each_entry(mapping, &client->files, on_client)
		mapping_unmap(mapping);
	mutex_unlock(&client->files_lock);
	ida_free(&client_ids, client->id);
}

static const struct pci_device_id client_pci_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{}
};
MODULE_DEVICE_TABLE(pci, client_pci_ids);

static struct pci_driver client_driver = {
	.name = "peerlab_client",
	.id_table = client_pci_ids,
	.probe = client_probe,
	.remove = client_remove,
};
module_pci_driver(client_driver);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Peerlab: edu as a DMA client over HMM");
