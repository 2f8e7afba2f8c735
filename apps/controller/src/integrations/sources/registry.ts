import type { HookKind } from '@peerlab/contracts';
import { GENERIC } from './generic.js';
import { GITEA } from './gitea.js';
import { GITHUB } from './github.js';
import { GITLAB } from './gitlab.js';
import type { HookSource } from './hook-source.js';

/** Every kind of hook that the hooks file knows. */
export const HOOK_SOURCES: Readonly<Record<HookKind, HookSource>> = {
  generic: GENERIC,
  github: GITHUB,
  gitlab: GITLAB,
  gitea: GITEA,
};
