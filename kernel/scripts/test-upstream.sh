#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests of the runner of upstream's own tests, fed with what programs once printed:
# KTAP on stdout, seconds.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kernel_dir=$(dirname "$here")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=ktap.sh
. "$here/ktap.sh"

# -- the runner of upstream's tests, fed with what programs once printed
upstream=$kernel_dir/selftests/upstream
text=$(make -C "$upstream" OUT="$work/suites" BUILD="$work/build" TREE=/nowhere \
	PROGRAMS_hmm_tests='' PROGRAMS_mm_kselftest='' 2>&1)
[ -x "$work/suites/hmm_tests" ]; result upstream.builds $? "$text"
# replay NAME SUITE SAMPLE STATUS WORD... -- its output holds every line.
replay() {
	local name=$1 suite=$2 sample=$3 expected=$4 text status word
	shift 4
	text=$("$work/suites/$suite" --replay "$upstream/samples/$sample" 2>&1)
	status=$?
	[ $status -eq "$expected" ] || { result "$name" 1 "exit status $status: $text"; return; }
	for word in "$@"; do
		grep -qxF -- "$word" <<<"$text" || { result "$name" 1 "no line '$word' in: $text"; return; }
	done
	result "$name" 0
}
replay upstream.hmm_tests_with_baseline hmm_tests hmm-tests.txt 0 \
	'# test: hmm.hmm_device_private.open_close' \
	'ok 1 hmm.hmm_device_private.open_close' \
	'ok 3 hmm.hmm_device_private.anon_write_hugetlbfs # SKIP Not enough huge pages' \
	'# Sys->Dev Migration   | 3.483 ms        | 5.951 ms        | 41.5%' \
	'not ok 5 hmm.hmm_device_coherent.migrate_anon_huge_err # XFAIL known on the untouched kernel: the one fixed range of the coherent device is taken; more memory is refused (-ENOMEM)'
sed 's/^not ok 69 .*/not ok 69 hmm.hmm_device_private.anon_read/' "$upstream/samples/hmm-tests.txt" >"$work/hmm-fails.log"
text=$("$work/suites/hmm_tests" --replay "$work/hmm-fails.log")
[ $? -eq 1 ] && grep -q '^not ok 5 hmm.hmm_device_private.anon_read$' <<<"$text"
result upstream.hmm_tests_new_failure $? "$text"
sed -e 's/^# *OK  hmm.hmm_device_private.benchmark.*/# benchmark_thp_migration: Test terminated by timeout/' -e 's/^ok 35 /not ok 35 /' \
	"$upstream/samples/hmm-tests.txt" >"$work/hmm-slow.log"
text=$("$work/suites/hmm_tests" --replay "$work/hmm-slow.log")
[ $? -eq 0 ] && grep -q '^ok 4 hmm.hmm_device_private.benchmark_thp_migration # SKIP this machine is too slow' <<<"$text"
result upstream.hmm_tests_slow_benchmark $? "$text"
sed '/^ok 2 /,$d' "$upstream/samples/hmm-tests.txt" >"$work/hmm-died.log"
text=$("$work/suites/hmm_tests" --replay "$work/hmm-died.log")
[ $? -eq 1 ] && grep -q '^not ok 2 hmm.hmm_device_private.anon_read$' <<<"$text"
result upstream.hmm_tests_died_in_a_test $? "$text"
replay upstream.program_passes mm_kselftest madv_populate.txt 0 \
	'# test: replay' '  ok 16 write range is populated' '# totals: pass:16 fail:0 xfail:0 skip:0' 'ok 1 replay'
replay upstream.program_skips mm_kselftest pfnmap.txt 0 \
	"ok 1 replay # SKIP Cannot open '/dev/mem': No such file or directory"
replay upstream.program_fails mm_kselftest process_madv.txt 1 \
	'# process_madv.c:328:invalid_advice_zero_length:Expected ret (0) == -1 (-1)' \
	'  not ok 6 process_madvise.invalid_advice_zero_length' \
	'# FAILED process_madvise.invalid_advice_zero_length' 'not ok 1 replay'
replay upstream.program_bails_out mm_kselftest split_huge_page_test.txt 1 \
	'# FAILED (bail out): bails out: /sys/kernel/debug/split_huge_pages open failed: Operation not permitted' \
	'not ok 1 replay'
sed '$d; s/^ok 16 .*//' "$upstream/samples/madv_populate.txt" >"$work/short.log"
text=$("$work/suites/mm_kselftest" --replay "$work/short.log")
[ $? -eq 1 ] && grep -q '^# FAILED (plan): it planned 16 tests and ran 15$' <<<"$text"
result upstream.program_stops_short $? "$text"
replay upstream.kunit_passes kunit kunit-klist.txt 0 \
	'  ok 8 klist.klist_test_node_attached' '# totals: pass:8 fail:0 xfail:0 skip:0' 'ok 1 replay'
text=$("$work/suites/kunit" --replay "$upstream/samples/kunit-klist.txt")
grep -q '# Subtest: klist' "$upstream/samples/kunit-klist.txt" && ! grep -q 'Subtest:' <<<"$text"
result upstream.kunit_announces_no_test_without_a_result $? "$text"
sed 's/^    ok 6 /    not ok 6 /; s/^ok 1/not ok 1/' "$upstream/samples/kunit-klist.txt" >"$work/kunit-fails.log"
text=$("$work/suites/kunit" --replay "$work/kunit-fails.log")
[ $? -eq 1 ] && grep -q '^# FAILED klist.klist_test_del_refcount_zero$' <<<"$text"
result upstream.kunit_fails $? "$text"
text=$("$work/suites/mm_kselftest" --replay "$upstream/samples/text.txt")
! grep -E '^# (test|proof|metric): [^r]|^@oracle' <<<"$text" &&
	grep -qx '  ok 1 a test whose name has a # sign in it' <<<"$text"; result upstream.text_never_speaks_for_the_farm $? "$text"
[ "$("$work/suites/kunit" --list | head -1)" = kunit-test ]; result upstream.lists_without_a_kernel $?
text=$(. "$here/suites.sh" && suite_entries "$work/suites" 1 "$here/../selftests/suites.json")
grep -q '"name":"kunit",.*"tests":\["kunit-test",' <<<"$text"; result manifest.names_the_tests_of_its_suites $? "$text"
text=$("$work/suites/kunit" --only nonsense 2>&1)
[ $? -eq 2 ]; result upstream.unknown_test $? "$text"
text=$("$work/suites/kunit" --skip list-test --only list-test 2>&1)
contains upstream.a_skipped_test_is_not_run "$text" '1..1' 'ok 1 list-test # SKIP not run: excluded by caller'


ktap_end
