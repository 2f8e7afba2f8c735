import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../bootstrap.sh', import.meta.url));

let checkout: string;

async function write(path: string, text: string): Promise<void> {
  const file = join(checkout, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  await chmod(file, 0o755);
}

/** A program that notes how it was called. */
const noting = (name: string, then = ''): Promise<void> =>
  write(`bin/${name}`, `#!/bin/sh\necho "${name} $*" >>"$CALLS"\n${then}\n`);

/** A bare checkout with the real script, where npm, apt-get and dpkg-query only note their calls. */
beforeEach(async () => {
  checkout = await mkdtemp(join(tmpdir(), 'peerlab-bootstrap-'));
  await write('infra/packages.txt', 'qemu-system-x86\n');
  await write('infra/packages-test.txt', '# browser\nchromium # for the web UI\n');
  await write('kernel/packages.txt', 'gcc\n');
  await write('package-lock.json', '{"packages":{}}');
  await copyFile(SCRIPT, join(checkout, 'infra/bootstrap.sh'));
  await noting('npm', '[ "$1" != ci ] || mkdir -p node_modules');
  await noting('apt-get');
  // gcc is the one package that is installed.
  await write('bin/dpkg-query', '#!/bin/sh\n[ "$3" = gcc ] && echo installed\n');
});
afterEach(() => rm(checkout, { recursive: true, force: true }));

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
  calls: string[];
}

async function bootstrap(...args: string[]): Promise<Ended> {
  const calls = join(checkout, 'calls');
  await rm(calls, { force: true });
  const env = { ...process.env, PATH: `${join(checkout, 'bin')}:${process.env['PATH'] ?? ''}`, CALLS: calls };
  return new Promise((resolve) => {
    const script = join(checkout, 'infra/bootstrap.sh');
    const child = execFile('sh', [script, ...args], { env }, (_error, stdout, stderr) => {
      void readFile(calls, 'utf8')
        .catch(() => '')
        .then((text) => {
          // Asking for the version is no work.
          const lines = text.split('\n').filter((line) => line !== '' && line !== 'npm --version');
          resolve({ code: child.exitCode ?? -1, stdout, stderr, calls: lines });
        });
    });
  });
}

describe('bootstrap.sh unit', () => {
  const install = 'npm ci --include=dev --no-audit --no-fund --loglevel=error';

  it('installs npm packages, builds nothing for a named test, and runs the command in the checkout', async () => {
    const first = await bootstrap('unit', '--', 'sh', '-c', 'pwd');
    expect(first).toMatchObject({ code: 0, stdout: `${checkout}\n`, calls: [install] });
    expect(first.stderr).not.toContain('chromium');
    const second = await bootstrap('unit', '--', 'sh', '-c', 'true');
    expect(second).toMatchObject({ code: 0, calls: [] });
    expect(second.stderr).toContain('[set-up 2/2] npm packages … cached');
  });

  it('compiles when all tests run, because some start compiled programs', async () => {
    expect(await bootstrap('unit', '--', 'true')).toMatchObject({
      code: 0,
      calls: [install, 'npm run --silent build:types'],
    });
  });

  it('names the missing Debian packages when the command fails, and keeps its exit code', async () => {
    const { code, stderr, calls } = await bootstrap('unit', '--', 'sh', '-c', 'exit 7');
    expect(code).toBe(7);
    expect(calls).toEqual([install]);
    expect(stderr).toContain('These Debian packages are missing');
    expect(stderr).toContain('apt-get install --no-install-recommends chromium qemu-system-x86\n');
  });
});

it('stops before npm when Debian packages that "npm test" needs stay missing', async () => {
  const { code, stderr, calls } = await bootstrap('test', '--', 'echo', 'not reached');
  // An account without rights is told what to type instead.
  const isRoot = process.getuid?.() === 0;
  expect(code).toBe(isRoot ? 2 : 3);
  expect(stderr).toContain('chromium qemu-system-x86');
  expect(calls.filter((call) => call.startsWith('npm'))).toEqual([]);
  if (isRoot) expect(calls.at(-1)).toMatch(/^apt-get .* install .* chromium qemu-system-x86$/);
});

describe('of alternatives', () => {
  const missingOf = async (line: string): Promise<string> => {
    await write('infra/packages-test.txt', `${line}\n`);
    const { stderr } = await bootstrap('unit', '--', 'sh', '-c', 'exit 7');
    return /--no-install-recommends (.*)\n/.exec(stderr)?.[1] ?? '';
  };

  it('one that is installed will do', async () => {
    expect(await missingOf('clang|gcc')).toBe('qemu-system-x86');
    expect(await missingOf('gcc|clang')).toBe('qemu-system-x86');
  });

  it('the first is asked for, or the next one where apt does not know it', async () => {
    await write('bin/apt-cache', '#!/bin/sh\n[ "$2" != unheard-of ]\n');
    expect(await missingOf('clang|tcc')).toBe('clang qemu-system-x86');
    expect(await missingOf('unheard-of|tcc')).toBe('qemu-system-x86 tcc');
  });
});

it('refuses an unknown purpose and names the known ones', async () => {
  expect(await bootstrap('strat')).toMatchObject({
    code: 2,
    stderr: 'usage: infra/bootstrap.sh start|test|dev|unit|packages [-- COMMAND [ARGS]]\n',
  });
});
