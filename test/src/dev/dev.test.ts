import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startBrowser, type WebApp } from '../web/web-app.js';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
/** For the copy, the compiler and the start of everything on a busy computer. */
const START = { timeout: 180_000 };

let checkout: string;
let dev: ChildProcess;
const lines: string[] = [];
let onLine: () => void = () => undefined;
let browser: Pick<WebApp, 'open' | 'close'>;
let url: string;

/** A copy of the checkout whose sources a test may change; the packages of the registry are those of the original. */
async function copyCheckout(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'peerlab-checkout-'));
  const kept = (source: string): boolean =>
    basename(source) !== 'node_modules' && !relative(REPOSITORY, source).startsWith('test/looks');
  for (const name of ['apps', 'infra', 'test', 'package.json', 'tsconfig.json', 'tsconfig.base.json'])
    await cp(join(REPOSITORY, name), join(copy, name), { recursive: true, filter: kept, preserveTimestamps: true });
  const modules = join(REPOSITORY, 'node_modules');
  await mkdir(join(copy, 'node_modules/@peerlab'), { recursive: true });
  // What belongs to the checkout itself is not shared: its packages, and what the compiler and vite keep.
  for (const name of await readdir(modules))
    if (!['@peerlab', '.cache', '.vite'].includes(name))
      await symlink(join(modules, name), join(copy, 'node_modules', name));
  const { workspaces } = JSON.parse(await readFile(join(copy, 'package.json'), 'utf8')) as { workspaces: string[] };
  for (const workspace of workspaces) {
    const { name } = JSON.parse(await readFile(join(copy, workspace, 'package.json'), 'utf8')) as { name: string };
    await symlink(join(copy, workspace), join(copy, 'node_modules', name));
  }
  return copy;
}

/** The first line from index `from` on that has this text. */
async function lineWith(text: string, from = 0): Promise<string> {
  for (;;) {
    const next = new Promise<void>((resolve) => (onLine = resolve));
    const found = lines.slice(from).find((line) => line.includes(text));
    if (found !== undefined) return found;
    if (dev.exitCode !== null) throw new Error(`"npm run dev" ended with ${dev.exitCode}:\n${lines.join('\n')}`);
    await next;
  }
}

beforeAll(async () => {
  checkout = await copyCheckout();
  const compiler = spawn(join(checkout, 'node_modules/.bin/tsc'), ['-b'], { cwd: checkout, stdio: 'inherit' });
  expect((await once(compiler, 'close'))[0]).toBe(0);
  dev = spawn(process.execPath, [join(checkout, 'test/dist/dev/main.js'), '--port', '0'], {
    cwd: checkout,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [dev.stdout, dev.stderr]) {
    if (stream === null) throw new Error('the program has no output');
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      onLine();
    });
  }
  dev.once('exit', () => onLine());
  url = (await lineWith('Peerlab with sample data is at ')).split(' is at ')[1] ?? '';
  browser = await startBrowser(new URL(url).origin);
}, START.timeout);

afterAll(async () => {
  await browser?.close();
  if (dev?.exitCode === null) {
    dev.kill('SIGTERM');
    await once(dev, 'exit');
  }
  await rm(checkout, { recursive: true, force: true });
});

it('serves the web UI on sample data, and shows a changed source without a reload by hand', START, async () => {
  await using opened = await browser.open(`/runs${new URL(url).hash}`);
  const { page } = opened;
  await page.getByText('dma_alias, take 12').first().waitFor();
  // The token of the printed address may write.
  const token = new URL(url).hash.slice('#token='.length);
  const session = await fetch(new URL('/api/v1/session', url), { headers: { authorization: `Bearer ${token}` } });
  expect(await session.json()).toEqual({ user: 'dev' });

  const file = join(checkout, 'apps/web/src/pages/RunsPage.tsx');
  await page.getByRole('heading', { name: 'Runs', exact: true }).waitFor();
  const source = await readFile(file, 'utf8');
  await writeFile(file, source.replace('<h1>Runs</h1>', '<h1>Changed by the test</h1>'));
  await page.getByRole('heading', { name: 'Changed by the test' }).waitFor();
});

it('starts the controller again when its sources change', START, async () => {
  const before = lines.length;
  await appendFile(
    join(checkout, 'apps/controller/src/main.ts'),
    "\nprocess.stdout.write('changed by the test\\n');\n",
  );
  expect(await lineWith('changed by the test', before)).toBe('[controller] changed by the test');
  await lineWith('"event":"listening"', before);
  const health = await fetch(new URL('/api/v1/health', url));
  expect(await health.json()).toMatchObject({ status: 'ok' });
});

it('ends cleanly on Ctrl-C', START, async () => {
  const stateDirs = async (): Promise<string[]> =>
    (await readdir('/tmp')).filter((name) => name.startsWith('peerlab-dev-'));
  expect(dev.exitCode).toBeNull();
  dev.kill('SIGINT');
  const [code] = (await once(dev, 'exit')) as [number | null];
  expect(code).toBe(0);
  await expect(fetch(url)).rejects.toThrow();
  expect(lines.at(-1)).toContain('stopping');
  expect(await stateDirs()).toEqual([]);
});
