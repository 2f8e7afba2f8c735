#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests of the scripts, without building a kernel: KTAP on stdout, seconds.
#
# A toy "kernel" of a few files stands in for the source: what is under test is
# how series are taken apart, refused, applied and keyed.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kernel_dir=$(dirname "$here")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cache=$work/cache
build=("$here/build-bundle.sh" --cache "$cache" --local "$work/linux.tar")

number=0 failed=0
# result NAME STATUS [DETAIL]
result() {
	number=$((number + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $number $1"
	else
		failed=1
		[ -z "${3-}" ] || printf '%s\n' "$3" | sed 's/^/# /'
		echo "not ok $number $1"
	fi
}
# contains NAME TEXT WORD... -- TEXT holds every WORD.
contains() {
	local name=$1 text=$2 word
	shift 2
	for word in "$@"; do
		[[ $text == *"$word"* ]] || { result "$name" 1 "'$word' is not in: $text"; return; }
	done
	result "$name" 0
}

# -- a tree to work on
tree=$work/linux
mkdir -p "$tree/mm" "$tree/include/linux" "$tree/scripts/kconfig"
printf 'VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 99\nEXTRAVERSION =\nkernelversion:\n\t@echo 7.3.99\n%%:\n\t@echo "mm/hmm.c:3:1: error: toy" >&2; exit 1\n' >"$tree/Makefile"
touch "$tree/Kbuild"
seq 1 60 | sed 's/^/line /' >"$tree/mm/hmm.c"
echo 'int x;' >"$tree/include/linux/memremap.h"
tar -C "$work" -cf "$work/linux.tar" linux

# edit_patch NAME SED-SCRIPT FILE [SUBJECT] -- a mail with the change.
edit_patch() {
	local file=$3
	cp "$tree/$file" "$work/new"
	sed -i "$2" "$work/new"
	{
		printf 'From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n'
		printf 'From: A <a@example.org>\nDate: Sun, 22 Nov 2026 08:00:00 +0000\nSubject: [PATCH] %s\n\nWhy.\n---\n' "${4:-edit}"
		diff -u --label "a/$file" --label "b/$file" "$tree/$file" "$work/new"
		printf -- '-- \n2.39\n\n'
	} >"$1"
}
edit_patch "$work/good.patch" 's/^line 10$/LINE 10/; s/^line 50$/LINE 50/' mm/hmm.c 'mm: good'
sed 's/^ line 52$/ LINE 52 of another tree/' "$work/good.patch" >"$work/bad-hunk.patch"
mkdir "$work/folder"
cp "$work/good.patch" "$work/folder/0001-good.patch"
cp "$work/bad-hunk.patch" "$work/folder/0003-bad.patch"

echo 'KTAP version 1'
echo '1..26'

# -- keys
key_none=$("${build[@]}" --key 2>/dev/null)
[[ $key_none =~ ^[0-9a-f]{64}$ ]]; result key.is_a_digest $? "$key_none"
[ "$key_none" = "$("${build[@]}" --key --series none)" ]; result key.same_inputs_same_key $?
key_good=$("${build[@]}" --key --series "$work/good.patch")
[ "$key_none" != "$key_good" ]; result key.a_patch_changes_it $?
cp "$work/good.patch" "$work/other-name.patch"
[ "$key_good" = "$("${build[@]}" --key --series "$work/other-name.patch")" ]; result key.a_file_name_does_not $?
[ "$key_none" != "$("${build[@]}" --key --config debug)" ]; result key.a_configuration_changes_it $?
"${build[@]}" --key --series bundled >/dev/null 2>&1; result key.of_the_bundled_series $?

# -- refusals: apply SERIES WORD...
refusal() {
	local name=$1 series=$2 text status
	shift 2
	text=$("${build[@]}" --out "$work/out" --series "$series" 2>/dev/null)
	status=$?
	if [ $status -ne 10 ]; then
		result "$name" 1 "exit status $status: $text"
		return
	fi
	contains "$name" "$(grep '^@error' <<<"$text")" '"class":"apply"' "$@"
}
refusal apply.names_patch_file_and_hunk "$work/bad-hunk.patch" '"patch":"bad-hunk.patch"' '"file":"mm/hmm.c"' '"hunk":2' '"line":47'
sed 's/line 1[0-9]$/& of another tree/' "$work/folder/0003-bad.patch" >"$work/both.patch"
refusal apply.names_the_first_hunk "$work/both.patch" '"hunk":1'
sed -i 's/^[ -]line 10$/-line 10/; s/^+LINE 10$/+LINE TEN/' "$work/folder/0003-bad.patch"
refusal apply.names_the_file_of_a_folder "$work/folder" '"patch":"0003-bad.patch"'
cat "$work/good.patch" "$work/good.patch" >"$work/twice.mbox"
refusal apply.already_in_the_tree "$work/twice.mbox" '"patch":"0002-mm-good.patch"'
sed 's#mm/hmm.c#mm/none.c#' "$work/good.patch" >"$work/no-file.patch"
refusal apply.no_such_file "$work/no-file.patch" 'mm/none.c'
printf 'From a@b Mon Sep 17 00:00:00 2001\nSubject: hello\n\nno diff here\n' >"$work/empty.mbox"
refusal apply.mbox_without_diff "$work/empty.mbox" 'there is no diff'
head -c 300 /dev/urandom >"$work/noise.mbox"
refusal apply.noise "$work/noise.mbox" '"detail"'
: >"$work/zero.mbox"
refusal apply.empty_file "$work/zero.mbox" 'empty'
mkdir "$work/nothing"
refusal apply.empty_folder "$work/nothing" 'no *.patch'
sed 's#b/mm/hmm.c#b/../../outside#' "$work/good.patch" >"$work/traverse.patch"
refusal apply.path_that_leaves_the_tree "$work/traverse.patch" 'leaves the tree'
sed 's#+++ b/mm/hmm.c#+++ /etc/passwd#' "$work/good.patch" >"$work/absolute.patch"
refusal apply.absolute_path "$work/absolute.patch" 'absolute path'
printf 'diff --git a/mm/l b/mm/l\nnew file mode 120000\n--- /dev/null\n+++ b/mm/l\n@@ -0,0 +1 @@\n+/etc\n' >"$work/link.patch"
refusal apply.symbolic_link "$work/link.patch" 'symbolic link'

# -- mail formats
{
	sed -n '1,/^---$/p' "$work/good.patch" | sed 's/^Date:.*/&\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64/; /^$/,$d'
	printf '\n'
	sed '1,/^$/d' "$work/good.patch" | base64
} >"$work/base64.mbox"
mkdir "$work/split"
text=$("$here/split-series.pl" "$work/base64.mbox" "$work/split" 0 2>&1)
grep -q '^+LINE 50$' "$work/split/0001.patch"; result mail.base64 $? "$text"
printf 'Subject: [PATCH 0/1] cover\n\nno diff\n' | sed '1i From 0 Mon Sep 17 00:00:00 2001' >"$work/cover.mbox"
cat "$work/good.patch" >>"$work/cover.mbox"
text=$("$here/split-series.pl" "$work/cover.mbox" "$work/split" 0 2>&1)
[ "$(wc -l <<<"$text")" = 1 ]; result mail.cover_letter_is_left_out $? "$text"

# -- the pristine tree and what comes after
mkdir -p "$cache/kernel/build-dead" "$cache/kernel/build-alive"
exec 7>"$cache/kernel/.build-alive.lock"
flock 7
sum_before=$(cd "$cache"/kernel/base-*/tree && find . -type f -exec sha256sum {} + | sort | sha256sum)
text=$("${build[@]}" --out "$work/out" --series "$work/good.patch" 2>/dev/null)
status=$?
[ $status -eq 11 ]; result compile.exit_status $? "$status: $text"
[ ! -e "$cache/kernel/build-dead" ]; result tree.of_a_killed_build_is_removed $?
[ -e "$cache/kernel/build-alive" ]; result tree.of_a_running_build_is_not $?
contains compile.names_file_and_line "$(grep '^@error' <<<"$text")" '"class":"compile"' '"file":"mm/hmm.c"' '"line":3' 'toy'
sum_after=$(cd "$cache"/kernel/base-*/tree && find . -type f -exec sha256sum {} + | sort | sha256sum)
[ "$sum_before" = "$sum_after" ]; result tree.pristine_one_is_untouched $?
"${build[@]}" --out "$work/out" --series /does/not/exist >/dev/null 2>&1
[ $? -eq 2 ]; result usage.unknown_series $?
exit $failed
