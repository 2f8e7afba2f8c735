#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests of what is made of what a machine printed: who killed a mutant, which lines
# ran.  KTAP on stdout, seconds.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kernel_dir=$(dirname "$here")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=ktap.sh
. "$here/ktap.sh"

# -- who killed a mutant: a message that only moved did not
verdict() {
	(
		set -e
		store=$work/store work=$work/verdict killers=''
		mkdir -p "$store/results" "$work"
		. "$here/mutants-verdict.sh"
		log() { printf 'KTAP version 1\n# test: F01.x\n%sok 1 F01.x\n# kernel: F01.x %s\nboot-vm: done 1\n' "$2" "$1"; }
		proof='# proof: {"test":"F01.x","expected":"peer","taken":"%s"}\n'
		log "WARNING: mm/hmm.c:1119 at hmm_dma_map_pfn+0x12/0x99, CPU#1: p2p/77" "$(printf "$proof" BUS_ADDR)"$'\n' >"$work/log"
		read_log "$work/log" >"$store/results/baseline-switch"
		log "$1" "$(printf "$proof" "$2")"$'\n' >"$work/log"
		read_log "$work/log" >"$work/m.switch.result"
		judge m switch
	)
}
text=$(verdict 'WARNING: mm/hmm.c:1121 at hmm_dma_map_pfn+0x1f/0x99, CPU#0: p2p/83' BUS_ADDR)
[ -z "$text" ]; result verdict.a_message_that_moved_kills_nothing $? "$text"
text=$(verdict 'WARNING: mm/hmm.c:1119 at hmm_dma_unmap_pfn+0x12/0x99, CPU#1: p2p/77' BUS_ADDR)
[[ $text == 'F01.x (WARNING: mm/hmm.c at hmm_dma_unmap_pfn'*')' ]]; result verdict.a_new_message_kills $? "$text"
text=$(verdict 'WARNING: mm/hmm.c:1119 at hmm_dma_map_pfn+0x12/0x99, CPU#1: p2p/77' ram)
[ "$text" = 'F01.x (went through RAM)' ]; result verdict.another_way_kills $? "$text"

# -- the table: a call about some mutants leaves the rows of the others as they are
table() {
	(
		set -e
		only=$1 work=$work/rows killers=''
		store=$work/store kernel_dir=$work
		mkdir -p "$store/results" "$work/mutants"
		touch "$work"/mutants/{a,b,c}.patch
		header_of() { :; }
		title_of() { echo "what $1 breaks"; }
		have_result() { [ "$1" = a ]; }
		echo 'killed switch F02.y' >"$store/results/a.mutant"
		. "$here/mutants-verdict.sh"
		printf '%s\n' before '<!-- mutants: written by scripts/run-mutants.sh -->' '| [a](a.patch) | old | switch | not run |' \
			'| [b](b.patch) | old | switch | `F01.x` |' '<!-- mutants: end -->' after >"$work/README"
		write_table "$work/README"
		grep -v '^| mutant\|^|---' "$work/README" | sed -n '3,5s/^.*patch) //p; 1p; 6,$p'
	)
}
text=$(table a)
[ "$text" = "$(printf '%s\n' before '| what a breaks | switch | `F02.y` |' '| old | switch | `F01.x` |' '| what c breaks | switch | not run |' '<!-- mutants: end -->' after)" ]
result table.rows_of_others_stay $? "$text"
printf '%s\n' before '<!-- mutants: written by scripts/run-mutants.sh -->' 'no end' >"$work/half"
(. "$here/between-markers.sh"; ! replace_between '<!-- mutants: written by scripts/run-mutants.sh -->' '<!-- mutants: end -->' "$work/half" "$work/half") &&
	[ "$(wc -l <"$work/half")" = 3 ]
result table.a_marker_without_its_end_loses_nothing $?
text=$(table '')
[[ $text == *'what b breaks | switch | not run'* ]]; result table.all_rows_are_written_anew $? "$text"

# -- the tests that are chosen for a mutant: those that killed it before
chosen() {
	(
		set -e
		store=$work/store tests_key=t series_key=s killers=$work/rows/README
		mkdir -p "$store/suites/t-s"
		printf '#!/bin/sh\nprintf "%%s\\n" F01.x F02.y F03.z\n' >"$store/suites/t-s/p2p_functional"
		chmod +x "$store/suites/t-s/p2p_functional"
		printf '%s\n' '| [a](a.patch) | what | switch | `F02.y` (hang), `F01.x`, `F09.gone`, `hmm_peer.huge` |' \
			'| [b](b.patch) | what | iommu | `F03.z` |' >"$killers"
		header_of() { case $1$2 in bX-Rig) echo iommu ;; cX-Tests) echo F03.z ;; esac; }
		kernel_dir=$work . "$here/mutants-verdict.sh"
		chosen_for "$@"
	)
}
text=$(chosen switch a b c)
[ "$text" = ' -- p2p_functional --list -- marked p2p_functional --oracle=stdio --only F01.x,F02.y,F03.z -- hmm-tests -l -- marked hmm-tests -r hmm_peer.huge' ]
result chosen.of_the_table_and_the_header $? "$text"
text=$(chosen iommu a b)
[ "$text" = ' -- p2p_functional --list -- marked p2p_functional --oracle=stdio --only F03.z' ]; result chosen.of_the_rig $? "$text"

# -- tables of what a machine said
printf '%s\r\n' 'KTAP version 1' 1..3 '# test: E01.map_ram' '# 3 faults, 2 of them made it fail' 'ok 1 E01.map_ram' \
	'# 5 faults, 0 of them made it fail; there is no time for more' 'ok 2 E01.touch' '# test: E01.fork' 'ok 3 E01.fork # SKIP no fork' \
	'boot-vm: p2p_faults exit 0' 'KTAP version 1' 1..3 'ok 1 F01.x' 'not ok 2 F02.x' >"$work/console"
