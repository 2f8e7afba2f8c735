#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Does a test notice when the series is broken?  Applies each patch of mutants/
# on top of the series, builds, boots it in QEMU, runs the suites and compares
# with what the unbroken series does on the same rig.
#
# usage: run-mutants.sh --cache DIR [--only NAME,...] [--jobs N] [--table FILE]
#                       [--keep-kills] [--fresh] [--seconds N] [--logs DIR]
#                       [--killers FILE] [--whole]
#        run-mutants.sh --list
#        run-mutants.sh --generated OPTION...   mutants by machine: mutants/campaign.sh
#
# --only        these mutants (file names without .patch)
# --jobs        number of machines at once (1); the next kernel is built meanwhile
# --table       write the result into FILE, between its marker lines; with --only
#               the rows of those mutants, the others stay as they are
# --killers     of each mutant only the tests that its row in FILE's table names, or
#               its header "X-Tests:", a few at most.  Who lives has no verdict yet.
# --whole       kernels of the whole configuration: the farm's compiler cache knows
#               nearly all of it, and they take longer to link and to boot
# --keep-kills  a mutant that was killed stays so when only tests were added
# --fresh       forget earlier results
# --seconds     the longest a machine may run (400)
# --logs        keep the consoles there (default: below the cache)
#
# A mutant says in its mail header where it shows: "X-Rig: roots-intel debug"
# (default switch; see rig_of()).  "X-Drill: reason" marks a patch that tests the
# farm and not the series; it is skipped.
#
# Results are kept in the cache by content, so that an interrupted run continues.
# stdout is KTAP; "not ok" is a mutant that no test killed.
set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kernel_dir=$(dirname "$here")
# shellcheck source=report.sh
. "$here/report.sh"

[ "${1-}" != --generated ] || { shift; exec "$here/mutants/campaign.sh" "$@"; }

usage() {
	[ $# -eq 0 ] || echo "run-mutants: $1" >&2
	sed -n '7,29s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	exit "$EXIT_USAGE"
}

cache='' only='' jobs=1 table='' killers='' keep_kills='' fresh='' seconds=400 logs='' list='' whole=''
while [ $# -gt 0 ]; do
	case $1 in
	--cache) cache=${2-}; shift 2 || usage ;;
	--only) only=${2-}; shift 2 || usage ;;
	--jobs) jobs=${2-}; shift 2 || usage ;;
	--table) table=${2-}; shift 2 || usage ;;
	--killers) killers=${2-}; shift 2 || usage ;;
	--seconds) seconds=${2-}; shift 2 || usage ;;
	--logs) logs=${2-}; shift 2 || usage ;;
	--keep-kills) keep_kills=1; shift ;;
	--fresh) fresh=1; shift ;;
	--list) list=1; shift ;;
	--whole) whole=1; shift ;;
	*) usage "unknown argument $1" ;;
	esac
done
# The build goes elsewhere before the table is written.
[ -z "$table" ] || table=$(realpath -m -- "$table")
[[ $jobs =~ ^[1-9][0-9]*$ && $seconds =~ ^[1-9][0-9]*$ ]] || usage "--jobs and --seconds: expected a number, at least 1"

# header_of NAME FIELD -- a line of the mutant's mail header.
header_of() {
	sed -n "/^\$/q; s/^$2: *//p" "$kernel_dir/mutants/$1.patch"
}

# title_of NAME -- its subject, unfolded, without the tags.
title_of() {
	awk '/^$/ { exit }
		/^Subject:/ { subject = $0; next }
		subject && /^[ \t]/ { sub(/^[ \t]+/, " "); subject = subject $0; next }
		subject { exit }
		END { sub(/^Subject: *(\[[^]]*\] *)?(MUTANT: *)?/, "", subject); print subject }' \
		"$kernel_dir/mutants/$1.patch"
}

