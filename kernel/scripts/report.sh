# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Line protocol shared by the scripts: @progress, @bundle and @error lines on
# stdout, everything a person may want to read on stderr.  Sourced, not run.

EXIT_USAGE=2
EXIT_APPLY=10
EXIT_COMPILE=11
EXIT_INFRASTRUCTURE=12

# json_string TEXT -- TEXT as a JSON string, quotes included.
json_string() {
	# Most texts are plain: without the cost of two processes.
	if [[ $1 != *[[:cntrl:]\\\"]* ]]; then
		printf '"%s"' "$1"
		return
	fi
	printf '%s' "$1" | LC_ALL=C.UTF-8 awk '
		BEGIN { ORS = ""; print "\""
			for (i = 1; i < 32; i++) escape[sprintf("%c", i)] = sprintf("\\u%04x", i)
			escape["\\"] = "\\\\"; escape["\""] = "\\\""; escape["\t"] = "\\t" }
		NR > 1 { print "\\n" }
		{
			out = ""; n = length($0)
			for (i = 1; i <= n; i++) {
				c = substr($0, i, 1)
				out = out (c in escape ? escape[c] : c)
			}
			print out
		}
		END { print "\"" }'
}

# progress PERCENT TEXT
progress() {
	printf '@progress %d %s\n' "$1" "$2"
}

# fail_infrastructure DETAIL [REMEDY] -- one @error line, exit 12.
fail_infrastructure() {
	printf '@error {"class":"infrastructure","detail":%s,"remedy":%s}\n' \
		"$(json_string "$1")" "$(json_string "${2:-}")"
	exit "$EXIT_INFRASTRUCTURE"
}

# need COMMAND DEBIAN-PACKAGE -- stop with the remedy when a tool is missing.
need() {
	command -v "$1" >/dev/null 2>&1 ||
		fail_infrastructure "the command '$1' is missing" "apt-get install $2"
}

# need_space DIRECTORY MEGABYTES -- stop before a half-written tree, not after.
need_space() {
	local free_kib
	free_kib=$(df -Pk "$1" | awk 'NR == 2 { print $4 }')
	[ "${free_kib:-0}" -ge $(($2 * 1024)) ] ||
		fail_infrastructure "$1 has $((${free_kib:-0} / 1024)) MiB free, $2 MiB are needed" \
			"free disk space or choose another cache folder"
}

# blame_builder LOG DIRECTORY -- ends where the builder ran out of disk, in DIRECTORY, or of memory.
blame_builder() {
	if grep -q 'No space left on device' "$1"; then
		fail_infrastructure "the disk is full" "free space in $2"
	fi
	if grep -qE 'Killed signal terminated|virtual memory exhausted|Cannot allocate memory' "$1"; then
		fail_infrastructure "the compiler ran out of memory" "give the builder more memory"
	fi
}
