import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import type { AttemptEvent } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { toyMakefilePatch, toyPatch, toySourcePatch } from '../fake/toy-kernel.js';
import { BUILDS_MS, sleepers, type ToyBuild, ToyBuilder } from '../testing/toy-builder.js';

/** Real builds in the sandbox. */
vi.setConfig({ testTimeout: BUILDS_MS, hookTimeout: BUILDS_MS });

/**
 * Series that do what a stranger would try. Each runs a script from the top Makefile, as `$(shell …)` does
 * at every call of make; what it finds out it prints into the build log, which is all that a build can say.
 */
let toy: ToyBuilder;
beforeEach(() => {
  toy = new ToyBuilder();
});
afterEach(() => toy.remove());

/** A series whose script runs once, before anything is compiled. */
function hostile(script: string): { mbox: string } {
  const text = `#!/bin/bash\n[ ! -e /tmp/.once ] || exit 0\n: >/tmp/.once\n${script}\n`;
  return {
    mbox:
      toyPatch('look around', 'scripts/look.sh', null, text) +
      toyMakefilePatch('call it', '_said := $(shell bash scripts/look.sh 2>&1 | sed "s/^/SAID /" >&2)'),
  };
}

/** What the script of a hostile series found out. */
const said = (build: ToyBuild): string =>
  build
    .log('build')
    .split('\n')
    .filter((line) => line.startsWith('SAID '))
    .map((line) => line.slice(5))
    .join('\n');
const failure = ({ events }: ToyBuild) => {
  const end = events.at(-1);
  return end?.type === 'finished' ? end.failure : null;
};
const bundleOf = ({ events }: ToyBuild): Extract<AttemptEvent, { type: 'built' }>['bundle'] => {
  const event = events.find((each) => each.type === 'built');
  if (event === undefined) throw new Error(`nothing was built: ${JSON.stringify(events.at(-1))}`);
  return event.bundle;
};

/** Names, kinds, contents and times of everything below a folder. */
function fingerprint(folder: string): string {
  const hash = createHash('sha256');
  const walk = (path: string): void => {
    for (const name of readdirSync(path).sort()) {
      // The agent's own, taken whenever it looks for a newer base.
      if (name === '.fetch.lock') continue;
      const entry = join(path, name);
      const found = lstatSync(entry);
      hash.update(`${entry} ${found.mode} `);
      if (found.isDirectory()) walk(entry);
      else if (found.isSymbolicLink()) hash.update(readlinkSync(entry));
      else hash.update(`${found.mtimeMs} `).update(readFileSync(entry));
    }
  };
  walk(folder);
  return hash.digest('hex');
}

