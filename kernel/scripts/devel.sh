# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # SOURCE_DATE_EPOCH and work are of build-bundle.sh
# The part of a bundle that drivers from outside of the tree are built against.
# Sourced by build-bundle.sh.

# keep_devel TREE FILE -- headers, scripts, objtool and Module.symvers of a tree that
# was built, by the kernel's own list of what that takes; no file where the tree has no
# such list, which older ones lack.
keep_devel() {
	local list=scripts/package/install-extmod-build devel=$1/peerlab/devel
	if [ ! -f "$1/$list" ]; then
		echo "the bundle has no devel part, as the tree has no $list: drivers from outside of it are not built" >&2
		return
	fi
	run_make -s run-command KBUILD_RUN_COMMAND="sh ./$list $devel"
	# Debug information of programs names the folder of the build, and their build-id is a digest of that.
	find "$devel" -type f -perm -u+x -exec strip --strip-unneeded --remove-section=.note.gnu.build-id {} + 2>/dev/null || true
	# Its second half ends what the first began: a full disk is seen by either.
	tar -C "$devel" --sort=name --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w --mtime="@$SOURCE_DATE_EPOCH" \
		--exclude=__pycache__ -cf - . 2>>"$log" | gzip -n -6 >"$2" || explain_failure
}
