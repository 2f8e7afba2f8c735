import { homedir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { cacheFolder, stateFolder } from './folders.js';

const HOME = '/home/u';

it.each([
  ['a user', 1000, { HOME }, '/home/u/.local/state/peerlab'],
  ['a user with an XDG folder', 1000, { HOME, XDG_STATE_HOME: '/data' }, '/data/peerlab'],
  ['a user with a relative XDG folder', 1000, { HOME, XDG_STATE_HOME: 'data' }, '/home/u/.local/state/peerlab'],
  [
    'a user with empty variables',
    1000,
    { HOME, XDG_STATE_HOME: '', PEERLAB_STATE: '' },
    '/home/u/.local/state/peerlab',
  ],
  ['root', 0, { HOME: '/root', XDG_STATE_HOME: '/data' }, '/var/lib/peerlab'],
  ['root with PEERLAB_STATE', 0, { HOME: '/root', PEERLAB_STATE: '/s' }, '/s'],
])('names the state folder of %s', (_who, uid, env, folder) => {
  expect(stateFolder(env, uid)).toBe(folder);
});

it.each([
  [{ HOME }, '/home/u/.cache/peerlab'],
  [{ HOME, XDG_CACHE_HOME: '/fast' }, '/fast/peerlab'],
  [{ HOME, XDG_CACHE_HOME: '' }, '/home/u/.cache/peerlab'],
  [{ HOME, XDG_CACHE_HOME: '/fast', PEERLAB_CACHE: '/c' }, '/c'],
  [{}, join(homedir(), '.cache/peerlab')],
])('names the cache folder of %j', (env, folder) => {
  expect(cacheFolder(env)).toBe(folder);
});
