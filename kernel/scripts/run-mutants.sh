#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Does a test notice when the series is broken?  Applies each patch of mutants/
# on top of the series, builds, boots it in QEMU, runs the suites and compares
# with what the unbroken series does on the same rig.
#
# usage: run-mutants.sh --cache DIR [--only NAME,...] [--jobs N] [--table FILE]
#                       [--keep-kills] [--fresh] [--seconds N] [--logs DIR]
#        run-mutants.sh --list
#
# --only        these mutants (file names without .patch)
# --jobs        so many machines at once (1); the next kernel is built meanwhile
# --table       write the result into FILE, between its marker lines
# --keep-kills  a mutant that was killed stays so when only tests were added
# --fresh       forget earlier results
# --seconds     the longest a machine may run (400)
# --logs        keep the consoles there (default: below the cache)
#
# A mutant says in its mail header where it shows: "X-Rig: roots-intel debug"
# (default switch; see rig_of()).  "X-Drill: reason" marks a patch that tests the
# farm and not the series; it is skipped.
#
# Results are kept below the cache by content: an interrupted run goes on where
# it was.  stdout is KTAP, "not ok" is a survivor: a missing test.
set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kernel_dir=$(dirname "$here")
# shellcheck source=report.sh
. "$here/report.sh"

usage() {
	[ $# -eq 0 ] || echo "run-mutants: $1" >&2
	sed -n '7,22s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	exit "$EXIT_USAGE"
}

cache='' only='' jobs=1 table='' keep_kills='' fresh='' seconds=400 logs='' list=''
while [ $# -gt 0 ]; do
	case $1 in
	--cache) cache=${2-}; shift 2 || usage ;;
	--only) only=${2-}; shift 2 || usage ;;
	--jobs) jobs=${2-}; shift 2 || usage ;;
	--table) table=${2-}; shift 2 || usage ;;
	--seconds) seconds=${2-}; shift 2 || usage ;;
	--logs) logs=${2-}; shift 2 || usage ;;
	--keep-kills) keep_kills=1; shift ;;
	--fresh) fresh=1; shift ;;
	--list) list=1; shift ;;
	*) usage "unknown argument $1" ;;
	esac
done
[[ $jobs =~ ^[1-9][0-9]*$ && $seconds =~ ^[1-9][0-9]*$ ]] || usage "--jobs and --seconds want a number"

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
for name in ${only//,/ }; do
	[ -f "$kernel_dir/mutants/$name.patch" ] || usage "there is no mutant $name"
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
flock -n 9 || fail_infrastructure "another run works in $store" "wait for it, or use another --cache"
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

# -- rigs ------------------------------------------------------------------------

# rig_of NAME -- its configuration and arguments of boot-vm.sh up to the suites.
# "lean" is mutants/lean.config on top of peerlab.config, "lean-debug" one more.
rig_of() {
	case $1 in
	switch | provoke) echo "lean --path switch" ;;
	roots) echo "lean --path roots" ;;
	roots-intel) echo "lean --path roots --cpu Skylake-Client-v4" ;;
	two) echo "lean --path two" ;;
	mixed) echo "lean --path mixed --cpu Skylake-Client-v4" ;;
	iommu) echo "lean --path roots --iommu translated" ;;
	debug) echo "lean-debug --path switch" ;;
	rdma) echo "peerlab --path switch" ;;
	*) return 1 ;;
	esac
}

# suites_of NAME -- what to run there, as boot-vm.sh wants it, which packs only
# the programs it is told to start: list their tests first.
suites_of() {
	case $1 in
	switch | debug)
		echo "-- p2p_functional --list -- hmm-tests -l -- marked p2p_functional --oracle=stdio" \
			"-- marked hmm-tests -T benchmark_thp_migration" ;;
	# What makes the kernel complain if it is right.
	provoke)
		echo "-- p2p_functional --list" \
			"-- marked p2p_functional --provoke --only F05.own_page_is_no_address" ;;
	rdma) echo "-- p2p_rdma --list -- marked p2p_rdma" ;;
	*) echo "-- p2p_functional --list -- marked p2p_functional --oracle=stdio" ;;
	esac
}

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
cp "$kernel_dir"/config/peerlab.config "$kernel_dir"/mutants/lean*.config "$work/inputs/config/"
[ ! -d "$work/stage/tools" ] || cp -r "$work/stage/tools" "$work/inputs/"
tests_key=$( (cd "$work/inputs" && hash_tree .) )

