import { createHash } from 'node:crypto';
import { cpSync, chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SCRIPTS = fileURLToPath(new URL('../../../../kernel/scripts', import.meta.url));

/** A source "tree" of a few files with the make targets of a kernel, so that the real scripts build it in a second. */
const MAKEFILE = `VERSION = 7
PATCHLEVEL = 3
SUBLEVEL = 99
EXTRAVERSION =
release := $(or $(shell cat include/config/kernel.release 2>/dev/null),7.3.99$(LOCALVERSION))
modules_at = $(INSTALL_MOD_PATH)/lib/modules/$(release)
ifneq ($(M),)
modules:
	@cd $(M) && for source in *.c; do \\
		name=$\${source%.c}; [ $$name != peerlab ] || name=peerlab_provider; $(CC) -c -o $$name.ko $$source || exit 2; \\
	done
installed_at = $(modules_at)/$(or $(INSTALL_MOD_DIR),updates)
modules_install:
	@mkdir -p $(installed_at) && cp $(M)/*.ko $(installed_at)/
else
tinyconfig:
	@: >.config
localmodconfig:
	@sed -i '/=m$$/d' $(O)/.config
olddefconfig modules:
	@:
headers:
	@mkdir -p usr/include
-include mm/Makefile
vmlinux: mm/hmm.o init/main.o
	@$(CC) -nostdlib -static -Wl,--build-id=sha1 -Wl,-e,0 -Wl,--unresolved-symbols=ignore-all -o $@ $^ && : >System.map
%.o: %.c include/linux/memremap.h
	@echo "  CC      $@"
	@$(CC) -O2 -Iinclude $(if $(GCOV_PROFILE_$(@F)),-fprofile-arcs -ftest-coverage) -c -o $@ $<
bzImage: vmlinux
	@mkdir -p arch/x86/boot && cp vmlinux arch/x86/boot/bzImage
kernelrelease:
	@echo $(release)
run-command:
	@LOCALVERSION=$(LOCALVERSION) $(KBUILD_RUN_COMMAND)
modules_install:
	@mkdir -p $(modules_at)/kernel && cp mm/hmm.o $(modules_at)/kernel/hmm.ko
endif
`;

const DEVEL_LIST = 'scripts/package/install-extmod-build';

const TREE: Readonly<Record<string, string>> = {
  Makefile: MAKEFILE,
  Kbuild: '',
  Kconfig: 'config PCI_P2PDMA\n\tbool\n\nconfig HSA_AMD_P2P\n\tbool\n',
  'scripts/kconfig/merge_config.sh': '#!/bin/sh\nshift 3\nshift\ncat "$@" >>.config\n',
  // As the kernel's: what it takes to build a module, and which kernel it is for.
  [DEVEL_LIST]:
    '#!/bin/sh\nmkdir -p "$1/include/config" && cp Makefile "$1/" && echo "7.3.99$LOCALVERSION" >"$1/include/config/kernel.release"\n',
  'scripts/diffconfig': '#!/bin/sh\necho " MODULE_SIG y -> n"\necho "+TOY y"\n',
  'init/main.c': 'int start;\n',
  'mm/Makefile': '# as the kernel has one\n',
  'mm/hmm.c': '#include <linux/memremap.h>\nint hmm(void)\n{\n\treturn PAGES + 1;\n}\n',
  'include/linux/memremap.h': '#define PAGES 1\n',
  'tools/testing/selftests/Makefile': `install:
	@[ ! -f $(TARGETS)/broken.c ] || $(CC) -c -o /dev/null $(TARGETS)/broken.c
	@mkdir -p $(INSTALL_PATH)/$(TARGETS) && cp $(TARGETS)/test.sh $(INSTALL_PATH)/$(TARGETS)/
	@echo '#!/bin/sh' >$(INSTALL_PATH)/run_kselftest.sh
`,
  'tools/testing/selftests/toy/Makefile': '',
  'tools/testing/selftests/toy/test.sh': 'echo ok 1 toy\n',
  'tools/testing/selftests/broken/Makefile': '',
  'tools/testing/selftests/broken/broken.c': '#include <no/such.h>\n',
};

const SUITES = `{"suites": [{"name": "p2p-functional", "about": "", "kind": "functional", "default": true,
  "program": "p2p_functional", "options": [], "seconds": 600, "testSeconds": 60}]}
`;

const KERNEL: Readonly<Record<string, string>> = {
  'base.json': '{\n  "package": "toy-source"\n}\n',
  'config/peerlab.config': 'CONFIG_TOY=y\n',
  'config/farm.fragment': 'CONFIG_TOY=y\n',
  'config/coverage.config': 'CONFIG_GCOV_KERNEL=y\n',
  'module/Kbuild': '',
  'module/Makefile': '',
  'module/peerlab.c': 'int provider;\n',
  'module/peerlab.h': '',
  'mutants/none.patch': '',
  'patches/README': '',
  'selftests/suites.json': SUITES,
  'selftests/Makefile': 'all:\n\t$(CC) -o $(OUT)/p2p_functional test.c\n',
  'selftests/test.c': 'int main(void)\n{\n\treturn 0;\n}\n',
  'selftests/upstream/Makefile': 'all:\n',
  'selftests/upstream/test.c': '',
  'selftests/upstream/baseline/none.txt': '',
};

function writeTree(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    if (name.endsWith('.sh') || text.startsWith('#!')) chmodSync(path, 0o755);
  }
}

