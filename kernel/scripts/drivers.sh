# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # tree, compiler and make_args are of build-bundle.sh
# Builds the lab's out-of-tree drivers with a kernel.  Sourced by build-bundle.sh.
#
# A driver is a folder of kernel/drivers: its source, and driver.json with "version",
# "modules" (the names of those that a machine loads, in that order) and, where the
# modules are not built at its top, "folder".  With a build.sh it is built by that:
# in its own folder, with KERNEL_SOURCE, KERNEL_RELEASE and CC set, so that
# "make modules_install" of the kernel finds what was built in "folder".  One that
# does not build is left out, and the manifest says why: it is no fault of the kernel.

# driver_recipe FILE -- version, folder and modules of a driver.json, with tabs
# between; what is wrong with it and status 1 otherwise.
driver_recipe() {
	perl -MJSON::PP -0777 -e '
		my $recipe = eval { JSON::PP->new->decode(<STDIN>) };
		my $wrong = sub { print "driver.json: $_[0]\n"; exit 1 };
		$wrong->("it is no JSON object") if ref $recipe ne "HASH";
		my ($version, $folder, $modules) = @$recipe{qw(version folder modules)};
		$folder //= ".";
		$wrong->("version: expected up to 64 letters, digits and . _ + -")
			unless defined $version && !ref $version && $version =~ /\A[A-Za-z0-9._+-]{1,64}\z/;
		$wrong->("folder: expected a path inside of the driver")
			unless !ref $folder && $folder =~ m{\A[A-Za-z0-9._/-]{1,200}\z} && $folder !~ m{\A/|(?:\A|/)\.\.(?:/|\z)};
		$wrong->("modules: expected one to sixteen names")
			unless ref $modules eq "ARRAY" && @$modules >= 1 && @$modules <= 16 &&
				!grep { ref || !/\A[a-z0-9][a-z0-9_-]{0,55}\z/ } @$modules;
		print join("\t", $version, $folder, "@$modules"), "\n";' <"$1"
}

# driver_names DIRECTORY -- the drivers there, one a line.  A folder that cannot be named
# in a config is said and left out.
driver_names() {
	local file name
	for file in "$1"/*/driver.json; do
		[ -f "$file" ] || continue
		name=$(basename "$(dirname "$file")")
		if [[ $name =~ ^[a-z0-9][a-z0-9-]{0,39}$ ]]; then
			echo "$name"
		else
			echo "the driver ${name@Q} is left out: expected up to 40 small letters, digits and - as the name of its folder" >&2
		fi
	done
}

# own_modules STAGE RELEASE -- the names of the kernel's own modules, as the kernel
# writes them, sorted.
own_modules() {
	{ find "$1/lib/modules/$2/kernel" -name '*.ko*' -printf '%f\n' 2>/dev/null || true; } | sed 's/\.ko.*//; y/-/_/' | sort -u
}

# build_driver FOLDER PATH STAGE RELEASE MODULE... -- builds what lies in FOLDER, its
# modules in PATH of it, and installs them below updates/peerlab of STAGE.  Status 1
# and the reason in the output when that fails; STAGE is then as before.
build_driver() {
	local from=$1 at=$1/$2 stage=$3 release=$4 name made module
	shift 4
	name=$(basename "$from")
	made=$stage/lib/modules/$release/updates/peerlab/$name
	if [ -f "$from/build.sh" ]; then
		(cd "$from" && KERNEL_SOURCE=$tree KERNEL_RELEASE=$release CC=$compiler nice bash ./build.sh) </dev/null || return 1
	else
		nice make "${make_args[@]}" -j"$(nproc)" M="$at" modules </dev/null || return 1
	fi
	nice make "${make_args[@]}" M="$at" INSTALL_MOD_DIR="updates/peerlab/$name" INSTALL_MOD_PATH="$stage" \
		INSTALL_MOD_STRIP=1 DEPMOD=true modules_install </dev/null || { rm -rf "$made"; return 1; }
	for module in "$@"; do
		find "$made" -name '*.ko*' -printf '%f\n' 2>/dev/null | sed 's/\.ko.*//; y/-/_/' | grep -qxF "${module//-/_}" || {
			rm -rf "$made"
			echo "the module $module of its driver.json was not built"
			return 1
		}
	done
	# In updates/ it would go before the kernel's own, which is what is tested.
	module=$(comm -12 <(find "$made" -name '*.ko*' -printf '%f\n' | sed 's/\.ko.*//; y/-/_/' | sort -u) <(own_modules "$stage" "$release") | sed -n 1p)
	[ -z "$module" ] || {
		rm -rf "$made"
		echo "the module $module is one of the kernel's own"
		return 1
	}
}

# build_drivers FOLDER STAGE RELEASE LOG -- every driver of FOLDER.  Leaves entries of
# the manifest, with commas between, in built_drivers and unbuilt_drivers.
build_drivers() {
	local name recipe version='' folder='' modules='' why
	built_drivers='' unbuilt_drivers=''
	for name in $(driver_names "$1"); do
		progress 91 "building the driver $name"
		version='' modules=''
		if recipe=$(driver_recipe "$1/$name/driver.json"); then
			IFS=$'\t' read -r version folder modules <<<"$recipe"
			# shellcheck disable=SC2086 # names without blanks
			if build_driver "$1/$name" "$folder" "$2" "$3" $modules >"$4" 2>&1; then
				built_drivers+="${built_drivers:+,}{\"name\":\"$name\",\"version\":\"$version\",\"modules\":[\"${modules// /\",\"}\"]}"
				continue
			fi
			tail -n 40 "$4" >&2
			blame_builder "$4"
			why=$(why_not_built "$4" "$1/$name")
		else
			why=$recipe
		fi
		why=${why//"$1/$name/"/}
		echo "the driver $name does not build, and is left out: $why" >&2
		unbuilt_drivers+="${unbuilt_drivers:+,}{\"name\":\"$name\",\"version\":\"$version\",\"error\":$(json_string "${why:0:400}")}"
	done
}
