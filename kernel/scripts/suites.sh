# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Builds the suites of a bundle and writes their entries of the manifest.
# Sourced by build-bundle.sh.

# suite_tests PROGRAM [OPTION] -- the ids of its tests as JSON strings with commas
# between, in the order they run; nothing when it does not list them.  The program
# runs here, where the make of the same source ran before it: the farm must not
# run it on a machine's own kernel, and a kernel that never boots cannot be asked.
suite_tests() {
	local text
	# Listing takes milliseconds; the farm accepts 5000 ids of a suite.
	text=$(timeout -k 1 20 "$@" --list </dev/null 2>/dev/null | head -c 1000000) || return 0
	awk '$1 ~ /^[a-zA-Z0-9][a-zA-Z0-9_.:-]*$/ && length($1) <= 200 && !seen[$1]++ && ++count <= 5000 {
		printf "%s\"%s\"", separator, $1
		separator = ","
	}' <<<"$text"
}

# suite_entries DIRECTORY FACTOR -- the manifest's entries for the programs that
# are there, one a line.  Limits in seconds are for an idle host; FACTOR is for
# a kernel that checks everything.
suite_entries() {
	local name kind program option timeout test_timeout
	while read -r name kind timeout test_timeout program option; do
		[ -x "$1/$program" ] || continue
		printf '{"name":"%s","kind":"%s","command":["suites/%s"%s],"timeoutSeconds":%d,"testTimeoutSeconds":%d,"tests":[%s]}\n' \
			"$name" "$kind" "$program" "${option:+,\"$option\"}" $((timeout * $2)) $((test_timeout * $2)) \
			"$(suite_tests "$1/$program" ${option:+"$option"})"
	done <<-'TABLE'
		p2p-functional functional 600 60 p2p_functional
		p2p-perf performance 600 120 p2p_perf
		p2p-soak functional 900 300 p2p_soak
		p2p-faults functional 1500 120 p2p_faults
		p2p-rdma functional 600 120 p2p_rdma
		hmm-tests functional 900 120 hmm_tests
		hmm-tests-coherent functional 900 120 hmm_tests --coherent
		mm-kselftest functional 1500 300 mm_kselftest
		kunit functional 600 180 kunit
	TABLE
}

# install_headers TREE -- the kernel's headers for user space, which its own
# tests are built with; again only when a series changes one.
install_headers() {
	local stamp=$1/usr/include/.peerlab wanted
	wanted=$(cd "$1" && { grep -E '(^|/)uapi/' .peerlab-touched || true; } | xargs -r sha256sum 2>/dev/null) || true
	[ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ] || return 0
	run_make -j"$(nproc)" headers
	printf '%s\n' "$wanted" >"$stamp"
}

# build_suites TREE OUT CC -- our suites and upstream's.
build_suites() {
	local inputs=$1/peerlab
	make -C "$inputs/selftests" CC="$3" UAPI="$inputs/module" OUT="$2" -j"$(nproc)" || return
	if [ -f "$inputs/selftests/rdma/p2p_rdma.c" ]; then
		make -C "$inputs/selftests/rdma" CC="$3" UAPI="$inputs/module" HARNESS="$inputs/selftests" \
			OUT="$2" -j"$(nproc)" || return
	fi
	make -C "$inputs/selftests/upstream" CC="$3" TREE="$1" OUT="$2" BUILD="$inputs/upstream" -j"$(nproc)"
}
