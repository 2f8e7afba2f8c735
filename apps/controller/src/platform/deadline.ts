/**
 * Waits for work, at most `limitMs` milliseconds. The work itself goes on when the time is up; an error of it is not
 * reported then.
 * @returns whether it ended in time
 * @throws what the work rejects with within that time
 */
export async function endsWithin(limitMs: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  try {
    return await Promise.race([work.then(() => true as const), late]);
  } finally {
    clearTimeout(timer);
  }
}
