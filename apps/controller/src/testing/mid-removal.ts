import { expect } from 'vitest';
import type { TestFarm } from './farm.js';

/** What a request answers that comes while retention removes a file, and is in the middle of it. */
export async function midRemoval<T>(farm: TestFarm, sha256: string, request: () => Promise<T>): Promise<T> {
  const answer = await farm.sql.transaction(async (tx) => {
    // The first things that retention does to it.
    await tx.run('select 1 from artifact where sha256 = $1 for update', [sha256]);
    await tx.run('update artifact set removed_at = clock_timestamp() where sha256 = $1', [sha256]);
    const asked = request();
    let isAnswered = false;
    void asked.finally(() => {
      isAnswered = true;
    });
    const isWaiting = await farm.until('the request to wait for the file, or its answer', async () => {
      const waiting = `select 1 from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock' and query like '%artifact%for share%'`;
      if (await farm.sql.exists(waiting)) return 'yes';
      return isAnswered ? 'no' : null;
    });
    expect(isWaiting, 'it waits for the file').toBe('yes');
    return { asked };
  });
  return answer.asked;
}
