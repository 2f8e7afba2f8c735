/**
 * Names of Rust functions, which the kernel prints as the linker has them (v0 mangling, Rust RFC 2603). A reader goes
 * through the name once; what refers back is read again, so steps and nesting have a maximum.
 */

const STEPS_MAX = 500;
const NESTED_MAX = 64;
const BOUND_MAX = 26;
const SOURCE_MAX = 600;

const BASIC: Readonly<Record<string, string>> = {
  a: 'i8',
  b: 'bool',
  c: 'char',
  d: 'f64',
  e: 'str',
  f: 'f32',
  h: 'u8',
  i: 'isize',
  j: 'usize',
  l: 'i32',
  m: 'u32',
  n: 'i128',
  o: 'u128',
  p: '_',
  s: 'i16',
  t: 'u16',
  u: '()',
  v: '...',
  x: 'i64',
  y: 'u64',
  z: '!',
};
const NAME = /^_R[A-Z][A-Za-z0-9_]{1,510}$/;

/** A Rust function as its source names it, without hashes of crates; any other name as it is. */
export function rustName(name: string): string {
  if (!NAME.test(name)) return name;
  try {
    const source = new Reader(name.slice(2)).path(true);
    return source.length > SOURCE_MAX ? name : source;
  } catch (error) {
    if (error instanceof Unreadable) return name;
    throw error;
  }
}

class Unreadable extends Error {}

/** Lifetimes have no names in a mangled name; they get letters, outermost first. */
function lifetimeAt(depth: number): string {
  return `'${String.fromCharCode(97 + depth)}`;
}