# -- trees -----------------------------------------------------------------------

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
	lean) echo "$in/peerlab.config" "$in/lean.config" ;;
	lean-debug) echo "$in/peerlab.config" "$in/lean.config" "$in/lean-debug.config" ;;
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
		{ sed 's/^/# /' "$work/suites.log"; fail_infrastructure "the suites do not build" "see above"; }
	nice -n 15 make -C "$work/inputs/selftests/rdma" CC="$compiler" UAPI="$work/inputs/module" \
		HARNESS="$work/inputs/selftests" OUT="$out" >"$work/suites.log" 2>&1 ||
		{ sed 's/^/# /' "$work/suites.log"; fail_infrastructure "p2p_rdma does not build" "see above"; }
	# Upstream's own, with what the series adds to it and the headers of its kernel.
	set_sources lean || fail_infrastructure "the series does not apply" "see above"
	{
		configure lean && tree_make lean -s headers &&
			cd "$store/tree-lean/tools/testing/selftests/mm" &&
			nice -n 15 gcc -O1 -w -static -pthread -D_GNU_SOURCE -isystem "$store/tree-lean/usr/include" \
				-I.. -I../../../.. -I../../../include -I. \
				hmm-tests.c vm_util.c hugepage_settings.c -o "$out/hmm-tests" && cd "$here"
	} >"$work/suites.log" 2>&1 ||
		{ sed 's/^/# /' "$work/suites.log"; fail_infrastructure "hmm-tests does not build" "see above"; }
	touch "$out/.complete"
}

# -- judging ---------------------------------------------------------------------

# boot BUNDLE RIG LOG
boot() {
	local config args suites
	read -r config args < <(rig_of "$2")
	: "$config"
	read -r -a args <<<"$args"
	read -r -a suites <<<"$(suites_of "$2")"
	# A mutant that makes boot-vm.sh say no is what we are after.
	nice -n 5 "$here/boot-vm.sh" --bundle "$1" "${args[@]}" --timeout "$seconds" "${suites[@]}" \
		>"$3" 2>&1 || true
	# A result counts only for the kernel it is said to be of.
	! grep -q '^# notes: ' "$3" || grep -q "^# notes: .*$(cat "$1/build-id")" "$3" ||
		echo "not ok 0 another kernel was running" >>"$3"
}

