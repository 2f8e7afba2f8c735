#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests of how a series is taken apart, refused, applied and keyed, on a toy "kernel"
# of a few files: KTAP on stdout, seconds.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=ktap.sh
. "$here/ktap.sh"

cache=$work/cache
build=("$here/build-bundle.sh" --cache "$cache" --local "$work/linux.tar")

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

# -- keys
key_none=$("${build[@]}" --key 2>/dev/null | tail -1)
[[ $key_none =~ ^[0-9a-f]{64}$ ]]; result key.is_a_digest $? "$key_none"
[ "$key_none" = "$("${build[@]}" --key --series none | tail -1)" ]; result key.same_inputs_same_key $?
key_good=$("${build[@]}" --key --series "$work/good.patch" | tail -1)
[ "$key_none" != "$key_good" ]; result key.a_patch_changes_it $?
cp "$work/good.patch" "$work/other-name.patch"
[ "$key_good" = "$("${build[@]}" --key --series "$work/other-name.patch" | tail -1)" ]; result key.a_file_name_does_not $?
[ "$key_none" != "$("${build[@]}" --key --config debug | tail -1)" ]; result key.a_configuration_changes_it $?
"${build[@]}" --key --series bundled >/dev/null 2>&1; result key.of_the_bundled_series $?

[ "$key_none" != "$("${build[@]}" --key --kselftest timers | tail -1)" ]; result key.selftests_change_it $?
[ "$key_good" != "$("${build[@]}" --key --series "$work/good.patch" --mutants 5 | tail -1)" ]; result key.mutants_change_it $?
! "${build[@]}" --key --mutants none >/dev/null 2>&1; result usage.mutants_are_a_number $?
[ "$("${build[@]}" --key --kselftest b --kselftest a | tail -1)" = "$("${build[@]}" --key --kselftest a --kselftest b --kselftest a | tail -1)" ]
result key.the_order_of_selftests_does_not $?
! "${build[@]}" --key --kselftest ../mm >/dev/null 2>&1; result usage.no_selftests_outside_of_their_folder $?

# -- a configuration of one machine
toy=$work/toy-base/tree
mkdir -p "$toy/scripts/kconfig"
echo 7.3.99 >"$work/toy-base/version"
# localmodconfig keeps the modules that LSMOD names, as the kernel's own does.
cat >"$toy/Makefile" <<'MAKE'
olddefconfig:
	@:
localmodconfig:
	@grep -v '=m$$' $(O)/.config >$(O)/kept || :
	@tail -n +2 $(LSMOD) | while read -r name rest; do grep -ix "CONFIG_$$name=m" $(O)/.config >>$(O)/kept || :; done
	@mv $(O)/kept $(O)/.config
