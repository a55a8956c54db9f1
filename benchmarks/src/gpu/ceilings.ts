/** What a GPU can do at most, measured by two programs that do nothing else: multiply-adds in registers, and a copy. */

const STORAGE = 0x80;
const COPY_DST = 0x8;
const WORKGROUP = 256;
const COMPUTE_STAGE = 0x4;

/**
 * Multiply-adds of one invocation: `CHAINS` independent sums of four components, so that none waits for another, and few enough for
 * the registers of a processor that plays GPU, for which the loop is unrolled too.
 */
const CHAINS = 2;
const UNROLLED = 8;
const STEPS = 1024;

export interface Ceilings {
  /** Floating-point operations a second, a multiply-add counted as two. */
  readonly flops: number;
  /** Bytes read and written a second by a copy of `copiedBytes`. */
  readonly bytes: number;
  readonly copiedBytes: number;
}

/** Measures both, best of several rounds; `copiedBytes` should exceed every cache. */
export async function measureCeilings(
  device: GPUDevice,
  copiedBytes: number,
  invocations: number,
): Promise<Ceilings> {
  const fma = await fmaCeiling(device, invocations);
  const copy = await copyCeiling(device, copiedBytes);
  return { flops: fma, bytes: copy, copiedBytes };
}

async function fmaCeiling(device: GPUDevice, invocations: number): Promise<number> {
  const groups = Math.min(65535, Math.ceil(invocations / WORKGROUP));
  const sums = Array.from({ length: CHAINS }, (_, chain) => `s${chain}`);
  const code = `
    @group(0) @binding(0) var<storage, read_write> o: array<f32>;
    @compute @workgroup_size(${WORKGROUP})
    fn main(@builtin(global_invocation_id) id: vec3u) {
      let x = vec4f(0.999f + f32(id.x & 3u) * 1e-4f);
      let y = vec4f(1e-3f, 2e-3f, 3e-3f, 4e-3f);
      ${sums.map((sum, chain) => `var ${sum} = vec4f(f32(id.x) + ${chain}f);`).join('\n')}
      for (var step = 0u; step < ${STEPS / UNROLLED}u; step++) {
        ${new Array(UNROLLED).fill(sums.map((sum) => `${sum} = ${sum} * x + y;`).join(' ')).join('\n')}
      }
      o[id.x] = dot(${sums.join(' + ')}, vec4f(1));
    }`;
  const output = device.createBuffer({ size: 4 * WORKGROUP * groups, usage: STORAGE });
  const run = dispatcher(device, code, [output], groups);
  const seconds = await bestSeconds(device, run);
  output.destroy();
  return (2 * 4 * CHAINS * STEPS * WORKGROUP * groups) / seconds;
}

async function copyCeiling(device: GPUDevice, bytes: number): Promise<number> {
  const vectors = Math.floor(bytes / 16);
  const groups = Math.min(65535, Math.ceil(vectors / (4 * WORKGROUP)));
  const code = `
    @group(0) @binding(0) var<storage, read_write> o: array<vec4f>;
    @group(0) @binding(1) var<storage, read> x: array<vec4f>;
    @compute @workgroup_size(${WORKGROUP})
    fn main(@builtin(global_invocation_id) id: vec3u) {
      for (var i = id.x; i < ${vectors}u; i += ${WORKGROUP * groups}u) { o[i] = x[i]; }
    }`;
  const [from, to] = [0, 1].map(() => device.createBuffer({ size: 16 * vectors, usage: STORAGE | COPY_DST }));
  const run = dispatcher(device, code, [to, from] as GPUBuffer[], groups);
  const seconds = await bestSeconds(device, run);
  for (const buffer of [from, to]) buffer?.destroy();
  return (2 * 16 * vectors) / seconds;
}

/** Submits `repetitions` dispatches of a module whose buffers are the bindings of group 0, the first one written. */
function dispatcher(
  device: GPUDevice,
  code: string,
  buffers: readonly GPUBuffer[],
  groups: number,
): (repetitions: number) => void {
  const layout = device.createBindGroupLayout({
    entries: buffers.map((_, binding) => ({
      binding,
      visibility: COMPUTE_STAGE,
      buffer: { type: binding === 0 ? ('storage' as const) : ('read-only-storage' as const) },
    })),
  });
  const pipeline = device.createComputePipeline({
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ code }), entryPoint: 'main' },
  });
  const bindings = device.createBindGroup({
    layout,
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  return (repetitions) => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindings);
    for (let i = 0; i < repetitions; i++) pass.dispatchWorkgroups(groups);
    pass.end();
    device.queue.submit([encoder.finish()]);
  };
}

/** Seconds of one dispatch: the best of seven rounds, each long enough that submitting it weighs nothing. */
async function bestSeconds(device: GPUDevice, run: (repetitions: number) => void): Promise<number> {
  const timed = async (repetitions: number): Promise<number> => {
    const start = performance.now();
    run(repetitions);
    await device.queue.onSubmittedWorkDone();
    return (performance.now() - start) / 1000 / repetitions;
  };
  await timed(1);
  const repetitions = Math.max(1, Math.min(200, Math.ceil(0.1 / (await timed(2)))));
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 7; round++) best = Math.min(best, await timed(repetitions));
  return best;
}
