#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes a configuration for one machine out of what machine-needs.sh said about it,
# so that runs can name it: "config: NAME".
#
# usage: machine-config.sh --cache DIR|--base DIR --needs FILE --name NAME [--machine NAME] [--all-modules] [--out DIR]
#
# The machine's own configuration is brought to the base kernel, and trimmed by the
# kernel's localmodconfig to the modules that the machine named; --all-modules keeps
# those of every other machine, too, and a build of it takes hours.  What the farm
# needs (config/farm.fragment) is merged when a kernel is built.  --base is a tree that
# fetch-base.sh has printed, so that nothing is fetched.
#
# A machine that was under test may say anything: what is no setting of a plain value
# is refused (make would run $(...) of a text), and so is what is far too long.
# Settings that name files are left out, as those are on the machine or at who built
# its kernel; and so is what tells two releases of a distribution's kernel apart, so
# that machines with equal settings share a build (plain_settings in configuration.sh).
#
# Writes OUT/NAME.config (OUT: kernel/config), which says that it is for --machine, as far as
# that is given, so that "config: machine" finds it; else for the one called NAME.  stdout: "@progress PERCENT TEXT", then
# the settings that differ from the machine's kernel, in the form of the kernel's
# scripts/diffconfig; "@off SETTING WHY" for each that peer-to-peer needs of some
# hardware and the kernel will not have; at last "@configuration FILE".  Exit codes as
# build-bundle.sh.
set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=report.sh
. "$here/report.sh"
# shellcheck source=configuration.sh
. "$here/configuration.sh"

usage() {
	sed -n '6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	[ $# -eq 0 ] || echo "machine-config: $1" >&2
	exit "$EXIT_USAGE"
}

# Debian's configuration has 3900 modules.
MODULES_MAX=10000
# What peer-to-peer DMA needs, in core or of some driver.  farm.fragment asks for most; a tree may know others.
PEER='PCI_P2PDMA DEVICE_PRIVATE HMM_MIRROR INFINIBAND_ON_DEMAND_PAGING HSA_AMD_P2P DMABUF_MOVE_NOTIFY'

cache='' needs='' name='' machine='' all_modules='' out=$(dirname "$here")/config base=''
while [ $# -gt 0 ]; do
	case $1 in
	--cache) cache=${2-}; shift 2 || usage ;;
	--needs) needs=${2-}; shift 2 || usage ;;
	--name) name=${2-}; shift 2 || usage ;;
	--machine) machine=${2-}; shift 2 || usage ;;
	--out) out=${2-}; shift 2 || usage ;;
	--base) base=${2-}; shift 2 || usage ;;
	--all-modules) all_modules=1; shift ;;
	*) usage "unknown argument $1" ;;
	esac
done
[ -n "$cache$base" ] || usage "--cache is missing"
[ -f "$needs" ] || usage "--needs $needs: no such file"
[[ $name =~ ^[a-z0-9-]{1,64}$ ]] || usage "--name $name: expected small letters, digits and -"
[[ $machine =~ ^([a-zA-Z0-9][a-zA-Z0-9._-]{0,63})?$ ]] || usage "--machine $machine: expected letters, digits, dot, dash and underscore"
[ "$name" != machine ] || usage "--name $name: run files mean each machine's own by it"
[ "$(stat -Lc %s "$needs")" -le "$CONFIG_MAX_BYTES" ] || usage "--needs $needs: more than $CONFIG_MAX_BYTES bytes"
# Only what was made here before is replaced.
for file in "$(dirname "$here")/config/$name.config" "$out/$name.config"; do
	[ ! -e "$file" ] || head -n 1 "$file" | grep -q '^# about: of a machine: ' ||
		usage "--name $name: another configuration of the farm has this name"
done