text=$("$here/tables.sh" suites "$work/console" || true)
[ "$(tail -n 2 <<<"$text")" = "$(printf '%s\n' '| p2p_faults | 2 | 0 | 1 |  |' '| the last | 1 | 1 | 0 | the machine stopped after 2 of 3 |')" ]
result tables.suites $? "$text"
text=$("$here/tables.sh" faults "$work/console") &&
	[ "$(tail -n 4 <<<"$text")" = "$(printf '%s\n' '| `map_ram` | 3 | 2 |  |' '| `touch` | 5 | 0 | no time for more |' '| `fork` | – | – | skipped: no fork |' '| all | 8 | 2 | |')" ]
result tables.faults $? "$text"
"$here/tables.sh" suites "$work/console" >/dev/null; [ $? -eq 1 ]
result tables.a_failure_is_one $?

# -- coverage: a program stands in for the kernel, gcov is the real one
mkdir -p "$work/cover"/{before/mm,after/mm,tree/mm,gcda}
printf 'int base(int x)\n{\n\treturn x;\n}\n' >"$work/cover/before/mm/a.c"
printf 'int base(int x)\n{\n\tif (x > 1)\n\t\treturn 7;\n\tif (x > 2)\n\t\treturn 8;\n\treturn x;\n}\n/* `text` */\n' >"$work/cover/after/mm/a.c"
cp "$work/cover/after/mm/a.c" "$work/cover/tree/mm/"
echo 'int other;' >"$work/cover/after/mm/not-built.c"
printf 'obj-y += a.o\n' >"$work/cover/before/mm/Makefile"
cp "$work/cover/before/mm/Makefile" "$work/cover/tree/mm/"
cp -r "$work/cover/after" "$work/cover/counted"
text=$("$here/coverage-lines.pl" profile "$work/cover/before" "$work/cover/counted")
[ "$text" = mm/Makefile ] && printf 'obj-y += a.o\nGCOV_PROFILE_a.o := y\nGCOV_PROFILE_not-built.o := y\n' | cmp -s - "$work/cover/counted/mm/Makefile"
result coverage.the_makefile_counts $? "$text"
"$here/coverage-lines.pl" diff "$work/cover/before" "$work/cover/after" >"$work/cover/series.diff"
cp -r "$work/cover/before" "$work/cover/again" && (cd "$work/cover/again" && patch -s -p1 <../series.diff) &&
	cmp -s "$work/cover/again/mm/a.c" "$work/cover/after/mm/a.c" && cmp -s "$work/cover/again/mm/not-built.c" "$work/cover/after/mm/not-built.c"
result coverage.one_diff_for_the_series $?
echo 'int base(int); int main(void) { return base(2) - 7 + base(0); }' >"$work/cover/main.c"
(cd "$work/cover" && gcc --coverage -c tree/mm/a.c -o gcda/a.o && gcc --coverage -o run gcda/a.o main.c && ./run)
result coverage.sample_runs $?
# The console of a machine: with carriage returns, and other text in between.
{
	echo 'noise'
	echo "@coverage begin /sys/kernel/debug/gcov/x/tree-coverage-0/mm/a.gcda"
	base64 "$work/cover/gcda/a.gcda"
	echo "@coverage end $(wc -c <"$work/cover/gcda/a.gcda")"
} | sed 's/$/\r/' >"$work/cover/log"
mkdir "$work/cover/out"
[ "$("$here/coverage-lines.pl" unpack "$work/cover/log" "$work/cover/out")" = 1 ] && cmp -s "$work/cover/out/1.gcda" "$work/cover/gcda/a.gcda"
result coverage.counters_come_through_a_console $?
cat "$work/cover/log" "$work/cover/log" >"$work/cover/twice"
rm "$work/cover/out"/*
[ "$("$here/coverage-lines.pl" unpack "$work/cover/twice" "$work/cover/out")" = 1 ] && cmp -s "$work/cover/out/1.gcda" "$work/cover/gcda/a.gcda"
result coverage.counters_that_come_twice_are_counted_once $?
sed '4d' "$work/cover/log" >"$work/cover/short"
! "$here/coverage-lines.pl" unpack "$work/cover/short" "$work/cover/out" >/dev/null 2>&1; result coverage.a_lost_line_is_an_error $?
cp "$work/cover/gcda/a.gcno" "$work/cover/out/1.gcno"
(cd "$work/cover/out" && gcov --json-format --stdout 1.gcda 2>/dev/null) >"$work/cover/counts.json"
text=$("$here/coverage-lines.pl" report "$work/cover/before" "$work/cover/after" "$work/cover/counts.json")
contains coverage.report "$text" '| mm/a.c | 5 | 4 | 3 | 75 % |' '| mm/not-built.c | 1 | not built | | |' '6: return 8;'
[[ $text != *'4: return 7'* && $text != *'7: return x'* ]]; result coverage.only_added_lines_that_did_not_run $? "$text"


text=$("$here/coverage.sh" --cache "$work/cache" --fragment "$work/none" 2>&1)
[ $? -eq 2 ] && [[ $text == *"--fragment $work/none: no such file"* ]]; result coverage.the_fragment_is_there $? "$text"

# -- a part of these tests that dies on the way
printf '#!/bin/bash\necho ok 1 first\n' >"$work/dies"
chmod +x "$work/dies"
text=$(bash -c '. "$0/ktap.sh"; include part. "$1"; ktap_end' "$here" "$work/dies")
[ $? -eq 1 ]; result ktap.a_part_that_dies_is_a_failure $? "$text"
contains ktap.and_is_named "$text" 'ok 1 part.first' 'not ok 2 part.dies'

ktap_end
