/** Runs one contender written in TypeScript: `node serve.ts <module under contenders/> <options as JSON>`. */

import { createInterface } from 'node:readline';
import { type Contender, type PreparedWorkload, Unsupported } from './contender.js';
import { decodeInputs, encodeFloats, type Reply, type Request } from './protocol.js';

/** What a module under contenders/ exports. */
export interface ContenderModule {
  open(options: ContenderOptions): Promise<Contender>;
}

export interface ContenderOptions {
  readonly threads: number;
  /** The variant of the contender, where it has several. */
  readonly variant?: string | undefined;
}

/** stdout carries replies alone; what libraries print goes to stderr. */
console.log = console.info = console.error;

const [moduleName = '', options = '{}'] = process.argv.slice(2);
let contender: Contender | undefined;
let prepared: PreparedWorkload | undefined;

for await (const line of createInterface({ input: process.stdin })) {
  const reply = await answer(JSON.parse(line)).catch(failure);
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
// Libraries leave threads behind.
process.exit();

async function answer(request: Request): Promise<Reply> {
  switch (request.command) {
    case 'describe': {
      const { href } = new URL(`contenders/${moduleName}.ts`, import.meta.url);
      const module: ContenderModule = await import(href);
      contender = await module.open(JSON.parse(options));
      return { description: contender.description };
    }
    case 'prepare':
      prepared = await expected(contender).prepare(request.workload, decodeInputs(request.inputs));
      return { done: true };
    case 'outputs':
      return { outputs: (await expected(prepared).outputs()).map(encodeFloats) };
    case 'run': {
      const workload = expected(prepared);
      const milliseconds: number[] = [];
      for (let repetition = 0; repetition < request.repetitions; repetition++) {
        const start = performance.now();
        await workload.run();
        milliseconds.push(performance.now() - start);
      }
      return { milliseconds };
    }
    case 'release':
      expected(prepared).dispose?.();
      prepared = undefined;
      return { done: true };
    default:
      return request satisfies never;
  }
}

function failure(error: unknown): Reply {
  if (error instanceof Unsupported) return { unsupported: error.message };
  console.error(error);
  return { failed: String(error) };
}

function expected<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('A request came out of order.');
  return value;
}
