import { KtapDocuments } from './documents.js';
import { indentOf, KTAP_LINE_MAX } from './lines.js';
import {
  addError,
  addTest,
  endsLevel,
  isAnnounced,
  isFull,
  isNothing,
  type Level,
  mergeLevel,
  newLevel,
} from './level.js';
import { KtapSource } from './source.js';
import { parseStructure, type ResultLine, type StructureLine } from './structure.js';
import {
  cutLogLine,
  DEPTH_MAX,
  keepMessage,
  type KtapNode,
  type KtapSummary,
  LOG_KEPT,
  LOG_LINES_MAX,
  NODES_MAX,
  SiblingNames,
} from './tree.js';

/** Lines after which the kernel says nothing of a test any more; the kernel's parser stops there too. */
const END = /List of all partitions:|Kernel panic - not syncing: VFS:|reboot: System halted/;
/** Programs in programs: kselftest's runner shows one level. */
const INNER_MAX = 3;

/**
 * Reads KTAP or TAP line by line as a tree: sub-tests by indentation, by `# Subtest:`, by a version of their own, and
 * what kselftest's runner shows behind `# `. Several documents after each other are read as one. Time is linear in
 * the text, memory is bounded, and no input makes it throw. Lines of another source than the document's (with a
 * prefix of printk in a document without, or the other way round) are no part of it.
 */
export class KtapReader {
  #levels: Level[] = [];
  #isOver = false;
  readonly #source = new KtapSource();
  /** Of the first level of all documents. */
  #names = new SiblingNames();
  /** Indentation of the YAML block that is being passed over; null outside of one. */
  #yamlIndent: number | null = null;
  #bailOut: string | null = null;

  readonly #documents = new KtapDocuments();
  readonly #inner: KtapNode[] = [];
  readonly #nodes: KtapNode[] = [];

  readonly #onTest: (node: KtapNode) => void;
  readonly #depth: number;
  readonly #room: { nodes: number; logLines: number };

  /** @param onTest gets every test of the first level as soon as it is complete; else `end` returns them */
  constructor(onTest?: (node: KtapNode) => void, depth = 0, room = { nodes: NODES_MAX, logLines: LOG_LINES_MAX }) {
    this.#onTest = onTest ?? ((node) => void this.#nodes.push(node));
    this.#depth = depth;
    this.#room = room;
  }

