#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Fetch the base, build a kernel with its suites, boot it in QEMU and run them:
# everything without the farm, in one command.
#
# usage: try.sh [--cache DIR] [--series none|bundled|PATH]... [--config NAME]
#               [--local TARBALL|GITTREE] [OPTION OF boot-vm.sh]...
#               [-- SUITE [ARGUMENT]...]...
#
#   try.sh                                       the series of this repository
#   try.sh --series none -- hmm_tests            the untouched kernel
#   try.sh --series bundled --series mutants/neighbour-page.patch
#   try.sh --config debug --path roots --iommu translated -- p2p_functional
#
# --cache is ~/.cache/peerlab unless given; bundles are kept there by their key,
# so that what was built once boots at once.  For the rest see build-bundle.sh
# and boot-vm.sh.  Exit status: that of boot-vm.sh, or of the build when it fails.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/peerlab
build=() boot=() series=''
while [ $# -gt 0 ]; do
	case $1 in
	--help | -h) sed -n '3,19s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
	--) break ;;
	*) [ $# -gt 1 ] || { echo "try: $1 wants a value" >&2; exit 2; } ;;
	esac
	case $1 in
	--cache) cache=$2 ;;
	--series) build+=("$1" "$2") series=1 ;;
	--config | --local) build+=("$1" "$2") ;;
	*) boot+=("$1" "$2") ;;
	esac
	shift 2
done
[ -n "$series" ] || build+=(--series bundled)

build_bundle=("$here/build-bundle.sh" --cache "$cache" "${build[@]}")
key=$("${build_bundle[@]}" --key) || { status=$?; printf "%s\n" "$key" >&2; exit $status; }
key=${key##*$'\n'}
bundle=$cache/kernel/tried/$key
if [ ! -f "$bundle/manifest.json" ]; then
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	# Print the steps; print the compiler's output only when it fails.
	status=0
	"${build_bundle[@]}" --out "$bundle" 2>"$log" | perl -ne 'BEGIN { $| = 1; $last = -1 }
		if (/^\@progress (\d+)\S* (.*)/ && $1 != $last) { $last = $1; printf "try: %3d%% %s\n", $1, $2 }
		print if /^\@error/' >&2 || status=$?
	if [ $status -ne 0 ]; then
		tail -n 40 "$log" >&2
		exit $status
	fi
	# Remove bundles that were not built in the last week.
	find "$cache/kernel/tried" -mindepth 1 -maxdepth 1 -mtime +7 -exec rm -rf {} +
fi
echo "try: $bundle" >&2
exec "$here/boot-vm.sh" --bundle "$bundle" ${boot[@]+"${boot[@]}"} "$@"
