# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The build trees of build-bundle.sh.  Sourced, not run.
#
# A few trees are kept for each configuration: hard links to the pristine source,
# except for the files that the series touches.  Only files that differ between
# two series are replaced, so that make rebuilds only what depends on them.  The
# series is applied in a separate folder first: one that does not apply leaves the
# tree unchanged.

TREES_PER_CONFIG=2

# The functions below work on these, set by the caller:
: "${cache:?}" "${config:?}" "${base:?}" "${base_key:?}" "${base_version:?}" "${toolchain:?}" "${work:?}"

tree=''
# Sources with the series applied: only the files that it touches.
overlay=$work/overlay

# differences TREE -- how many of its files the series would change; a huge number
# when the tree cannot be used.
differences() {
	local name wanted count=0
	if [ "$(cat "$1/.peerlab-base" 2>/dev/null)" != "$base_key $toolchain" ] || [ -e "$1/.peerlab-busy" ]; then
		echo 1000000
		return
	fi
	while read -r name; do
		wanted=$overlay/$name
		grep -qxF -- "$name" "$work/touched" || wanted=$base/tree/$name
		cmp -s "$wanted" "$1/$name" || count=$((count + 1))
	done < <(sort -u "$work/touched" "$1/.peerlab-touched")
	echo "$count"
}

# take_tree -- choose the unused tree of this configuration with the fewest files to
# change, and lock it until this shell and its children have exited.
take_tree() {
	local slot slots
	if [ -n "${given_tree-}" ]; then
		tree=$given_tree
		printf '%s\n' "$base_key $toolchain" >"$tree/.peerlab-base"
		: >"$tree/.peerlab-touched"
		return 0
	fi
	slots=$(for ((slot = 0; slot < TREES_PER_CONFIG; slot++)); do
		echo "$(differences "$cache/kernel/tree-$config-$slot") $slot"
	done | sort -n | cut -d' ' -f2)
	for slot in $slots; do
		tree=$cache/kernel/tree-$config-$slot
		exec 7>"$cache/kernel/.tree-$config-$slot.lock"
		! flock -n 7 || return 0
	done
	tree=$cache/kernel/tree-$config-0
	exec 7>"$cache/kernel/.tree-$config-0.lock"
	progress 1 "waiting for a tree: $TREES_PER_CONFIG kernels of configuration $config are being built"
	flock -w 7200 7 || fail_infrastructure "no tree of configuration $config became free in two hours" \
		"see who holds $cache/kernel/.tree-$config-0.lock"
}

# remove_leftovers -- remove what killed builds left behind.
remove_leftovers() {
	find "$cache/kernel" -maxdepth 1 -name '.series.*' -mtime +1 -exec rm -rf {} + 2>/dev/null || true
	# of an earlier way to build
	local path
	for path in "$cache"/kernel/build-*; do
		[ -e "$path/.keep" ] || flock -n "$cache/kernel/.${path##*/}.lock" rm -rf "$path" 2>/dev/null || true
	done
}