mutants=()
for file in "$kernel_dir"/mutants/*.patch; do
	name=$(basename "$file" .patch)
	case ,${only:-$name}, in *",$name,"*) mutants+=("$name") ;; esac
done
if [ -n "$list" ]; then
	for name in "${mutants[@]}"; do
		rigs=$(header_of "$name" X-Rig)
		drill=$(header_of "$name" X-Drill)
		printf '%-34s %-28s %s\n' "$name" "${drill:+drill}${drill:-${rigs:-switch}}" "$(title_of "$name")"
	done
	exit 0
fi
[ -n "$cache" ] || usage "--cache is missing"
[ -z "$killers" ] || [ -f "$killers" ] || usage "--killers $killers: no such file"
for name in ${only//,/ }; do
	[ -f "$kernel_dir/mutants/$name.patch" ] || usage "--only $name: there is no mutants/$name.patch"
done
for pair in gcc:gcc make:make perl:perl patch:patch flock:util-linux \
	qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio depmod:kmod; do
	PATH=$PATH:/usr/sbin:/sbin need "${pair%%:*}" "${pair#*:}"
done

mkdir -p "$cache/kernel/mutants"/{results,suites} ||
	fail_infrastructure "cannot create $cache/kernel/mutants" "check the folder's owner"
store=$(cd "$cache/kernel/mutants" && pwd)
logs=${logs:-$store/logs}
mkdir -p "$logs"
exec 9>"$store/.lock"
flock -n 9 || fail_infrastructure "another run is using $store" "wait for it, or use another --cache"
work=$(mktemp -d "$store/.work.XXXXXX")
machines=()
# shellcheck disable=SC2329 # called by the trap
clean_up() {
	local pid
	for pid in ${machines[@]+"${machines[@]}"}; do
		kill -- -"$pid" 2>/dev/null || true
	done
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

note() {
	printf '# %s\n' "$*"
}

# shellcheck source=mutants-rigs.sh
. "$here/mutants-rigs.sh"

for name in "${mutants[@]}"; do
	for rig in $(header_of "$name" X-Rig); do
		rig_of "$rig" >/dev/null || usage "$name.patch: there is no rig $rig"
	done
done

# -- keys ------------------------------------------------------------------------

# hash_tree PATH... -- one hash over names and contents.
hash_tree() {
	find "$@" -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16
}

fetch_out=$("$here/fetch-base.sh" --cache "$cache") || { printf '%s\n' "$fetch_out"; exit "$EXIT_INFRASTRUCTURE"; }
base=${fetch_out##*$'\n'}
mkdir "$work/series"
"$here/split-series.pl" "$kernel_dir/patches" "$work/series" 0 >"$work/series.index" ||
	{ cat "$work/series.index"; exit "$EXIT_APPLY"; }

# files_of PATCH... -- the files they touch.
files_of() {
	sed -n -E 's/^(---|\+\+\+) "?[^\/"]+\/([^\t"]*).*/\2/p; s/^rename (from|to) (.*)/\2/p' "$@" | sort -u
}

# stage_sources FOLDER PATCH... -- the files that the patches touch, patched.
stage_sources() {
	local stage=$1 file patch
	shift
	rm -rf "$stage"
	mkdir -p "$stage"
	while read -r file; do
		mkdir -p "$stage/$(dirname "$file")"
		[ ! -f "$base/tree/$file" ] || cp -p "$base/tree/$file" "$stage/$file"
	done < <(files_of "$@")
	for patch in "$@"; do
		if ! (cd "$stage" && patch -p1 --forward --batch --fuzz=0 --no-backup-if-mismatch \
			--reject-file=- <"$patch") >"$work/patch.log" 2>&1; then
			grep -E 'FAILED|malformed|patching' "$work/patch.log" | sed 's/^/#   /'
			return 1
		fi
	done
}

