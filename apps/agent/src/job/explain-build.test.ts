import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const script = (name: string): string => fileURLToPath(new URL(`../../../../kernel/scripts/${name}`, import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'explain-'));
  for (const file of ['mm/hmm.c', 'mm/memremap.c', 'drivers/p/p.c', 'arch/x86/lib/copy.S']) {
    mkdirSync(join(folder, file, '..'), { recursive: true });
    writeFileSync(join(folder, file), '');
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function explain(log: string): { class: string; where: string; detail: string; said: string } {
  const file = join(folder, 'make.log');
  writeFileSync(file, log.replaceAll('$TREE', folder));
  const [kind = '', path = '', line = '', detail = '', said = ''] = execFileSync(
    script('explain-build.pl'),
    [file, folder],
    {
      encoding: 'utf8',
    },
  )
    .replace(/\n$/, '')
    .split('\x1f');
  return { class: kind, where: line === '' ? path : `${path}:${line}`, detail, said };
}

/** In the words of gcc 12, ld 2.40, and of modpost, objtool and Kconfig of Linux 7.3. */
const FAILURES: readonly [name: string, log: string, where: string, detail: string][] = [
  [
    'gcc, after a warning',
    'drivers/p/p.c:3:5: warning: unused variable ‘a’ [-Wunused-variable]\nmm/hmm.c:12:9: error: ‘x’ undeclared (first use in this function)\nmm/hmm.c:12:9: note: each\nmake[3]: *** [scripts/Makefile.build:287: mm/hmm.o] Error 1\n',
    'mm/hmm.c:12',
    '‘x’ undeclared (first use in this function)',
  ],
  ['gcc, with the path of the tree', '$TREE/mm/hmm.c:7:1: error: expected ‘;’\n', 'mm/hmm.c:7', 'expected ‘;’'],
  [
    'a header that is not there',
    './include/linux/x.h:1:10: fatal error: linux/none.h: No such file or directory\ncompilation terminated.\n',
    'include/linux/x.h:1',
    'linux/none.h: No such file or directory',
  ],
  [
    'a warning that is an error',
    'mm/hmm.c:5:3: error: unused variable ‘x’ [-Werror=unused-variable]\ncc1: all warnings being treated as errors\n',
    'mm/hmm.c:5',
    'unused variable ‘x’ [-Werror=unused-variable]',
  ],
  [
    'the linker, after a warning',
    "mm/hmm.c:3:5: warning: ‘f’ defined but not used [-Wunused-function]\nld: mm/hmm.o: in function `hmm_range_fault':\nhmm.c:(.text+0x1f): undefined reference to `no_such_thing'\nmake[1]: *** [vmlinux] Error 1\n",
    'mm/hmm.c',
    "undefined reference to `no_such_thing'",
  ],
  [
    'the linker on vmlinux.o',
    "ld: vmlinux.o: in function `hmm_range_fault':\nmm/hmm.c:77:(.text+0x1f): undefined reference to `no_such_thing'\n",
    'mm/hmm.c:77',
    "undefined reference to `no_such_thing'",
  ],
  [
    'what is defined twice',
    "ld: mm/memremap.o: in function `twice':\nmemremap.c:(.text+0x0): multiple definition of `twice'; mm/hmm.o:hmm.c:(.text+0x0): first defined here\n",
    'mm/memremap.c',
    "multiple definition of `twice'; mm/hmm.o:hmm.c:(.text+0x0): first defined here",
  ],
  [
    'modpost, after a warning',
    'WARNING: modpost: missing MODULE_DESCRIPTION() in drivers/p/p.o\nERROR: modpost: "no_such_thing" [drivers/p/p.ko] undefined!\nmake[2]: *** [scripts/Makefile.modpost:147: Module.symvers] Error 1\n',
    'drivers/p/p.ko',
    'modpost: "no_such_thing" is undefined',
  ],
  [
    'a module without a licence',
    'ERROR: modpost: missing MODULE_LICENSE() in drivers/p/p.o\n',
    'drivers/p/p.c',
    'modpost: missing MODULE_LICENSE()',
  ],
  [
    'objtool, after its warning',
    'mm/memremap.o: warning: objtool: f+0x1: unreachable instruction\nmm/hmm.o: error: objtool: hmm_range_fault+0x3: return with modified stack frame\n',
    'mm/hmm.c',
    'objtool: hmm_range_fault+0x3: return with modified stack frame',
  ],
  [
    'the assembler',
    "arch/x86/lib/copy.S: Assembler messages:\narch/x86/lib/copy.S:12: Error: no such instruction: `movx %rax'\n",
    'arch/x86/lib/copy.S:12',
    "no such instruction: `movx %rax'",
  ],
  ['Kconfig', 'mm/Kconfig:12: syntax error\nmm/Kconfig:11: invalid statement\n', 'mm/Kconfig:12', 'syntax error'],
  [
    'a file that Kconfig names',
    'drivers/Kconfig:3: can\'t open file "drivers/none/Kconfig"\n',
    'drivers/Kconfig:3',
    'can\'t open file "drivers/none/Kconfig"',
  ],
  [
    'a configuration that is not there',
    '***\n*** Can\'t find default configuration "arch/x86/configs/none_defconfig"!\n***\nmake[1]: *** [scripts/kconfig/Makefile:94: none_defconfig] Error 1\n',
    '',
    'Can\'t find default configuration "arch/x86/configs/none_defconfig"!',
  ],
  [
    'a Makefile',
    'mm/Makefile:4: *** missing separator.  Stop.\nmake: *** [Makefile:9: mm] Error 2\n',
    'mm/Makefile:4',
    'missing separator.',
  ],
  [
    'a rule that is not there',
    "make[3]: *** No rule to make target 'mm/none.o', needed by 'mm/built-in.a'.  Stop.\nmake: *** [mm] Error 2\n",
    '',
    "No rule to make target 'mm/none.o', needed by 'mm/built-in.a'",
  ],
  [
    'a program of the tree that says nothing',
    '  GEN     x\nmake[2]: *** [mm/Makefile:4: mm/hmm.o] Error 3\nmake: *** [Makefile:2007: .] Error 2\n',
    'mm/hmm.c',
    'mm/hmm.o: Error 3',
  ],
];

describe('why a kernel did not build is the first error of its log', () => {
  it.each(FAILURES)('%s', (_, log, where, detail) => {
    expect(explain(`  CC      mm/gup.o\n${log}`)).toMatchObject({ class: 'compile', where, detail });
  });

  it('a tool that the builder lacks is the lab’s trouble', () => {
    for (const line of [
      '/bin/sh: 1: flex: not found',
      '/bin/sh: line 1: bc: command not found',
      'make[1]: bison: No such file or directory',
    ])
      expect(explain(`${line}\nmake: *** [x] Error 127\n`)).toMatchObject({
        class: 'infrastructure',
        detail: expect.stringMatching(/^the command '(?:flex|bc|bison)' is missing$/),
      });
  });

  it('also in what gcc and ld of this machine say', () => {
    const make = (source: string, command: string): string => {
      writeFileSync(join(folder, 'mm/hmm.c'), source);
      const run = spawnSync('sh', ['-c', command], {
        cwd: folder,
        encoding: 'utf8',
        env: { ...process.env, LC_ALL: 'C' },
      });
      expect(run.status).not.toBe(0);
      return run.stderr;
    };
    const warned = 'static int unused;\nint f(void)\n{\n\treturn g();\n}\n';
    const compile = 'gcc -Wall -c -o mm/hmm.o mm/hmm.c';
    expect(explain(make(`${warned}int h(void) { return x; }\n`, compile))).toMatchObject({
      where: 'mm/hmm.c:6',
      detail: expect.stringMatching(/^'x' undeclared/),
    });
    const link = `${compile} -Wno-implicit-function-declaration && ld -o vmlinux mm/hmm.o -e f`;
    expect(explain(make(`int g(void);\n${warned}`, link))).toMatchObject({
      where: 'mm/hmm.c',
      detail: expect.stringMatching(/^undefined reference to [`']g'$/),
    });
    writeFileSync(join(folder, 'mm/hmm.c'), '');
  });

  it('names the line of the log, so that it can be shown there', () => {
    expect(explain('a\nmm/hmm.c:12:9: error: no\n').said).toBe('mm/hmm.c:12:9: error: no');
  });
});

it('every setting that did not survive is named, with the reason', () => {
  const fragment = join(folder, 'fragment.config');
  writeFileSync(
    join(folder, 'mm/Kconfig'),
    'config HMM\n\tbool\nmenuconfig DEEP\n\tbool\nconfig KEPT\n\tbool\n\tselect HMM\n',
  );
  writeFileSync(
    join(folder, '.config'),
    'CONFIG_KEPT=y\nCONFIG_HMM=y\n# CONFIG_DEEP is not set\nCONFIG_SIZE=4\nCONFIG_WORD="a b"\n',
  );
  writeFileSync(
    fragment,
    '# why\nCONFIG_KEPT=y\nCONFIG_NONE=y\nCONFIG_DEEP=m\n# CONFIG_HMM is not set\nCONFIG_SIZE=8\nCONFIG_WORD="a b"\nCONFIG_GONE=n\n',
  );
  const lost = execFileSync(script('lost-settings.pl'), [folder, fragment], { encoding: 'utf8' });
  expect(
    lost
      .trim()
      .split('\n')
      .map((line) => line.split('\t').slice(1).join(': ')),
  ).toEqual([
    'CONFIG_NONE=y: this source has no such option',
    'CONFIG_DEEP=m: something that it depends on is not set',
    'CONFIG_HMM=n: another option selects it, it is y',
    'CONFIG_SIZE=8: this source has no such option',
  ]);
});
