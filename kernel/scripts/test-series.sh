#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests of check-series.sh on a toy tree: what passed is not checked twice. KTAP on stdout, seconds.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=ktap.sh
. "$here/ktap.sh"

# -- a tree whose compiler takes everything but "broken", and a checkpatch.pl that says that it was asked
tree=$work/base/tree
mkdir -p "$tree"/{mm,scripts/kconfig} "$work"/kernel/{scripts,config,patches/1-toy}
echo 'toy source' >"$work/base/source.sha256"
seq 1 9 >"$tree/mm/toy.c"
cat >"$tree/Makefile" <<'EOF'
tinyconfig olddefconfig prepare:
	@mkdir -p $(O) && touch $(O)/.config
%.o: %.c
	@if grep -q broken $<; then echo "$<:1: error: broken"; exit 1; fi; mkdir -p $(O)/$(@D) && cp $< $(O)/$@
EOF
printf '#!/bin/sh\n' >"$tree/scripts/kconfig/merge_config.sh"
chmod +x "$tree/scripts/kconfig/merge_config.sh"
# shellcheck disable=SC2016 # it is Perl
printf 'open(my $f, ">>", "%s"); print $f "asked\\n"; 1 while <STDIN>;\n' "$work/asked" >"$tree/scripts/checkpatch.pl"

kernel=$work/kernel
cp "$here"/{check-series,report}.sh "$kernel/scripts/"
: >"$kernel/config/peerlab.config"
printf '#!/bin/bash\necho %q\n' "$work/base" >"$kernel/scripts/fetch-base.sh"
chmod +x "$kernel/scripts/fetch-base.sh"
cat >"$kernel/patches/1-toy/0000-cover-letter.patch" <<'EOF'
Subject: [PATCH 0/1] toy
EOF
# mail WORD -- the series changes one line to this.
mail() {
	printf 'From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\nFrom: A <a@example.org>\nDate: Sun, 22 Nov 2026 08:00:00 +0000\nSubject: [PATCH 1/1] mm: edit\n\nWhy.\n---\ndiff --git a/mm/toy.c b/mm/toy.c\n--- a/mm/toy.c\n+++ b/mm/toy.c\n@@ -1,2 +1,2 @@\n-1\n+%s\n 2\n-- \n2.39\n\n' "$1" \
		>"$kernel/patches/1-toy/0001-mm-edit.patch"
}
asked() { wc -l <"$work/asked"; }
check=("$kernel/scripts/check-series.sh" --cache "$work/cache")
mkdir "$work/cache"

mail one
text=$("${check[@]}" 2>&1)
result a_good_series_passes $? "$text"
contains each_check_is_said "$text" 'ok 2 1-toy.applies_with_what_it_needs' '1-toy/0001.checkpatch' '1-toy/0001.builds.quick'
again=$("${check[@]}" 2>&1)
result what_passed_passes_again $? "$again"
[ "$(grep -v '^# nothing has changed' <<<"$again")" = "$text" ]; result and_says_the_same $? "$again"
contains and_says_that_nothing_changed "$again" '# nothing has changed since this passed, '
[ "$(asked)" -eq 1 ]; result without_a_check $? "$(asked)"
"${check[@]}" --again >/dev/null 2>&1
[ "$(asked)" -eq 2 ]; result again_checks_all_the_same $? "$(asked)"
echo CONFIG_TOY=y >>"$kernel/config/peerlab.config"
"${check[@]}" >/dev/null 2>&1
[ "$(asked)" -eq 3 ]; result another_configuration_is_checked $? "$(asked)"

mail broken
for time in first second; do
	text=$("${check[@]}" 2>&1)
	result "a_bad_series_fails_the_${time}_time" $(($? != 1)) "$text"
	contains "what_is_bad_is_said_the_${time}_time" "$text" 'error: broken' 'not ok 6 1-toy/0001.builds.quick'
done
mail one
"${check[@]}" >/dev/null 2>&1
[ "$(asked)" -eq 5 ]; result a_series_of_before_is_known $? "$(asked)"
ktap_end
