# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What a series makes of the files that it touches, and a place to work on them.
# Sourced, not run.

: "${kernel_dir:?}" "${scripts:?}"

# open_workplace NAME -- in the cache: fetches the base and sets base; work is a folder
# that goes with this shell, as does the process that machine names, if any.
open_workplace() {
	local fetch_out
	fetch_out=$("$scripts/fetch-base.sh" --cache "$cache") || { printf '%s\n' "$fetch_out"; exit "$EXIT_INFRASTRUCTURE"; }
	base=${fetch_out##*$'\n'}
	mkdir -p "$cache/kernel/$1"
	work=$(mktemp -d "$cache/kernel/$1/.work.XXXXXX")
	machine=''
	trap close_workplace EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

close_workplace() {
	[ -z "$machine" ] || kill "$machine" 2>/dev/null || true
	rm -rf "$work"
}

# stage_series BASE SERIES... -- $work/after holds the files that the series touch,
# patched; sets count, the number of patches.
stage_series() {
	local base=$1 one name patch
	shift
	mkdir -p "$work"/{patches,after}
	count=0
	for one; do
		[ "$one" != none ] || continue
		[ "$one" != bundled ] || one=$kernel_dir/patches
		"$scripts/split-series.pl" "$one" "$work/patches" "$count" >"$work/index" || { cat "$work/index"; exit "$EXIT_APPLY"; }
		count=$((count + $(wc -l <"$work/index")))
	done
	[ "$count" -gt 0 ] || { echo "there is no patch in: $*" >&2; exit "$EXIT_USAGE"; }
	while read -r name; do
		mkdir -p "$work/after/$(dirname "$name")"
		[ ! -f "$base/tree/$name" ] || cp "$base/tree/$name" "$work/after/$name"
	done < <(sed -n -E 's/^(---|\+\+\+) "?[^\/"]+\/([^\t"]*).*/\2/p; s/^rename (from|to) (.*)/\2/p' "$work"/patches/*.patch | sort -u)
	for patch in "$work"/patches/*.patch; do
		(cd "$work/after" && patch -p1 --forward --batch --fuzz=0 --no-backup-if-mismatch --reject-file=- <"$patch") >"$work/patch.log" 2>&1 ||
			fail_infrastructure "$(basename "$patch") does not apply" "$(grep -m1 FAILED "$work/patch.log" || tail -1 "$work/patch.log")"
	done
}
