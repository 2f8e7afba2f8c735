#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Build one kernel with its modules and test suites, as a bundle.
#
# usage: build-bundle.sh --cache DIR --out DIR [--series none|bundled|PATH]...
#                        [--config NAME|--config-file FILE]
#                        [--local TARBALL|GITTREE|--base NAME|DIR]
#                        [--tree DIR] [--fragment FILE] [--kselftest TARGET]...
#                        [--mutants COUNT]
#        build-bundle.sh --cache DIR --key [--patches DIR] [--series ...]
#                        [--config NAME|--config-file FILE] [--domain NAME]
#                        [--fragment FILE] [--kselftest TARGET]... [--mutants COUNT]
#
# PATH is a folder of *.patch files or a mail (mbox) file; several series are
# applied in the order given.  "bundled" is kernel/patches.  --config NAME merges
# config/peerlab.config and, unless NAME is peerlab, config/NAME.config on top; a
# configuration that says "# whole: yes" stands for itself, with config/farm.fragment.
# So does --config-file FILE, a .config of anybody, such as /boot/config-6.1.0-13-amd64;
# what names files and releases is left out (plain_settings in configuration.sh).
# --base is one of base.json's other bases, or a tree that fetch-base.sh has printed,
# so that nothing is fetched.
# --tree names a copy of that tree which is this build's alone, to build in.
# --fragment FILE has settings on top of the configuration.
# --kselftest TARGET builds that folder of the tree's tools/testing/selftests too;
# the bundle has it as an archive.  One that does not build is left out, and the manifest says why.
# --mutants COUNT: the kernel carries mutants of the lines that the series adds
# (mutants/generate.pl); mutants.json in the bundle names COUNT of them to try, and
# those that the compiler refuses or that are not built.
# devel.tar.gz of the bundle is what a driver from outside of the tree is built
# against (build-driver.sh); a tree without scripts/package/install-extmod-build gives none.
# --domain NAME is part of the key: kernels that are built with a compiler cache of
# NAME's own are taken for NAME's alone.
#
# --key runs nothing that a series brings: it prints a line "@inputs {json}" with
# everything that goes into the bundle, then the content key.  --patches DIR
# leaves the text of each patch there, as it will be applied.
#
# What a bundle holds follows from its key alone.  The trees kernels are built in
# are kept in the cache, a few for each configuration: after a change of one patch
# only what depends on it is compiled.
#
# stdout: lines "@progress PERCENT TEXT", at the end "@bundle DIR".
# stderr: the whole log.  A failure is one line "@error {json}" on stdout:
#   10 the series does not apply     class apply, patch, file, hunk, line, detail
#   11 it does not compile           class compile, file, line, detail
#   12 disk, network or tool trouble class infrastructure, detail, remedy
#    2 wrong usage
set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kernel_dir=$(dirname "$here")
# shellcheck source=report.sh
. "$here/report.sh"
# shellcheck source=suites.sh
. "$here/suites.sh"
# shellcheck source=symbols.sh
. "$here/symbols.sh"
# shellcheck source=devel.sh
. "$here/devel.sh"
# shellcheck source=manifest.sh
. "$here/manifest.sh"
# shellcheck source=configuration.sh
. "$here/configuration.sh"

usage() {
	sed -n '3,34s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	# Last, because a caller shows the last line as the reason.
	[ $# -eq 0 ] || echo "build-bundle: $1" >&2
	exit "$EXIT_USAGE"
}

cache='' out='' config='' config_file='' key_only='' local_source='' base='' patches='' domain='' given_tree='' fragment='' mutants='' series=() kselftests=()
while [ $# -gt 0 ]; do
	case $1 in
	--cache) cache=${2-}; shift 2 || usage ;;
	--out) out=${2-}; shift 2 || usage ;;
	--series) series+=("${2-}"); shift 2 || usage ;;
	--config) config=${2-}; shift 2 || usage ;;
	--config-file) config_file=${2-}; shift 2 || usage ;;
	--local) local_source=${2-}; shift 2 || usage ;;
	--base) base=${2-}; shift 2 || usage ;;
	--patches) patches=${2-}; shift 2 || usage ;;
	--domain) domain=${2-}; shift 2 || usage ;;
	--tree) given_tree=${2-}; shift 2 || usage ;;
	--fragment) fragment=${2-}; shift 2 || usage ;;
	--kselftest) kselftests+=("${2-}"); shift 2 || usage ;;
	--mutants) mutants=${2-}; shift 2 || usage ;;
	--key) key_only=1; shift ;;
	*) usage "unknown argument $1" ;;
	esac
