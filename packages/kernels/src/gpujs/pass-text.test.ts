// The text of passes as gpu.js takes it.
import { describe, expect, it } from 'vitest';
import { portableProgram } from '../portable/program.js';
import { input, type PortablePass } from '../portable/types.js';
import { passText } from './pass-text.js';

function pass(body: PortablePass['body'], count: number): PortablePass {
  return { body, constants: {}, arguments: Array.from({ length: count }, (_, i) => input(i)), elements: 1 };
}

describe('the text of a pass', () => {
  it('is that of the portable function', () => {
    const { passes } = portableProgram({
      kind: 'matmul',
      ...{ batch: 1, m: 1, n: 1, k: 1, transposeA: false, transposeB: false, batchedA: true, batchedB: true },
      inputs: ['float32', 'float32'],
      scalars: [],
    });
    const { body, arguments: passArguments, helpers } = passText(passes[0]);
    expect(body).toMatch(
      /^function matmul\(a, b\) \{\n {2}const column = this\.thread\.x % this\.constants\.n;/,
    );
    expect(passArguments).toEqual([input(0), input(1)]);
    expect(helpers).toEqual([]);
  });

  it('has the parameters that the body uses, and no others', () => {
    const text = passText(
      pass('function map(input0, input1, input11) {\nreturn input1[0] + input11[0];\n}', 3),
    );
    expect(text.body).toBe('function map(input1, input11) {\nreturn input1[0] + input11[0];\n}');
    expect(text.arguments).toEqual([input(1), input(2)]);
    expect(passText(pass('function map() {\nreturn 1;\n}', 0)).arguments).toEqual([]);
  });

  it('comes with the functions that it calls, and those that they call', () => {
    const { helpers } = passText(pass('function map(input0) {\nreturn randomNormal(1, 2, input0[0]);\n}', 1));
    const names = helpers.map((text) => /^function (\w+)/.exec(text)?.[1]);
    expect(names.sort()).toEqual(['multiplyQ24', 'normalFromWords', 'randomNormal', 'threefry']);
  });

  it('writes NaN as gpu.js can', () => {
    expect(passText(pass('function map() {\nreturn NaN;\n}', 0)).body).toContain('return (0 / 0);');
  });

  it('is refused for a function of which there is no text', () => {
    const unknown: PortablePass['body'] = () => 1;
    expect(() => passText(pass(unknown, 0))).toThrow(RangeError);
  });
});
