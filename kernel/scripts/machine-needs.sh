#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What a kernel of its own configuration has to have for this machine.  Runs on the
# machine under its default kernel, changes nothing:
#
#   ssh root@MACHINE sh -s <kernel/scripts/machine-needs.sh >NEEDS
#
# Prints "@config" and the configuration of the running kernel, then "@modules" and
# the modules that it has loaded, those that its devices ask for whether they are
# loaded or not, and those of the file systems that are mounted; one a line.
set -eu
export LC_ALL=C

echo @config
if [ -r "/boot/config-$(uname -r)" ]; then
	cat "/boot/config-$(uname -r)"
elif [ -r /proc/config.gz ]; then
	gzip -dc /proc/config.gz
else
	echo "neither /boot/config-$(uname -r) nor /proc/config.gz is there" >&2
	exit 1
fi

echo @modules
{
	cut -d' ' -f1 /proc/modules
	find /sys/devices -name modalias -exec cat {} + 2>/dev/null | sort -u | tr '\n' '\0' |
		xargs -0 -r -n 64 modprobe -qaR 2>/dev/null || true
	findmnt -rno FSTYPE | sort -u | sed 's/^/fs-/' | tr '\n' '\0' | xargs -0 -r -n 64 modprobe -qaR 2>/dev/null || true
} | tr - _ | sort -u
