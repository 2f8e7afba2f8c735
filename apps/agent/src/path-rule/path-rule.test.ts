import { growthOf } from '@peerlab/contracts/testing';
import { describe, expect, it } from 'vitest';
import { bracketsOf, definitionsOf, tokensOf } from './c-tokens.js';
import { digestOfTokens, KNOWN_FUNCTIONS, readPathRule } from './read-path-rule.js';

/** A rule in our own words: functions of the same names, and a table of the same form. */
const FUNCTIONS = KNOWN_FUNCTIONS.map(
  ({ name }) => `static bool ${name}(struct pci_dev *a)\n{\n\treturn a->x == '{';\n}\n`,
);
const ENTRY = 'static const struct pci_p2pdma_whitelist_entry {\n\tint vendor;\n} ';
const table = (...entries: string[]): string => `${ENTRY}pci_p2pdma_whitelist[] = {\n\t${entries.join(',\n\t')}\n};\n`;
const ROWS = [
  '/* Intel Xeon { */\n\t{PCI_VENDOR_ID_INTEL,\t0x3c00, REQ_SAME_HOST_BRIDGE}',
  '{ PCI_VENDOR_ID_INTEL, PCI_DEVICE_ID_INTEL_DSA_SPR0, 0 } // a comment, {',
  '{PCI_VENDOR_ID_GOOGLE, PCI_ANY_ID, 0}',
];
const IDS =
  '#define PCI_VENDOR_ID_INTEL\t\t0x8086\n#define PCI_DEVICE_ID_INTEL_DSA_SPR0 \\\n 0x0B25\n#define PCI_VENDOR_ID_GOOGLE 0x1ae0 /* Google */\n';
const source = (functions: readonly string[] = FUNCTIONS, rows: string = table(...ROWS, '{}')): string =>
  `#include <linux/pci-p2pdma.h>\n${functions.slice(0, 3).join('\n')}${rows}${functions.slice(3).join('\n')}`;

const digest = (text: string): string => digestOfTokens(tokensOf(text));
const KNOWN = {
  functions: KNOWN_FUNCTIONS.map((known, index) => ({
    ...known,
    digests: [digest((FUNCTIONS[index] ?? '').slice('static bool '.length))],
  })),
  entries: [digest(ENTRY.slice('static const struct '.length))],
};
const read = (text: string | null, ids: string | null = IDS) => readPathRule(text, ids, KNOWN);
const whys = (text: string | null, ids: string | null = IDS): string[] =>
  read(text, ids).changed.map(({ what, why }) => `${what}: ${why}`);

