#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
# Runs inside the machine as one suite of boot-vm.sh.  campaign.sh appends the
# work: lines "map SUITE TEST" (which mutants does this test come to?), or
# "known TEXT" (what the kernel also says without a mutant) and "mutant NUMBER
# SUITE:TEST:WAY..." (does one of these tests notice it?).
#
# Every answer is a line that begins with @campaign.
# Where a test of this script has its machine.
: "${root:=}"
control=$root/sys/kernel/debug/peerlab_mutant
complaints='WARNING:|BUG:|Oops|INFO:|DMAR: .*fault|clamping|DMA-API|suspicious RCU|leaked'
[ -e $control ] || { echo '@campaign failed this kernel carries no mutants'; exit 1; }
: >$root/tmp/known

# plain -- a message without its time and the numbers that differ every time.
plain() {
	sed -e 's/^\[[^]]*\] *//' -e 's/ at [^ ]*:[0-9]* / at /' -e 's/\.c:[0-9]*/.c/g' -e 's/+0x[0-9a-f]*.*//' \
		-e 's/0x[0-9a-f]*/N/g' -e 's/[0-9a-f]\{8,\}/N/g' -e 's/\(pid\|PID\|CPU\)[#:=]* *[0-9]*//g'
}

# splat -- the first complaint of the kernel that is not known; none is empty.
splat() {
	dmesg -c | grep -E "$complaints" | plain | grep -vxFf $root/tmp/known | head -1
}

# run SUITE TEST -- sets status and way.
run() {
	timeout -s KILL 150 $root/suites/$1 --only $2 >$root/tmp/out 2>&1 </dev/null
	way=$(sed -n 's/.*"expected":"\(peer\|ram\)".*"taken":"\([A-Za-z_]*\)".*/\1-\2/p' $root/tmp/out | tail -n 1)
	: ${way:=-}
	if grep -q '^not ok' $root/tmp/out; then status=fail
	elif grep -qE '^ok .*# SKIP' $root/tmp/out; then status=skip
	elif grep -q '^ok ' $root/tmp/out; then status=pass
	else status=died; fi
}

now() { cut -d. -f1 /proc/uptime; }

map_test() {
	echo "@campaign maps $1 $2"
	echo 0 >$control
	begun=$(now)
	run $1 $2
	reached=$(tr '\n' ',' <$control)
	echo "@campaign mapped $1 $2 $status $(($(now) - begun)) $way ${reached:--}"
	dmesg -c | grep -E "$complaints" | plain | sort -u | sed 's/^/@campaign known /'
}

# Everything that a mutant has left behind would be blamed on those that follow.
try_mutant() {
	number=$1; shift
	echo 1 >$root/sys/kernel/debug/clear_warn_once 2>/dev/null
	dmesg -c >/dev/null
	for step; do
		suite=${step%%:*} rest=${step#*:}
		test=${rest%%:*} expected=${rest#*:}
		echo "@campaign tries $number $suite:$test"
		echo $number >$control
		run $suite $test
		echo 0 >$control
		how=''
		case $status in
		fail) how=$(grep -m1 '^# FAILED' $root/tmp/out) ; : ${how:=failed} ;;
		died) how='its process ended' ;;
		pass) [ "$way" = "$expected" ] || how="took the way $way instead of $expected" ;;
		esac
		complaint=$(splat)
		: ${how:=$complaint}
		if [ -n "$how" ]; then
			echo "@campaign killed $number $suite:$test $how"
			# A warning may be all there is; after anything else no more is to be believed.
			case $complaint in
			'' | WARNING:*) ;;
			*) echo "@campaign again the kernel complained"; return 1 ;;
			esac
			run $suite $test
			[ $status = pass ] || { echo "@campaign again $suite:$test fails now without a mutant"; return 1; }
			return 0
		fi
	done
	echo "@campaign lived $number"
}

while read -r word a b; do
	case $word in
	known) printf '%s\n' "$a${b:+ $b}" >>$root/tmp/known ;;
	map) map_test $a $b ;;
	mutant) try_mutant $a $b || break ;;
	esac
done <<'WORK'
