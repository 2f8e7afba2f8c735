#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Carry the series over to another base of base.json, patch by patch, and say what
# became of each.
#
# usage: rebase.sh --cache DIR --to NAME --out DIR [--keep FOLDER]
#
#   --to    one of base.json's "others"
#   --out   the series for that base, a folder for each posting as in patches/;
#           build-bundle.sh takes it as --series DIR --base NAME
#   --keep  the git tree, where a conflict waits to be resolved
#
# What another base lacks of what the series stands on is named in rebased/NAME:
#
#   prerequisites  files that are taken as they are in the series' own base
#   *.patch        changes to those, in the order of their names
#   POSTING/*.patch  what a person made of a patch with a conflict; its name is
#                  that of the patch
#
# Every other patch is merged in three ways, with the tree that it was made for as
# the ancestor.  stdout: Markdown.  Exit status 0, 1 when a patch has a conflict
# that nobody has resolved.
set -euo pipefail
export LC_ALL=C.UTF-8
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kernel_dir=$(dirname "$scripts")
# shellcheck source=report.sh
. "$scripts/report.sh"

usage() {
	[ $# -eq 0 ] || echo "rebase: $1" >&2
	sed -n '6,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	exit "$EXIT_USAGE"
}
cache='' to='' out='' keep=''
while [ $# -gt 0 ]; do
	case $1 in
	--cache | --to | --out | --keep) ;;
	*) usage "unknown argument $1" ;;
	esac
	[ $# -gt 1 ] || usage "$1: the value is missing"
	declare "${1#--}=$2"
	shift 2
done
[ -n "$cache" ] || usage "--cache is missing"
[ -n "$to" ] || usage "--to is missing"
[ -n "$out" ] || usage "--out is missing"
[ ! -e "$out" ] || [ -f "$out/.rebased" ] || usage "--out $out: it is there, and not a rebased series"
need git git

# fetch ARGUMENT... -- the folder of a base.
fetch() {
	local said
	said=$("$scripts/fetch-base.sh" --cache "$cache" "$@") || { printf '%s\n' "$said"; return "$EXIT_INFRASTRUCTURE"; }
	printf '%s\n' "${said##*$'\n'}"
}
from_base=$(fetch) || { printf '%s\n' "$from_base"; exit "$EXIT_INFRASTRUCTURE"; }
to_base=$(fetch --base "$to") || { printf '%s\n' "$to_base"; exit "$EXIT_INFRASTRUCTURE"; }
hand=$kernel_dir/rebased/$to

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=${keep:-$work/tree}
rm -rf "$tree"
mkdir -p "$tree"
tree=$(cd "$tree" && pwd)
# What a commit of ours says is always the same, and so are the mails that come out:
# a kernel's key is a hash over them.
export GIT_AUTHOR_DATE='2026-01-01T00:00:00+0000'
here() {
	git -C "$tree" -c user.name=Peerlab -c user.email=peerlab@example.org -c core.autocrlf=false \
		-c commit.gpgsign=false -c gc.auto=0 -c merge.conflictStyle=diff3 "$@"
}

shopt -s nullglob
prerequisites=()
[ ! -f "$hand/prerequisites" ] || mapfile -t prerequisites < <(grep -v '^#' "$hand/prerequisites")
mails=()
for mail in "$kernel_dir"/patches/*/*.patch; do
	if grep -q '^diff --git ' "$mail"; then
		mails+=("$mail")
	elif [[ ${mail##*/} != 0000-* ]]; then
		# Only a cover letter has none; what is left out here would be missing from the result.
		fail_infrastructure "${mail##*/} has no change in the format of git" "write it with: git format-patch"
	fi
done
mapfile -t names < <({
	printf '%s\n' "${prerequisites[@]}"
	sed -n 's/^diff --git a\/[^ ]* b\///p' "${mails[@]}" "$hand"/*.patch
} | sort -u | grep .)

# take BASE NAME... -- these files as they are there.
take() {
	local base=$1 name
	shift
	for name; do
		rm -f "$tree/$name"
		[ ! -f "$base/tree/$name" ] || { mkdir -p "$tree/$(dirname "$name")"; cp "$base/tree/$name" "$tree/$name"; }
	done
	here add -A -f .
}

here init -q
take "$from_base" "${names[@]}"
here commit -q --allow-empty -m "$(cat "$from_base/version")"
first=$(here rev-parse HEAD)
for mail in "${mails[@]}"; do
	here am -q "$mail" >"$work/log" 2>&1 ||
		fail_infrastructure "${mail##*/} does not apply to $(cat "$from_base/version")" "$(tail -1 "$work/log")"
done
mapfile -t commits < <(here rev-list --reverse "$first..HEAD")
here checkout -q -B rebased "$first"
take "$to_base" "${names[@]}"
here commit -q --allow-empty -m "$(cat "$to_base/version")"
start=$(here rev-parse HEAD)
if [ ${#prerequisites[@]} -gt 0 ]; then
	take "$from_base" "${prerequisites[@]}"
	here commit -q -m "PREREQUISITE: what $(cat "$from_base/version") has and the series stands on"
fi
for mail in "$hand"/*.patch; do
	here am -q "$mail" >"$work/log" 2>&1 || fail_infrastructure "rebased/$to/${mail##*/} does not apply" "$(tail -1 "$work/log")"
done
before=$(here rev-parse HEAD)

rm -rf "$out"
mkdir -p "$out"
touch "$out/.rebased"
out=$(cd "$out" && pwd)
echo "The series of $(cat "$from_base/version") on $(cat "$to_base/version"):"
echo
echo '| patch | how |'
echo '|---|---|'
if [ "$before" != "$start" ]; then
	here format-patch -q --zero-commit --no-signature -N -o "$out/0-prerequisites" "$start..$before"
	echo "| prerequisites: ${prerequisites[*]} | $(here diff --shortstat "$start" "$before" | sed 's/^ *//') |"
fi
unresolved=0
for i in "${!commits[@]}"; do
	commit=${commits[i]} mail=${mails[i]}
	posting=$(basename "$(dirname "$mail")") name=${mail##*/}
	mkdir -p "$out/$posting"
	if [ -f "$hand/$posting/$name" ]; then
		how='by hand'
		here am -q "$hand/$posting/$name" >"$work/log" 2>&1 || how="**does not apply any more**: $(head -1 "$work/log")"
	elif here cherry-pick "$commit" >"$work/log" 2>&1; then
		how=merged
		# The same lines on both sides: a patch that moved, if at all.
		[ "$(here show "$commit" | here patch-id | cut -d' ' -f1)" != "$(here show HEAD | here patch-id | cut -d' ' -f1)" ] ||
			how='as it is'
	else
		how="**conflict** in $(here diff --name-only --diff-filter=U | paste -sd' ')"
	fi
	echo "| $posting/${name%.patch} | $how |"
	case $how in
	'**'*) unresolved=1; break ;;
	esac
	here format-patch -q --zero-commit --no-signature -N --start-number "$((10#${name%%-*}))" -1 -o "$out/$posting" HEAD
done
exit $unresolved
