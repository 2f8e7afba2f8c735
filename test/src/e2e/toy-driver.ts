import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';

const SOURCE = `// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
#include <linux/memremap.h>

static int __init toy_init(void)
{
	pr_info("peerlab toy driver: a pagemap has %zu bytes here\\n", sizeof(struct dev_pagemap));
	return 0;
}
module_init(toy_init);

static void __exit toy_exit(void) { }
module_exit(toy_exit);

MODULE_DESCRIPTION("A driver from outside of the tree");
MODULE_LICENSE("GPL");
`;
/** What a kernel that has moved on does to a driver. */
const BROKEN = SOURCE.replace('return 0;', 'return toy_of_an_older_kernel();');

/**
 * Puts two drivers for kernels into a site's `kernel/drivers`, `toy` and `broken`, which does not build, and says in the
 * config that the first machine needs both.
 */
export async function giveDrivers(folder: string, configFile: string): Promise<void> {
  for (const [name, source] of [
    ['toy', SOURCE],
    ['broken', BROKEN],
  ] as const) {
    const place = join(folder, 'kernel/drivers', name);
    await mkdir(place, { recursive: true });
    await writeFile(join(place, 'driver.json'), JSON.stringify({ version: '1.0', modules: ['toy'] }));
    await writeFile(join(place, 'Makefile'), 'obj-m := toy.o\n');
    await writeFile(join(place, 'toy.c'), source);
  }
  const config = parse(await readFile(configFile, 'utf8')) as { machines: [object] };
  config.machines = [{ ...config.machines[0], drivers: ['toy', 'broken'] }];
  await writeFile(configFile, stringify(config));
}
