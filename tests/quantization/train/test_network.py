"""The network: shapes, padding as TensorFlow's, folded norms unfolded again, rounding as int8 does it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edge.bundle.preprocess import normalise
from edge.errors import InputError
from quantization.train.network import Conv, MobileNetV2, Norm, rounded, to_input
from quantization.train.rounding import ActivationRounding, rounded_weights
from quantization.train.start import load_start, unfold_batch_norms


def same_convolution(picture, kernel, stride):
    """TensorFlow's 'SAME', by its definition: (H, W) picture, (k, k) kernel."""
    side, reach = picture.shape[0], kernel.shape[0]
    out = -(-side // stride)
    total = max((out - 1) * stride + reach - side, 0)
    padded = np.pad(picture, (total // 2, total - total // 2))
    return np.array(
        [
            [(padded[v : v + reach, u : u + reach] * kernel).sum() for u in range(0, out * stride, stride)]
            for v in range(0, out * stride, stride)
        ]
    )


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2)])
@pytest.mark.parametrize("side", [8, 14])
def test_a_convolution_pads_as_tensorflow_does(stride, kernel, side):
    rng = np.random.default_rng(1)
    conv = Conv(1, 1, kernel, stride)
    picture = rng.normal(size=(side, side)).astype(np.float32)
    with torch.no_grad():
        found = conv(torch.from_numpy(picture)[None, None])[0, 0].numpy()
    expected = same_convolution(picture, conv.weight.detach().numpy()[0, 0], stride)
    assert found.shape == expected.shape == (-(-side // stride),) * 2
    assert np.allclose(found, expected, atol=1e-5)


def test_the_network_is_that_of_the_paper():
    network = MobileNetV2(1000).eval()
    assert sum(p.numel() for p in network.parameters()) == 3_504_872
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 1000)
        assert network.features(torch.zeros(1, 3, 96, 96)).shape == (1, 1280, 3, 3)


def test_channels_are_multiples_of_8_and_never_a_tenth_less():
    assert [rounded(c) for c in (32 * 0.35, 16 * 0.35, 24 * 0.35, 1280, 160 * 1.4)] == [16, 8, 8, 1280, 224]


def test_training_sees_the_values_that_the_machine_sees():
    rgb = np.random.default_rng(2).integers(0, 256, (2, 5, 4, 3)).astype(np.uint8)
    assert np.array_equal(to_input(torch.from_numpy(rgb)).permute(0, 2, 3, 1).numpy(), normalise(rgb))


def with_statistics(width=0.25):
    """A network whose batch norms have seen something."""
    torch.manual_seed(3)
    network = MobileNetV2(5, width)
    for layer in network.modules():
        if isinstance(layer, Norm):
            torch.nn.init.normal_(layer.running_mean, 0, 0.1)
            torch.nn.init.uniform_(layer.running_var, 0.1, 0.3)
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
    return network


@torch.no_grad()
def test_frozen_norms_do_what_norms_do_on_the_machine():
    network, pictures = with_statistics(), torch.randn(3, 3, 32, 32)
    expected = network.eval()(pictures)
    network.train().freeze_norms(True)
    network.classifier.eval()
    assert torch.allclose(network(pictures), expected, atol=1e-5)
    assert expected.std(0).mean() > 0.05


def test_frozen_norms_keep_their_statistics_and_learn():
    network = with_statistics()
    before = {name: value.clone() for name, value in network.named_buffers()}
    network.train().freeze_norms(True)
    network(torch.randn(4, 3, 32, 32)).square().mean().backward()
    assert all(torch.equal(value, before[name]) for name, value in network.named_buffers())
    norms = [layer for layer in network.modules() if isinstance(layer, Norm)]
    assert all(layer.bias.grad is not None and layer.bias.grad.abs().max() > 0 for layer in norms)
    network.freeze_norms(False)
    network(torch.randn(4, 3, 32, 32))
    assert not torch.equal(norms[0].running_mean, before["features.0.1.running_mean"])


def folded_network():
    """As `load_start` leaves it: each norm an identity plus bias, the convolutions with real gains."""
    torch.manual_seed(3)
    network = MobileNetV2(5, 0.35).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(layer.bias, 0, 0.3)
    return network


def test_unfolding_norms_keeps_the_function_and_normalises_in_training():
    network = folded_network()
    pictures = torch.randn(16, 3, 64, 64)
    with torch.no_grad():
        before = network(pictures)
        unfold_batch_norms(network, pictures)
        assert torch.allclose(network(pictures), before, atol=1e-4)
        assert torch.allclose(network(pictures[:3] + 0.5), folded_network()(pictures[:3] + 0.5), atol=1e-4)
    norm = network.features[3].conv[0][1]
    assert not torch.allclose(norm.running_var, torch.ones_like(norm.running_var), atol=0.05)
    network.train()
    network.classifier[0].p = 0.0
    in_training = network(pictures)
    assert torch.allclose(in_training, before, atol=0.1 * float(before.abs().max()))


def test_starting_weights_fill_the_features_only(tmp_path):
    source, target = MobileNetV2(7, 0.35), MobileNetV2(5, 0.35)
    classifier = target.classifier[1].weight.detach().clone()
    file = tmp_path / "weights.npz"
    np.savez(file, **{name: value.numpy() for name, value in source.state_dict().items()})
    load_start(target, file)
    assert torch.equal(target.features[4].conv[2].weight, source.features[4].conv[2].weight)
    assert torch.equal(target.classifier[1].weight, classifier)


def a_list(path):
    torch.save([1, 2], path)


def a_whole_network(path):
    torch.save(MobileNetV2(2, 0.25), path)


def an_odd_checkpoint(path):
    torch.save({"average": 3}, path)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("list.csv", lambda path: path.write_text("part,mould\n3001,3001\n")),
        ("array.npy", lambda path: np.save(path, np.zeros(3))),
        ("objects.npz", lambda path: np.savez(path, x=np.array([{}], object))),
        ("empty.npz", lambda path: path.touch()),
        ("text.pt", lambda path: path.write_text("hi")),
        ("other.pt", lambda path: path.write_bytes(b"0123")),
        ("empty.pt", lambda path: path.touch()),
        ("list.pt", a_list),
        ("network.pt", a_whole_network),
        ("odd.pt", an_odd_checkpoint),
    ],
)
def test_a_file_that_is_none_of_weights_is_called_so(tmp_path, name, write):
    """Not in the words of numpy or torch, which advise how to read it unsafely."""
    write(tmp_path / name)
    with pytest.raises(InputError) as error:
        load_start(MobileNetV2(2, 0.25), tmp_path / name)
    assert str(error.value) == (
        f"{tmp_path / name} holds no starting weights (damaged, or of another kind): give an .npz file or a checkpoint"
        " (.pt)"
    )


