/** gpu.js on the CPU, as it falls back to where there is no WebGL: plain JavaScript made from the kernel function. */

import { GPU } from 'gpu.js';
import { type Contender, input, Unsupported } from '../contender.js';
import { packageVersion } from '../package-version.js';

// As text, so that no compiler's helper calls end up in what gpu.js parses.
const matmulSource = `function (a, b) {
  let sum = 0;
  for (let i = 0; i < this.constants.size; i++) sum += a[this.thread.y][i] * b[i][this.thread.x];
  return sum;
}`;

export async function open(): Promise<Contender> {
  const gpu = new GPU({ mode: 'cpu' });
  return {
    description: {
      library: `gpu.js ${packageVersion('gpu.js')}`,
      details: 'JavaScript (mode "cpu")',
      threads: 1,
    },
    prepare(workload, inputs) {
      if (workload.kind !== 'matmul') throw new Unsupported('written for matmul only');
      const { size } = workload;
      const kernel = gpu.createKernel(matmulSource).setOutput([size, size]).setConstants({ size });
      const [a, b] = ['a', 'b'].map((name) => rows(input(inputs, name).data, size));
      const compute = () => kernel(a, b) as Float32Array[];
      return {
        run() {
          compute();
        },
        async outputs() {
          return [Float32Array.from(compute().flatMap((row) => [...row]))];
        },
        dispose() {
          kernel.destroy();
        },
      };
    },
  };
}

/** gpu.js takes a matrix as an array of its rows. */
function rows(data: Float32Array, columns: number): Float32Array[] {
  return Array.from({ length: data.length / columns }, (_, row) =>
    data.subarray(row * columns, (row + 1) * columns),
  );
}
