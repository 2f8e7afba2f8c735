#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests of the generator of mutants, on small programs: KTAP on stdout, seconds.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=../ktap.sh
. "$here/../ktap.sh"

mkdir -p "$work"/{before/lib,after,patches}
echo 'obj-y += other.o' >"$work/before/lib/Makefile"
cp "$here"/samples/*.c "$work/after/"
generate=("$here/generate.pl" --before "$work/before" --after "$work/after")

# -- what is made of a file: the list of all of them is a golden file
"${generate[@]}" --list --patches "$work/patches" --schemata "$work/all.patch" >"$work/list" 2>"$work/errors"
[ ! -s "$work/errors" ]; result mutants.no_complaint $? "$(cat "$work/errors")"
[ "${UPDATE_SAMPLES-}" = '' ] || cp "$work/list" "$here/samples/list.tsv"
text=$(diff -u "$here/samples/list.tsv" "$work/list"); result mutants.list_as_before $? "$text"
"${generate[@]}" --list >"$work/again"; cmp -s "$work/list" "$work/again"; result mutants.same_input_same_output $?
for kind in negate never always bound operand constant flag call assign jump return order exchange width; do
	cut -f4 "$work/list" | grep -qx "$kind" || missing+=" $kind"
done
[ -z "${missing-}" ]; result mutants.every_kind $? "none of:${missing-}"

# -- the kernel with all mutants does for each number what the patch of it does
cp -r "$work/after" "$work/schemata"
(cd "$work/schemata" && mkdir lib && cp ../before/lib/Makefile lib/ && patch -s -p1 <"$work/all.patch"); result schemata.applies $?
cat >"$work/choose.c" <<'C'
#include <stdlib.h>
unsigned int peerlab_mutant;
unsigned char peerlab_mutants_reached[4096];
__attribute__((constructor)) static void choose(void) { peerlab_mutant = atoi(getenv("MUTANT")); }
C
compile() { gcc -w -O1 -fno-strict-overflow -I"$work/schemata/include" -o "$@" 2>&1; }
text=$(compile "$work/all" "$work/schemata/kinds.c" "$work/choose.c"); result schemata.compiles $? "$text"
text=$(compile "$work/plain" "$work/after/kinds.c"); result sample.compiles $? "$text"
# observe PROGRAM -- its output and exit status; what a signal ends says only that.
observe() {
	local output status
	output=$(timeout 5 "$@" 2>&1 | od -An -c | head -c 4000; exit "${PIPESTATUS[0]}")
	status=$?
	[ $status -lt 124 ] && printf '%s\n' "$output" || echo ended
	echo "status $status"
}
[ "$(MUTANT=0 observe "$work/all")" = "$(observe "$work/plain")" ]; result schemata.number_0_is_the_series $?
differ='' same=0 total=0
while IFS=$'\t' read -r n id _; do
	cp "$work/after/kinds.c" "$work/one.c"
	(cd "$work" && patch -s one.c "$work/patches/$(printf '%04d' "$n")-$id.patch") && compile "$work/one" "$work/one.c" >"$work/compile.log" ||
		{ differ+="$n does not compile: $(head -3 "$work/compile.log")"$'\n'; continue; }
	total=$((total + 1))
	expected=$(observe "$work/one")
	[ "$(MUTANT=$n observe "$work/all")" = "$expected" ] || differ+="$n $(sed -n "${n}p" "$work/list")"$'\n'
	[ "$expected" != "$(observe "$work/plain")" ] || same=$((same + 1))
done < <(grep -P '\tkinds\.c:' "$work/list")
[ -z "$differ" ] && [ $total -gt 50 ]; result schemata.each_number_is_its_patch $? "$differ"
# If the mutants did nothing, the test above would pass as well.
[ $((same * 3)) -lt $total ]; result mutants.most_of_them_show $? "$same of $total do what the original does"

# -- only what the series adds, and names that outlive a move
sed '/limit)$/,/-34;/d' "$work/after/kinds.c" >"$work/before/kinds.c"
text=$("${generate[@]}" --list | cut -f3 | sort -u | paste -sd' ')
# The range that is missing in the file before.
text=$(awk -v from="$(grep -n 'limit)$' "$work/after/kinds.c" | cut -d: -f1)" -v to="$(grep -n -e '-34;' "$work/after/kinds.c" | cut -d: -f1)" -v RS=' ' \
	'{ split($1, at, ":"); count++; if (at[2] < from || at[2] > to) print "outside: " $1 } END { if (count < 4) print "only " count }' <<<"$text")
[ -z "$text" ]; result mutants.of_added_lines_only $? "$text"
rm "$work/before/kinds.c"
sed -i '1i /* one more line */' "$work/after/kinds.c"
[ "$("${generate[@]}" --list | cut -f2)" = "$(cut -f2 "$work/list")" ]; result mutants.an_id_outlives_a_move $?
first=$(sed -n 1p "$work/list" | cut -f2)
echo "$first  equivalent: why" >"$work/leave-out"
! "${generate[@]}" --list --without "$work/leave-out" | grep -q "	$first	"; result mutants.left_out_by_id $?
[ "$("${generate[@]}" --list --kinds jump | cut -f4 | sort -u)" = jump ]; result mutants.of_one_kind $?

