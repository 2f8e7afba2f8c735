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
: "${here:?}" "${cache:?}" "${config:?}" "${base:?}" "${base_key:?}" "${base_version:?}" "${toolchain:?}" "${work:?}"

tree=''
# Set by take_tree when a kernel of this base was built in the tree: make compiles only what differs.
built_before=''
# Sources with the series applied: only the files that it touches.
overlay=$work/overlay

# is_same FILE FILE -- both have the same content, kind and permission to run, or are
# not there.
is_same() {
	if [ -L "$1" ] || [ -L "$2" ]; then
		[ -L "$1" ] && [ -L "$2" ] && [ "$(readlink -- "$1")" = "$(readlink -- "$2")" ]
		return
	fi
	if [ ! -e "$1" ] || [ ! -e "$2" ]; then
		[ ! -e "$1" ] && [ ! -e "$2" ]
		return
	fi
	[ -x "$1" ] && { [ -x "$2" ] || return 1; }
	[ ! -x "$2" ] || [ -x "$1" ] || return 1
	cmp -s -- "$1" "$2"
}

# differences TREE -- how many of its files the series would change; a huge number
# when there is none or its build was killed, and a larger one for a tree of another
# base, so that builds on two bases in turn keep a tree each.
differences() {
	local name wanted is_of count=0
	is_of=$(cat "$1/.peerlab-base" 2>/dev/null) || true
	if [ -z "$is_of" ] || [ -e "$1/.peerlab-busy" ]; then
		echo 1000000
		return
	elif [ "$is_of" != "$base_key $toolchain" ]; then
		echo 2000000
		return
	fi
	while IFS= read -r name; do
		wanted=$overlay/$name
		grep -qxF -- "$name" "$work/touched" || wanted=$base/tree/$name
		is_same "$wanted" "$1/$name" || count=$((count + 1))
	done < <(sort -u "$work/touched" "$1/.peerlab-touched")
	echo "$count"
}

