import type { RetentionPolicy, StorageLevel, StorageUse } from '@peerlab/contracts';

/** `full` outranks `soft`: no new work starts until a retention pass has made room. */
export function levelOf(use: StorageUse, policy: RetentionPolicy): StorageLevel {
  if (use.usedBytes >= policy.hardBytes || use.freeBytes < policy.freeBytes) return 'full';
  return use.usedBytes > policy.softBytes ? 'soft' : 'ok';
}