class Reader {
  #at = 0;
  #steps = 0;
  #nested = 0;
  /** Lifetimes that are bound around here. */
  #bound = 0;

  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** @param isValue whether it names a function or a constant: arguments of types stand behind `::` then */
  path(isValue: boolean): string {
    return this.#nest(() => {
      switch (this.#take()) {
        case 'C':
          return this.#identifier().name;
        case 'M':
          this.#implementation();
          return `<${this.#type()}>`;
        case 'X':
          this.#implementation();
          return this.#asTrait();
        case 'Y':
          return this.#asTrait();
        case 'N':
          return this.#inNamespace(isValue);
        case 'I': {
          const generic = this.path(isValue);
          return `${generic}${isValue ? '::' : ''}<${this.#until(() => this.#argument()).join(', ')}>`;
        }
        case 'B':
          return this.#back(() => this.path(isValue));
        default:
          throw new Unreadable();
      }
    });
  }

  #asTrait(): string {
    const type = this.#type();
    return `<${type} as ${this.path(false)}>`;
  }

  /** Where an `impl` stands tells only methods of the same name apart. */
  #implementation(): void {
    this.#disambiguator();
    this.path(false);
  }

  #inNamespace(isValue: boolean): string {
    const namespace = this.#take();
    const outer = this.path(isValue);
    const { name, number } = this.#identifier();
    if (/^[a-z]$/.test(namespace)) return name === '' ? outer : `${outer}::${name}`;
    const kind = namespace === 'C' ? 'closure' : namespace === 'S' ? 'shim' : namespace;
    return `${outer}::{${kind}${name === '' ? '' : `:${name}`}#${number}}`;
  }

  #argument(): string {
    if (this.#skip('L')) return this.#lifetime();
    return this.#skip('K') ? this.#constant() : this.#type();
  }

  #type(): string {
    return this.#nest(() => {
      const letter = this.#take();
      const basic = BASIC[letter];
      if (basic !== undefined) return basic;
      switch (letter) {
        case 'A':
          return `[${this.#type()}; ${this.#constant()}]`;
        case 'S':
          return `[${this.#type()}]`;
        case 'T': {
          const types = this.#until(() => this.#type());
          return `(${types.join(', ')}${types.length === 1 ? ',' : ''})`;
        }
        case 'R':
          return `&${this.#referred()}`;
        case 'Q':
          return `&${this.#referred('mut ')}`;
        case 'P':
          return `*const ${this.#type()}`;
        case 'O':
          return `*mut ${this.#type()}`;
        case 'F':
          return this.#bind(() => this.#pointer());
        case 'D': {
          const traits = this.#bind(() => this.#until(() => this.#trait()).join(' + '));
          if (!this.#skip('L')) throw new Unreadable();
          const lifetime = this.#lifetime();
          return `dyn ${traits}${lifetime === "'_" ? '' : ` + ${lifetime}`}`;
        }
        case 'B':
          return this.#back(() => this.#type());
        default:
          this.#at -= 1;
          return this.path(false);
      }
    });
  }

  #referred(mutable = ''): string {
    const lifetime = this.#skip('L') ? this.#lifetime() : "'_";
    return `${lifetime === "'_" ? '' : `${lifetime} `}${mutable}${this.#type()}`;
  }

  #pointer(): string {
    const unsafe = this.#skip('U') ? 'unsafe ' : '';
    const abi = this.#skip('K') ? `extern "${this.#skip('C') ? 'C' : this.#bare().replaceAll('_', '-')}" ` : '';
    const taken = this.#until(() => this.#type()).join(', ');
    const given = this.#type();
    return `${unsafe}${abi}fn(${taken})${given === '()' ? '' : ` -> ${given}`}`;
  }

  #trait(): string {
    const path = this.path(false);
    const types: string[] = [];
    while (this.#skip('p')) types.push(`${this.#bare()} = ${this.#type()}`);
    if (types.length === 0) return path;
    return path.endsWith('>') ? `${path.slice(0, -1)}, ${types.join(', ')}>` : `${path}<${types.join(', ')}>`;
  }

  #constant(): string {
    return this.#nest(() => {
      const type = this.#take();
      if (type === 'p') return '_';
      if (type === 'B') return this.#back(() => this.#constant());
      const sign = this.#skip('n') ? '-' : '';
      const end = this.#text.indexOf('_', this.#at);
      const digits = this.#text.slice(this.#at, end);
      if (end === -1 || !/^[0-9a-f]{0,32}$/.test(digits)) throw new Unreadable();
      this.#at = end + 1;
      const value = BigInt(`0x0${digits}`);
      if (type === 'b') return value === 0n ? 'false' : 'true';
      if (type === 'c')
        return value > 0x20n && value < 0x7fn
          ? `'${String.fromCharCode(Number(value))}'`
          : `'\\u{${value.toString(16)}}'`;
      if (!'ahijlmnostxy'.includes(type)) throw new Unreadable();
      return `${sign}${value}`;
    });
  }

  #lifetime(): string {
    const number = this.#base62();
    if (number > this.#bound) throw new Unreadable();
    return number === 0 ? "'_" : lifetimeAt(this.#bound - number);
  }

  /** A type or bounds that may begin with `for<'a>`. */
  #bind(read: () => string): string {
    const before = this.#bound;
    const names: string[] = [];
    if (this.#skip('G')) {
      for (let more = this.#base62() + 1; more > 0; more -= 1) {
        if (this.#bound >= BOUND_MAX) throw new Unreadable();
        names.push(lifetimeAt(this.#bound));
        this.#bound += 1;
      }
    }
    const bound = read();
    this.#bound = before;
    return names.length === 0 ? bound : `for<${names.join(', ')}> ${bound}`;
  }

  #identifier(): { name: string; number: number } {
    const number = this.#disambiguator();
    return { name: this.#bare(), number };
  }

  #disambiguator(): number {
    return this.#skip('s') ? this.#base62() + 1 : 0;
  }

  #bare(): string {
    // Names beyond ASCII are in Punycode.
    const isPunycode = this.#skip('u');
    const digits = /^(?:0|[1-9]\d{0,2})/.exec(this.#text.slice(this.#at, this.#at + 3))?.[0];
    if (digits === undefined || isPunycode) throw new Unreadable();
    this.#at += digits.length;
    this.#skip('_');
    const length = Number(digits);
    const name = this.#text.slice(this.#at, this.#at + length);
    if (name.length < length) throw new Unreadable();
    this.#at += length;
    return name;
  }

  /** `_` is 0, `0_` is 1. */
  #base62(): number {
    const end = this.#text.indexOf('_', this.#at);
    const digits = this.#text.slice(this.#at, end);
    if (end === -1 || !/^[0-9a-zA-Z]{0,12}$/.test(digits)) throw new Unreadable();
    this.#at = end + 1;
    if (digits === '') return 0;
    let value = 0;
    for (const digit of digits) {
      value = value * 62 + '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'.indexOf(digit);
    }
    return value + 1;
  }

  /** Reads what stands earlier in the name once more. */
  #back(read: () => string): string {
    const from = this.#at - 1;
    const to = this.#base62();
    if (to >= from) throw new Unreadable();
    const behind = this.#at;
    this.#at = to;
    const text = read();
    this.#at = behind;
    return text;
  }

  #until(read: () => string): string[] {
    const items: string[] = [];
    while (!this.#skip('E')) items.push(read());
    return items;
  }

  #nest(read: () => string): string {
    this.#nested += 1;
    this.#steps += 1;
    if (this.#nested > NESTED_MAX || this.#steps > STEPS_MAX) throw new Unreadable();
    const text = read();
    this.#nested -= 1;
    return text;
  }

  #take(): string {
    const letter = this.#text[this.#at];
    if (letter === undefined) throw new Unreadable();
    this.#at += 1;
    return letter;
  }

  #skip(letter: string): boolean {
    if (this.#text[this.#at] !== letter) return false;
    this.#at += 1;
    return true;
  }
}
