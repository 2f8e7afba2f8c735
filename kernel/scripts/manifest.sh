# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The manifest of a bundle: what it was made of, what it can do, and the digest of
# each file.  Sourced by build-bundle.sh, whose variables it reads.
# shellcheck disable=SC2154

# inputs_json -- what the manifest says of the inputs, as JSON without braces.
inputs_json() {
	local separator='' number label subject
	printf '"key":"%s",\n"base":{"version":%s,"sha256":"%s"},\n"series":[' "$key" "$(json_string "$base_version")" "$base_key"
	while IFS=$'\t' read -r number label subject; do
		printf '%s\n{"file":%s,"subject":%s,"sha256":"%s"}' "$separator" "$(json_string "$label")" \
			"$(json_string "$subject")" "$(sha256sum <"$work/$(printf %04d "$number").patch" | cut -d' ' -f1)"
		separator=,
	done <"$work/index"
	printf '],\n"config":{"name":"%s","sha256":"%s"},\n"toolchain":%s' "$config_name" "$config_key" "$(json_string "$toolchain")"
}

# file_entries DIRECTORY -- the files below it as members of a JSON object, in the order
# of their names, which are put into JSON as they are.
file_entries() {
	local sizes digests
	sizes=$(cd "$1" && find . -type f -printf '%P %s\n' | sort) || return
	digests=$(cd "$1" && cut -d ' ' -f 1 <<<"$sizes" | xargs -d '\n' sha256sum) || return
	# "digest  name" and "name size" stand in one order: where the names differ, one is missing.
	paste -d ' ' <(printf '%s\n' "$digests") <(printf '%s\n' "$sizes") | awk '
		$2 != $3 { print "no digest of " $3 >"/dev/stderr"; exit 1 }
		{ printf "%s\n\"%s\":{\"sha256\":\"%s\",\"sizeBytes\":%s}", separator, $2, $1, $4; separator = "," }'
}

# write_manifest DIRECTORY -- manifest.json of the bundle there, whose other files are
# complete; the build ends when that cannot be done.
write_manifest() {
	local build_id features='[]' limits=1 odd files suites kselftests='' target
	odd=$(cd "$1" && find . -type f -printf '%P\n' | grep -vE -m 1 '^[A-Za-z0-9._/-]+$') || true
	[ -z "$odd" ] || fail_infrastructure "a file of the bundle has an odd name: $odd" "name it with A-Z, a-z, 0-9, - _ and ."
	files=$(file_entries "$1") || fail_infrastructure "the files of the bundle cannot be read" "see the build's log"
	build_id=$(LC_ALL=C readelf -n "$tree/vmlinux" | sed -n 's/^ *Build ID: *//p' | sed -n 1p)
	! grep -q 'peer_page)(' "$tree/include/linux/memremap.h" || features='["dma_alias"]'
	! grep -q '^CONFIG_KASAN=y' "$tree/.config" || limits=4
	suites=$(suite_entries "$1/suites" $limits "$work/inputs/selftests/suites.json" | paste -sd, -) ||
		fail_infrastructure "the suites of the bundle cannot be listed" "see the build's log"
	for target in ${built_kselftests[@]+"${built_kselftests[@]}"}; do
		kselftests+="${kselftests:+,}{\"target\":\"$target\",\"file\":\"suites/$(kselftest_file "$target")\"}"
	done
	{
		printf '{\n"schema":1,\n%s,\n"release":%s,\n"buildId":"%s",\n"features":%s,\n' \
			"$(inputs_json)" "$(json_string "$release")" "$build_id" "$features"
		# Which end of a pair a module takes: its parameter "devices" names the function.
		printf '"modules":["peerlab_provider","peerlab_client"],\n'
		printf '"binds":{"peerlab_provider":"provider","peerlab_client":"client"},\n'
		printf '"suites":[\n%s\n],\n"kselftests":[%s],\n"unbuilt":[%s],\n' "$suites" "$kselftests" "$unbuilt"
		printf '"files":{%s}\n}\n' "$files"
	} >"$1/manifest.json" || fail_infrastructure "cannot write the manifest" "free disk space"
}
