#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests of how the lab's out-of-tree drivers are built against the devel part of a
# bundle, on a toy "kernel" whose modules are copies of their source: KTAP on stdout, seconds.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=ktap.sh
. "$here/ktap.sh"

# The devel part of the toy.  As the kernel's: what was built is listed in modules.order,
# and goes where it is told.
mkdir -p "$work/devel/include/config" "$work/bundle" "$work/out" "$work/own/lib/modules/7.3.99/kernel/drivers"
echo kernel/drivers/pci/built-in-one.ko >"$work/own/lib/modules/7.3.99/modules.builtin"
echo 7.3.99 >"$work/devel/include/config/kernel.release"
cat >"$work/devel/Makefile" <<'MAKE'
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
tar -C "$work/devel" -czf "$work/bundle/devel.tar.gz" .
# The kernel has one module of its own.
touch "$work/own/lib/modules/7.3.99/kernel/drivers/own-one.ko"
tar -C "$work/own" -cf "$work/bundle/modules.tar" lib

# driver NAME JSON [FILE...] -- a driver whose modules come from FILE...
driver() {
	local name=$1 json=$2 file
	shift 2
	rm -rf "$work/drivers/${name:?}"
	mkdir -p "$work/drivers/$name"
	printf '%s' "$json" >"$work/drivers/$name/driver.json"
	for file in "$@"; do
		mkdir -p "$work/drivers/$name/$(dirname "$file")"
		echo 'int x;' >"$work/drivers/$name/$file"
	done
}
# build NAME -- its exit status in status, what it says in said, and its modules in built.
build() {
	rm -f "$work/out/driver.tar"
	said=$("$here/build-driver.sh" --bundle "$work/bundle" --driver "$work/drivers/$1" --out "$work/out" 2>"$work/log")
	status=$?
	built=$(tar -tf "$work/out/driver.tar" 2>/dev/null | grep '\.ko$' | sort | paste -sd' ')
}

driver toy-gpu '{"version":"570.1-rc2","modules":["toy","toy-uvm"]}' toy.c toy-uvm.c
before=$(find "$work/drivers" | sort)
build toy-gpu
[ $status -eq 0 ] && [ -z "$said" ]; result drivers.one_is_built $? "$said $(cat "$work/log")"
[ "$built" = 'lib/modules/7.3.99/updates/peerlab/toy-gpu/toy-uvm.ko lib/modules/7.3.99/updates/peerlab/toy-gpu/toy.ko' ]
result drivers.go_below_updates $? "$built"
[ "$(find "$work/drivers" | sort)" = "$before" ]; result drivers.their_source_stays_as_it_is $?
first=$(sha256sum <"$work/out/driver.tar")
build toy-gpu
[ "$first" = "$(sha256sum <"$work/out/driver.tar")" ]; result drivers.the_same_source_gives_the_same_archive $?

driver below '{"version":"1","modules":["low"],"folder":"src/module"}' src/module/low.c
# shellcheck disable=SC2016 # for the shell that runs it
echo '[ -f "$KERNEL_SOURCE/Makefile" ] && [ "$KERNEL_RELEASE" = 7.3.99 ] && [ "$CC" = gcc ] && cp src/module/low.c src/module/low.ko && echo low.ko >src/module/modules.order' >"$work/drivers/below/build.sh"
build below
[ "$built" = 'lib/modules/7.3.99/updates/peerlab/below/low.ko' ]; result drivers.have_a_build_of_their_own $? "$said $(cat "$work/log")"

driver broken '{"version":"2","modules":["bad"]}'
echo 'no_such_function();' >"$work/drivers/broken/bad.c"
build broken
[ $status -eq 11 ] && [ -z "$built" ]; result drivers.one_that_does_not_build_leaves_nothing $? "$status $built"
contains drivers.one_that_does_not_build_has_its_first_error "$said" '@error {"class":"compile","detail":"bad.c:7: ' 'no_such_function'

driver full '{"version":"2","modules":["full"]}' full.c
echo 'echo "ld: final link failed: No space left on device" >&2; exit 1' >"$work/drivers/full/build.sh"
build full
[ $status -eq 12 ] && [[ $said == *'"class":"infrastructure","detail":"the disk is full"'* ]]; result drivers.a_full_disk_is_no_fault_of_theirs $? "$status $said"

driver shadow '{"version":"1","modules":["own_one"]}' own_one.c
build shadow
[ $status -eq 11 ] && [[ $said == *"the module own_one is one of the kernel's own"* ]]; result drivers.none_replaces_a_module_of_the_kernel $? "$said"

