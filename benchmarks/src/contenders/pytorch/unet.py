"""diffusers' UNet2DModel in plain torch.nn: the same configuration keys, arithmetic and weight names, nothing else."""

import math

import torch
from torch import nn
from torch.nn import functional as F


class UNet2D(nn.Module):
    """Takes a sample [batch, channels, height, width], timesteps [batch] and class labels [batch]."""

    def __init__(self, config):
        super().__init__()
        channels = config["block_out_channels"]
        layers = config["layers_per_block"]
        head_dim = config["attention_head_dim"]
        groups = config["norm_num_groups"]
        embedding = 4 * channels[0]
        self.frequencies = channels[0] // 2

        self.conv_in = nn.Conv2d(config["in_channels"], channels[0], 3, padding=1)
        self.time_embedding = TimestepEmbedding(channels[0], embedding)
        self.class_embedding = nn.Embedding(config["num_class_embeds"], embedding)

        skips = [channels[0]]
        self.down_blocks = nn.ModuleList()
        for level, kind in enumerate(config["down_block_types"]):
            size, last = channels[level], level == len(channels) - 1
            inputs = [skips[-1]] + [size] * (layers - 1)
            heads = size // head_dim if kind.startswith("Attn") else None
            self.down_blocks.append(Block(inputs, size, embedding, groups, heads, None if last else Downsample))
            skips += [size] * (layers if last else layers + 1)

        size = channels[-1]
        self.mid_block = Block([size, size], size, embedding, groups, size // head_dim, None, attentions=1)

        self.up_blocks = nn.ModuleList()
        for level, kind in enumerate(config["up_block_types"]):
            carried, size, last = size, channels[-1 - level], level == len(channels) - 1
            taken = [skips.pop() for _ in range(layers + 1)]
            inputs = [before + skip for before, skip in zip([carried] + [size] * layers, taken)]
            heads = size // head_dim if kind.startswith("Attn") else None
            self.up_blocks.append(Block(inputs, size, embedding, groups, heads, None if last else Upsample))

        self.conv_norm_out = nn.GroupNorm(groups, channels[0])
        self.conv_out = nn.Conv2d(channels[0], config["out_channels"], 3, padding=1)

    def forward(self, sample, timesteps, labels):
        exponents = torch.arange(self.frequencies) / self.frequencies
        angles = timesteps[:, None] * torch.exp(-math.log(10000) * exponents)
        sinusoids = torch.cat([angles.cos(), angles.sin()], dim=1)
        embedding = F.silu(self.time_embedding(sinusoids) + self.class_embedding(labels))

        hidden = self.conv_in(sample)
        skips = [hidden]
        for block in self.down_blocks:
            for resnet, attention in block.layers():
                hidden = attention(resnet(hidden, embedding))
                skips.append(hidden)
            for downsampler in block.downsamplers:
                hidden = downsampler(hidden)
                skips.append(hidden)
        hidden = self.mid_block.resnets[0](hidden, embedding)
        hidden = self.mid_block.resnets[1](self.mid_block.attentions[0](hidden), embedding)
        for block in self.up_blocks:
            for resnet, attention in block.layers():
                hidden = attention(resnet(torch.cat([hidden, skips.pop()], dim=1), embedding))
            for upsampler in block.upsamplers:
                hidden = upsampler(hidden)
        return self.conv_out(F.silu(self.conv_norm_out(hidden)))


class Block(nn.Module):
    """Residual layers, each followed by attention if `heads` is given, and what changes the resolution at the end."""

    def __init__(self, inputs, outputs, embedding, groups, heads, resample, attentions=None):
        super().__init__()
        self.resnets = nn.ModuleList(Resnet(size, outputs, embedding, groups) for size in inputs)
        count = 0 if heads is None else len(inputs) if attentions is None else attentions
        self.attentions = nn.ModuleList(Attention(outputs, heads, groups) for _ in range(count))
        self.downsamplers = nn.ModuleList([Downsample(outputs)] if resample is Downsample else [])
        self.upsamplers = nn.ModuleList([Upsample(outputs)] if resample is Upsample else [])

    def layers(self):
        return zip(self.resnets, self.attentions or [nn.Identity()] * len(self.resnets))


class Resnet(nn.Module):
    def __init__(self, inputs, outputs, embedding, groups):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time_emb_proj = nn.Linear(embedding, outputs)
        self.norm2 = nn.GroupNorm(groups, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        if inputs != outputs:
            self.conv_shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x, embedding):
        hidden = self.conv1(F.silu(self.norm1(x))) + self.time_emb_proj(embedding)[:, :, None, None]
        hidden = self.conv2(F.silu(self.norm2(hidden)))
        return hidden + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


class Attention(nn.Module):
    def __init__(self, channels, heads, groups):
        super().__init__()
        self.heads = heads
        self.group_norm = nn.GroupNorm(groups, channels)
        self.to_q = nn.Linear(channels, channels)
        self.to_k = nn.Linear(channels, channels)
        self.to_v = nn.Linear(channels, channels)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x):
        batch, channels, height, width = x.shape
        tokens = self.group_norm(x).flatten(2).transpose(1, 2)
        q, k, v = (
            project(tokens).view(batch, height * width, self.heads, -1).transpose(1, 2)
            for project in (self.to_q, self.to_k, self.to_v)
        )
        mixed = attention(q, k, v).transpose(1, 2).reshape(batch, height * width, channels)
        return x + self.to_out[0](mixed).transpose(1, 2).reshape(x.shape)


class Downsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x):
        return self.conv(x)


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class TimestepEmbedding(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear_1 = nn.Linear(inputs, outputs)
        self.linear_2 = nn.Linear(outputs, outputs)

    def forward(self, x):
        return self.linear_2(F.silu(self.linear_1(x)))


def attention(q, k, v):
    """softmax(q k^T / sqrt(head_dim)) v for [batch, heads, tokens, head_dim]; PyTorch's fused one where it exists."""
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v)
    scores = q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5)
    return scores.softmax(-1) @ v