MAKE
printf '#!/bin/sh\nshift 3\ncat "$@" >>.config\n' >"$toy/scripts/kconfig/merge_config.sh"
printf '#!/bin/sh\necho "-OLD y"\necho " NVME m -> n"\necho " PCI_P2PDMA n -> y"\n' >"$toy/scripts/diffconfig"
chmod +x "$toy/scripts/kconfig/merge_config.sh" "$toy/scripts/diffconfig"
printf '@config\nCONFIG_PCI=y\nCONFIG_NVME=m\nCONFIG_E1000E=m\nCONFIG_OTHER=m\n@modules\nnvme\ne1000e\n' >"$work/needs"
mkdir "$work/configs"
machine_config=("$here/machine-config.sh" --cache "$work/cache" --base "$work/toy-base" --needs "$work/needs" --out "$work/configs")
text=$("${machine_config[@]}" --name epyc-1 2>&1)
contains machine_config.shows_what_the_farm_changes "$text" ' PCI_P2PDMA n -> y' "@configuration $work/configs/epyc-1.config"
[[ $text != *OLD* && $text != *NVME* ]]; result machine_config.does_not_list_what_was_trimmed $? "$text"
[ "$(grep -c '=m$' "$work/configs/epyc-1.config")" = 2 ]; result machine_config.keeps_the_modules_of_the_machine $?
head -n 3 "$work/configs/epyc-1.config" | grep -qx '# whole: yes'; result machine_config.stands_for_itself $?
! grep -q '^# machine' "$work/configs/epyc-1.config"; result machine_config.is_of_the_machine_of_its_name $?
"${machine_config[@]}" --name other --machine Epyc.1 >/dev/null 2>&1
head -n 4 "$work/configs/other.config" | grep -qx '# machine: Epyc.1'; result machine_config.names_its_machine $?
! "${machine_config[@]}" --name other --machine 'a b' >/dev/null 2>&1; result machine_config.takes_no_other_text_for_a_machine $?
! "${machine_config[@]}" --name machine >/dev/null 2>&1; result machine_config.leaves_the_reserved_word_alone $?
"${machine_config[@]}" --name all --all-modules >/dev/null 2>&1
[ "$(grep -c '=m$' "$work/configs/all.config")" = 3 ]; result machine_config.keeps_every_module_when_told $?
! "${machine_config[@]}" --name debug >/dev/null 2>&1; result machine_config.leaves_the_farms_own_alone $?
! "${machine_config[@]}" --name lab-server >/dev/null 2>&1; result machine_config.leaves_each_of_the_farms_own_alone $?
"${machine_config[@]}" --name epyc-1 >/dev/null 2>&1; result machine_config.replaces_what_it_made $?
# shellcheck disable=SC2016 # nothing is to be expanded here, and by make neither
for line in 'CONFIG_LOCALVERSION="$(shell id)"' 'CONFIG_LOCALVERSION="`id`"' 'include /etc/passwd' 'CONFIG_X=y; id' 'CONFIG_X="a" "b"' 'CONFIG_X=$(Y)'; do
	printf '@config\nCONFIG_PCI=y\n%s\n@modules\nnvme\n' "$line" >"$work/needs"
	contains "machine_config.refuses.${line// /_}" "$("${machine_config[@]}" --name x 2>&1)" 'line 2 of the configuration is no setting'
