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

# suite_table FILE -- the suites of selftests/suites.json, one a line: name, kind,
# seconds, seconds of one test, program, options as a JSON list.
suite_table() {
	perl -MJSON::PP -0777 -e '
		my $json = JSON::PP->new->canonical;
		for my $suite (@{$json->decode(<STDIN>)->{suites}}) {
			print join("\t", @$suite{qw(name kind seconds testSeconds program)},
				$json->encode($suite->{options})), "\n";
		}' <"$1"
}

# suite_entries DIRECTORY FACTOR FILE -- the manifest's entries for the programs
# of FILE that are in DIRECTORY, one a line.  Limits in seconds are for an idle
# host; FACTOR is for a kernel that checks everything.
suite_entries() {
	local name kind timeout test_timeout program options table words
	table=$(suite_table "$3") || return
	while IFS=$'\t' read -r name kind timeout test_timeout program options; do
		[ -x "$1/$program" ] || continue
		words=$(perl -MJSON::PP -e 'print map { "$_\n" } @{JSON::PP->new->decode($ARGV[0])}' -- "$options")
		mapfile -t words < <([ -z "$words" ] || printf '%s\n' "$words")
		options=${options#[}
		printf '{"name":"%s","kind":"%s","command":["suites/%s"%s],"timeoutSeconds":%d,"testTimeoutSeconds":%d,"tests":[%s]}\n' \
			"$name" "$kind" "$program" "${words[0]+,${options%]}}" $((timeout * $2)) $((test_timeout * $2)) \
			"$(suite_tests "$1/$program" "${words[@]}")"
	done <<<"$table"
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

# kselftest_file TARGET -- the name of its archive: a target may be longer than a
# file of a bundle may be called.
kselftest_file() {
	echo "kselftest-$(printf %s "$1" | sha256sum | head -c 16).tar"
}

# install_by_copying FOLDER -- an rsync of ours in FOLDER, which does what lib.mk asks
# of one.  The real one starts with a pair of sockets, which no sandboxed build gets.
install_by_copying() {
	mkdir -p "$1" || return
	cat >"$1/rsync" <<'SCRIPT' || return
#!/bin/sh
options=-aL
while :; do
	case ${1-} in
	-a | -aq | -L | --copy-unsafe-links) ;;
	-aR | -aLR | -R) options="$options --parents" ;;
	-*) echo "rsync: $1 is not known here" >&2; exit 1 ;;
	*) break ;;
	esac
	shift
done
exec cp $options -- "$@"
SCRIPT
	chmod 755 "$1/rsync"
}

# why_not_built LOG TREE -- the first error of a log: file, line and what was said.
why_not_built() {
	local file line detail
	IFS=$'\x1f' read -r _ file line detail _ < <("${BASH_SOURCE[0]%/*}/explain-build.pl" "$1" "$2")
	printf '%s%s%s' "$file" "${line:+:$line}" "${file:+: }$detail"
}

# build_kselftest TREE TARGET FILE -- one folder of tools/testing/selftests with
# what runs it, as an archive.  Built beside the tree, which stays as it is.
build_kselftest() {
	local out=$1/peerlab/kselftest/${2//\//__}
	[ -f "$1/tools/testing/selftests/$2/Makefile" ] || { echo "there is no tools/testing/selftests/$2" >&2; return 1; }
	install_by_copying "$out/bin" || return
	# Without git's version of the tree, which differs from clone to clone.
	PATH=$out/bin:$PATH GIT_DIR=/nonexistent nice make -C "$1/tools/testing/selftests" O="$out" TARGETS="$2" FORCE_TARGETS=1 \
		KHDR_INCLUDES="-isystem $1/usr/include" INSTALL_PATH="$out/install" install || return
	[ -d "$out/install/$2" ] || { echo "$2 has nothing to install" >&2; return 1; }
	tar -C "$out/install" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -cf "$3" .
}