# shellcheck disable=SC2034 # build-bundle.sh reads built_before
# note_build -- whether a kernel of this base was built in the tree, before fill_tree changes that.
note_build() {
	[ ! -f "$tree/vmlinux" ] || [ "$(cat "$tree/.peerlab-base" 2>/dev/null)" != "$base_key $toolchain" ] || built_before=1
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
		! flock -n 7 || { note_build; return 0; }
	done
	tree=$cache/kernel/tree-$config-0
	exec 7>"$cache/kernel/.tree-$config-0.lock"
	progress 1 "waiting for a tree: $TREES_PER_CONFIG kernels of configuration $config are being built"
	flock -w 7200 7 || fail_infrastructure "no tree of configuration $config became free in two hours" \
		"see who holds $cache/kernel/.tree-$config-0.lock"
	note_build
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

# git_apply ARGUMENT... -- git apply in the overlay, as git am would apply; the overlay
# is no repository, and no configuration is read.
git_apply() {
	(cd "$overlay" && GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_CEILING_DIRECTORIES=$(dirname "$overlay") \
		LC_ALL=C git apply --whitespace=nowarn "$@")
}

# hunk_at PATCH FILE LINE -- the number of the hunk of a file that begins at this line.
hunk_at() {
	awk -v file="$2" -v line="$3" '
		/^diff --git / { count = 0; here = 0 }
		/^\+\+\+ / || /^--- / { if (index($0, "/" file) > 0) here = 1; count = /^--- / ? 0 : count }
		/^@@ -/ && here { count++; split(substr($2, 2), at, ","); if (at[1] == line) { print count; exit } }' "$1"
}

# apply_patch NUMBER LABEL -- in the overlay; output of git goes to stderr.
apply_patch() {
	local file log=$work/apply.log line target
	file=$work/$(printf %04d "$1").patch
	git_apply "$file" >"$log" 2>&1 && { cat "$log" >&2; return 0; }
	cat "$log" >&2
	if grep -q 'No space left on device' "$log"; then
		fail_infrastructure "the disk is full" "free space in $cache"
	fi
	while IFS= read -r line; do
		line=${line#error: }
		if [[ $line =~ ^patch\ failed:\ (.+):([0-9]+)$ ]]; then
			target=${BASH_REMATCH[1]}
			line=${BASH_REMATCH[2]}
			if git_apply --check --reverse "$file" 2>/dev/null; then
				fail_apply "$2" "the change to $target is already in the tree" "$target" 1 "$line"
			fi
			local hunk
			hunk=$(hunk_at "$file" "$target" "$line")
			fail_apply "$2" "hunk ${hunk:-?} does not apply to $target at line $line" "$target" "$hunk" "$line"
		elif [[ $line =~ ^corrupt\ patch\ at\ line\ ([0-9]+) ]]; then
			fail_apply "$2" "the patch is malformed at its line ${BASH_REMATCH[1]}" "" "" "${BASH_REMATCH[1]}"
		elif [[ $line =~ ^(.+):\ No\ such\ file\ or\ directory$ ]]; then
			fail_apply "$2" "the tree of Linux $base_version has no ${BASH_REMATCH[1]}" "${BASH_REMATCH[1]}"
		elif [[ $line =~ ^(.+):\ already\ exists\ in\ working\ directory$ ]]; then
			fail_apply "$2" "the tree of Linux $base_version has ${BASH_REMATCH[1]} already" "${BASH_REMATCH[1]}"
		fi
	done < <(grep '^error: ' "$log")
	fail_apply "$2" "$(sed -n 's/^\(error\|fatal\): //p' "$log" | sed -n 1p)"
}

# copy_original NAME -- a file of the base into the overlay, as it is; a link in its
# path too, so that git sees that the path leads elsewhere.
copy_original() {
	local part='' rest=$1
	while [ "$rest" != "${rest#*/}" ]; do
		part=$part${part:+/}${rest%%/*} rest=${rest#*/}
		[ -L "$base/tree/$part" ] || continue
		mkdir -p "$overlay/$(dirname "$part")"
		[ -L "$overlay/$part" ] || cp -P "$base/tree/$part" "$overlay/$part"
		return 0
	done
	[ -f "$base/tree/$1" ] || [ -L "$base/tree/$1" ] || return 0
	mkdir -p "$overlay/$(dirname "$1")"
	cp -P --preserve=mode "$base/tree/$1" "$overlay/$1"
}

# apply_series INDEX -- make the overlay from the lines "number label subject".
apply_series() {
	local number label subject name count
	count=$(wc -l <"$1")
	mkdir -p "$overlay"
	: >"$work/touched"
	[ "$count" -eq 0 ] || "$here/split-series.pl" --names "$work"/[0-9][0-9][0-9][0-9].patch >"$work/touched"
	while IFS= read -r name; do copy_original "$name"; done <"$work/touched"
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
	while IFS= read -r name; do
		wanted=$overlay/$name
		grep -qxF -- "$name" "$work/touched" || wanted=$base/tree/$name
		if [ -d "$tree/$name" ] && [ ! -L "$tree/$name" ]; then
			# Words of a mail that look like a diff's.
			continue
		elif [ ! -f "$wanted" ] && [ ! -L "$wanted" ]; then
			rm -f "$tree/$name"
		elif ! is_same "$wanted" "$tree/$name"; then
			# A new file, never through the hard link into the pristine
			# tree, and of now, so that make sees it.
			mkdir -p "$tree/$(dirname "$name")"
			cp -P --preserve=mode "$wanted" "$tree/$name.new"
			mv -T "$tree/$name.new" "$tree/$name"
		fi
	done <"$work/differs"
	cp "$work/touched" "$tree/.peerlab-touched"
}

# tree_is_clean -- make was not killed: the next build can use its objects.
tree_is_clean() {
	rm -f "$tree/.peerlab-busy"
}
