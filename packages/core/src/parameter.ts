/** Parameter: a tensor with memory of its own that training updates in place. */

import { DmpoError, formatShape } from './errors.js';
import { type HostNode, type Node, nextId, type Shape, type StorageNode } from './graph.js';
import { type TypedArray, tensor } from './ops/creation.js';
import { currentDevice } from './realize.js';
import { Storage } from './storage.js';
import { Tensor } from './tensor.js';

export class Parameter extends Tensor {
  #host: HostNode | undefined;
  #storage: Storage | undefined;
  #leaf: StorageNode | undefined;

  /** @param data initial value, row-major; uploaded when the parameter is first used. */
  constructor(data: TypedArray, shape: Shape) {
    super();
    this.#host = tensor(data, shape, 'float32').node as HostNode;
  }

  /** The leaf that stands for the present value; a new one after every update. */
  override get node(): Node {
    const storage = this.storage;
    if (this.#leaf?.version !== storage.version || this.#leaf.storage !== storage)
      this.#leaf = {
        kind: 'storage',
        id: nextId(),
        shape: storage.shape,
        dtype: storage.dtype,
        storage,
        version: storage.version,
        owned: false,
      };
    return this.#leaf;
  }

  override get shape(): Shape {
    return this.#host?.shape ?? this.storage.shape;
  }

  override get dtype(): 'float32' {
    return 'float32';
  }

  /** The memory that holds the value, on the current device. */
  get storage(): Storage {
    if (this.#host) {
      const { shape, dtype, data } = this.#host;
      this.#storage ??= new Storage(currentDevice(), shape, dtype);
      this.#storage.device.write(this.#storage.buffer, dtype, data);
      this.#host = undefined;
    }
    if (!this.#storage || this.#storage.freed)
      throw new DmpoError(
        'DISPOSED',
        'A parameter was used after dispose().',
        'Keep its module until the last use.',
      );
    return this.#storage;
  }

  /** Replaces the value by host numbers. A parameter that lives on another device than the current one moves to that. */
  assign(data: TypedArray): void {
    const next = tensor(data, this.shape, 'float32').node as HostNode;
    if (this.#storage?.freed)
      throw new DmpoError(
        'DISPOSED',
        'assign() on a disposed parameter.',
        `Make a new one of shape ${formatShape(next.shape)}.`,
      );
    if (this.#storage && this.#storage.device === currentDevice()) {
      this.#storage.device.write(this.#storage.buffer, 'float32', data);
      this.#storage.version++;
    } else {
      this.#storage?.free();
      this.#storage = undefined;
      this.#host = next;
    }
  }

  /** Holds the value in this memory from now on, and frees the memory that held it before. For `update`, which has written it. */
  moveTo(storage: Storage): void {
    if (this.#storage !== storage) this.#storage?.free();
    this.#storage = storage;
  }

  /** Frees the memory; the parameter cannot be used afterwards. */
  override dispose(): void {
    this.#host = undefined;
    this.#storage?.free();
  }
}