if [ -z "$base" ]; then
	fetched=$("$here/fetch-base.sh" --cache "$cache") || { printf '%s\n' "$fetched"; exit "$EXIT_INFRASTRUCTURE"; }
	base=${fetched##*$'\n'}
fi
tree=$base/tree
work=$(mktemp -d) || fail_infrastructure "cannot make a temporary folder" "check TMPDIR"
trap 'rm -rf "$work"' EXIT
sed -n '/^@config$/,/^@modules$/p' "$needs" | sed '1d;$d' | plain_settings >"$work/.config" 2>"$work/line" ||
	usage "--needs $needs: line $(head -c 20 "$work/line" | head -n 1) of the configuration is no setting"
sed '1,/^@modules$/d' "$needs" | grep -E '^[a-zA-Z0-9_]{1,100}$' | head -n "$MODULES_MAX" >"$work/names" || true
grep -q '^CONFIG_[A-Z0-9_]*=' "$work/.config" || usage "--needs $needs: it holds no configuration"
[ -s "$work/names" ] || usage "--needs $needs: it names no module"

config_make() {
	nice make -s -C "$tree" O="$work" "$@" >>"$work/log" 2>&1 || {
		tail -n 20 "$work/log" >&2
		fail_infrastructure "make $1 failed: $(tail -n 1 "$work/log")" "see the messages above"
	}
}
progress 10 "bringing the configuration to $(cat "$base/version")"
config_make olddefconfig
cp "$work/.config" "$work/whole"
if [ -z "$all_modules" ]; then
	progress 50 "keeping the modules that the machine needs"
	{
		echo "Module Size Used by"
		sed 's/$/ 1 0/' "$work/names"
	} >"$work/loaded"
	export LSMOD=$work/loaded
	# It asks about what is new since the machine's kernel; the answer is the default.
	yes '' 2>/dev/null | config_make localmodconfig || true
	config_make olddefconfig
fi
{
	echo "# about: of a machine: ${name}, $(grep -c '=m$' "$work/.config") modules"
	echo "# whole: yes"
	echo "# boot factor: 2"
	[ -z "$machine" ] || echo "# machine: $machine"
	cat "$work/.config"
} >"$out/$name.config.new" || fail_infrastructure "cannot write $out/$name.config" "check the folder's owner"
mv "$out/$name.config.new" "$out/$name.config"
cp "$work/.config" "$work/merged"
(cd "$work" && "$tree/scripts/kconfig/merge_config.sh" -m -O . merged "$here/../config/farm.fragment") >>"$work/log" 2>&1 ||
	fail_infrastructure "config/farm.fragment cannot be merged" "see the log"
config_make olddefconfig
progress 100 "$(grep -c '=m$' "$work/.config") modules of $(grep -c '=m$' "$work/whole"), $(grep -c '=y$' "$work/.config") settings built in"
# Options of modules that were left out went with them.
"$tree/scripts/diffconfig" "$work/whole" "$work/.config" | { if [ -n "$all_modules" ]; then cat; else grep -v -e ' m -> n$' -e '^-'; fi; } || true
# What is off, and whether asking for it would turn it on.
cp "$work/.config" "$work/final"
for setting in $PEER; do echo "CONFIG_$setting=y"; done >"$work/peer"
(cd "$work" && "$tree/scripts/kconfig/merge_config.sh" -m -O . final peer) >>"$work/log" 2>&1 ||
	fail_infrastructure "settings cannot be merged" "see the log"
config_make olddefconfig
KCONFIG_CONFIG=$work/.config "$here/lost-settings.pl" "$tree" "$work/peer" >"$work/off" ||
	fail_infrastructure "the settings of the kernel cannot be read" "see the messages above"
for setting in $PEER; do
	! grep -qx "CONFIG_$setting=y" "$work/final" || continue
	[ -n "$(find "$tree" -type f -name 'Kconfig*' -exec grep -lE "^[[:space:]]*(menu)?config[[:space:]]+${setting}[[:space:]]*$" {} +)" ] || continue
	why=$(awk -F '\t' -v setting="CONFIG_$setting=y" '$2 == setting { print $3 }' "$work/off")
	echo "@off CONFIG_$setting ${why:-it is not set}"
done
echo "@configuration $out/$name.config"