# -- text that is no C, or that ends in the middle
for sample in 'int f(void) { if (x' 'void f(void) { "' '}}}) (((' 'int f(void) { return ({ if (a) }); }' '/* never closed' $'#define X \\'; do
	printf '%s' "$sample" >"$work/after/broken.c"
	timeout 10 "${generate[@]}" --list >/dev/null 2>"$work/errors" && [ ! -s "$work/errors" ] || broken+=" [$sample: $(cat "$work/errors")]"
done
[ -z "${broken-}" ]; result source.broken_text_is_left_alone $? "${broken-}"
rm "$work/after/broken.c"
"${generate[@]}" --nonsense >/dev/null 2>&1; [ $? -eq 2 ]; result usage.unknown_argument $?
"$here/generate.pl" --before /nowhere --after "$work/after" >/dev/null 2>&1; [ $? -eq 2 ]; result usage.no_such_folder $?

# -- the part that runs in the machine, with a toy suite and a toy kernel
machine=$work/machine
mkdir -p "$machine"/{sys/kernel/debug,suites,tmp}
echo 0 >"$machine/sys/kernel/debug/peerlab_mutant"
cat >"$machine/suites/toy" <<TOY
#!/bin/sh
number=\$(cat $machine/sys/kernel/debug/peerlab_mutant)
case "\$2:\$number" in
T.fails:1) echo '# FAILED x.c:3: bad'; echo 'not ok 1 T.fails'; exit 1 ;;
T.way:2) echo '# proof: {"test":"T.way","expected":"peer","taken":"ram","detail":{}}' ;;
T.way:*) echo '# proof: {"test":"T.way","expected":"peer","taken":"BUS_ADDR","detail":{}}' ;;
T.dies:3) kill -9 \$\$ ;;
T.warns:4) echo '[    1.0] WARNING: mm/hmm.c:33 at foo+0x3/0x4' >$machine/dmesg ;;
T.splat:7) echo '[    1.0] BUG: sleeping function called from invalid context' >$machine/dmesg ;;
T.known:5) echo '[    1.0] WARNING: mm/hmm.c:44 at known+0x3/0x4' >$machine/dmesg ;;
T.stays:6) echo 'not ok 1 T.stays'; : >$machine/broken; exit 1 ;;
T.stays:*) [ ! -e $machine/broken ] || { echo 'not ok 1 T.stays'; exit 1; } ;;
esac
echo "ok 1 \$2"
TOY
chmod +x "$machine/suites/toy"
guest() {
	{
		echo "root=$machine; dmesg() { cat $machine/dmesg 2>/dev/null; : >$machine/dmesg; }"
		cat "$here/guest.sh"
		printf '%s\n' "$@" WORK
	} >"$work/guest"
	busybox sh "$work/guest" | grep -v '@campaign tries'
}
if command -v busybox >/dev/null; then
	[ "$(guest 'map toy T.way' | sed 's/ pass [0-9]* / pass N /')" = '@campaign maps toy T.way
@campaign mapped toy T.way pass N peer-BUS_ADDR 0,' ]
	result guest.map $? "$(guest 'map toy T.way')"
	text=$(guest 'known WARNING: mm/hmm.c at known' 'mutant 1 toy:T.way:peer-BUS_ADDR toy:T.fails:-' 'mutant 2 toy:T.fails:- toy:T.way:peer-BUS_ADDR' \
		'mutant 3 toy:T.dies:-' 'mutant 5 toy:T.known:- toy:T.dies:-' 'mutant 4 toy:T.warns:-' 'mutant 7 toy:T.splat:-' 'mutant 1 toy:T.fails:-')
	[ "$text" = '@campaign killed 1 toy:T.fails # FAILED x.c:3: bad
@campaign killed 2 toy:T.way took the way peer-ram instead of peer-BUS_ADDR
@campaign killed 3 toy:T.dies its process ended
@campaign lived 5
@campaign killed 4 toy:T.warns WARNING: mm/hmm.c at foo
@campaign killed 7 toy:T.splat BUG: sleeping function called from invalid context
@campaign again the kernel complained' ]
	result guest.what_kills_and_what_ends_the_machine $? "$text"
	text=$(guest 'mutant 6 toy:T.stays:-' 'mutant 1 toy:T.fails:-')
	[ "$text" = '@campaign killed 6 toy:T.stays failed
@campaign again toy:T.stays fails now without a mutant' ]
	result guest.a_test_that_fails_without_a_mutant_ends_the_machine $? "$text"
fi

# -- what a campaign knows from consoles
folder=$work/campaign
mkdir "$folder"
plan() { "$here/plan.pl" "$folder" "$@"; }
printf '%s\t%s\tmm/a.c:%s\t%s\tf\t%s\t%s-%s\n' 1 aaaaaaaa 10 negate 'if (x) the other way round' 10 10 \
	2 bbbbbbbb 11 exchange 'f() with b and a' 11 12  3 cccccccc 12 call 'without g()' 12 12  4 dddddddd 20 call 'without h()' 20 20 \
	5 eeeeeeee 30 call 'without i()' 30 30  6 ffffffff 40 flag 'A_B instead of A_C' 40 40 >"$folder/list"
cat >"$work/map.log" <<'LOG'
noise
@campaign mapped suite T.slow pass 9 peer-BUS_ADDR 1,2,4,
@campaign known WARNING: mm/x.c at expected
@campaign mapped suite T.quick pass 1 - 1,3,4,
@campaign mapped suite T.broken fail 1 - 5,
@campaign mapped suite T.none pass 1 - -
LOG
text=$(plan map switch "$work/map.log" ended)
[[ $text == *'3 of 4 tests pass, they come to 5 of 6 mutants' ]]; result campaign.map $? "$text"
printf 'map suite %s\n' T.slow T.quick T.crashes T.later >"$work/tests"
[ "$(plan unmapped switch "$work/tests" | paste -sd,)" = 'map suite T.crashes,map suite T.later' ]; result campaign.maps_what_is_left $?
echo '@campaign maps suite T.crashes' >"$work/map.log"
plan map switch "$work/map.log" ended >/dev/null
[ "$(plan unmapped switch "$work/tests")" = 'map suite T.later' ]; result campaign.a_test_that_ends_the_machine_is_not_mapped_again $?
echo '@campaign maps suite T.later' >"$work/map.log"
plan map switch "$work/map.log" stopped >/dev/null
[ "$(plan unmapped switch "$work/tests")" = 'map suite T.later' ]; result campaign.one_that_was_stopped_is $?
text=$(plan next switch 10 0)
[ "$text" = 'known WARNING: mm/x.c at expected
mutant 1 suite:T.quick:- suite:T.slow:peer-BUS_ADDR
mutant 2 suite:T.slow:peer-BUS_ADDR
mutant 3 suite:T.quick:-
mutant 4 suite:T.quick:- suite:T.slow:peer-BUS_ADDR' ]; result campaign.quick_tests_first $? "$text"
grep -q '^eeeeeeee.*unreached' "$folder/results"; result campaign.a_test_that_fails_anyway_reaches_nothing $?
[ "$(plan next switch 10 5 | grep '^mutant 1')" = 'mutant 1 suite:T.quick:-' ]; result campaign.patience $?
# The second one may have been killed by what the first left behind; the last one hangs.
cat >"$work/run.log" <<'LOG'
@campaign tries 1 suite:T.quick
@campaign killed 1 suite:T.quick # FAILED here
@campaign tries 2 suite:T.slow
@campaign killed 2 suite:T.slow took the way ram-ram instead of peer-BUS_ADDR
@campaign again suite:T.slow fails now without a mutant
LOG
plan read switch "$work/run.log" ended >"$work/said"
grep -q '^aaaaaaaa.*killed' "$folder/results" && ! grep -q '^bbbbbbbb' "$folder/results"; result campaign.in_doubt_it_is_tried_again $? "$(cat "$folder/results")"
printf '@campaign tries 2 suite:T.slow\n@campaign killed 2 suite:T.slow x\n@campaign again suite:T.slow fails now without a mutant\n' >"$work/run.log"
plan read switch "$work/run.log" ended >"$work/said"
grep -q '^bbbbbbbb.*killed' "$folder/results"; result campaign.alone_in_its_machine_it_did_it $?
printf '@campaign tries 3 suite:T.quick\n@campaign lived 3\n@campaign tries 4 suite:T.quick\nBUG: unable to handle page fault\n' >"$work/run.log"
plan read switch "$work/run.log" stopped >"$work/said"
! grep -q '^dddddddd' "$folder/results"; result campaign.time_that_is_up_kills_nothing $?
plan read switch "$work/run.log" ended >"$work/said"
grep -q '^dddddddd.*killed.*T.quick.*crash: BUG: unable' "$folder/results"; result campaign.a_crash_kills $? "$(cat "$folder/results")"
[ -z "$(plan next switch 10 0)" ]; result campaign.nothing_is_left $?
sed -i '/^dddddddd/d' "$folder/results"
printf 'dddddddd\tswitch\tlived\t-\t1\n' >>"$folder/results"
[ -z "$(plan next switch 10 5)" ] && [[ $(plan next switch 10 0) == *'mutant 4 suite:T.quick:- suite:T.slow:peer-BUS_ADDR' ]]
result campaign.more_patience_more_tests $? "$(plan next switch 10 0)"
printf 'dddddddd\tswitch\tkilled\tsuite:T.quick\tcrash\n' >>"$folder/results"
echo 'boot failed' >"$work/run.log"
! plan read switch "$work/run.log" ended >"$work/said"; result campaign.a_machine_that_tried_nothing $?
echo 'cccccccc  equivalent: g() is empty here' >"$work/judged"
echo mm/a.c >"$work/objects"
text=$(plan report "$work/judged" "$work/objects")
contains campaign.score_in_words "$text" 'All 6 mutants that are built, of 6. Without 1 that are equivalent, 3 are killed of 3: 100 %; of 5 with the 2 that no test comes to: 60 %.'
plan sample 2 "$work/objects"
text=$(plan report "$work/judged" "$work/objects")
contains campaign.a_sample_is_the_first_by_id "$text" 'The first 2 by id of 6 mutants that are built, of 6. Without 0 that are equivalent, 2 are killed of 2: 100 %'
contains campaign.a_sample_is_all_that_counts "$text" '| all | 2 | 0 | 0 | 0 | 0 | 0 | 0 |'
sed -i '/^aaaaaaaa.*killed/d; /^dddddddd.*killed/d' "$folder/results"
text=$(plan next switch 10 0 | grep -o '^mutant [0-9]*')
[ "$text" = 'mutant 1' ]; result campaign.what_is_not_in_the_sample_is_not_tried $? "$text"
contains campaign.some_of_it_has_not_run "$(plan report "$work/judged" "$work/objects")" '1 have not run'
printf '%s\tswitch\tkilled\tsuite:T.quick\tcrash\n' aaaaaaaa dddddddd >>"$folder/results"
rm "$folder/sample"
printf '7\t77777777\tmm/a.c:50\tcall\tf\twithout j()\t50-50\n' >>"$folder/list"
contains campaign.not_run_yet "$(plan report "$work/judged" "$work/objects")" '| all | 3 | 0 | 2 | 1 | 1 | 0 | 0 |'
sed -i '/^7/d' "$folder/list"
text=$(plan report "$work/judged" "$work/objects")
contains campaign.score "$text" '| all | 3 | 0 | 2 | 1 | 0 | 0 | 0 |'
contains campaign.names_what_no_test_reaches "$text" '| eeeeeeee | mm/a.c:30 | call | `without i()` |  |'
contains campaign.judged_with_its_reason "$text" 'equivalent: g() is empty here'
printf '%s\n' "mm/a.c:11:7: warning: pointer type mismatch in conditional expression" "mm/a.c:20:1: warning: unused variable" >"$work/cc.log"
[ "$(plan drop "$work/cc.log")" = 1 ] && grep -q ^bbbbbbbb "$folder/dropped"; result campaign.what_is_no_c_is_given_up $?
printf '%s\n' "/x/mm/a.c:12:7: error: no such thing" >"$work/cc.log"
[ "$(plan drop "$work/cc.log")" = 1 ] && grep -q ^cccccccc "$folder/dropped"; result campaign.in_the_end_all_of_the_line $?
ktap_end
