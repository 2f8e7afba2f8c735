#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests of the scripts, without building a kernel: KTAP on stdout, under a minute.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kernel_dir=$(dirname "$here")
# shellcheck source=ktap.sh
. "$here/ktap.sh"

include '' "$here/test-build.sh"
include '' "$here/test-drivers.sh"
include '' "$here/test-upstream.sh"
include '' "$here/test-judging.sh"
include '' "$here/test-pair.sh"
include generate. "$here/mutants/test.sh"
include rebase. "$here/test-rebase.sh"
include series. "$here/test-series.sh"

# What the README points at is there: files, and the tests it names.
missing=$(grep -oE '\]\([^)#:]+\)' "$kernel_dir/README.md" | tr -d '()]' | sort -u | while read -r path; do
	[ -e "$kernel_dir/$path" ] || echo "$path"
done)
[ -z "$missing" ]; result readme.links $? "$missing"
missing=$(grep -oE '\b[FP][0-9]+\.[a-z_]+[A-Za-z0-9_]*\b' "$kernel_dir/README.md" | sort -u | while read -r id; do
	grep -rqF "\"$id" "$kernel_dir"/selftests --include='*.c' || echo "$id"
done)
[ -z "$missing" ]; result readme.tests $? "$missing"
ktap_end
