import { join } from 'node:path';
import type { StartOptions } from './options.js';

/** What the lab writes about its machines (agent-machines.json), as far as it matters who gets which. */
export interface LabDefinition {
  bmcs?: Record<string, object>;
  machines: { name: string }[];
}

/** An agent of `npm start`. */
export interface FarmAgent {
  /** At the controller. */
  name: string;
  /** Of its process; its files in the state folder begin with it. */
  service: string;
  tokenFile: string;
  configFile: string;
  config: object;
  /** Where its machines stand, when it has not all of them; the file of the lab otherwise. */
  machines: { file: string; definition: LabDefinition } | null;
}

type Settings = Pick<StartOptions, 'agents' | 'stateDir' | 'cacheDir' | 'root' | 'repositories' | 'testSlots'>;

/**
 * The agents and their configs. The machines are dealt out in turn, in the lab's order, so that the two of a pair have
 * different agents when there are two. Only the first one builds: the compiler's caches are one for all.
 */
export function farmAgents(options: Settings, url: string, lab: LabDefinition): FarmAgent[] {
  const { agents, stateDir, cacheDir } = options;
  const labFile = join(stateDir, 'lab/agent-machines.json');
  return Array.from({ length: agents }, (_, index) => {
    const isFirst = index === 0;
    const [name, service] = ['lab', 'agent'].map((of) => (isFirst ? of : `${of}-${index + 1}`)) as [string, string];
    const tokenFile = join(stateDir, `${service}.token`);
    const machines =
      agents === 1
        ? null
        : {
            file: join(stateDir, `${service}-machines.json`),
            definition: { ...lab, machines: lab.machines.filter((_, at) => at % agents === index) },
          };
    return {
      name,
      service,
      tokenFile,
      configFile: join(stateDir, `${service}.yaml`),
      machines,
      config: {
        controller: url,
        tokenFile,
        name,
        site: 'virtual-lab',
        stateDir: join(stateDir, service),
        cacheDir: isFirst ? cacheDir : join(stateDir, service, 'cache'),
        kernelDir: join(options.root, 'kernel'),
        repositories: options.repositories,
        capabilities: isFirst ? ['test', 'build'] : ['test'],
        buildSlots: 1,
        testSlots: options.testSlots,
        machinesFile: machines?.file ?? labFile,
      },
    };
  });
}
