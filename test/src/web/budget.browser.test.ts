import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { GRID_ROUTES, ROUTES, RUN_LIST_ROUTES, SERVICE_ROUTES } from '@peerlab/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildWebUi } from './web-app.js';

/** Bytes of script, compressed, that a page may need before it shows anything. */
const INITIAL_MAX = 200 * 1024;
/** Every page on its own, beyond that. */
const PAGE_MAX = 60 * 1024;
/** The editor of the submit page, which is fetched while its page shows already. */
const EDITOR_MAX = 150 * 1024;
/** The terminal emulator, which is fetched while the page of a terminal shows already. */
const TERMINAL_MAX = 100 * 1024;

let folder: string;
beforeAll(async () => {
  folder = await buildWebUi();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('every script and style sheet lies there compressed, as the controller sends it', async () => {
  const files = await readdir(join(folder, 'assets'));
  for (const file of files.filter((name) => /\.(?:js|css)$/.test(name))) {
    const content = await readFile(join(folder, 'assets', file));
    if (content.length < 1024) continue;
    const read = (ending: string): Promise<Buffer> => readFile(join(folder, 'assets', `${file}${ending}`));
    expect(brotliDecompressSync(await read('.br')).equals(content), file).toBe(true);
    expect(gunzipSync(await read('.gz')).equals(content), file).toBe(true);
  }
});

const compressed = async (file: string): Promise<number> => gzipSync(await readFile(join(folder, file))).length;

/** Scripts that the browser loads before the first page, from those that index.html names on. */
async function initialScripts(): Promise<Set<string>> {
  const html = await readFile(join(folder, 'index.html'), 'utf8');
  const found = new Set([...html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)].map(([, file]) => file ?? ''));
  for (const file of found) {
    // Minified code imports by `from"./x.js"` and `import"./x.js"`; `import("./x.js")` is lazy.
    const text = await readFile(join(folder, file), 'utf8');
    for (const [, name] of text.matchAll(/(?:from|import)\s*["']\.\/([^"']+\.js)["']/g)) found.add(`assets/${name}`);
  }
  return found;
}

it('shows the first page with little script, and leaves the rest for when it is needed', async () => {
  const initial = await initialScripts();
  expect(initial.size).toBeGreaterThan(0);
  const sizes = await Promise.all([...initial].map(compressed));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(INITIAL_MAX);
  const lazy = (await readdir(join(folder, 'assets'))).filter(
    (file) => file.endsWith('.js') && !initial.has(`assets/${file}`),
  );
  expect(lazy.length).toBeGreaterThan(5);
  const large = await Promise.all(lazy.map(async (file) => ({ file, bytes: await compressed(`assets/${file}`) })));
  const limitOf = (file: string) => {
    if (file.startsWith('screen-')) return TERMINAL_MAX;
    return file.startsWith('YamlEditor-') ? EDITOR_MAX : PAGE_MAX;
  };
  expect(large.filter(({ file, bytes }) => bytes > limitOf(file))).toEqual([]);
});

it('brings the routes of the first page and of what every page shows, no others with their schemas', async () => {
  const texts = await Promise.all([...(await initialScripts())].map((file) => readFile(join(folder, file), 'utf8')));
  const named = texts.flatMap((text) => text.match(/\/(?:api\/v1|healthz)\/[a-zA-Z0-9/:.-]+/g) ?? []);
  const known = new Set(Object.values(ROUTES).map(({ path }) => path as string));
  const own = Object.values({ ...SERVICE_ROUTES, ...GRID_ROUTES, ...RUN_LIST_ROUTES }).map(
    ({ path }) => path as string,
  );
  const brought = [...new Set(named)].filter((path) => known.has(path)).toSorted();
  expect(brought).toEqual([...new Set(own)].filter((path) => path !== '/metrics').toSorted());
});
