# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For build-bundle.sh: kernels that count how often the lines of a series run, which a
# configuration or a fragment asks for by CONFIG_GCOV_KERNEL=y.  Sourced, not run.

: "${here:?}" "${work:?}" "${base:?}" "${overlay:?}"

# counts_lines FILE... -- one of these parts of the configuration asks for it.
counts_lines() {
	cat -- "$@" | grep -qx 'CONFIG_GCOV_KERNEL=y'
}

# count_series -- in the overlay: the Makefiles have the C files of the series counted by
# gcov; their names are added to those that differ from the base.  The series as one
# diff stays in $work/series.diff.
count_series() {
	"$here/coverage-lines.pl" diff "$base/tree" "$overlay" >"$work/series.diff" &&
		"$here/coverage-lines.pl" profile "$base/tree" "$overlay" >>"$work/touched" ||
		fail_infrastructure "the files of the series cannot be counted" "see the build's log"
}

# keep_notes TREE OUT -- series.diff, and what the compiler noted of the counted files,
# into the bundle.  A file without notes was not built.
keep_notes() {
	cp "$work/series.diff" "$2/series.diff"
	sed -n 's,^+++ b/\(.*\)\.c$,\1,p' "$work/series.diff" | sort -u | while IFS= read -r name; do
		[ ! -f "$1/$name.o" ] || [ ! -f "$1/$name.gcno" ] || printf '%s\0' "$name.gcno"
	done >"$work/notes"
	tar -C "$1" --null --no-recursion -T "$work/notes" --owner=0 --group=0 --numeric-owner --mode=0644 \
		--mtime="@$SOURCE_DATE_EPOCH" -cf "$2/gcov-notes.tar"
}