describe('a hostile series', () => {
  it('reads no token, no key and no environment of the agent', async () => {
    const token = `secret-${process.pid}-${Date.now()}`;
    for (const name of ['agent.token', 'client_key']) writeFileSync(join(toy.folder, name), token, { mode: 0o644 });
    chmodSync(toy.folder, 0o755);
    process.env['PEERLAB_TEST_SECRET'] = token;
    try {
      const build = await toy.build([
        hostile(`id; env; cat /proc/*/environ /proc/*/cmdline | tr '\\0' ' '; cat ${toy.folder}/agent.token
ls -la / /root /home /tmp /var /run /etc /proc/1/root/ /proc/1/cwd/ /mnt /farm /series
cat /etc/passwd /etc/shadow /proc/1/mountinfo
find / -xdev \\( -name '*.token' -o -name '*_key' -o -name 'id_*' -o -name '*.sock' \\) -not -path '/usr/*' -not -path '/proc/*'
grep -rl ${token} / --exclude-dir=proc --exclude-dir=usr --exclude-dir=cache --exclude-dir=farm --exclude=look.sh | grep -v mbox`),
      ]);
      expect(failure(build)).toBeNull();
      const log = said(build);
      expect(log).toMatch(/^uid=1000 gid=1000/m);
      expect(log.replaceAll(/cat \S+agent\.token|grep -rl \S+/g, '')).not.toContain(token);
      expect(log).not.toMatch(/root:x:0|\.ssh|PEERLAB_TEST_SECRET|PATH=.*node_modules|(?:token|_key|\.sock)$/m);
      expect(log).toMatch(/cannot access '\/root'/);
      expect(log).toMatch(/cannot access '\/home'/);
    } finally {
      delete process.env['PEERLAB_TEST_SECRET'];
    }
  });

  it('reaches no network, no service of this machine and no other kind of socket', async () => {
    let connections = 0;
    const server: Server = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const local = createServer(() => {
      connections += 1;
    });
    const name = `\0peerlab-test-${process.pid}`;
    await new Promise<void>((resolve) => local.listen(name, resolve));
    try {
      const address = server.address();
      const port = typeof address === 'object' ? address?.port : 0;
      const build = await toy.build([
        hostile(`(exec 3<>/dev/tcp/127.0.0.1/${port}) && echo CONNECTED
perl -MSocket -e '
  for my $family (1, 2, 10, 16, 17, 38, 40) { print "family $family ", (socket(my $s, $family, 1, 0) ? "open" : "no $!"), "\\n" }
  socket(my $u, 1, 1, 0); print connect($u, pack("S a*", 1, "\\0peerlab-test-${process.pid}")) ? "CONNECTED\\n" : "no $!\\n"'
cat /proc/net/tcp /proc/net/unix /proc/net/route`),
      ]);
      expect(failure(build)).toBeNull();
      const log = said(build);
      // AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK.
      expect(log.match(/family \d+ no/g)).toHaveLength(7);
      expect(log).not.toMatch(/^CONNECTED$/m);
      expect(connections).toBe(0);
    } finally {
      server.close();
      local.close();
    }
  });

  it('gets no namespace, no mount, no capability and no other process', async () => {
    const build = await toy.build([
      hostile(`unshare -Ur true && echo NAMESPACE; unshare -m true && echo NAMESPACE
mount -t tmpfs none /tmp && echo MOUNTED; umount /usr && echo UNMOUNTED
grep -E '^(Cap(Eff|Bnd)|NoNewPrivs|Seccomp):' /proc/self/status
nsenter -t 1 -a true && echo ENTERED
perl -e 'syscall(319, "x", 0) >= 0 and print "MEMFD\\n"; syscall(321, 0, 0, 0) >= 0 and print "BPF\\n"; syscall(101, 16, 1, 0, 0) >= 0 and print "PTRACE\\n"'`),
    ]);
    const log = said(build);
    expect(log).toMatch(/CapEff:\s*0000000000000000/);
    expect(log).toMatch(/CapBnd:\s*0000000000000000/);
    expect(log).toMatch(/NoNewPrivs:\s*1$/m);
    expect(log).toMatch(/Seccomp:\s*2$/m);
    expect(log).not.toMatch(/^(?:NAMESPACE|MOUNTED|UNMOUNTED|ENTERED|MEMFD|BPF|PTRACE)$/m);
  });

  it('leaves no process behind', async () => {
    const seconds = '8471.25';
    const build = await toy.build([
      hostile(`for i in 1 2 3; do setsid sleep ${seconds} </dev/null >/dev/null 2>&1 & done; sleep 0.1; echo started`),
    ]);
    expect(said(build)).toBe('started');
    // At once: the agent reads the bundle next, and nothing may change it meanwhile.
    expect(sleepers(seconds)).toBe(0);
  });

  it('changes nothing that lies outside, and the next build is bit for bit what it would have been', async () => {
    const innocent = { mbox: toySourcePatch('more', 7) };
    const pristine = new ToyBuilder();
    try {
      expect(failure(await pristine.build([]))).toBeNull();
      const wanted = bundleOf(await pristine.build([innocent]));

      expect(failure(await toy.build([]))).toBeNull();
      const cache = join(toy.settings.cacheDir, 'builder');
      const before = { cache: fingerprint(cache), kernel: fingerprint(toy.settings.kernelDir) };
      const build = await toy.build([
        hostile(`for path in / /usr/bin /etc /dev /farm/kernel/scripts /series /proc/sys/kernel; do
  (echo x >$path/evil) 2>/dev/null && echo "WROTE $path"
done
echo 'all:' >/farm/kernel/scripts/build-bundle.sh && echo WROTE scripts
find /cache/ccache -type f -exec sh -c 'echo garbage >"$1"' _ {} \\;
for tree in /cache/kernel/tree-*/ /cache/kernel/base-*/tree; do
  echo 'int evil;' >>$tree/mm/hmm.c; touch -d 2030-01-01 $tree/mm/hmm.o $tree/vmlinux; echo '#define PAGES 666' >$tree/include/linux/memremap.h
done
echo 0000 >/cache/kernel/toy-source.latest; rm -rf /cache/kernel/base-*/tree/Kbuild; chmod -R 777 /cache
find /cache -type d -name mm -exec ln -s /etc/passwd {}/link \\;
echo done`),
      ]);
      expect(said(build)).toMatch(/^done$/m);
      expect(said(build)).not.toContain('WROTE');
      expect(fingerprint(cache)).toBe(before.cache);
      expect(fingerprint(toy.settings.kernelDir)).toBe(before.kernel);
      expect(bundleOf(await toy.build([innocent]))).toEqual(wanted);
    } finally {
      await pristine.remove();
    }
  });

  it('that forks without end runs into its limit, and the next build is as ever', async () => {
    await toy.remove();
    toy = new ToyBuilder({ processes: 64 });
    const build = await toy.build([hostile('f() { f | f & }; f; sleep 2; echo over')]);
    expect(failure(build)).toMatchObject({
      class: 'build',
      message: expect.stringMatching(/the build started \d+ processes, its limit is 64$/),
    });
    expect(failure(await toy.build([{ mbox: toySourcePatch('more', 3) }]))).toBeNull();
  });

  it('that takes all memory is ended, with the reason', async () => {
    await toy.remove();
    toy = new ToyBuilder({ memoryMiB: 1024 });
    const eater = `perl -e '$x = "x" x (400 << 20); sleep 60'`;
    const build = await toy.build([hostile(`for i in 1 2 3 4 5; do ${eater} & done; wait`)]);
    expect(failure(build)).toMatchObject({
      class: 'build',
      message: expect.stringMatching(
        /^the kernel does not build: the build used [12]\d{3}\.\d MiB of memory, its limit is 1024/,
      ),
    });
    // One process alone is refused by the kernel.
    const one = await toy.build([hostile(`perl -e '$x = "x" x (1100 << 20)' || echo "refused"`)]);
    expect(said(one)).toMatch(/^refused$/m);
  });

  it('that fills the disk is ended, with the reason, and leaves nothing there', async () => {
    await toy.remove();
    toy = new ToyBuilder({ diskMiB: 1024 });
    const fill = 'for i in 1 2 3 4; do fallocate -l 400M $1/fill-$i; done; sleep 60';
    for (const folder of ['/cache/kernel', '/out']) {
      const build = await toy.build([hostile(fill.replaceAll('$1', folder))]);
      expect(failure(build), folder).toMatchObject({
        class: 'build',
        message: expect.stringMatching(/the build wrote 1\d{3}\.\d MiB to disk, its limit is 1024\.0 MiB/),
      });
    }
    expect(readdirSync(join(toy.settings.cacheDir, 'agent', 'builds'))).toEqual([]);
  });

  it('that makes folders without permissions leaves nothing behind', async () => {
    await toy.build([
      hostile('mkdir -p /tmp/a/b/c; chmod 000 /tmp/a/b; mkdir -m 000 /out/x /cache/kernel/y; mkfifo /tmp/f; echo made'),
    ]);
    expect(readdirSync(join(toy.settings.cacheDir, 'agent', 'builds'))).toEqual([]);
  });

  it('cannot call its failure the lab’s', async () => {
    const said = '@error {"class":"infrastructure","detail":"the disk is full","remedy":"try again"}';
    const build = await toy.build([
      hostile(`for fd in /proc/*/fd/1; do echo '${said}' >$fd; done
for p in /proc/[0-9]*; do [ "$(cat $p/comm)" != make ] || kill -9 "\${p#/proc/}"; done`),
    ]);
    expect(failure(build)).toMatchObject({ class: 'build' });
  });

  it('that prints without end fills no log', async () => {
    const build = await toy.build([hostile('seq 1 400000 >&2')]);
    expect(build.log('build').split('\n').length).toBeLessThan(210_000);
  });
});

