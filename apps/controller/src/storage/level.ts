import type { RetentionPolicy, StorageLevel, StorageUse } from '@peerlab/contracts';

/** `full` outranks `soft`: nothing new is begun while the pass that makes room is still under way. */
export function levelOf(use: StorageUse, policy: RetentionPolicy): StorageLevel {
  if (use.usedBytes >= policy.hardBytes || use.freeBytes < policy.freeBytes) return 'full';
  return use.usedBytes > policy.softBytes ? 'soft' : 'ok';
}
