// SPDX-License-Identifier: GPL-2.0
/* Files of the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "rig.h"

void pci_address_of(const char *node, char *address, size_t size)
{
	char path[128], target[256];
	char *slash;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/class/misc/%s/device", node);
	n = readlink(path, target, sizeof(target) - 1);
	REQUIRE(n > 0, "no device behind %s: %m", path);
	target[n] = 0;
	slash = strrchr(target, '/');
	REQUIRE(slash, "an odd link: %s", target);
	snprintf(address, size, "%s", slash + 1);
}

void write_file(const char *path, const char *text)
{
	int ret = try_write_file(path, text);

	REQUIRE(!ret, "write '%s' to %s: %s", text, path, strerror(-ret));
}

void debugfs_mount(void)
{
	/* Most machines have done so already. */
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
}
