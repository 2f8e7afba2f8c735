#!/bin/sh
# Brings a bare checkout to the point where a program of it can run, then becomes that program:
#
#   infra/bootstrap.sh start|test -- COMMAND [ARGS]
#   infra/bootstrap.sh packages          (only the Debian packages, for a person or an image build)
#
# Steps: Node.js, Debian packages, npm packages, build. Each is skipped when nothing changed, may be
# interrupted at any point, and is taken up again by the next call. Two calls do not collide.
# Exit codes of its own: 2 something failed, 3 packages are missing and only a person may install them.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
total=4
number=0
title=
begun=0

usage() {
	echo "usage: infra/bootstrap.sh start|test|packages [-- COMMAND [ARGS]]" >&2
	exit 2
}

# step TITLE [ESTIMATE]
step() {
	number=$((number + 1))
	title=$1
	begun=$(date +%s)
	printf '[set-up %s/%s] %s …%s\n' "$number" "$total" "$1" "${2:+ ($2)}" >&2
}
finish() { printf '[set-up %s/%s] %s … done in %s s\n' "$number" "$total" "$title" "$(($(date +%s) - begun))" >&2; }
# A step that has nothing to do says so in one line and nothing more.
skip() {
	number=$((number + 1))
	printf '[set-up %s/%s] %s … %s\n' "$number" "$total" "$1" "${2:-cached}" >&2
}
# die CODE TEXT REMEDY
die() {
	printf '\n%s\n  %s\n' "$2" "$3" >&2
	exit "$1"
}

[ $# -ge 1 ] || usage
purpose=$1
shift
case $purpose in
start | test | packages) ;;
*) usage ;;
esac
if [ $# -gt 0 ]; then
	[ "$1" = -- ] || usage
	shift
fi
cd "$root"
# The script file itself carries the lock, so nothing has to be created.
exec 9<"$root/infra/bootstrap.sh"
if ! flock -n 9; then
	echo "another set-up of this checkout is running; waiting for it" >&2
	flock 9
fi

# --- Node.js ---------------------------------------------------------------------------------------
node_is_new_enough() {
	node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
}
if [ "$purpose" = packages ]; then
	total=1
else
	command -v node >/dev/null || die 2 "Node.js is not installed" "install Node.js 20.19 or newer, with npm"
	node_is_new_enough || die 2 "Node.js $(node --version) is too old" "install Node.js 20.19 or newer"
	command -v npm >/dev/null || die 2 "npm is not installed" "install npm; it comes with Node.js"
	skip "Node.js" "$(node --version), npm $(npm --version)"
fi

# --- Debian packages -------------------------------------------------------------------------------
# wanted_packages: one name a line, from the lists that this purpose needs.
wanted_packages() {
	lists="infra/packages.txt kernel/packages.txt"
	[ "$purpose" = start ] || lists="$lists infra/packages-test.txt"
	for list in $lists; do
		[ ! -f "$list" ] || sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$list"
	done | LC_ALL=C sort -u
}

missing_packages() {
	wanted_packages | while read -r package; do
		state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || state=
		[ "$state" = installed ] || printf '%s ' "$package"
	done
}

install_packages() {
	# shellcheck disable=SC2086 # $1 is "" or a command with its options
	$1 apt-get -o DPkg::Lock::Timeout=600 -qq update >&2 ||
		echo "some package lists could not be read; going on with the others" >&2
	# shellcheck disable=SC2086 # so are the packages
	$1 env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 \
		-o Dpkg::Use-Pty=0 install -y -qq --no-install-recommends $missing >&2
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	die 3 "this is no Debian system, so its packages cannot be installed here" \
		"Peerlab needs Debian 12 or newer: $(wanted_packages | tr '\n' ' ')"
fi
missing=$(missing_packages)
if [ -z "$missing" ]; then
	skip "Debian packages"
else
	if [ "$(id -u)" = 0 ]; then
		become=
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
		become="sudo -n"
	else
		die 3 "Debian packages are missing; type this, then start again:" \
			"sudo apt-get update && sudo apt-get install --no-install-recommends ${missing% }"
	fi
	step "Debian packages: ${missing% }" "about 2 minutes for all of them"
	install_packages "$become" || die 2 "apt-get could not install: $missing" "see its message above"
	missing=$(missing_packages)
	[ -z "$missing" ] || die 2 "still not installed: $missing" "see the messages of apt-get above"
	finish
fi
[ "$purpose" != packages ] || exit 0

# --- npm packages ----------------------------------------------------------------------------------
# A hand-made `npm install` that left node_modules as the lock file wants it counts as well.
modules_match_lock() {
	[ -f node_modules/.package-lock.json ] || return 1
	node -e '
		const read = (file) => JSON.parse(require("fs").readFileSync(file, "utf8")).packages;
		const wanted = read("package-lock.json"), there = read("node_modules/.package-lock.json");
		const same = (a, b) => a && b && a.version === b.version && a.integrity === b.integrity;
		const ok = Object.entries(wanted).every(([path, p]) => !path.startsWith("node_modules/") || p.link ||
			(there[path] ? same(p, there[path]) : p.optional || p.devOptional || p.peer));
		process.exit(ok && Object.keys(there).every((path) => wanted[path]) ? 0 : 1)' 2>/dev/null
}

stamp=node_modules/.peerlab-lock
# Native add-ons are built for one major version of Node.js.
lock_digest="$(sha256sum package-lock.json | cut -c1-64) node$(node -p 'process.versions.modules')"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$lock_digest" ]; then
	skip "npm packages"
elif [ ! -f "$stamp" ] && modules_match_lock; then
	printf '%s\n' "$lock_digest" >"$stamp"
	skip "npm packages"
else
	step "npm packages" "1 to 2 minutes"
	rm -f "$stamp"
	npm ci --include=dev --no-audit --no-fund --loglevel=error >&2 ||
		die 2 "npm ci failed" "see its message above; is the npm registry reachable?"
	printf '%s\n' "$lock_digest" >"$stamp"
	finish
fi

# --- build -----------------------------------------------------------------------------------------
# Digest of everything that tsc and vite read; no git needed, so a tarball works too.
sources_digest() {
	find package-lock.json package.json tsconfig.json tsconfig.base.json apps infra test \
		\( -name node_modules -o -name dist -o -name .vite -o -name coverage \) -prune -o \
		-type f \( -name '*.ts' -o -name '*.tsx' -o -name '*.css' -o -name '*.html' -o -name '*.svg' -o -name '*.json' -o -name '*.yaml' \) -print |
		LC_ALL=C sort | tr '\n' '\000' | xargs -0 sha256sum | sha256sum | cut -c1-64
}

stamp=node_modules/.cache/peerlab-build
digest=$(sources_digest)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$digest" ] && [ -f infra/dist/start/main.js ] && [ -f apps/web/dist/index.html ]; then
	skip "build"
else
	step "build" "about 20 s"
	npm run --silent build >&2 || die 2 "the build failed" "see the compiler's messages above"
	mkdir -p node_modules/.cache
	printf '%s\n' "$digest" >"$stamp"
	finish
fi

# Whoever waits for the lock goes on now; what follows may run for days.
exec 9<&-
[ $# -gt 0 ] || exit 0
exec "$@"
