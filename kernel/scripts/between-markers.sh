# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A table that a command writes into a text.  Sourced, not run.

# replace_between BEGIN END ROWS FILE -- what stands between the lines BEGIN and END of
# FILE becomes what is in the file ROWS.  False when FILE has no line BEGIN or no line
# END behind it: it stays as it is.
replace_between() {
	local text
	text=$(awk -v begin="$1" -v end="$2" -v rows="$3" '
		$0 == begin && !seen { print; while ((getline line <rows) > 0) print line; seen = skip = 1; next }
		$0 == end { skip = 0 }
		!skip
		END { exit !seen || skip }' "$4" 2>/dev/null) || return 1
	printf '%s\n' "$text" >"$4"
}