# touched_names PATCH... -- every file the patches name.
touched_names() {
	[ $# -eq 0 ] || sed -n -E 's/^(---|\+\+\+) "?[^\/"]+\/([^\t"]*).*/\2/p; s/^(rename|copy) (from|to) (.*)/\3/p' "$@" | sort -u
}

# apply_patch NUMBER LABEL -- in the overlay; output of patch goes to stderr.
apply_patch() {
	local file name log=$work/apply.log target='' line
	file=$work/$(printf %04d "$1").patch
	if (cd "$overlay" && LC_ALL=C patch -p1 --unified --forward --batch --fuzz=0 --no-backup-if-mismatch \
		--reject-file=- <"$file") >"$log" 2>&1; then
		cat "$log" >&2
		return 0
	fi
	cat "$log" >&2
	if grep -q 'No space left on device' "$log"; then
		fail_infrastructure "the disk is full" "free space in $cache"
	fi
	while IFS= read -r line; do
		if [[ $line =~ ^(patching|checking)\ (file|symbolic\ link)\ (.*)$ ]]; then
			target=${BASH_REMATCH[3]%% (*}
			target=${target#\'} target=${target%\'}
		elif [[ $line =~ ^Hunk\ \#([0-9]+)\ FAILED\ at\ ([0-9]+) ]]; then
			fail_apply "$2" "hunk ${BASH_REMATCH[1]} does not apply to $target at line ${BASH_REMATCH[2]}" \
				"$target" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
		elif [[ $line =~ ^Reversed\ \(or ]]; then
			fail_apply "$2" "the change to $target is already in the tree" "$target" 1
		elif [[ $line =~ malformed\ patch\ at\ line\ ([0-9]+) ]]; then
			fail_apply "$2" "the patch is malformed at its line ${BASH_REMATCH[1]}" "$target" "" "${BASH_REMATCH[1]}"
		elif [[ $line =~ ^can\'t\ find\ file\ to\ patch ]]; then
			name=$(sed -n -E 's/^\|\+\+\+ [^\/]+\/([^\t]*).*/\1/p' "$log" | sed -n 1p)
			fail_apply "$2" "the tree of Linux $base_version has no ${name:-such file}" "$name"
		fi
	done < <(cat "$log")
	fail_apply "$2" "$(tail -1 "$log")" "$target"
}

# apply_series INDEX -- make the overlay from the lines "number label subject".
apply_series() {
	local number label subject name count
	count=$(wc -l <"$1")
	mkdir -p "$overlay"
	touched_names "$work"/[0-9][0-9][0-9][0-9].patch >"$work/touched"
	while read -r name; do
		[ -f "$base/tree/$name" ] || continue
		mkdir -p "$overlay/$(dirname "$name")"
		cp --preserve=mode "$base/tree/$name" "$overlay/$name"
	done <"$work/touched"
	while IFS=$'\t' read -r number label subject; do
		progress 3 "applying $number/$count: $subject"
		apply_patch "$number" "$label"
	done <"$1"
}

# fill_tree -- make the tree the pristine source with the overlay on top.
fill_tree() {
	local name wanted
	if [ "$(cat "$tree/.peerlab-base" 2>/dev/null)" != "$base_key $toolchain" ] || [ -e "$tree/.peerlab-busy" ]; then
		# An editor that writes through a hard link changes it for everybody.
		name=$(find "$base/tree" -newer "$base/source.sha256" -type f -print -quit)
		[ -z "$name" ] || fail_infrastructure "the pristine source has been changed: ${name#"$base/tree/"}" \
			"remove $base; it is fetched again"
		# A killed build may have left an incomplete object.
		progress 4 "copying the tree of Linux $base_version"
		rm -rf "$tree"
		cp -al "$base/tree" "$tree" 2>"$work/cp.log" ||
			fail_infrastructure "copying the base tree failed: $(tail -1 "$work/cp.log")" \
				"the cache folder must lie on one file system with free inodes"
		printf '%s\n' "$base_key $toolchain" >"$tree/.peerlab-base"
		: >"$tree/.peerlab-touched"
	fi
	: >"$tree/.peerlab-busy"
	sort -u "$work/touched" "$tree/.peerlab-touched" >"$work/differs"
	# Both lists until the tree is complete, so that a kill in between loses no file.
	cp "$work/differs" "$tree/.peerlab-touched"
	while read -r name; do
		wanted=$overlay/$name
		grep -qxF -- "$name" "$work/touched" || wanted=$base/tree/$name
		if [ -d "$tree/$name" ]; then
			# Words of a mail that look like a diff's.
			continue
		elif [ ! -f "$wanted" ]; then
			rm -f "$tree/$name"
		elif ! cmp -s "$wanted" "$tree/$name"; then
			# A new file, never through the hard link into the pristine
			# tree, and of now, so that make sees it.
			mkdir -p "$tree/$(dirname "$name")"
			cp --preserve=mode "$wanted" "$tree/$name.new"
			mv "$tree/$name.new" "$tree/$name"
		fi
	done <"$work/differs"
	cp "$work/touched" "$tree/.peerlab-touched"
}

# tree_is_clean -- make was not killed: the next build can use its objects.
tree_is_clean() {
	rm -f "$tree/.peerlab-busy"
}
