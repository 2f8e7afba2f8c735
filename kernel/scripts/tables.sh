#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What a machine of boot-vm.sh said, as tables of Markdown.
#
# usage: tables.sh suites LOG...   each suite: passed, failed and skipped tests
#        tables.sh faults LOG      each operation of p2p_faults: how many times one of
#                                  its allocations failed, and how often it did then
#
# LOG is the console.  Whether the kernel complained says the last test of a suite, and
# is a failure like any other.  Exit status 0, 1 when a test failed or a suite did not
# come to its end, 2 for wrong usage.
set -euo pipefail
export LC_ALL=C.UTF-8

usage() {
	sed -n '5,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	exit 2
}
[ $# -gt 1 ] || usage
what=$1
shift
for log; do [ -r "$log" ] || { echo "tables: $log: it cannot be read" >&2; exit 2; }; done

case $what in
suites)
	printf '| suite | passed | failed | skipped | |\n|---|---:|---:|---:|---|\n'
	# A suite's lines come before the line that says how it ended.
	cat -- "$@" | tr -d '\r\000' | awk '
		function row(name, end) {
			bad += failed + (end != "")
			printf "| %s | %d | %d | %d | %s |\n", name, passed, failed, skipped, end
			passed = failed = skipped = 0
		}
		/^KTAP version 1|^TAP version 13/ && !open { open = 1; planned = 0; seen = 0 }
		/^1\.\.[0-9]+/ { if (!planned) planned = substr($0, 4) + 0 }
		/^ok [0-9]+/ { seen++; if (/# SKIP not run/) next; if (/# SKIP/) skipped++; else passed++ }
		/^not ok [0-9]+/ { seen++; if (/# XFAIL/) skipped++; else failed++ }
		/^boot-vm: .* exit [0-9]+$/ {
			name = $2
			for (i = 3; i < NF - 1; i++) if ($i !~ /^--oracle/) name = name " " $i
			if (open) row(name, seen < planned ? "ended after " seen " of " planned : "")
			open = 0
		}
		END {
			if (open) row("the last", "the machine stopped after " seen " of " planned)
			exit bad > 0
		}' ;;
faults)
	[ $# -eq 1 ] || usage
	printf '| operation | faults | of them it failed | |\n|---|---:|---:|---|\n'
	tr -d '\r\000' <"$1" | awk '
		/^# test: E01\./ { faults = errors = "–"; more = "" }
		/^# [0-9]+ faults, [0-9]+ of them made it fail/ {
			faults = $2; errors = $4
			if (/there is no time for more/) more = "no time for more"
			sum += faults; failing += errors
		}
		/^ok [0-9]+ E01\./ || /^not ok [0-9]+ E01\./ {
			name = $1 == "ok" ? $3 : $4
			sub(/^E01\./, "", name)
			if (/# SKIP not run: excluded by caller/) next
			if ($1 != "ok") { more = "**failed**"; bad = 1 }
			else if (/# SKIP/) { more = $0; sub(/.*# SKIP /, "skipped: ", more) }
			printf "| `%s` | %s | %s | %s |\n", name, faults, errors, more
			count++
		}
		END {
			if (!count) { print "tables: there is no test of p2p_faults in it" >"/dev/stderr"; exit 2 }
			printf "| all | %d | %d | |\n", sum, failing
			exit bad
		}' ;;
*) usage ;;
esac
