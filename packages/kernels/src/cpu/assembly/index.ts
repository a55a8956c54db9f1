// Entry points: a leader that runs a list of commands, and the workers that help it.

import { attention } from './attention';
import { attentionGrad } from './attention-grad';
import { floatSize, inputOf, nextCommand, opcodeOf, outputOf, programOf, size, sizesOf } from './command';
import { conv2d } from './conv2d';
import { conv2dFilterGrad } from './conv2d-filter-grad';
import { conv2dInputGrad } from './conv2d-input-grad';
import { gather } from './gather';
import { gatherGrad } from './gather-grad';
import { groupNorm } from './group-norm';
import { groupNormGrad } from './group-norm-grad';
import { layerNorm } from './layer-norm';
import { layerNormGrad } from './layer-norm-grad';
import { LIST_COMMANDS, LIST_COUNT, SCRATCH } from './layout';
import { map } from './map';
import { matmul } from './matmul';
import * as op from './opcodes';
import { unbind } from './program';
import { reduce } from './reduce';
import { softmax } from './softmax';
import { closeTeam, joinTeam, leaveTeam, openTeam } from './threads';

export { failTeam as fail } from './threads';

/** Runs a list of commands as thread 0 and returns when it is done. `maySleep` is false in a page's main thread. */
export function lead(commands: usize, count: i32, threads: i32, maySleep: bool): void {
  openTeam(commands, count, maySleep);
  run(commands, count, 0, threads);
  closeTeam();
}

/** Helps with every list of commands; never returns. */
export function serve(thread: i32, threads: i32): void {
  for (;;) {
    joinTeam();
    run(load<u32>(LIST_COMMANDS), load<i32>(LIST_COUNT), thread, threads);
    leaveTeam();
  }
}

function run(command: usize, count: i32, thread: i32, threads: i32): void {
  unbind();
  const scratch = <usize>load<u32>(SCRATCH);
  for (; count > 0; count--) {
    runCommand(command, scratch, thread, threads);
    command = nextCommand(command);
  }
}

function runCommand(command: usize, scratch: usize, thread: i32, threads: i32): void {
  const a = inputOf(command, 0);
  const b = inputOf(command, 1);
  const output = outputOf(command, 0);
  const epilogue = programOf(command) != 0 ? command : 0;
  switch (opcodeOf(command)) {
    case op.MAP:
      return map(command, thread);
    case op.REDUCE:
      return reduce(command, scratch, thread);
    case op.MATMUL:
      return matmul(
        a,
        b,
        output,
        size(command, 0),
        size(command, 1),
        size(command, 2),
        size(command, 3),
        size(command, 4) != 0,
        size(command, 5) != 0,
        size(command, 6),
        size(command, 7),
        epilogue,
        scratch,
        thread,
        threads,
      );
    case op.CONV2D:
      return conv2d(a, b, output, sizesOf(command), epilogue, scratch, thread, threads);
    case op.CONV2D_INPUT_GRAD:
      return conv2dInputGrad(a, b, output, sizesOf(command), epilogue, scratch, thread, threads);
    case op.CONV2D_FILTER_GRAD:
      return conv2dFilterGrad(a, b, output, sizesOf(command), scratch, thread, threads);
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
        size(command, 0),
        size(command, 1),
        size(command, 2),
        size(command, 3),
        size(command, 4),
        floatSize(command, 5),
        scratch,
        thread,
        threads,
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
        size(command, 0),
        size(command, 1),
        size(command, 2),
        size(command, 3),
        size(command, 4),
        floatSize(command, 5),
        scratch,
        thread,
        threads,
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
