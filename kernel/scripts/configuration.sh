# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What build-bundle.sh and machine-config.sh take of a configuration, and its digest:
# two machines whose kernels need equal settings share a build.
# apps/agent/src/catalogue/settings-digest.ts has the same rule.  Sourced, not run.

# Debian's configuration has 260 KB.
# shellcheck disable=SC2034 # of those that source this
CONFIG_MAX_BYTES=2097152

# plain_settings <CONFIGURATION -- its settings, without comments.  It may come from
# anybody, and make would run $(...) of a text: where a line is no setting of a plain
# value, its number goes to stderr and the status is 1.  Left out are settings that
# name files, which are where it was made, and what tells two releases of a
# distribution's kernel apart; farm.fragment has those anew.
plain_settings() {
	perl -ne '
		next if /^\s*$/ || /^#(?! CONFIG_\w+ is not set$)/;
		next if /^CONFIG_(?:INITRAMFS_SOURCE|EXTRA_FIRMWARE|EXTRA_FIRMWARE_DIR|SYSTEM_TRUSTED_KEYS|SYSTEM_REVOCATION_KEYS|SYSTEM_BLACKLIST_HASH_LIST|MODULE_SIG_KEY|BOOT_CONFIG_EMBED|BOOT_CONFIG_EMBED_FILE|ACPI_CUSTOM_DSDT_FILE|EFI_SBAT_FILE)=/;
		/^(?:# CONFIG_\w{1,100} is not set|CONFIG_\w{1,100}=(?:[ymn]|-?\d{1,20}|0x[0-9a-fA-F]{1,16}|"[\w .,:;\/+=@()*%!?~<>|&^\[\]{}-]{0,1000}"))$/a or
			do { print STDERR "$.\n"; exit 1 };
		next if /^CONFIG_(?:LOCALVERSION|BUILD_SALT)=/;
		print'
}

# settings_of FILE -- what it sets, in its order: without empty lines and comments, but
# for lines that begin with "# CONFIG_", which say what is not set.
settings_of() {
	LC_ALL=C sed -e '/^# CONFIG_/b' -e '/^#/d' -e '/^[ \t\r]*$/d' "$1"
}

# settings_digest WHOLE FRAGMENT... -- one digest over the settings of these files in
# their order, whatever they are called.  WHOLE may be empty.
settings_digest() {
	local part=whole file
	for file in "$@"; do
		[ -z "$file" ] || printf '%s %s\n' "$part" "$(settings_of "$file" | sha256sum | cut -d' ' -f1)"
		part=fragment
	done | sha256sum | cut -d' ' -f1
}

# name_in_manifest CONFIG WHOLE FRAGMENT... -- what the manifest calls a configuration.
# A whole one may have been made for any of several machines, and a bundle says the same
# whichever was asked for first: its name follows from its settings.
name_in_manifest() {
	local digest
	[ -n "$2" ] || { printf '%s\n' "$1"; return; }
	digest=$(settings_digest "${@:2}") && printf 'whole-%s\n' "${digest:0:16}"
}
