import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { OWN_ERRORS, routeTable } from './http-reference.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const file = join(root, 'apps/controller/HTTP.md');
const BEGIN = '<!-- routes: made by test/src/docs/http-reference.ts -->';
const END = '<!-- end of routes -->';

/** Every `status code` that the controller's sources answer with. */
function answeredErrors(): Set<string> {
  const folder = join(root, 'apps/controller/src');
  const errors = new Set<string>();
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.ts') || path.endsWith('.test.ts')) continue;
    const source = readFileSync(join(folder, path), 'utf8');
    for (const [, status = '', code = ''] of source.matchAll(/new ProblemError\(\s*(\d{3}),\s*'([a-z-]+)'/g)) {
      errors.add(`${status} ${code}`);
    }
  }
  return errors;
}

describe('apps/controller/HTTP.md', () => {
  it('has the routes of the contract', () => {
    const text = readFileSync(file, 'utf8');
    const [before = '', rest = ''] = text.split(BEGIN);
    const after = rest.split(END)[1] ?? '';
    const wanted = `${before}${BEGIN}\n\n${routeTable()}\n\n${END}${after}`;
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, wanted);
    else expect(text, 'update it: UPDATE_DOCS=1 npx vitest run test/src/docs').toBe(wanted);
  });

  it('names errors that the controller answers with', () => {
    const answered = answeredErrors();
    const named = Object.values(OWN_ERRORS).flat();
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((error) => !answered.has(error))).toEqual([]);
  });

  it('names every error that the controller answers with', () => {
    const text = readFileSync(file, 'utf8');
    expect([...answeredErrors()].filter((error) => !text.includes(error))).toEqual([]);
  });
});
