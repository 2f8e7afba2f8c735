// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/peerlab_mutant: write a number to choose a mutant, 0 for none,
 * which also forgets what was reached; read the numbers that were reached since.
 */
#include <linux/debugfs.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/peerlab_mutant.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

unsigned int peerlab_mutant;
EXPORT_SYMBOL(peerlab_mutant);
unsigned char peerlab_mutants_reached[PEERLAB_MUTANTS];
EXPORT_SYMBOL(peerlab_mutants_reached);

static int peerlab_mutant_show(struct seq_file *file, void *unused)
{
	unsigned int i;

	for (i = 1; i < PEERLAB_MUTANTS; i++)
		if (READ_ONCE(peerlab_mutants_reached[i]))
			seq_printf(file, "%u\n", i);
	return 0;
}

static ssize_t peerlab_mutant_write(struct file *file, const char __user *text,
				    size_t size, loff_t *pos)
{
	unsigned int number;
	int err = kstrtouint_from_user(text, size, 0, &number);

	if (err)
		return err;
	if (number >= PEERLAB_MUTANTS)
		return -ERANGE;
	/* The old mutant is gone before its marks are. */
	WRITE_ONCE(peerlab_mutant, 0);
	memset(peerlab_mutants_reached, 0, sizeof(peerlab_mutants_reached));
	WRITE_ONCE(peerlab_mutant, number);
	return size;
}

static int peerlab_mutant_open(struct inode *inode, struct file *file)
{
	return single_open(file, peerlab_mutant_show, NULL);
}

static const struct file_operations peerlab_mutant_fops = {
	.owner = THIS_MODULE,
	.open = peerlab_mutant_open,
	.read = seq_read,
	.write = peerlab_mutant_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static int __init peerlab_mutant_init(void)
{
	debugfs_create_file("peerlab_mutant", 0600, NULL, NULL, &peerlab_mutant_fops);
	return 0;
}
late_initcall(peerlab_mutant_init);
