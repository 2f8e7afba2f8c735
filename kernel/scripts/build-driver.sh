#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Build one out-of-tree driver of a lab against a kernel that build-bundle.sh has built.
#
# usage: build-driver.sh --bundle DIR --driver DIR --out DIR
#
# --bundle DIR is a bundle; of it are read devel.tar.gz and modules.tar.  --driver DIR is
# the driver (see driver-recipes.pl), whose name is that of the folder.  It is built by
# "make M=FOLDER modules", or by its own build.sh: in its own folder, with KERNEL_SOURCE,
# KERNEL_RELEASE and CC set, so that "make modules_install" of the kernel finds what was
# built in "folder".  Nothing is written into either folder.
#
# In DIR of --out is then driver.tar: lib/modules/RELEASE/updates/peerlab/NAME.
#
# stderr: the whole log.  A failure is one line "@error {json}" on stdout:
#   11 it does not build, which is no fault of the kernel    class compile, detail
#   12 disk, memory or tool trouble                          class infrastructure, detail, remedy
#    2 wrong usage
set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=report.sh
. "$here/report.sh"
# shellcheck source=suites.sh
. "$here/suites.sh"

usage() {
	sed -n '3,21s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	echo "build-driver: $1" >&2
	exit "$EXIT_USAGE"
}

bundle='' driver='' out=''
while [ $# -gt 0 ]; do
	case $1 in
	--bundle) bundle=${2-}; shift 2 || usage "$1 needs a folder" ;;
	--driver) driver=${2-}; shift 2 || usage "$1 needs a folder" ;;
	--out) out=${2-}; shift 2 || usage "$1 needs a folder" ;;
	*) usage "unknown argument $1" ;;
	esac
done
[ -f "$bundle/modules.tar" ] || usage "--bundle $bundle: there is no modules.tar"
[ -f "$driver/driver.json" ] || usage "--driver $driver: there is no driver.json"
[ -n "$out" ] || usage "--out is missing"

work=$(mktemp -d) || fail_infrastructure "cannot make a folder for what is built" "free disk space"
trap 'rm -rf "$work"' EXIT
name=$(basename "$driver")
from=$work/drivers/$name log=$work/log devel=$work/devel stage=$work/stage

# give_up WHY -- it does not build.
give_up() {
	printf '@error {"class":"compile","detail":%s}\n' "$(json_string "${1:0:400}")"
	exit "$EXIT_COMPILE"
}
# explain -- what the log says.
explain() {
	local class why
	cat "$log" >&2
	blame_builder "$log" "$work"
	IFS=$'\x1f' read -r class _ _ why _ < <("$here/explain-build.pl" "$log" "$from")
	[ "$class" != infrastructure ] || fail_infrastructure "$why" "install it on the builder"
	why=$(why_not_built "$log" "$from")
	give_up "${why//"$from/"/}"
}
# names -- the modules among the paths on stdin, as the kernel writes their names, sorted.
names() {
	sed -n 's|.*/\([^/]*\)\.ko[^/]*$|\1|p' | tr - _ | sort -u
}

recipe=$("$here/driver-recipes.pl" --driver "$driver") || give_up "$recipe"
IFS=$'\t' read -r _ folder modules <<<"$recipe"
[ -f "$bundle/devel.tar.gz" ] ||
	give_up "the bundle has no devel part: its tree has no scripts/package/install-extmod-build, which older ones lack"
mkdir "$devel" "$stage" "$work/drivers"
tar -C "$devel" --no-same-owner -xzf "$bundle/devel.tar.gz" 2>"$log" || { blame_builder "$log" "$work"; give_up "the devel part of the bundle cannot be unpacked"; }
release=$(head -c 200 "$devel/include/config/kernel.release" 2>/dev/null) || release=''
[[ $release =~ ^[A-Za-z0-9._+-]{1,64}$ ]] || give_up "the devel part of the bundle does not say of which kernel it is"
cp -rL "$driver" "$from"

# The folder has another name each time, and build-ids are digests of what names it.
export KCFLAGS="-ffile-prefix-map=$work=/peerlab" KAFLAGS="-ffile-prefix-map=$work=/peerlab"
make_args=(-C "$devel" CC=gcc)
if [ -f "$from/build.sh" ]; then
	(cd "$from" && KERNEL_SOURCE=$devel KERNEL_RELEASE=$release CC=gcc nice bash ./build.sh) </dev/null >"$log" 2>&1 || explain
else
	nice make "${make_args[@]}" -j"$(nproc)" M="$from/$folder" modules </dev/null >"$log" 2>&1 || explain
fi
nice make "${make_args[@]}" M="$from/$folder" INSTALL_MOD_DIR="updates/peerlab/$name" INSTALL_MOD_PATH="$stage" \
	INSTALL_MOD_STRIP=1 DEPMOD=true modules_install </dev/null >>"$log" 2>&1 || explain
cat "$log" >&2
made=lib/modules/$release/updates/peerlab/$name
[ -d "$stage/$made" ] || give_up "modules_install put nothing into updates/peerlab/$name"
find "$stage/$made" -type f | names >"$work/built"
for module in $modules; do
	grep -qxF "${module//-/_}" "$work/built" || give_up "the module $module of its driver.json was not built"
done
# In updates/ it would go before the kernel's own, which is what is tested; and one that is built in is not loaded at all.
builtin=lib/modules/$release/modules.builtin
tar -tf "$bundle/modules.tar" >"$work/own" 2>"$log" || explain
! grep -qxF "$builtin" "$work/own" || tar -xOf "$bundle/modules.tar" "$builtin" >>"$work/own" 2>"$log" || explain
own=$(comm -12 "$work/built" <(names <"$work/own") | sed -n 1p)
[ -z "$own" ] || give_up "the module $own is one of the kernel's own"
tar -C "$stage" --sort=name --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w --mtime=@0 -cf "$out/driver.tar" "$made" 2>"$log" ||
	{ cat "$log" >&2; blame_builder "$log" "$out"; fail_infrastructure "cannot write driver.tar" "free disk space"; }
