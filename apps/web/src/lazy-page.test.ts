import { expect, it, vi } from 'vitest';
import { whenThere } from './lazy-page.js';

it('waits for the controller, then imports', async () => {
  let isUp = false;
  const importer = vi.fn(() => (isUp ? Promise.resolve('page') : Promise.reject(new Error('no connection'))));
  const pause = vi.fn(async () => {
    isUp = pause.mock.calls.length === 3;
  });
  expect(await whenThere(importer, () => Promise.resolve(isUp), pause)()).toBe('page');
  expect(importer).toHaveBeenCalledTimes(4);
});

it('fails when the code is not there though the controller is', async () => {
  const importer = vi.fn(() => Promise.reject(new Error('gone with an update')));
  await expect(whenThere(importer, () => Promise.resolve(true))()).rejects.toThrow('gone with an update');
});

it('asks nobody when all is well', async () => {
  const isThere = vi.fn(() => Promise.resolve(true));
  expect(await whenThere(() => Promise.resolve(1), isThere)()).toBe(1);
  expect(isThere).not.toHaveBeenCalled();
});
