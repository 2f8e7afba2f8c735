# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# How the tests of the scripts print: KTAP on stdout.  Sourced, not run; the caller
# ends with ktap_end.

number=0 failed=0
echo 'KTAP version 1'

# result NAME STATUS [DETAIL] -- one test; DETAIL is printed when it failed.
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

# contains NAME TEXT WORD... -- TEXT holds every WORD.
contains() {
	local name=$1 text=$2 word
	shift 2
	for word in "$@"; do
		[[ $text == *"$word"* ]] || { result "$name" 1 "'$word' is not in: $text"; return; }
	done
	result "$name" 0
}

# include PREFIX SCRIPT -- the results of a script that prints KTAP, its names after PREFIX.
include() {
	local line plan=''
	while IFS= read -r line; do
		case $line in
		'ok '*) result "$1${line#ok * }" 0 ;;
		'not ok '*) result "$1${line#not ok * }" 1 ;;
		'1..'*) plan=1 ;;
		'#'*) printf '%s\n' "$line" ;;
		esac
	done < <("$2")
	[ -n "$plan" ] || result "$1$(basename "$2" .sh)" 1 "it ended before its plan"
}

# ktap_end -- the plan, and the exit status of it all.
ktap_end() {
	echo "1..$number"
	exit $failed
}
