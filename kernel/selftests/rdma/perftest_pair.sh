#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# perftest between two machines, with and without on-demand paging, with memory
# of a GPU where a side has one, and bandwidth in both directions and with several
# queue pairs, by message size.  KTAP, and between its lines all that each program
# prints; the farm reads the figures from there.  Needs perftest and p2p_rdma_pair
# beside it.
#
#   PEERLAB_ROLE, PEERLAB_LINK, PEERLAB_LINK_ADDRESS   as for p2p_rdma_pair
#   PEERLAB_PEER_ADDRESS   IPv4 address of the server, for the client
#   PERFTEST_PROGRAMS      default: bandwidth and latency of write, read and send
#   PERFTEST_SIZES         bytes, default "64 4096 65536"
#   PERFTEST_ITERATIONS    default 200; a quarter for latency above 4 KiB, where each
#                          of many packets waits for the one before
#   PERFTEST_SECONDS       limit of one program, default 70
#   PERFTEST_GPU           option by which perftest takes memory of this side's GPU;
#                          default: --use_cuda=0 or --use_rocm=0, if perftest has it
#                          and the driver's device is there
programs=${PERFTEST_PROGRAMS:-ib_write_bw ib_read_bw ib_send_bw ib_write_lat ib_read_lat ib_send_lat}
sizes=${PERFTEST_SIZES:-64 4096 65536}
iterations=${PERFTEST_ITERATIONS:-200}
seconds=${PERFTEST_SECONDS:-70}
port=18515

tests=''
for program in $programs; do
	tests="$tests $program:odp $program:pinned $program:gpu"
	case $program in *_bw) tests="$tests $program:both-ways $program:qps4" ;; esac
done
only='' skip=''
while [ $# -gt 0 ]; do
	case $1 in
	--list) for test in $tests; do echo "P6.$test" | tr : .; done; exit 0 ;;
	--only) only=${2-}; shift ;;
	--skip) skip=${2-}; shift ;;
	# It reads no device memory.
	--oracle=stdio) ;;
	*) echo "usage: $0 [--list] [--only ID[,ID]] [--skip ID[,ID]]" >&2; exit 2 ;;
	esac
	[ $# -eq 0 ] || shift
done
# is_chosen ID
is_chosen() {
	case ,$skip, in *",$1,"*) return 1 ;; esac
	case ,$only, in ,, | *",$1,"*) return 0 ;; esac
	return 1
}
chosen=0
for test in $tests; do
	! is_chosen "P6.${test%:*}.${test#*:}" || chosen=$((chosen + 1))
done
[ "$chosen" -gt 0 ] || { echo "$0: there is no test $only without $skip" >&2; exit 2; }
# shellcheck disable=SC2086 # words are wanted
set -- $tests
echo "KTAP version 1"
echo "1..$#"

here=$(dirname "$0")
reason=''
case ${PEERLAB_ROLE-} in
server | client) ;;
'') reason='needs two machines (PEERLAB_ROLE is not set)' ;;
*) reason='PEERLAB_ROLE is neither server nor client' ;;
esac
[ -n "$reason" ] || [ "$PEERLAB_ROLE" = server ] || [ -n "${PEERLAB_PEER_ADDRESS-}" ] ||
	reason='PEERLAB_PEER_ADDRESS is not set'
if [ -z "$reason" ]; then
	device=$("$here/p2p_rdma_pair" --make-link 2>&1) || reason=$device
fi

# meet TEST STEP VALUE -- see meet.h; the other side's value is in $met.
meet() {
	echo "@meet $1 $2 $3"
	met='error nobody answers'
	IFS= read -r met || true
	case $met in
	'met '*) met=${met#met } ;;
	*) return 1 ;;
	esac
}

# Is anybody listening on perftest's port?  Connecting would be taken for a client.
listening() {
	# A kernel without IPv6 has no tcp6, and some awks give up at a missing file.
	cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
		awk -v port="$(printf ':%04X' "$port")" '$2 ~ port "$" && $4 == "0A" { found = 1 } END { exit !found }'
}

# wait_listening PID -- until it listens, ends, or its time is over.
wait_listening() {
	tries=0
	while ! listening && kill -0 "$1" 2>/dev/null && [ $tries -lt $((seconds * 5)) ]; do
		tries=$((tries + 1))
		sleep 0.2
	done
	listening
}

