#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Put the pristine base kernel into the cache and print its path.
#
# usage: fetch-base.sh --cache DIR [--base NAME|--local TARBALL|GITTREE]
#
# The default source is the Debian package named in base.json; --base takes one of
# its "others" by name.  It comes through an apt configuration of our own that lives
# in the cache: the mirror is taken from the system's sources, the Release file's
# signature is checked against Debian's archive keyring, and the system's own lists,
# cache and sources are neither needed nor touched, so any user may run this.
#
# Result: DIR/kernel/base-<key>/ holding tree/ (the source, read-only by
# convention: builds copy it by hard links), source.sha256 and version.
# <key> is the sha256 of the source tarball.  The last line of stdout is the path.
set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=report.sh
. "$here/report.sh"
base_json=$here/../base.json

usage() {
	sed -n '3,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	# Last, because a caller shows the last line as the reason.
	[ $# -eq 0 ] || echo "fetch-base: $1" >&2
	exit "$EXIT_USAGE"
}

cache='' local_source='' base=''
while [ $# -gt 0 ]; do
	case $1 in
	--cache) cache=${2-}; shift 2 || usage ;;
	--local) local_source=${2-}; shift 2 || usage ;;
	--base) base=${2-}; shift 2 || usage ;;
	*) usage ;;
	esac
done
[ -n "$cache" ] || usage

