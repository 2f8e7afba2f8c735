/** Progress as one changing line on a terminal; as a few lines when the output is a file or a CI log. */
export interface Terminal {
  /** Prints a line. */
  say(line: string): void;
  /** Begins a numbered step. Call `done` at its end. */
  step(title: string): { progress: (percent: number, text: string) => void; done: (detail?: string) => void };
}

/** Without a terminal a line is printed for each of these steps, in percent. */
const COARSE_STEP = 20;

export function createTerminal(out: NodeJS.WriteStream, steps: number): Terminal {
  const live = out.isTTY;
  let number = 0;
  let transient = '';
  const clear = (): void => {
    if (transient !== '') out.write(`\r${' '.repeat(transient.length)}\r`);
    transient = '';
  };
  const say = (line: string): void => {
    clear();
    out.write(`${line}\n`);
  };
  return {
    say,
    step(title) {
      number += 1;
      const label = `[${number}/${steps}] ${title}`;
      const startedAt = Date.now();
      let printed = 0;
      if (live) {
        transient = `${label} …`;
        out.write(transient);
      }
      return {
        progress(percent, text) {
          if (live) {
            clear();
            const elapsed = (Date.now() - startedAt) / 1000;
            const left =
              percent > 3 && percent < 100 ? `, about ${Math.ceil((elapsed / percent) * (100 - percent))} s left` : '';
            transient = `${label} ${Math.round(percent)} % ${text}${left}`.slice(0, (out.columns ?? 100) - 1);
            out.write(transient);
          } else if (percent >= printed + COARSE_STEP) {
            printed = Math.floor(percent / COARSE_STEP) * COARSE_STEP;
            out.write(`${label} ${printed} % ${text}\n`);
          }
        },
        done(detail = 'done') {
          say(`${label}: ${detail} (${((Date.now() - startedAt) / 1000).toFixed(1)} s)`);
        },
      };
    },
  };
}
