"""A step of training in PyTorch's eager mode: forward, cross-entropy, backward, optimizer, on one batch of random data.

Usage: training_peer.py lenet|resnet20|mobilenet_v2|encoder|gpt THREADS wall|processor
Prints the seconds of a step (lower quartile after warm-up) and the peak memory of the process in bytes.
"""
import resource
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

name, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
torch.manual_seed(1)


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))


class Basic(nn.Module):
    def __init__(self, inputs, channels, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels)
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        self.more = channels - inputs

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.more:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))
        return F.relu(y + x)


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        blocks, inputs = [], 16
        for stage in range(3):
            for i in range(3):
                blocks.append(Basic(inputs, 16 << stage, 2 if i == 0 and stage else 1))
                inputs = 16 << stage
        self.blocks, self.linear = nn.Sequential(*blocks), nn.Linear(64, 10)

    def forward(self, x):
        return self.linear(self.blocks(F.relu(self.bn1(self.conv1(x)))).mean((2, 3)))


def block(inputs, outputs, kernel, stride=1, groups=1, activation=True):
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([nn.ReLU6()] if activation else []))


class Residual(nn.Module):
    def __init__(self, inputs, outputs, expansion, stride):
        super().__init__()
        inner = inputs * expansion
        expand = [block(inputs, inner, 1)] if expansion > 1 else []
        self.body = nn.Sequential(*expand, block(inner, inner, 3, stride, inner), block(inner, outputs, 1, activation=False))
        self.passes = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.body(x) if self.passes else self.body(x)


class MobileNetV2(nn.Module):
    """For images of 32x32: the first two strides are 1."""

    def __init__(self):
        super().__init__()
        layers, inputs = [block(3, 32, 3)], 32
        for expansion, channels, repeats, stride in [(1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
            for i in range(repeats):
                layers.append(Residual(inputs, channels, expansion, stride if i == 0 else 1))
                inputs = channels
        self.features, self.classifier = nn.Sequential(*layers, block(320, 1280, 1)), nn.Linear(1280, 10)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x, mask):
        b, t, d = x.shape
        q, k, v = (z.view(b, t, self.heads, d // self.heads).transpose(1, 2) for z in self.qkv(x).split(d, 2))
        p = torch.softmax(q @ k.transpose(-1, -2) * (d // self.heads) ** -0.5 + mask, -1)
        return self.out((p @ v).transpose(1, 2).reshape(b, t, d))


class Layer(nn.Module):
    def __init__(self, width, heads, inner, first, approximate):
        super().__init__()
        self.attention, self.ln1, self.ln2 = Attention(width, heads), nn.LayerNorm(width), nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)
        self.first, self.approximate = first, approximate

    def wide(self, x):
        return self.down(F.gelu(self.up(x), approximate=self.approximate))

    def forward(self, x, mask):
        if self.first:
            x = x + self.attention(self.ln1(x), mask)
            return x + self.wide(self.ln2(x))
        x = self.ln1(x + self.attention(x, mask))
        return self.ln2(x + self.wide(x))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places, self.types = nn.Embedding(8192, 512), nn.Parameter(0.02 * torch.randn(512, 512)), nn.Parameter(0.02 * torch.randn(2, 512))
        self.ln, self.layers = nn.LayerNorm(512), nn.ModuleList(Layer(512, 8, 2048, False, "none") for _ in range(2))
        self.pooler, self.classifier = nn.Linear(512, 512), nn.Linear(512, 2)

    def forward(self, x):
        mask = torch.zeros(x.shape[0], 1, 1, x.shape[1])
        x = self.ln(self.words(x) + self.places[: x.shape[1]] + self.types[0])
        for layer in self.layers:
            x = layer(x, mask)
        return self.classifier(torch.tanh(self.pooler(x[:, 0])))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(2048, 256), nn.Parameter(0.01 * torch.randn(128, 256))
        self.layers, self.ln = nn.ModuleList(Layer(256, 4, 1024, True, "tanh") for _ in range(4)), nn.LayerNorm(256)
        self.mask = torch.triu(torch.full((128, 128), -1e9), 1)

    def forward(self, x):
        x = self.words(x) + self.places
        for layer in self.layers:
            x = layer(x, self.mask)
        return (self.ln(x) @ self.words.weight.t()).view(-1, 2048)


if name in ("encoder", "gpt"):
    net = Encoder() if name == "encoder" else Gpt()
    data = torch.randint(0, 1000, (8, 128))
    labels = torch.randint(0, 2, (8,)) if name == "encoder" else torch.randint(0, 2048, (8 * 128,))
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4)
else:
    net, batch, size, channels = {"lenet": (LeNet, 128, 28, 1), "resnet20": (ResNet20, 128, 32, 3), "mobilenet_v2": (MobileNetV2, 64, 32, 3)}[name]
    net, data, labels = net(), torch.rand(batch, channels, size, size) * 2 - 1, torch.randint(0, 10, (batch,))
    optimizer = torch.optim.SGD(net.parameters(), 1e-3, momentum=0.9)
net.train()


def step():
    optimizer.zero_grad(set_to_none=True)
    loss = F.cross_entropy(net(data), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


clock = time.perf_counter if sys.argv[3] == "wall" else time.process_time
times = []
begin = time.perf_counter()
while len(times) < 15 or time.perf_counter() - begin < 3:
    start = clock()
    step()
    times.append(clock() - start)
times = sorted(times[5:])
print(times[len(times) // 4], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
