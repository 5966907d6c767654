#!/usr/bin/env python3
"""The networks of ergo-workload against the same networks written in plain PyTorch, with the same weights and inputs.

Usage: numerics_test.py ERGO_WORKLOAD. Exits with 77 (skipped) where PyTorch is not installed.
"""
import math
import os
import subprocess
import sys
import tempfile
import unittest

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError as reason:
    print(f"skipped: {reason}; install python3-torch")
    sys.exit(77)

from safetensors_file import read_output, write_safetensors

PROGRAM = os.path.abspath(sys.argv[1])
torch.set_num_threads(1)


class AlexNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, 1, 1), nn.ReLU(), nn.Conv2d(384, 256, 3, 1, 1), nn.ReLU(),
            nn.Conv2d(256, 256, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(3, 2))
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout(),
                                        nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000))

    def forward(self, x):
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 6).flatten(1))


class Bottleneck(nn.Module):
    def __init__(self, inputs, planes, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, planes, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv3, self.bn3 = nn.Conv2d(planes, 4 * planes, 1, bias=False), nn.BatchNorm2d(4 * planes)
        self.downsample = None
        if stride != 1 or inputs != 4 * planes:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, 4 * planes, 1, stride, bias=False), nn.BatchNorm2d(4 * planes))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet50(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        inputs = 64
        for index, (blocks, planes) in enumerate([(3, 64), (4, 128), (6, 256), (3, 512)], 1):
            layers = []
            for block in range(blocks):
                layers.append(Bottleneck(inputs, planes, 2 if block == 0 and index > 1 else 1))
                inputs = 4 * planes
            setattr(self, f"layer{index}", nn.Sequential(*layers))
        self.fc = nn.Linear(2048, 1000)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


class VitBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1 = nn.LayerNorm(768, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(768, 12, batch_first=True)
        self.ln_2 = nn.LayerNorm(768, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(768, 3072), nn.GELU(), nn.Dropout(0.0), nn.Linear(3072, 768))

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.self_attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class VitEncoder(nn.Module):
    def __init__(self, tokens):
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, tokens, 768).normal_(0, 0.02))
        self.layers = nn.Sequential()
        for i in range(12):
            self.layers.add_module(f"encoder_layer_{i}", VitBlock())
        self.ln = nn.LayerNorm(768, eps=1e-6)

    def forward(self, x):
        return self.ln(self.layers(x + self.pos_embedding))


class VitB16(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.class_token = nn.Parameter(torch.randn(1, 1, 768) * 0.02)
        self.conv_proj = nn.Conv2d(3, 768, 16, 16)
        self.encoder = VitEncoder((size // 16) ** 2 + 1)
        self.heads = nn.Sequential()
        self.heads.add_module("head", nn.Linear(768, 1000))

    def forward(self, x):
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], 1)
        return self.heads(self.encoder(x)[:, 0])


class YoloConv(nn.Module):
    def __init__(self, inputs, outputs, kernel=1, stride=1, padding=None):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2 if padding is None else padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x):
        return F.silu(self.bn(self.conv(x)))


class YoloBottleneck(nn.Module):
    def __init__(self, channels, shortcut):
        super().__init__()
        self.cv1, self.cv2, self.shortcut = YoloConv(channels, channels), YoloConv(channels, channels, 3), shortcut

    def forward(self, x):
        y = self.cv2(self.cv1(x))
        return x + y if self.shortcut else y


class C3(nn.Module):
    def __init__(self, inputs, outputs, repeats, shortcut=True):
        super().__init__()
        half = outputs // 2
        self.cv1, self.cv2, self.cv3 = YoloConv(inputs, half), YoloConv(inputs, half), YoloConv(2 * half, outputs)
        self.m = nn.Sequential(*(YoloBottleneck(half, shortcut) for _ in range(repeats)))

    def forward(self, x):
        return self.cv3(torch.cat([self.m(self.cv1(x)), self.cv2(x)], 1))


