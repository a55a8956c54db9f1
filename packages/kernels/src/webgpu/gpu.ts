/** Where WebGPU comes from: Dawn in Node, navigator.gpu in a browser. */

export interface GpuHost {
  /** Throws `DEVICE_UNAVAILABLE` where there is no WebGPU. */
  open(): Promise<GPU>;
}
