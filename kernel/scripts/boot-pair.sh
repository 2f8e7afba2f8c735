#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Boot two machines with a network between them that leads nowhere else, and run
# the suites that have two ends.
#
# usage: boot-pair.sh --bundle DIR [--client-bundle DIR] [OPTION OF boot-vm.sh]...
#                     [-- SUITE [ARGUMENT]...]...
#
#   boot-pair.sh --bundle B                         p2p_rdma_pair and perftest_pair
#   boot-pair.sh --bundle B -- p2p_rdma_pair --only F97.traffic
#   PERFTEST_SIZES="64 65536" boot-pair.sh --bundle B -- perftest_pair
#
# Both machines are called with the same options, each with the provider and the
# client of --path.  Lines are printed with the role in front.  Where a suite of
# one side wants to meet the other ("@meet TEST STEP VALUE"), it gets the other's
# value when that one has come to the same place; when the other is beyond it or
# has ended, an error.
#
# Exit status: the worse one of boot-vm.sh.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bundle='' client_bundle='' options=()
while [ $# -gt 0 ]; do
	case $1 in
	--help | -h) sed -n '3,20s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
	--) break ;;
	--link) echo "boot-pair: --link is what this makes" >&2; exit 2 ;;
	*) [ $# -gt 1 ] || { echo "boot-pair: $1 wants a value" >&2; exit 2; } ;;
	esac
	case $1 in
	--bundle) bundle=$2 ;;
	--client-bundle) client_bundle=$2 ;;
	*) options+=("$1" "$2") ;;
	esac
	shift 2
done
[ -n "$bundle" ] || { echo "boot-pair: --bundle is missing" >&2; exit 2; }
[ $# -gt 0 ] || set -- -- p2p_rdma_pair -- perftest_pair

work=$(mktemp -d)
groups=()
# shellcheck disable=SC2329,SC2317 # called by the trap
clean_up() {
	for group in ${groups[@]+"${groups[@]}"}; do kill -- "-$group" 2>/dev/null || true; done
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Open for reading and writing, so that no end waits for another to open it.
mkfifo "$work/lines" "$work/server" "$work/client"
exec 7<>"$work/lines" 8<>"$work/server" 9<>"$work/client"

# start ROLE BUNDLE SUITES... -- a machine; its lines come with the role in front.
start() {
	local role=$1 of=$2
	shift 2
	{
		status=0
		"$here/boot-vm.sh" --bundle "$of" --link "$role:$work/link" ${options[@]+"${options[@]}"} "$@" \
			<"$work/$role" 2>&1 || status=$?
		echo "@ended $status"
	} | sed -u "s/^/$role /" >"$work/lines" &
	groups+=("$(jobs -p %%)")
}
# Each machine is a process group of its own, so that all of it can be ended.
set -m
start server "$bundle" "$@"
start client "${client_bundle:-$bundle}" "$@"
set +m

declare -A wants=() says=() ended=() suite=([server]=0 [client]=0)
answer() { if [ "$1" = server ]; then printf '%s\n' "$2" >&8; else printf '%s\n' "$2" >&9; fi; }
# is_before SUITE.TEST.STEP SUITE.TEST.STEP
is_before() {
	local one=() other=() i
	IFS=. read -ra one <<<"$1"
	IFS=. read -ra other <<<"$2"
	for i in 0 1 2; do
		[ "${one[i]}" = "${other[i]}" ] || { [ "${one[i]}" -lt "${other[i]}" ]; return; }
	done
	return 1
}
# settle -- answers whoever can be answered now.
settle() {
	local role other
	for role in server client; do
		other=client; [ $role = server ] || other=server
		[ -n "${wants[$role]-}" ] || continue
		if [ -n "${ended[$other]-}" ]; then
			answer $role "error the other machine has ended"
			wants[$role]=''
		elif [ -n "${wants[$other]-}" ] && [ "${wants[$role]}" = "${wants[$other]}" ]; then
			answer $role "met ${says[$other]}"
			answer $other "met ${says[$role]}"
			wants=()
		elif [ -n "${wants[$other]-}" ] && is_before "${wants[$role]}" "${wants[$other]}"; then
			answer $role "error the other side is beyond this place"
			wants[$role]=''
		fi
	done
}

status=0
while [ -z "${ended[server]-}" ] || [ -z "${ended[client]-}" ]; do
	IFS= read -r line <&7 || break
	role=${line%% *} text=${line#* }
	case $text in
	'@meet '*)
		if [[ $text =~ ^@meet\ ([0-9]{1,6})\ ([0-9]{1,4})\ (.{1,256})$ ]]; then
			wants[$role]=${suite[$role]}.$((10#${BASH_REMATCH[1]})).$((10#${BASH_REMATCH[2]}))
			says[$role]=${BASH_REMATCH[3]}
		else
			answer "$role" 'error expected "@meet TEST STEP VALUE"'
		fi ;;
	'@ended '*)
		ended[$role]=1
		[ "${text#* }" -le "$status" ] || status=${text#* } ;;
	# Places count from the beginning of a suite.
	'boot-vm: '*' exit '*)
		suite[$role]=$((suite[$role] + 1))
		printf '%s\n' "$line" ;;
	*) printf '%s\n' "$line" ;;
	esac
	settle
done
exit "$status"
