import type { AgentConfig, MachineConfig } from './config/agent-config.js';
import type { DriverContext, DriverSettings } from './machine/driver.js';
import type { Machine } from './machine/protocols.js';
import { type AbilityOf, createAbility } from './machine/registry.js';
import { openSigner } from './signing/index.js';

/** Work that goes on for the agent's life; ends when the signal is aborted. */
export type BackgroundWork = (signal: AbortSignal) => Promise<void>;

/** The machine that a config describes. What its drivers do in the background is handed to `background`. */
export function composeMachine(
  config: MachineConfig,
  agent: Pick<AgentConfig, 'bmcs' | 'stateDir' | 'signing'>,
  background: (work: BackgroundWork) => void,
): Machine {
  const context: DriverContext = {
    machine: config.name,
    stateDir: agent.stateDir,
    runInBackground: background,
    bmc: (name) => {
      const bmc = agent.bmcs[name];
      if (bmc === undefined)
        throw new Error(`${config.name} refers to the BMC ${name}, which the config does not describe`);
      return bmc;
    },
  };
  const orNull = <F extends 'watchdog' | 'disk' | 'console' | 'initramfs'>(
    field: F,
    settings: DriverSettings | undefined,
  ): AbilityOf<F> | null => (settings === undefined ? null : createAbility(field, settings, context));
  const [power = null, ...otherPower] = [config.power ?? []]
    .flat()
    .map((settings) => createAbility('power', settings, context));
  return {
    name: config.name,
    description: config.description,
    labels: config.labels,
    kernelArguments: config.kernelArguments,
    firmwareMs: config.firmwareSeconds === undefined ? null : config.firmwareSeconds * 1000,
    access: createAbility('shell', config.shell, context),
    power,
    otherPower,
    watchdog: orNull('watchdog', config.watchdog),
    disk: orNull('disk', config.disk),
    console: orNull('console', config.console),
    boot: createAbility('boot', config.boot, context),
    initramfs: orNull('initramfs', config.initramfs),
    drivers: config.drivers,
    deviceMemory: config.deviceMemory.map((memory) => createAbility('deviceMemory', memory, context)),
    link: config.link ?? null,
    signer: agent.signing === undefined ? null : openSigner(agent.signing),
  };
}
