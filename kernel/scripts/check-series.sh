#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Check a series as its reviewers would: every patch applies with git am on what
# came before it, passes checkpatch --strict, and leaves sources that compile
# without a warning (W=1) at that point.  Prints KTAP, so that it is a test.
#
# usage: check-series.sh [--cache DIR] [--tree WORKDIR] [--quick|--full] [--base NAME]
#                        [--again] [SERIES]
#
#   SERIES   a folder of patches, or of folders of patches, each a posting of its
#            own: then each is also applied with nothing but what its file "needs"
#            names, and those that need nothing in the opposite order.  Default
#            kernel/patches
#   --quick  one configuration: the farm's, with the drivers that the series
#            touches switched on (default)
#   --full   allmodconfig as well, and in the end mm/hmm.c without P2PDMA,
#            without device private memory and for 32 bit
#   --base   one of base.json's other bases; with what rebase.sh has made for it
#   --cache  where the base is and the compiler's cache (~/.cache/peerlab)
#   --tree   scratch folder, default in the cache; what a configuration needs
#            before the first file can be compiled stays there for the next run
#   --again  also what passed before with these very mails, base, configuration,
#            compiler and script; else what was said then is said again
#
# Compiles the files that a patch touches, and a fixed few when it touches a
# header; never a whole kernel.  A missing Signed-off-by is no finding: who posts
# the series signs it.  Exit status 0, 1 when a check failed, 2 usage, 12 when
# something is missing that the checks need.
set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kernel_dir=$(dirname "$here")
# shellcheck source=report.sh
. "$here/report.sh"

usage() {
	[ $# -eq 0 ] || echo "check-series: $1" >&2
	sed -n '7,27s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	exit "$EXIT_USAGE"
}

cache=${XDG_CACHE_HOME:-$HOME/.cache}/peerlab scratch='' mode=quick again='' base_name=() series=$kernel_dir/patches
while [ $# -gt 0 ]; do
	case $1 in
	--cache) cache=${2-}; shift 2 || usage ;;
	--tree) scratch=${2-}; shift 2 || usage ;;
	--base) base_name=(--base "${2-}"); shift 2 || usage ;;
	--again) again=1; shift ;;
	--quick | --full) mode=${1#--}; shift ;;
	-*) usage "unknown argument $1" ;;
	*) series=$1; shift ;;
	esac
done
[ -n "$cache" ] || usage "--cache: the folder is missing"
[ -d "$series" ] || usage "$series: no such folder"
series=$(cd "$series" && pwd)
for pair in git:git perl:perl gcc:gcc make:make bc:bc flex:flex bison:bison flock:util-linux; do
	need "${pair%%:*}" "${pair#*:}"
done

