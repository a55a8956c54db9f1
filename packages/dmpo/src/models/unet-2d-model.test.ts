// UNet2DModel: configurations accepted and refused, names of weights, refused input, and what conditions do.
import { tensor, zeros } from '@dmpo/core';
import { describe, expect, it } from 'vitest';
import { devices, useDevice } from '../../../../test/devices.js';
import { tinyUNet } from '../testing/tiny-unet.js';
import { UNet2DModel } from './unet-2d-model.js';

const tiny = { ...tinyUNet, in_channels: 1, out_channels: 2 };

const build = (changes: object) => () => new UNet2DModel({ ...tiny, ...changes });
const names = (changes: object) => [...build(changes)().stateDict().keys()];

describe('UNet2DModel configuration', () => {
  it("has diffusers' defaults", () => {
    expect(new UNet2DModel(tiny).config).toMatchObject({
      _class_name: 'UNet2DModel',
      center_input_sample: false,
      time_embedding_type: 'positional',
      flip_sin_to_cos: true,
      freq_shift: 0,
      mid_block_scale_factor: 1,
      downsample_padding: 1,
      norm_eps: 1e-5,
      resnet_time_scale_shift: 'default',
      add_attention: true,
      class_embed_type: null,
      num_class_embeds: null,
    });
  });

  it('takes a file as diffusers writes it', () => {
    expect(build({ _class_name: 'UNet2DModel', _diffusers_version: '0.21.4', act_fn: 'silu' })).not.toThrow();
  });

  it.each([
    ['block_out_chanels', 'block_out_channels'],
    ['attentionHeadDim', 'attention_head_dim'],
    ['num_classes_embed', 'num_class_embeds'],
  ])('names the unknown key %s and the nearest known one', (key, nearest) => {
    expect(build({ [key]: 1 })).toThrow(expect.objectContaining({ code: 'UNKNOWN_CONFIG_KEY' }));
    expect(build({ [key]: 1 })).toThrow(`Unknown key "${key}". Did you mean "${nearest}"?`);
  });

  it.each([
    [{ time_embedding_type: 'fourier' }, 'time_embedding_type is "fourier"; supported: "positional"'],
    [{ act_fn: 'gelu' }, 'act_fn is "gelu"; supported: "silu", "swish"'],
    [{ dropout: 0.1 }, 'dropout is 0.1; supported: 0'],
    [
      { down_block_types: ['DownBlock2D', 'SkipDownBlock2D'] },
      'down_block_types.1 is "SkipDownBlock2D"; supported: "DownBlock2D", "AttnDownBlock2D"',
    ],
    [{ up_block_types: ['CrossAttnUpBlock2D', 'UpBlock2D'] }, 'up_block_types.0 is "CrossAttnUpBlock2D"'],
    [{ mid_block_type: 'UnCLIPUNetMidBlock2D' }, 'supported: "UNetMidBlock2D", null'],
    [{ downsample_type: 'fir' }, 'downsample_type is "fir"; supported: "conv", "resnet"'],
    [{ upsample_type: 'fir' }, 'upsample_type is "fir"'],
    [{ downsample_padding: 2 }, 'downsample_padding is 2; supported: 0, 1'],
    [{ resnet_time_scale_shift: 'ada_group' }, 'resnet_time_scale_shift is "ada_group"'],
    [
      { class_embed_type: 'projection' },
      'class_embed_type is "projection"; supported: "timestep", "identity", null',
    ],
    [{ _class_name: 'UNet2DConditionModel' }, '_class_name is "UNet2DConditionModel"'],
    [{ layers_per_block: 0 }, 'layers_per_block is 0'],
    [{ in_channels: 1.5 }, 'in_channels is 1.5'],
    [{ down_block_types: ['DownBlock2D'] }, 'down_block_types has 1 entries, block_out_channels has 2'],
    [{ norm_num_groups: 3 }, 'norm_num_groups 3 does not divide 4'],
    [{ attn_norm_num_groups: 3 }, 'attn_norm_num_groups 3 does not divide 8'],
    [{ attention_head_dim: 16 }, 'attention_head_dim 16 exceeds the 8 channels of level 1'],
    [{ block_out_channels: [5, 10], norm_num_groups: 5 }, 'even number of channels'],
  ])('refuses %o', (changes, message) => {
    expect(build(changes)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_CONFIG_VALUE' }));
    expect(build(changes)).toThrow(message);
  });

  it('names all mistakes at once', () => {
    const wrong = build({ dropout: 0.5, act_fn: 'mish', colour: 1 });
    for (const name of ['dropout', 'act_fn', 'colour']) expect(wrong).toThrow(name);
  });
});

describe("UNet2DModel's weights", () => {
  useDevice('reference');

  it('follow the configuration by name', () => {
    expect(names({ num_class_embeds: 3 })).toContain('class_embedding.weight');
    expect(names({ class_embed_type: 'timestep' })).toContain('class_embedding.linear_2.bias');
    expect(names({ class_embed_type: 'identity' }).join()).not.toContain('class_embedding');
    expect(names({ add_attention: false }).join()).not.toContain('mid_block.attentions');
    expect(names({ mid_block_type: null }).join()).not.toContain('mid_block');
    expect(names({ downsample_type: 'resnet' })).not.toContain('down_blocks.0.downsamplers.0.conv1.weight');
    expect(
      names({ downsample_type: 'resnet', down_block_types: ['AttnDownBlock2D', 'DownBlock2D'] }),
    ).toContain('down_blocks.0.downsamplers.0.conv1.weight');
    expect(names({ upsample_type: 'resnet' })).toContain('up_blocks.0.upsamplers.0.time_emb_proj.weight');
  });

  it('leave the norm of the middle attention out with scale_shift, unless its groups are given', () => {
    const norm = 'mid_block.attentions.0.group_norm.weight';
    expect(names({})).toContain(norm);
    expect(names({ resnet_time_scale_shift: 'scale_shift' })).not.toContain(norm);
    expect(names({ resnet_time_scale_shift: 'scale_shift', attn_norm_num_groups: 4 })).toContain(norm);
  });

  it('take attention_head_dim as the size of a head, and null as one head', () => {
    const shape = (attention_head_dim: number | null) =>
      build({ attention_head_dim, block_out_channels: [4, 6] })()
        .stateDict()
        .get('mid_block.attentions.0.to_q.weight')?.shape;
    expect(shape(4)).toEqual([4, 6]); // one head of 4; the other two channels find no head
    expect(shape(3)).toEqual([6, 6]);
    expect(shape(null)).toEqual([6, 6]);
  });

  it('name everything missing, extra and misshapen in one error', () => {
    const tensors = new UNet2DModel(tiny).stateDict();
    tensors.delete('conv_in.bias');
    tensors.set('conv_out.weight', zeros([2, 4, 1, 1]));
    tensors.set('conv_extra.weight', zeros([1]));
    const load = () => new UNet2DModel(tiny).load(tensors);
    expect(load).toThrow(expect.objectContaining({ code: 'STATE_DICT_MISMATCH' }));
    for (const name of ['conv_in.bias', 'conv_out.weight', 'conv_extra.weight']) expect(load).toThrow(name);
  });
});

describe.each(devices)('UNet2DModel on %s', (device) => {
  useDevice(device);

  const sample = tensor(
    Float32Array.from({ length: 2 * 64 }, (_, i) => Math.sin(i)),
    [2, 8, 8, 1],
  );
  const values = async (unet: UNet2DModel, ...args: Parameters<UNet2DModel['forward']>) =>
    Array.from(await unet.forward(...args).data());
  const difference = (a: number[], b: number[]) =>
    Math.max(...a.map((value, i) => Math.abs(value - Number(b[i]))));

  it('gives the same output for one timestep as for that timestep per sample', async () => {
    const unet = new UNet2DModel({ ...tiny, num_class_embeds: 3 });
    const classLabels = tensor([1, 2], [2], 'int32');
    const output = unet.forward(sample, 250, { classLabels });
    expect(output.shape).toEqual([2, 8, 8, 2]);
    const each = await values(unet, sample, tensor([250, 250], [2], 'int32'), { classLabels });
    expect(difference(Array.from(await output.data()), each)).toBeLessThan(1e-5);
    expect(difference(await values(unet, sample, 251, { classLabels }), each)).toBeGreaterThan(1e-5);
  });

  it('tells classes apart by label, by number and by vector', async () => {
    const labels = [
      [{ num_class_embeds: 3 }, tensor([0, 1], [2], 'int32'), tensor([0, 2], [2], 'int32')],
      [{ class_embed_type: 'timestep' }, tensor([0.5, 1]), tensor([0.5, 20])],
      [
        { class_embed_type: 'identity' },
        zeros([2, 16]),
        tensor(
          Float32Array.from({ length: 32 }, (_, i) => (i < 16 ? 0 : 1)),
          [2, 16],
        ),
      ],
    ] as const;
    for (const [changes, one, other] of labels) {
      const unet = build(changes)();
      const [a, b] = [
        await values(unet, sample, 10, { classLabels: one }),
        await values(unet, sample, 10, { classLabels: other }),
      ];
      expect(difference(a.slice(0, 128), b.slice(0, 128))).toBeLessThan(1e-6);
      expect(difference(a.slice(128), b.slice(128))).toBeGreaterThan(1e-5);
    }
  });

  it('centres its input from [0, 1] where configured', async () => {
    const centring = build({ center_input_sample: true })();
    const plain = new UNet2DModel(tiny);
    plain.copyFrom(centring);
    const expected = await values(plain, sample.mul(2).sub(1), 10);
    expect(difference(await values(centring, sample, 10), expected)).toBeLessThan(1e-6);
  });

  it.each([
    ['a plain tensor', zeros([8, 8, 1])],
    ['channels first', zeros([2, 1, 8, 8])],
    ['a size that does not divide', zeros([2, 7, 8, 1])],
  ])('refuses %s', (_, bad) => {
    expect(() => new UNet2DModel(tiny).forward(bad, 0)).toThrow(
      '[batch, height, width, 1] with height and width divisible by 2',
    );
  });

  it('refuses class labels and timesteps that do not fit', () => {
    const conditional = build({ num_class_embeds: 3 })();
    expect(() => conditional.forward(sample, 0)).toThrow('class labels are missing');
    expect(() => conditional.forward(sample, 0, { classLabels: tensor([1], [1], 'int32') })).toThrow(
      'classLabels has shape [1]',
    );
    expect(() =>
      new UNet2DModel(tiny).forward(sample, 0, { classLabels: tensor([1, 1], [2], 'int32') }),
    ).toThrow('takes none');
    expect(() => new UNet2DModel(tiny).forward(sample, tensor([1, 2, 3]))).toThrow('timestep has shape [3]');
  });
});
