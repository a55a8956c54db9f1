/** What the writers of programs know of the adapter that they write for. */

/**
 * Adapters that want alike programs: graphics cards of their own memory, Apple's, GPUs within a processor or a phone, and
 * programs that imitate a GPU (SwiftShader, lavapipe), for which workgroup memory and barriers are a cost without a gain.
 */
export type AdapterClass = 'discrete' | 'apple' | 'integrated' | 'software';

export interface Target {
  readonly adapterClass: AdapterClass;
  /** Bytes of workgroup memory that one program may declare. */
  readonly workgroupBytes: number;
  /** Invocations of a workgroup, all dimensions multiplied, and along x alone. */
  readonly invocations: number;
  /** Storage buffers of one dispatch. */
  readonly storageBuffers: number;
  /** Workgroups along each dimension of a dispatch. */
  readonly workgroupsPerDimension: number;
  /** Whether shaders may have f16 in memory; where not, float16 is pairs in u32. */
  readonly nativeFloat16?: boolean;
  /** Invocations of a subgroup, if shaders may use subgroups and all are of one size. */
  readonly subgroupSize?: number;
  /** Tiles of GEMMs that measuring on this adapter found best, by the class of the shape. */
  readonly tuned?: Pick<ReadonlyMap<string, string>, 'get'>;
}

/** What WebGPU promises on every adapter. */
export const defaultLimits = {
  workgroupBytes: 16384,
  invocations: 256,
  storageBuffers: 8,
  workgroupsPerDimension: 65535,
} as const satisfies Omit<Target, 'adapterClass'>;

/** The target that a GPU device is. */
export function targetOf(
  { limits, features, adapterInfo }: GPUDevice,
  adapterClass: AdapterClass,
  tuned?: Target['tuned'],
): Target {
  const hasOneSize = features.has('subgroups') && adapterInfo.subgroupMinSize === adapterInfo.subgroupMaxSize;
  return {
    adapterClass,
    workgroupBytes: limits.maxComputeWorkgroupStorageSize,
    invocations: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
    storageBuffers: limits.maxStorageBuffersPerShaderStage,
    workgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    nativeFloat16: features.has('shader-f16'),
    ...(hasOneSize ? { subgroupSize: adapterInfo.subgroupMinSize } : {}),
    ...(tuned === undefined ? {} : { tuned }),
  };
}
