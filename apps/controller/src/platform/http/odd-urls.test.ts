import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ROUTES } from '@peerlab/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestFarm } from '../../testing/farm.js';

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
  const webDir = join(farm.settings.stateDir, 'web');
  await mkdir(join(webDir, 'assets'), { recursive: true });
  await writeFile(join(webDir, 'index.html'), '<title>Peerlab</title>');
  await farm.server.close();
  Object.assign(farm.settings, { webDir });
  await farm.restart();
});
afterAll(() => farm.stop());

/** The status line, and what comes after it, of a request whose target no client library would send. */
async function ask(target: string, accept = '*/*', method = 'GET'): Promise<string> {
  const { port, hostname } = new URL(farm.server.url);
  const socket = connect(Number(port), hostname);
  const head = `${method} ${target} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAccept: ${accept}\r\nAuthorization: Bearer ${farm.userToken}\r\nConnection: close\r\n\r\n`;
  socket.write(head);
  let answer = '';
  for await (const piece of socket) answer += String(piece);
  return answer;
}

/** Broken escapes, bytes that are no UTF-8, NUL, and the like, to stand in for a part of a path. */
const ODD = ['%', '%zz', '%E0%A4%A', '%ff', '%00', '%c0%ae', 'a%2e%2e%2f', '%5c', '.%2e', ';', '%25', '%F0%9F%98%80'];
const PATHS = [
  ...Object.values(ROUTES)
    .filter(({ method, path }) => method === 'GET' && path.includes(':'))
    .map(({ path }) => path),
  '/:page',
  '/machines/:machine',
  '/runs/:run',
  '/assets/:file',
  '/assets/x-Ab12Cd34.js/:file',
  '/api/v1/:unknown',
];

it('a malformed path is answered with 4xx, or with the page, and never with 500', async () => {
  for (const path of PATHS) {
    const answers = await Promise.all(
      ODD.map(async (odd) => [odd, await ask(path.replace(/:[a-zA-Z0-9]+/g, () => odd))] as const),
    );
    for (const [odd, answer] of answers) expect(answer, `${path} with ${odd}`).toMatch(/^HTTP\/1\.1 (200|4\d\d) /);
  }
});

it('a malformed query is answered with 4xx or ignored', async () => {
  for (const path of ['/api/v1/runs', '/api/v1/grid', '/api/v1/history', '/api/v1/compare', '/grid']) {
    for (const odd of ODD)
      expect(await ask(`${path}?limit=${odd}&a=${odd}&${odd}`)).toMatch(/^HTTP\/1\.1 (200|4\d\d) /);
  }
});

it('a person gets a page and a program a problem document', async () => {
  const page = await ask('/machines/%E0%A4%A', 'text/html,application/xhtml+xml');
  expect(page).toMatch(/^HTTP\/1\.1 400 /);
  expect(page).toContain('content-type: text/html');
  expect(page).toContain('<a href="/">');
  expect(page).not.toContain('%E0');
  expect(await ask('/machines/%E0%A4%A', 'application/json')).toContain('application/problem+json');
  expect(await ask('/api/v1/machines/%E0%A4%A', 'text/html')).toContain('application/problem+json');
});