# find_gpu -- what PERFTEST_GPU is by default.
find_gpu() {
	help=$(ib_write_bw --help 2>&1)
	case $help in *--use_cuda*) [ ! -e /dev/nvidiactl ] || { echo --use_cuda=0; return; } ;; esac
	case $help in *--use_rocm*) [ ! -e /dev/kfd ] || echo --use_rocm=0 ;; esac
}

# run_size NUMBER STEP PROGRAM KIND SIZE -- one program on both sides.
run_size() {
	count=$iterations
	case $3 in *_lat) [ "$5" -le 4096 ] || count=$((iterations / 4)) ;; esac
	# As pair.c: a second until a packet is sent again, as emulated machines are slow.
	options="-d $device -F -s $5 -n $count -p $port -u 18"
	case $4 in
	odp) options="$options --odp" ;;
	gpu) options="$options $gpu" ;;
	both-ways) options="$options -b" ;;
	qps4) options="$options -q 4" ;;
	esac
	if [ "$PEERLAB_ROLE" = server ]; then
		# shellcheck disable=SC2086 # words are wanted
		timeout "$seconds" "$3" $options >"$output" 2>&1 </dev/null &
		pid=$!
		state=listening
		wait_listening $pid || {
			state=failed
			echo "# $3 did not listen on port $port within $seconds s, or has ended"
		}
		meet "$1" "$2" $state || {
			state=failed
			echo "# the other side: $met"
		}
		[ $state = listening ] || kill $pid 2>/dev/null
		wait $pid
		status=$?
	else
		status=1 state=failed
		if meet "$1" "$2" start && [ "$met" = listening ]; then
			# shellcheck disable=SC2086 # words are wanted
			timeout "$seconds" "$3" $options "$PEERLAB_PEER_ADDRESS" >"$output" 2>&1 </dev/null
			status=$? state=ran
		else
			echo "# the other side: $met" >"$output"
		fi
	fi
	cat "$output"
	case $status,$state in
	0,*) return ;;
	124,*) echo "# $3 of $5 bytes did not end within $seconds s" ;;
	*,failed) ;;
	*) echo "# $3 of $5 bytes ended with status $status" ;;
	esac
	return 1
}

gpu=${PERFTEST_GPU-$(find_gpu)}
version=$(ib_write_bw --version 2>/dev/null | tr -dc '0-9.' | cut -c1-20)
output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT
number=0 failed=0
for test; do
	program=${test%:*} kind=${test#*:}
	id=P6.$program.$kind
	# Both sides number all tests: what is left out here may run there.
	number=$((number + 1))
	if ! is_chosen "$id"; then
		echo "ok $number $id # SKIP not run: excluded by caller"
		continue
	fi
	echo "# test: $id"
	why=$reason
	[ -n "$why" ] || command -v "$program" >/dev/null || why="$program is missing (package perftest)"
	if [ -n "${PEERLAB_ROLE-}" ]; then
		# A test runs on both sides or on neither.
		said="$id ${why:-ready} $version"
		if ! meet $number 0 "$said"; then
			echo "# the other side: $met"
			echo "not ok $number $id"
			failed=1
			continue
		fi
		case $why,$met in
		?*,* | ",$said") ;;
		",$id ready "*) why="the other side has perftest ${met#"$id ready "}, this one $version" ;;
		*) why="the other side: $met" ;;
		esac
	fi
	if [ -n "$why" ]; then
		echo "ok $number $id # SKIP $why"
		continue
	fi
	step=0 result=ok
	if [ "$kind" = gpu ]; then
		# One side's GPU is enough: the other one lends its RAM.
		step=1
		meet $number $step "${gpu:-none}" || {
			echo "# the other side: $met"
			echo "not ok $number $id"
			failed=1
			continue
		}
		echo "# memory of a GPU: $PEERLAB_ROLE ${gpu:-none}, the other side $met"
		if [ -z "$gpu" ] && [ "$met" = none ]; then
			echo "ok $number $id # SKIP neither side has a GPU of which perftest can take memory"
			continue
		fi
	fi
	# Its figures count once: those of the client.  -b has a name of its own.
	[ "$PEERLAB_ROLE" = server ] || echo "# perftest label: $kind" | sed s/both-ways/pinned/
	for size in $sizes; do
		step=$((step + 1))
		run_size $number $step "$program" "$kind" "$size" || result='not ok'
	done
	[ "$result" = ok ] || failed=1
	echo "$result $number $id"
done
exit $failed
