/** A contender in a process of its own, so that nobody's threads, memory or compiled code are in anybody's way. */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { type ContenderDescription, type Inputs, Unsupported } from './contender.js';
import { decodeFloats, encodeInputs, type Reply, type Request } from './protocol.js';
import type { ContenderProgram } from './roster.js';
import type { Processor, Workload } from './workloads.js';

export class ContenderProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;
  #errors = '';

  private constructor(
    readonly id: string,
    /** It takes part in their workloads. */
    readonly processors: readonly Processor[],
    program: string,
    args: readonly string[],
  ) {
    this.#child = spawn(program, args);
    this.#reader = createInterface({ input: this.#child.stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = `${this.#errors}${text}`.slice(-2000);
    });
    // A process that cannot start or dies closes its stdout, which `#ask` reports.
    this.#child.on('error', (error) => {
      this.#errors += error.message;
      this.#reader.close();
    });
    this.#child.stdin.on('error', () => {});
  }

  /** Starts the process and waits until its library is loaded. */
  static async start({
    id,
    processors,
    program,
    args,
  }: ContenderProgram): Promise<{ contender: ContenderProcess; description: ContenderDescription }> {
    const contender = new ContenderProcess(id, processors, program, args);
    try {
      const reply = await contender.#ask({ command: 'describe' });
      if (!('description' in reply)) throw unexpected(reply);
      return { contender, description: reply.description };
    } catch (error) {
      contender.stop();
      throw error;
    }
  }

  /** Throws `Unsupported`. */
  async prepare(workload: Workload, inputs: Inputs): Promise<void> {
    await this.#ask({ command: 'prepare', workload, inputs: encodeInputs(inputs) });
  }

  async outputs(): Promise<Float32Array[]> {
    const reply = await this.#ask({ command: 'outputs' });
    if (!('outputs' in reply)) throw unexpected(reply);
    return reply.outputs.map(decodeFloats);
  }

  /** Milliseconds of each repetition. */
  async run(repetitions: number): Promise<readonly number[]> {
    const reply = await this.#ask({ command: 'run', repetitions });
    if (!('milliseconds' in reply)) throw unexpected(reply);
    return reply.milliseconds;
  }

  async release(): Promise<void> {
    await this.#ask({ command: 'release' });
  }

  stop(): void {
    this.#child.kill();
    this.#reader.close();
  }

  async #ask(request: Request): Promise<Reply> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const { done, value } = await this.#lines.next();
    if (done) throw new Error(`its process ended. ${this.#errors.trim()}`);
    const reply: Reply = JSON.parse(value);
    if ('unsupported' in reply) throw new Unsupported(reply.unsupported);
    if ('failed' in reply) throw new Error(reply.failed);
    return reply;
  }
}

function unexpected(reply: Reply): Error {
  return new Error(`Unexpected reply: ${JSON.stringify(reply).slice(0, 200)}`);
}
