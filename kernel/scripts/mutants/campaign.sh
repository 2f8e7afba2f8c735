#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Which mutants of a series' own lines would the suites notice?  One kernel with
# all of them is built (generate.pl) and booted; a first pass finds out which test
# comes to which mutant, then each mutant meets the tests that come to it, one
# machine for as long as it is safe: a new one after a crash, a hang, a complaint
# of the kernel, or when a test fails that passed before.
#
# usage: campaign.sh --cache DIR [--series bundled|PATH]... [--rigs NAME,...]
#                    [--files REGEX] [--kinds KIND,...] [--suites NAME,...]
#                    [--config NAME] [--fragment FILE] [--patience SECONDS]
#                    [--seconds N] [--sample COUNT] [--report FILE] [--build-only]
#
#   --series    a folder of patches or an mbox, in order (default bundled)
#   --rigs      see run-mutants.sh (default switch)
#   --files --kinds  as for generate.pl
#   --suites    programs to map (default p2p_functional,hmm_tests; rdma: p2p_rdma)
#   --config    of the kernel (default peerlab; debug for locks and RCU)
#   --fragment  settings on top, such as config/memory-only.fragment
#   --patience  the longest time for one mutant on one rig; 0 is no limit (0)
#   --seconds   stop after so long; called again, it goes on where it was (0)
#   --sample    only so many of those that are built, by id; 0 is all (0)
#   --report    write the tables into FILE: between its marker lines, where it has them
#
# stdout: what is done, then the report in Markdown.  Exit status 0 when no mutant
# is alive or left to run, 1 when one is, 12 for trouble with disk or tools.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scripts=$(dirname "$here")
kernel_dir=$(dirname "$scripts")
# shellcheck source=../report.sh
. "$scripts/report.sh"
# shellcheck source=../between-markers.sh
. "$scripts/between-markers.sh"
# shellcheck source=../mutants-rigs.sh
. "$scripts/mutants-rigs.sh"

usage() {
	[ $# -eq 0 ] || echo "campaign: $1" >&2
	sed -n '9,27s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	exit "$EXIT_USAGE"
}
cache='' rigs=switch files='' kinds='' suites='' config=peerlab fragment='' patience=0 seconds=0 sample=0 report='' build_only='' series=()
while [ $# -gt 0 ]; do
	case $1 in
	--build-only) build_only=1; shift; continue ;;
	--cache | --series | --rigs | --files | --kinds | --suites | --config | --fragment | --patience | --seconds | --sample | --report) ;;
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
[[ $patience =~ ^[0-9]+$ && $seconds =~ ^[0-9]+$ && $sample =~ ^[0-9]+$ ]] ||
	usage "--patience, --seconds and --sample: expected a number"
