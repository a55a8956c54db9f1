// Models that cannot be used: each is refused with one error and a fix, and an earlier run stays as it was.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HostTensor, hostTensors, openDevice, writeSafetensors } from '@dmpo/core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { saveModelFolder } from '../model-folder.js';
import { UNet2DModel } from '../models/unet-2d-model.js';
import { DDIMScheduler } from '../schedulers/ddim-scheduler.js';
import { dmpo } from '../testing/command-line.js';
import { tinyUNet } from '../testing/tiny-unet.js';

const folder = mkdtempSync(join(tmpdir(), 'dmpo-bad-models-'));
const at = (...names: string[]) => join(folder, ...names);

const model = new UNet2DModel({ ...tinyUNet, num_class_embeds: 3 });

/** A folder of the model with other weights. */
function modelWith(name: string, bytes: Uint8Array): string {
  mkdirSync(at(name));
  for (const file of readdirSync(at('model'))) writeFileSync(at(name, file), readFileSync(at('model', file)));
  writeFileSync(at(name, 'model.safetensors'), bytes);
  return at(name);
}

let weights: ReadonlyMap<string, HostTensor>;

function changedWeights(change: (tensors: Map<string, HostTensor>) => void): Uint8Array {
  const tensors = new Map(weights);
  change(tensors);
  return writeSafetensors(tensors);
}

const float32 = (...data: number[]): HostTensor => ({
  dtype: 'float32',
  shape: [data.length],
  data: Float32Array.from(data),
});

/** A safetensors file of this header before 8 bytes of data. */
function fileOf(header: string, headerLength = BigInt(header.length)): Uint8Array {
  const bytes = new Uint8Array(8 + header.length + 8);
  new DataView(bytes.buffer).setBigUint64(0, headerLength, true);
  bytes.set(new TextEncoder().encode(header), 8);
  return bytes;
}

const described = (begin: number, end: number) =>
  `{"dtype":"U8","shape":[${end - begin}],"data_offsets":[${begin},${end}]}`;

async function errorOf(...args: string[]): Promise<{ code: string; problem: string; fix: string }> {
  const { code, out } = await dmpo(...args, '--json');
  expect(code).toBe(1);
  return JSON.parse(out).error;
}

/** Every file below a folder with its content. */
function snapshot(path: string): Record<string, string> {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map(({ parentPath, name }) => {
      const file = join(parentPath, name);
      return [file, readFileSync(file).toString('latin1')];
    }),
  );
}

const align = (base: string) => [
  ...['align', '--base', base, '--data', at('preferences'), '--output', at('run'), '--report', at('report')],
  ...['--steps', '2', '--batch', '2', '--sampling-steps', '2', '--samples-per-prompt', '1'],
];

beforeAll(async () => {
  for (const [prompt, side, background] of [
    ['lime', 'winner', 'lime'],
    ['lime', 'loser', 'green'],
    ['plum', 'winner', 'plum'],
    ['plum', 'loser', 'purple'],
  ] as const) {
    mkdirSync(at('preferences', prompt, side), { recursive: true });
    const picture = sharp({ create: { width: 8, height: 8, channels: 3, background } });
    await picture.toFile(at('preferences', prompt, side, 'a.png'));
  }
  await openDevice('cpu');
  weights = await hostTensors(model.stateDict());
  const schedulerConfig = new DDIMScheduler({ prediction_type: 'v_prediction' }).config;
  await saveModelFolder(at('model'), {
    weights: model.stateDict(),
    config: model.config,
    schedulerConfig,
    prompts: ['lime', 'plum'],
  });
  expect(await dmpo(...align(at('model')))).toMatchObject({ code: 0 });
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('a model', () => {
  it.each<[problem: string, code: string, named: string, file: () => Uint8Array]>([
    [
      'without one of its weights',
      'STATE_DICT_MISMATCH',
      'conv_in.bias',
      () => changedWeights((tensors) => tensors.delete('conv_in.bias')),
    ],
    [
      'with a weight too many',
      'STATE_DICT_MISMATCH',
      'surplus',
      () => changedWeights((tensors) => tensors.set('surplus', float32(1))),
    ],
    [
      'with a weight of another shape',
      'STATE_DICT_MISMATCH',
      'conv_out.bias',
      () => changedWeights((tensors) => tensors.set('conv_out.bias', float32(1, 2))),
    ],
    [
      'cut off',
      'SAFETENSORS_TRUNCATED',
      'bytes',
      () => readFileSync(at('model', 'model.safetensors')).subarray(0, -9),
    ],
    ['with an absurd header', 'SAFETENSORS_HEADER_TOO_LARGE', 'header', () => fileOf('{}', 2n ** 62n)],
    [
      'whose weights overlap',
      'SAFETENSORS_OVERLAP',
      '"b"',
      () => fileOf(`{"a":${described(0, 6)},"b":${described(4, 8)}}`),
    ],
    [
      'with weights outside the file',
      'SAFETENSORS_TRUNCATED',
      '"a"',
      () => fileOf(`{"a":${described(0, 800)}}`),
    ],
    [
      'with one name twice',
      'SAFETENSORS_DUPLICATE_NAME',
      '"a"',
      () => fileOf(`{"a":${described(0, 8)},"a":${described(0, 8)}}`),
    ],
  ])('%s is refused', async (problem, code, named, file) => {
    const base = modelWith(problem, file());
    const before = snapshot(at('run'));
    for (const args of [['sample', '--model', base, '--output', at('a.png')], align(base)]) {
      const error = await errorOf(...args);
      expect(error).toMatchObject({ code, problem: expect.stringContaining(named) });
      expect(error.fix).not.toBe('');
    }
    expect(snapshot(at('run'))).toEqual(before);
  });

  it('whose weights are NaN stops with the step and the batch, or without a picture', async () => {
    const notNumbers = changedWeights((tensors) =>
      tensors.set('conv_in.bias', float32(...Array(4).fill(Number.NaN))),
    );
    const base = modelWith('NaN', notNumbers);
    const before = snapshot(at('run'));
    expect(await errorOf(...align(base))).toMatchObject({
      code: 'NON_FINITE',
      problem: expect.stringMatching(/^Step 1: loss is NaN.*Batch: .*(lime|plum)/),
    });
    expect(snapshot(at('run'))).toEqual(before);
    expect(await errorOf('sample', '--model', base, '--output', at('b.png'))).toMatchObject({
      code: 'NON_FINITE',
    });
    expect(readdirSync(folder)).not.toContain('b.png');
  });

  it('takes the place of an earlier run once it is stored', async () => {
    const before = snapshot(at('run'));
    expect(await dmpo(...align(at('model')), '--steps', '1', '--seed', '1')).toMatchObject({ code: 0 });
    expect(readdirSync(at('run')).sort()).toEqual(['checkpoint-1', 'model']);
    expect(snapshot(at('run'))).not.toEqual(before);
  });
});
