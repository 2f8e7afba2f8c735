#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Which of the lines that a series adds do the suites run?  Builds the series with
# the configuration "coverage" (gcov for the files that it touches), runs the
# suites on one machine after the other, adds up what they counted, and prints
# the lines that did not run.
#
# usage: coverage.sh --cache DIR [--series bundled|PATH]... [--rigs NAME,...]
#                    [--suites NAME,...] [--config NAME] [--fragment FILE]
#                    [--seconds N] [--report FILE] [--fresh] [--build-only]
#
#   --series   a folder of patches or an mbox, in order (default bundled)
#   --rigs     machines, see mutants-rigs.sh (default switch)
#   --suites   programs to run on each, with their options (default
#              "p2p_functional --provoke,hmm_tests,p2p_rdma,p2p_faults"); with a ";"
#              between them a list of tests may have commas
#   --config   of the kernel (default coverage; with debug it checks as well)
#   --fragment settings on top, such as config/memory-only.fragment
#   --seconds  the longest a machine may run (1800)
#   --report   write the Markdown into FILE
#   --fresh    forget what was counted before; otherwise it is added up for as long
#              as the kernel is the same
#   --build-only  start no machine
#
# stdout: the Markdown.  Exit status 0, or that of what failed.
set -euo pipefail
export LC_ALL=C.UTF-8
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kernel_dir=$(dirname "$scripts")
# shellcheck source=report.sh
. "$scripts/report.sh"
# shellcheck source=mutants-rigs.sh
. "$scripts/mutants-rigs.sh"

usage() {
	[ $# -eq 0 ] || echo "coverage: $1" >&2
	sed -n '8,24s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	exit "$EXIT_USAGE"
}
cache='' rigs=switch suites='p2p_functional --provoke,hmm_tests,p2p_rdma,p2p_faults' config=coverage seconds=1800 report='' fragment='' fresh='' build_only='' series=()
while [ $# -gt 0 ]; do
	case $1 in
	--fresh) fresh=1; shift; continue ;;
	--build-only) build_only=1; shift; continue ;;
	--cache | --series | --rigs | --suites | --config | --fragment | --seconds | --report) ;;
	*) usage "unknown argument $1" ;;
	esac
	[ $# -gt 1 ] || usage "$1: the value is missing"
	case $1 in
	--series) series+=("$2") ;;
	*) declare "${1#--}=$2" ;;
	esac
	shift 2
done
[ -n "$cache" ] || usage "--cache is missing"
for rig in ${rigs//,/ }; do rig_of "$rig" >/dev/null || usage "there is no rig $rig"; done
[ ${#series[@]} -gt 0 ] || series=(bundled)
[ -z "$fragment" ] || [ -f "$fragment" ] || usage "--fragment $fragment: no such file"
[ -z "$report" ] || report=$(realpath -m -- "$report")
need gcov gcc

# shellcheck source=series-files.sh
. "$scripts/series-files.sh"
open_workplace coverage
stage_series "$base" "${series[@]}"

# -- the kernel, and the notes of its compiler ----------------------------------------

printf 'CONFIG_GCOV_KERNEL=y\nCONFIG_GCOV_PROFILE_ALL=n\n' | cat - ${fragment:+"$fragment"} >"$work/fragment"
build=(--cache "$cache" --config "$config" --fragment "$work/fragment" --base "$base")
for one in "${series[@]}"; do build+=(--series "$one"); done
key=$("$scripts/build-bundle.sh" "${build[@]}" --key)
key=${key##*$'\n'}
folder=$cache/kernel/coverage/$key
[ -z "$fresh" ] || rm -rf "$folder/counts"
mkdir -p "$folder/counts"
if [ ! -f "$folder/notes/.complete" ]; then
	"$scripts/build-bundle.sh" "${build[@]}" --out "$folder/bundle" 2>"$folder/build.log" >"$folder/build.out" ||
		{ status=$?; grep '^@error' "$folder/build.out"; exit $status; }
	[ -f "$folder/bundle/gcov-notes.tar" ] || usage "--config $config: its kernels do not count lines"
	rm -rf "$folder/notes"
	mkdir "$folder/notes"
	tar -C "$folder/notes" -xf "$folder/bundle/gcov-notes.tar"
	touch "$folder/notes/.complete"
fi

[ -z "$build_only" ] || exit 0

# -- machines ----------------------------------------------------------------------------

cp -al "$folder/bundle" "$work/bundle"
cat >"$work/bundle/suites/counters" <<-'GUEST'
	#!/bin/busybox sh
	# What the kernel counted, as text.
	find /sys/kernel/debug/gcov -name '*.gcda' | while read -r file; do
		cat "$file" >/tmp/counters
		echo "@coverage begin $file"
		base64 /tmp/counters
		echo "@coverage end $(wc -c </tmp/counters)"
	done
GUEST
chmod +x "$work/bundle/suites/counters"
commands=()
separator=,
[[ $suites != *';'* ]] || separator=';'
IFS=$separator read -r -a programs <<<"$suites"
for suite in "${programs[@]}"; do
	read -r -a words <<<"$suite"
	# A machine that comes to no end has said what it had counted before.
	commands+=(-- "${words[@]}" -- counters)
done
for rig in ${rigs//,/ }; do
	read -r _ arguments < <(rig_of "$rig")
	read -r -a arguments <<<"$arguments"
	echo "coverage: ${suites//,/, } on rig $rig" >&2
	"$scripts/boot-vm.sh" --bundle "$work/bundle" "${arguments[@]}" --timeout "$seconds" "${commands[@]}" \
		>"$folder/$rig.log" 2>&1 &
	machine=$!
	# A test that fails is for others to report.
	wait "$machine" || true
	machine=''
	rm -rf "$work/gcda"
	mkdir "$work/gcda"
	"$scripts/coverage-lines.pl" unpack "$folder/$rig.log" "$work/gcda" >/dev/null ||
		fail_infrastructure "rig $rig did not come to the end of its first suite" "see $folder/$rig.log"
	for file in "$work"/gcda/*.gcda; do
		name=$(sed 's/\.gcda$//; s/.*\/tree-'"$config"'-[0-9]*\///' "${file%.gcda}.name")
		[ -f "$folder/notes/$name.gcno" ] || continue
		cp "$folder/notes/$name.gcno" "${file%.gcda}.gcno"
		(cd "$work/gcda" && gcov --json-format --stdout "$(basename "$file")" 2>/dev/null) >>"$folder/counts/$rig.$(date +%s).json"
	done
done
"$scripts/coverage-lines.pl" report "$base/tree" "$work/after" "$folder"/counts/*.json >"$work/report"
cat "$work/report"
[ -z "$report" ] || cp "$work/report" "$report"