fetched=$("$here/fetch-base.sh" --cache "$cache" ${base_name[@]+"${base_name[@]}"}) || { printf '%s\n' "$fetched"; exit "$EXIT_INFRASTRUCTURE"; }
base=${fetched##*$'\n'}
cache=$(cd "$cache" && pwd)
scratch=${scratch:-$cache/kernel/check-series}
mkdir -p "$scratch" || fail_infrastructure "cannot create $scratch" "check the folder's owner"
scratch=$(cd "$scratch" && pwd)

exec 9>"$scratch/.lock"
flock -n 9 || {
	echo "# waiting for another check in $scratch"
	flock -w 3600 9 || fail_infrastructure "another check has held $scratch for an hour" "find it with: fuser $scratch/.lock"
}
tree=$scratch/tree
log=$(mktemp)
# Beside where it is kept, so that a record is there whole or not at all.
record=$(mktemp "$scratch/.record.XXXXXX")
maker=''
# shellcheck disable=SC2329 # called by the trap
clean_up() {
	if [ -n "$maker" ] && kill "$maker" 2>/dev/null; then wait "$maker" || true; fi
	rm -rf "$tree" "$log" "$record"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

compiler=gcc
if command -v ccache >/dev/null 2>&1; then
	compiler='ccache gcc'
	export CCACHE_DIR=$cache/ccache CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1
	export CCACHE_SLOPPINESS=include_file_ctime,include_file_mtime
fi

# -- results -----------------------------------------------------------------

count=0 failures=0
# say LINE -- to the user, and to the record of a run that passes.
say() {
	printf '%s\n' "$1"
	printf '%s\n' "$1" >>"$record"
}

# result STATUS ID [FILE] -- one line of KTAP, the lines of FILE as its reasons.
result() {
	count=$((count + 1))
	[ -z "${3-}" ] || sed "s#$tree/##g; s/^/# /" "$3"
	if [ "$1" -eq 0 ]; then
		say "ok $count $2"
	else
		failures=$((failures + 1))
		echo "not ok $count $2"
	fi
}

skip() {
	count=$((count + 1))
	say "ok $count $1 # SKIP $2"
}

# -- configurations and objects -------------------------------------------------

# kernel_make CONFIGURATION ARGUMENT... -- make in $tree, objects in the scratch
# folder.  In the background, because a shell hears signals between commands.
kernel_make() {
	local configuration=$1 arch=x86_64
	shift
	[ "$configuration" != i386 ] || arch=i386
	nice make -C "$tree" O="$scratch/$configuration" ARCH="$arch" CC="$compiler" HOSTCC="$compiler" \
		LOCALVERSION= -j"$(nproc)" "$@" &
	maker=$!
	local status=0
	wait "$maker" || status=$?
	maker=''
	return $status
}

# The drivers that the series touches, on top of the farm's configuration.
drivers_fragment() {
	printf 'CONFIG_%s\n' DRM=m DRM_XE=m DRM_XE_DISPLAY=n DRM_XE_GPUSVM=y DRM_XE_PAGEMAP=y \
		DRM_XE_PAGEMAP_P2PDMA=y DRM_AMDGPU=m HSA_AMD=y HSA_AMD_SVM=y DRM_NOUVEAU=m \
		DRM_NOUVEAU_SVM=y MLX5_CORE=m MLX5_CORE_EN=y MLX5_INFINIBAND=m INFINIBAND=y \
		INFINIBAND_USER_ACCESS=y INFINIBAND_ON_DEMAND_PAGING=y INFINIBAND_VIRT_DMA=y \
		RDMA_RXE=m ACPI_VIDEO=n TEST_HMM=m
}

# configure CONFIGURATION -- write its .config; the series may have added options.
configure() {
	local out=$scratch/$1 fragment=$scratch/$1.fragment
	mkdir -p "$out"
	case $1 in
	quick)
		drivers_fragment >"$fragment"
		kernel_make "$1" -s tinyconfig
		(cd "$out" && "$tree/scripts/kconfig/merge_config.sh" -m -O . .config \
			"$kernel_dir/config/peerlab.config" "$fragment") ;;
	full)
		# What needs more libraries to prepare than a check is worth.
		printf 'CONFIG_%s=n\n' MODULE_SIG SYSTEM_TRUSTED_KEYRING DEBUG_INFO_BTF GCC_PLUGINS WERROR \
			DRM_WERROR DRM_XE_WERROR DRM_AMDGPU_WERROR RUST IKHEADERS >"$fragment"
		KCONFIG_ALLCONFIG=$fragment kernel_make "$1" -s allmodconfig ;;
	no-p2pdma | no-device-private)
		printf 'CONFIG_%s=n\n' "$([ "$1" = no-p2pdma ] && echo PCI_P2PDMA || echo DEVICE_PRIVATE)" >"$fragment"
		kernel_make "$1" -s tinyconfig
		(cd "$out" && "$tree/scripts/kconfig/merge_config.sh" -m -O . .config \
			"$kernel_dir/config/peerlab.config" "$fragment") ;;
	i386)
		# On-demand paging is what brings mm/hmm.c in.
		printf 'CONFIG_%s=y\n' X86_PAE PCI NET INET TRANSPARENT_HUGEPAGE INFINIBAND INFINIBAND_USER_ACCESS \
			INFINIBAND_ON_DEMAND_PAGING >"$fragment"
		kernel_make "$1" -s allnoconfig
		(cd "$out" && "$tree/scripts/kconfig/merge_config.sh" -m -O . .config "$fragment") ;;
	esac
	kernel_make "$1" -s olddefconfig
}

# What a scratch folder was prepared for, told to the next run.
prepared_for="$(cat "$base/source.sha256") $(gcc --version | sed -n 1p) $(
	{ declare -f configure drivers_fragment; cat "$kernel_dir/config/peerlab.config"; } | sha256sum)"

# prepare CONFIGURATION -- make it possible to compile single files.  With W=1,
# which is among the flags that decide what has to be made again.
prepare() {
	local out=$scratch/$1
	if [ "$(cat "$out/.prepared-for" 2>/dev/null)" != "$prepared_for" ]; then
		rm -rf "$out"
		configure "$1"
	fi
	kernel_make "$1" -s W=1 prepare
	printf '%s\n' "$prepared_for" >"$out/.prepared-for"
}

# What shows that a header still fits its users.
readonly header_users=(mm/hmm.o mm/memremap.o drivers/pci/p2pdma.o kernel/dma/mapping.o lib/test_hmm.o
	drivers/infiniband/core/umem_odp.o drivers/infiniband/hw/mlx5/odp.o)