class Sppf(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.cv1, self.cv2 = YoloConv(inputs, inputs // 2), YoloConv(inputs * 2, outputs)

    def forward(self, x):
        parts = [self.cv1(x)]
        for _ in range(3):
            parts.append(F.max_pool2d(parts[-1], 5, 1, 2))
        return self.cv2(torch.cat(parts, 1))


class Detect(nn.Module):
    ANCHORS = [[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]]

    def __init__(self):
        super().__init__()
        self.m = nn.ModuleList(nn.Conv2d(channels, 255, 1) for channels in (128, 256, 512))

    def forward(self, levels):
        boxes = []
        for level, (conv, stride, anchors) in enumerate(zip(self.m, (8, 16, 32), self.ANCHORS)):
            y = conv(levels[level])
            n, _, height, width = y.shape
            y = y.view(n, 3, 85, height, width).permute(0, 1, 3, 4, 2).sigmoid()
            rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            grid = torch.stack([columns, rows], 2).float() - 0.5
            sizes = torch.tensor(anchors).float().view(1, 3, 1, 1, 2)
            y = torch.cat([(y[..., :2] * 2 + grid) * stride, (y[..., 2:4] * 2) ** 2 * sizes, y[..., 4:]], 4)
            boxes.append(y.reshape(n, -1, 85))
        return torch.cat(boxes, 1)


class YoloV5s(nn.Module):
    FROM = {11: "up", 12: 6, 15: "up", 16: 4, 19: 14, 22: 10}

    def __init__(self):
        super().__init__()
        self.model = nn.ModuleList([
            YoloConv(3, 32, 6, 2, 2), YoloConv(32, 64, 3, 2), C3(64, 64, 1), YoloConv(64, 128, 3, 2), C3(128, 128, 2),
            YoloConv(128, 256, 3, 2), C3(256, 256, 3), YoloConv(256, 512, 3, 2), C3(512, 512, 1), Sppf(512, 512),
            YoloConv(512, 256), nn.Identity(), nn.Identity(), C3(512, 256, 1, False),
            YoloConv(256, 128), nn.Identity(), nn.Identity(), C3(256, 128, 1, False),
            YoloConv(128, 128, 3, 2), nn.Identity(), C3(256, 256, 1, False),
            YoloConv(256, 256, 3, 2), nn.Identity(), C3(512, 512, 1, False), Detect()])

    def forward(self, x):
        outputs = []
        for index, layer in enumerate(self.model):
            source = self.FROM.get(index)
            if source == "up":
                x = F.interpolate(x, scale_factor=2)
            elif source is not None:
                x = torch.cat([x, outputs[source]], 1)
            elif index == 24:
                x = layer([outputs[17], outputs[20], outputs[23]])
            else:
                x = layer(x)
            outputs.append(x)
        return x


def folder(**children):
    module = nn.Module()
    for name, child in children.items():
        module.add_module(name, child)
    return module


class Bert(nn.Module):
    """Hugging Face's BertForSequenceClassification in evaluation mode, without padding."""

    def __init__(self):
        super().__init__()
        d = 768
        norm = lambda: nn.LayerNorm(d, eps=1e-12)
        layer = lambda: folder(
            attention=folder(self=folder(query=nn.Linear(d, d), key=nn.Linear(d, d), value=nn.Linear(d, d)),
                             output=folder(dense=nn.Linear(d, d), LayerNorm=norm())),
            intermediate=folder(dense=nn.Linear(d, 4 * d)),
            output=folder(dense=nn.Linear(4 * d, d), LayerNorm=norm()))
        self.bert = folder(
            embeddings=folder(word_embeddings=nn.Embedding(30522, d), position_embeddings=nn.Embedding(512, d),
                              token_type_embeddings=nn.Embedding(2, d), LayerNorm=norm()),
            encoder=folder(layer=nn.ModuleList(layer() for _ in range(12))),
            pooler=folder(dense=nn.Linear(d, d)))
        self.classifier = nn.Linear(d, 2)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, 0, 0.02)

    def forward(self, ids):
        e = self.bert.embeddings
        n, tokens = ids.shape
        x = e.LayerNorm(e.word_embeddings(ids) + e.position_embeddings(torch.arange(tokens)) + e.token_type_embeddings.weight[0])
        heads = lambda t: t.view(n, tokens, 12, 64).transpose(1, 2)
        for layer in self.bert.encoder.layer:
            attention = getattr(layer.attention, "self")
            q, k, v = heads(attention.query(x)), heads(attention.key(x)), heads(attention.value(x))
            y = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(64), -1) @ v
            y = layer.attention.output.dense(y.transpose(1, 2).reshape(n, tokens, 768))
            x = layer.attention.output.LayerNorm(x + y)
            x = layer.output.LayerNorm(x + layer.output.dense(F.gelu(layer.intermediate.dense(x))))
        return self.classifier(torch.tanh(self.bert.pooler.dense(x[:, 0])))


