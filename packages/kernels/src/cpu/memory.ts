/** The WebAssembly memory that all threads share, as the device uses it: it grows when it must and never shrinks. */

import { DmpoError } from '../errors.js';
import { Allocator } from './allocator.js';

const PAGE = 65536;
/** Below this is the control block of assembly/layout.ts. */
const FIRST_ADDRESS = 1024;
/** Vectors may be read past the end of what they hold, up to four at a time. */
const GUARD_BYTES = 64;
/** Grows by at least an eighth, so that a long run grows a few times only. */
const GROWTH = 1 / 8;
/** 4 GiB is what WebAssembly can address; engines short of address space give less. */
const MOST_PAGES = [65536, 49152, 32768, 16384, 8192, 4096];

export class DeviceMemory {
  readonly wasm: WebAssembly.Memory;
  readonly #allocator = new Allocator(FIRST_ADDRESS);
  readonly #mostBytes: number;
  #words: Uint32Array;
  #floats: Float32Array;
  #integers: Int32Array;

  constructor() {
    const { memory, pages } = createMemory();
    this.wasm = memory;
    this.#mostBytes = pages * PAGE;
    this.#allocator.add(memory.buffer.byteLength);
    this.#words = new Uint32Array(memory.buffer);
    this.#floats = new Float32Array(memory.buffer);
    this.#integers = new Int32Array(memory.buffer);
  }

  /** All of memory. Views do not grow with it: take them anew after an allocation. */
  get words(): Uint32Array {
    return this.#words;
  }

  get floats(): Float32Array {
    return this.#floats;
  }

  get integers(): Int32Array {
    return this.#integers;
  }

  get byteLength(): number {
    return this.#words.byteLength;
  }

  /** The address of `bytes` bytes, and as many more as kernels may read past them. Throws `OUT_OF_MEMORY`. */
  allocate(bytes: number): number {
    const size = bytes + GUARD_BYTES;
    let address = this.#allocator.take(size);
    if (address === undefined && this.#grow(size)) address = this.#allocator.take(size);
    if (address !== undefined) return address;
    throw new DmpoError(
      'OUT_OF_MEMORY',
      `The cpu device cannot allocate ${bytes} bytes: ${this.byteLength} of at most ${this.#mostBytes} are reserved.`,
      'Use smaller batches or a smaller model, or free tensors that are no longer needed.',
    );
  }

  free(address: number): void {
    this.#allocator.release(address);
  }

  /** Fills a range and the guard after it with one word. */
  poison(address: number, bytes: number, word: number): void {
    this.#words.fill(word, address / 4, Math.ceil((address + bytes + GUARD_BYTES) / 4));
  }

  /** Makes room for `size` bytes if the engine has them to give. */
  #grow(size: number): boolean {
    const needed = size - this.#allocator.freeAtEnd + PAGE;
    const wanted = Math.max(needed, this.byteLength * GROWTH);
    for (const bytes of [wanted, needed]) {
      const pages = Math.ceil(bytes / PAGE);
      if (this.byteLength + pages * PAGE > this.#mostBytes) continue;
      try {
        this.wasm.grow(pages);
      } catch {
        continue;
      }
      const { buffer } = this.wasm;
      this.#words = new Uint32Array(buffer);
      this.#floats = new Float32Array(buffer);
      this.#integers = new Int32Array(buffer);
      this.#allocator.add(buffer.byteLength);
      return true;
    }
    return false;
  }
}

function createMemory(): { memory: WebAssembly.Memory; pages: number } {
  for (const pages of MOST_PAGES) {
    try {
      return { memory: new WebAssembly.Memory({ initial: 16, maximum: pages, shared: true }), pages };
    } catch {
      // The engine cannot reserve so much address space.
    }
  }
  throw new DmpoError(
    'OUT_OF_MEMORY',
    'The engine gives no shared WebAssembly memory.',
    'Close other programs or pages, or use an engine with WebAssembly threads.',
  );
}
