# shellcheck shell=sh
# What the scripts that build disk images share: their words to the caller, Debian's mirrors, and the root folder that
# mmdebstrap makes. Sourced; the caller has `set -eu`.

# json_text TEXT: TEXT as the inside of a JSON string, on one line.
json_text() {
	printf '%s' "$1" | tr '\n\t' '  ' | tr -d '\000-\037' | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g'
}

fail() {
	printf '@error {"class":"infrastructure","detail":"%s","remedy":"%s"}\n' "$(json_text "$1")" "$(json_text "$2")"
	exit 12
}

progress() { printf '@progress %s %s\n' "$1" "$2"; }

# debian_mirrors: the base URI of every Debian archive that this system's own apt sources name,
# "main" or "security" in front. Reads both the one-line and the deb822 format.
debian_mirrors() {
	etc=${PEERLAB_APT_DIR:-/etc/apt}
	for file in "$etc"/sources.list "$etc"/sources.list.d/*.list; do
		[ -f "$file" ] || continue
		sed -n -e 's/\[[^]]*\]//' -e 's/#.*//' -e 's/^ *deb  *//p' "$file"
	done | awk '{ print $1, $2, $3 }'
	for file in "$etc"/sources.list.d/*.sources; do
		[ -f "$file" ] || continue
		awk 'function flush() { if (types ~ /(^| )deb( |$)/ && enabled != "no") { n = split(uris, u, " "); m = split(suites, s, " ");
				for (i = 1; i <= n; i++) for (j = 1; j <= m; j++) print u[i], s[j], components }
				types = uris = suites = components = enabled = "" }
			/^#/ { next } /^[ \t]*$/ { flush(); next }
			{ name = tolower($1); value = $0; sub(/^[^:]*:[ \t]*/, "", value) }
			name == "types:" { types = value } name == "uris:" { uris = value } name == "suites:" { suites = value }
			name == "components:" { components = value } name == "enabled:" { enabled = tolower(value) }
			END { flush() }' "$file"
	done
}

# The Debian release names keep other vendors' archives out; any release's mirror carries ours too.
pick_mirror() {
	debian_mirrors | awk -v want="$1" '
		{ sub(/\/$/, "", $2); security = ($2 ~ /security/ || $2 ~ /\/updates$/); plain = ($2 ~ /^(bullseye|bookworm|trixie|forky|sid|testing|stable|unstable|oldstable)([-\/].*)?$/) }
		plain && $3 ~ /^main/ && (security == (want == "security")) { print $1; exit }'
}

# exit_if_cached CACHE KEY: sets $cache and $image; prints the image and exits when it is there already.
exit_if_cached() {
	mkdir -p "$1/images" 2>/dev/null || fail "cannot create $1/images" "choose another cache folder with PEERLAB_CACHE"
	cache=$(CDPATH='' cd -- "$1" && pwd)
	image=$cache/images/$2
	[ -f "$image/manifest.json" ] || return 0
	progress 100 "disk image is cached"
	echo "@image $image"
	exit 0
}

# begin_image: takes the lock on descriptor 9 and makes an empty $work for what is half-made. Sets $mode for mmdebstrap
# and $started, in seconds.
begin_image() {
	free_mib=$(df -Pm "$cache" | awk 'NR == 2 { print $4 }')
	[ "$free_mib" -ge 3000 ] || fail "$cache has $free_mib MiB free, the image needs 3000" "free space or move the cache with PEERLAB_CACHE"
	exec 9>"$cache/images/.lock"
	flock -n 9 || { progress 0 "waiting for another image build"; flock 9; }
	if [ -f "$image/manifest.json" ]; then
		echo "@image $image"
		exit 0
	fi
	# Everything half-made lies in one folder that the next build may remove.
	work=$cache/images/.work
	rm -rf "$work" 2>/dev/null || unshare --map-auto --map-root-user rm -rf "$work" || fail "cannot remove $work" "remove it by hand"
	mkdir -p "$work"
	# mmdebstrap's package step runs as another user when we are not root.
	chmod 0755 "$work"
	if [ "$(id -u)" = 0 ]; then
		mode=root
	else
		mode=unshare
		as_owner true 2>/dev/null || fail "user namespaces with subordinate ids do not work for $(id -un)" "apt-get install uidmap and give $(id -un) a line in /etc/subuid and /etc/subgid, or run as root"
	fi
	# shellcheck disable=SC2034 # read by the caller
	started=$(date +%s)
}

# as_owner COMMAND: runs it as root of the image's files.
as_owner() { if [ "$(id -u)" = 0 ]; then "$@"; else unshare --map-auto --map-root-user "$@"; fi; }

# need_tools PROGRAM:PACKAGE...
need_tools() {
	for tool; do
		PATH=$PATH:/usr/sbin:/sbin command -v "${tool%%:*}" >/dev/null || fail "${tool%%:*} is not installed" "apt-get install ${tool##*:}"
	done
}

# unpack_debian SUITE PACKAGES [OPTION...]: $work/root.tar, by mmdebstrap with the given options more. PACKAGES is a
# file with a package on each line.
unpack_debian() {
	suite=$1
	packages=$(sed -e 's/#.*//' -e '/^ *$/d' "$2" | tr '\n' ',')
	shift 2
	mirror=$(pick_mirror main)
	security=$(pick_mirror security)
	[ -n "$mirror" ] || fail "no Debian archive found in this system's apt sources" "add one below /etc/apt/sources.list.d"
	progress 2 "unpacking Debian $suite (about a minute)"
	{
		echo "deb $mirror $suite main"
		echo "deb $mirror $suite-updates main"
		[ -z "$security" ] || echo "deb $security $suite-security main"
	} > "$work/sources.list"
	{
		mmdebstrap --mode="$mode" --variant=minbase --format=tar \
			--include="${packages%,}" \
			--aptopt='Acquire::Retries "3"' --aptopt='APT::Install-Recommends "false"' \
			--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
			--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
			--dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='force-unsafe-io' \
			"$@" "$suite" "$work/root.tar" "$work/sources.list" 2>&1 9>&-
		echo "exit $?"
	} | {
		status=1
		while IFS= read -r line; do
			printf '%s\n' "$line" >&2
			# The share of the time, as measured, that is over when a step begins.
			case $line in
			"I: running apt-get update"*) progress 4 "reading Debian's package lists" ;;
			"I: downloading packages"*) progress 10 "downloading Debian $suite" ;;
			"I: extracting archives"*) progress 18 "unpacking the base system" ;;
			"I: installing essential"*) progress 25 "installing the base system" ;;
			"I: installing remaining"*) progress 40 "installing kernel, OpenSSH and boot loader" ;;
			"I: running --customize-hook"*) progress 75 "configuring the machine" ;;
			"I: creating tarball"*) progress 80 "packing the root folder" ;;
			"exit "*) status=${line#exit } ;;
			esac
		done
		exit "$status"
	} || fail "mmdebstrap failed: see the log" "check that the mirror $mirror can be reached, then start again"
}