done
printf '@config\nCONFIG_PCI=y\nCONFIG_INITRAMFS_SOURCE="/etc/initrd"\n# a comment\n# CONFIG_NVME is not set\n@modules\nnvme\n' >"$work/needs"
"${machine_config[@]}" --name files >/dev/null 2>&1
[ "$(grep -c INITRAMFS "$work/configs/files.config")" = 0 ]; result machine_config.leaves_out_files_of_the_machine $?
grep -qx '# CONFIG_NVME is not set' "$work/configs/files.config"; result machine_config.keeps_what_is_not_set $?
printf '@config\nCONFIG_PCI=y\nCONFIG_LOCALVERSION="-13-amd64"\nCONFIG_BUILD_SALT="6.1.0-13-amd64"\n@modules\nnvme\n' >"$work/needs"
"${machine_config[@]}" --name salt >/dev/null 2>&1
[ "$(grep -v '^#' "$work/configs/salt.config")" = CONFIG_PCI=y ]; result machine_config.leaves_out_the_release_of_its_kernel $?
# Of what peer-to-peer needs this tree knows three settings; one is on, one could be, and one cannot be turned on.
printf '@config\nCONFIG_PCI_P2PDMA=y\n# CONFIG_HSA_AMD_P2P is not set\n@modules\nnvme\n' >"$work/needs"
printf 'config PCI_P2PDMA\n\tbool\nconfig HSA_AMD_P2P\n\tbool\nconfig DMABUF_MOVE_NOTIFY\n\tbool\n' >"$toy/Kconfig"
sed -i 's/^olddefconfig:/&\n\t@sed -i "\/MOVE_NOTIFY\/d" $(O)\/.config/' "$toy/Makefile"
[ "$("${machine_config[@]}" --name off 2>/dev/null | grep '^@off')" = '@off CONFIG_HSA_AMD_P2P it is not set
@off CONFIG_DMABUF_MOVE_NOTIFY something that it depends on is not set' ]
result machine_config.says_what_peer_to_peer_lacks $?
{ printf '@config\nCONFIG_PCI=y\n'; head -c 2200000 /dev/zero | tr '\0' '\n'; printf '@modules\nnvme\n'; } >"$work/needs"
contains machine_config.has_a_limit "$("${machine_config[@]}" --name x 2>&1)" 'more than 2097152 bytes'
printf '@config\n@modules\nnvme\n' >"$work/needs"
contains machine_config.needs_a_configuration "$("${machine_config[@]}" --name x 2>&1)" 'it holds no configuration'

mkdir "$work/kernel"
cp -r "$here/.." "$work/kernel/"
own=("$work/kernel/scripts/build-bundle.sh" --cache "$work/cache" --local "$work/linux.tar" --key)
[ "$("${own[@]}" | tail -1)" = "$key_none" ]; result key.the_folder_does_not_change_it $?
mkdir -p "$work/kernel/drivers/toy-gpu"
echo '{"version":"1","modules":["toy"]}' >"$work/kernel/drivers/toy-gpu/driver.json"
[ "$("${own[@]}" | tail -1)" = "$key_none" ]; result key.a_driver_from_outside_does_not_change_it $?
rm -r "$work/kernel/drivers"
cp "$work/configs/epyc-1.config" "$work/kernel/config/"
whole=$("${own[@]}" --config epyc-1 | tail -1)
[ "$whole" != "$key_none" ]; result key.a_whole_configuration_has_its_own $?
echo 'CONFIG_MORE=y' >>"$work/kernel/config/farm.fragment"
[ "$whole" != "$("${own[@]}" --config epyc-1 | tail -1)" ]; result key.what_the_farm_needs_changes_that_of_a_whole_one $?
[ "$("${own[@]}" | tail -1)" = "$key_none" ]; result key.and_no_other $?
# Equal settings are one kernel, whichever machine they were made for.
whole=$("${own[@]}" --config epyc-1)
sed 's/epyc-1/epyc-2/; 4i # another comment\n' "$work/configs/epyc-1.config" >"$work/kernel/config/epyc-2.config"
[ "$whole" = "$("${own[@]}" --config epyc-2)" ]; result key.equal_settings_under_two_names_have_one $? "$whole"
[[ $whole =~ \"config\":\{\"name\":\"whole-[0-9a-f]{16}\" ]]; result key.whose_name_follows_from_the_settings $? "$whole"
sed -i 's/^# about: .*/# about: something else/' "$work/kernel/config/epyc-2.config"
[ "$whole" = "$("${own[@]}" --config epyc-2)" ]; result key.a_comment_does_not $?
sed -i '$s/=m$/=y/' "$work/kernel/config/epyc-2.config"
[ "$whole" != "$("${own[@]}" --config epyc-2)" ]; result key.another_setting_changes_it $?
cp "$work/configs/epyc-1.config" "$work/kernel/config/epyc-2.config"
echo '# CONFIG_USB is not set' >>"$work/kernel/config/epyc-2.config"
[ "$whole" != "$("${own[@]}" --config epyc-2)" ]; result key.a_setting_that_is_not_set_changes_it $?
# A file of anybody, with the comments of a distribution and what only that has.
{ echo '# Linux/x86 6.1.0'; grep -v '^# ' "$work/configs/epyc-1.config"; printf 'CONFIG_LOCALVERSION="-13-amd64"\nCONFIG_SYSTEM_TRUSTED_KEYS="debian/certs/key.pem"\n'; } >"$work/theirs"
[ "$whole" = "$("${own[@]}" --config-file "$work/theirs")" ]; result key.a_file_with_equal_settings_has_the_same $?
echo '# CONFIG_USB is not set' >>"$work/theirs"
[ "$whole" != "$("${own[@]}" --config-file "$work/theirs")" ]; result key.a_setting_of_a_file_changes_it $?
contains config_file.is_not_one_of_two "$("${own[@]}" --config debug --config-file "$work/theirs" 2>&1)" '--config names another one'
contains config_file.must_be_there "$("${own[@]}" --config-file "$work/none" 2>&1)" 'no such file'
# shellcheck disable=SC2016 # make does not expand it either
for line in 'CONFIG_X=$(shell id)' 'include /etc/passwd'; do
	printf 'CONFIG_PCI=y\n%s\n' "$line" >"$work/theirs"
	text=$("${own[@]}" --config-file "$work/theirs" 2>/dev/null); status=$?
	[ $status -eq 11 ] && [[ $text == '@error {"class":"compile",'*'line 2 of the configuration is no setting'* ]]
	result "config_file.refuses.${line// /_}" $? "$text"
done
echo '# CONFIG_PCI is not set' >"$work/theirs"
contains config_file.needs_a_setting "$("${own[@]}" --config-file "$work/theirs" 2>/dev/null)" 'turns nothing on'
head -c 2200000 /dev/zero | tr '\0' '\n' >"$work/theirs"
contains config_file.has_a_limit "$("${own[@]}" --config-file "$work/theirs" 2>/dev/null)" 'more than 2097152 bytes'
# On top of the farm's own, a file with these settings is another configuration.
sed '/^# whole: yes$/d' "$work/configs/epyc-1.config" >"$work/kernel/config/epyc-2.config"
[ "$whole" != "$("${own[@]}" --config epyc-2)" ]; result key.what_stands_for_itself_is_another $?
# The parts count in their order: what one says last holds.
printf 'CONFIG_A=y\nCONFIG_B=y\n' >"$work/one" && printf 'CONFIG_A=n\n' >"$work/two"
digest() (
	# shellcheck source=configuration.sh
	. "$here/configuration.sh"
	settings_digest "$@"
)
[ "$(digest '' "$work/one" "$work/two")" != "$(digest '' "$work/two" "$work/one")" ]; result key.the_order_of_fragments_changes_it $?
[ "$(digest '' "$work/one" "$work/two")" != "$(digest "$work/one" "$work/two")" ]; result key.where_it_starts_changes_it $?
# Under a name of its own a configuration of the farm says it, and so does its key.
cp "$work/kernel/config/debug.config" "$work/kernel/config/debug-2.config"
[ "$("${own[@]}" --config debug | tail -1)" != "$("${own[@]}" --config debug-2 | tail -1)" ]; result key.the_name_of_a_fragment_does $?

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
refusal apply.mbox_without_diff "$work/empty.mbox" 'there is no patch in it'
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
# As git am does: what is built of it stays in the sandbox. The toy does not compile, so it was applied.
"${build[@]}" --out "$work/out" --series "$work/link.patch" >/dev/null 2>&1
[ $? -eq 11 ]; result apply.symbolic_link $?

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
[ "$text" = $'left out, as there is no patch in it: [PATCH 0/1] cover\n1\t0002-mm-good.patch\tmm: good' ]
result mail.cover_letter_is_left_out $? "$text"

# -- a series in postings
mkdir -p "$work/postings/1-first" "$work/postings/2-second" "$work/postings/notes" "$work/elsewhere"
cp "$work/good.patch" "$work/postings/2-second/0001-good.patch"
edit_patch "$work/postings/1-first/0001-header.patch" 's/x/y/' include/linux/memremap.h 'mm: header'
sed 's/\[PATCH\]/[RFC PATCH 0\/1]/; /^---$/,$d' "$work/good.patch" >"$work/postings/1-first/0000-cover-letter.patch"
echo 1-first >"$work/postings/2-second/needs"
cp "$work/good.patch" "$work/elsewhere/"
ln -s "$work/elsewhere" "$work/postings/3-link"
text=$("$here/split-series.pl" "$work/postings" "$work/split" 0 2>&1)
[ "$text" = $'left out, as there is no patch in it: [RFC PATCH 0/1] mm: good\n1\t1-first/0001-header.patch\tmm: header\n2\t2-second/0001-good.patch\tmm: good' ]
result postings.in_the_order_of_their_folders $? "$text"

# -- trees: kept, filled with what differs, never the pristine one
mkdir -p "$cache/kernel/build-dead"
sum_of() { (cd "$1" && find . -type f -not -name '.peerlab*' -exec sha256sum {} + | sort -k2) | sha256sum; }
pristine=$(echo "$cache"/kernel/base-*/tree)
kept=$cache/kernel/tree-peerlab-0
sum_before=$(sum_of "$pristine")
text=$("${build[@]}" --out "$work/out" --series "$work/good.patch" 2>/dev/null)
status=$?
[ $status -eq 11 ]; result compile.exit_status $? "$status: $text"
contains compile.names_file_and_line "$(grep '^@error' <<<"$text")" '"class":"compile"' '"file":"mm/hmm.c"' '"line":3' 'toy'
[ ! -e "$cache/kernel/build-dead" ]; result tree.of_a_former_build_is_removed $?
[ "$(sum_of "$pristine")" = "$sum_before" ]; result tree.pristine_one_is_untouched $?
grep -qx 'LINE 50' "$kept/mm/hmm.c"; result tree.holds_the_series $?
# A file that the next series leaves alone keeps its time, or make would build it again.
printf 'diff --git a/mm/new.c b/mm/new.c\nnew file mode 100644\n--- /dev/null\n+++ b/mm/new.c\n@@ -0,0 +1 @@\n+int n;\n' >"$work/adds.patch"
cat "$work/good.patch" "$work/adds.patch" >"$work/good-adds.patch"
touch -d '2026-01-01' "$kept/mm/hmm.c"
"${build[@]}" --out "$work/out" --series "$work/good-adds.patch" >/dev/null 2>&1
[ -f "$kept/mm/new.c" ] && [ "$(stat -c %Y "$kept/mm/hmm.c")" = "$(date -d '2026-01-01' +%s)" ]
result tree.changes_only_what_differs $? "$(ls -l "$kept/mm")"
"${build[@]}" --out "$work/out" --series "$work/bad-hunk.patch" >/dev/null 2>&1
grep -qx 'LINE 50' "$kept/mm/hmm.c" && [ -f "$kept/mm/new.c" ]; result tree.a_series_that_does_not_apply_changes_nothing $?
"${build[@]}" --out "$work/out" --series none >/dev/null 2>&1
[ "$(sum_of "$kept")" = "$sum_before" ]; result tree.goes_back_to_the_pristine_source $?
[ "$(stat -c %Y "$kept/mm/hmm.c")" -ge "$(($(date +%s) - 60))" ]; result tree.a_file_that_goes_back_is_new_to_make $?
touch "$kept/half-an-object.o" "$kept/.peerlab-busy"
"${build[@]}" --out "$work/out" --series none >/dev/null 2>&1
[ ! -e "$kept/half-an-object.o" ]; result tree.of_a_killed_build_is_made_anew $?
exec 6>"$cache/kernel/.tree-peerlab-0.lock"
flock 6
"${build[@]}" --out "$work/out" --series none >/dev/null 2>&1
[ -d "$cache/kernel/tree-peerlab-1" ]; result tree.a_second_one_beside_a_running_build $?
exec 6>&-
# Two trees of other series: the nearer one is taken, whatever its number.
"${build[@]}" --out "$work/out" --series "$work/good.patch" >/dev/null 2>&1
exec 6>"$cache/kernel/.tree-peerlab-0.lock"
flock 6
"${build[@]}" --out "$work/out" --series none >/dev/null 2>&1
exec 6>&-
touch -d '2026-01-01' "$kept/mm/hmm.c" "$cache/kernel/tree-peerlab-1/mm/hmm.c"
"${build[@]}" --out "$work/out" --series "$work/good-adds.patch" >/dev/null 2>&1
find "$cache"/kernel/tree-peerlab-[01] -name new.c >"$work/chosen"
grep -q 'LINE 50' "$(dirname "$(cat "$work/chosen")")/hmm.c" &&
	[ "$(stat -c %Y "$(dirname "$(cat "$work/chosen")")/hmm.c")" = "$(date -d '2026-01-01' +%s)" ]
result tree.the_nearest_one_is_taken $? "$(cat "$work/chosen")"
[ "$(sum_of "$pristine")" = "$sum_before" ]; result tree.pristine_one_is_untouched_by_all_this $?

# Builds on two bases in turn.
rm -rf "$cache/kernel/tree-peerlab-1"
cp -r "$tree" "$work/linux-next" && echo '# another base' >>"$work/linux-next/Kbuild"
tar -C "$work" -cf "$work/next.tar" --transform s/linux-next/linux/ linux-next
"$here/build-bundle.sh" --cache "$cache" --local "$work/next.tar" --out "$work/out" --series none >/dev/null 2>&1
! grep -q 'another base' "$kept/Kbuild" && grep -q 'another base' "$cache/kernel/tree-peerlab-1/Kbuild"
result tree.of_one_base_stays_when_another_is_built $? "$(ls "$cache/kernel")"

# Which estimate counts: of what differs, where the tree holds a kernel of this base.
mkdir "$work/noted"
echo 'key gcc' >"$work/noted/.peerlab-base"
was_built() (
	# shellcheck disable=SC2034 # of tree.sh
	config=x base=x base_key=$1 base_version=1 toolchain=gcc
	# shellcheck source=tree.sh
	. "$here/tree.sh"
	tree=$work/noted
	note_build
	[ -n "$built_before" ]
)
! was_built key; result tree.without_a_kernel_has_none_of_before $?
touch "$work/noted/vmlinux"
was_built key; result tree.knows_that_it_holds_a_kernel $?
! was_built other; result tree.of_another_base_holds_none $?

# An editor wrote through a hard link of somebody's tree.
rm -rf "$cache"/kernel/tree-peerlab-*
echo 'line 61' >>"$pristine/mm/hmm.c"
text=$("${build[@]}" --out "$work/out" --series none 2>/dev/null)
[ $? -eq 12 ] && [[ $text == *'the pristine source has been changed: mm/hmm.c'* ]]
result tree.a_changed_pristine_one_is_not_used $? "$text"

# -- usage
"${build[@]}" --out "$work/out" --series /does/not/exist >/dev/null 2>&1
[ $? -eq 2 ]; result usage.unknown_series $?
boot_refuses() {
	local name=$1 word=$2 text status
	shift 2
	text=$("$here/boot-vm.sh" "$@" 2>&1)
	status=$?
	[ $status -eq 2 ] || { result "$name" 1 "exit status $status: $text"; return; }
	contains "$name" "$text" "$word"
}
mkdir -p "$work/bundle/suites"
echo '{}' >"$work/bundle/manifest.json"
cp /bin/true "$work/bundle/suites/p2p_functional"
vm=(--bundle "$work/bundle")
boot_refuses usage.boot_no_bundle '--bundle /nowhere: there is no manifest.json' --bundle /nowhere
boot_refuses usage.boot_unknown_option 'unknown argument --disk' "${vm[@]}" --disk 1
boot_refuses usage.boot_missing_value '--path: the value is missing' "${vm[@]}" --path
boot_refuses usage.boot_unknown_path '--path ring: expected switch, bridge' "${vm[@]}" --path ring -- p2p_functional
boot_refuses usage.boot_unknown_iommu '--iommu on: expected none, translated or pt' "${vm[@]}" --iommu on -- p2p_functional
boot_refuses usage.boot_bar_no_power_of_two '--bar 3G: expected a power of two' "${vm[@]}" --bar 3G -- p2p_functional
boot_refuses usage.boot_no_such_provider '--provider 1: --path switch has 1, counted from 0' "${vm[@]}" --provider 1 -- p2p_functional
boot_refuses usage.boot_unknown_suite "the bundle has no suite 'p2p_perf'; it has: p2p_functional" "${vm[@]}" -- p2p_perf

# A reader hears of each file when it is compiled, not a hundred files later.
mkfifo "$work/make" "$work/heard"
"$here/compile-progress.pl" 10 88 4 "$work/count" <"$work/make" >"$work/heard" 2>"$work/copied" &
exec 5>"$work/make" 6<"$work/heard"
text=''
for line in '  CC      mm/hmm.o' '  CC [M]  drivers/gpu/drm/xe/xe_svm.o' '  AS      lib/x.o' '  CC      a.o' '  CC      b.o'; do
	printf '  GEN     x\n%s\n' "$line" >&5
	# No more is written before the answer is here.
	IFS= read -r -t 30 -u 6 answer || answer='no answer'
	text+=$answer$'\n'
done
exec 5>&-
wait $!
exec 6<&-
[ "$text" = '@progress 29.50 compiling 1/4: mm/hmm.o
@progress 49.00 compiling 2/4: drivers/gpu/drm/xe/xe_svm.o
@progress 68.50 compiling 3/4: lib/x.o
@progress 88.00 compiling 4/4: a.o
@progress 88.00 compiling 5/5: b.o
' ]; result progress.reports_each_file_at_once $? "$text"
[ "$(cat "$work/count")" = 5 ] && [ "$(grep -c '^  GEN' "$work/copied")" = 5 ]
result progress.counts_files_and_copies_the_log $? "$(cat "$work/copied")"

# -- the files of a bundle, each with its own digest
mkdir -p "$work/files/suites"
printf 1 >"$work/files/suites/a" && printf 22 >"$work/files/b" && printf 333 >"$work/files/c"
# entries [DIGEST-PROGRAM] -- what the manifest says of them.
entries() (
	set -e -o pipefail
	# shellcheck source=manifest.sh
	. "$here/manifest.sh"
	# shellcheck disable=SC2030,SC2031 # for xargs alone
	PATH=${1:+$1:}$PATH
	file_entries "$work/files"
)
text=$(entries) && [ "$(perl -MJSON::PP -0777 -e 'my $o = decode_json("{" . <STDIN> . "}");
	print join " ", map { "$_ $o->{$_}{sizeBytes} " . substr $o->{$_}{sha256}, 0, 8 } sort keys %$o' <<<"$text")" = \
	"b 2 $(printf 22 | sha256sum | cut -c1-8) c 3 $(printf 333 | sha256sum | cut -c1-8) suites/a 1 $(printf 1 | sha256sum | cut -c1-8)" ]
result manifest.each_file_has_its_own_digest $? "$text"
mkdir "$work/bin"
# One that leaves out a file, without and with an exit status that says so.
printf '#!/bin/sh\n%s "$@" | grep -v "  c$"\n' "$(command -v sha256sum)" >"$work/bin/sha256sum"
chmod +x "$work/bin/sha256sum"
text=$(entries "$work/bin" 2>&1)
[ $? -eq 1 ] && [[ $text == *'no digest of suites/a'* || $text == *'no digest of c'* ]]
result manifest.a_missing_digest_is_noticed $? "$text"
printf '#!/bin/sh\n%s "$@"\nexit 1\n' "$(command -v sha256sum)" >"$work/bin/sha256sum"
! entries "$work/bin" >/dev/null 2>&1; result manifest.a_failed_digest_is_noticed $?

ktap_end