describe('the rule of a source', () => {
  it('has the table with its names resolved and its flags', () => {
    expect(read(source())).toEqual({
      changed: [],
      hostBridges: [
        { vendor: '8086', device: '3c00', sameOnly: true },
        { vendor: '8086', device: '0b25', sameOnly: false },
        { vendor: '1ae0', device: null, sameOnly: false },
      ],
    });
  });

  it('ends where the kernel ends, and takes what the file itself defines', () => {
    const rows = table('{PCI_VENDOR_ID_INTEL, MINE, 0}', '{0}', '{PCI_VENDOR_ID_INTEL, 0x1111, 0}');
    expect(read(`#define MINE 0x7\n${source(FUNCTIONS, rows)}`)).toEqual({
      changed: [],
      hostBridges: [{ vendor: '8086', device: '0007', sameOnly: false }],
    });
  });

  it('is the same with other blanks and comments', () => {
    const odd = source().replaceAll('\t', '  /* moved */ ').replaceAll('\n', '\n\n');
    expect(read(odd)).toEqual(read(source()));
  });

  it.each(KNOWN_FUNCTIONS)('names $name when it is changed, gone or there twice', ({ name, decides }) => {
    const own = FUNCTIONS.find((text) => text.includes(` ${name}(`)) ?? '';
    const others = FUNCTIONS.filter((text) => text !== own);
    const changed = own.replace('return', 'return a->series ||');
    expect(whys(source().replace(own, changed))).toEqual([`${decides}: ${name}() is not as the farm knows it`]);
    expect(whys(source([...others, `/* ${own.replaceAll('\n', ' ')} */`]))).toEqual([
      `${decides}: ${name}() is missing`,
    ]);
    const twice = `#ifdef CONFIG_X86\n${own}#else\n${own}#endif\n`;
    expect(whys(source().replace(own, twice))).toEqual([`${decides}: ${name}() is there more than once`]);
  });

  it.each([
    ['no table', '', 'is missing'],
    ['a flag that is not known', table('{PCI_VENDOR_ID_INTEL, 0x1, REQ_NEW}', '{}'), 'has the flag "REQ_NEW"'],
    ['two flags', table('{PCI_VENDOR_ID_INTEL, 0x1, REQ_SAME_HOST_BRIDGE | REQ_NEW}', '{}'), 'another form'],
    ['a name without a number', table('{PCI_VENDOR_ID_NEW, 0x1, 0}', '{}'), '"PCI_VENDOR_ID_NEW", which is no number'],
    ['a number that is too large', table('{0x12345, 0x1, 0}', '{}'), 'no number'],
    ['a fourth field', table('{PCI_VENDOR_ID_INTEL, 0x1, 0, 1}', '{}'), 'another form'],
    ['designated fields', table('{.vendor = PCI_VENDOR_ID_INTEL}', '{}'), 'another form'],
    ['a condition', table(`{PCI_VENDOR_ID_INTEL, 0x1, 0},\n#ifdef X\n{}`), 'has "#ifdef X" between its entries'],
    ['no last entry', table('{PCI_VENDOR_ID_INTEL, 0x1, 0}'), 'has no entry that ends it'],
    ['no end', table('{PCI_VENDOR_ID_INTEL, 0x1, 0}', '{}').replaceAll('}', ''), 'of a kind that'],
    ['entries of another kind', table(...ROWS, '{}').replace('int vendor', 'int vendor, cpu'), 'a kind that the farm'],
    ['many entries', table(...Array<string>(600).fill('{0x1, 0x1, 0}'), '{}'), 'more than 512 entries'],
  ])('says that %s is not known', (_, rows, why) => {
    const rule = read(source(FUNCTIONS, rows));
    expect(rule.hostBridges).toEqual([]);
    expect(rule.changed.at(-1)?.what).toBe('host-bridges');
    expect(rule.changed.at(-1)?.why).toContain(why);
  });

  it('is not known where the files are gone', () => {
    expect(whys(null)).toEqual(['path: there is no drivers/pci/p2pdma.c']);
    expect(whys(source(), null)).toEqual([
      'host-bridges: pci_p2pdma_whitelist names "PCI_VENDOR_ID_INTEL", which is no number',
    ]);
    expect(whys(source() + ' '.repeat(1e6))).toEqual(['path: drivers/pci/p2pdma.c has more than 524288 characters']);
    expect(whys('')).toHaveLength(KNOWN_FUNCTIONS.length + 1);
  });
});

describe('a source of a stranger', () => {
  it('takes time by its length, whatever it is', async () => {
    for (const piece of [
      '/*',
      '"',
      "'\\",
      '{',
      '#define A \\\n',
      'calc_map_type_and_dist(',
      '{(',
      'pci_p2pdma_whitelist[]={',
      '//',
      '#',
    ]) {
      const growth = await growthOf(
        (size) => piece.repeat(size / piece.length),
        (text) => readPathRule(text, text),
      );
      expect(growth.perDoubling, piece).toBeLessThan(3);
    }
  });

  it('has no words of any length in what is said of it', () => {
    const rows = table(`{${'A'.repeat(1e5)}, 0x1, 0}`, '{}');
    for (const { why } of read(source(FUNCTIONS, rows)).changed) expect(why.length).toBeLessThan(300);
  });

  it('may stop anywhere', () => {
    const whole = source();
    for (let length = 0; length < whole.length; length += 7)
      expect(readPathRule(whole.slice(0, length), IDS, KNOWN).hostBridges.length).toBeLessThanOrEqual(3);
  });
});

it('a preprocessor line is one token, also over several lines and beside strings with its sign', () => {
  expect(tokensOf('#  define A \\\n 1 // x\nf("#b", \'"\'); # c\n')).toEqual([
    '#define A 1',
    'f',
    '(',
    '"#b"',
    ',',
    `'"'`,
    ')',
    ';',
    '#',
    'c',
  ]);
  const tokens = tokensOf('int f(void); int g(void) { return f(); } int f(void) { return 1; }');
  expect(definitionsOf(tokens, bracketsOf(tokens), 'f')).toEqual([
    ['f', '(', 'void', ')', '{', 'return', '1', ';', '}'],
  ]);
});