driver shadow '{"version":"1","modules":["built_in_one"]}' built_in_one.c
build shadow
[ $status -eq 11 ] && [[ $said == *"the module built_in_one is one of the kernel's own"* ]]; result drivers.none_replaces_what_is_built_in $? "$said"

cp "$work/bundle/modules.tar" "$work/kept"
echo 'no archive' >"$work/bundle/modules.tar"
build toy-gpu
[ $status -eq 11 ] && [ -z "$built" ]; result drivers.need_the_list_of_modules $? "$status $said"
mv "$work/kept" "$work/bundle/modules.tar"

for tool in 'flexx -o x.c' 'sh -c flexx'; do
	driver tool '{"version":"1","modules":["tool"]}' tool.c
	echo "$tool" >"$work/drivers/tool/build.sh"
	build tool
	[ $status -eq 12 ] && [[ $said == *'"class":"infrastructure","detail":"the command '"'flexx'"' is missing"'* ]]
	result "drivers.a_missing_tool_is_no_fault_of_theirs.${tool%% *}" $? "$status $said"
done

# The compiler's own name for a file would tell the folder.
driver where '{"version":"1","modules":["where"]}' where.c
echo "printf '%s' \"\$KCFLAGS\" | sed 's/=.*=/=x=/' >where.ko && echo where.ko >modules.order" >"$work/drivers/where/build.sh"
build where
[ "$(tar -xOf "$work/out/driver.tar" lib/modules/7.3.99/updates/peerlab/where/where.ko)" = '-ffile-prefix-map=x=/peerlab' ]
result drivers.name_no_folder_of_the_build $? "$said"

driver other '{"version":"1","modules":["missing"]}' there.c
build other
[ $status -eq 11 ] && [[ $said == *'the module missing of its driver.json was not built'* ]]; result drivers.every_named_module_is_built $? "$said"

mv "$work/bundle/devel.tar.gz" "$work/kept"
build toy-gpu
[ $status -eq 11 ] && [[ $said == *'the bundle has no devel part'* ]]; result drivers.need_the_devel_part $? "$said"
mv "$work/kept" "$work/bundle/devel.tar.gz"

text=$("$here/build-driver.sh" --bundle "$work" --driver "$work" --out "$work" 2>&1)
[ $? -eq 2 ] && [[ $text == *'there is no modules.tar' ]]; result usage.a_bundle_has_modules $? "$text"

# -- what their driver.json says
recipes() { "$here/driver-recipes.pl" "$work/drivers"; }
rm -rf "$work/drivers"
mkdir "$work/drivers"
[ -z "$(recipes)" ]; result recipes.none_of_none $?
driver b '{"version":"2","modules":["b"],"folder":"src"}'
driver a '{"version":"570.1-rc2","modules":["a","a-uvm"]}'
[ "$(recipes)" = '{"folder":".","modules":["a","a-uvm"],"name":"a","version":"570.1-rc2"}
{"folder":"src","modules":["b"],"name":"b","version":"2"}' ]
result recipes.are_listed_by_name $? "$(recipes)"

# refused NAME JSON WORD -- a recipe that is not taken, with what is wrong with it.
refused() {
	driver wrong "$2" x.c
	build wrong
	[ $status -eq 11 ] && [[ $said == *"driver.json: $3"* ]]; result "recipe.$1" $? "$status $said"
	contains "recipe.$1.in_the_list" "$(recipes)" '"error":"driver.json: ' "$3" '"name":"wrong"'
}
refused no_json 'nothing' 'it is no JSON object'
refused a_list '[]' 'it is no JSON object'
refused no_version '{"modules":["x"]}' 'version: expected'
refused a_version_with_quotes '{"version":"1\"","modules":["x"]}' 'version: expected'
refused no_modules '{"version":"1","modules":[]}' 'modules: expected'
refused a_module_with_a_path '{"version":"1","modules":["../x"]}' 'modules: expected'
refused a_folder_outside '{"version":"1","modules":["x"],"folder":"a/../../b"}' 'folder: expected'
refused an_absolute_folder '{"version":"1","modules":["x"],"folder":"/etc"}' 'folder: expected'

refused a_module_that_is_null '{"version":"1","modules":[null]}' 'modules: expected'

mkdir "$work/drivers/empty"
contains recipes.a_folder_without_one_is_said "$(recipes)" '{"error":"driver.json: it cannot be read: No such file or directory","name":"empty"}'

mkdir -p "$work/drivers/Bad Name"
echo '{"version":"1","modules":["x"]}' >"$work/drivers/Bad Name/driver.json"
text=$(recipes 2>&1 >"$work/names")
! grep -q Bad "$work/names" && [[ $text == *"'Bad Name' is left out"* ]]; result recipes.a_folder_with_another_name_is_said_to_be_none $? "$text"

ktap_end
