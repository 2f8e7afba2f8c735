# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What a bundle says of where functions are: for reports of crashes.
# Sourced by build-bundle.sh.

# Debug information of all files of a kernel, in bytes: more is left out.
DEBUG_MAX=$((400 * 1024 * 1024))

# list_sources TREE -- lines "function size file" of everything that was compiled for
# the kernel and its modules, sorted.  Size and name tell functions of one name apart.
list_sources() {
	(
		cd "$1" || exit
		find . \( -path ./tools -o -path ./scripts -o -path ./usr -o -path ./peerlab/selftests -o -path ./peerlab/kselftest \
			-o -path ./peerlab/upstream -o -path ./peerlab/stage \) -prune -o -name '*.o' -type f -print |
			while IFS= read -r object; do
				for source in "${object%.o}".c "${object%.o}".S; do
					[ ! -f "$source" ] || printf '%s\n' "$object"
				done
			done | xargs -r nm -A -S --defined-only 2>/dev/null |
			perl -ne 'm{^\./(.{1,300})\.o:[0-9a-f]{1,16} ([0-9a-f]{1,16}) [tTwW] (\S{1,200})$} or next;
				my ($stem, $size, $name) = ($1, hex $2, $3);
				$file{$stem} //= -f "$stem.c" ? "$stem.c" : "$stem.S";
				print "$name $size $file{$stem}\n"' | sort -u
	)
}

# keep_debug_info TREE FOLDER -- the debug information of the image and of the farm's
# own modules, without their code.
keep_debug_info() {
	local object size=0
	mkdir -p "$2" || return
	for object in "$1/vmlinux" "$1"/peerlab/module/*.ko; do
		[ -f "$object" ] || continue
		objcopy --only-keep-debug --compress-debug-sections=zlib "$object" "$2/${object##*/}" || return
		size=$((size + $(stat -c %s "$2/${object##*/}")))
	done
	if [ "$size" -gt "$DEBUG_MAX" ]; then
		echo "the debug information has $size bytes, and is left out" >&2
		rm -rf "$2"
	fi
}