def test_starting_weights_that_do_not_fit_are_named(tmp_path):
    network, file = MobileNetV2(5, 0.35), tmp_path / "weights.npz"
    with pytest.raises(InputError, match=r"weights\.npz holds no starting weights \(No such .*\): give an \.npz file"):
        load_start(network, file)
    file.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(InputError, match=r"holds no starting weights"):
        load_start(network, file)
    np.savez(file, **{name: value.numpy() for name, value in MobileNetV2(5, 0.5).state_dict().items()})
    with pytest.raises(InputError, match=r"fits another network than one of width 0\.35: give weights") as error:
        load_start(network, file)
    assert "\n" not in str(error.value)
    np.savez(file, **{"features.0.0.weight": network.features[0][0].weight.detach().numpy()})
    with pytest.raises(InputError, match=r"lacks features\.0\.1\.weight and \d+ more: give weights of a mobilenet-v2"):
        load_start(network, file)


def test_rounded_weights_have_one_scale_a_channel_and_pass_gradients():
    weight = (torch.randn(4, 3, 3, 3) * torch.tensor([0.01, 1, 10, 100])[:, None, None, None]).requires_grad_()
    stored = rounded_weights(weight)
    for real, kept in zip(weight.detach(), stored.detach(), strict=True):
        scale = real.abs().max() / 127
        assert torch.allclose(kept / scale, (kept / scale).round(), atol=1e-3)
        assert (kept - real).abs().max() <= scale * 0.501
    stored.sum().backward()
    assert torch.equal(weight.grad, torch.ones_like(weight))


def test_activations_are_rounded_to_256_levels_of_the_range_seen():
    rounding = ActivationRounding()
    values = torch.linspace(-1, 3, 5001)
    assert torch.equal(rounding(values), values)
    rounding.rounds = True
    rounding.train()
    found = rounding(values)
    assert 250 < len(found.unique()) <= 256
    assert (found - values).abs().max() < 4 / 255
    assert 0.0 in found
    rounding.eval()
    assert rounding(torch.tensor([99.0])) == pytest.approx(3, abs=4 / 255)


def test_rounding_hardly_changes_what_the_network_says():
    torch.manual_seed(5)
    network = MobileNetV2(5, 0.35)
    pictures = torch.randn(8, 3, 32, 32)
    network.train()
    for _ in range(3):
        network(pictures)
    network.eval()
    with torch.no_grad():
        real = network(pictures)
        network.round_as_int8(True)
        network.train()
        network.classifier[0].p = 0.0
        network(pictures)
        network.eval()
        as_stored = network(pictures)
        network.round_as_int8(False)
        spread = float(real.std())
        assert not torch.equal(as_stored, real)
        assert (as_stored - real).abs().mean() < spread
