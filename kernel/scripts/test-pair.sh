#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests of boot-pair.sh and perftest_pair, without machines: KTAP on stdout, seconds.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kernel_dir=$(dirname "$here")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=ktap.sh
. "$here/ktap.sh"

# Two machines that meet, without machines: what stands in for boot-vm.sh speaks
# as one does.
mkdir "$work/pair"
cp "$here/boot-pair.sh" "$work/pair/"
cat >"$work/pair/boot-vm.sh" <<'MACHINE'
#!/bin/bash
while [ $# -gt 0 ]; do [ "$1" = --link ] && link=$2; shift; done
role=${link%%:*}
meet() { echo "@meet $1 $2 $3"; IFS= read -r answer; echo "$1.$2: $answer"; }
if [ "$role" = server ]; then
	meet 0 0 lent
	meet 1 0 "left alone"
	meet 2 0 two
	echo "boot-vm: one exit 0"
	meet 0 0 second
	exit 0
fi
meet 0 0 "a value with blanks"
# The client skips test 1 and is at test 2 at once.
meet 2 0 zwei
echo "boot-vm: one exit 0"
meet 0 0 zweite
meet 0 1 more
echo '@meet nonsense'; IFS= read -r answer; echo "nonsense: $answer"
exit 1
MACHINE
chmod +x "$work/pair/boot-vm.sh"
text=$(timeout 60 "$work/pair/boot-pair.sh" --bundle x 2>&1)
result pair.exit_status $(($? != 1))
contains pair.values_are_exchanged "$text" 'server 0.0: met a value with blanks' 'client 0.0: met lent' \
	'server 2.0: met zwei' 'client 2.0: met two'
contains pair.who_is_left_behind_gets_an_error "$text" 'server 1.0: error the other side is beyond this place'
contains pair.places_count_from_each_suite "$text" 'server 0.0: met zweite' 'client 0.0: met second'
contains pair.the_end_of_one_is_told_the_other "$text" 'client 0.1: error the other machine has ended'
contains pair.nonsense_is_answered "$text" 'client nonsense: error expected'
! "$work/pair/boot-pair.sh" 2>/dev/null; result pair.bundle_is_wanted $?

# perftest between two "machines" of this one: programs that listen and connect as
# perftest does.
cp "$kernel_dir/selftests/rdma/perftest_pair.sh" "$work/pair/perftest_pair"
printf '#!/bin/sh\necho rxe_toy\n' >"$work/pair/p2p_rdma_pair"
cat >"$work/pair/ib_write_bw" <<'PROGRAM'
#!/usr/bin/perl
use IO::Socket::INET;
if ("@ARGV" eq '--version') { print "Version: 6.06\n"; exit }
if ("@ARGV" eq '--help') { print "      --odp\n      --use_cuda=<cuda device id>\n"; exit }
my ($size, $peer) = (join(' ', @ARGV) =~ /-s (\d+)/, $ARGV[-1] =~ /^\d+\.[\d.]+$/ ? $ARGV[-1] : undef);
if ($size == 13) { print " Couldn't create IB resources\n"; exit 1 }
if ($peer) { IO::Socket::INET->new(PeerAddr => "$peer:18515") or die " Couldn't connect to $peer:18515\n" }
else { IO::Socket::INET->new(LocalAddr => '127.0.0.1:18515', Listen => 1, ReuseAddr => 1)->accept }
sleep 60 if $size == 17;
print "with @ARGV\n";
print " #bytes     #iterations    BW peak[MB/sec]    BW average[MB/sec]   MsgRate[Mpps]\n $size 100 2.00 1.00 0.016384\n";
PROGRAM
# As mawk on a kernel without IPv6.
cat >"$work/pair/awk" <<'AWK'
#!/bin/sh
for last; do :; done
[ "$last" != /proc/net/tcp6 ] || { echo "awk: cannot open $last (No such file or directory)" >&2; exit 2; }
PATH=${PATH#*:} exec awk "$@"
AWK
cat >"$work/pair/boot-vm.sh" <<'MACHINE'
#!/bin/bash
while [ $# -gt 0 ]; do [ "$1" = --link ] && link=$2; shift; done
[ "${link%%:*}" = client ] || [ -z "${SERVER_GPU-}" ] || export PERFTEST_GPU=$SERVER_GPU
cd "$(dirname "$0")" && PATH=$PWD:$PATH PEERLAB_ROLE=${link%%:*} PEERLAB_PEER_ADDRESS=127.0.0.1 ./perftest_pair
MACHINE
chmod +x "$work/pair"/*
text=$(PERFTEST_PROGRAMS='ib_write_bw ib_missing' PERFTEST_SIZES='64 128' PERFTEST_SECONDS=20 timeout 100 "$work/pair/boot-pair.sh" --bundle x 2>&1)
result perftest_pair.exit_status $? "$text"
contains perftest_pair.both_print_results "$text" 'client ok 1 P6.ib_write_bw.odp' 'server ok 2 P6.ib_write_bw.pinned' \
	'client # perftest label: pinned' 'client  64 100 2.00' 'server  128 100 2.00' 'client ok 6 P6.ib_missing.odp # SKIP'
contains perftest_pair.bandwidth_has_more_kinds "$text" 'client with -d rxe_toy -F -s 64 -n 200 -p 18515 -u 18 -b 127.0.0.1' '-u 18 -q 4' \
	'server ok 4 P6.ib_write_bw.both-ways' 'client ok 5 P6.ib_write_bw.qps4' \
	'client ok 3 P6.ib_write_bw.gpu # SKIP neither side has a GPU'
text=$(PERFTEST_PROGRAMS=ib_write_bw PERFTEST_SIZES=64 PERFTEST_SECONDS=20 SERVER_GPU=--use_cuda=0 timeout 100 "$work/pair/boot-pair.sh" --bundle x 2>&1)
[[ $text != *'gpu # SKIP'* ]]; result perftest_pair.a_gpu_is_no_skip $? "$text"
contains perftest_pair.one_side_has_a_gpu "$text" 'server with -d rxe_toy -F -s 64 -n 200 -p 18515 -u 18 --use_cuda=0' 'client # memory of a GPU: client none, the other side --use_cuda=0' \
	'server ok 3 P6.ib_write_bw.gpu' 'client ok 3 P6.ib_write_bw.gpu'
text=$(PERFTEST_PROGRAMS=ib_write_bw PERFTEST_SIZES='13 64' PERFTEST_SECONDS=20 timeout 100 "$work/pair/boot-pair.sh" --bundle x 2>&1)
result perftest_pair.a_failure_is_one $(($? != 1)) "$text"
contains perftest_pair.the_next_size_runs_all_the_same "$text" "server  Couldn't create IB resources" \
	'server # ib_write_bw did not listen on port 18515' 'client # the other side: failed' 'client  64 100 2.00' \
	'client not ok 1 P6.ib_write_bw.odp'
text=$(PERFTEST_PROGRAMS=ib_write_bw PERFTEST_SIZES=17 PERFTEST_SECONDS=3 timeout 100 "$work/pair/boot-pair.sh" --bundle x 2>&1)
contains perftest_pair.a_program_that_does_not_end_is_said "$text" 'client # ib_write_bw of 17 bytes did not end within 3 s' \
	'client not ok 2 P6.ib_write_bw.pinned'
text=$("$work/pair/perftest_pair" --list)
contains perftest_pair.lists_its_tests "$text" P6.ib_write_bw.odp P6.ib_send_lat.pinned
text=$(env -u PEERLAB_ROLE "$work/pair/perftest_pair" --only P6.ib_read_lat.odp)
contains perftest_pair.skips_on_one_machine "$text" 1..24 '# SKIP needs two machines'


ktap_end
