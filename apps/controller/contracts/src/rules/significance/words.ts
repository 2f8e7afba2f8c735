import type { ComparedMetric } from '../../schema/compare.js';

const percent = (share: number): string => {
  const value = share * 100;
  return `${value >= 10 ? Math.round(value).toString() : Number(value.toFixed(1)).toString()} %`;
};

/** `1 boot`, `3 boots`. */
export const bootsText = (count: number): string => (count === 1 ? '1 boot' : `${count} boots`);

/** What a metric says, in a word or two: `better`, `worse`, `no clear change`, `more boots needed`, `noise`. */
export function saysText({ says, why }: Pick<ComparedMetric, 'says' | 'why'>): string {
  if (says !== 'unclear') return says;
  if (why === 'few-boots') return 'more boots needed';
  if (why === 'same-kernel') return 'noise';
  if (why === 'one-sided') return 'one side only';
  return 'no clear change';
}

type Explained = Pick<ComparedMetric, 'a' | 'b' | 'why' | 'least' | 'noise' | 'moreBoots'>;

/** Why a metric has no verdict, in a sentence without a full stop; empty with a verdict. */
export function whyText({ a, b, why, least, noise, moreBoots }: Explained): string {
  switch (why) {
    case 'one-sided':
      return `measured on ${a === null ? 'B' : 'A'} only`;
    case 'same-kernel':
      return noise === null
        ? 'one kernel on both sides'
        : `one kernel on both sides: its boots differ by up to ${percent(noise)}`;
    case 'few-boots':
      return `${sidesText(a?.boots ?? 0, b?.boots ?? 0)}: ${moreBoots} more of each side needed`;
    case 'other-machines':
      return 'the sides ran on different machines';
    case 'no-ratio':
      return 'a value is not above zero';
    case 'noise':
      return `within the noise; a change of ${percent(least)} would count`;
    case 'small':
      return `too small: a change of ${percent(least)} would count`;
    case null:
      return '';
  }
}

function sidesText(a: number, b: number): string {
  return a === b ? `${bootsText(a)} each` : `${a} and ${bootsText(b)}`;
}
