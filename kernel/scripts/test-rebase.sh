#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests of rebase.sh and of the other bases, on toy trees: KTAP on stdout, seconds.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=ktap.sh
. "$here/ktap.sh"

# -- two trees: the other has moved one file, changed what a patch touches in the
# second, and lacks the third
for base in new old; do
	mkdir -p "$work/$base/tree/mm"
	seq 1 30 | sed 's/^/moved /' >"$work/$base/tree/mm/moved.c"
	seq 1 30 | sed 's/^/changed /' >"$work/$base/tree/mm/changed.c"
	echo "9.$base" >"$work/$base/version"
done
echo needed >"$work/new/tree/mm/needed.c"
sed -i '1i one more line' "$work/old/tree/mm/moved.c"
sed -i 's/^changed 10$/changed 10, an older way/' "$work/old/tree/mm/changed.c"

kernel=$work/kernel
mkdir -p "$kernel"/{scripts,patches/1-toy}
cp "$here"/{rebase,report}.sh "$kernel/scripts/"
printf '#!/bin/bash\n[[ $* == *--base* ]] && echo %q || echo %q\n' "$work/old" "$work/new" >"$kernel/scripts/fetch-base.sh"
chmod +x "$kernel/scripts/fetch-base.sh"
# mail NUMBER FILE SED-SCRIPT [TREE] -- a patch of the series, or of somebody's hand.
mail() {
	local tree=${4:-$work/new/tree}
	sed "$3" "$tree/mm/$2" >"$work/edited"
	printf 'From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\nFrom: A <a@example.org>\nDate: Sun, 22 Nov 2026 08:00:00 +0000\nSubject: [PATCH %d/2] mm: edit %s\n\nWhy.\n---\ndiff --git a/mm/%s b/mm/%s\n' "$1" "$2" "$2" "$2"
	diff -u --label "a/mm/$2" --label "b/mm/$2" "$tree/mm/$2" "$work/edited"
	printf -- '-- \n2.39\n\n'
}
mail 1 moved.c 's/^moved 20$/MOVED/' >"$kernel/patches/1-toy/0001-moved.patch"
mail 2 changed.c 's/^changed 10$/CHANGED/' >"$kernel/patches/1-toy/0002-changed.patch"
rebase=("$kernel/scripts/rebase.sh" --cache "$work" --to old --out "$work/out")

text=$("${rebase[@]}" --keep "$work/kept" 2>&1)
result a_conflict_is_an_error $(($? != 1)) "$text"
contains a_conflict_is_named "$text" '| 1-toy/0001-moved | as it is |' '| 1-toy/0002-changed | **conflict** in mm/changed.c |'
grep -q '^<<<<<<<' "$work/kept/mm/changed.c"; result a_conflict_is_kept $?

mkdir -p "$kernel/rebased/old/1-toy"
printf '# why\nmm/needed.c\n' >"$kernel/rebased/old/prerequisites"
mail 2 changed.c 's/^changed 10, an older way$/CHANGED, the older way/' "$work/old/tree" >"$kernel/rebased/old/1-toy/0002-changed.patch"
text=$("${rebase[@]}" 2>&1)
result resolved_by_hand $? "$text"
contains resolved_by_hand_is_said "$text" 'The series of 9.new on 9.old' '| prerequisites: mm/needed.c | 1 file changed' '| 1-toy/0002-changed | by hand |'
cp -r "$work/old/tree" "$work/applied"
for patch in "$work"/out/*/*.patch; do (cd "$work/applied" && patch -s -p1 --fuzz=0 <"$patch") || echo "$patch"; done >"$work/log" 2>&1
[ ! -s "$work/log" ]; result what_comes_out_applies $? "$(cat "$work/log")"
contains what_comes_out_is_right "$(cat "$work"/applied/mm/*)" MOVED 'CHANGED, the older way' needed 'one more line'
contains numbers_are_kept "$(cd "$work/out/1-toy" && echo *)" 0001- 0002-

# A kernel's key is a hash over the mails: nothing in them is of the time or the git of a run.
text=$(cat "$work"/out/*/*.patch)
contains dates_are_of_no_run "$text" 'Date: Thu, 1 Jan 2026 00:00:00 +0000' 'Date: Sun, 22 Nov 2026 08:00:00 +0000'
result mails_have_no_signature $(($(grep -c '^-- $' <<<"$text") != 0))

mail 2 changed.c 's/^changed 10$/CHANGED/' >"$kernel/rebased/old/1-toy/0002-changed.patch"
text=$("${rebase[@]}" 2>&1)
result an_outdated_resolution_is_an_error $(($? != 1)) "$text"
contains an_outdated_resolution_is_named "$text" '**does not apply any more**'

printf 'Subject: [PATCH 0/2] a cover letter\n' >"$kernel/patches/1-toy/0000-cover.patch"
printf 'Subject: [PATCH 2/2] mm: edit by hand\n\n--- a/mm/moved.c\n+++ b/mm/moved.c\n' >"$kernel/patches/1-toy/0003-plain.patch"
text=$("${rebase[@]}" 2>&1)
result a_mail_without_a_change_is_an_error $(($? == 0)) "$text"
contains a_mail_without_a_change_is_named "$text" '0003-plain.patch has no change in the format of git'
rm "$kernel/patches/1-toy/0003-plain.patch"

mkdir "$work/precious"
text=$("$kernel/scripts/rebase.sh" --cache "$work" --to old --out "$work/precious" 2>&1)
result another_folder_is_left_alone $(($? != 2)) "$text"
text=$("$here/fetch-base.sh" --cache "$work/cache" --base 1.0 2>&1)
result an_unknown_base $(($? != 2)) "$text"
contains an_unknown_base_is_named "$text" '--base 1.0: base.json knows 7.2'
ktap_end