describe('the compiler cache of a submitter', () => {
  const innocent = (note: string) => ({
    mbox: toySourcePatch('more', 7) + toyPatch('a note', 'note', null, `${note}\n`),
  });
  const domains = () => readdirSync(join(toy.settings.cacheDir, 'agent', 'domains')).sort();

  it('serves the same submitter, and no other', async () => {
    let looks = 0;
    const hits = async (cacheDomain: string | undefined): Promise<number> => {
      const text = said(
        await toy.build(
          [hostile(`ccache --print-stats # ${(looks += 1)}`)],
          cacheDomain === undefined ? {} : { cacheDomain },
        ),
      );
      return Number(/^direct_cache_hit\s+(\d+)$/m.exec(text)?.[1] ?? Number.NaN);
    };
    await toy.build([]);
    const shared = await hits(undefined);
    for (const note of ['one', 'two']) await toy.build([innocent(note)], { cacheDomain: 'submitter-1' });
    expect(await hits('submitter-1')).toBeGreaterThan(shared);
    expect(await hits('submitter-2')).toBe(shared);
    expect(await hits(undefined)).toBe(shared);
    expect(domains()).toEqual(['submitter-1', 'submitter-2']);
  });

  it('is not shared with other submitters', async () => {
    const pristine = new ToyBuilder();
    try {
      await pristine.build([]);
      const wanted = bundleOf(await pristine.build([innocent('three')]));
      await toy.build([]);
      // One who spoils the own cache, then builds what others will ask for.
      const spoil = hostile('find /cache/ccache -type f -exec sh -c \'echo garbage >"$1"\' _ {} \\;');
      await toy.build([spoil], { cacheDomain: 'submitter-3' });
      const spoilt = await toy.build([innocent('three')], { cacheDomain: 'submitter-3' });
      const builtKey = (build: ToyBuild) => build.events.find((event) => event.type === 'built')?.manifest.key;
      const clean = await toy.build([innocent('three')]);
      expect(bundleOf(clean)).toEqual(wanted);
      const other = await toy.build([innocent('three')], { cacheDomain: 'submitter-1' });
      expect(new Set([spoilt, clean, other].map(builtKey)).size).toBe(3);
    } finally {
      await pristine.remove();
    }
    expect(domains()).toEqual(['submitter-1', 'submitter-3']);
  });
});

describe('a bundle from outside', () => {
  it.each([
    ['a symbolic link', 'ln -s /etc/passwd $d/suites/link', 'suites/link'],
    ['a hard link', 'echo x >/out/x; ln /out/x $d/suites/link', 'suites/link'],
    ['a folder with an odd name', 'mkdir "$d/suites/..x"', 'suites'],
    ['a pipe', 'mkfifo $d/suites/pipe', 'suites/pipe'],
  ])('with %s is refused', async (_what, make, named) => {
    // The folder is there from when modules are installed.
    const script = `for d in /out/bundle.part.*; do [ ! -d $d/suites ] || [ -e /tmp/.made ] || { ${make}; : >/tmp/.made; }; done`;
    const build = await toy.build([
      {
        mbox:
          toyPatch('smuggle', 'scripts/smuggle.sh', null, `${script}\n`) +
          toyMakefilePatch('call it', '_said := $(shell sh scripts/smuggle.sh)'),
      },
    ]);
    expect(failure(build)).toMatchObject({ class: 'build', message: expect.stringContaining(named) });
    expect(toy.uploads.size).toBe(0);
  });
});
