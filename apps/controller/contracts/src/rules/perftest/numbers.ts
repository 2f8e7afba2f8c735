/** Characters of a number that are read; what is longer is no figure of perftest. */
const NUMBER_MAX = 24;

export function isWhole(word: string | undefined): word is string {
  return word !== undefined && word.length <= NUMBER_MAX && /^\d+$/.test(word) && Number.isSafeInteger(Number(word));
}

export const isNumber = (word: string): boolean => word.length <= NUMBER_MAX && /^\d+(?:\.\d+)?$/.test(word);
