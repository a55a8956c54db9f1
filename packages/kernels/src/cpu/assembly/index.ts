// Entry points: a leader that runs a list of commands, and the workers that help it.

import { attention, attentionScratch, AttentionSizes } from './attention';
import { attentionGrad, attentionGradScratch } from './attention-grad';
import { inputOf, nextCommand, opcodeOf, outputOf, programOf, sizesOf } from './command';
import { conv2d, conv2dScratch } from './conv2d';
import { conv2dFilterGrad, conv2dFilterGradScratch } from './conv2d-filter-grad';
import { conv2dInputGrad, conv2dInputGradScratch } from './conv2d-input-grad';
import { Conv2dGeometry } from './conv2d-tile';
import { gather } from './gather';
import { gatherGrad } from './gather-grad';
import { groupNorm } from './group-norm';
import { groupNormGrad } from './group-norm-grad';
import { layerNorm } from './layer-norm';
import { layerNormGrad } from './layer-norm-grad';
import { LIST_COMMANDS, LIST_COUNT, SCRATCH } from './layout';
import { map } from './map';
import { matmul, matmulScratch, MatmulSizes } from './matmul';
import * as op from './opcodes';
import { unbind } from './program';
import { reduce } from './reduce';
import { softmax } from './softmax';
import { closeTeam, joinTeam, leaveTeam, openTeam } from './threads';

export { failTeam as fail } from './threads';

/** Runs a list of commands as thread 0 and returns when it is done. `maySleep` is false in a page's main thread. */
export function lead(commands: usize, count: i32, maySleep: bool): void {
  openTeam(commands, count, maySleep);
  run(commands, count, 0);
  closeTeam();
}

/** Helps with every list of commands; never returns. */
export function serve(thread: i32): void {
  for (;;) {
    joinTeam();
    run(load<u32>(LIST_COMMANDS), load<i32>(LIST_COUNT), thread);
    leaveTeam();
  }
}

/**
 * Bytes of scratch memory that a kernel of these sizes needs on so many threads, for kernels that decide themselves how
 * they cut their work. A number larger than memory where it would not fit.
 */
export function scratchBytes(opcode: i32, sizes: usize, threads: i32): f64 {
  switch (opcode) {
    case op.MATMUL:
      return <f64>matmulScratch(changetype<MatmulSizes>(sizes), threads);
    case op.CONV2D:
      return <f64>conv2dScratch(changetype<Conv2dGeometry>(sizes), threads);
    case op.CONV2D_INPUT_GRAD:
      return <f64>conv2dInputGradScratch(changetype<Conv2dGeometry>(sizes), threads);
    case op.CONV2D_FILTER_GRAD:
      return <f64>conv2dFilterGradScratch(changetype<Conv2dGeometry>(sizes), threads);
    case op.ATTENTION:
      return <f64>attentionScratch(changetype<AttentionSizes>(sizes), threads);
    case op.ATTENTION_GRAD:
      return <f64>attentionGradScratch(changetype<AttentionSizes>(sizes), threads);
    default:
      return 0;
  }
}

function run(command: usize, count: i32, thread: i32): void {
  unbind();
  const scratch = <usize>load<u32>(SCRATCH);
  for (; count > 0; count--) {
    runCommand(command, scratch, thread);
    command = nextCommand(command);
  }
}

function runCommand(command: usize, scratch: usize, thread: i32): void {
  const a = inputOf(command, 0);
  const b = inputOf(command, 1);
  const output = outputOf(command, 0);
  const sizes = sizesOf(command);
  const epilogue = programOf(command) != 0 ? command : 0;
  switch (opcodeOf(command)) {
    case op.MAP:
      return map(command, thread);
    case op.REDUCE:
      return reduce(command, scratch, thread);
    case op.MATMUL:
      return matmul(a, b, output, sizes, epilogue, scratch, thread);
    case op.CONV2D:
      return conv2d(a, b, output, sizes, epilogue, scratch, thread);
    case op.CONV2D_INPUT_GRAD:
      return conv2dInputGrad(a, b, output, sizes, epilogue, scratch, thread);
    case op.CONV2D_FILTER_GRAD:
      return conv2dFilterGrad(a, b, output, sizes, scratch, thread);
    case op.GROUP_NORM:
      return groupNorm(command, scratch);
    case op.GROUP_NORM_GRAD:
      return groupNormGrad(command, scratch);
    case op.LAYER_NORM:
      return layerNorm(command);
    case op.LAYER_NORM_GRAD:
      return layerNormGrad(command, scratch);
    case op.ATTENTION:
      return attention(
        a,
        b,
        inputOf(command, 2),
        output,
        outputOf(command, 1),
        sizes,
        scratch,
        thread,
      );
    case op.ATTENTION_GRAD:
      return attentionGrad(
        a,
        b,
        inputOf(command, 2),
        inputOf(command, 3),
        inputOf(command, 4),
        inputOf(command, 5),
        output,
        outputOf(command, 1),
        outputOf(command, 2),
        sizes,
        scratch,
        thread,
      );
    case op.SOFTMAX:
      return softmax(command);
    case op.GATHER:
      return gather(command);
    case op.GATHER_GRAD:
      return gatherGrad(command);
    default:
      unreachable();
  }
}
