/** Numbers on the host, and their conversion between the layouts of libraries. */

/** Row-major. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** NHWC to NCHW, OHWI to OIHW. Tensors of other ranks stay as they are. */
export function channelsFirst(tensor: HostTensor): HostTensor {
  return tensor.shape.length === 4 ? permute(tensor, [0, 3, 1, 2]) : tensor;
}

/** NCHW to NHWC, OIHW to OHWI. Tensors of other ranks stay as they are. */
export function channelsLast(tensor: HostTensor): HostTensor {
  return tensor.shape.length === 4 ? permute(tensor, [0, 2, 3, 1]) : tensor;
}

/** Axis i of the result is axis axes[i] of the tensor. */
export function permute({ shape, data }: HostTensor, axes: readonly number[]): HostTensor {
  const permuted = axes.map((axis) => Number(shape[axis]));
  const strides = axes.map((axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const index = axes.map(() => 0);
  const result = new Float32Array(data.length);
  let offset = 0;
  for (let i = 0; i < result.length; i++) {
    result[i] = Number(data[offset]);
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      const next = Number(index[axis]) + 1;
      offset += Number(strides[axis]);
      if (next < Number(permuted[axis])) {
        index[axis] = next;
        break;
      }
      offset -= next * Number(strides[axis]);
      index[axis] = 0;
    }
  }
  return { shape: permuted, data: result };
}