def use_realistic_statistics(network):
    """Weights that keep signals alive through many layers, and statistics that are not 0 and 1."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.8, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, 0, 0.1)


class Numerics(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        torch.manual_seed(1)

    def tearDown(self):
        self.temporary.cleanup()

    def path(self, name):
        return os.path.join(self.temporary.name, name)

    def run_program(self, *arguments):
        result = subprocess.run([PROGRAM, *arguments, "--iterations", "1", "--warmup", "1", "--threads", "1", "--output", self.path("output")],
                                capture_output=True, text=True, timeout=200)
        self.assertEqual(result.returncode, 0, result.stderr)
        return read_output(self.path("output"))

    def check(self, name, network, x, *arguments, weights=None):
        network.eval()
        write_safetensors(self.path("input"), {"input": x})
        if weights is None:
            weights = self.path("weights")
            write_safetensors(weights, {k: v for k, v in network.state_dict().items()})
        with torch.no_grad():
            expected = network(x)
        found = self.run_program(name, "--weights", weights, "--input", self.path("input"), *arguments)
        self.assert_close(found, expected)

    def assert_close(self, found, expected):
        self.assertEqual(found.shape, expected.shape)
        self.assertGreater(expected.std().item(), 1e-3)  # an output of equal numbers would show nothing
        error = ((found - expected).abs() / (expected.abs() + expected.abs().mean())).max().item()
        print(f"  largest relative difference {error:.1e}", file=sys.stderr)
        self.assertLess(error, 1e-4)

    def test_alexnet(self):
        network = AlexNet()
        use_realistic_statistics(network)
        self.check("alexnet", network, torch.randn(2, 3, 96, 96), "--size", "96")

    def test_resnet50(self):
        network = ResNet50()
        use_realistic_statistics(network)
        self.check("resnet50", network, torch.randn(2, 3, 64, 64), "--size", "64")

    def test_resnet50_channels_last(self):
        network = ResNet50()
        use_realistic_statistics(network)
        self.check("resnet50", network, torch.randn(2, 3, 64, 64), "--size", "64", "--channels-last")

    def test_vit(self):
        self.check("vit_b_16", VitB16(64), torch.randn(2, 3, 64, 64), "--size", "64")

    def test_vit_of_another_size_interpolates_its_positions(self):
        trained, used = VitB16(64).eval(), VitB16(96).eval()
        grid = trained.encoder.pos_embedding[:, 1:].reshape(1, 4, 4, 768).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, size=6, mode="bicubic", align_corners=True)  # torchvision's choice
        state = trained.state_dict()
        write_safetensors(self.path("trained"), state)
        state["encoder.pos_embedding"] = torch.cat(
            [trained.encoder.pos_embedding[:, :1], grid.permute(0, 2, 3, 1).reshape(1, 36, 768)], 1).detach()
        used.load_state_dict(state)
        self.check("vit_b_16", used, torch.randn(1, 3, 96, 96), "--size", "96", weights=self.path("trained"))

    def test_yolov5s(self):
        network = YoloV5s()
        use_realistic_statistics(network)
        self.check("yolov5s", network, torch.randn(2, 3, 96, 96), "--size", "96")

    def test_bert(self):
        """Half of the layers have the names of old files: gamma and beta for the weights of layer norms."""
        network = Bert()
        for module in network.modules():
            if isinstance(module, nn.LayerNorm):
                nn.init.normal_(module.weight, 1.0, 0.1)
        old = lambda k: k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        state = {old(k) if ".layer.1" in k else k: v for k, v in network.state_dict().items()}
        self.assertIn("bert.encoder.layer.1.output.LayerNorm.gamma", state)
        write_safetensors(self.path("weights"), state)
        self.check("bert", network, torch.randint(30522, (2, 17)), "--size", "17", weights=self.path("weights"))

    def test_weights_from_torchscript(self):
        network = AlexNet().eval()
        use_realistic_statistics(network)
        torch.jit.script(network).save(self.path("alexnet.pt"))
        self.check("alexnet", network, torch.randn(1, 3, 64, 64), "--size", "64", weights=self.path("alexnet.pt"))

    def test_a_module_of_ones_own(self):
        """Its inputs are random there, so this one answers with what only their shapes and its weights decide."""
        class Own(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = nn.Linear(4, 3)

            def forward(self, x, ids):
                return self.layer(torch.ones_like(x)) + ids.sum() * 0

        network = Own().eval()
        torch.jit.script(network).save(self.path("own.pt"))
        found = self.run_program("torchscript", self.path("own.pt"), "--shape", "2x4", "--shape", "int:5")
        self.assert_close(found, network(torch.ones(2, 4), torch.zeros(5)).detach())

    def test_reduced_precision_stays_near(self):
        network = AlexNet().eval()
        use_realistic_statistics(network)
        x = torch.randn(1, 3, 64, 64)
        write_safetensors(self.path("weights"), network.state_dict())
        write_safetensors(self.path("input"), {"input": x})
        found = self.run_program("alexnet", "--size", "64", "--dtype", "bf16", "--weights", self.path("weights"),
                                 "--input", self.path("input"))
        expected = network(x).detach()
        error = ((found - expected).norm() / expected.norm()).item()
        self.assertLess(error, 0.05)
        self.assertGreater(error, 1e-4)  # it really computed in another format


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