  /** One line without its end; `at` becomes `line` of a test whose result it is. */
  push(raw: string, at: number): void {
    const line = raw.length > KTAP_LINE_MAX ? raw.slice(0, KTAP_LINE_MAX) : raw.trimEnd();
    const text = this.#source.textOf(line);
    const indent = text === null ? 0 : indentOf(text);
    const body = text === null ? line : text.slice(indent);
    const structure = text === null ? null : this.#structure(body, indent);
    if (this.#isOver && structure?.type !== 'version') return;
    if (structure !== null) this.#take(structure, indent, at, line);
    else if (this.#levels.length > 0 && END.test(line)) this.#endDocument(at);
    else this.#note(body, at);
  }

  /** The rest of the tests, and what is to be said of the whole. A reader is not used again after it. */
  end(at = 0): KtapSummary {
    this.#endDocument(at);
    return this.#documents.summary(this.#nodes, this.#inner);
  }

  get #top(): Level {
    return this.#levels.at(-1) as Level;
  }

  #structure(body: string, indent: number): StructureLine | null {
    if (this.#isInYaml(body, indent)) return null;
    const level = this.#levels.at(-1);
    const structure = parseStructure(body, level?.isTap === true);
    if (structure?.type !== 'result' || structure.number !== null || structure.test === '' || !structure.ok)
      return structure;
    // Among numbered results, "ok so far" is talk.
    return level?.isNumbered === true ? null : structure;
  }

  /** A block of YAML belongs to the result before it, whatever its lines look like. */
  #isInYaml(body: string, indent: number): boolean {
    if (this.#yamlIndent === null) {
      const level = this.#levels.at(-1);
      if (body === '---' && level !== undefined && level.count > 0 && indent > level.indent) this.#yamlIndent = indent;
      return this.#yamlIndent !== null;
    }
    if (indent < this.#yamlIndent && body !== '') this.#yamlIndent = null;
    else if (indent === this.#yamlIndent && body === '...') this.#yamlIndent = null;
    else return true;
    return body === '...';
  }

  #take(structure: StructureLine, indent: number, at: number, line: string): void {
    if (structure.type === 'bail-out') {
      if (this.#levels.length > 0) this.#bailOut = structure.reason;
      return;
    }
    if (structure.type === 'version') this.#beginSource(line);
    const root = this.#levels[0];
    if (root === undefined) this.#levels.push(newLevel(indent, { names: this.#names }));
    else if (indent < root.indent && !root.hasVersion) {
      // What was taken for the document are sub-tests.
      if (this.#documents.count === 0) this.#names = new SiblingNames();
      this.#levels.unshift(newLevel(indent, { names: this.#names }));
    }
    const own = Math.max(indent, this.#levels[0]?.indent ?? 0);
    if (structure.type === 'result') {
      this.#takeResult(structure, own, at);
      return;
    }
    const left = this.#unwind(own, at);
    if (left !== null) this.#settle(this.#top, left, at);
    if (structure.type === 'version') this.#takeVersion(structure, own, at);
    else if (structure.type === 'plan') this.#takePlan(structure, own, at);
    else this.#takeHeader(structure.name, own, at);
  }

  /** The first version line says what stands before the lines of its document. */
  #beginSource(line: string): void {
    const root = this.#levels[0];
    // A plan in the output of a boot is no document.
    if (root !== undefined && this.#levels.length === 1 && isNothing(root)) this.#levels = [];
    if (this.#levels.length > 0) return;
    this.#isOver = false;
    this.#source.begin(line);
  }

  #takeVersion({ format, version }: Extract<StructureLine, { type: 'version' }>, indent: number, at: number): void {
    let level = this.#top;
    const isEmpty = level.plan === null && level.count === 0;
    if (indent > level.indent) level = this.#open(indent, false);
    else if (isEmpty && level.hasVersion && level.announced === null) {
      keepMessage(level.warnings, 'two version lines after each other');
    } else if (!isEmpty || level.hasVersion) {
      if (level.announced !== null || (level.plan !== null && !isFull(level))) level = this.#open(indent, true);
      else level = this.#replace(indent, at);
    }
    level.hasVersion = true;
    level.isTap = format === 'TAP';
    const isKnown = format === 'KTAP' ? version === 1 : version === 13 || version === 14;
    if (!isKnown) addError(level, `${format} version ${version} is not known`);
  }

  #takePlan(plan: Extract<StructureLine, { type: 'plan' }>, indent: number, at: number): void {
    let level = this.#top;
    if (indent > level.indent) level = this.#open(indent, false);
    else if (level.announced !== null) level = this.#open(indent, true);
    else if (level.plan !== null) {
      if (!isFull(level) || this.#levels.length > 1) {
        keepMessage(level.warnings, `a second plan, 1..${plan.count}, was not heeded`);
        return;
      }
      level = this.#replace(indent, at);
    }
    level.plan = plan.count;
    level.isPlanLate = level.count > 0;
    level.skipAll = plan.skip;
  }

  #takeHeader(name: string, indent: number, at: number): void {
    let level = this.#top;
    const isChild = this.#levels.length > 1;
    if (indent > level.indent) {
      const outer = level.announced;
      level = this.#open(indent, false);
      if (outer !== null) level.announced = name;
      else level.name = name;
    } else if (isChild && level.name === null && level.count === 0 && level.plan === null) level.name = name;
    else if (isChild && isFull(level)) this.#replace(indent, at).name = name;
    else level.announced = name;
  }

  #takeResult(result: ResultLine, indent: number, at: number): void {
    let child = this.#unwind(indent, at);
    // Sub-tests that say whose they are belong to no other test.
    if (child !== null && child.name !== null && result.test !== '' && child.name !== result.test) {
      this.#settle(this.#top, child, at);
      child = null;
    }
    if (indent > this.#top.indent) this.#open(indent, false);
    if (child === null && this.#top.announced !== null) {
      if (this.#top.announced === result.test) child = newLevel(indent, { name: result.test });
      else this.#open(indent, true);
    }
    if (child === null && this.#levels.length > 1 && endsLevel(this.#top, result)) child = this.#pop();
    this.#addTo(this.#top, result, child, at);
  }

  /** Leaves the levels below `indent`; returns the last of them, whose test has no result yet. */
  #unwind(indent: number, at: number): Level | null {
    let left: Level | null = null;
    while (this.#levels.length > 1 && this.#top.indent > indent) {
      const level = this.#pop();
      if (left !== null) this.#settle(level, left, at);
      left = level;
    }
    return left !== null && isNothing(left) ? null : left;
  }

  #pop(): Level {
    return this.#levels.pop() as Level;
  }

  /** A level below the top; the top itself where there are too many. */
  #open(indent: number, isInPlace: boolean): Level {
    const above = this.#top;
    if (this.#levels.length >= DEPTH_MAX) return above;
    const level = newLevel(indent, { isInPlace, name: above.announced, isTap: above.isTap });
    above.announced = null;
    this.#levels.push(level);
    return level;
  }

  /** Ends the top level and begins another in its place. */
  #replace(indent: number, at: number): Level {
    if (this.#levels.length === 1) {
      this.#endLevels(at);
      this.#levels.push(newLevel(indent, { names: this.#names }));
      return this.#top;
    }
    const level = this.#pop();
    this.#settle(this.#top, level, at);
    return this.#open(indent, level.isInPlace);
  }

  /** Sub-tests whose test has no result. */
  #settle(level: Level, left: Level, at: number): void {
    if (isAnnounced(left)) {
      if (!isNothing(left)) this.#addTo(level, null, left, at);
      return;
    }
    const isFirst = this.#isDelivered(level);
    mergeLevel(level, left);
    if (isFirst) for (const node of level.nodes.splice(0)) this.#deliver(node);
  }

