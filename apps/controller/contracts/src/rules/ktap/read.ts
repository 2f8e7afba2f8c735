import { KtapReader } from './reader.js';
import type { KtapNode, KtapTotals } from './tree.js';

/** A whole text as a tree: the root stands for the document and has no name. */
export interface KtapTree {
  tree: KtapNode;
  totals: KtapTotals;
  /** Failures that no XFAIL or TODO explains. */
  realFailures: number;
}

/** Reads all lines, numbered from 1. See KtapReader. */
export function readKtap(lines: Iterable<string>): KtapTree {
  const reader = new KtapReader();
  let at = 0;
  for (const line of lines) {
    at += 1;
    reader.push(line, at);
  }
  const { status, totals, realFailures, nodes, inner, plan, missing, errors, warnings } = reader.end(at);
  const tree: KtapNode = {
    name: '',
    path: '',
    number: null,
    status,
    directive: null,
    diagnostic: null,
    line: 0,
    plan,
    missing,
    isAnnounced: true,
    children: nodes,
    inner,
    errors,
    warnings,
    log: [],
  };
  return { tree, totals, realFailures };
}