# What counts is the code: a reworded message or document is the same series.
stage_sources "$work/stage" "$work"/series/*.patch ||
	fail_infrastructure "the series does not apply" "see above"
series_key=$(
	cd "$work/stage"
	{
		cat "$base/source.sha256"
		find . -type f ! -path './Documentation/*' ! -path './tools/*' -print0 | sort -z | xargs -0 sha256sum
	} | sha256sum | cut -c1-16
)
# The tests must not change while a long run is under way.
mkdir "$work/inputs"
mkdir "$work/inputs/config"
cp -r "$kernel_dir"/{module,selftests} "$work/inputs/"
cp "$kernel_dir"/config/{peerlab.config,memory-only.fragment} "$kernel_dir"/mutants/lean-debug.config "$work/inputs/config/"
[ ! -d "$work/stage/tools" ] || cp -r "$work/stage/tools" "$work/inputs/"
tests_key=$( (cd "$work/inputs" && hash_tree .) )

# shellcheck source=mutants-build.sh
. "$here/mutants-build.sh"
# shellcheck source=mutants-verdict.sh
. "$here/mutants-verdict.sh"

# -- running ---------------------------------------------------------------------

# run_baseline RIG -- what the series does; twice, only what passes both times counts.
run_baseline() {
	local rig=$1 config key round bundle result
	read -r config _ < <(rig_of "$rig")
	key="key $series_key $tests_key $config"
	result=$store/results/$(baseline_of "$rig")
	[ "$(head -1 "$result" 2>/dev/null)" != "$key$(chosen_for "$rig" "${mutants[@]}")" ] || return 0
	note "baseline of rig $rig"
	bundle=$store/baseline-$config
	if [ "$(cat "$bundle.key" 2>/dev/null)" != "$key" ]; then
		rm -f "$bundle.key"
		set_sources "$config" || fail_infrastructure "the series does not apply" "see above"
		build "$config" "$bundle" >"$logs/baseline.$config.build.log" 2>&1 ||
			fail_infrastructure "the series does not build" "see $logs/baseline.$config.build.log"
		echo "$key" >"$bundle.key"
	fi
	# This machine is one of the --jobs.
	await $((jobs - 1))
	for round in 1 2; do
		boot "$bundle" "$rig" "$logs/baseline.$rig.$round.log" "${mutants[@]}"
		read_log "$logs/baseline.$rig.$round.log" >"$work/baseline.$round"
	done
	{
		echo "$key$(chosen_for "$rig" "${mutants[@]}")"
		grep -h '^splat' "$work"/baseline.[12] | sort -u || true
		grep -E '^(pass|way)' "$work/baseline.1" | sort -u | comm -12 - <(grep -E '^(pass|way)' "$work/baseline.2" | sort -u) || true
		grep -h -E '^(fail|crash|hang) ' "$work"/baseline.[12] | sort -u || true
	} >"$work/baseline"
	grep -q '^pass ' "$work/baseline" || fail_infrastructure "no test passes on rig $rig without a mutant" \
		"see $logs/baseline.$rig.1.log"
	grep -E '^(fail|crash|hang|splat) ' "$work/baseline" | sed "s/^/# on rig $rig without a mutant: /" || true
	note "rig $rig: $(grep -c '^pass' "$work/baseline") tests pass"
	mv "$work/baseline" "$result"
}

# result_key NAME -- patch, rigs and series; then the tests.
result_key() {
	printf 'key %s %s %s\n' "$(sha256sum <"$kernel_dir/mutants/$1.patch" | cut -c1-16)" "$series_key" "$tests_key"
}

# have_result NAME
have_result() {
	local file=$store/results/$1.mutant old new
	[ -z "$fresh" ] && [ -f "$file" ] || return 1
	old=$(head -1 "$file") new=$(result_key "$1")
	! grep -q '^problem' "$file" || return 1
	[ "$old" != "$new" ] || return 0
	[ -n "$keep_kills" ] && [ "${old% *}" = "${new% *}" ] && grep -q '^killed ' "$file"
}

number=0 survivors=0
# report NAME
report() {
	local file=$store/results/$1.mutant kills count
	number=$((number + 1))
	kills=$(sed -n 's/^killed [^ ]* //p' "$file" | sort -u)
	count=$(grep -c . <<<"$kills" || true)
	if [ -n "$kills" ]; then
		echo "ok $number $1 # killed by $(head -3 <<<"$kills" | paste -sd, | sed 's/,/, /g')$([ "$count" -le 3 ] || echo ", …") ($count)"
	else
		survivors=$((survivors + 1))
		sed -n 's/^problem /# /p' "$file"
		echo "not ok $number $1 # $(grep -q '^problem' "$file" && echo 'no verdict' || echo 'survived: a test is missing')"
		# Only all tests together can say that none kills it.
		[ -z "$killers" ] || rm -f "$file"
	fi
}

# test_mutant NAME -- boots its kernels; runs in the background.
test_mutant() {
	local name=$1 rig config
	result_key "$name" >"$work/$name.mutant"
	for rig in $2; do
		read -r config _ < <(rig_of "$rig")
		boot "$work/bundle-$name-$config" "$rig" "$logs/$name.$rig.log" "$name"
		read_log "$logs/$name.$rig.log" >"$work/$name.$rig.result"
		judge "$name" "$rig" | sed "s/^/killed $rig /" >>"$work/$name.mutant"
		sed "s/^/saw $rig /" "$work/$name.$rig.result" >>"$work/$name.mutant"
	done
	if grep -q '^saw [^ ]* wrong' "$work/$name.mutant"; then
		{ result_key "$name"; echo "problem another kernel was running, see $logs"; } >"$work/$name.mutant"
	fi
	mv "$work/$name.mutant" "$store/results/$name.mutant"
	rm -rf "$work/bundle-$name"-*
}

# await COUNT -- until at most so many machines run; reports the others.
running=()
await() {
	local index
	while [ ${#running[@]} -gt "$1" ]; do
		wait -n "${machines[@]}" 2>/dev/null || true
		for index in "${!running[@]}"; do
			kill -0 "${machines[$index]}" 2>/dev/null && continue
			report "${running[$index]}"
			unset "running[$index]" "machines[$index]"
		done
		running=(${running[@]+"${running[@]}"})
		machines=(${machines[@]+"${machines[@]}"})
	done
}

# -- all of them -----------------------------------------------------------------

build_suites
echo "KTAP version 1"
echo "1..${#mutants[@]}"
for name in "${mutants[@]}"; do
	drill=$(header_of "$name" X-Drill)
	if [ -n "$drill" ]; then
		number=$((number + 1))
		echo "ok $number $name # SKIP not a mutant of the series: $drill"
		continue
	fi
	if have_result "$name"; then
		report "$name"
		continue
	fi
	rigs=$(header_of "$name" X-Rig)
	rigs=${rigs:-switch}
	for rig in $rigs; do run_baseline "$rig"; done
	problem=''
	configs=$(for rig in $rigs; do rig_of "$rig" | cut -d' ' -f1; done | sort -u)
	for config in $configs; do
		if ! set_sources "$config" "$kernel_dir/mutants/$name.patch"; then
			problem="does not apply to the series"
		elif ! build "$config" "$work/bundle-$name-$config" \
			"$kernel_dir/mutants/$name.patch" >"$logs/$name.build.log" 2>&1; then
			problem="does not compile: $(grep -m1 -E 'error:|Error ' "$logs/$name.build.log" || true)"
		fi
	done
	if [ -n "$problem" ]; then
		{ result_key "$name"; echo "problem $problem"; } >"$store/results/$name.mutant"
		report "$name"
		# A failure to apply or build is not kept as a result.
		rm -f "$store/results/$name.mutant"
		continue
	fi
	await $((jobs - 1))
	set -m
	test_mutant "$name" "$rigs" &
	set +m
	machines+=("$!")
	running+=("$name")
done
await 0
# Restore the series without a mutant.
for config in lean lean-debug peerlab; do
	[ ! -d "$store/tree-$config" ] || set_sources "$config"
done

[ -z "$table" ] || write_table "$table"
note "${#mutants[@]} mutants, $survivors without a verdict or alive"
[ "$survivors" -eq 0 ]
