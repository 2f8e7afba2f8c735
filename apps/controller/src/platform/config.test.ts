import { mkdtempSync, rmSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readCommand } from '../command-line.js';
import { loadSettings, SettingError } from './config.js';

const folder = mkdtempSync(join(tmpdir(), 'config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileWith(text: string): string {
  const file = join(folder, 'controller.yaml');
  writeFileSync(file, text);
  return file;
}

it('takes the environment over the file over the defaults', () => {
  const file = fileWith('port: 8000\nhost: 0.0.0.0\n');
  expect(loadSettings({ PEERLAB_PORT: '9000' }, file)).toMatchObject({ port: 9000, host: '0.0.0.0', hooks: null });
  expect(loadSettings({}, null)).toMatchObject({ port: 7470, host: '127.0.0.1', databaseUrl: null });
  expect(loadSettings({ PEERLAB_PORT: '' }, fileWith(''))).toMatchObject({ port: 7470 });
});

it('names the setting that cannot be used', () => {
  expect(() => loadSettings({ PEERLAB_PORT: '70000' }, null)).toThrow(/^PEERLAB_PORT: /);
  expect(() => loadSettings({ DATABASE_URL: 'mysql://x' }, null)).toThrow(/^DATABASE_URL: expected postgres/);
  expect(() => loadSettings({}, fileWith('prt: 1'))).toThrow(/unknown setting prt; known are host, port/);
  expect(() => loadSettings({}, fileWith('port: [')).port).toThrow(SettingError);
  expect(() => loadSettings({}, join(folder, 'absent.yaml'))).toThrow(/absent.yaml/);
});

it('reads commands and refuses what it does not know', () => {
  expect(readCommand([])).toEqual({ name: 'serve', config: null });
  expect(readCommand(['token', 'create', '--kind', 'agent', '--name', 'lab'])).toEqual({
    name: 'token-create',
    config: null,
    kind: 'agent',
    tokenName: 'lab',
    limits: { site: null, only: null },
  });
  const limited = ['token', 'create', '--kind', 'agent', '--name', 'lab', '--site', 'north', '--only', 'test'];
  expect(readCommand(limited)).toMatchObject({ limits: { site: 'north', only: 'test' } });
  expect(() => readCommand(['token', 'create', '--kind', 'user', '--name', 'x', '--site', 'y'])).toThrow(
    /only for agents/,
  );
  expect(() => readCommand([...limited.slice(0, -1), 'all'])).toThrow(/--only: give test or build/);
  expect(() => readCommand(['token', 'create', '--kind', 'root', '--name', 'x'])).toThrow(/--kind/);
  expect(() => readCommand(['tokn'])).toThrow(/unknown command "tokn"/);
  expect(() => readCommand(['--prt'])).toThrow(SettingError);
});

describe('the hooks file', () => {
  const hooks = (yaml: string) => loadSettings({ PEERLAB_HOOKS_FILE: fileWith(yaml) }, null).hooks;
  const generic = (more = '') => `{name: nightly, kind: generic, secretFile: a.secret, templates: [matrix]${more}}`;

  it('gives each hook its secret from a file, which nothing shows', () => {
    writeFileSync(join(folder, 'a.secret'), 'a long enough secret\n');
    const [hook] = hooks(`hooks: [${generic()}]`) ?? [];
    expect(hook).toMatchObject({ name: 'nightly', kind: 'generic', templates: ['matrix'] });
    expect(hook?.secret.export().toString()).toBe('a long enough secret');
    expect(JSON.stringify(hook)).not.toContain('long enough');
    expect(loadSettings({}, null).hooks).toBeNull();
  });

  it('says where the reports of a forge go', () => {
    writeFileSync(join(folder, 'a.secret'), 'a long enough secret\n');
    writeFileSync(join(folder, 'token'), 'a token\n');
    const [hook] =
      hooks(`
url: https://farm.example/
hooks:
  - name: linux
    kind: github
    secretFile: a.secret
    people: [Alice]
    rules:
      - {repository: me/linux, branches: [main], paths: ['mm/**'], labels: [hardware], template: series, build: pushed}
    report: {api: https://api.github.com, tokenFile: token}
`) ?? [];
    if (hook?.kind !== 'github') throw new Error('no hook of GitHub');
    expect(hook.people).toEqual(['alice']);
    expect(hook.rules).toMatchObject([{ repository: 'me/linux', build: 'pushed' }]);
    expect(hook.report).toMatchObject({ tokenFile: join(folder, 'token'), app: null, web: 'https://farm.example' });
    expect(hook.report?.api.href).toBe('https://api.github.com/');
  });

  it('is as HTTP.md shows it', () => {
    const text = readFileSync(new URL('../../HTTP.md', import.meta.url), 'utf8');
    const [, yaml = ''] = /```yaml\n(url: [^`]*)```/.exec(text) ?? [];
    for (const name of ['linux.secret', 'nightly.secret', 'linux.token'])
      writeFileSync(join(folder, name), `a long enough text of ${name}`);
    expect(hooks(yaml)).toMatchObject([
      { kind: 'github', rules: [{ template: 'tree', build: 'pushed' }], people: ['alice'], report: { app: null } },
      { kind: 'generic', templates: ['matrix', 'series'] },
    ]);
  });

  it('is refused with the place and the remedy, and without a secret', () => {
    writeFileSync(join(folder, 'a.secret'), 'a long enough secret\n');
    writeFileSync(join(folder, 'b.secret'), 'a long enough secret\n');
    writeFileSync(join(folder, 'short.secret'), 'short');
    const second = '{name: other, kind: generic, secretFile: b.secret, templates: [matrix]}';
    writeFileSync(join(folder, 'token'), 'a token');
    const rule = '{repository: me/linux, template: a}';
    const github = `name: g, kind: github, secretFile: a.secret, rules: [${rule}]`;
    const gitlab = `name: g, kind: gitlab, secretFile: a.secret, rules: [${rule}]`;
    const app = 'app: {id: 1, installation: 2, privateKeyFile: token}';
    const to = (report: string) => `{url: 'https://farm.example', hooks: [{${github}, report: ${report}}]}`;
    for (const [yaml, why] of [
      [`hooks: [${generic()}, ${second}]`, /nightly and other have one secret; give each hook its own/],
      [`hooks: [${generic()}, ${generic()}]`, /two hooks are named nightly/],
      [`hooks: [{name: x, kind: generic, secretFile: short.secret, templates: [a]}]`, /too short; use at least 16/],
      [`hooks: [{name: x, kind: generic, secretFile: none.secret, templates: [a]}]`, /hook x: ENOENT/],
      [`hooks: [{name: g, kind: github, secretFile: a.secret, rules: []}]`, /hooks.0.rules/],
      [`hooks: [{${github}, repositories: [me/linux]}]`, /repositories/],
      [`hooks: [{${github.replace('me/linux', 'me/../x')}}]`, /a part may not be/],
      [`hooks: [{${github.replace('me/linux', 'linux')}}]`, /expected owner\/name/],
      [`hooks: [{${github}, report: {api: 'https://x', tokenFile: token}}]`, /set url, the address of the web UI/],
      [to(`{api: 'http://169.254.169.254/', tokenFile: token}`), /expected https/],
      [to(`{api: 'https://user:pw@x/', tokenFile: token}`), /expected https/],
      [to(`{api: 'https://x/', tokenFile: none}`), /ENOENT/],
      [to(`{api: 'https://x/', tokenFile: token, ${app}}`), /either tokenFile or app/],
      [to(`{api: 'https://x/'}`), /either tokenFile or app/],
      [
        `{url: 'https://farm.example', hooks: [{${gitlab}, report: {api: 'https://x/', ${app}}}]}`,
        /only GitHub has apps/,
      ],
      [`hooks: [${generic(', secret: x')}]`, /secret/],
      ['hooks: [', /PEERLAB_HOOKS_FILE/],
    ] as const) {
      expect(() => hooks(yaml)).toThrow(why);
      expect(() => hooks(yaml)).not.toThrow(/long enough secret/);
    }
    expect(() => loadSettings({ PEERLAB_HOOK_SECRET: 'one for all of them' }, null)).toThrow(/PEERLAB_HOOKS_FILE/);
  });
});