  #addTo(level: Level, result: ResultLine | null, child: Level | null, at: number): void {
    const node = addTest(level, result, child, at);
    if (this.#room.nodes <= 0) {
      keepMessage(level.warnings, `more than ${NODES_MAX} tests: further ones are counted, not shown`);
      return;
    }
    this.#room.nodes -= 1;
    if (this.#isDelivered(level)) this.#deliver(node);
    else level.nodes.push(node);
  }

  /** A document without version may turn out to be the sub-tests of a test that is less indented. */
  #isDelivered(level: Level): boolean {
    return level === this.#levels[0] && (level.hasVersion || level.indent === 0);
  }

  #deliver(node: KtapNode): void {
    if (this.#depth === 0) setPaths(node, '');
    this.#onTest(node);
  }

  /** A line that is no structure: output of the running test. */
  #note(body: string, at: number): void {
    const level = this.#levels.at(-1);
    if (level === undefined || body === '') return;
    if (body.startsWith('# ') && this.#depth < INNER_MAX) {
      const said = body.slice(2);
      if (level.inner === null && /^\s{0,64}(?:K?TAP version \d|1\.\.\d)/.test(said))
        level.inner = new KtapReader(undefined, this.#depth + 1, this.#room);
      level.inner?.push(said, at);
    }
    if (level.log.length >= LOG_KEPT || this.#room.logLines <= 0) return;
    this.#room.logLines -= 1;
    level.log.push(cutLogLine(body));
  }

  /** The end of a document whose source says no more: what follows is nothing until a version line. */
  #endDocument(at: number): void {
    this.#endLevels(at);
    this.#isOver = true;
    this.#source.reset();
  }

  #endLevels(at: number): void {
    const left = this.#levels.length === 0 ? null : this.#unwind(-1, at);
    const root = this.#levels[0];
    if (left !== null) this.#settle(root as Level, left, at);
    this.#levels = [];
    this.#yamlIndent = null;
    if (root === undefined) return;
    for (const node of root.nodes) this.#deliver(node);
    for (const node of root.inner?.end(at).nodes ?? []) {
      node.path = this.#names.take(node.path);
      if (this.#depth === 0) setPaths(node, '');
      this.#inner.push(node);
    }
    this.#documents.add(root, this.#bailOut);
    this.#bailOut = null;
  }
}

/** Names of the levels above, before the name that is there already. */
function setPaths(node: KtapNode, above: string): void {
  node.path = `${above}${node.path}`;
  for (const child of [...node.children, ...node.inner]) setPaths(child, `${node.path}/`);
}