# base_field NAME -- a string field of base.json; of the base that was asked for,
# where that has it.
base_field() {
	perl -MJSON::PP -e 'my ($field, $base) = @ARGV; local $/;
		my $all = JSON::PP->new->decode(<STDIN>);
		my $value = ($base eq "" ? $all : $all->{others}{$base})->{$field} // $all->{$field};
		print ref $value ? join("\n", @$value) : $value // ""' -- "$1" "$base" <"$base_json"
}
[ -z "$base" ] || grep -qxF -- "$base" < <(perl -MJSON::PP -e 'local $/;
	print map { "$_\n" } keys %{ JSON::PP->new->decode(<STDIN>)->{others} // {} }' <"$base_json") ||
	usage "--base $base: base.json knows $(perl -MJSON::PP -e 'local $/;
		print join(", ", sort keys %{ JSON::PP->new->decode(<STDIN>)->{others} // {} }) || "no other base"' <"$base_json")"

for pair in perl:perl flock:util-linux sha256sum:coreutils tar:tar xz:xz-utils; do
	need "${pair%%:*}" "${pair#*:}"
done
mkdir -p "$cache/kernel" || fail_infrastructure "cannot create $cache/kernel" "check the folder's owner"
root=$(cd "$cache/kernel" && pwd)

exec 9>"$root/.fetch.lock"
if ! flock -n 9; then
	echo "fetch-base: waiting for another fetch in $root" >&2
	flock -w 1800 9 || fail_infrastructure "another fetch has held $root/.fetch.lock for 30 minutes" \
		"see who holds it: fuser $root/.fetch.lock"
fi

# system_mirror -- URL of the mirror the system itself uses for Debian's main
# archive, from deb822 (.sources) or one-line (.list) sources.
system_mirror() {
	local files=() f
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
		/etc/apt/sources.list.d/*.sources; do
		[ -r "$f" ] && files+=("$f")
	done
	[ ${#files[@]} -gt 0 ] || return 0
	awk '
	function debian(url) {
		return url ~ /^(https?|mirror\+https?|file|copy|cdrom):\/*/ && url ~ /\/debian\/?$/
	}
	FNR == 1 { deb822 = FILENAME ~ /\.sources$/ }
	/^[[:space:]]*#/ { next }
	deb822 && tolower($1) == "uris:" {
		for (i = 2; i <= NF; i++) if (debian($i)) { print $i; exit }
	}
	!deb822 && $1 == "deb" {
		for (i = 2; i <= NF; i++) if (debian($i)) { print $i; exit }
	}' "${files[@]}"
}

# signing_keyring -- the first keyring of base.json that this machine has.
signing_keyring() {
	local name
	for name in $(base_field keyring); do
		if [ -r "/usr/share/keyrings/$name" ]; then
			echo "/usr/share/keyrings/$name"
			return
		fi
	done
}

# private_apt COMMAND... -- apt-get or apt-cache with the configuration in $apt.
private_apt() {
	local tool=$1
	shift
	APT_CONFIG=$apt/apt.conf "$tool" "$@"
}

# debian_package -- download the source package; prints the path of the .deb.
debian_package() {
	need apt-get apt
	local package suite component mirror keyring deb
	package=$(base_field package) suite=$(base_field suite) component=$(base_field component)
	mirror=$(system_mirror)
	[ -n "$mirror" ] || fail_infrastructure "no Debian mirror found in the system's apt sources" \
		"pass --local with a kernel tarball or git tree"
	keyring=$(signing_keyring)
	[ -n "$keyring" ] || fail_infrastructure "no Debian archive keyring in /usr/share/keyrings" \
		"apt-get install debian-archive-keyring"

	apt=$root/apt
	mkdir -p "$apt"/{lists/partial,cache/archives/partial,parts,trusted}
	: >"$apt/status"
	printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: %s\nSigned-By: %s\n' \
		"$mirror" "$suite" "$component" "$keyring" >"$apt/base.sources"
	cat >"$apt/apt.conf" <<-CONF
		Dir::Etc::SourceList "$apt/base.sources";
		Dir::Etc::SourceParts "$apt/parts";
		Dir::Etc::Preferences "/dev/null";
		Dir::Etc::PreferencesParts "$apt/parts";
		Dir::Etc::Trusted "/dev/null";
		Dir::Etc::TrustedParts "$apt/trusted";
		Dir::State "$apt";
		Dir::State::Lists "$apt/lists";
		Dir::State::Status "$apt/status";
		Dir::Cache "$apt/cache";
		APT::Sandbox::User "";
		APT::Get::AllowUnauthenticated "false";
		Acquire::AllowInsecureRepositories "false";
		Acquire::AllowWeakRepositories "false";
		Acquire::Languages "none";
		Acquire::Retries "3";
		Acquire::http::Timeout "60";
		APT::Update::Post-Invoke {};
		APT::Update::Post-Invoke-Success {};
	CONF
	private_apt apt-get -q -o APT::Update::Error-Mode=any update >&2 ||
		fail_infrastructure "apt could not read $suite from $mirror with a good signature" \
			"check the network and the mirror, or pass --local"
	[[ $(private_apt apt-cache policy "$package") == *"Candidate: "[0-9]* ]] ||
		fail_infrastructure "$mirror $suite has no $package" "pass --local with a kernel tarball or git tree"
	(cd "$apt/cache/archives/partial" && private_apt apt-get -q download "$package" >&2) ||
		fail_infrastructure "the download of $package from $mirror failed" "run it again: it resumes"
	deb=$(find "$apt/cache/archives/partial" -name "${package}_*.deb" -printf '%T@ %p\n' | sort -rn | sed -n '1s/^[^ ]* //p')
	[ -n "$deb" ] || fail_infrastructure "apt reported success but downloaded no .deb file" "run it again"
	echo "$deb"
}

# install_tree TARBALL-SHA256 DIRECTORY-WITH-TREE -- move a finished tree into
# its final place in one step.
install_tree() {
	local sha=$1 staging=$2 dest=$root/base-$1 version
	# Read from the file, because no code of the tree may run here.
	version=$(awk -F' *= *' '$1 == "VERSION" { v = $2 } $1 == "PATCHLEVEL" { p = $2 }
		$1 == "SUBLEVEL" { s = $2 } $1 == "EXTRAVERSION" { e = $2; exit }
		END { print v "." p "." s e }' "$staging/tree/Makefile")
	echo "$version" >"$staging/version"
	echo "$sha" >"$staging/source.sha256"
	rm -rf "$dest"
	mv -T "$staging" "$dest"
	echo "$sha" >"$root/$latest.tmp"
	mv "$root/$latest.tmp" "$root/$latest"
	echo "$dest"
}

staging=$root/.staging.$$
trap 'rm -rf "$staging"' EXIT

# unpack TARBALL -- make $staging/tree from a kernel tarball of any compression.
unpack() {
	need_space "$root" 2500
	rm -rf "$staging"
	mkdir -p "$staging/tree"
	echo "fetch-base: unpacking $(basename "$1")" >&2
	tar -xf "$1" -C "$staging/tree" --strip-components=1 ||
		fail_infrastructure "unpacking $1 failed" "free disk space, or remove a damaged file and run it again"
	[ -f "$staging/tree/Kbuild" ] && [ -f "$staging/tree/mm/hmm.c" ] ||
		fail_infrastructure "$1 has no Linux source with mm/hmm.c" "pass a kernel source tarball with --local"
}

if [ -n "$local_source" ]; then
	[ -r "$local_source" ] || fail_infrastructure "cannot read $local_source" "pass a tarball or a git tree with --local"
	latest=local-$(printf '%s' "$(readlink -f "$local_source")" | sha256sum | cut -c1-16).latest
	if [ -d "$local_source" ]; then
		need git git
		git -C "$local_source" rev-parse --verify -q HEAD >/dev/null ||
			fail_infrastructure "$local_source is a folder but not a git tree" "pass a git tree or a tarball with --local"
		# git archive of a commit always gives the same bytes, so their hash can be the key.
		tarball=$root/.local.$$.tar
		trap 'rm -rf "$staging" "$tarball"' EXIT
		git -C "$local_source" archive --format=tar --prefix=linux/ HEAD >"$tarball"
	else
		tarball=$local_source
	fi
else
	# One look-up per day is enough; a build must not wait for the mirror.
	latest=$(base_field package).latest
	if [ -n "$(find "$root/$latest" -mmin -1440 2>/dev/null)" ] &&
		[ -f "$root/base-$(cat "$root/$latest")/source.sha256" ]; then
		echo "$root/base-$(cat "$root/$latest")"
		exit 0
	fi
	if ! deb=$(debian_package); then
		if [ -f "$root/$latest" ] && [ -f "$root/base-$(cat "$root/$latest")/source.sha256" ]; then
			echo "fetch-base: the mirror does not answer; using the tree of an earlier fetch" >&2
			echo "$root/base-$(cat "$root/$latest")"
			exit 0
		fi
		printf '%s\n' "$deb"	# the @error line
		exit "$EXIT_INFRASTRUCTURE"
	fi
	need dpkg-deb dpkg
	tarball=$root/.deb.$$/source.tar.xz
	trap 'rm -rf "$staging" "$root/.deb.$$"' EXIT
	mkdir -p "$root/.deb.$$"
	dpkg-deb --fsys-tarfile "$deb" | tar -x -O --wildcards './usr/src/linux-source-*.tar.xz' >"$tarball" ||
		fail_infrastructure "$deb has no kernel source" "remove it and run this again"
fi

sha=$(sha256sum "$tarball" | cut -d' ' -f1)
if [ -f "$root/base-$sha/source.sha256" ]; then
	echo "$sha" >"$root/$latest"
	echo "$root/base-$sha"
	exit 0
fi
unpack "$tarball"
install_tree "$sha" "$staging"
