# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The kernels and suites of run-mutants.sh: one tree for each configuration, in
# which only the files that a mutant touches change.  Sourced, not run.

# The functions below work on these, set by the caller:
: "${cache:?}" "${store:?}" "${work:?}" "${base:?}" "${here:?}" "${series_key:?}" "${tests_key:?}"

export SOURCE_DATE_EPOCH=1767225600
export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 2026'
export KBUILD_BUILD_USER=peerlab KBUILD_BUILD_HOST=farm KBUILD_BUILD_VERSION=1
compiler=gcc
if command -v ccache >/dev/null 2>&1; then
	compiler='ccache gcc'
	export CCACHE_DIR=$cache/ccache CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1
	export CCACHE_SLOPPINESS=include_file_ctime,include_file_mtime
fi

tree_make() {
	nice -n 15 make -C "$store/tree-$1" CC="$compiler" HOSTCC="$compiler" LOCALVERSION=-mutant "${@:2}"
}

# set_sources CONFIG [PATCH] -- make the tree's sources base + series + PATCH.
# A file that stays the same is not written: make compiles what has changed.
set_sources() {
	local tree=$store/tree-$1 stage=$work/stage file
	local patches=("$work"/series/*.patch)
	[ -z "${2-}" ] || patches+=("$2")
	if [ ! -f "$tree/.complete" ]; then
		note "copying the tree for configuration $1"
		rm -rf "$tree"
		cp -al "$base/tree" "$tree"
		touch "$tree/.complete"
	fi
	stage_sources "$stage" "${patches[@]}" || return 1
	{ files_of "${patches[@]}"; cat "$tree/.touched" 2>/dev/null || true; } | sort -u >"$work/touched"
	cp "$work/touched" "$tree/.touched"
	while read -r file; do
		# Touched by an earlier series only: as in the base.
		[ -f "$stage/$file" ] || [ ! -f "$base/tree/$file" ] || { mkdir -p "$stage/$(dirname "$file")"; cp -p "$base/tree/$file" "$stage/$file"; }
		if [ ! -f "$stage/$file" ]; then
			rm -f "$tree/$file"
		elif ! cmp -s "$stage/$file" "$tree/$file"; then
			# Never through the hard link into the pristine tree.
			rm -f "$tree/$file"
			mkdir -p "$tree/$(dirname "$file")"
			cp "$stage/$file" "$tree/$file"
		fi
	done <"$work/touched"
}

# fragments_of CONFIG -- what is merged on top of tinyconfig.
fragments_of() {
	local in=$work/inputs/config
	case $1 in
	peerlab) echo "$in/peerlab.config" ;;
	lean) echo "$in/peerlab.config" "$in/memory-only.fragment" ;;
	lean-debug) echo "$in/peerlab.config" "$in/memory-only.fragment" "$in/lean-debug.config" ;;
	esac
}

configure() {
	local tree=$store/tree-$1 fragments key
	read -r -a fragments < <(fragments_of "$1")
	key=$(cat "${fragments[@]}" | sha256sum)
	[ "$(cat "$tree/.configured" 2>/dev/null)" != "$key" ] || return 0
	tree_make "$1" -s tinyconfig
	(cd "$tree" && ./scripts/kconfig/merge_config.sh -m -O . .config "${fragments[@]}")
	tree_make "$1" -s olddefconfig
	printf '%s\n' "$key" >"$tree/.configured"
}

# build CONFIG BUNDLE [PATCH] -- kernel, modules and suites of the tree as it is.
# A patch that touches nothing but mm/*.c leaves the modules as the series has
# them (there are no symbol versions): linking the kernel is all it takes.
build() {
	local tree=$store/tree-$1 bundle=$2 modules=$store/modules-$1.tar release file
	local modules_key="$series_key $tests_key" built_in=''
	[ -z "${3-}" ] || files_of "$3" | grep -qvE '^mm/[^/]*\.c$' || built_in=1
	[ "$(cat "$modules.key" 2>/dev/null)" = "$modules_key" ] || built_in=''
	configure "$1" || return 1
	rm -rf "$bundle" "$tree/peerlab/stage"
	mkdir -p "$bundle/suites"
	if [ -n "$built_in" ]; then
		tree_make "$1" -j"$(nproc)" vmlinux || return 1
		cp "$modules" "$bundle/modules.tar" || return 1
	else
		tree_make "$1" -j"$(nproc)" vmlinux modules || return 1
		release=$(tree_make "$1" -s kernelrelease) || return 1
		mkdir -p "$tree/peerlab/module"
		for file in "$work"/inputs/module/*; do
			cmp -s "$file" "$tree/peerlab/module/${file##*/}" || cp "$file" "$tree/peerlab/module/"
		done
		tree_make "$1" M="$tree/peerlab/module" modules || return 1
		tree_make "$1" -s INSTALL_MOD_PATH="$tree/peerlab/stage" INSTALL_MOD_STRIP=1 DEPMOD=true \
			modules_install || return 1
		tree_make "$1" -s M="$tree/peerlab/module" INSTALL_MOD_PATH="$tree/peerlab/stage" INSTALL_MOD_STRIP=1 \
			DEPMOD=true modules_install || return 1
		rm -f "$tree/peerlab/stage/lib/modules/$release"/{build,source}
		PATH=$PATH:/usr/sbin:/sbin depmod -b "$tree/peerlab/stage" -F "$tree/System.map" "$release" || return 1
		tar -C "$tree/peerlab/stage" -cf "$bundle/modules.tar" "lib/modules/$release" || return 1
		if [ -z "${3-}" ]; then
			cp "$bundle/modules.tar" "$modules" && echo "$modules_key" >"$modules.key" || return 1
		fi
	fi
	# In this mode ccache does not see what .incbin pulls in: the compressed kernel.
	CCACHE_DISABLE=1 tree_make "$1" -j"$(nproc)" bzImage || return 1
	cp "$tree/arch/x86/boot/bzImage" "$bundle/vmlinuz" || return 1
	readelf -n "$tree/vmlinux" | sed -n 's/^ *Build ID: *//p' >"$bundle/build-id"
	cp "$store/suites/$tests_key-$series_key"/* "$work/marked" "$bundle/suites/" || return 1
	# What boot-vm.sh looks for; nobody reads it here.
	echo '{}' >"$bundle/manifest.json"
}

# build_suites -- once for all mutants.
build_suites() {
	# Says in the kernel's log which test runs, and afterwards which message is whose.
	cat >"$work/marked" <<-'MARKED'
		#!/bin/busybox sh
		suite=$1; shift
		echo "# notes: $(hexdump -ve '1/1 "%02x"' /sys/kernel/notes)"
		[ $suite != hmm-tests ] || modprobe test_hmm
		{ /suites/$suite "$@"; echo $? >/status; } | while IFS= read -r line; do
			printf '%s\n' "$line"
			case $line in
			'# test: '*) echo "peerlab-test ${line#\# test: }" >/dev/kmsg ;;
			'#  RUN '*) echo "peerlab-test ${line#\#  RUN }" >/dev/kmsg ;;
			esac
		done
		dmesg | awk '
			/peerlab-test / { test = $NF == "..." ? $(NF - 1) : $NF; next }
			/WARNING|BUG:|Oops|INFO:|DMAR: .*fault|clamping|DMA-API/ {
				sub(/^\[[^]]*\] */, ""); print "# kernel: " (test ? test : "-") " " $0
			}'
		exit $(cat /status)
	MARKED
	chmod +x "$work/marked"
	local out=$store/suites/$tests_key-$series_key
	[ ! -f "$out/.complete" ] || return 0
	rm -rf "$out"
	mkdir -p "$out"
	nice -n 15 make -C "$work/inputs/selftests" CC="$compiler" UAPI="$work/inputs/module" OUT="$out" >"$work/suites.log" 2>&1 ||
		{ sed 's/^/# /' "$work/suites.log"; fail_infrastructure "the suites do not compile" "see the messages above"; }
	nice -n 15 make -C "$work/inputs/selftests/rdma" CC="$compiler" UAPI="$work/inputs/module" \
		HARNESS="$work/inputs/selftests" OUT="$out" >"$work/suites.log" 2>&1 ||
		{ sed 's/^/# /' "$work/suites.log"; fail_infrastructure "p2p_rdma does not compile" "see the messages above"; }
	# Upstream's own, with what the series adds to it and the headers of its kernel.
	set_sources lean || fail_infrastructure "the series does not apply" "see the messages above"
	{
		configure lean && tree_make lean -s headers &&
			cd "$store/tree-lean/tools/testing/selftests/mm" &&
			nice -n 15 gcc -O1 -w -static -pthread -D_GNU_SOURCE -isystem "$store/tree-lean/usr/include" \
				-I.. -I../../../.. -I../../../include -I. \
				hmm-tests.c vm_util.c hugepage_settings.c -o "$out/hmm-tests" && cd "$here"
	} >"$work/suites.log" 2>&1 ||
		{ sed 's/^/# /' "$work/suites.log"; fail_infrastructure "hmm-tests does not compile" "see the messages above"; }
	touch "$out/.complete"
}