done
[ -n "$cache" ] || usage "--cache is missing"
[ -n "$out$key_only" ] || usage "--out is missing"
if [ -n "$config_file" ]; then
	[ -z "$config" ] || usage "--config-file: --config names another one"
	[ -f "$config_file" ] || usage "--config-file $config_file: no such file"
	# Of trees and of what it takes to build one.
	config=whole
else
	config=${config:-peerlab}
	[[ $config =~ ^[a-z0-9-]+$ && -f $kernel_dir/config/$config.config ]] ||
		usage "--config $config: there is no $config.config in $kernel_dir/config"
fi
for s in ${series[@]+"${series[@]}"}; do
	case $s in
	none | bundled) ;;
	*) [ -e "$s" ] || usage "--series $s: no such file or folder" ;;
	esac
done

[ -z "$fragment" ] || [ -f "$fragment" ] || usage "--fragment $fragment: no such file"
for target in ${kselftests[@]+"${kselftests[@]}"}; do
	[[ $target =~ ^[a-zA-Z0-9_-]{1,40}(/[a-zA-Z0-9_-]{1,40}){0,3}$ ]] || usage "--kselftest $target: no folder of tools/testing/selftests"
done
[ -z "$mutants" ] || [[ $mutants =~ ^[1-9][0-9]{0,3}$ ]] || usage "--mutants $mutants: expected a number from 1 to 9999"
[ ${#kselftests[@]} -eq 0 ] || mapfile -t kselftests < <(printf '%s\n' "${kselftests[@]}" | sort -u)

for pair in gcc:gcc make:make ld:binutils perl:perl git:git sha256sum:coreutils flock:util-linux; do
	need "${pair%%:*}" "${pair#*:}"
done
mkdir -p "$cache/kernel" || fail_infrastructure "cannot create $cache/kernel" "check the folder's owner"
cache=$(cd "$cache" && pwd)
work=$(mktemp -d "$cache/kernel/.series.XXXXXX") ||
	fail_infrastructure "cannot write to $cache/kernel" "check the owner and the free space of the folder"
staging='' maker=''
# shellcheck disable=SC2329 # called by the trap
clean_up() {
	# make stops its compilers and removes their incomplete output.
	if [ -n "$maker" ] && kill "$maker" 2>/dev/null; then
		wait "$maker" || true
		tree_is_clean
	fi
	rm -rf "$work"
	[ -z "$staging" ] || rm -rf "$staging"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# hash_tree DIRECTORY -- one hash over the names and contents of its files.
hash_tree() {
	(cd "$1" && find . -type f -printf '%P\0' | sort -z | xargs -0 -r sha256sum) | sha256sum | cut -d' ' -f1
}

# fail_apply PATCH DETAIL [FILE HUNK LINE]
fail_apply() {
	printf '@error {"class":"apply","patch":%s,"file":%s,"hunk":%s,"line":%s,"detail":%s}\n' \
		"$(json_string "$1")" "$([ -n "${3-}" ] && json_string "$3" || echo null)" \
		"${4:-null}" "${5:-null}" "$(json_string "$2")"
	exit "$EXIT_APPLY"
}

# fail_compile DETAIL [FILE LINE [LINE-OF-THE-LOG]]
fail_compile() {
	[ -z "${tree-}" ] || tree_is_clean
	printf '@error {"class":"compile","file":%s,"line":%s,"detail":%s,"said":%s}\n' \
		"$([ -n "${2-}" ] && json_string "$2" || echo null)" "${3:-null}" "$(json_string "$1")" \
		"$([ -n "${4-}" ] && json_string "$4" || echo null)"
	exit "$EXIT_COMPILE"
}

# -- the inputs and their key ------------------------------------------------

if [ ! -d "$base" ]; then
	[ -n "$key_only" ] || progress 0 "looking for the base kernel"
	fetch_args=(--cache "$cache")
	[ -z "$local_source" ] || fetch_args+=(--local "$local_source")
	[ -z "$base" ] || fetch_args+=(--base "$base")
	fetch_out=$("$here/fetch-base.sh" "${fetch_args[@]}") || {
		status=$?
		printf '%s\n' "$fetch_out"
		exit $status
	}
	base=${fetch_out##*$'\n'}
fi
[ -f "$base/source.sha256" ] || usage "--base $base: not a tree of fetch-base.sh: source.sha256 is missing"
base_key=$(cat "$base/source.sha256")
base_version=$(cat "$base/version")

: >"$work/index"
count=0
for s in ${series[@]+"${series[@]}"}; do
	case $s in
	none) continue ;;
	bundled) s=$kernel_dir/patches ;;
	esac
	if ! "$here/split-series.pl" "$s" "$work" "$count" >"$work/part"; then
		IFS=$'\t' read -r _ label detail < <(grep '^error' "$work/part" || printf 'error\t%s\tit cannot be read\n' "$s")
		fail_apply "$label" "$detail"
	fi
	cat "$work/part" >>"$work/index"
	count=$(wc -l <"$work/index")
done

# What the configuration starts from: a whole one, or none for tinyconfig.
whole=$kernel_dir/config/$config.config
mkdir -p "$work/config"
if [ -n "$config_file" ]; then
	whole=$work/$config.config
	[ "$(stat -Lc %s "$config_file")" -le "$CONFIG_MAX_BYTES" ] ||
		fail_compile "the configuration has more than $CONFIG_MAX_BYTES bytes, and so is none"
	plain_settings <"$config_file" >"$whole" 2>"$work/line" ||
		fail_compile "line $(head -c 20 "$work/line" | head -n 1) of the configuration is no setting; expected CONFIG_NAME=y, =m, =n, a number or a \"text\", or # CONFIG_NAME is not set"
	grep -q '^CONFIG_[A-Za-z0-9_]*=' "$whole" || fail_compile "the configuration turns nothing on"
	fragments=("$kernel_dir/config/farm.fragment")
elif head -n 10 "$whole" | grep -qx '# whole: yes'; then
	fragments=("$kernel_dir/config/farm.fragment")
else
	whole=''
	fragments=("$kernel_dir/config/peerlab.config")
	[ "$config" = peerlab ] || fragments+=("$kernel_dir/config/$config.config")
fi
toolchain="$(gcc --version | sed -n 1p); $(ld --version | sed -n 1p)"

shopt -s nullglob
# A copy, so that what is built is what was hashed even when the checkout changes meanwhile.
mkdir -p "$work/inputs"/{module,selftests/{rdma,upstream/baseline},scripts}
cp "$kernel_dir"/module/{Kbuild,Makefile,*.[ch]} "$work/inputs/module/"
for folder in . rdma upstream; do
	files=("$kernel_dir/selftests/$folder"/{Makefile,*.[chS],*.sh})
	[ ${#files[@]} -eq 0 ] || [ ! -e "${files[0]}" ] || cp "${files[@]}" "$work/inputs/selftests/$folder/"
done
cp "$kernel_dir"/selftests/suites.json "$work/inputs/selftests/"
cp "$kernel_dir"/selftests/upstream/baseline/*.txt "$work/inputs/selftests/upstream/baseline/"
cp ${whole:+"$whole"} "${fragments[@]}" "$work/config/"
whole=${whole:+$work/config/${whole##*/}}
fragments=("${fragments[@]/#$kernel_dir/$work}")
config_name=$(name_in_manifest "$config" "$whole" "${fragments[@]}")
if [ -n "$fragment" ]; then
	mkdir "$work/config/submitted"
	cp "$fragment" "$work/config/submitted/fragment.config"
	fragments+=("$work/config/submitted/fragment.config")
fi
cp "$here"/{build-bundle,report,tree,suites,symbols,devel,manifest,configuration,count-lines}.sh \
	"$here"/{split-series,lost-settings,compile-progress,coverage-lines}.pl "$work/inputs/scripts/"
if [ -n "$mutants" ]; then
	mkdir "$work/inputs/mutants"
	cp "$here"/mutants/*.p[lm] "$here"/mutants/peerlab_mutant.[ch] "$here/mutants/schemata.sh" "$work/inputs/mutants/"
fi
config_key=$(settings_digest "$whole" "${fragments[@]}")
key=$(
	{
		echo "base $base_key"
		while IFS=$'\t' read -r number _; do
			echo "patch $(sha256sum <"$work/$(printf %04d "$number").patch")"
		done <"$work/index"
		echo "config $config_name $config_key"
		echo "toolchain $toolchain"
		# The module, its suites, these scripts and generators of mutants.
		echo "inputs $(hash_tree "$work/inputs")"
		[ -z "$domain" ] || echo "domain $domain"
		[ -z "$mutants" ] || echo "mutants $mutants"
		[ ${#kselftests[@]} -eq 0 ] || printf 'kselftest %s\n' "${kselftests[@]}"
	} | sha256sum | cut -d' ' -f1
)

if [ -n "$key_only" ]; then
	[ -z "$patches" ] || cp "$work"/[0-9][0-9][0-9][0-9].patch "$patches/" 2>/dev/null || [ "$count" -eq 0 ] ||
		fail_infrastructure "cannot write the patches to $patches" "free disk space"
	printf '@inputs {%s}\n%s\n' "$(inputs_json | tr -d '\n')" "$key"
	exit 0
fi

# finished DIRECTORY -- a bundle with this key lies there.
finished() {
	grep -q "\"key\": *\"$key\"" "$1/manifest.json" 2>/dev/null
}

mkdir -p "$(dirname "$out")" || fail_infrastructure "cannot create $(dirname "$out")" "check the folder's owner"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
exec 8>"$cache/kernel/.build-${key:0:16}.lock"
if ! flock -n 8; then
	progress 0 "waiting for another build of the same kernel"
	flock -w 3600 8 || fail_infrastructure "another build of $key has been running for an hour" \
		"see who holds $cache/kernel/.build-${key:0:16}.lock"
fi
if finished "$out"; then
	progress 100 "already built"
	echo "@bundle $out"
	exit 0
fi
need_space "$cache/kernel" 1500
need_space "$(dirname "$out")" 100
for pair in bison:bison flex:flex bc:bc depmod:kmod readelf:binutils objcopy:binutils cpio:cpio; do
	PATH=$PATH:/usr/sbin:/sbin need "${pair%%:*}" "${pair#*:}"
done
[ -f /usr/include/infiniband/verbs.h ] ||
	fail_infrastructure "the headers of libibverbs are missing" "apt-get install libibverbs-dev"

# -- the tree -----------------------------------------------------------------

# shellcheck source=tree.sh
. "$here/tree.sh"
# shellcheck source=count-lines.sh
. "$here/count-lines.sh"
release_suffix=-peerlab-${key:0:8}
apply_series "$work/index"
counts=''
! counts_lines ${whole:+"$whole"} "${fragments[@]}" || counts=1
[ -z "$counts" ] || count_series
if [ -n "$mutants" ]; then
	[ -z "$counts" ] || usage "--mutants: a kernel that counts lines carries no mutants, as their lines are not those of the series"
	# shellcheck source=mutants/schemata.sh
	. "$here/mutants/schemata.sh"
	progress 6 "making mutants of the series"
	make_mutants
fi
take_tree
remove_leftovers
fill_tree

# -- configuration --------------------------------------------------------------

# Everything that could make an object depend on the time or the folder of the build.
export SOURCE_DATE_EPOCH=1767225600
export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 2026'
export KBUILD_BUILD_USER=peerlab KBUILD_BUILD_HOST=farm KBUILD_BUILD_VERSION=1
compiler=gcc
if command -v ccache >/dev/null 2>&1; then
	compiler='ccache gcc'
	export CCACHE_DIR=$cache/ccache CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=3G
	# The compiler's own list of headers instead of a run of the preprocessor
	# before every miss: a third less work for a first build.
	export CCACHE_DEPEND=1
	# The files are hard links: their ctime changes without their contents.
	export CCACHE_SLOPPINESS=include_file_ctime,include_file_mtime
fi
make_args=(-C "$tree" CC="$compiler" HOSTCC="$compiler" LOCALVERSION="$release_suffix")
log=$work/make.log
: >"$log"

# explain_failure -- turn the make log into one @error line: its first error.
explain_failure() {
	local class file line detail said
	blame_builder "$log" "$cache"
	IFS=$'\x1f' read -r class file line detail said < <("$here/explain-build.pl" "$log" "$tree")
	[ "$class" != infrastructure ] || fail_infrastructure "$detail" "install it on the builder"
	fail_compile "$detail" "$file" "$line" "$said"
}

# run_make ARGUMENT... -- make, its output to the log and to stderr.
run_make() {
	nice make "${make_args[@]}" "$@" >>"$log" 2>&1 || {
		cat "$log" >&2
		explain_failure
	}
}

progress 8 "configuring"
[ ! -f "$tree/.config" ] || cp -p "$tree/.config" "$work/config.before"
if [ -n "$whole" ]; then
	cp "$whole" "$tree/.config"
	run_make -s olddefconfig
else
	run_make -s tinyconfig
fi
(cd "$tree" && ./scripts/kconfig/merge_config.sh -m -O . .config "${fragments[@]}") >>"$log" 2>&1 || explain_failure
run_make -s olddefconfig
# Settings that did not survive.  Of the farm's own in a stranger's tree, which may be
# older or newer, this is only said; whoever asks for a setting gets it or no kernel.
lost=''
while IFS=$'\t' read -r from setting why; do
	from=${from##*/}
	if [ -n "$given_tree" ] && [ "$from" != fragment.config ]; then
		echo "$setting of config/$from has no effect: $why" >&2
	else
		lost+="${lost:+; }$setting has no effect: $why" lost_from=config/$from
	fi
done < <("$here/lost-settings.pl" "$tree" "${fragments[@]}")
[ -z "$lost" ] || fail_compile "${lost:0:1200}" "$([ "$lost_from" = config/fragment.config ] && echo fragment || echo "$lost_from")"

# Debug information names the files of the tree as it would anywhere else.
if grep -q '^CONFIG_DEBUG_INFO=y' "$tree/.config"; then
	make_args+=("KCFLAGS=-fdebug-prefix-map=$tree=." "KAFLAGS=-fdebug-prefix-map=$tree=.")
fi

# An unchanged configuration keeps its timestamp, or make would check every option again.
! cmp -s "$work/config.before" "$tree/.config" || cp -p "$work/config.before" "$tree/.config"

# -- kernel and its modules -------------------------------------------------------

# How many files there are to compile is what the last build of the same kind counted.
if [ -n "$built_before" ]; then
	count_file=$cache/kernel/changed-$config.count
	expected=100
else
	count_file=$cache/kernel/objects-$config.count
	expected=1600
fi
[ ! -s "$count_file" ] || expected=$(cat "$count_file")
cat "$log" >&2
progress 10 "compiling about $expected files"
mkfifo "$work/pipe"
# compile ARGUMENT... -- kernel and modules; their log alone is in $work/round.log, too.
compile() {
	tee -a "$log" <"$work/pipe" | tee "$work/round.log" | "$here/compile-progress.pl" 10 88 "$expected" "$work/objects" &
	reader=$!
	# In the background, because a shell hears signals only between commands.
	nice make "${make_args[@]}" -j"$(nproc)" "$@" vmlinux modules >"$work/pipe" 2>&1 &
	maker=$!
	local status=0
	wait "$maker" || status=$?
	maker=''
	wait "$reader"
	return $status
}
if [ -z "$mutants" ]; then
	compile || explain_failure
else
	# Also what is built is looked at: some mutants only make the compiler warn.
	while :; do
		status=0
		compile -k || status=$?
		drop_mutants "$work/round.log" || { [ "$status" -eq 0 ] || explain_failure; break; }
		# make has ended by itself: what it compiled is whole.
		tree_is_clean
		fill_tree
	done
fi
[ "$(cat "$work/objects")" -eq 0 ] || [ -n "$mutants" ] || cat "$work/objects" >"$count_file"
progress 88 "packing the kernel"
# Without a run of the preprocessor ccache does not notice a change of what .incbin
# includes, and would return an older kernel that was compressed to the same length.
CCACHE_DISABLE=1 run_make -j"$(nproc)" bzImage

progress 89 "building the provider and the client"
release=$(make -s "${make_args[@]}" kernelrelease)
rm -rf "$tree/peerlab"
mkdir -p "$tree/peerlab"
cp -r "$work/inputs/module" "$work/inputs/selftests" "$tree/peerlab/"
run_make -j"$(nproc)" M="$tree/peerlab/module" modules

staging=$out.part.$$
rm -rf "$staging"
mkdir -p "$staging/suites"
progress 92 "installing modules"
stage=$tree/peerlab/stage
run_make INSTALL_MOD_PATH="$stage" INSTALL_MOD_STRIP=1 DEPMOD=true modules_install
run_make M="$tree/peerlab/module" INSTALL_MOD_PATH="$stage" INSTALL_MOD_STRIP=1 DEPMOD=true modules_install
rm -f "$stage/lib/modules/$release"/{build,source}
PATH=$PATH:/usr/sbin:/sbin depmod -b "$stage" -F "$tree/System.map" "$release" 2>>"$log" || explain_failure
# No entry for lib/ itself: on a machine where that is a link tar would replace it.
tar -C "$stage" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
	-cf "$staging/modules.tar" "lib/modules/$release" 2>>"$log" || explain_failure

progress 93 "packing what drivers are built against"
keep_devel "$tree" "$staging/devel.tar.gz"

progress 94 "building the test suites"
install_headers "$tree"
build_suites "$tree" "$staging/suites" "$compiler" >>"$log" 2>&1 || { cat "$log" >&2; explain_failure; }

built_kselftests=() unbuilt=''
for target in ${kselftests[@]+"${kselftests[@]}"}; do
	progress 96 "building the selftests $target"
	if build_kselftest "$tree" "$target" "$staging/suites/$(kselftest_file "$target")" >"$work/target.log" 2>&1; then
		built_kselftests+=("$target")
	else
		tail -n 40 "$work/target.log" >&2
		blame_builder "$work/target.log" "$cache"
		why=$(why_not_built "$work/target.log" "$tree")
		echo "the selftests $target do not build, and are left out: $why" >&2
		unbuilt+="${unbuilt:+,}{\"target\":\"$target\",\"error\":$(json_string "${why:0:400}")}"
	fi
done

# -- where functions are ------------------------------------------------------------

progress 97 "listing where functions are"
list_sources "$tree" | gzip -n -9 >"$staging/sources.gz" 2>>"$log" || explain_failure
if grep -q '^CONFIG_DEBUG_INFO=y' "$tree/.config"; then
	keep_debug_info "$tree" "$staging/debug" 2>>"$log" || explain_failure
fi

# -- manifest -----------------------------------------------------------------------

progress 98 "writing the manifest"
cp "$tree/arch/x86/boot/bzImage" "$staging/vmlinuz" 2>>"$log" || explain_failure
cp "$tree/.config" "$staging/config"
cp "$tree/System.map" "$staging/System.map"
[ -z "$mutants" ] || keep_mutants "$tree" "$staging" "$mutants" || fail_infrastructure "cannot write the list of mutants" "free disk space"
[ -z "$counts" ] || keep_notes "$tree" "$staging" || fail_infrastructure "cannot keep what the compiler noted" "free disk space"
write_manifest "$staging"

# A reader sees the old folder, none, or the complete new one.
[ ! -e "$out" ] || mv "$out" "$staging.old"
mv -T "$staging" "$out" || fail_infrastructure "cannot move the bundle to $out" "check the folder's owner"
rm -rf "$staging.old"
staging=''
tree_is_clean
progress 100 "built $release"
echo "@bundle $out"