for rig in ${rigs//,/ }; do rig_of "$rig" >/dev/null || usage "there is no rig $rig"; done
[ ${#series[@]} -gt 0 ] || series=(bundled)
[ -z "$fragment" ] || [ -f "$fragment" ] || usage "--fragment $fragment: no such file"
[ -z "$report" ] || report=$(realpath -m -- "$report")
began=$SECONDS

# -- the series' files, before and after ----------------------------------------------

# shellcheck source=../series-files.sh disable=SC2154
. "$scripts/series-files.sh"
open_workplace campaigns
stage_series "$base" "${series[@]}"
build=()
for one in "${series[@]}"; do build+=(--series "$one"); done
[ -z "$fragment" ] || build+=(--fragment "$fragment")
generate=("$here/generate.pl" --before "$base/tree" --after "$work/after")
[ -z "$files" ] || generate+=(--files "$files")
[ -z "$kinds" ] || generate+=(--kinds "$kinds")
"${generate[@]}" --list >"$work/list"
[ -s "$work/list" ] || usage "nothing can be made of the lines that this series adds"
# The code, what can be made of it and the kernel it goes into; not the tests.
key=$({ cut -f2- "$work/list"; echo "$config"; cat ${fragment:+"$fragment"} "$base/source.sha256" "$work"/patches/*.patch "$here"/*.pm; } | sha256sum | cut -c1-16)
folder=$cache/kernel/campaigns/$key
mkdir -p "$folder/logs"
exec 9>"$folder/.lock"
flock -n 9 || fail_infrastructure "another campaign of the same series is under way" "wait for it"
[ -f "$folder/list" ] || mv "$work/list" "$folder/list"
echo "# $(wc -l <"$folder/list") mutants of $count patches, in $folder"

# -- one kernel with all of them ----------------------------------------------------------

# Ids that do not compile become a constant function: their numbers stay.
while :; do
	touch "$folder/dropped"
	"${generate[@]}" --schemata "$folder/schemata.patch" --off "$folder/dropped"
	bundle_key=$("$scripts/build-bundle.sh" --cache "$cache" --config "$config" "${build[@]}" --series "$folder/schemata.patch" --key --base "$base")
	bundle=$folder/bundle
	grep -q "\"key\": *\"${bundle_key##*$'\n'}\"" "$bundle/manifest.json" 2>/dev/null && break
	status=0
	"$scripts/build-bundle.sh" --cache "$cache" --config "$config" "${build[@]}" --series "$folder/schemata.patch" --base "$base" \
		--out "$bundle" >"$folder/build.out" 2>"$folder/build.log" || status=$?
	[ $status -eq 0 ] || [ $status -eq "$EXIT_COMPILE" ] || { grep '^@error' "$folder/build.out"; exit $status; }
	refused=$("$here/plan.pl" "$folder" drop "$folder/build.log")
	[ "$refused" -gt 0 ] || { [ $status -eq 0 ] || { grep '^@error' "$folder/build.out"; exit $status; }; break; }
	echo "# the compiler refuses $refused"
done
for tree in "$cache/kernel/tree-$config"-*; do
	grep -qx lib/peerlab_mutant.c "$tree/.peerlab-touched" 2>/dev/null || continue
	cut -f3 "$folder/list" | sed 's/:[0-9]*$//' | sort -u | while read -r name; do
		[ ! -f "$tree/${name%.c}.o" ] || echo "$name"
	done >"$folder/objects"
done
[ -z "$build_only" ] || exit 0
rm -f "$folder/sample"
[ "$sample" -eq 0 ] || "$here/plan.pl" "$folder" sample "$sample" "$folder/objects"

# -- machines --------------------------------------------------------------------------

# A machine that says nothing for so long hangs.
QUIET_SECONDS=240
# boot RIG WORK LOG -- sets ended: "ended", "hung", or "stopped" when the time is up.
boot() {
	local rig=$1 log=$3 arguments programs size quiet=0 old=-1
	read -r _ arguments < <(rig_of "$rig")
	read -r -a arguments <<<"$arguments"
	rm -rf "$work/bundle"
	cp -al "$bundle" "$work/bundle"
	{ cat "$here/guest.sh" "$2"; echo WORK; } >"$work/bundle/suites/campaign"
	chmod +x "$work/bundle/suites/campaign"
	programs=()
	for suite in $(suites_for "$rig"); do programs+=(-- "$suite" --list); done
	ended=ended
	setsid "$scripts/boot-vm.sh" --bundle "$work/bundle" "${arguments[@]}" --timeout 1500 "${programs[@]}" -- campaign >"$log" 2>&1 &
	machine=$!
	while kill -0 "$machine" 2>/dev/null; do
		sleep 1
		size=$(stat -c %s "$log")
		if [ "$size" = "$old" ]; then quiet=$((quiet + 1)); else quiet=0 old=$size; fi
		[ $quiet -lt $QUIET_SECONDS ] || ended=hung
		# All is said; what a mutant has left behind may keep it from going down.
		! grep -q '^boot-vm: campaign exit' "$log" || { kill "$machine" 2>/dev/null || true; break; }
		! out_of_time || ended=stopped
		if [ $ended != ended ]; then
			kill "$machine" 2>/dev/null || true
			break
		fi
	done
	wait "$machine" 2>/dev/null || true
	machine=''
}
suites_for() {
	if [ -n "$suites" ]; then echo "${suites//,/ }"
	elif [ "$1" = rdma ]; then echo p2p_rdma
	elif [ "$1" = switch ]; then echo p2p_functional hmm_tests
	else echo p2p_functional; fi
}
out_of_time() { [ "$seconds" -gt 0 ] && [ $((SECONDS - began)) -ge "$seconds" ]; }

trouble=0
for rig in ${rigs//,/ }; do
	for suite in $(suites_for "$rig"); do
		"$bundle/suites/$suite" --list | awk -v suite="$suite" '{ print "map", suite, $1 }'
	done >"$work/tests"
	while ! out_of_time; do
		"$here/plan.pl" "$folder" unmapped "$rig" "$work/tests" >"$work/work"
		[ -s "$work/work" ] || break
		boot "$rig" "$work/work" "$folder/logs/map-$rig.log"
		"$here/plan.pl" "$folder" map "$rig" "$folder/logs/map-$rig.log" "$ended" ||
			fail_infrastructure "the series without a mutant does not get through its tests on rig $rig" "see $folder/logs/map-$rig.log"
	done
	while ! out_of_time; do
		"$here/plan.pl" "$folder" next "$rig" 60 "$patience" >"$work/work"
		[ -s "$work/work" ] || break
		log=$folder/logs/$rig.$(date +%s).log
		boot "$rig" "$work/work" "$log"
		if "$here/plan.pl" "$folder" read "$rig" "$log" "$ended"; then trouble=0; else trouble=$((trouble + 1)); fi
		[ $trouble -lt 3 ] || fail_infrastructure "three machines in a row ended before they tried a mutant" "see $log"
	done
done
"$here/plan.pl" "$folder" report "$kernel_dir/mutants/judged.txt" "$folder/objects" | tee "$work/report"
[ -z "$report" ] || replace_between '<!-- campaign: written by scripts/run-mutants.sh --generated -->' '<!-- campaign: end -->' \
	"$work/report" "$report" || cp "$work/report" "$report"
awk -F'|' '$2 == " all " { exit($4 + $5 + $7 > 0) }' "$work/report"
