/**
 * Whether an error of a file operation means that the file is not there (ENOENT). No other error does: a file that
 * cannot be read (EACCES, EIO, EMFILE) must not be taken for one that is absent.
 */
export function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | null)?.code === 'ENOENT';
}

/**
 * The result of a file operation, or `value` when the file is not there.
 * @throws the error of the operation, when it is any other
 */
export async function orIfAbsent<T, V>(operation: Promise<T>, value: V): Promise<T | V> {
  try {
    return await operation;
  } catch (error) {
    if (isAbsent(error)) return value;
    throw error;
  }
}
