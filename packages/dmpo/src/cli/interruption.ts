/** Ctrl-C: the first asks the running job to stop in good order, the second ends the process at once. */

/** What a shell expects of a process that Ctrl-C ended. */
export const interruptedExitCode = 130;

/** Runs `job` with a signal that Ctrl-C (or a termination request) aborts. */
export async function interruptible<Result>(
  note: (line: string) => void,
  job: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(interruptedExitCode);
    note('\nStopping after this step. Press Ctrl-C again to stop at once.');
    controller.abort(new Interrupted());
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    return await job(controller.signal);
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

/** Thrown by work that the user interrupted. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor(message = 'Interrupted.') {
    super(message);
  }
}