# read_log LOG -- one line each: pass|fail|skip|crash|hang|splat|way TEST [TEXT].
# "way" is how the data of a passing test went, in the words of its proof line.
read_log() {
	tr -d '\r\000' <"$1" | awk '
		function plain(text) {
			sub(/^\[[^]]*\] */, "", text); sub(/\+0x[0-9a-f]+\/.*/, "", text)
			gsub(/0x[0-9a-f]+|[0-9a-f]{8,}/, "N", text); gsub(/(pid|CPU)[#:=]? *[0-9]+/, "", text)
			return text
		}
		/^KTAP version/ { begun = 1 }
		/^#  RUN / { test = $3; running = 1; way = "" }
		/^# test: / { test = $3; running = 1; way = "" }
		/^# proof: .*"expected":"(peer|ram)"/ {
			way = $0; sub(/.*"expected":"/, "", way); sub(/".*/, "", way)
			aliases = $0; sub(/.*"aliasPages":/, "", aliases); aliases += 0
			type = $0; sub(/.*"mapType":"/, "", type); sub(/".*/, "", type)
			way = way (aliases ? " alias " type : " ram")
		}
		/^ok [0-9]+ / { if (way != "") print "way " $3 " " way }
		/^ok [0-9]+ / { print (/ # SKIP/ ? "skip " : "pass ") $3; running = 0 }
		/^not ok 0 another kernel/ { print "wrong kernel"; next }
		/^not ok [0-9]+ / { print (/ # XFAIL/ ? "skip " : "fail ") $4; running = 0 }
		/^# kernel: / {
			id = $3; sub(/^# kernel: [^ ]+ /, ""); text = plain($0); told[text]
			print "splat " id " " text; next
		}
		!/^(#|ok |not ok |boot-vm)/ && /WARNING|BUG:|Oops|INFO:|DMAR: .*fault|clamping|DMA-API|leaked/ {
			text = plain($0)
			if (!(text in told)) { late[text] = running ? test : "-" }
		}
		/Kernel panic/ { panic = 1 }
		/^boot-vm: done/ { done = 1 }
		END {
			if (!begun) test = "boot"
			if (!done) print (panic ? "crash " : "hang ") (running || !begun ? test : "after-" test)
			for (text in late) print "splat " late[text] " " text
		}'
}

# known_splats: kernel messages that the unbroken series causes, too.
# judge NAME RIG -- the tests that killed it there, one a line.
judge() {
	awk -v baseline="$store/results/baseline-$2" '
		BEGIN {
			while ((getline line <baseline) > 0) {
				split(line, f, " ")
				if (f[1] == "pass") passes[f[2]]
				if (f[1] == "way") { way[f[2]] = f[3] " " f[4] " " f[5] }
				if (f[1] == "splat") { sub(/^splat [^ ]+ /, "", line); known[line] }
			}
		}
		$1 == "fail" && $2 in passes { print $2 }
		# The rule of the farm: peer data must take the way it takes without the
		# mutant, and RAM stays RAM.
		$1 == "way" && $2 in passes && way[$2] != $3 " " $4 " " $5 {
			print $2 " (" ($4 == "ram" ? "went through RAM" : "took the alias as " $5) ")"
		}
		$1 == "crash" || $1 == "hang" { print $2 " (" $1 ")" }
		$1 == "splat" {
			id = $2; text = $0; sub(/^splat [^ ]+ /, "", text)
			if (!(text in known) && !((id, text) in seen)) {
				seen[id, text]
				gsub(/\|/, "/", text)
				print (id == "-" ? "kernel-log" : id) " (" substr(text, 1, 70) ")"
			}
		}' "$work/$1.$2.result" | awk '!seen[$0]++'
}

# run_baseline RIG -- what the series does; twice, only what passes both times counts.
run_baseline() {
	local rig=$1 config key round
	read -r config _ < <(rig_of "$rig")
	key="key $series_key $tests_key"
	[ "$(head -1 "$store/results/baseline-$rig" 2>/dev/null)" != "$key" ] || return 0
	note "baseline of rig $rig"
	set_sources "$config" || fail_infrastructure "the series does not apply" "see above"
	if [ "$(cat "$work/baseline-$config/manifest.json" 2>/dev/null)" = '' ]; then
		build "$config" "$work/baseline-$config" >"$logs/baseline.$config.build.log" 2>&1 ||
			fail_infrastructure "the series does not build" "see $logs/baseline.$config.build.log"
	fi
	for round in 1 2; do
		boot "$work/baseline-$config" "$rig" "$logs/baseline.$rig.$round.log"
		read_log "$logs/baseline.$rig.$round.log" >"$work/baseline.$round"
	done
	{
		echo "$key"
		grep -h '^splat' "$work"/baseline.[12] | sort -u || true
		grep -E '^(pass|way)' "$work/baseline.1" | sort -u | comm -12 - <(grep -E '^(pass|way)' "$work/baseline.2" | sort -u) || true
		grep -h -E '^(fail|crash|hang) ' "$work"/baseline.[12] | sort -u || true
	} >"$work/baseline"
	grep -q '^pass ' "$work/baseline" || fail_infrastructure "no test passes on rig $rig without a mutant" \
		"see $logs/baseline.$rig.1.log"
	grep -E '^(fail|crash|hang|splat) ' "$work/baseline" | sed "s/^/# on rig $rig without a mutant: /" || true
	note "rig $rig: $(grep -c '^pass' "$work/baseline") tests pass"
	mv "$work/baseline" "$store/results/baseline-$rig"
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
	fi
}

# test_mutant NAME -- boots its kernels; runs in the background.
test_mutant() {
	local name=$1 rig config
	result_key "$name" >"$work/$name.mutant"
	for rig in $2; do
		read -r config _ < <(rig_of "$rig")
		boot "$work/bundle-$name-$config" "$rig" "$logs/$name.$rig.log"
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
		# Trouble with the patch is no verdict to remember.
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
# The tree is left as the series has it.
for config in lean lean-debug peerlab; do
	[ ! -d "$store/tree-$config" ] || set_sources "$config"
done

# -- the table -------------------------------------------------------------------

# table_rows -- one for each mutant, from the results that are still true.
table_rows() {
	local name kills shown count
	echo '| mutant | what it breaks | rig | killed by |'
	echo '|---|---|---|---|'
	for file in "$kernel_dir"/mutants/*.patch; do
		name=$(basename "$file" .patch)
		[ -z "$(header_of "$name" X-Drill)" ] || continue
		kills='' shown='not run'
		if fresh='' have_result "$name"; then
			kills=$(sed -n 's/^killed [^ ]* //p' "$store/results/$name.mutant" | sort -u)
			count=$(grep -c . <<<"$kills" || true)
			shown=$(head -12 <<<"$kills" | sed -E "s/^([^ ]+)/\`\1\`/" | paste -sd, | sed "s/,/, /g")
			[ "$count" -le 12 ] || shown+=", and $((count - 12)) more"
			[ -n "$kills" ] || shown='**nobody**'
		fi
		rigs=$(header_of "$name" X-Rig)
		printf '| [%s](%s.patch) | %s | %s | %s |\n' "$name" "$name" "$(title_of "$name")" "${rigs:-switch}" "$shown"
	done
}

if [ -n "$table" ]; then
	begin='<!-- mutants: written by scripts/run-mutants.sh -->' end='<!-- mutants: end -->'
	table_rows >"$work/rows"
	if grep -qxF "$begin" "$table" 2>/dev/null; then
		awk -v begin="$begin" -v end="$end" -v rows="$work/rows" '
			$0 == begin { print; while ((getline line <rows) > 0) print line; skip = 1 }
			$0 == end { skip = 0 }
			!skip' "$table" >"$work/table"
	else
		{ cat "$table" 2>/dev/null || true; echo "$begin"; cat "$work/rows"; echo "$end"; } >"$work/table"
	fi
	cp "$work/table" "$table"
fi
note "${#mutants[@]} mutants, $survivors without a verdict or alive"
[ "$survivors" -eq 0 ]
