// Convolutions and their two gradients on every device: against the reference, and as adjoints of each other.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Conv2dGeometry, type Kernel, kernelInputElements, kernelOutputs } from '../kernel.js';
import { expectMatchesReference } from '../testing/compare.js';
import { casesOn, deviceLabels, graphicsCard, useDevice } from '../testing/devices.js';
import { dot } from '../testing/dot.js';
import { type EpilogueName, epilogueCase } from '../testing/epilogues.js';
import {
  anyEpilogue,
  forAll,
  geometries,
  plainGeometries,
  sameGeometry,
  seeds,
} from '../testing/properties.js';
import { normals } from '../testing/random-data.js';
import { runKernel } from '../testing/run-kernel.js';
import { UNIT_ROUNDOFF } from '../testing/tolerance.js';

type Kind = 'conv2d' | 'conv2dInputGrad' | 'conv2dFilterGrad';
const kinds: readonly Kind[] = ['conv2d', 'conv2dInputGrad', 'conv2dFilterGrad'];
const plain = { inputs: ['float32', 'float32'], scalars: [] } as const;

const networkGeometries: [string, Conv2dGeometry][] = [
  ['3x3, 16 to 33 channels at 17x17', sameGeometry(2, 17, 16, 33)],
  ['3x3, 32 to 32 channels at 16x16', sameGeometry(2, 16, 32, 32)],
  ['3x3, 64 to 20 channels at 9x9', sameGeometry(1, 9, 64, 20)],
  ['3x3, 8 to 256 channels at 23x23', sameGeometry(1, 23, 8, 256)],
  ['3x3, 300 to 12 channels at 18x18', sameGeometry(2, 18, 300, 12)],
  ['3x3, 96 to 48 channels at 16x16', sameGeometry(1, 16, 96, 48)],
  ['3x3, 36 to 320 channels at 5x5', sameGeometry(2, 5, 36, 320)],
  ['3x3, 320 to 4 channels at 8x8', sameGeometry(1, 8, 320, 4)],
  ['3x3, 4 to 320 channels at 8x8', sameGeometry(1, 8, 4, 320)],
  ['3x3 with stride 2, 32 to 32 channels at 16x16', sameGeometry(2, 16, 32, 32, 2)],
  ['3x3 with stride 2, 36 to 20 channels at 11x11', sameGeometry(3, 11, 36, 20, 2)],
  [
    '3x3 with stride 2, padded below and on the right only',
    { ...sameGeometry(2, 12, 20, 24, 2), padTop: 0, padLeft: 0 },
  ],
  [
    '3x3 with negative padding',
    { ...sameGeometry(2, 12, 20, 24), outHeight: 8, outWidth: 7, padTop: -1, padLeft: -2 },
  ],
  ['3x3 with padding of more than the filter', { ...sameGeometry(2, 9, 16, 20), padTop: 5, padLeft: 4 }],
  [
    '4x4 with stride 4, 3 to 24 channels',
    { ...sameGeometry(2, 18, 3, 24, 4), kernelHeight: 4, kernelWidth: 4, padTop: 0, padLeft: 0 },
  ],
  ['3x3 from 3 channels at 32x32', sameGeometry(1, 32, 3, 16)],
  ['3x3 to 3 channels at 32x32', sameGeometry(1, 32, 16, 3)],
  [
    '1x1, 48 to 40 channels at 8x8',
    { ...sameGeometry(2, 8, 48, 40), kernelHeight: 1, kernelWidth: 1, padTop: 0, padLeft: 0 },
  ],
];

describe.each([...deviceLabels, graphicsCard])('convolutions on %s', (label) => {
  const device = useDevice(label);

  async function check(kind: Kind, geometry: Conv2dGeometry, epilogue: EpilogueName, seed: number) {
    const { batch } = geometry;
    const [positions, channels] =
      kind === 'conv2d'
        ? [geometry.outHeight * geometry.outWidth, geometry.outChannels]
        : [geometry.inHeight * geometry.inWidth, geometry.inChannels];
    const extra = epilogueCase(
      kind === 'conv2dFilterGrad' ? 'none' : epilogue,
      [batch, positions, channels],
      seed,
    );
    const kernel: Kernel =
      kind === 'conv2dFilterGrad' ? { kind, geometry, ...plain } : { kind, geometry, ...extra.kernel };
    const [first, second] = kernelInputElements(kernel);
    const inputs = [normals(seed + 2, first), normals(seed + 3, second), ...extra.inputs];
    await expectMatchesReference(device(), kernel, inputs, extra.scalars);
  }

  describe.each(kinds)('%s', (kind) => {
    it('agrees for strides, dilations, asymmetric padding and epilogues', async () => {
      const cases = fc.record({ geometry: geometries, epilogue: anyEpilogue, seed: seeds });
      await forAll(cases, casesOn(label, 60), ({ geometry, epilogue, seed }) =>
        check(kind, geometry, epilogue, seed),
      );
    });

    it('agrees for larger 3x3 filters with stride 1', async () => {
      const cases = fc.record({ geometry: plainGeometries, epilogue: anyEpilogue, seed: seeds });
      await forAll(cases, casesOn(label, 5), ({ geometry, epilogue, seed }) =>
        check(kind, geometry, epilogue, seed),
      );
    });

    it.each(networkGeometries)('agrees for %s', async (_, geometry) => {
      await check(kind, geometry, 'residual', 5);
    });
  });

  it('satisfies <conv(x, w), dy> = <x, inputGrad(dy, w)> = <w, filterGrad(x, dy)>', async () => {
    await forAll(
      fc.record({ geometry: geometries, seed: seeds }),
      casesOn(label, 40),
      async ({ geometry, seed }) => {
        const forward: Kernel = { kind: 'conv2d', geometry, ...plain };
        const [x, w] = kernelInputElements(forward).map((elements, i) => normals(seed + i, elements));
        const dy = normals(seed + 2, kernelOutputs(forward)[0].elements);
        const [y] = await runKernel(device(), forward, [x, w]);
        const [dx] = await runKernel(device(), { kind: 'conv2dInputGrad', geometry, ...plain }, [dy, w]);
        const [dw] = await runKernel(device(), { kind: 'conv2dFilterGrad', geometry, ...plain }, [x, dy]);
        const product = dot(y, dy);
        // Each of the three is a sum of the same products x * w * dy, of which `absolute` bounds the size; an element of y, dx or
        // dw sums at most `longest` of them.
        const absolute = [x, w, dy].map((data) => Math.sqrt(dot(data, data))).reduce((a, b) => a * b);
        const longest = Math.max(y.length, dx.length, dw.length);
        const tolerance = 4 * UNIT_ROUNDOFF * Math.sqrt(longest) * absolute;
        expect(Math.abs(dot(x, dx) - product)).toBeLessThanOrEqual(tolerance);
        expect(Math.abs(dot(w, dw) - product)).toBeLessThanOrEqual(tolerance);
      },
    );
  });
});
