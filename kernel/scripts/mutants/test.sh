#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests of the generator of mutants, on small programs: KTAP on stdout, seconds.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
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
mkdir -p "$work"/{before/lib,after,patches}
echo 'obj-y += other.o' >"$work/before/lib/Makefile"
cp "$here"/samples/*.c "$work/after/"
generate=("$here/generate.pl" --before "$work/before" --after "$work/after")

echo 'KTAP version 1'
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
echo "1..$number"
exit $failed
