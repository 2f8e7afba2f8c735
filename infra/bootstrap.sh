#!/bin/sh
# Sets up a bare checkout, then replaces itself with COMMAND:
#
#   infra/bootstrap.sh PURPOSE [-- COMMAND [ARGS]]
#
#   start, test   Debian packages, npm packages, build
#   dev           npm packages, compiled programs
#   unit          npm packages; the compiled programs too, unless ARGS name the tests to run.
#                 Installs no Debian packages; names the missing ones when COMMAND fails.
#   packages      only the Debian packages, for a person or an image build
#
# A step is skipped when nothing changed since it last ran. An interrupted step is repeated by the next
# call. Concurrent calls wait for each other.
# Exit codes of its own: 2 a step failed, 3 packages are missing and this account may not install them.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
number=0
title=
begun=0

usage() {
	echo "usage: infra/bootstrap.sh start|test|dev|unit|packages [-- COMMAND [ARGS]]" >&2
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
# skip TITLE [REASON] -- one line for a step that has nothing to do.
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
if [ $# -gt 0 ]; then
	[ "$1" = -- ] || usage
	shift
fi
# build: "all" is every program and the web UI, "types" what tsc compiles.
case $purpose in
start | test) total=4 build=all ;;
dev) total=3 build=types ;;
# The arguments are "vitest run" and what a person adds. Most tests read the sources; a few start compiled programs.
unit) if [ $# -gt 2 ]; then total=2 build=none; else total=3 build=types; fi ;;
packages) total=1 build=none ;;
*) usage ;;
esac
cd "$root"
# The lock is on this script, so that no lock file has to be created.
exec 9<"$root/infra/bootstrap.sh"
if ! flock -n 9; then
	echo "another set-up of this checkout is running; waiting for it" >&2
	flock 9
fi

# --- Node.js ---------------------------------------------------------------------------------------
node_is_new_enough() {
	node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
}
if [ "$purpose" != packages ]; then
	command -v node >/dev/null || die 2 "Node.js is not installed" "install Node.js 20.19 or newer, with npm"
	node_is_new_enough || die 2 "Node.js $(node --version) is too old" "install Node.js 20.19 or newer"
	command -v npm >/dev/null || die 2 "npm is not installed" "install npm; it comes with Node.js"
	skip "Node.js" "$(node --version), npm $(npm --version)"
fi

# --- Debian packages -------------------------------------------------------------------------------
# wanted_packages -- one a line, from the lists that this purpose needs. In `A|B` one of both will do.
wanted_packages() {
	lists="infra/packages.txt kernel/packages.txt"
	[ "$purpose" = start ] || lists="$lists infra/packages-test.txt"
	for list in $lists; do
		[ ! -f "$list" ] || sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$list"
	done | LC_ALL=C sort -u
}

is_installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# missing_packages -- of alternatives that are all missing, the first that apt knows, or else the last.
missing_packages() {
	wanted_packages | while read -r alternatives; do
		missing=
		for package in $(printf '%s' "$alternatives" | tr '|' ' '); do
			if is_installed "$package"; then
				missing=
				break
			fi
			case $missing in
			'') missing=$package ;;
			*) apt-cache show "$missing" >/dev/null 2>&1 || missing=$package ;;
			esac
		done
		[ -z "$missing" ] || printf '%s ' "$missing"
	done
}

install_packages() {
	# shellcheck disable=SC2086 # $1 is "" or a command with its options
	$1 apt-get -o DPkg::Lock::Timeout=600 -qq update >&2 ||
		echo "apt-get update failed for some sources; continuing with the package lists that are there" >&2
	# Of alternatives apt may know the first one now.
	missing=$(missing_packages)
	# shellcheck disable=SC2086 # and $missing is a list
	$1 env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 \
		-o Dpkg::Use-Pty=0 install -y -qq --no-install-recommends $missing >&2
}

install_debian_packages() {
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		die 3 "cannot install Debian packages: dpkg or apt-get is missing" \
			"Peerlab needs Debian 12 or newer with: $(wanted_packages | tr '\n' ' ')"
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
			die 3 "Debian packages are missing; run this command, then try again:" \
				"sudo apt-get update && sudo apt-get install --no-install-recommends ${missing% }"
		fi
		step "Debian packages: ${missing% }" "about 2 minutes for all of them"
		install_packages "$become" || die 2 "apt-get could not install: $missing" "see its message above"
		missing=$(missing_packages)
		[ -z "$missing" ] || die 2 "still not installed: $missing" "see the messages of apt-get above"
		finish
	fi
}

case $purpose in
start | test | packages) install_debian_packages ;;
esac
[ "$purpose" != packages ] || exit 0

# --- npm packages ----------------------------------------------------------------------------------
# Whether node_modules is what the lock file asks for, as after an `npm install` by hand.
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
# Digest of everything that tsc and vite read. It does not need git: the checkout may be a tarball.
sources_digest() {
	find package-lock.json package.json tsconfig.json tsconfig.base.json apps infra test \
		\( -name node_modules -o -name dist -o -name .vite -o -name coverage \) -prune -o \
		-type f \( -name '*.ts' -o -name '*.tsx' -o -name '*.css' -o -name '*.html' -o -name '*.svg' -o -name '*.json' -o -name '*.yaml' \) -print |
		LC_ALL=C sort | tr '\n' '\000' | xargs -0 sha256sum | sha256sum | cut -c1-64
}

if [ "$build" = all ]; then
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
elif [ "$build" = types ]; then
	# The compiler finds out itself what changed, in a second.
	step "compile"
	npm run --silent build:types >&2 || die 2 "the compiler found errors" "see its messages above"
	finish
fi

# Release the lock: COMMAND may run for days.
exec 9<&-
[ $# -gt 0 ] || exit 0
[ "$purpose" = unit ] || exec "$@"

status=0
"$@" || status=$?
if [ "$status" -ne 0 ]; then
	if command -v dpkg-query >/dev/null; then
		missing=$(missing_packages)
		[ -z "$missing" ] || printf '\n%s\n  %s\n' "These Debian packages are missing; tests that use them fail. To install them:" \
			"sudo apt-get update && sudo apt-get install --no-install-recommends ${missing% }" >&2
	else
		printf '\n%s\n  %s\n' "This is not a Debian system; a test fails when a program of one of these Debian packages is missing:" \
			"$(wanted_packages | tr '\n' ' ')" >&2
	fi
fi
exit "$status"
