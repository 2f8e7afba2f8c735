#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests of how the lab's out-of-tree drivers are built with a kernel, on a toy "kernel"
# whose modules are copies of their source: KTAP on stdout, seconds.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=ktap.sh
. "$here/ktap.sh"
# shellcheck source=report.sh
. "$here/report.sh"
# shellcheck source=suites.sh
. "$here/suites.sh"
# shellcheck source=drivers.sh
. "$here/drivers.sh"

# What build-bundle.sh has set when it builds drivers.
# shellcheck disable=SC2034 # read by drivers.sh
tree=$work/linux compiler=gcc make_args=(-C "$work/linux")
blame_builder() { :; }
progress() { :; }

mkdir -p "$tree"
# As the kernel's: what was built is listed in modules.order, and goes where it is told.
cat >"$tree/Makefile" <<'MAKE'
modules:
	@cd $(M) && : >modules.order && for source in *.c; do \
		if grep -q 'no_such_function' $$source; then \
			echo "$(M)/$$source:7:9: error: implicit declaration of function 'no_such_function'"; exit 2; \
		fi; cp $$source $${source%.c}.ko; echo $${source%.c}.ko >>modules.order; \
	done
modules_install:
	@mkdir -p $(INSTALL_MOD_PATH)/lib/modules/7.3.99/$(INSTALL_MOD_DIR)
	@cd $(M) && cp $$(cat modules.order) $(INSTALL_MOD_PATH)/lib/modules/7.3.99/$(INSTALL_MOD_DIR)/
MAKE

# driver NAME JSON [FILE...] -- a driver whose modules come from FILE...
driver() {
	local name=$1 json=$2 file
	shift 2
	mkdir -p "$work/drivers/$name"
	printf '%s' "$json" >"$work/drivers/$name/driver.json"
	for file in "$@"; do
		mkdir -p "$work/drivers/$name/$(dirname "$file")"
		echo 'int x;' >"$work/drivers/$name/$file"
	done
}
# fresh -- no driver, and a kernel that has one module of its own.
fresh() {
	rm -rf "$work/drivers" "$work/stage"
	mkdir -p "$work/drivers" "$work/stage/lib/modules/7.3.99/kernel/drivers"
	touch "$work/stage/lib/modules/7.3.99/kernel/drivers/own-one.ko"
}
build() { build_drivers "$work/drivers" "$work/stage" 7.3.99 "$work/driver.log" 2>"$work/said"; }
installed() { (cd "$work/stage/lib/modules/7.3.99" && find . -path '*/updates/*' -type f | sort | paste -sd' '); }

fresh
build
[ -z "$built_drivers$unbuilt_drivers" ]; result drivers.none_of_none $?

driver toy-gpu '{"version":"570.1-rc2","modules":["toy","toy-uvm"]}' toy.c toy-uvm.c
build
[ "$built_drivers" = '{"name":"toy-gpu","version":"570.1-rc2","modules":["toy","toy-uvm"]}' ] && [ -z "$unbuilt_drivers" ]
result drivers.are_named_with_version_and_modules $? "$built_drivers $unbuilt_drivers $(cat "$work/driver.log")"
[ "$(installed)" = './updates/peerlab/toy-gpu/toy-uvm.ko ./updates/peerlab/toy-gpu/toy.ko' ]
result drivers.go_below_updates $? "$(installed)"

driver below '{"version":"1","modules":["low"],"folder":"src/module"}' src/module/low.c
# shellcheck disable=SC2016 # for the shell that runs it
echo '[ -d "$KERNEL_SOURCE" ] && [ "$KERNEL_RELEASE" = 7.3.99 ] && cp src/module/low.c src/module/low.ko && echo low.ko >src/module/modules.order' >"$work/drivers/below/build.sh"
build
[[ $built_drivers == '{"name":"below"'* && $(installed) == './updates/peerlab/below/low.ko '* ]]
result drivers.have_a_build_of_their_own $? "$built_drivers $unbuilt_drivers"

fresh
driver broken '{"version":"2","modules":["bad"]}'
echo 'no_such_function();' >"$work/drivers/broken/bad.c"
driver sound '{"version":"3","modules":["sound"]}' sound.c
build
[[ $built_drivers == '{"name":"sound"'* ]]; result drivers.one_that_does_not_build_stops_no_other $? "$built_drivers"
contains drivers.one_that_does_not_build_has_its_first_error "$unbuilt_drivers" '"name":"broken","version":"2","error":"bad.c:7: ' 'no_such_function'
[ "$(installed)" = './updates/peerlab/sound/sound.ko' ]; result drivers.one_that_does_not_build_leaves_nothing $? "$(installed)"

fresh
driver shadow '{"version":"1","modules":["own_one"]}' own_one.c
build
contains drivers.none_replaces_a_module_of_the_kernel "$unbuilt_drivers" "the module own_one is one of the kernel's own"
[ -z "$built_drivers$(installed)" ]; result drivers.one_that_would_leaves_nothing $? "$built_drivers $(installed)"

fresh
driver other '{"version":"1","modules":["missing"]}' there.c
build
contains drivers.every_named_module_is_built "$unbuilt_drivers" 'the module missing of its driver.json was not built'

# refused NAME JSON WORD -- a recipe that is not taken, with what is wrong with it.
refused() {
	fresh
	driver wrong "$2" x.c
	build
	contains "recipe.$1" "$unbuilt_drivers" '"name":"wrong"' "$3"
}
refused no_json 'nothing' 'it is no JSON object'
refused a_list '[]' 'it is no JSON object'
refused no_version '{"modules":["x"]}' 'version: expected'
refused a_version_with_quotes '{"version":"1\"","modules":["x"]}' 'version: expected'
refused no_modules '{"version":"1","modules":[]}' 'modules: expected'
refused a_module_with_a_path '{"version":"1","modules":["../x"]}' 'modules: expected'
refused a_folder_outside '{"version":"1","modules":["x"],"folder":"a/../../b"}' 'folder: expected'
refused an_absolute_folder '{"version":"1","modules":["x"],"folder":"/etc"}' 'folder: expected'

fresh
mkdir -p "$work/drivers/Bad Name"
echo '{"version":"1","modules":["x"]}' >"$work/drivers/Bad Name/driver.json"
text=$(driver_names "$work/drivers" 2>&1 >"$work/names")
[ ! -s "$work/names" ] && [[ $text == *"'Bad Name' is left out"* ]]; result drivers.a_folder_with_another_name_is_said_to_be_none $? "$text"

ktap_end
