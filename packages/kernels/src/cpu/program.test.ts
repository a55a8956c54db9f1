// Programs: what expressions are compiled to, apart from what they compute, which the tests of every device check.
import { describe, expect, it } from 'vitest';
import type { DType } from '../dtype.js';
import { pointwiseOps, pointwiseTable } from '../pointwise.js';
import { ExpressionBuilder } from '../testing/expression-builder.js';
import * as code from './assembly/opcodes.js';
import { opcodeOf } from './opcode.js';
import { compileProgram } from './program.js';
import { selectSteps } from './steps.js';

const SHAPE = [64, 1000];

function stepsOf(build: (builder: ExpressionBuilder) => number, shape: readonly number[] = SHAPE) {
  const builder = new ExpressionBuilder(shape);
  const expression = builder.build(build(builder));
  return selectSteps({ expression, shape, accumulatorPointer: 9, isAligned: true });
}

function programOf(
  build: (builder: ExpressionBuilder) => readonly number[],
  inPlace: [number, number][] = [],
) {
  const builder = new ExpressionBuilder(SHAPE);
  const expression = builder.build(...build(builder));
  const options = { outputPointer: 4, storesResults: true, isAligned: true, inPlace };
  return compileProgram({ expression, shape: SHAPE, ...options });
}

const opcodes = (steps: readonly { opcode: number }[]) => steps.map(({ opcode }) => opcode);

describe('program', () => {
  it('has an instruction for every operation on every dtype that it accepts, but for float16', () => {
    const accepted: Record<string, readonly DType[]> = {
      float: ['float32'],
      number: ['float32', 'int32', 'uint32'],
      integer: ['int32', 'uint32'],
      bool: ['bool'],
      any: ['float32', 'int32', 'uint32', 'bool'],
    };
    const missing: string[] = [];
    for (const op of pointwiseOps.filter((name) => name !== 'toFloat16')) {
      for (const dtype of accepted[pointwiseTable[op].accepts]) {
        try {
          opcodeOf(op, dtype);
        } catch {
          missing.push(`${op} of ${dtype}`);
        }
      }
    }
    expect(missing).toEqual([]);
  });

  it('fuses products with sums, unless something else needs the product', () => {
    const product = (b: ExpressionBuilder) => b.apply('mul', b.load(0), b.load(1));
    expect(opcodes(stepsOf((b) => b.apply('add', product(b), b.load(2))).varying)).toEqual([code.MADD_F]);
    expect(opcodes(stepsOf((b) => b.apply('add', b.load(2), product(b))).varying)).toEqual([code.MADD_F]);
    expect(opcodes(stepsOf((b) => b.apply('sub', b.load(2), product(b))).varying)).toEqual([code.NMADD_F]);
    expect(opcodes(stepsOf((b) => b.apply('sub', product(b), b.load(2))).varying)).toEqual([
      code.MUL_F,
      code.SUB_F,
    ]);
    const twice = stepsOf((b) => {
      const value = product(b);
      return b.apply('add', value, b.apply('exp', value));
    });
    expect(opcodes(twice.varying)).toEqual([code.MUL_F, code.EXP_F, code.ADD_F]);
  });

  it('computes once what is the same for all elements, and once a thread what repeats in every block', () => {
    const steps = stepsOf(
      (b) => {
        const scaled = b.apply('mul', b.scalar(0), b.scalar(1));
        const row = b.apply('exp', b.load(1, { view: { offset: 0, strides: [0, 1] } }));
        return b.apply('add', b.load(0), b.apply('mul', row, scaled));
      },
      [1000, 64],
    );
    expect(opcodes(steps.uniform)).toEqual([code.MUL_F]);
    expect(opcodes(steps.invariant)).toEqual([code.LOAD_PERIODIC, code.EXP_F, code.MUL_F]);
    expect(opcodes(steps.varying)).toEqual([code.ADD_F]);
    expect(steps.block % 64).toBe(0);
  });

  it('leaves out what no result needs, and conversions that change no bits', () => {
    const steps = stepsOf((b) => {
      b.apply('exp', b.load(1));
      return b.apply('toInt32', b.apply('toUint32', b.index()));
    });
    expect(opcodes([...steps.uniform, ...steps.invariant, ...steps.varying])).toEqual([code.LOAD_INDEX]);
  });

  it('uses registers again: a long chain needs no more memory than a short one', () => {
    const chain = (length: number) =>
      programOf((b) => {
        let value = b.load(0);
        for (let i = 0; i < length; i++) value = b.apply('add', b.apply('sin', value), b.load(1));
        return [value];
      });
    expect(chain(50).threadBytes).toBe(chain(10).threadBytes);
  });

  it('computes results where they are stored, with no copies', () => {
    const update = (inPlace: [number, number][]) =>
      programOf((b) => {
        const moment = b.apply('add', b.apply('mul', b.load(1), b.scalar(0)), b.load(2));
        return [b.apply('sub', b.load(0), moment), moment];
      }, inPlace);
    // The moment's old value is read before it is written, the parameter's only after: no copy either way.
    expect(update([[0, 0]]).cost).toBe(update([]).cost);
    // Writing the moment in place of the parameter would destroy what is still to be read.
    expect(update([[0, 1]]).cost).toBeGreaterThan(update([]).cost);
  });
});
