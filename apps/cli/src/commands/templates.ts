import type { Answer, Context } from '../command.js';
import { UsageError } from '../exit-codes.js';
import { table } from '../render/text.js';

/** Run files that the controller offers to start from. */
export async function listTemplates({ api }: Context): Promise<Answer> {
  const templates = await api.call('listTemplates', {});
  const rows = templates.map(({ name, description }) => [name, description]);
  return { data: templates, text: table([['TEMPLATE', 'DESCRIPTION'], ...rows]) };
}

/** The YAML of a template. Throws a UsageError that lists the names for any other one. */
export async function showTemplate({ api }: Context, name: string): Promise<Answer> {
  const templates = await api.call('listTemplates', {});
  const template = templates.find((each) => each.name === name);
  if (template !== undefined) return { data: template, text: template.yaml.trimEnd() };
  throw new UsageError(`there is no template "${name}"; use one of ${templates.map((each) => each.name).join(', ')}`);
}