# objects FILE... -- what to compile because of these files.
objects() {
	local file headers=''
	for file in "$@"; do
		case $file in
		tools/*) ;;
		# One module of many folders; only its own Makefile has their flags.
		drivers/gpu/drm/amd/amd[!g]*.c)
			file=${file#drivers/gpu/drm/amd/}
			echo "drivers/gpu/drm/amd/amdgpu/../${file%.c}.o" ;;
		*.c) echo "${file%.c}.o" ;;
		*.h) headers=1 ;;
		esac
	done
	[ -z "$headers" ] || printf '%s\n' "${header_users[@]}"
}

# compile CONFIGURATION OBJECT... -- 0 when all compile without a warning; what
# there was to say is in $log.
compile() {
	local configuration=$1 status=0 object
	shift
	for object in "$@"; do rm -f "$scratch/$configuration/$object" 2>/dev/null || true; done
	kernel_make "$configuration" -s -k W=1 "$@" >"$log" 2>&1 || status=1
	! grep -qE '(warning|error|Error|Warning):' "$log" || status=1
	[ "$status" -eq 0 ] || return 1
	for object in "$@"; do
		[ -f "$scratch/$configuration/$object" ] || { echo "$object was not built" >>"$log"; status=1; }
	done
	return $status
}

# -- the tree --------------------------------------------------------------------

shopt -s nullglob
# Folders of mails, relative to the series; "." when it is one posting.
postings=()
for folder in "$series"/*/; do
	mails=("$folder"*.patch)
	[ ${#mails[@]} -eq 0 ] || postings+=("$(basename "$folder")")
done
[ ${#postings[@]} -gt 0 ] || postings=(.)

# mails_of POSTING -- its patches and, in $cover, its cover letter.
mails_of() {
	local mail
	mails=() cover=''
	for mail in "$series/$1"/*.patch; do
		if grep -q '^diff --git ' "$mail"; then mails+=("$mail"); else cover=$mail; fi
	done
}

patches=()
for posting in "${postings[@]}"; do
	mails_of "$posting"
	patches+=("${mails[@]}")
done
[ ${#patches[@]} -gt 0 ] || usage "$series has no *.patch files"
mapfile -t touched < <(sed -n 's/^diff --git a\/[^ ]* b\///p' "${patches[@]}" | sort -u)

# What passed once passes again: nothing but this goes into a check. The checkers of
# the kernel are part of the base.
RECORDS=20
key=$({
	echo "$prepared_for $mode ${#patches[@]}"
	cat "${BASH_SOURCE[0]}"
	for posting in "${postings[@]}"; do
		for file in "$series/$posting"/*.patch "$series/$posting"/needs; do
			[ ! -f "$file" ] || { echo "${file#"$series"/} $(wc -c <"$file")"; cat "$file"; }
		done
	done
} | sha256sum | cut -c1-32)
passed=$scratch/passed/$key
if [ -z "$again" ] && [ -s "$passed" ]; then
	cat "$passed"
	echo "# nothing has changed since this passed, $(date -u -r "$passed" +%FT%H:%MZ); --again checks it all the same"
	exit 0
fi

rm -rf "$tree"
cp -al "$base/tree" "$tree"
git_here() {
	git -C "$tree" -c user.name=check-series -c user.email=check-series@localhost \
		-c core.autocrlf=false -c gc.auto=0 -c commit.gpgsign=false "$@"
}
git_here init -q
existing=()
for file in "${touched[@]}"; do
	[ ! -e "$tree/$file" ] || existing+=("$file")
done
git_here add -f -- "${existing[@]}"
git_here commit -q -m base
git_here tag base

# apply_postings POSTING... -- on the bare base; what git had to say is in $log.
apply_postings() {
	local posting
	git_here reset -q --hard base
	for posting in "$@"; do
		mails_of "$posting"
		git_here am -q "${mails[@]}" >"$log" 2>&1 || {
			git_here am --abort >/dev/null 2>&1 || true
			return 1
		}
	done
}

# needs_of POSTING -- the postings that have to be applied before it.
needs_of() {
	cat "$series/$1/needs" 2>/dev/null || true
}

configurations=(quick)
[ "$mode" = quick ] || configurations+=(full)
variants=()
[ "$mode" = quick ] || variants=(no-p2pdma no-device-private i386)
say "KTAP version 1"
parts=0
[ "${postings[0]}" = . ] || parts=$((${#postings[@]} + 1))
say "1..$((1 + parts + ${#patches[@]} * (2 + ${#configurations[@]}) + ${#variants[@]}))"
for configuration in "${configurations[@]}"; do
	prepare "$configuration" >"$log" 2>&1 || { tail -20 "$log" >&2; fail_infrastructure "make prepare failed for $configuration" "see its output above"; }
done

# -- the checks --------------------------------------------------------------------

for posting in "${postings[@]}"; do
	mails_of "$posting"
	if [ -z "$cover" ]; then
		echo "$posting: there is no cover letter"
	else
		! grep -Hn '\*\*\*' "$cover" || echo "$posting: the cover letter has not been filled in"
		grep -qE "^Subject: \[(RFC )?PATCH 0*/${#mails[@]}\]" "$cover" ||
			echo "$posting: the cover letter does not count ${#mails[@]} patches"
	fi
	number=0
	for patch in "${mails[@]}"; do
		number=$((number + 1))
		grep -qE "^Subject: \[(RFC )?PATCH 0*$number/${#mails[@]}\]" "$patch" ||
			echo "$posting/${patch##*/} is not [PATCH $number/${#mails[@]}]"
	done
done >"$log"
result "$([ -s "$log" ] && echo 1 || echo 0)" series.numbered "$log"

if [ "$parts" -gt 0 ]; then
	alone=()
	for posting in "${postings[@]}"; do
		mapfile -t before < <(needs_of "$posting")
		[ ${#before[@]} -gt 0 ] || alone=("$posting" ${alone[@]+"${alone[@]}"})
		status=0
		apply_postings ${before[@]+"${before[@]}"} "$posting" || status=1
		result "$status" "$posting.applies_with_what_it_needs" "$log"
	done
	status=0
	apply_postings "${alone[@]}" || status=1
	result "$status" series.applies_in_the_opposite_order "$log"
	git_here reset -q --hard base
fi

applied=1
for patch in "${patches[@]}"; do
	name=${patch#"$series"/}
	id=${name##*/}
	id=${id%%-*}
	[ "$parts" -eq 0 ] || id=${name%%/*}/$id
	if [ "$applied" -eq 0 ]; then
		skip "$id.applies" "a patch before it does not apply"
		for configuration in checkpatch "${configurations[@]/#/builds.}"; do
			skip "$id.$configuration" "it is not applied"
		done
		continue
	fi
	say "# ${name%.patch}"
	if git_here am -q "$patch" >"$log" 2>&1; then
		result 0 "$id.applies"
	else
		git_here am --abort >/dev/null 2>&1 || true
		applied=0
		result 1 "$id.applies" "$log"
	fi

	status=0
	(cd "$tree" && perl scripts/checkpatch.pl --strict --terse --no-summary \
		--ignore MISSING_SIGN_OFF,NO_AUTHOR_SIGN_OFF,UNKNOWN_COMMIT_ID -) <"$patch" >"$log" 2>&1 || status=1
	result "$status" "$id.checkpatch" "$log"

	mapfile -t files < <(sed -n 's/^diff --git a\/[^ ]* b\///p' "$patch" | sort -u)
	mapfile -t wanted < <(objects "${files[@]}" | sort -u)
	for configuration in "${configurations[@]}"; do
		if [ "$applied" -eq 0 ]; then
			skip "$id.builds.$configuration" "it is not applied"
		elif [ ${#wanted[@]} -eq 0 ]; then
			skip "$id.builds.$configuration" "nothing in it is compiled into a kernel"
		else
			# A patch may add options.
			case " ${files[*]} " in
			*Kconfig*) configure "$configuration" >"$log" 2>&1 || true ;;
			esac
			status=0
			compile "$configuration" "${wanted[@]}" || status=1
			result "$status" "$id.builds.$configuration" "$log"
		fi
	done
done

for variant in ${variants[@]+"${variants[@]}"}; do
	if [ "$applied" -eq 0 ]; then
		skip "series.$variant" "the series does not apply"
		continue
	fi
	prepare "$variant" >"$log" 2>&1 || { result 1 "series.$variant" "$log"; continue; }
	case $variant in
	no-p2pdma) wanted=(mm/hmm.o mm/memremap.o lib/test_hmm.o) dropped=PCI_P2PDMA ;;
	no-device-private) wanted=(mm/hmm.o mm/memremap.o mm/huge_memory.o) dropped=DEVICE_PRIVATE ;;
	i386) wanted=(mm/hmm.o drivers/infiniband/core/umem_odp.o) dropped=64BIT ;;
	esac
	status=0
	compile "$variant" "${wanted[@]}" || status=1
	! grep -q "^CONFIG_$dropped=y" "$scratch/$variant/.config" || { echo "CONFIG_$dropped could not be switched off" >>"$log"; status=1; }
	result "$status" "series.$variant" "$log"
done

[ "$failures" -eq 0 ] || exit 1
mkdir -p "$scratch/passed"
mv "$record" "$passed"
# shellcheck disable=SC2012 # their names are hashes
ls -t "$scratch/passed" | tail -n +$((RECORDS + 1)) | while read -r old; do rm -f "$scratch/passed/$old"; done
