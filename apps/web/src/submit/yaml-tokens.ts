export interface YamlToken {
  kind: 'comment' | 'key' | 'string' | 'number' | 'mark' | null;
  text: string;
}

const TOKEN =
  /(?<comment>(?:^|(?<=\s))#.*$)|(?<key>^[ \t]*(?:- )*[A-Za-z0-9_.-]+(?=:(?:\s|$)))|(?<string>"(?:[^"\\\n]|\\.)*"|'[^'\n]*')|(?<number>(?<![\w.-])-?\d+(?:\.\d+)?(?![\w.-]))|(?<mark>[[\]{},]|^[ \t]*-(?= ))/gm;

/** Splits YAML into coloured pieces for reading; the parser in the controller decides what is right. */
export function yamlTokens(text: string): YamlToken[] {
  const tokens: YamlToken[] = [];
  let from = 0;
  for (const match of text.matchAll(TOKEN)) {
    if (match.index > from) tokens.push({ kind: null, text: text.slice(from, match.index) });
    const kind = Object.entries(match.groups ?? {}).find(([, value]) => value !== undefined)?.[0] as YamlToken['kind'];
    tokens.push({ kind, text: match[0] });
    from = match.index + match[0].length;
  }
  if (from < text.length) tokens.push({ kind: null, text: text.slice(from) });
  return tokens;
}