/**
 * A kernel/ folder with the farm's real scripts around the toy, and the toy's source where `fetch-base.sh`
 * finds it without asking a mirror.
 */
export function makeToyKernel(folder: string): { kernelDir: string; cacheDir: string } {
  const [kernelDir, cacheDir] = [join(folder, 'kernel'), join(folder, 'cache')];
  writeTree(kernelDir, KERNEL);
  cpSync(SCRIPTS, join(kernelDir, 'scripts'), { recursive: true });
  writeBase(cacheDir, 'toy-source', '7.3.99', TREE);
  return { kernelDir, cacheDir };
}

/** Puts a source where `fetch-base.sh` finds it. */
function writeBase(cacheDir: string, name: string, version: string, tree: Readonly<Record<string, string>>): void {
  const key = createHash('sha256').update(JSON.stringify(tree)).digest('hex');
  const kernel = join(cacheDir, 'builder', 'kernel');
  const base = join(kernel, `base-${key}`);
  writeTree(join(base, 'tree'), tree);
  writeFileSync(join(base, 'version'), `${version}\n`);
  writeFileSync(join(base, 'source.sha256'), `${key}\n`);
  writeFileSync(join(kernel, `${name}.latest`), `${key}\n`);
}

/**
 * Gives a kernel/ folder of the toy another base.
 * @param code what its one C file is there
 */
export function addToyBase(
  { kernelDir, cacheDir }: { kernelDir: string; cacheDir: string },
  name: string,
  version: string,
  code: string,
): void {
  const others = { [name]: { package: `toy-${name}` } };
  writeFileSync(join(kernelDir, 'base.json'), JSON.stringify({ package: 'toy-source', others }));
  writeBase(cacheDir, `toy-${name}`, version, { ...TREE, 'mm/hmm.c': code });
}

/** Writes the source of the toy, as a checkout of somebody's repository has it. */
export const writeToySource = (folder: string): void => writeTree(folder, TREE);

/** A mail that changes a file of the toy from `before` to `after`, both whole; null: there is none. */
export function toyPatch(subject: string, file: string, before: string | null, after: string | null): string {
  const lines = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));
  const [old, now] = [lines(before ?? ''), lines(after ?? '')];
  const range = (count: number): string => (count === 0 ? '0,0' : `1,${count}`);
  return [
    'From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001',
    'From: A <a@example.org>',
    'Date: Sun, 22 Nov 2026 08:00:00 +0000',
    `Subject: [PATCH] ${subject}`,
    '',
    'Why.',
    '---',
    ...(before === null ? [`diff --git a/${file} b/${file}`, 'new file mode 100644'] : []),
    ...(after === null ? [`diff --git a/${file} b/${file}`, 'deleted file mode 100755'] : []),
    before === null ? '--- /dev/null' : `--- a/${file}`,
    after === null ? '+++ /dev/null' : `+++ b/${file}`,
    `@@ -${range(old.length)} +${range(now.length)} @@`,
    ...old.map((line) => `-${line}`),
    ...now.map((line) => `+${line}`),
    '-- ',
    '2.39',
    '',
    '',
  ].join('\n');
}

/** A patch that puts make syntax in front of the toy's Makefile: it runs at every call of make. */
export const toyMakefilePatch = (subject: string, text: string): string =>
  toyPatch(subject, 'Makefile', MAKEFILE, `${text}\n${MAKEFILE}`);

/** A patch that removes the list of what drivers from outside of the tree need. */
export const toyWithoutDevelPatch = (subject: string): string =>
  toyPatch(subject, DEVEL_LIST, TREE[DEVEL_LIST] ?? '', null);

/** A patch that makes this of the toy's one C file. */
export const toyCodePatch = (subject: string, code: string): string =>
  toyPatch(subject, 'mm/hmm.c', TREE['mm/hmm.c'] ?? '', `#include <linux/memremap.h>\n${code}`);

/** A patch that gives the toy's one C file a branch. */
export const toyBranchPatch = (subject: string, condition: string): string =>
  toyCodePatch(subject, `int hmm(int x)\n{\n\tif (${condition})\n\t\treturn -22;\n\treturn PAGES + 1;\n}\n`);

/** A patch of an innocent series. */
export const toySourcePatch = (subject: string, pages: number): string =>
  toyPatch(subject, 'include/linux/memremap.h', TREE['include/linux/memremap.h'] ?? '', `#define PAGES ${pages}\n`);
